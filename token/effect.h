/* SPDX-License-Identifier: Apache-2.0 */
/* An effect taken apart: what state_apply() works on. */
#ifndef QHSM_TOKEN_EFFECT_H
#define QHSM_TOKEN_EFFECT_H

#include "token/state.h"

enum effect_kind { /* numbers are in the log: never reused */
                   EFFECT_TOKEN_INIT = 1,
                   EFFECT_USER_PUT = 2,
                   EFFECT_USER_DELETE = 3,
                   EFFECT_USER_TRIED = 4,
                   EFFECT_POLICY_PUT = 5,
                   EFFECT_OBJECTS_ADD = 6,
                   EFFECT_OBJECT_REPLACE = 7,
                   EFFECT_OBJECT_DESTROY = 8,
                   EFFECT_KIND_END,
};

struct effect {
    enum effect_kind kind;
    struct effect_head head;
    uint64_t token;
    char label[TOKEN_LABEL_MAX + 1];
    char serial[17];
    char name[USER_NAME_MAX + 1];
    struct user_row user;
    uint64_t user_id;
    uint64_t expected_version; /* of the user; of a policy: the token's epoch */
    bool right;
    struct policy policy;
    uint64_t handle;
    struct object *objects[EFFECT_HANDLES_MAX]; /* handle 0 until applied */
    size_t object_count;
};

/* RC_PROTOCOL when malformed, RC_NO_MEMORY. effect_clear() the result. */
enum rc effect_decode(struct bytes input, struct effect *out);
void effect_clear(struct effect *effect);
static inline void effect_auto_clear(struct effect *effect)
{
    effect_clear(effect);
}
#define AUTO_EFFECT __attribute__((cleanup(effect_auto_clear))) struct effect

#endif
