/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a parsed key, for key*.c and the mechanism families. */
#ifndef QHSM_TOKEN_KEY_INTERNAL_H
#define QHSM_TOKEN_KEY_INTERNAL_H

#include "common/secret.h"
#include "token/key.h"

struct key_curve; /* one row of key_curve.c */

/* A context made ready once (initialised, parameters set) and used again by one lane alone. */
struct key_ready {
    uint64_t tag; /* the family's packing of operation and parameters; never 0 */
    void *context;
    void (*free)(void *context);
};

#define KEY_READY_MAX 4U /* a lane and key; the oldest makes room */

/* What one lane holds of a key: touched by that lane's thread only, so without locks. */
struct key_lane {
    EVP_PKEY *pkey; /* own copy: no shared reference count, no shared blinding lock */
    struct key_ready ready[KEY_READY_MAX];
    unsigned next; /* the slot that is replaced when all are taken */
};

struct key {
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type;
    uint32_t bits;
    uint32_t output_len;
    const struct key_curve *curve; /* EC, Edwards, Montgomery; else NULL */
    EVP_PKEY *pkey;                /* asymmetric keys; else NULL */
    struct secret value;           /* secret keys: the raw value */
    struct key_lane *lanes[LANES_MAX];
};

/* The lane's part, made at first use. RC_NO_MEMORY. */
enum rc key_lane(struct key *key, unsigned lane, struct key_lane **out);
/* The lane's ready context of that tag, or NULL: then make one and give it with key_ready_put(). */
void *key_ready_get(const struct key_lane *lane, uint64_t tag);
/* Takes ownership of context. */
void key_ready_put(struct key_lane *lane, uint64_t tag, void *context, void (*release)(void *));

#endif
