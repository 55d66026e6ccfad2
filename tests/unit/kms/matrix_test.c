/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation on a key in every state and of every spec and usage: the table of operations says
 * what is tried, kms/key_states.def what must come of it. */
#include <stdlib.h>

#include "kms/members.h"
#include "kms/operations.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/unit.h"

enum wanted { DONE_Y, DONE_D, DONE_I, DONE_U };
static const enum wanted wanted_of[STATES_END][KEY_STATE_END] = {
#define KEY_STATES(row, a, b, c, d, e, f, g, h) \
    [STATES_##                                  \
        row] = {DONE_##a, DONE_##b, DONE_##c, DONE_##d, DONE_##e, DONE_##f, DONE_##g, DONE_##h},
#include "kms/key_states.def"
#undef KEY_STATES
};

/* ---- a request that its table lets pass */

static json_t *value_of(const struct member *member, const char *key_id)
{
    char text[128] = "";
    if (strcmp(member->name, "AliasName") == 0)
        return json_string("alias/matrix");
    if (strstr(member->name, "Principal") != NULL)
        return json_string("arn:aws:iam::111122223333:user/ann");
    if (strstr(member->name, "Region") != NULL)
        return json_string("eu-west-1");
    if (member->type == MEMBER_STRING && member->max == 2048)
        return json_string(key_id);
    if (strcmp(member->name, "PendingWindowInDays") == 0)
        return json_integer(7);
    if (strcmp(member->name, "Policy") == 0)
        return json_string("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                           "\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}]}");
    switch (member->type) {
    case MEMBER_STRING:
        memset(text, 'a', member->min > 0 ? (size_t)member->min : 1);
        return json_string(member->choices == NULL ? text : member->choices[0]);
    case MEMBER_BLOB:
        return json_string("YWFh");
    case MEMBER_BOOL:
        return json_false();
    case MEMBER_INT:
        return json_integer(member->min);
    case MEMBER_TIME:
        return json_integer(1800000000);
    case MEMBER_STRINGS:
        return json_pack("[s]", member->choices == NULL ? "a" : member->choices[0]);
    case MEMBER_TAGS:
        return json_pack("[{s:s, s:s}]", "TagKey", "a", "TagValue", "b");
    case MEMBER_MAP:
    case MEMBER_STRUCT:
    default:
        return json_object();
    }
}

/* The first algorithm that the key has, so that what fails is state or usage alone. */
static json_t *algorithm_of(const struct key *key)
{
    json_t *list = key_algorithms(key);
    json_t *first = json_incref(json_array_get(list, 0));
    json_decref(list);
    return first;
}

static json_t *request_of(const struct operation *operation, const struct key *key)
{
    json_t *body = json_object();
    for (size_t i = 0; i < operation->member_count; i++) {
        const struct member *member = &operation->members[i];
        bool is_key =
            operation->key_member != NULL && strcmp(member->name, operation->key_member) == 0;
        if (is_key || strcmp(member->name, "SourceKeyId") == 0)
            json_object_set_new(body, member->name, json_string(key->id));
        else if (strstr(member->name, "EncryptionAlgorithm") != NULL)
            json_object_set_new(body, member->name,
                                key->use == KEYSTORE_ENCRYPT ? algorithm_of(key)
                                                             : json_string("SYMMETRIC_DEFAULT"));
        else if (member->is_required)
            json_object_set_new(body, member->name, value_of(member, key->id));
    }
    if (strcmp(operation->name, "ReEncrypt") == 0 || strcmp(operation->name, "Decrypt") == 0)
        json_object_set_new(body, "CiphertextBlob", json_string("YWFh"));
    return body;
}

/* ---- keys in states */

static void make(enum keystore_spec spec, enum keystore_use use, char out_id[KMS_KEY_ID_MAX + 1])
{
    char body[256];
    (void)snprintf(body, sizeof body, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"%s\"}",
                   keystore_spec(spec)->name, key_usage_name(use));
    world_make_key(body, out_id);
}

