/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, sample objects and replicas for the suites of the replicated state. */
#include "tests/unit/token/state_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "token/crypto_lib.h"

static void must(enum rc rc, const char *what)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "fixture: %s: %s: %s\n", what, rc_info(rc)->name, rc_detail());
    abort();
}

struct seal_keys *fixture_keys(uint8_t seed)
{
    const uint8_t cluster[16] = {1, 2, 3};
    struct seal_keys *keys = NULL;
    AUTO_SECRET master = SECRET_INIT;
    must(crypto_lib_init(), "crypto_lib_init");
    must(secret_alloc(&master, MASTER_KEY_LEN), "secret_alloc");
    memset(master.ptr, seed, master.len);
    must(seal_keys_new(&master, cluster, &keys), "seal_keys_new");
    return keys;
}

static void set(struct attr_list *list, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    must(attr_list_add(list, type, value), "attr_list_add");
}

static void set_usage(struct attr_list *list)
{
    static const CK_ATTRIBUTE_TYPE yes[] = {CKA_TOKEN,     CKA_ENCRYPT,  CKA_DECRYPT,
                                            CKA_SENSITIVE, CKA_COPYABLE, CKA_MODIFIABLE};
    static const CK_ATTRIBUTE_TYPE no[] = {CKA_EXTRACTABLE, CKA_WRAP, CKA_UNWRAP};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        set(list, yes[i], attr_true());
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        set(list, no[i], attr_false());
}

void sample_record(const struct seal_keys *keys, const struct sample *sample, struct buf *out)
{
    static const uint8_t value[32] = {7, 7, 7};
    uint8_t class[8];
    uint8_t type[8];
    uint8_t len[8];
    char unique[24];
    struct object_parts parts = {
        .version = sample->version, .token = sample->token, .owner = sample->owner};
    memcpy(parts.unique_id, &sample->number, sizeof sample->number);
    (void)snprintf(unique, sizeof unique, "%016llx", (unsigned long long)sample->number);
    struct attr_list *list = &parts.public_attrs;
    set(list, CKA_UNIQUE_ID, bytes_of_str(unique));
    set(list, CKA_PRIVATE, attr_bool(sample->is_private));
    set(list, CKA_CLASS, attr_ulong(class, sample->object_class));
    if (sample->label != NULL)
        set(list, CKA_LABEL, bytes_of_str(sample->label));
    if (sample->object_class != CKO_DATA) {
        set(list, CKA_KEY_TYPE, attr_ulong(type, sample->key_type));
        set(list, CKA_ID, bytes_of_str(sample->id));
        set_usage(list);
    }
    if (sample->object_class == CKO_SECRET_KEY) {
        set(list, CKA_VALUE_LEN, attr_ulong(len, sizeof value));
        set(&parts.secret_attrs, CKA_VALUE, bytes_of(value, sizeof value));
    }
    must(object_build(keys, &parts, out), "object_build");
}

void replica_open(struct replica *replica)
{
    *replica = (struct replica){.keys = fixture_keys(42)};
    replica->head.time_ms = 1000;
    replica->head.application[0] = 9;
    must(state_new(replica->keys, &replica->state), "state_new");
}

void replica_close(struct replica *replica)
{
    state_free(replica->state);
    seal_keys_free(replica->keys);
}

struct effect_result replica_apply(struct replica *replica, const struct buf *effect)
{
    struct effect_result result = {.rc = RC_INTERNAL};
    state_apply(replica->state, ++replica->index, buf_bytes(effect), &result);
    return result;
}

void replica_token(struct replica *replica, uint64_t number)
{
    AUTO_BUF effect = BUF_INIT;
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
    must(effect_token_init(&effect, &replica->head, number, "token", "0123456789abcdef", &so),
         "effect_token_init");
    must(replica_apply(replica, &effect).rc, "token");
}

