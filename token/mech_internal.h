/* SPDX-License-Identifier: Apache-2.0 */
/* Between mech.c and the families: the methods of a family, and what they are given. */
#ifndef QHSM_TOKEN_MECH_INTERNAL_H
#define QHSM_TOKEN_MECH_INTERNAL_H

#include "common/crypt.h"
#include "token/key_internal.h"
#include "token/mech.h"

/* One one-shot use of a key, as mech_crypt() was asked. */
struct mech_work {
    const struct mech_call *call;
    enum crypt_op op;
    struct key *key;
    unsigned lane;
    bool prehashed;
    struct bytes data;
    struct bytes signature; /* CRYPT_VERIFY */
    struct buf *out_iv;     /* never NULL */
};

/* A multi-part operation in progress; the family keeps its state in `state`. */
struct operation {
    const struct mech_methods *methods;
    enum crypt_op op;
    const struct mechanism *mech;
    struct key *key;     /* borrowed of the object held, or of whoever called operation_begin() */
    struct object *held; /* NULL, or a reference */
    size_t hold_max;
    size_t held_len; /* memory of what it has gathered */
    bool over;       /* after final or an error nothing more may come */
    void *state;
    void (*state_free)(void *state); /* NULL when there is none */
};

/* Every method defaults to RC_MECHANISM when NULL (check: to no further check). mech.c has compared
 * key type and size with the mechanism's row before any of them runs, and called check() before
 * crypt(), begin(), wrap(), unwrap() and derive(). Outputs are appended. */
struct mech_methods {
    /* Rows whose key type is not one: which types fit. Runs before the size is compared. */
    enum rc (*check_type)(const struct mechanism *mech, const struct key *key);
    enum rc (*check)(const struct mech_call *call, enum crypt_op op, const struct key *key);
    enum rc (*crypt)(const struct mech_work *work, struct buf *out);
    enum rc (*begin)(const struct mech_call *call, struct buf *out_iv, struct operation *operation);
    enum rc (*update)(struct operation *operation, struct bytes data, struct buf *out);
    enum rc (*final)(struct operation *operation, struct bytes data, struct bytes signature,
                     struct buf *out);
    enum rc (*generate)(const struct mech_call *call, struct attrs wanted, struct material *out);
    enum rc (*generate_pair)(const struct mech_call *call, struct attrs wanted_public,
                             struct attrs wanted_private, struct material *out_public,
                             struct material *out_private);
    enum rc (*wrap)(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out);
    enum rc (*unwrap)(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain);
    enum rc (*derive)(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out);
};

extern const struct mech_methods mech_digest;
extern const struct mech_methods mech_rsa_gen;
extern const struct mech_methods mech_rsa_pkcs;
extern const struct mech_methods mech_rsa_pss;
extern const struct mech_methods mech_rsa_oaep;
extern const struct mech_methods mech_rsa_x509;
extern const struct mech_methods mech_rsa_aes;
extern const struct mech_methods mech_ec_gen;
extern const struct mech_methods mech_ecdsa;
extern const struct mech_methods mech_ecdh;
extern const struct mech_methods mech_edwards_gen;
extern const struct mech_methods mech_montgomery_gen;
extern const struct mech_methods mech_eddsa;
extern const struct mech_methods mech_aes_gen;
extern const struct mech_methods mech_aes_ecb;
extern const struct mech_methods mech_aes_cbc;
extern const struct mech_methods mech_aes_cbc_pad;
extern const struct mech_methods mech_aes_ctr;
extern const struct mech_methods mech_aes_gcm;
extern const struct mech_methods mech_aes_ccm;
extern const struct mech_methods mech_aes_cmac;
extern const struct mech_methods mech_aes_kw;
extern const struct mech_methods mech_aes_kwp;
extern const struct mech_methods mech_secret_gen;
extern const struct mech_methods mech_hmac;
extern const struct mech_methods mech_hkdf;
extern const struct mech_methods mech_hkdf_gen;
extern const struct mech_methods mech_sp800_108;
extern const struct mech_methods mech_pbkdf2;
extern const struct mech_methods mech_concat;
extern const struct mech_methods mech_prepend;
extern const struct mech_methods mech_xor;
extern const struct mech_methods mech_aes_derive;
extern const struct mech_methods mech_ml_dsa_gen;
extern const struct mech_methods mech_ml_dsa;

/* The family's methods; never NULL. */
const struct mech_methods *mech_methods_of(const struct mechanism *mech);

/* A secret key's material: CKA_VALUE alone. */
enum rc mech_secret_material(const struct secret *value, struct material *out);

/* SP 800-38F KWP under a bare key of 16, 24 or 32 bytes, the second half of CKM_RSA_AES_KEY_WRAP.
 * RC_WRAPPED_KEY when the check fails. In the family of AES key wrapping. */
enum rc mech_aes_kwp_wrap(struct bytes kek, struct bytes plain, struct buf *out);
enum rc mech_aes_kwp_unwrap(struct bytes kek, struct bytes wrapped, struct secret *out);

#endif