/* False: keys do not come into that state by what is stored of them. */
static bool put_into(const char *id, enum key_state state)
{
    struct key *key = world_key(id);
    key->enabled = state != KEY_DISABLED;
    key->deletion_ms = state == KEY_PENDING_DELETION ? world.now_ms + 1000 : 0;
    key->waits_for_replicas = state == KEY_PENDING_REPLICA_DELETION;
    key->updating = state == KEY_UPDATING;
    key->origin = state == KEY_PENDING_IMPORT ? ORIGIN_EXTERNAL : ORIGIN_AWS_KMS;
    key->materials[0].is_present = state != KEY_PENDING_IMPORT && state != KEY_UNAVAILABLE;
    world_put_key(key);
    key = world_key(id);
    bool is_there = key_state(&world.kms, key, world.now_ms) == state;
    key_free(key);
    return is_there;
}

static bool is_state_error(void)
{
    bool is_one = strcmp(world.type, "DisabledException") == 0 ||
                  strcmp(world.type, "KMSInvalidStateException") == 0 ||
                  strcmp(world.type, "KeyUnavailableException") == 0;
    /* "ARN is pending import." is the pipeline's; others say more. */
    return is_one && strncmp(world.text, "arn:aws:kms:", 12) == 0 &&
           strstr(world.text, ":key/") != NULL && strstr(world.text, " is ") != NULL;
}

static bool is_as_wanted(enum wanted wanted)
{
    switch (wanted) {
    case DONE_D:
        return strcmp(world.type, "DisabledException") == 0;
    case DONE_I:
        return strcmp(world.type, "KMSInvalidStateException") == 0;
    case DONE_U:
        return strcmp(world.type, "KeyUnavailableException") == 0;
    case DONE_Y:
    default:
        return !is_state_error();
    }
}

static bool is_tried(const struct operation *operation, const struct key *key)
{
    if (operation->key_member == NULL)
        return false;
    return operation->use == 0 || operation->use == key->use;
}

static void try_one(const struct operation *operation, const char *id, enum key_state state)
{
    CU_ASSERT_TRUE(put_into(id, state));
    struct key *key = world_key(id);
    if (is_tried(operation, key)) {
        json_decref(world_call_json(operation->name, request_of(operation, key)));
        bool is_right = is_as_wanted(wanted_of[operation->states][state]);
        if (!is_right)
            printf("%s on %s %s: %s \"%s\"\n", operation->name, key_state_name(state),
                   keystore_spec(key->spec)->name, world.type, world.text);
        CU_ASSERT_TRUE(is_right);
        CU_ASSERT_PTR_NULL(strstr(world.text, "validation error"));
        CU_ASSERT_STRING_NOT_EQUAL(world.type, "SerializationException");
    }
    key_free(key);
}

static void each_state_of_one(const struct operation *operation, enum keystore_spec spec,
                              enum keystore_use use)
{
    for (int state = KEY_ENABLED; state < KEY_STATE_END; state++) {
        char id[KMS_KEY_ID_MAX + 1];
        world_begin();
        make(spec, use, id);
        try_one(operation, id, (enum key_state)state);
        world_end();
    }
}

static void each_operation_keeps_to_the_table_of_states(void)
{
    const struct operation *operation = NULL;
    const struct keystore_spec_row *spec = NULL;
    for (size_t i = 0; (operation = operation_at(i)) != NULL; i++)
        for (size_t j = 0; (spec = keystore_spec_at(j)) != NULL; j++)
            for (int use = KEYSTORE_ENCRYPT; use <= KEYSTORE_AGREE; use++)
                if (keystore_may_be_for(spec, (enum keystore_use)use))
                    each_state_of_one(operation, spec->spec, (enum keystore_use)use);
}

static void a_key_of_another_usage_is_refused_by_name(void)
{
    const struct operation *operation = NULL;
    const struct keystore_spec_row *spec = NULL;
    for (size_t i = 0; (operation = operation_at(i)) != NULL; i++)
        for (size_t j = 0; operation->use != 0 && (spec = keystore_spec_at(j)) != NULL; j++)
            for (int use = KEYSTORE_ENCRYPT; use <= KEYSTORE_AGREE; use++) {
                char id[KMS_KEY_ID_MAX + 1];
                if (!keystore_may_be_for(spec, (enum keystore_use)use) ||
                    operation->use == (enum keystore_use)use)
                    continue;
                world_begin();
                make(spec->spec, (enum keystore_use)use, id);
                struct key *key = world_key(id);
                json_decref(world_call_json(operation->name, request_of(operation, key)));
                CU_ASSERT_STRING_EQUAL(world.type, "InvalidKeyUsageException");
                CU_ASSERT_PTR_NOT_NULL(strstr(world.text, "which is not valid for"));
                key_free(key);
                world_end();
            }
}

