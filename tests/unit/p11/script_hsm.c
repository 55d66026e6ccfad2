/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/p11/script_hsm.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/crypt.h"
#include "rpc/frame.h"
#include "rpc/wire.h"
#include "tests/unit/unit.h"

#define CONNS_MAX 32

struct script_hsm script;

static struct {
    char path[108];
    char config[108];
    int listener;
    pthread_t thread;
    pthread_t threads[CONNS_MAX];
    atomic_int fds[CONNS_MAX];
    atomic_uint count;
    atomic_ulong next_handle;
} inside;

/* Room for the messages of one answer. */
struct answer {
    Qhsm__Response response;
    union {
        Qhsm__HelloReply hello;
        Qhsm__SlotsReply slots;
        Qhsm__LoginReply login;
        Qhsm__ObjectReply object;
        Qhsm__GetAttributesReply attributes;
        Qhsm__FindReply find;
        Qhsm__DataReply data;
        Qhsm__OperationReply operation;
    } body;
    Qhsm__KeyFacts facts[2];
    Qhsm__KeyFacts *facts_list[2];
    Qhsm__TokenInfo tokens[2];
    Qhsm__TokenInfo *token_list[2];
    uint64_t disabled[1];
    ProtobufCBinaryData sealed[2];
    uint64_t handles[WIRE_FIND_LIMIT];
    uint8_t bytes[1024];
};

static char label[] = "unit";
static char serial[] = "0123456789abcdef";

static void fill_facts(Qhsm__KeyFacts *facts, uint64_t handle)
{
    qhsm__key_facts__init(facts);
    facts->handle = handle;
    facts->version = script.version;
    facts->object_class = script.object_class;
    facts->key_type = script.key_type;
    facts->size_bits = script.size_bits;
    facts->usage = script.usage;
    facts->output_len = script.output_len;
    facts->always_authenticate = script.always_authenticate;
    facts->restricted = script.restricted;
    facts->is_token = !script.session_objects;
    facts->is_private = true;
}

static void answer_slots(struct answer *a)
{
    qhsm__slots_reply__init(&a->body.slots);
    for (size_t i = 0; i < 2; i++) {
        qhsm__token_info__init(&a->tokens[i]);
        a->tokens[i].slot = i + 1;
        a->token_list[i] = &a->tokens[i];
    }
    a->tokens[0].initialized = true;
    a->tokens[0].label = label;
    a->tokens[0].serial = serial;
    a->tokens[0].flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_RNG;
    a->disabled[0] = CKM_ECDSA;
    a->tokens[0].n_disabled_mechanisms = script.disabled ? 1 : 0;
    a->tokens[0].disabled_mechanisms = a->disabled;
    a->body.slots.n_slots = 2;
    a->body.slots.slots = a->token_list;
    a->response.body_case = QHSM__RESPONSE__BODY_SLOTS;
    a->response.slots = &a->body.slots;
}

static void answer_objects(struct answer *a, size_t count)
{
    qhsm__object_reply__init(&a->body.object);
    for (size_t i = 0; i < count; i++) {
        fill_facts(&a->facts[i], ++inside.next_handle);
        a->facts_list[i] = &a->facts[i];
        a->sealed[i] = (ProtobufCBinaryData){.len = 3, .data = a->bytes};
    }
    a->body.object.n_objects = count;
    a->body.object.objects = a->facts_list;
    a->body.object.n_sealed = count;
    a->body.object.sealed = a->sealed;
    a->response.body_case = QHSM__RESPONSE__BODY_OBJECT;
    a->response.object = &a->body.object;
}

static void answer_data(struct answer *a, size_t len)
{
    qhsm__data_reply__init(&a->body.data);
    memset(a->bytes, 0x5A, sizeof a->bytes);
    a->body.data.data = (ProtobufCBinaryData){.len = len, .data = a->bytes};
    a->response.body_case = QHSM__RESPONSE__BODY_DATA;
    a->response.data = &a->body.data;
}

