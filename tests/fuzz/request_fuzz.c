/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the table of requests, on an HSM in this process: decode, rights, handler, effect,
 * answer. The input is messages with a byte of options and two of length before each. PIN hashing
 * and RSA key generation are left out: they cost a thousand times the rest. */
#include <stdlib.h>
#include <string.h>

#include "cluster/call.h"
#include "cluster/operations.h"
#include "cluster/requests.h"
#include "common/log.h"
#include "token/crypto_lib.h"
#include "token/hsm.h"

#define OPTION_LOGIN   0x01U /* with a good ticket */
#define OPTION_GREETED 0x02U
#define OPTION_NODE    0x04U /* as another HSM */
#define OPTION_FRONT   0x08U /* as a key store's front end */
#define RUNS_MAX       2000U /* then a fresh HSM, so that memory stays bounded */

static const uint8_t cluster[16] = {1, 2, 3};
static struct server_config config;
static struct service service;
static struct call *call;
static struct peer peer;
static struct buf ticket = BUF_INIT;
static unsigned runs;

static void must(enum rc rc)
{
    if (rc != RC_OK)
        abort();
}

static void apply(struct buf *effect, struct effect_result *result)
{
    struct state *state = service.hsm->state;
    state_apply(state, state_applied(state) + 1, buf_bytes(effect), result);
}

static struct caller user_caller(void)
{
    struct caller caller = {.logged_in = true, .now_ms = clock_wall_ms()};
    must(ticket_open(service.hsm->keys, buf_bytes(&ticket), &caller.ticket));
    return caller;
}