/* A caller without any right gets no further, whatever the key's state. */
static void nobody_learns_a_state_without_rights(void)
{
    const struct operation *operation = NULL;
    for (size_t i = 0; (operation = operation_at(i)) != NULL; i++) {
        char id[KMS_KEY_ID_MAX + 1];
        world_begin();
        make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, id);
        CU_ASSERT_TRUE(put_into(id, KEY_PENDING_DELETION));
        struct key *key = world_key(id);
        world.is_user = true;
        json_decref(world_call_json(operation->name, request_of(operation, key)));
        /* The right to retire a grant is in the grant, and none is named. */
        bool is_right =
            strcmp(world.type, "AccessDeniedException") == 0 || operation->run == op_retire_grant;
        if (!is_right)
            printf("%s: %s \"%s\"\n", operation->name, world.type, world.text);
        CU_ASSERT_TRUE(is_right);
        key_free(key);
        world_end();
    }
}

/* Its own action alone, on all; then every other action. Those with several rights: rights_test.c.
 */
static void each_operation_wants_the_right_of_its_name(void)
{
    const struct operation *operation = NULL;
    for (size_t i = 0; (operation = operation_at(i)) != NULL; i++) {
        char id[KMS_KEY_ID_MAX + 1];
        char statement[256];
        if (operation->rights != NULL)
            continue;
        world_begin();
        make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, id);
        struct key *key = world_key(id);
        for (int has = 0; has < 2; has++) {
            (void)snprintf(statement, sizeof statement,
                           "{\"Effect\":\"Allow\",\"%s\":\"%s\",\"Resource\":\"*\"}",
                           has == 1 ? "Action" : "NotAction", operation->action);
            world_set_policy(statement);
            json_decref(world_call_json(operation->name, request_of(operation, key)));
            bool is_denied = strcmp(world.type, "AccessDeniedException") == 0;
            if (is_denied == (has == 1))
                printf("%s %s %s: %s \"%s\"\n", operation->name, has == 1 ? "with" : "without",
                       operation->action, world.type, world.text);
            CU_ASSERT_NOT_EQUAL(is_denied, has == 1);
        }
        key_free(key);
        world_end();
    }
}

/* ---- keys of another account */

#define OTHERS_KEY "arn:aws:kms:" WORLD_REGION ":" WORLD_ACCOUNT ":"

struct answer {
    unsigned status;
    char type[sizeof world.type];
    char text[sizeof world.text];
    char resources[sizeof world.resources];
};

static void rename_in(char *text, const char *name, const char *as)
{
    for (char *at = text; (at = strstr(at, name)) != NULL; at += strlen(as))
        memcpy(at, as, strlen(as));
}

/* With the name given in the texts written as `as`, of the same length. */
static void ask_with(const struct operation *operation, const json_t *body, const char *member,
                     const char *name, const char *as, struct answer *out)
{
    json_t *copy = json_deep_copy(body);
    json_object_set_new(copy, member, json_string(name));
    json_decref(world_call_json(operation->name, copy));
    rename_in(world.text, name, as);
    rename_in(world.resources, name, as);
    out->status = world.status;
    (void)snprintf(out->type, sizeof out->type, "%s", world.type);
    (void)snprintf(out->text, sizeof out->text, "%s", world.text);
    (void)snprintf(out->resources, sizeof out->resources, "%s", world.resources);
}

