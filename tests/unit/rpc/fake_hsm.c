/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/fake_hsm.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/client_clock.h"
#include "rpc/wire.h"
#include "tests/unit/unit.h"

/* One connection of the fake. */
struct peer {
    struct fake_hsm *hsm;
    unsigned slot;
    int fd;
    SSL *ssl;
};

uint64_t now_ms(void)
{
    return (uint64_t)(clock_now() / CLOCK_MS_NS);
}

static void sleep_ms(unsigned ms)
{
    struct timespec wait = clock_timespec((instant)ms * CLOCK_MS_NS);
    (void)nanosleep(&wait, NULL);
}

bool fake_hsm_comes_to(const atomic_uint *counter, unsigned least)
{
    for (uint64_t since = now_ms(); *counter < least && now_ms() - since < FAKE_LONG_MS;)
        sleep_ms(1);
    return *counter >= least;
}

static bool peer_read(struct peer *peer, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got =
            peer->ssl != NULL ? SSL_read(peer->ssl, out, (int)len) : recv(peer->fd, out, len, 0);
        if (got <= 0)
            return false;
        out += got;
        len -= (size_t)got;
    }
    return true;
}

static void peer_write(struct peer *peer, struct bytes data)
{
    while (data.len > 0) {
        ssize_t sent = peer->ssl != NULL ? SSL_write(peer->ssl, data.ptr, (int)data.len)
                                         : send(peer->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data = bytes_slice(data, (size_t)sent, data.len);
    }
}

static bool read_request(struct peer *peer, struct buf *frame, struct arena *arena,
                         Qhsm__Request **out)
{
    uint8_t header[4];
    if (!peer_read(peer, header, sizeof header))
        return false;
    size_t len =
        (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    arena_reset(arena);
    return len <= WIRE_FRAME_MAX && buf_resize(frame, len) == RC_OK &&
           peer_read(peer, frame->ptr, len) && frame_request(arena, buf_bytes(frame), out) == RC_OK;
}

static void put(struct peer *peer, const Qhsm__Response *response)
{
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(frame_put(&out, &response->base, WIRE_FRAME_MAX));
    peer_write(peer, buf_bytes(&out));
}

static void put_bytewise(struct peer *peer, struct bytes data)
{
    for (size_t i = 0; i < data.len && !peer->hsm->stopping; i++) {
        peer_write(peer, bytes_slice(data, i, 1));
        sleep_ms(20);
    }
}

static bool answer_hello(struct peer *peer, const Qhsm__Request *request)
{
    enum manners manners = peer->hsm->manners;
    Qhsm__HelloReply hello = QHSM__HELLO_REPLY__INIT;
    char release[] = "0.0-fake";
    hello.version = manners == HSM_OTHER_VERSION ? 9 : 1;
    hello.node = peer->hsm->node;
    hello.release = release;
    hello.frame_max = WIRE_FRAME_MAX;
    uint8_t cluster[16] = {peer->hsm->cluster};
    if (cluster[0] != 0)
        hello.cluster = (ProtobufCBinaryData){.data = cluster, .len = sizeof cluster};
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    response.id = request->id;
    response.body_case = QHSM__RESPONSE__BODY_HELLO;
    response.hello = &hello;
    if (manners == HSM_REFUSES_HELLO) {
        response.body_case = QHSM__RESPONSE__BODY__NOT_SET;
        response.rc = RC_OVERLOADED;
    }
    if (manners == HSM_GARBAGE_AT_HELLO)
        peer_write(peer, bytes_of_str("HTTP/1.1 400 Bad Request\r\n\r\n"));
    else if (manners != HSM_MUTE_AT_HELLO && manners != HSM_PAUSED)
        put(peer, &response);
    return true;
}

static void note(struct fake_hsm *hsm, const Qhsm__Request *request)
{
    hsm->served++;
    hsm->last_sequence = request->sequence;
    hsm->last_seen_index = request->seen_index;
    hsm->last_deadline_ms = request->deadline_ms;
}

static void hold_up(const struct fake_hsm *hsm)
{
    for (uint64_t since = now_ms(); now_ms() - since < hsm->delay_ms && !hsm->stopping;)
        sleep_ms(1);
}

/* False: hang up. */
static bool misbehave(struct peer *peer, const Qhsm__Response *response)
{
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(frame_put(&out, &response->base, WIRE_FRAME_MAX));
    enum manners manners = peer->hsm->manners;
    if (manners == HSM_HANGS_UP_ONCE)
        peer->hsm->manners = HSM_ANSWERS;
    if (manners == HSM_HANGS_UP || manners == HSM_HANGS_UP_ONCE)
        return false;
    if (manners == HSM_BREAKS_OFF) {
        peer_write(peer, bytes_slice(buf_bytes(&out), 0, out.len / 2));
        return false;
    }
    if (manners == HSM_TRICKLES)
        put_bytewise(peer, buf_bytes(&out));
    if (manners == HSM_ANNOUNCES_MORE)
        peer_write(peer, bytes_of("\x7f\xff\xff\xff", 4));
    if (manners == HSM_TALKS_TWICE) {
        UNIT_OK(frame_put(&out, &response->base, WIRE_FRAME_MAX));
        peer_write(peer, buf_bytes(&out));
    }
    if (manners == HSM_SAYS_NOTHING_NEW)
        peer_write(peer, bytes_of("\0\0\0\3\377\377\377", 7));
    return true; /* HSM_MUTE and the rest say nothing */
}

static bool answer(struct peer *peer, const Qhsm__Request *request)
{
    struct fake_hsm *hsm = peer->hsm;
    if (request->body_case == QHSM__REQUEST__BODY_HELLO)
        return answer_hello(peer, request);
    note(hsm, request);
    hold_up(hsm);
    enum manners manners = hsm->manners;
    Qhsm__DataReply data = QHSM__DATA_REPLY__INIT;
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    response.id = manners == HSM_WRONG_ID ? request->id + 1 : request->id;
    response.rc = hsm->answer_rc;
    response.applied_index = hsm->applied_index;
    char detail[] = "as the test asked";
    if (response.rc != 0)
        response.detail = detail;
    if (manners == HSM_REFUSES_UNREAD) {
        response.id = 0;
        response.rc = RC_TOO_LARGE;
    }
    if (request->body_case == QHSM__REQUEST__BODY_CRYPT && response.rc == 0) {
        response.body_case = QHSM__RESPONSE__BODY_DATA;
        response.data = &data;
        data.data = request->crypt->data;
    }
    if (manners != HSM_ANSWERS && manners != HSM_WRONG_ID && manners != HSM_REFUSES_UNREAD)
        return misbehave(peer, &response);
    put(peer, &response);
    return true;
}

static void serve(struct peer *peer)
{
    AUTO_BUF frame = BUF_INIT;
    struct arena *arena = NULL;
    UNIT_OK(arena_new(&arena));
    Qhsm__Request *request = NULL;
    bool on = true;
    while (on && read_request(peer, &frame, arena, &request)) {
        unsigned in_hand = ++peer->hsm->in_hand;
        if (in_hand > peer->hsm->at_once)
            peer->hsm->at_once = in_hand;
        on = answer(peer, request);
        peer->hsm->in_hand--;
    }
    if (peer->ssl != NULL && (SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        peer->hsm->goodbyes++;
    arena_free(arena);
}

static void *connection_main(void *data)
{
    struct peer *peer = data;
    bool ready = true;
    if (peer->hsm->tls != NULL && !peer->hsm->forgets_tls) {
        peer->ssl = SSL_new(peer->hsm->tls);
        ready = SSL_set_fd(peer->ssl, peer->fd) == 1 && SSL_accept(peer->ssl) == 1;
    }
    if (ready)
        serve(peer);
    SSL_free(peer->ssl);
    int fd = atomic_exchange(&peer->hsm->fds[peer->slot], -1);
    if (fd >= 0)
        (void)close(fd);
    free(peer);
    return NULL;
}

static void *listen_main(void *data)
{
    struct fake_hsm *hsm = data;
    while (!hsm->stopping && hsm->thread_count < FAKE_CONNS_MAX) {
        int fd = accept4(hsm->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        hsm->accepted++;
        struct peer *peer = calloc(1, sizeof *peer);
        *peer = (struct peer){.hsm = hsm, .slot = hsm->thread_count, .fd = fd};
        hsm->fds[peer->slot] = fd;
        (void)pthread_create(&hsm->threads[hsm->thread_count++], NULL, connection_main, peer);
    }
    return NULL;
}

/* The threads of the fake take no signals: SIGPIPE here is the fake's own affair. */
static void listen_on(struct fake_hsm *hsm, int fd)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 64), 0);
    hsm->listener = fd;
    hsm->stopping = false;
    hsm->thread_count = 0;
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&hsm->thread, NULL, listen_main, hsm), 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void fake_hsm_restart(struct fake_hsm *hsm)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", hsm->path);
    (void)unlink(hsm->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    listen_on(hsm, fd);
}

void fake_hsm_start(struct fake_hsm *hsm, uint64_t node)
{
    static atomic_uint count;
    *hsm = (struct fake_hsm){.node = node, .manners = HSM_ANSWERS};
    (void)snprintf(hsm->path, sizeof hsm->path, "/tmp/qhsm-test-%d-%u.sock", (int)getpid(),
                   count++);
    (void)snprintf(hsm->endpoint, sizeof hsm->endpoint, "unix:%s", hsm->path);
    fake_hsm_restart(hsm);
}

void fake_hsm_start_tls(struct fake_hsm *hsm, uint64_t node, struct test_ca *ca,
                        const struct credentials *credentials)
{
    *hsm = (struct fake_hsm){.node = node, .manners = HSM_ANSWERS};
    struct tls_credentials view = credentials_view(credentials);
    UNIT_OK(tls_server_new(ca->lib, &view, &hsm->tls));
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&address, len), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(hsm->endpoint, sizeof hsm->endpoint, "tcp:127.0.0.1:%u",
                   ntohs(address.sin_port));
    listen_on(hsm, fd);
}

void fake_hsm_cut(struct fake_hsm *hsm)
{
    for (unsigned i = 0; i < hsm->thread_count; i++) {
        int fd = hsm->fds[i];
        if (fd >= 0)
            (void)shutdown(fd, SHUT_RDWR);
    }
}

void fake_hsm_stop(struct fake_hsm *hsm)
{
    hsm->stopping = true;
    (void)shutdown(hsm->listener, SHUT_RDWR);
    (void)pthread_join(hsm->thread, NULL);
    (void)close(hsm->listener);
    if (hsm->path[0] != 0)
        (void)unlink(hsm->path);
    fake_hsm_cut(hsm);
    for (unsigned i = 0; i < hsm->thread_count; i++)
        (void)pthread_join(hsm->threads[i], NULL);
    hsm->thread_count = 0;
    SSL_CTX_free(hsm->tls);
    hsm->tls = NULL;
}

void fake_client_init_zones(struct fake_client *client, const struct fake_place *places,
                            size_t count, const char *zone)
{
    static const uint8_t application[16] = {1};
    *client = (struct fake_client){.rpc = NULL};
    client->config.connect_timeout_ms = FAKE_LONG_MS;
    client->config.call_timeout_ms = FAKE_LONG_MS;
    client->config.pool_max = 8;
    client->config.zone = (char *)(uintptr_t)zone;
    for (size_t i = 0; i < count; i++) {
        const char *named = places[i].zone;
        (void)snprintf(client->texts[i], sizeof client->texts[i], "%s%s%s", places[i].hsm->endpoint,
                       named == NULL ? "" : "?zone=", named == NULL ? "" : named);
        client->endpoints[i] = client->texts[i];
    }
    client->config.endpoints = (struct config_list){.items = client->endpoints, .count = count};
    UNIT_OK(rpc_client_new(&client->config, "test", application, &client->rpc));
}

void fake_client_init(struct fake_client *client, struct fake_hsm *const *hsms, size_t count)
{
    struct fake_place places[8] = {{.hsm = NULL}};
    for (size_t i = 0; i < count; i++)
        places[i].hsm = hsms[i];
    fake_client_init_zones(client, places, count, NULL);
}

void fake_client_check_took(uint64_t since_ms, uint64_t least_ms)
{
    uint64_t took = now_ms() - since_ms;
    CU_ASSERT(took + 5 >= least_ms);
    CU_ASSERT(took < FAKE_SOON_MS);
}

unsigned fake_client_tries_in(uint64_t ms)
{
    enum { FIRST_MS = 100, MOST_MS = 5000 }; /* rpc/client_pool.c */
    unsigned count = 0;
    for (uint64_t rest = FIRST_MS; rest <= ms; count++) {
        ms -= rest;
        rest = 2 * rest < MOST_MS ? 2 * rest : MOST_MS;
    }
    return count;
}

void fake_client_clear(struct fake_client *client)
{
    rpc_client_free(client->rpc);
}

enum rc fake_client_mutate(struct fake_client *client, uint64_t *out_sequence)
{
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.sequence = rpc_sequence(client->rpc);
    request.body_case = QHSM__REQUEST__BODY_LOGOUT;
    request.logout = &empty;
    struct rpc_reply reply;
    enum rc rc = rpc_call(client->rpc, &request, RPC_REPEAT_SAFE, &reply);
    rpc_reply_clear(client->rpc, &reply);
    *out_sequence = request.sequence;
    return rc;
}

enum rc fake_client_crypt(struct fake_client *client, enum rpc_repeat repeat, uint64_t *pin,
                          size_t len)
{
    uint64_t any = 0;
    uint8_t *data = calloc(1, len + 1);
    memset(data, 0x5A, len);
    Qhsm__CryptRequest crypt = QHSM__CRYPT_REQUEST__INIT;
    crypt.data = (ProtobufCBinaryData){.data = data, .len = len};
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &crypt;
    struct rpc_reply reply;
    enum rc rc = rpc_call_pinned(client->rpc, &request, repeat, pin != NULL ? pin : &any, &reply);
    if (rc == RC_OK) {
        CU_ASSERT_EQUAL(reply.msg->body_case, QHSM__RESPONSE__BODY_DATA);
        CU_ASSERT(bytes_equal(bytes_of(reply.msg->data->data.data, reply.msg->data->data.len),
                              bytes_of(data, len)));
    }
    rpc_reply_clear(client->rpc, &reply);
    free(data);
    return rc;
}