static void make_keys(void)
{
    static const uint8_t curve[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    uint8_t storage[8];
    struct caller caller = user_caller();
    struct attr_list aes = {.count = 0};
    struct attr_list ec = {.count = 0};
    struct attr_list token = {.count = 0};
    must(attr_list_add(&aes, CKA_TOKEN, attr_true()));
    must(attr_list_add(&aes, CKA_VALUE_LEN, attr_ulong(storage, 32)));
    must(attr_list_add(&ec, CKA_EC_PARAMS, bytes_of(curve, sizeof curve)));
    must(attr_list_add(&ec, CKA_TOKEN, attr_true()));
    must(attr_list_add(&token, CKA_TOKEN, attr_true()));
    const struct mech_call aes_gen = {.mech = mechanism_find(CKM_AES_KEY_GEN)};
    const struct mech_call ec_gen = {.mech = mechanism_find(CKM_EC_KEY_PAIR_GEN)};
    struct mutation mutation = MUTATION_INIT;
    must(hsm_generate_key(service.hsm, &caller, 1, &aes_gen, attrs_of(&aes), &mutation));
    apply(&mutation.effect, &mutation.result);
    mutation_clear(&mutation);
    mutation = (struct mutation)MUTATION_INIT;
    must(hsm_generate_key_pair(service.hsm, &caller, 1, &ec_gen, attrs_of(&ec), attrs_of(&token),
                               &mutation));
    apply(&mutation.effect, &mutation.result);
    mutation_clear(&mutation);
}

/* A token with a user, without the cost of PINs. */
static void make_token(void)
{
    struct effect_head head = {.time_ms = 1};
    struct effect_result result;
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
    struct user_row user = {
        .role = ROLE_USER, .token = 1, .name = DEFAULT_USER_NAME, .has_pin = true};
    struct token_row token;
    struct buf effect = BUF_INIT;
    must(effect_token_init(&effect, &head, 1, "fuzz", "0123456789abcdef", &so));
    apply(&effect, &result);
    buf_clear(&effect);
    must(effect_user_put(&effect, &head, &user, 0));
    apply(&effect, &result);
    buf_clear(&effect);
    must(state_token(service.hsm->state, 1, &token));
    must(state_user(service.hsm->state, 1, DEFAULT_USER_NAME, &user));
    struct ticket login = {.token = 1,
                           .user_id = user.id,
                           .role = ROLE_USER,
                           .user_version = user.version,
                           .token_epoch = token.epoch,
                           .user = DEFAULT_USER_NAME};
    buf_clear(&ticket);
    must(ticket_seal(service.hsm->keys, &login, &ticket));
    make_keys();
}

static void renew(void)
{
    struct secret master = SECRET_INIT;
    operations_free(service.operations);
    hsm_free(service.hsm);
    peer_clear(&peer, &service);
    must(secret_alloc(&master, MASTER_KEY_LEN));
    must(hsm_new(&master, cluster, 1, &service.hsm));
    secret_clear(&master);
    must(operations_new(16, 64, 1U << 20, &service.operations));
    make_token();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("/dev/null", LOG_LEVEL_ERROR);
    must(config_defaults(server_config_keys, server_config_key_count, &config));
    must(crypto_lib_init());
    must(call_new(&call));
    service.config = &config;
    limits_set(&service.limits, &config);
    renew();
    return 0;
}

/* Generation of RSA keys and of keys from passwords, but not the import of private keys. */
static bool is_slow(void)
{
    switch ((int)call->request->body_case) {
    case QHSM__REQUEST__BODY_GENERATE_KEY_PAIR:
    case QHSM__REQUEST__BODY_GENERATE_KEY:
    case QHSM__REQUEST__BODY_KEYSTORE_CREATE:
    case QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT:
        return true;
    default:
        return false;
    }
}

/* What a worker does, inline. */
static void run(enum call_step step)
{
    if (step == CALL_WAIT)
        step = call_refuse(call, RC_DEADLINE);
    if (step == CALL_RUN)
        step = call_work(call, 0);
    if (step == CALL_POOL && call->row->runs == RUNS_BY_COST && !is_slow())
        step = call_work(call, 0);
    if (step == CALL_PROPOSE) {
        struct effect_result result;
        if (effect_check(buf_bytes(&call->mutation.effect)) != RC_OK)
            abort(); /* a handler must not make what apply() cannot take */
        apply(&call->mutation.effect, &result);
        call_applied(call, RC_OK, &result, state_applied(service.hsm->state));
    }
}

/* What another HSM proposes and is well-formed reaches every state. */
static void apply_proposed(void)
{
    const Qhsm__ProposeRequest *propose = call->request->propose;
    for (size_t i = 0; i < propose->n_effects; i++) {
        struct bytes raw = bytes_of(propose->effects[i].data, propose->effects[i].len);
        struct buf effect = BUF_INIT;
        struct effect_result result;
        if (effect_check(raw) != RC_OK)
            continue;
        must(buf_append(&effect, raw));
        apply(&effect, &result);
        buf_clear(&effect);
    }
}

static void serve(unsigned options, struct bytes message)
{
    struct buf out = BUF_INIT;
    peer.role = (options & OPTION_NODE) != 0    ? TLS_ROLE_NODE
                : (options & OPTION_FRONT) != 0 ? TLS_ROLE_KEYSTORE
                                                : TLS_ROLE_CLIENT;
    memcpy(peer.name, "2", sizeof "2");
    peer.greeted = (options & OPTION_GREETED) != 0;
    if (call_decode(call, &service, &peer, message) == RC_OK) {
        if ((options & OPTION_LOGIN) != 0)
            call->request->ticket = (ProtobufCBinaryData){.data = ticket.ptr, .len = ticket.len};
        run(call_admit(call));
        if (peer.role == TLS_ROLE_NODE && call->request->body_case == QHSM__REQUEST__BODY_PROPOSE)
            apply_proposed();
        if ((options & OPTION_LOGIN) != 0)
            call->request->ticket = (ProtobufCBinaryData){.data = NULL, .len = 0};
    }
    if (call_pack(call, &out) != RC_OK)
        abort();
    buf_clear(&out);
    call_reset(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes input = bytes_of(data, len);
    while (input.len >= 3) {
        unsigned options = input.ptr[0];
        size_t message_len = (size_t)input.ptr[1] << 8 | input.ptr[2];
        struct bytes message = bytes_slice(input, 3, message_len);
        serve(options, message);
        input = bytes_slice(input, 3 + message.len, input.len);
    }
    if (++runs % RUNS_MAX == 0)
        renew();
    return 0;
}