static void ask_both(const struct operation *operation, const json_t *body, const char *member,
                     const char *there, const char *gone)
{
    struct answer of_there;
    struct answer of_gone;
    ask_with(operation, body, member, there, there, &of_there);
    ask_with(operation, body, member, gone, there, &of_gone);
    bool is_right = of_there.status == of_gone.status && of_there.status >= 400 &&
                    strcmp(of_there.type, of_gone.type) == 0 &&
                    strcmp(of_there.text, of_gone.text) == 0 &&
                    strcmp(of_there.resources, of_gone.resources) == 0;
    if (!is_right) {
        char *text = json_dumps(body, 0);
        printf("%s with a foreign %s, %s\n there: %s \"%s\" %s\n gone:  %s \"%s\" %s\n",
               operation->name, member, text, of_there.type, of_there.text, of_there.resources,
               of_gone.type, of_gone.text, of_gone.resources);
        free(text);
    }
    CU_ASSERT_TRUE(is_right);
}

/* By id and by alias; as the table wants the request, and with each member left out or added. */
static void ask_in_all_shapes(const struct operation *operation, const char *key_member,
                              const struct key *own, const char *id)
{
    char there[128];
    char gone[128];
    (void)snprintf(there, sizeof there, OTHERS_KEY "key/%s", id);
    (void)snprintf(gone, sizeof gone, OTHERS_KEY "key/11111111%s", id + 8);
    for (size_t i = 0; i < operation->member_count; i++) {
        const struct member *member = &operation->members[i];
        json_t *body = request_of(operation, own);
        if (strcmp(member->name, key_member) != 0 &&
            json_object_del(body, member->name) != 0) /* was not there */
            json_object_set_new(body, member->name, value_of(member, own->id));
        ask_both(operation, body, key_member, there, gone);
        ask_both(operation, body, key_member, OTHERS_KEY "alias/here", OTHERS_KEY "alias/gone");
        json_decref(body);
    }
}

static void ask_as(const struct operation *operation, bool is_user)
{
    char id[KMS_KEY_ID_MAX + 1];
    char own_id[KMS_KEY_ID_MAX + 1];
    world_begin();
    make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, id);
    json_decref(world_call_json(
        "CreateAlias", json_pack("{s:s, s:s}", "AliasName", "alias/here", "TargetKeyId", id)));
    CU_ASSERT_STRING_EQUAL(world.type, "");
    (void)snprintf(world.account, sizeof world.account, WORLD_OTHER);
    make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, own_id);
    struct key *own = world_key(own_id);
    world.is_user = is_user;
    ask_in_all_shapes(operation, operation->key_member, own, id);
    if (operation->run == op_re_encrypt)
        ask_in_all_shapes(operation, "SourceKeyId", own, id);
    key_free(own);
    world_end();
}

static void nobody_learns_whether_another_accounts_key_exists(void)
{
    const struct operation *operation = NULL;
    for (size_t i = 0; (operation = operation_at(i)) != NULL; i++)
        if (operation->key_member != NULL) {
            ask_as(operation, false);
            ask_as(operation, true);
        }
}

static void a_key_of_a_store_that_is_not_connected_is_in_an_invalid_state(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[256];
    world_begin();
    make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, id);
    struct key *key = world_key(id);
    (void)snprintf(key->store_id, sizeof key->store_id, "cks-1234567890abcdef0");
    key->origin = ORIGIN_AWS_CLOUDHSM;
    world_put_key(key);
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"Plaintext\":\"YQ==\"}", id);
    CU_ASSERT_TRUE(world_ends("Encrypt", NULL, body));
    world.is_store_connected = false;
    CU_ASSERT_TRUE(world_ends("Encrypt", "KMSInvalidStateException", body));
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", id);
    CU_ASSERT_TRUE(world_ends("DescribeKey", NULL, body));
    CU_ASSERT_TRUE(world_ends("ScheduleKeyDeletion", NULL, body));
    CU_ASSERT_TRUE(world_ends("CancelKeyDeletion", NULL, body));
    world_end();
}

UNIT_SUITE("kms/matrix", UNIT_CASE(each_operation_keeps_to_the_table_of_states),
           UNIT_CASE(a_key_of_another_usage_is_refused_by_name),
           UNIT_CASE(nobody_learns_a_state_without_rights),
           UNIT_CASE(each_operation_wants_the_right_of_its_name),
           UNIT_CASE(nobody_learns_whether_another_accounts_key_exists),
           UNIT_CASE(a_key_of_a_store_that_is_not_connected_is_in_an_invalid_state));
