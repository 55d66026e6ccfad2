/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's table of key specs and algorithms (keystore.def), which daemon and KMS front end
 * share. */
#ifndef QHSM_COMMON_KEYSTORE_H
#define QHSM_COMMON_KEYSTORE_H

#include "common/mechanism.h"

enum keystore_kind {
    KEYSTORE_AES,
    KEYSTORE_RSA,
    KEYSTORE_EC,
    KEYSTORE_EDWARDS,
    KEYSTORE_HMAC,
    KEYSTORE_ML_DSA,
};

/* What a backing key is for; a key has one use. On the wire. */
enum keystore_use {
    KEYSTORE_ENCRYPT = 1,
    KEYSTORE_SIGN = 2,
    KEYSTORE_MAC = 3,
    KEYSTORE_AGREE = 4,
    KEYSTORE_UNWRAP = 5, /* the key of an import */
    KEYSTORE_USE_END,
};

enum keystore_spec {
#define SPEC(symbol, number, name, kind, bits, curve, pair) KEYSTORE_SPEC_##symbol = (number),
#include "common/keystore.def"
#undef SPEC
};

struct keystore_spec_row {
    enum keystore_spec spec;
    const char *name; /* AWS KMS's KeySpec */
    enum keystore_kind kind;
    unsigned bits;     /* of modulus, field, key, or ML-DSA's public key */
    const char *curve; /* libcrypto's and ours: "P-256"; "" */
    bool data_key_pair;
};

enum keystore_algorithm_kind {
    KEYSTORE_ALG_GCM,
    KEYSTORE_ALG_OAEP,
    KEYSTORE_ALG_PSS, /* salt as long as the digest */
    KEYSTORE_ALG_PKCS1,
    KEYSTORE_ALG_ECDSA, /* signature in DER on this border */
    KEYSTORE_ALG_EDDSA,
    KEYSTORE_ALG_EDDSA_PH,
    KEYSTORE_ALG_HMAC,
    KEYSTORE_ALG_ECDH,
    KEYSTORE_ALG_WRAP_OAEP,    /* the value itself, encrypted */
    KEYSTORE_ALG_WRAP_RSA_AES, /* CKM_RSA_AES_KEY_WRAP: OAEP(AES-256) || AES-KWP(value) */
    KEYSTORE_ALG_ML_DSA,       /* its digest is the message representative mu, of 64 bytes */
};

enum keystore_algorithm {
#define ALGORITHM(symbol, number, name, kind, digest, use) KEYSTORE_##symbol = (number),
#include "common/keystore.def"
#undef ALGORITHM
};

struct keystore_algorithm_row {
    enum keystore_algorithm algorithm;
    const char *name; /* AWS KMS's */
    enum keystore_algorithm_kind kind;
    enum digest_id digest;
    enum keystore_use use;
};

/* NULL when there is none. */
const struct keystore_spec_row *keystore_spec(uint32_t number);
const struct keystore_spec_row *keystore_spec_by_name(const char *name);
const struct keystore_algorithm_row *keystore_algorithm(uint32_t number);
/* Names are unique within a use. */
const struct keystore_algorithm_row *keystore_algorithm_by_name(enum keystore_use use,
                                                                const char *name);
/* In the order of the table; NULL after the last. */
const struct keystore_spec_row *keystore_spec_at(size_t index);
const struct keystore_algorithm_row *keystore_algorithm_at(size_t index);
/* May a key of that spec be used so? By kind, and ECDSA's and HMAC's digest by size. */
bool keystore_goes_with(const struct keystore_spec_row *spec,
                        const struct keystore_algorithm_row *algorithm);
/* May a key of that spec have that use at all? */
bool keystore_may_be_for(const struct keystore_spec_row *spec, enum keystore_use use);

#endif
