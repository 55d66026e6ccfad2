/* SPDX-License-Identifier: Apache-2.0 */
/* The transport between peers, driven as the engine drives it: two nodes on one loop. */
#include "cluster/peer_transport.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/cluster/peer_fixture.h"
#include "tests/unit/cluster/peer_messages.h"
#include "tests/unit/unit.h"

#define WAIT_MS 60000U

/* One node: its transport, and what the engine would have. */
struct node {
    struct peer_transport *transport;
    struct raft_uv_transport *raft;
    char address[32];
    uint64_t refuses; /* is_member() is false for it */
    bool closed;
    /* dialled */
    struct raft_uv_connect request;
    uv_stream_t *out;
    unsigned answers;
    int status;
    unsigned writes; /* under way */
    int write_status;
    /* accepted */
    uv_stream_t *in;
    uint64_t in_id;
    char in_address[64];
    unsigned accepts;
    struct buf received;
    bool in_ended;
    bool reading;
};

static uv_loop_t loop;
static struct peer_fixture fixture;
static struct node a, b;
static uv_timer_t ticker;

static bool is_member(void *context, uint64_t id)
{
    const struct node *node = context;
    return node->refuses != id;
}

static void stream_freed(uv_handle_t *handle)
{
    raft_free(handle);
}

static void give_space(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char space[65536];
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(space, sizeof space);
}

static void got_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct node *node = stream->data;
    if (n > 0)
        UNIT_OK(buf_append(&node->received, bytes_of(data->base, (size_t)n)));
    if (n >= 0)
        return;
    node->in_ended = true;
    node->in = NULL;
    uv_close((uv_handle_t *)stream, stream_freed);
}

static void start_reading(struct node *node)
{
    node->reading = true;
    CU_ASSERT_EQUAL(uv_read_start(node->in, give_space, got_bytes), 0);
}

static void drop_stream(uv_stream_t **stream)
{
    if (*stream != NULL)
        uv_close((uv_handle_t *)*stream, stream_freed);
    *stream = NULL;
}

static void accepted(struct raft_uv_transport *raft, raft_id id, const char *address,
                     uv_stream_t *stream)
{
    struct node *node = raft->data;
    drop_stream(&node->in);
    node->in = stream;
    node->in_id = id;
    node->in_ended = false;
    (void)snprintf(node->in_address, sizeof node->in_address, "%s", address);
    stream->data = node;
    node->accepts++;
    if (node->reading)
        start_reading(node);
}

static void answered(struct raft_uv_connect *request, uv_stream_t *stream, int status)
{
    struct node *node = request->data;
    node->answers++;
    node->status = status;
    node->out = stream;
    if (stream != NULL)
        stream->data = node;
}

/* ---- set-up */

static void node_open_as(struct node *node, uint64_t number, struct peer_identity identity)
{
    memset(node, 0, sizeof *node);
    node->received = (struct buf)BUF_INIT_MAX((size_t)256 << 20);
    node->reading = true;
    struct peer_transport_config config = {.loop = &loop,
                                           .node = number,
                                           .cluster = {1, 2, 3},
                                           .listen = "127.0.0.1:0",
                                           .server = identity.server,
                                           .client = identity.client,
                                           .is_member = is_member,
                                           .context = node};
    enum rc rc = peer_transport_new(&config, &node->transport);
    UNIT_OK(rc);
    CU_ASSERT_FATAL(rc == RC_OK);
    peer_identity_clear(&identity);
    node->raft = peer_transport_raft(node->transport);
    node->raft->data = node;
    node->request.data = node;
    (void)snprintf(node->address, sizeof node->address, "127.0.0.1:%u",
                   peer_transport_port(node->transport));
    CU_ASSERT_EQUAL(node->raft->init(node->raft, number, node->address), 0);
    CU_ASSERT_EQUAL(node->raft->listen(node->raft, accepted), 0);
}