static void answer_find(struct answer *a, const Qhsm__FindRequest *in)
{
    qhsm__find_reply__init(&a->body.find);
    uint64_t handle = in->after;
    size_t count = 0;
    while (count < in->limit && handle < script.find_total)
        a->handles[count++] = ++handle;
    a->body.find.n_handles = count;
    a->body.find.handles = a->handles;
    a->body.find.more = handle < script.find_total;
    a->response.body_case = QHSM__RESPONSE__BODY_FIND;
    a->response.find = &a->body.find;
}

static void answer_crypt(struct answer *a, const Qhsm__CryptRequest *in)
{
    script.prehashed = in->prehashed;
    script.data_len = (unsigned)in->data.len;
    if (in->version != script.version)
        a->response.rc = RC_STALE_VERSION;
    else if (in->operation != CRYPT_VERIFY)
        answer_data(a, in->operation == CRYPT_DECRYPT ? 5 : script.output_len);
}

static void answer_body(struct answer *a, const Qhsm__Request *request)
{
    unsigned body = (unsigned)request->body_case;
    if (body == QHSM__REQUEST__BODY_SLOTS)
        answer_slots(a);
    if (body == QHSM__REQUEST__BODY_LOGIN) {
        qhsm__login_reply__init(&a->body.login);
        a->body.login.ticket = (ProtobufCBinaryData){.len = 40, .data = a->bytes};
        a->response.body_case = QHSM__RESPONSE__BODY_LOGIN;
        a->response.login = &a->body.login;
    }
    if (body == QHSM__REQUEST__BODY_CREATE_OBJECT || body == QHSM__REQUEST__BODY_GENERATE_KEY)
        answer_objects(a, 1);
    if (body == QHSM__REQUEST__BODY_GENERATE_KEY_PAIR)
        answer_objects(a, 2);
    if (body == QHSM__REQUEST__BODY_FACTS) {
        fill_facts(&a->facts[0], request->facts->handle);
        a->response.body_case = QHSM__RESPONSE__BODY_FACTS;
        a->response.facts = &a->facts[0];
    }
    if (body == QHSM__REQUEST__BODY_FIND)
        answer_find(a, request->find);
    if (body == QHSM__REQUEST__BODY_CRYPT)
        answer_crypt(a, request->crypt);
    if (body == QHSM__REQUEST__BODY_WRAP)
        answer_data(a, 40);
    if (body == QHSM__REQUEST__BODY_RANDOM)
        answer_data(a, request->random->len);
    if (body == QHSM__REQUEST__BODY_OPERATION_BEGIN) {
        qhsm__operation_reply__init(&a->body.operation);
        a->body.operation.number = 9;
        a->response.body_case = QHSM__RESPONSE__BODY_OPERATION;
        a->response.operation = &a->body.operation;
    }
    if (body == QHSM__REQUEST__BODY_OPERATION_UPDATE)
        answer_data(a, request->operation_update->data.len % 1024);
    if (body == QHSM__REQUEST__BODY_OPERATION_FINAL)
        answer_data(a, 16);
}

static void answer_hello(struct answer *a)
{
    static char release[] = "0";
    qhsm__hello_reply__init(&a->body.hello);
    a->body.hello.version = WIRE_VERSION_MAX;
    a->body.hello.node = 1;
    a->body.hello.release = release;
    a->body.hello.frame_max = WIRE_FRAME_MAX;
    a->response.body_case = QHSM__RESPONSE__BODY_HELLO;
    a->response.hello = &a->body.hello;
}

static void answer_fill(struct answer *a, const Qhsm__Request *request)
{
    qhsm__response__init(&a->response);
    a->response.id = request->id;
    unsigned body = (unsigned)request->body_case;
    if (body == QHSM__REQUEST__BODY_HELLO) {
        answer_hello(a);
        return;
    }
    script.asked[body]++;
    script.ticket_len = (unsigned)request->ticket.len;
    a->response.rc = atomic_exchange(&script.fail_once[body], 0);
    if (a->response.rc == 0)
        answer_body(a, request);
}

