/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for the suites of keys and asymmetric mechanisms. */
#ifndef QHSM_TESTS_KEY_FIXTURE_H
#define QHSM_TESTS_KEY_FIXTURE_H

#include "token/mech.h"

struct key_pair {
    struct key *public_key;
    struct key *private_key;
    struct material public_material;
    struct material private_material;
};

/* DER OIDs of the curves by their PKCS#11 names. */
struct bytes fixture_curve(const char *name);
/* Generates through the mechanism of that name and parses both halves; a failure fails the case. */
void fixture_pair(const char *mechanism, struct attrs wanted, struct key_pair *out);
void fixture_rsa(struct key_pair *out); /* 2048 bits */
void fixture_curve_pair(const char *curve, struct key_pair *out);
void fixture_ml_dsa(CK_ULONG set, struct key_pair *out); /* where libcrypto has it */
void fixture_pair_clear(struct key_pair *pair);

/* Both halves of a material in one list of views. */
void fixture_attrs(const struct material *material, struct attr_list *out);
/* The key of a material, NULL (and a failed case) when it does not parse. */
struct key *fixture_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type,
                          const struct material *material);

struct mech_call fixture_call(const char *mechanism);
/* mech_crypt() on lane 0 without prehash and IV; out may be NULL to verify. */
enum rc fixture_crypt(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out);

#endif
