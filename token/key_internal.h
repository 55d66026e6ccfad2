/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a parsed key, for key*.c and the mechanism families. */
#ifndef QHSM_TOKEN_KEY_INTERNAL_H
#define QHSM_TOKEN_KEY_INTERNAL_H

#include "common/secret.h"
#include "token/key.h"
#include "token/key_curve.h"
#include "token/key_ml_dsa.h"

#define RSA_BITS_MIN 2048U
#define RSA_BITS_MAX 8192U
/* The value of CKA_PUBLIC_EXPONENT where a template has none. */
#define RSA_DEFAULT_EXPONENT 65537UL

/* A context made ready once (initialised, parameters set) and used again by one lane alone. */
struct key_ready {
    uint64_t tag; /* the family's packing of operation and parameters; never 0 */
    void *context;
    void (*release)(void *context);
};

#define KEY_READY_MAX 4U /* a lane and key; the oldest makes room */

/* What one lane holds of a key: touched by that lane's thread only, so without locks. */
struct key_lane {
    EVP_PKEY *pkey; /* own copy: no shared reference count, no shared blinding; NULL if symmetric */
    struct key_ready ready[KEY_READY_MAX];
    unsigned next; /* the slot that is replaced when all are taken */
};

struct key {
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type;
    uint32_t bits;
    uint32_t output_len;
    const struct key_curve *curve;       /* EC, Edwards, Montgomery; else NULL */
    const struct key_ml_dsa_set *ml_dsa; /* ML-DSA; else NULL */
    EVP_PKEY *pkey;                      /* asymmetric keys; else NULL */
    struct secret value;                 /* secret keys: the raw value */
    struct key_lane *lanes[LANES_MAX];
};

/* The lane's part, made at first use; the calling thread's own lane. RC_NO_MEMORY. */
enum rc key_lane(struct key *key, unsigned lane, struct key_lane **out);
/* The lane's ready context of that tag, or NULL: then make one and give it with key_ready_put(). */
void *key_ready_get(const struct key_lane *lane, uint64_t tag);
/* Takes ownership of context. */
void key_ready_put(struct key_lane *lane, uint64_t tag, void *context, void (*release)(void *));
void key_lanes_clear(struct key *key);

/* Fill pkey, curve, bits, output_len of a key whose class and type are set. */
enum rc key_rsa_parse(struct key *key, struct attrs attrs);
enum rc key_ec_parse(struct key *key, struct attrs attrs);
enum rc key_ml_dsa_parse(struct key *key, struct attrs attrs);
void key_ml_dsa_init(struct key *key, const struct key_ml_dsa_set *set); /* all but pkey */
/* The same by CKA_PARAMETER_SET. RC_TEMPLATE_INCOMPLETE, RC_ATTRIBUTE_VALUE. */
enum rc key_ml_dsa_choose(struct key *key, struct attrs attrs);
/* key_parts() of that family. */
enum rc key_rsa_parts(const struct key *key, bool with_private, struct secret *arena,
                      struct attr_list *out);
enum rc key_ec_parts(const struct key *key, bool with_private, struct secret *arena,
                     struct attr_list *out);
enum rc key_ml_dsa_parts(const struct key *key, bool with_private, struct secret *arena,
                         struct attr_list *out);

/* The numbers that a private RSA key may lack, worked out from those that it has (n and d at
 * least): all of PKCS#1's eight, views into `arena`, in `out`. RC_ATTRIBUTE_VALUE. */
enum rc key_rsa_complete(struct attrs attrs, struct secret *arena, struct attr_list *out);

/* The numbers of a private RSA key belong together. RC_ATTRIBUTE_VALUE. */
enum rc key_rsa_check(const struct key *key);

/* The key's own numbers as attributes, views into `arena` and static memory. RSA: CKA_MODULUS to
 * CKA_COEFFICIENT in PKCS#1's order; ML-DSA: CKA_PARAMETER_SET, CKA_SEED if it is known, and
 * CKA_VALUE of the half asked for; else CKA_EC_PARAMS (OID), CKA_EC_POINT (raw) and CKA_VALUE
 * (fixed width). */
enum rc key_parts(const struct key *key, bool with_private, struct secret *arena,
                  struct attr_list *out);
/* Parts as the material of a new object of that class; CKA_EC_PARAMS as `params` unless empty. */
enum rc key_parts_material(const struct key *key, CK_OBJECT_CLASS object_class, struct bytes params,
                           struct material *out);
/* Both halves of a fresh pair as material, when key_pairwise() finds nothing. */
enum rc key_pair_material(const struct key *key, struct bytes params, struct material *out_public,
                          struct material *out_private);
/* Sign and verify, or agree, with a fresh key (FIPS 140-3 10.3.A pairwise consistency).
 * RC_SELF_TEST. */
enum rc key_pairwise(const struct key *key);

#endif