static void node_open(struct node *node, uint64_t number)
{
    node_open_as(node, number, peer_fixture_node(&fixture, number));
}

static void node_closed(struct raft_uv_transport *raft)
{
    struct node *node = raft->data;
    node->closed = true;
}

static void tick(uv_timer_t *timer)
{
    (void)timer;
}

static void begin(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    log_open("/dev/null", LOG_LEVEL_DEBUG);
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
    (void)uv_timer_init(&loop, &ticker);
    (void)uv_timer_start(&ticker, tick, 5, 5);
    peer_fixture_init(&fixture);
    node_open(&a, 1);
    node_open(&b, 2);
}

static void node_close(struct node *node)
{
    drop_stream(&node->in);
    drop_stream(&node->out);
    node->raft->close(node->raft, node_closed);
    while (!node->closed)
        (void)uv_run(&loop, UV_RUN_ONCE);
    peer_transport_free(node->transport);
    buf_clear(&node->received);
}

static void end(void)
{
    node_close(&a);
    node_close(&b);
    uv_close((uv_handle_t *)&ticker, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    peer_fixture_clear(&fixture);
}

/* ---- waiting */

static bool run_until(bool (*holds)(void), unsigned ms)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)ms * 1000000;
    while (!holds() && uv_hrtime() < end_ns)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return holds();
}

static void run_for(unsigned ms)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)ms * 1000000;
    while (uv_hrtime() < end_ns)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

static unsigned answers_wanted;
static bool is_answered(void)
{
    return a.answers + b.answers >= answers_wanted;
}

static size_t bytes_wanted;
static bool has_received(void)
{
    return a.received.len >= bytes_wanted;
}

static bool in_has_ended(void)
{
    return a.in_ended;
}

static bool is_accepted(void)
{
    return a.accepts > 0;
}

static bool is_accepted_again(void)
{
    return a.accepts > 1;
}

/* The node dials node `id` at that address; the status. */
static int dial_at(struct node *node, uint64_t id, const char *address)
{
    answers_wanted = a.answers + b.answers + 1;
    int rv = node->raft->connect(node->raft, &node->request, id, address, answered);
    CU_ASSERT(rv != 0 || run_until(is_answered, WAIT_MS));
    return rv != 0 ? rv : node->status;
}

static int dial(void)
{
    return dial_at(&b, 1, a.address);
}

/* A machine that stands still for two seconds has the attempt given up. */
static bool reaches(void)
{
    int status = dial();
    for (unsigned i = 0; i < 10 && status != 0; i++)
        status = dial();
    return status == 0;
}

struct write_request {
    uv_write_t write;
    struct buf data;
};

static void written(uv_write_t *write, int status)
{
    struct write_request *request = (struct write_request *)write;
    b.writes--;
    b.write_status = status;
    buf_clear(&request->data);
    free(request);
}

static void send_bytes(struct bytes data)
{
    struct write_request *request = calloc(1, sizeof *request);
    CU_ASSERT_FATAL(request != NULL && b.out != NULL);
    request->data = (struct buf)BUF_INIT_MAX((size_t)256 << 20);
    UNIT_OK(buf_append(&request->data, data));
    uv_buf_t part = uv_buf_init((char *)request->data.ptr, (unsigned)data.len);
    b.writes++;
    CU_ASSERT_EQUAL(uv_write(&request->write, b.out, &part, 1, written), 0);
}

static void arrives(struct bytes data)
{
    bytes_wanted = a.received.len + data.len;
    send_bytes(data);
    CU_ASSERT(run_until(has_received, WAIT_MS));
    struct bytes last = bytes_slice(buf_bytes(&a.received), bytes_wanted - data.len, data.len);
    CU_ASSERT(bytes_equal(last, data));
}

/* ---- cases: who may */

