/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of seals, objects and state share: keys, sample objects, and an HSM's state that
 * is driven effect by effect. */
#ifndef QHSM_TESTS_STATE_FIXTURE_H
#define QHSM_TESTS_STATE_FIXTURE_H

#include "token/state.h"
#include "token/user.h"

/* Keys of a master key made of that byte. Aborts on failure; seal_keys_free() them. */
struct seal_keys *fixture_keys(uint8_t seed);

/* A sample AES key, or with another class a public or data object. */
struct sample {
    uint64_t version;
    uint64_t token;
    uint64_t owner;
    uint64_t number; /* makes the unique id */
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type;
    const char *label; /* NULL: none */
    const char *id;
    bool is_private;
};
#define SAMPLE_AES(n, text)                                                      \
    (struct sample)                                                              \
    {                                                                            \
        .version = 1, .token = 1, .number = (n), .object_class = CKO_SECRET_KEY, \
        .key_type = CKK_AES, .label = (text), .id = (text), .is_private = true   \
    }
/* The record, appended. */
void sample_record(const struct seal_keys *keys, const struct sample *sample, struct buf *out);

/* A state with its log index, clock and request sequence. */
struct replica {
    struct seal_keys *keys;
    struct state *state;
    uint64_t index;
    struct effect_head head;
};
/* Same keys for every replica. */
void replica_open(struct replica *replica);
void replica_close(struct replica *replica);
/* Applies the effect at the next index. */
struct effect_result replica_apply(struct replica *replica, const struct buf *effect);
/* Token `number` with an SO without PIN work. */
void replica_token(struct replica *replica, uint64_t number);
/* A crypto user without PIN work; its id. */
uint64_t replica_user(struct replica *replica, uint64_t token, const char *name);
struct effect_result replica_try(struct replica *replica, uint64_t user_id, bool right);
/* Adds the sample; its handle, or 0 when refused. */
uint64_t replica_add(struct replica *replica, const struct sample *sample);
struct effect_result replica_replace(struct replica *replica, uint64_t handle,
                                     const struct sample *sample);
struct effect_result replica_destroy(struct replica *replica, uint64_t handle);
struct effect_result replica_policy(struct replica *replica, uint64_t token,
                                    const struct policy *policy);
/* Has the object that handle's record? */
bool replica_has(const struct replica *replica, uint64_t handle);
/* The snapshot as one piece. */
void replica_snapshot(const struct replica *replica, struct buf *out);
bool replica_same_hash(const struct replica *a, const struct replica *b);

/* Handles that a search gave, in order. */
struct found {
    uint64_t handles[256];
    size_t count;
    size_t max; /* stop after; 0: at 256 */
};
bool found_add(struct object *object, void *context);
/* A search for one attribute with a text value, or for all when type is CK_UNAVAILABLE_INFORMATION.
 */
struct found replica_find(const struct replica *replica, uint64_t token, CK_ATTRIBUTE_TYPE type,
                          const char *text);

#endif
