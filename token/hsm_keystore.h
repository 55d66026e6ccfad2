/* SPDX-License-Identifier: Apache-2.0 */
/* A key store's keys: ordinary objects of the caller's token, made and used by the rows of
 * common/keystore.def. Thin over hsm.h, whose rights, law and mechanisms decide. */
#ifndef QHSM_TOKEN_HSM_KEYSTORE_H
#define QHSM_TOKEN_HSM_KEYSTORE_H

#include "common/keystore.h"
#include "token/hsm.h"

#define KEYSTORE_MATERIAL_LEN 32U

struct hsm_keystore_wanted {
    uint32_t spec; /* enum keystore_spec */
    uint32_t use;  /* enum keystore_use */
    struct bytes label;
    struct bytes id;
};
/* Token objects, private, sensitive, not extractable, good for that use and its algorithms alone. A
 * pair's public half has the first handle. RC_BAD_ARGUMENT for a spec that has no such use. POOL
 * for RSA. */
enum rc hsm_keystore_create(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_wanted *wanted, struct mutation *out);

struct hsm_keystore_import {
    uint64_t wrapping;
    uint32_t algorithm; /* enum keystore_algorithm */
    struct bytes wrapped;
    struct bytes material; /* empty, or what the value's must be: RC_CONFLICT */
};
/* A secret key's value, or a private key in PKCS#8, whose public half is made too. RC_WRAPPED_KEY
 * for what does not open or is not of that spec. POOL for private keys. */
enum rc hsm_keystore_import(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_import *import,
                            const struct hsm_keystore_wanted *wanted, struct mutation *out);
/* With its public half. */
enum rc hsm_keystore_delete(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            struct mutation *out);

/* What a key store says of a secret or private key. Label and id are views into the object. */
struct hsm_keystore_facts {
    uint32_t spec, use; /* 0: none of ours */
    struct bytes label;
    struct bytes id;
    struct buf public_der; /* SubjectPublicKeyInfo; empty of a secret key */
    uint8_t material[KEYSTORE_MATERIAL_LEN];
};
enum rc hsm_keystore_facts(struct hsm *hsm, struct object *object, struct hsm_keystore_facts *out);
/* The public half of a private key, by its place or its id; a public key is its own.
 * RC_OBJECT_HANDLE. */
enum rc hsm_keystore_public(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            uint64_t *out);
/* SHA-256 of the public key, or HMAC-SHA-256 under the secret value: equal for equal values only.
 * `key` is parsed. */
struct key;
enum rc hsm_keystore_material(const struct key *key, uint8_t out[KEYSTORE_MATERIAL_LEN]);

/* The row's mechanism with its parameter. `aad` is a view, and GCM's alone. */
enum rc hsm_keystore_call(const struct keystore_algorithm_row *algorithm, struct bytes aad,
                          struct mech_call *out);

/* One use of a key. Outputs are appended; `scratch` is room to reuse, wiped afterwards. */
struct hsm_keystore_work {
    uint64_t key; /* the private one of a pair */
    uint32_t algorithm;
    struct bytes aad;
    struct bytes data;
    bool is_digest;         /* to sign and verify */
    struct bytes signature; /* to verify; ECDSA's in DER */
};
/* GCM: IV of 12 bytes, text, tag of 16. RC_OBJECT_HANDLE when the key is gone. */
enum rc hsm_keystore_encrypt(struct hsm *hsm, const struct caller *caller,
                             const struct hsm_keystore_work *work, struct buf *scratch,
                             struct buf *out);
/* RC_ENCRYPTED_DATA for whatever does not open. */
enum rc hsm_keystore_decrypt(struct hsm *hsm, const struct caller *caller,
                             const struct hsm_keystore_work *work, struct buf *scratch,
                             struct buf *out);
/* Also MACs. */
enum rc hsm_keystore_sign(struct hsm *hsm, const struct caller *caller,
                          const struct hsm_keystore_work *work, struct buf *scratch,
                          struct buf *out);
/* RC_SIGNATURE_INVALID, RC_SIGNATURE_LEN. */
enum rc hsm_keystore_verify(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_work *work, struct buf *scratch);
/* ECDH's x coordinate with the public key of that SubjectPublicKeyInfo. RC_PUBLIC_KEY. */
enum rc hsm_keystore_agree(struct hsm *hsm, const struct caller *caller, uint64_t key,
                           struct bytes peer_der, struct secret *out);
/* A fresh pair of that spec, never an object: private key in PKCS#8, public key. POOL for RSA. */
enum rc hsm_keystore_pair(struct hsm *hsm, const struct caller *caller, uint32_t spec,
                          struct secret *out_private, struct buf *out_public);

#endif
