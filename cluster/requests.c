/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests. tests/golden/request_rights.txt is its picture. */
#include "cluster/requests.h"

#include "cluster/handlers.h"
#include "common/keystore.h"
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
    {BODY(CLUSTER_INIT), "cluster_init", MAY_ADMIN, LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, false, handlers_cluster_init, NULL},
    {BODY(CLUSTER_STATUS), "cluster_status", MAY_CLIENT, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_SHORT, false, handlers_cluster_status, NULL},
    {BODY(JOIN_TOKEN), "join_token", MAY_ADMIN, LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, false, handlers_cluster_join_token, NULL},
    {BODY(JOIN), "join", MAY(JOINER), LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, false, handlers_cluster_join, NULL},
    {BODY(MEMBER), "member", MAY_ADMIN, LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, false, handlers_cluster_member, NULL},
    {BODY(CERTIFICATE), "certificate", MAY_ADMIN, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_SHORT, false, handlers_cluster_certificate, NULL},
    {BODY(PROPOSE), "propose", MAY(NODE), LOGIN_IGNORED, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_peer_propose, handlers_peer_propose_reply},
    {BODY(READ_INDEX), "read_index", MAY(NODE), LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_peer_read_index, handlers_peer_read_index_reply},
    {BODY(BACKUP_CREATE), "backup_create", MAY_ADMIN, LOGIN_IGNORED, CHANGES_HERE, RUNS_BY_COST, false, handlers_backup_create, NULL},
    {BODY(BACKUP_LIST), "backup_list", MAY_ADMIN, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_SHORT, false, handlers_backup_list, NULL},
    {BODY(BACKUP_VERIFY), "backup_verify", MAY_ADMIN, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_BY_COST, false, handlers_backup_verify, NULL},
    {BODY(BACKUP_RESTORE), "backup_restore", MAY_ADMIN, LOGIN_IGNORED, CHANGES_STATE, RUNS_BY_COST, false, handlers_backup_restore, NULL},
    {BODY(RESTORE_STATUS), "restore_status", MAY_ADMIN, LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_backup_restore_status, NULL},
    {BODY(CHAOS), "chaos", MAY_ADMIN, LOGIN_IGNORED, CHANGES_HERE, RUNS_SHORT, false, handlers_chaos, NULL},
    {BODY(POSITION), "position", MAY(NODE), LOGIN_IGNORED, CHANGES_NOTHING, RUNS_SHORT, false, handlers_peer_position, NULL},
    {BODY(KEYSTORE_CONNECT), "keystore_connect", MAY(KEYSTORE), LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, true, handlers_keystore_connect, handlers_keystore_connect_reply},
    {BODY(KEYSTORE_ROTATE), "keystore_rotate", MAY(KEYSTORE), LOGIN_IGNORED, CHANGES_STATE, RUNS_SHORT, true, handlers_keystore_rotate, NULL},
    {BODY(KEYSTORE_CREATE), "keystore_create", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_STATE, RUNS_BY_COST, false, handlers_keystore_create, handlers_keystore_key_reply},
    {BODY(KEYSTORE_FIND), "keystore_find", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_find, NULL},
    {BODY(KEYSTORE_DELETE), "keystore_delete", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_keystore_delete, NULL},
    {BODY(KEYSTORE_ENCRYPT), "keystore_encrypt", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_BY_COST, false, handlers_keystore_encrypt, NULL},
    {BODY(KEYSTORE_DECRYPT), "keystore_decrypt", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_decrypt, NULL},
    {BODY(KEYSTORE_REENCRYPT), "keystore_reencrypt", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_reencrypt, NULL},
    {BODY(KEYSTORE_SIGN), "keystore_sign", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_sign, NULL},
    {BODY(KEYSTORE_VERIFY), "keystore_verify", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_verify, NULL},
    {BODY(KEYSTORE_AGREE), "keystore_agree", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_agree, NULL},
    {BODY(KEYSTORE_IMPORT), "keystore_import", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_STATE, RUNS_BY_COST, false, handlers_keystore_import, handlers_keystore_key_reply},
    {BODY(KEYSTORE_RANDOM), "keystore_random", MAY(KEYSTORE), LOGIN_IGNORED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_random, NULL},
    {BODY(KEYSTORE_HEALTH), "keystore_health", MAY(KEYSTORE), LOGIN_IGNORED, CHANGES_NOTHING, RUNS_SHORT, false, handlers_keystore_health, NULL},
    {BODY(KEYSTORE_DOCUMENTS), "keystore_documents", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_NOTHING, RUNS_ON_WORKER, false, handlers_keystore_documents, NULL},
    {BODY(KEYSTORE_CHANGE), "keystore_change", MAY(KEYSTORE), LOGIN_NEEDED, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_keystore_change, NULL},
    {BODY(KEYSTORE_RELEASE), "keystore_release", MAY_ADMIN, LOGIN_IGNORED, CHANGES_STATE, RUNS_ON_WORKER, false, handlers_keystore_release, handlers_keystore_release_reply},
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

