/* SPDX-License-Identifier: Apache-2.0 */
/* Beside fake_world.h, for operations that use keys: backing keys in this process. Symmetric ones
 * encrypt in earnest, the others only look like it; what was asked of them is kept. */
#ifndef QHSM_TESTS_KMS_SOFT_HSM_H
#define QHSM_TESTS_KMS_SOFT_HSM_H

#include <jansson.h>

#include "kms/hsm_client.h"

struct soft_hsm {
    uint64_t next_handle;
    unsigned uses;             /* of keys */
    unsigned moved_inside;     /* re-encryptions */
    unsigned created, deleted; /* backing keys */
    uint64_t last_deleted;
    struct hsm_sign sign; /* the last one asked for; its data is: */
    uint8_t data[8192];
};
extern struct soft_hsm soft_hsm;
void soft_hsm_begin(void); /* after world_begin() */

/* Words for tests: members as json_pack() has them, `error` NULL for success. */
json_t *soft_call(const char *operation, json_t *in);
bool soft_ends(const char *operation, const char *error, json_t *in);
/* A string member of an answer, copied; "" when absent. */
void soft_text(const json_t *out, const char *member, char *text, size_t room);
/* The text as a blob member: base64, borrowed until the next call. */
const char *soft_blob(const char *text);
void soft_new_key(const char *spec, const char *usage, char out_id[65]);

#endif