static void messages_arrive_as_they_were_sent(void)
{
    AUTO_BUF messages = BUF_INIT;
    begin();
    CU_ASSERT(reaches());
    CU_ASSERT_EQUAL(a.in_id, 2);
    CU_ASSERT_STRING_EQUAL(a.in_address, b.address);
    message_all(&messages, 2);
    for (unsigned i = 0; i < 10; i++)
        arrives(buf_bytes(&messages));
    end();
}

static void a_peer_with_another_number_is_not_taken_for_the_one_that_was_meant(void)
{
    begin();
    CU_ASSERT_EQUAL(dial_at(&b, 3, a.address), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(a.accepts, 0);
    CU_ASSERT(reaches());
    end();
}

static void reopen_b(struct peer_identity identity)
{
    node_close(&b);
    node_open_as(&b, 2, identity);
}

static void certificates_of_a_foreign_authority_are_refused(void)
{
    begin();
    reopen_b(peer_fixture_issue(&fixture, FOREIGN, TLS_ROLE_NODE, FIXTURE_CLUSTER, "2"));
    CU_ASSERT_EQUAL(dial(), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(a.accepts, 0);
    end();
}

static void reload_is_refused(struct peer_identity identity)
{
    CU_ASSERT(peer_transport_reload(b.transport, identity.server, identity.client) == RC_CONFIG);
    peer_identity_clear(&identity);
}

static void contexts_of_somebody_else_are_refused_at_home(void)
{
    begin();
    reload_is_refused(peer_fixture_issue(&fixture, OURS, TLS_ROLE_NODE, FIXTURE_CLUSTER, "3"));
    reload_is_refused(peer_fixture_issue(&fixture, OURS, TLS_ROLE_NODE, OTHER_CLUSTER, "2"));
    reload_is_refused(peer_fixture_issue(&fixture, OURS, TLS_ROLE_CLIENT, FIXTURE_CLUSTER, "2"));
    CU_ASSERT(reaches());
    end();
}

static void who_is_no_member_is_told_so(void)
{
    struct peer_counters counters;
    begin();
    a.refuses = 2;
    CU_ASSERT_EQUAL(dial(), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(a.accepts, 0);
    peer_transport_counters(a.transport, &counters);
    CU_ASSERT_EQUAL(counters.refused, 1);
    a.refuses = 0;
    CU_ASSERT(reaches());
    end();
}

static void who_was_removed_is_cut(void)
{
    begin();
    CU_ASSERT(reaches());
    a.refuses = 2;
    peer_transport_recheck(a.transport);
    CU_ASSERT(run_until(in_has_ended, WAIT_MS));
    end();
}

/* ---- cases: strangers that speak TLS, or do not */

struct talk {
    SSL *ssl;
    struct bytes words;
    uint8_t answer[8];
    int answer_len;
    atomic_bool done;
};

static void *stranger_speaks(void *context)
{
    struct talk *talk = context;
    talk->answer_len = -1;
    if (SSL_connect(talk->ssl) == 1 &&
        SSL_write(talk->ssl, talk->words.ptr, (int)talk->words.len) > 0)
        talk->answer_len = SSL_read(talk->ssl, talk->answer, sizeof talk->answer);
    atomic_store(&talk->done, true);
    return NULL;
}

/* The verdict that a stranger with that certificate gets for those words; -1: none. */
static int verdict_for(struct peer_identity identity, struct bytes words)
{
    struct talk talk = {.words = words};
    pthread_t thread;
    int fd = peer_fixture_connect(peer_transport_port(a.transport));
    atomic_init(&talk.done, false);
    talk.ssl = SSL_new(identity.client);
    CU_ASSERT_EQUAL(SSL_set_fd(talk.ssl, fd), 1);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, stranger_speaks, &talk), 0);
    while (!atomic_load(&talk.done))
        (void)uv_run(&loop, UV_RUN_ONCE);
    (void)pthread_join(thread, NULL);
    SSL_free(talk.ssl);
    (void)close(fd);
    peer_identity_clear(&identity);
    return talk.answer_len == 8 ? talk.answer[4] : -1;
}

static void hellos_are_judged_by_certificate_number_and_form(void)
{
    static const struct {
        enum tls_role role;
        const char *cluster, *name;
        uint64_t node;
        const char *address;
        uint64_t padded;
        int verdict;
    } rows[] = {
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:1", 8, 0},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 8, "host:1", 8, 2},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "1", 1, "host:1", 8, 2},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "07", 7, "host:1", 8, 1},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "x", 7, "host:1", 8, 1},
        {TLS_ROLE_NODE, OTHER_CLUSTER, "7", 7, "host:1", 8, 1},
        {TLS_ROLE_CLIENT, FIXTURE_CLUSTER, "7", 7, "host:1", 8, 1},
        {TLS_ROLE_ADMIN, FIXTURE_CLUSTER, "7", 7, "host:1", 8, 1},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "9", 9, "host:1", 8, 3},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "", 8, 4},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host 1:1", 16, 4},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:1", 16, 4},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:123", 8, 4},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:1", 0, -1},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:1", 264, -1},
        {TLS_ROLE_NODE, FIXTURE_CLUSTER, "7", 7, "host:1", UINT64_MAX, -1},
    };
    unsigned accepts = 0;
    begin();
    a.refuses = 9;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_BUF words = BUF_INIT;
        message_hello(&words, rows[i].node, rows[i].address, rows[i].padded);
        int verdict = -1;
        for (unsigned attempt = 0; attempt < 3 && verdict == -1; attempt++)
            verdict = verdict_for(
                peer_fixture_issue(&fixture, OURS, rows[i].role, rows[i].cluster, rows[i].name),
                buf_bytes(&words));
        CU_ASSERT_EQUAL(verdict, rows[i].verdict);
        accepts = i == 0 ? a.accepts : accepts;
        if (verdict != rows[i].verdict)
            (void)printf("row %zu: %d\n", i, verdict);
    }
    CU_ASSERT_EQUAL(a.accepts, accepts); /* but for the first, nobody */
    end();
}

