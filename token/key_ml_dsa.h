/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter sets of ML-DSA: numbers, OIDs, sizes. */
#ifndef QHSM_TOKEN_KEY_ML_DSA_H
#define QHSM_TOKEN_KEY_ML_DSA_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/cryptoki.h"

#define ML_DSA_SEED_LEN      32U   /* FIPS 204 5.1 */
#define ML_DSA_PRIVATE_MAX   4896U /* ML-DSA-87 */
#define ML_DSA_SIGNATURE_MAX 4627U

struct key_ml_dsa_set {
    const char *name; /* libcrypto's */
    /* FIPS 204, table 2, bytes */
    uint32_t public_len;
    uint32_t private_len;
    uint32_t signature_len;
    uint32_t strength;   /* FIPS 204, table 1: the category's, as SP 800-57 part 1 counts */
    struct bytes oid;    /* DER, with tag; RFC 9881 2 */
    struct bytes number; /* CKA_PARAMETER_SET in canonical form */
};

/* By CKA_PARAMETER_SET; NULL when there is none. */
const struct key_ml_dsa_set *key_ml_dsa_set(CK_ULONG number);
/* By the bits of the public key, an object's size; NULL when there is none. */
const struct key_ml_dsa_set *key_ml_dsa_by_bits(uint32_t bits);
/* By an AlgorithmIdentifier's content; NULL when unknown. */
const struct key_ml_dsa_set *key_ml_dsa_by_oid(struct bytes oid);

#endif