static bool read_exactly(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(fd, out, len, 0);
        if (got <= 0)
            return false;
        out += got;
        len -= (size_t)got;
    }
    return true;
}

static bool serve_one(int fd, struct buf *frame, struct arena *arena, struct answer *a)
{
    uint8_t header[4];
    if (!read_exactly(fd, header, sizeof header))
        return false;
    size_t len =
        (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    Qhsm__Request *request = NULL;
    arena_reset(arena);
    if (buf_resize(frame, len) != RC_OK || !read_exactly(fd, frame->ptr, len) ||
        frame_request(arena, buf_bytes(frame), &request) != RC_OK)
        return false;
    answer_fill(a, request);
    AUTO_BUF out = BUF_INIT;
    return frame_put(&out, &a->response.base, WIRE_FRAME_MAX) == RC_OK &&
           send(fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

static void *connection_main(void *data)
{
    atomic_int *place = data;
    AUTO_BUF frame = BUF_INIT;
    struct arena *arena = NULL;
    struct answer *a = calloc(1, sizeof *a);
    if (a != NULL && arena_new(&arena) == RC_OK)
        while (serve_one(*place, &frame, arena, a))
            continue;
    arena_free(arena);
    free(a);
    (void)close(atomic_exchange(place, -1));
    return NULL;
}

static void *listen_main(void *data)
{
    (void)data;
    while (inside.count < CONNS_MAX) {
        int fd = accept(inside.listener, NULL, NULL);
        if (fd < 0)
            break;
        unsigned at = inside.count;
        inside.fds[at] = fd;
        (void)pthread_create(&inside.threads[at], NULL, connection_main, &inside.fds[at]);
        inside.count++;
    }
    return NULL;
}

static void write_config(const char *more)
{
    (void)snprintf(inside.config, sizeof inside.config, "/tmp/qhsm-p11-%d.conf", (int)getpid());
    FILE *file = fopen(inside.config, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fprintf(file,
                  "endpoint = unix:%s\nconnect_timeout_ms = %d000\ncall_timeout_ms = %d000\n%s",
                  inside.path, SCRIPT_TIMEOUT_S, SCRIPT_TIMEOUT_S, more == NULL ? "" : more);
    (void)fclose(file);
    (void)setenv("QHSM_CONF", inside.config, 1);
}

static void script_defaults(void)
{
    memset(&script, 0, sizeof script);
    script.version = 1;
    script.key_type = CKK_RSA;
    script.object_class = CKO_PRIVATE_KEY;
    script.size_bits = 2048;
    script.usage = 0x1FF;
    script.output_len = 256;
}

void script_start(const char *more)
{
    script_defaults();
    inside.count = 0;
    inside.next_handle = 100;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(inside.path, sizeof inside.path, "/tmp/qhsm-p11-%d.sock", (int)getpid());
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", inside.path);
    (void)unlink(inside.path);
    inside.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(inside.listener, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(inside.listener, 16), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&inside.thread, NULL, listen_main, NULL), 0);
    write_config(more);
}

void script_cut(void)
{
    for (unsigned i = 0; i < inside.count; i++)
        if (inside.fds[i] >= 0)
            (void)shutdown(inside.fds[i], SHUT_RDWR);
}

void script_stop(void)
{
    (void)shutdown(inside.listener, SHUT_RDWR);
    (void)pthread_join(inside.thread, NULL);
    (void)close(inside.listener);
    script_cut();
    for (unsigned i = 0; i < inside.count; i++)
        (void)pthread_join(inside.threads[i], NULL);
    (void)unlink(inside.path);
    (void)unlink(inside.config);
}

unsigned script_total(void)
{
    unsigned total = 0;
    for (size_t i = 0; i < SCRIPT_BODIES; i++)
        total += script.asked[i];
    return total;
}
