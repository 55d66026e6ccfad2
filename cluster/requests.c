/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests. tests/golden/request_rights.txt is its picture. */
#include "cluster/requests.h"

#include "cluster/handlers.h"
#include "rpc/codec.h"

#define BODY(name) QHSM__REQUEST__BODY_##name

static const struct request_row rows[] = {
    /* clang-format off */
    {BODY(HELLO), "hello", MAY_ANY, LOGIN_IGNORED, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_token_hello, NULL},
    {BODY(SLOTS), "slots", MAY_CLIENT, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_token_slots, NULL},
    {BODY(INIT_TOKEN), "init_token", MAY_CLIENT, LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, true, handlers_token_init, handlers_token_init_reply},
    {BODY(INIT_PIN), "init_pin", MAY_CLIENT, LOGIN_SO, CHANGES_STATE, RUNS_SHORT, false, handlers_token_init_pin, NULL},
    {BODY(SET_PIN), "set_pin", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_SHORT, true, handlers_token_set_pin, NULL},
    {BODY(LOGIN), "login", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_SHORT, true, handlers_token_login, handlers_token_login_reply},
    {BODY(LOGOUT), "logout", MAY_CLIENT, LOGIN_NEEDED, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_token_logout, NULL},
    {BODY(CREATE_OBJECT), "create_object", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_BY_COST, false, handlers_object_create, handlers_object_reply},
    {BODY(COPY_OBJECT), "copy_object", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_object_copy, handlers_object_reply},
    {BODY(DESTROY_OBJECT), "destroy_object", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_object_destroy, NULL},
    {BODY(SET_ATTRIBUTES), "set_attributes", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_object_set, handlers_object_set_reply},
    {BODY(GET_ATTRIBUTES), "get_attributes", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_object_get, NULL},
    {BODY(FIND), "find", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_object_find, NULL},
    {BODY(FACTS), "facts", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_object_facts, NULL},
    {BODY(RESTORE_OBJECT), "restore_object", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_object_restore, NULL},
    {BODY(GENERATE_KEY), "generate_key", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_BY_COST, false, handlers_key_generate, handlers_object_reply},
    {BODY(GENERATE_KEY_PAIR), "generate_key_pair", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_BY_COST, false, handlers_key_generate_pair, handlers_object_reply},
    {BODY(WRAP), "wrap", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_key_wrap, NULL},
    {BODY(UNWRAP), "unwrap", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_BY_COST, false, handlers_key_unwrap, handlers_object_reply},
    {BODY(DERIVE), "derive", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_key_derive, handlers_object_reply},
    {BODY(CRYPT), "crypt", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_crypt_once, NULL},
    {BODY(OPERATION_BEGIN), "operation_begin", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_crypt_begin, NULL},
    {BODY(OPERATION_UPDATE), "operation_update", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_crypt_update, NULL},
    {BODY(OPERATION_FINAL), "operation_final", MAY_CLIENT, LOGIN_OPTIONAL, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_crypt_final, NULL},
    {BODY(OPERATION_ABORT), "operation_abort", MAY_CLIENT, LOGIN_IGNORED, CHANGES_HERE, RUNS_ON_WORKER, false, handlers_crypt_abort, NULL},
    {BODY(RANDOM), "random", MAY_CLIENT, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_crypt_random, NULL},
    {BODY(SEED), "seed", MAY_CLIENT, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_crypt_seed, NULL},
    {BODY(USER_LIST), "user_list", MAY_CLIENT, LOGIN_OR_ADMIN, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_admin_user_list, NULL},
    {BODY(USER_CREATE), "user_create", MAY_CLIENT, LOGIN_SO, CHANGES_STATE, RUNS_SHORT, false, handlers_admin_user_create, NULL},
    {BODY(USER_CHANGE), "user_change", MAY_CLIENT, LOGIN_SO, CHANGES_STATE, RUNS_SHORT, false, handlers_admin_user_change, NULL},
    {BODY(STATUS), "status", MAY_ANY, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_admin_status, NULL},
    {BODY(POLICY_GET), "policy_get", MAY_CLIENT, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_policy_get, NULL},
    {BODY(POLICY_SET), "policy_set", MAY_CLIENT, LOGIN_SO, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_policy_set, handlers_policy_set_reply},
    /* clang-format on */
};

size_t request_count(void)
{
    return sizeof rows / sizeof rows[0];
}

const struct request_row *request_at(size_t index)
{
    return &rows[index];
}

/* The rows stand in the order of the body's numbers (a test holds them to it). */
const struct request_row *request_find(Qhsm__Request__BodyCase body)
{
    size_t index = (size_t)body - (size_t)BODY(HELLO);
    return body >= BODY(HELLO) && index < request_count() ? &rows[index] : NULL;
}

static bool is_private_key(Qhsm__Attribute *const *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CK_ULONG value = 0;
        struct bytes raw = handlers_bytes(attributes[i]->value);
        if (attributes[i]->type == CKA_CLASS && attr_value_ulong(raw, &value))
            return value == CKO_PRIVATE_KEY;
    }
    return false;
}

static bool is_family(const Qhsm__Mechanism *pb, enum mech_family family)
{
    const struct mechanism *mech = pb == NULL ? NULL : mechanism_find(pb->type);
    return mech != NULL && mech->family == family;
}

bool request_is_costly(const Qhsm__Request *request)
{
    if (request->body_case == BODY(GENERATE_KEY_PAIR))
        return is_family(request->generate_key_pair->mechanism, FAMILY_RSA_GEN);
    if (request->body_case == BODY(GENERATE_KEY))
        return is_family(request->generate_key->mechanism, FAMILY_PBKDF2);
    if (request->body_case == BODY(CREATE_OBJECT))
        return is_private_key(request->create_object->attributes,
                              request->create_object->n_attributes);
    if (request->body_case == BODY(UNWRAP))
        return is_private_key(request->unwrap->attributes, request->unwrap->n_attributes);
    return false;
}

/* ---- the golden line */

static enum rc describe_roles(unsigned may, struct buf *out)
{
    static const struct {
        unsigned bit;
        enum tls_role role;
    } names[] = {{MAY(CLIENT), TLS_ROLE_CLIENT},
                 {MAY(ADMIN), TLS_ROLE_ADMIN},
                 {MAY(NODE), TLS_ROLE_NODE},
                 {MAY(KEYSTORE), TLS_ROLE_KEYSTORE}};
    const char *comma = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((may & names[i].bit) == 0)
            continue;
        TRY(buf_printf(out, "%s%s", comma, tls_role_name(names[i].role)));
        comma = ",";
    }
    return RC_OK;
}

enum rc request_describe(const struct request_row *row, struct buf *out)
{
    static const char *const logins[] = {[LOGIN_IGNORED] = "none",
                                         [LOGIN_OPTIONAL] = "optional",
                                         [LOGIN_NEEDED] = "login",
                                         [LOGIN_SO] = "so",
                                         [LOGIN_OR_ADMIN] = "login-or-admin"};
    static const char *const changes[] = {
        [CHANGES_NOTHING] = "nothing", [CHANGES_HERE] = "here", [CHANGES_STATE] = "proposes"};
    static const char *const places[] = {
        [RUNS_ON_WORKER] = "worker", [RUNS_SHORT] = "pool", [RUNS_BY_COST] = "by-cost"};
    TRY(buf_printf(out, "%s roles=", row->name));
    TRY(describe_roles(row->may, out));
    return buf_printf(out, " login=%s changes=%s runs=%s%s\n", logins[row->login],
                      changes[row->changes], places[row->runs],
                      row->serial ? " one-at-a-time" : "");
}
