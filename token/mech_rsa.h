/* SPDX-License-Identifier: Apache-2.0 */
/* The RSA primitive with each padding, through contexts that are kept ready for each lane. */
#ifndef QHSM_TOKEN_MECH_RSA_H
#define QHSM_TOKEN_MECH_RSA_H

#include "token/mech_sign.h"

enum rsa_use {
    RSA_USE_SIGN = 1,
    RSA_USE_VERIFY,
    RSA_USE_RECOVER,
    RSA_USE_ENCRYPT,
    RSA_USE_DECRYPT
};
enum rsa_padding { RSA_PAD_NONE, RSA_PAD_PKCS1, RSA_PAD_PSS, RSA_PAD_OAEP };

/* Padding and what it takes. `label` (OAEP) is borrowed for the call. */
struct rsa_padding_spec {
    enum rsa_padding padding;
    enum digest_id digest; /* DIGEST_NONE: PKCS#1 v1.5 over the caller's own DigestInfo */
    enum digest_id mgf;
    uint32_t salt_len;
    struct bytes label;
};

/* One operation; appended to out. Failures of libcrypto become `failure` with libcrypto's reason,
 * but for RSA_USE_DECRYPT and RSA_USE_RECOVER, which say nothing but `failure`. */
enum rc mech_rsa_run(struct key *key, unsigned lane, enum rsa_use use,
                     const struct rsa_padding_spec *spec, struct bytes in, enum rc failure,
                     struct buf *out);
/* The same into a secret. */
enum rc mech_rsa_decrypt(struct key *key, unsigned lane, const struct rsa_padding_spec *spec,
                         struct bytes in, enum rc failure, struct secret *out);
/* RC_SIGNATURE_LEN, RC_SIGNATURE_INVALID. */
enum rc mech_rsa_verify(struct key *key, unsigned lane, const struct rsa_padding_spec *spec,
                        struct bytes tbs, struct bytes signature);
/* The input of decryption and recovery has the modulus' length, or `failure`. */
enum rc mech_rsa_check_len(const struct key *key, struct bytes in, enum rc failure);

/* OAEP's spec from its parameter, checked: digests known and room left in the modulus. */
enum rc mech_rsa_oaep_spec(enum digest_id digest, enum digest_id mgf, struct bytes label,
                           const struct key *key, struct rsa_padding_spec *out);

#endif