static bool is_rsa(uint32_t spec)
{
    const struct keystore_spec_row *row = keystore_spec(spec);
    return row != NULL && row->kind == KEYSTORE_RSA;
}

/* Private keys are checked for milliseconds. */
static bool is_pair(uint32_t spec)
{
    const struct keystore_spec_row *row = keystore_spec(spec);
    return row != NULL && row->kind != KEYSTORE_AES && row->kind != KEYSTORE_HMAC;
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
    if (request->body_case == BODY(KEYSTORE_ENCRYPT))
        return is_rsa(request->keystore_encrypt->pair_spec);
    if (request->body_case == BODY(KEYSTORE_CREATE))
        return is_rsa(request->keystore_create->spec);
    if (request->body_case == BODY(KEYSTORE_IMPORT))
        return is_pair(request->keystore_import->spec);
    return request->body_case == BODY(BACKUP_CREATE) || request->body_case == BODY(BACKUP_VERIFY) ||
           request->body_case == BODY(BACKUP_RESTORE);
}

/* ---- what it is to the cluster */

/* What goes on here, or speaks of this HSM. */
bool request_may_move(const struct request_row *row)
{
    switch ((int)row->body) {
    case BODY(HELLO):
    case BODY(LOGOUT):
    case BODY(OPERATION_UPDATE):
    case BODY(OPERATION_FINAL):
    case BODY(OPERATION_ABORT):
    case BODY(STATUS):
    case BODY(CLUSTER_STATUS):
        return false;
    default:
        return (row->may & (MAY(CLIENT) | MAY(KEYSTORE))) != 0;
    }
}

bool request_needs_majority(const struct request_row *row)
{
    return row->changes == CHANGES_STATE && (row->may & (MAY_CLIENT | MAY(KEYSTORE))) != 0;
}

static bool is_token_template(Qhsm__Attribute *const *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (attributes[i]->type == CKA_TOKEN)
            return attributes[i]->value.len != 1 || attributes[i]->value.data[0] != CK_FALSE;
    return false;
}

static bool is_session_handle(uint64_t handle)
{
    return (handle & SESSION_HANDLE_BIT) != 0;
}

/* A copy is what its source is, unless the template says otherwise. */
static bool copies_to_session(const Qhsm__CopyObjectRequest *copy)
{
    for (size_t i = 0; i < copy->n_attributes; i++)
        if (copy->attributes[i]->type == CKA_TOKEN)
            return !is_token_template(copy->attributes, copy->n_attributes);
    return is_session_handle(copy->handle);
}

#define OF_SESSION(request) (!is_token_template((request)->attributes, (request)->n_attributes))

/* Objects that live in a session alone. */
static bool is_of_session(const Qhsm__Request *request)
{
    const Qhsm__GenerateKeyPairRequest *pair = request->generate_key_pair;
    switch ((int)request->body_case) {
    case BODY(CREATE_OBJECT):
        return OF_SESSION(request->create_object);
    case BODY(GENERATE_KEY):
        return OF_SESSION(request->generate_key);
    case BODY(GENERATE_KEY_PAIR):
        return !is_token_template(pair->public_attributes, pair->n_public_attributes) &&
               !is_token_template(pair->private_attributes, pair->n_private_attributes);
    case BODY(UNWRAP):
        return OF_SESSION(request->unwrap);
    case BODY(DERIVE):
        return OF_SESSION(request->derive);
    case BODY(COPY_OBJECT):
        return copies_to_session(request->copy_object);
    case BODY(DESTROY_OBJECT):
        return is_session_handle(request->destroy_object->handle);
    case BODY(SET_ATTRIBUTES):
        return is_session_handle(request->set_attributes->handle);
    default:
        return false;
    }
}

bool request_uses_keys(const Qhsm__Request *request)
{
    switch ((int)request->body_case) {
    case BODY(GET_ATTRIBUTES):
    case BODY(FIND):
    case BODY(FACTS):
    case BODY(RESTORE_OBJECT):
    case BODY(WRAP):
    case BODY(CRYPT):
    case BODY(OPERATION_BEGIN):
    case BODY(OPERATION_UPDATE):
    case BODY(OPERATION_FINAL):
    case BODY(KEYSTORE_FIND):
    case BODY(KEYSTORE_ENCRYPT):
    case BODY(KEYSTORE_DECRYPT):
    case BODY(KEYSTORE_REENCRYPT):
    case BODY(KEYSTORE_SIGN):
    case BODY(KEYSTORE_VERIFY):
    case BODY(KEYSTORE_AGREE):
    case BODY(KEYSTORE_DOCUMENTS):
        return true;
    default:
        return is_of_session(request);
    }
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
                 {MAY(KEYSTORE), TLS_ROLE_KEYSTORE},
                 {MAY(JOINER), TLS_ROLE_JOINER}};
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
