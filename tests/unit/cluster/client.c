/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' client: one blocking connection. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cluster/service.h"
#include "common/cryptoki.h"
#include "tests/unit/cluster/harness.h"

#define PATIENCE_MS 60000
#define FRAME_LIMIT ((size_t)32 * 1024 * 1024)

void client_open(struct peer_client *client, const struct harness *harness)
{
    memset(client, 0, sizeof *client);
    client->in = (struct buf)BUF_INIT_MAX(FRAME_LIMIT);
    client->ticket = (struct buf)BUF_INIT;
    client->insists = harness->has_peers;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", harness->config.listen_unix);
    if (arena_new(&client->arena) != RC_OK ||
        getrandom(client->application, sizeof client->application, 0) < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        (void)fprintf(stderr, "cannot connect to %s\n", address.sun_path);
}

void client_close(struct peer_client *client)
{
    (void)close(client->fd);
    arena_free(client->arena);
    buf_clear(&client->in);
    buf_clear(&client->ticket);
}

void client_send_raw(struct peer_client *client, struct bytes data)
{
    while (data.len > 0) {
        ssize_t n = send(client->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data = bytes_slice(data, (size_t)n, data.len);
    }
}

void client_send(struct peer_client *client, Qhsm__Request *request)
{
    AUTO_BUF frame = BUF_INIT_MAX(FRAME_LIMIT);
    request->id = ++client->id;
    request->ticket = (ProtobufCBinaryData){.data = client->ticket.ptr, .len = client->ticket.len};
    request->seen_index = client->seen;
    request->linearizable = client->linearizable;
    if (request->sequence != 0)
        request->sequence = ++client->sequence;
    if (frame_put(&frame, &request->base, FRAME_LIMIT) != RC_OK)
        abort();
    client_send_raw(client, buf_bytes(&frame));
}

/* Appends what comes; false at the end of the stream or of patience. */
static bool receive_some(struct peer_client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    uint8_t chunk[65536];
    if (poll(&wait, 1, PATIENCE_MS) <= 0)
        return false;
    ssize_t n = recv(client->fd, chunk, sizeof chunk, 0);
    return n > 0 && buf_append(&client->in, bytes_of(chunk, (size_t)n)) == RC_OK;
}

Qhsm__Response *client_receive(struct peer_client *client)
{
    size_t len = 0;
    Qhsm__Response *response = NULL;
    if (client->consumed > 0) {
        size_t rest = client->in.len - client->consumed;
        memmove(client->in.ptr, client->in.ptr + client->consumed, rest);
        client->in.len = rest;
        client->consumed = 0;
    }
    for (;;) {
        if (frame_peek(buf_bytes(&client->in), FRAME_LIMIT, &len) != RC_OK)
            return NULL;
        if (len > 0)
            break;
        if (!receive_some(client))
            return NULL;
    }
    arena_reset(client->arena);
    struct bytes message =
        bytes_slice(buf_bytes(&client->in), WIRE_FRAME_HEADER_LEN, len - WIRE_FRAME_HEADER_LEN);
    client->consumed = len;
    if (frame_response(client->arena, message, &response) != RC_OK)
        return NULL;
    if (response->applied_index > client->seen)
        client->seen = response->applied_index;
    return response;
}

/* Itself, or the leader that it asked does not answer. */
static bool lacks_leader(const Qhsm__Response *response)
{
    enum rc rc = client_rc(response);
    return response != NULL && (rc == RC_NO_QUORUM || rc == RC_NO_LEADER || rc == RC_DEADLINE ||
                                rc == RC_OUTCOME_UNKNOWN || rc == RC_UNAVAILABLE);
}

Qhsm__Response *client_call(struct peer_client *client, Qhsm__Request *request)
{
    uint64_t end = clock_steady_ms() + PATIENCE_MS;
    for (;;) {
        client_send(client, request);
        Qhsm__Response *response = client_receive(client);
        if (!client->insists || !lacks_leader(response) || clock_steady_ms() > end)
            return response;
        client->sequence -= request->sequence != 0 ? 1 : 0; /* the same one, made once */
        (void)usleep(20000);
    }
}

enum rc client_rc(const Qhsm__Response *response)
{
    return response == NULL ? RC_UNAVAILABLE : rc_from_wire(response->rc);
}

bool client_is_closed(struct peer_client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    for (unsigned i = 0; i < 64; i++) {
        char chunk[4096];
        if (poll(&wait, 1, PATIENCE_MS) <= 0)
            return false;
        if (recv(client->fd, chunk, sizeof chunk, 0) <= 0)
            return true;
    }
    return false;
}

/* ---- requests */

enum rc client_hello(struct peer_client *client)
{
    Qhsm__HelloRequest hello = QHSM__HELLO_REQUEST__INIT;
    hello.version_min = WIRE_VERSION_MIN;
    hello.version_max = WIRE_VERSION_MAX;
    hello.application =
        (ProtobufCBinaryData){.data = client->application, .len = sizeof client->application};
    char name[] = "unit test";
    hello.client = name;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_HELLO;
    request.hello = &hello;
    return client_rc(client_call(client, &request));
}

static ProtobufCBinaryData text(const char *string)
{
    union {
        const char *in;
        uint8_t *out;
    } ptr = {.in = string};
    return (ProtobufCBinaryData){.data = ptr.out, .len = strlen(string)};
}

enum rc client_login(struct peer_client *client, CK_USER_TYPE type, const char *pin)
{
    return client_login_at(client, HARNESS_SLOT, type, pin);
}

enum rc client_login_at(struct peer_client *client, uint64_t slot, CK_USER_TYPE type,
                        const char *pin)
{
    Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
    login.slot = slot;
    login.user_type = type;
    login.pin = text(pin);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &login;
    request.sequence = 1;
    buf_clear(&client->ticket);
    Qhsm__Response *response = client_call(client, &request);
    if (client_rc(response) != RC_OK)
        return client_rc(response);
    return buf_append(&client->ticket,
                      bytes_of(response->login->ticket.data, response->login->ticket.len));
}

enum rc client_init_token(struct peer_client *client)
{
    Qhsm__InitTokenRequest init = QHSM__INIT_TOKEN_REQUEST__INIT;
    char label[] = "unit";
    init.slot = HARNESS_SLOT;
    init.label = label;
    init.so_pin = text(HARNESS_SO_PIN);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &init;
    request.sequence = 1;
    return client_rc(client_call(client, &request));
}

static enum rc init_pin(struct peer_client *client)
{
    Qhsm__InitPinRequest init = QHSM__INIT_PIN_REQUEST__INIT;
    init.pin = text(HARNESS_USER_PIN);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_INIT_PIN;
    request.init_pin = &init;
    request.sequence = 1;
    return client_rc(client_call(client, &request));
}

static void must(enum rc rc, const char *what)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, rc_info(rc)->name);
    abort();
}

