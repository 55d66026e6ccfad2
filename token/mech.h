/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms at work: one table of methods a family (mech.c), each defaulting to RC_MECHANISM; and
 * multi-part operations. */
#ifndef QHSM_TOKEN_MECH_H
#define QHSM_TOKEN_MECH_H

#include "common/mechanism.h"
#include "token/key.h"

/* Everything here works on parsed keys and decoded parameters; usage, dates, allowed mechanisms and
 * policy were checked by the law (token/law.h). `lane` is the calling thread's, below LANES_MAX.
 * `out` is appended to. */

/* Parameter against the mechanism and key: IV lengths, tag and salt sizes, digests.
 * RC_MECHANISM_PARAM, RC_KEY_SIZE, RC_KEY_TYPE. Called at every Init and by the methods below
 * themselves. */
enum rc mech_check(const struct mech_call *call, enum crypt_op op, const struct key *key);

/* One shot. `prehashed`: data is already the digest of call->mech->digest; CKM_ML_DSA: it is the
 * message representative mu (FIPS 204, algorithm 7, step 6).
 * SIGN/ENCRYPT/DECRYPT/SIGN_RECOVER/VERIFY_RECOVER append to out; VERIFY reads `signature`. GCM
 * with an all-zero IV under CKM_CLOUDHSM_AES_GCM makes the IV: appended to `out_iv` (else
 * untouched; never NULL). */
enum rc mech_crypt(const struct mech_call *call, enum crypt_op op, struct key *key, unsigned lane,
                   bool prehashed, struct bytes data, struct bytes signature, struct buf *out,
                   struct buf *out_iv);

/* A digest row in one shot: the module digests for itself, this is for self-tests. */
enum rc mech_digest_once(const struct mech_call *call, struct bytes data, struct buf *out);

/* Multi-part, for families that stream with the key (AES, HMAC, CMAC). GCM and CCM decryption hold
 * the output back until the tag has been verified (bounded: RC_TOO_LARGE beyond `hold_max`). One
 * thread at a time. */
struct operation;
enum rc operation_begin(const struct mech_call *call, enum crypt_op op, struct key *key,
                        size_t hold_max, struct buf *out_iv, struct operation **out);
enum rc operation_update(struct operation *operation, struct bytes data, struct buf *out);
enum rc operation_final(struct operation *operation, struct bytes data, struct bytes signature,
                        struct buf *out);
/* Keeps the key's object (new reference) until operation_free(), so that the key lives as long. */
void operation_hold(struct operation *operation, struct object *object);
/* Memory that its data and parameter take while they wait for its end. */
size_t operation_held(const struct operation *operation);
void operation_free(struct operation *operation);

/* Key making. `wanted` is the caller's template (CKA_VALUE_LEN, CKA_MODULUS_BITS, CKA_EC_PARAMS,
 * ...). Seconds for RSA. */
enum rc mech_generate(const struct mech_call *call, struct attrs wanted, struct material *out);
enum rc mech_generate_pair(const struct mech_call *call, struct attrs wanted_public,
                           struct attrs wanted_private, struct material *out_public,
                           struct material *out_private);
/* plain = key_export() of the target. */
enum rc mech_wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                  const struct secret *plain, struct buf *out);
enum rc mech_unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                    struct bytes wrapped, struct secret *out_plain);
/* A secret value; `value_len` wanted in bytes, 0: the mechanism's natural length. `second` is the
 * other key of CKM_CONCATENATE_BASE_AND_KEY and HKDF's salt key, else NULL. Base NULL only for
 * PBKDF2 (C_GenerateKey). */
enum rc mech_derive(const struct mech_call *call, struct key *base, struct key *second,
                    unsigned lane, size_t value_len, struct secret *out);

#endif