static unsigned files_wanted;
static bool has_dropped_files(void)
{
    return peer_fixture_open_files() <= files_wanted;
}

static void silent_strangers_do_not_keep_peers_out_and_are_dropped(void)
{
    int fds[200];
    begin();
    unsigned before = peer_fixture_open_files();
    for (unsigned i = 0; i < 200; i++)
        fds[i] = peer_fixture_connect(peer_transport_port(a.transport));
    run_for(50);
    CU_ASSERT(peer_fixture_open_files() <= before + 200 + 64);
    CU_ASSERT(reaches());
    files_wanted = before + 200 + 8;
    CU_ASSERT(run_until(has_dropped_files, WAIT_MS));
    for (unsigned i = 0; i < 200; i++)
        (void)close(fds[i]);
    end();
}

/* Before the time that the silent ones have, but for pauses of the machine. */
static void garbage_is_dropped_at_once(void)
{
    bool is_dropped = false;
    begin();
    files_wanted = peer_fixture_open_files() + 1;
    for (unsigned i = 0; i < 5 && !is_dropped; i++) {
        int fd = peer_fixture_connect(peer_transport_port(a.transport));
        CU_ASSERT(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
        run_for(10);
        is_dropped = run_until(has_dropped_files, 1000);
        (void)close(fd);
    }
    CU_ASSERT(is_dropped);
    end();
}

/* ---- cases: dialling */

static void a_peer_that_does_not_answer_is_given_up_after_two_seconds(void)
{
    begin();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    char text[32];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL(listen(fd, 5), 0);
    CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    uint64_t start = uv_hrtime();
    CU_ASSERT_EQUAL(dial_at(&b, 1, text), RAFT_NOCONNECTION);
    uint64_t ms = (uv_hrtime() - start) / 1000000;
    CU_ASSERT(ms >= 1900);
    (void)close(fd);
    end();
}

static void addresses_that_lead_nowhere_are_no_connection(void)
{
    begin();
    CU_ASSERT_EQUAL(dial_at(&b, 1, "127.0.0.1:1"), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(dial_at(&b, 1, "node/1"), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(dial_at(&b, 1, "127.0.0.1:"), RAFT_NOCONNECTION);
    CU_ASSERT_EQUAL(dial_at(&b, 1, "no such host:7"), RAFT_NOCONNECTION);
    CU_ASSERT(reaches());
    end();
}

static void a_name_is_looked_up_and_a_note_replaces_the_address(void)
{
    char text[32];
    begin();
    (void)snprintf(text, sizeof text, "localhost:%u", peer_transport_port(a.transport));
    int status = dial_at(&b, 1, text);
    if (status != 0) /* localhost was ::1 first: the next attempt takes the next address */
        status = dial_at(&b, 1, text);
    CU_ASSERT_EQUAL(status, 0);
    drop_stream(&b.out);
    UNIT_OK(peer_transport_locate(b.transport, 1, a.address));
    CU_ASSERT_EQUAL(dial_at(&b, 1, "node/1"), 0);
    CU_ASSERT(run_until(is_accepted, WAIT_MS)); /* and has said where it is itself */
    CU_ASSERT_EQUAL(dial_at(&a, 2, "127.0.0.1:1"), 0);
    end();
}

static void closing_answers_open_requests_first(void)
{
    struct raft_uv_connect more[20];
    begin();
    struct peer_trouble cut = {.cut_out = true};
    UNIT_OK(peer_transport_trouble(b.transport, 1, &cut));
    for (unsigned i = 0; i < 20; i++) {
        more[i].data = &b;
        CU_ASSERT_EQUAL(b.raft->connect(b.raft, &more[i], 1, a.address, answered), 0);
    }
    run_for(20);
    CU_ASSERT_EQUAL(b.answers, 0);
    b.raft->close(b.raft, node_closed);
    CU_ASSERT_EQUAL(b.answers, 20);
    CU_ASSERT_EQUAL(b.status, RAFT_CANCELED);
    CU_ASSERT(!b.closed);
    while (!b.closed)
        (void)uv_run(&loop, UV_RUN_ONCE);
    peer_transport_free(b.transport);
    buf_clear(&b.received);
    node_open(&b, 2);
    end();
}

/* ---- cases: carrying */

static void a_slow_reader_holds_the_writer_and_loses_nothing(void)
{
    struct buf stream;
    begin();
    a.reading = false;
    CU_ASSERT(reaches());
    CU_ASSERT(run_until(is_accepted, WAIT_MS));
    message_stream(&stream, 200); /* 40 MB */
    send_bytes(buf_bytes(&stream));
    run_for(300);
    CU_ASSERT_EQUAL(b.writes, 1);
    bytes_wanted = stream.len;
    start_reading(&a);
    CU_ASSERT(run_until(has_received, WAIT_MS));
    CU_ASSERT(bytes_equal(buf_bytes(&a.received), buf_bytes(&stream)));
    CU_ASSERT_EQUAL(b.writes, 0);
    buf_clear(&stream);
    end();
}

static void a_message_that_makes_no_sense_ends_the_link_before_it_arrives(void)
{
    struct peer_counters counters;
    AUTO_BUF good = BUF_INIT;
    AUTO_BUF bad = BUF_INIT;
    begin();
    CU_ASSERT(reaches());
    message_vote(&good, 2);
    arrives(buf_bytes(&good));
    message_begin(&bad, RAFT_APPEND_ENTRIES, 0, 1ULL << 40);
    send_bytes(buf_bytes(&bad));
    CU_ASSERT(run_until(in_has_ended, WAIT_MS));
    CU_ASSERT_EQUAL(a.received.len, good.len);
    peer_transport_counters(a.transport, &counters);
    CU_ASSERT_EQUAL(counters.messages_refused, 1);
    end();
}

static bool write_failed(void)
{
    return b.write_status < 0;
}

static void the_writer_notices_that_the_peer_is_gone(void)
{
    AUTO_BUF message = BUF_INIT;
    begin();
    CU_ASSERT(reaches());
    message_vote(&message, 2);
    arrives(buf_bytes(&message));
    node_close(&a);
    for (unsigned i = 0; i < 5000 && !write_failed(); i++) {
        send_bytes(buf_bytes(&message));
        run_for(10);
    }
    CU_ASSERT(write_failed());
    node_open(&a, 1);
    end();
}

static void a_peer_that_dials_again_replaces_its_older_link(void)
{
    begin();
    CU_ASSERT(reaches());
    CU_ASSERT(run_until(is_accepted, WAIT_MS));
    uv_stream_t *first = b.out;
    CU_ASSERT(reaches());
    CU_ASSERT(run_until(is_accepted_again, WAIT_MS));
    AUTO_BUF message = BUF_INIT;
    message_vote(&message, 2);
    arrives(buf_bytes(&message));
    drop_stream(&first);
    end();
}

static void closing_under_load_leaves_nothing(void)
{
    struct buf stream;
    (void)signal(SIGPIPE, SIG_IGN);
    unsigned before = peer_fixture_open_files();
    begin();
    CU_ASSERT(reaches());
    message_stream(&stream, 100);
    send_bytes(buf_bytes(&stream));
    run_for(10);
    end(); /* the loop runs out, or uv_loop_close() fails */
    buf_clear(&stream);
    CU_ASSERT_EQUAL(peer_fixture_open_files(), before);
}

static void new_certificates_are_used_from_the_next_link_on(void)
{
    begin();
    CU_ASSERT(reaches());
    struct peer_identity fresh = peer_fixture_node(&fixture, 2);
    UNIT_OK(peer_transport_reload(b.transport, fresh.server, fresh.client));
    peer_identity_clear(&fresh);
    AUTO_BUF message = BUF_INIT;
    message_vote(&message, 2);
    arrives(buf_bytes(&message));
    drop_stream(&b.out);
    CU_ASSERT(reaches());
    arrives(buf_bytes(&message));
    end();
}

/* ---- cases: emulated trouble */

static bool arrived_or_ended(void)
{
    return has_received() || in_has_ended();
}

static void send_through_cut(struct bytes message)
{
    const struct peer_trouble cut = {.cut_in = true};
    const struct peer_trouble none = {.cut_in = false};
    drop_stream(&b.out);
    CU_ASSERT(reaches());
    arrives(message);
    UNIT_OK(peer_transport_trouble(a.transport, 2, &cut));
    bytes_wanted = a.received.len + message.len;
    send_bytes(message);
    run_for(300);
    CU_ASSERT_FALSE(has_received());
    UNIT_OK(peer_transport_trouble(a.transport, 2, &none));
    CU_ASSERT(run_until(arrived_or_ended, WAIT_MS));
}

static void a_cut_holds_messages_back_and_a_long_one_ends_the_link(void)
{
    AUTO_BUF message = BUF_INIT;
    const struct peer_trouble cut = {.cut_in = true};
    const struct peer_trouble none = {.cut_in = false};
    begin();
    message_vote(&message, 2);
    send_through_cut(buf_bytes(&message));
    for (unsigned i = 0; i < 5 && !has_received(); i++) /* the machine made it a long one */
        send_through_cut(buf_bytes(&message));
    CU_ASSERT(has_received());
    UNIT_OK(peer_transport_trouble(a.transport, 0, &cut)); /* all of them */
    send_bytes(buf_bytes(&message));
    CU_ASSERT(run_until(in_has_ended, WAIT_MS));
    drop_stream(&b.out);
    CU_ASSERT_EQUAL(dial(), RAFT_NOCONNECTION);
    UNIT_OK(peer_transport_trouble(a.transport, 0, &none));
    CU_ASSERT(reaches());
    end();
}

static void a_delay_delays_and_keeps_the_order(void)
{
    struct buf stream;
    const struct peer_trouble slow = {.delay_ms = 200};
    begin();
    CU_ASSERT(reaches());
    UNIT_OK(peer_transport_trouble(b.transport, 1, &slow));
    AUTO_BUF message = BUF_INIT;
    message_vote(&message, 2);
    uint64_t start = uv_hrtime();
    arrives(buf_bytes(&message));
    uint64_t ms = (uv_hrtime() - start) / 1000000;
    CU_ASSERT(ms >= 195);
    message_stream(&stream, 60); /* three times what waits at most */
    arrives(buf_bytes(&stream));
    buf_clear(&stream);
    end();
}

#define MESSAGES 200U

static size_t message_len;
static bool all_came_or_were_lost(void)
{
    struct peer_counters counters;
    peer_transport_counters(a.transport, &counters);
    return a.received.len / message_len + counters.messages_dropped == MESSAGES;
}

static void lost_messages_are_lost_whole(void)
{
    struct peer_counters counters;
    AUTO_BUF message = BUF_INIT;
    const struct peer_trouble lossy = {.drop_permille = 500};
    begin();
    CU_ASSERT(reaches());
    UNIT_OK(peer_transport_trouble(a.transport, 2, &lossy));
    message_append(&message, 10, 3, 800);
    for (unsigned i = 0; i < MESSAGES; i++)
        send_bytes(buf_bytes(&message));
    message_len = message.len;
    CU_ASSERT(run_until(all_came_or_were_lost, WAIT_MS));
    peer_transport_counters(a.transport, &counters);
    CU_ASSERT(counters.messages_dropped > 50 && counters.messages_dropped < 150);
    CU_ASSERT_EQUAL(a.received.len, (MESSAGES - counters.messages_dropped) * message.len);
    end();
}

UNIT_SUITE("peer_transport", UNIT_CASE(messages_arrive_as_they_were_sent),
           UNIT_CASE(a_peer_with_another_number_is_not_taken_for_the_one_that_was_meant),
           UNIT_CASE(certificates_of_a_foreign_authority_are_refused),
           UNIT_CASE(contexts_of_somebody_else_are_refused_at_home),
           UNIT_CASE(who_is_no_member_is_told_so), UNIT_CASE(who_was_removed_is_cut),
           UNIT_CASE(hellos_are_judged_by_certificate_number_and_form),
           UNIT_CASE(silent_strangers_do_not_keep_peers_out_and_are_dropped),
           UNIT_CASE(garbage_is_dropped_at_once),
           UNIT_CASE(a_peer_that_does_not_answer_is_given_up_after_two_seconds),
           UNIT_CASE(addresses_that_lead_nowhere_are_no_connection),
           UNIT_CASE(a_name_is_looked_up_and_a_note_replaces_the_address),

           UNIT_CASE(closing_answers_open_requests_first),
           UNIT_CASE(a_slow_reader_holds_the_writer_and_loses_nothing),
           UNIT_CASE(a_message_that_makes_no_sense_ends_the_link_before_it_arrives),
           UNIT_CASE(the_writer_notices_that_the_peer_is_gone),
           UNIT_CASE(a_peer_that_dials_again_replaces_its_older_link),
           UNIT_CASE(closing_under_load_leaves_nothing),
           UNIT_CASE(new_certificates_are_used_from_the_next_link_on),
           UNIT_CASE(a_cut_holds_messages_back_and_a_long_one_ends_the_link),
           UNIT_CASE(a_delay_delays_and_keeps_the_order), UNIT_CASE(lost_messages_are_lost_whole));