void client_join(struct peer_client *client, const struct harness *harness)
{
    client_open(client, harness);
    must(client_hello(client), "hello");
    must(client_login(client, CKU_USER, HARNESS_USER_PIN), "login");
}

void client_ready(struct peer_client *client, const struct harness *harness)
{
    client_open(client, harness);
    must(client_hello(client), "hello");
    must(client_init_token(client), "init token");
    must(client_login(client, CKU_SO, HARNESS_SO_PIN), "login as security officer");
    must(init_pin(client), "init pin");
    must(client_login(client, CKU_USER, HARNESS_USER_PIN), "login");
}

/* ---- objects */

struct wish {
    Qhsm__Attribute items[8];
    Qhsm__Attribute *list[8];
    uint8_t numbers[8][8];
    size_t count;
};

static void wish(struct wish *wish, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    Qhsm__Attribute *item = &wish->items[wish->count];
    qhsm__attribute__init(item);
    item->type = type;
    union {
        const void *in;
        uint8_t *out;
    } ptr = {.in = value};
    item->value = (ProtobufCBinaryData){.data = ptr.out, .len = len};
    wish->list[wish->count++] = item;
}

static void wish_number(struct wish *w, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    uint8_t *storage = w->numbers[w->count];
    memcpy(storage, &value, sizeof value);
    wish(w, type, storage, sizeof value);
}

static void wish_bool(struct wish *w, CK_ATTRIBUTE_TYPE type, bool value)
{
    uint8_t *storage = w->numbers[w->count];
    storage[0] = value;
    wish(w, type, storage, 1);
}

static uint64_t made(struct peer_client *client, Qhsm__Request *request, size_t which,
                     enum rc *out_rc)
{
    request->sequence = 1;
    Qhsm__Response *response = client_call(client, request);
    *out_rc = client_rc(response);
    if (*out_rc != RC_OK || response->body_case != QHSM__RESPONSE__BODY_OBJECT ||
        response->object->n_objects <= which)
        return 0;
    return response->object->objects[which]->handle;
}