uint64_t replica_user(struct replica *replica, uint64_t token, const char *name)
{
    AUTO_BUF effect = BUF_INIT;
    struct user_row user = {.role = ROLE_USER, .token = token, .has_pin = true};
    (void)snprintf(user.name, sizeof user.name, "%s", name);
    must(effect_user_put(&effect, &replica->head, &user, 0), "effect_user_put");
    must(replica_apply(replica, &effect).rc, "user");
    must(state_user(replica->state, token, name, &user), "state_user");
    return user.id;
}

struct effect_result replica_try(struct replica *replica, uint64_t user_id, bool right)
{
    AUTO_BUF effect = BUF_INIT;
    struct user_row user;
    must(state_user_by_id(replica->state, user_id, &user), "state_user_by_id");
    must(effect_user_tried(&effect, &replica->head, user_id, user.version, right),
         "effect_user_tried");
    return replica_apply(replica, &effect);
}

uint64_t replica_add(struct replica *replica, const struct sample *sample)
{
    AUTO_BUF effect = BUF_INIT;
    AUTO_BUF record = BUF_INIT;
    sample_record(replica->keys, sample, &record);
    const struct bytes records[] = {buf_bytes(&record)};
    must(effect_objects_add(&effect, &replica->head, sample->token, records, 1),
         "effect_objects_add");
    struct effect_result result = replica_apply(replica, &effect);
    return result.rc == RC_OK ? result.handles[0] : 0;
}

struct effect_result replica_replace(struct replica *replica, uint64_t handle,
                                     const struct sample *sample)
{
    AUTO_BUF effect = BUF_INIT;
    AUTO_BUF record = BUF_INIT;
    sample_record(replica->keys, sample, &record);
    must(effect_object_replace(&effect, &replica->head, handle, buf_bytes(&record)),
         "effect_object_replace");
    return replica_apply(replica, &effect);
}

struct effect_result replica_destroy(struct replica *replica, uint64_t handle)
{
    AUTO_BUF effect = BUF_INIT;
    must(effect_object_destroy(&effect, &replica->head, handle), "effect_object_destroy");
    return replica_apply(replica, &effect);
}

struct effect_result replica_policy(struct replica *replica, uint64_t token,
                                    const struct policy *policy)
{
    AUTO_BUF effect = BUF_INIT;
    must(effect_policy_put(&effect, &replica->head, token, 0, policy), "effect_policy_put");
    return replica_apply(replica, &effect);
}

bool replica_has(const struct replica *replica, uint64_t handle)
{
    AUTO_OBJECT *object = state_object(replica->state, handle);
    return object != NULL;
}

void replica_snapshot(const struct replica *replica, struct buf *out)
{
    struct state_snapshot *snapshot = NULL;
    size_t count = 0;
    must(state_snapshot_take(replica->state, &snapshot), "state_snapshot_take");
    const struct iovec *parts = state_snapshot_parts(snapshot, &count);
    for (size_t i = 0; i < count; i++)
        must(buf_append(out, bytes_of(parts[i].iov_base, parts[i].iov_len)), "buf_append");
    state_snapshot_free(snapshot);
}

bool replica_same_hash(const struct replica *a, const struct replica *b)
{
    uint8_t left[32];
    uint8_t right[32];
    state_hash(a->state, left);
    state_hash(b->state, right);
    return bytes_equal(bytes_of(left, 32), bytes_of(right, 32));
}

bool found_add(struct object *object, void *context)
{
    struct found *found = context;
    size_t max = found->max == 0 ? 256 : found->max;
    found->handles[found->count++] = object->handle;
    return found->count < max;
}

struct found replica_find(const struct replica *replica, uint64_t token, CK_ATTRIBUTE_TYPE type,
                          const char *text)
{
    struct found found = {.count = 0};
    const struct attr wanted = {.type = type, .value = bytes_of_str(text)};
    const struct attrs attrs = {.ptr = &wanted,
                                .count = type == CK_UNAVAILABLE_INFORMATION ? 0 : 1};
    must(state_find(replica->state, token, attrs, true, 0, found_add, &found), "state_find");
    return found;
}