uint64_t client_create_data(struct peer_client *client, const char *label, enum rc *out_rc)
{
    struct wish want = {.count = 0};
    wish_number(&want, CKA_CLASS, CKO_DATA);
    wish_bool(&want, CKA_TOKEN, true);
    wish(&want, CKA_LABEL, label, strlen(label));
    wish(&want, CKA_VALUE, "data", 4);
    Qhsm__CreateObjectRequest create = QHSM__CREATE_OBJECT_REQUEST__INIT;
    create.slot = HARNESS_SLOT;
    create.attributes = want.list;
    create.n_attributes = want.count;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CREATE_OBJECT;
    request.create_object = &create;
    return made(client, &request, 0, out_rc);
}

size_t client_find_label(struct peer_client *client, const char *label)
{
    struct wish want = {.count = 0};
    wish(&want, CKA_LABEL, label, strlen(label));
    Qhsm__FindRequest find = QHSM__FIND_REQUEST__INIT;
    find.slot = HARNESS_SLOT;
    find.attributes = want.list;
    find.n_attributes = want.count;
    find.with_facts = true;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FIND;
    request.find = &find;
    Qhsm__Response *response = client_call(client, &request);
    return client_rc(response) == RC_OK ? response->find->n_handles : SIZE_MAX;
}

uint64_t client_generate_aes(struct peer_client *client, bool token_object)
{
    struct wish want = {.count = 0};
    wish_bool(&want, CKA_TOKEN, token_object);
    wish_number(&want, CKA_VALUE_LEN, 32);
    wish_bool(&want, CKA_ENCRYPT, true);
    wish_bool(&want, CKA_DECRYPT, true);
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = CKM_AES_KEY_GEN;
    Qhsm__GenerateKeyRequest generate = QHSM__GENERATE_KEY_REQUEST__INIT;
    generate.slot = HARNESS_SLOT;
    generate.mechanism = &mechanism;
    generate.attributes = want.list;
    generate.n_attributes = want.count;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY;
    request.generate_key = &generate;
    enum rc rc = RC_OK;
    return made(client, &request, 0, &rc);
}

uint64_t client_generate_p256(struct peer_client *client)
{
    static const uint8_t prime256v1[] = {0x06, 0x08, 0x2A, 0x86, 0x48,
                                         0xCE, 0x3D, 0x03, 0x01, 0x07};
    struct wish public_want = {.count = 0};
    struct wish private_want = {.count = 0};
    wish(&public_want, CKA_EC_PARAMS, prime256v1, sizeof prime256v1);
    wish_bool(&public_want, CKA_TOKEN, true);
    wish_bool(&private_want, CKA_TOKEN, true);
    wish_bool(&private_want, CKA_SIGN, true);
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = CKM_EC_KEY_PAIR_GEN;
    Qhsm__GenerateKeyPairRequest generate = QHSM__GENERATE_KEY_PAIR_REQUEST__INIT;
    generate.slot = HARNESS_SLOT;
    generate.mechanism = &mechanism;
    generate.public_attributes = public_want.list;
    generate.n_public_attributes = public_want.count;
    generate.private_attributes = private_want.list;
    generate.n_private_attributes = private_want.count;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY_PAIR;
    request.generate_key_pair = &generate;
    enum rc rc = RC_OK;
    return made(client, &request, 1, &rc);
}

uint64_t client_policy_epoch(struct peer_client *client)
{
    Qhsm__PolicyGetRequest get = QHSM__POLICY_GET_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    get.slot = HARNESS_SLOT;
    request.body_case = QHSM__REQUEST__BODY_POLICY_GET;
    request.policy_get = &get;
    const Qhsm__Response *response = client_call(client, &request);
    return client_rc(response) == RC_OK ? response->policy->epoch : 0;
}

enum rc client_set_policy(struct peer_client *client, uint64_t epoch, uint32_t setting,
                          uint64_t value)
{
    Qhsm__PolicySetRequest set = QHSM__POLICY_SET_REQUEST__INIT;
    Qhsm__PolicySetting change = QHSM__POLICY_SETTING__INIT;
    Qhsm__PolicySetting *list[] = {&change};
    Qhsm__Request request = QHSM__REQUEST__INIT;
    change.setting = setting;
    change.value = value;
    set.epoch = epoch;
    set.n_changes = 1;
    set.changes = list;
    request.body_case = QHSM__REQUEST__BODY_POLICY_SET;
    request.policy_set = &set;
    request.sequence = 1;
    return client_rc(client_call(client, &request));
}
