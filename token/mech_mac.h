/* SPDX-License-Identifier: Apache-2.0 */
/* Message authentication codes of libcrypto, for HMAC, CMAC and the key derivations on them. */
#ifndef QHSM_TOKEN_MECH_MAC_H
#define QHSM_TOKEN_MECH_MAC_H

#include "token/mech_internal.h"

/* HMAC with that digest; DIGEST_NONE: CMAC with AES. */
enum rc mech_mac_new(enum digest_id digest, struct bytes key, EVP_MAC_CTX **out);
/* Begins anew under the same key. */
enum rc mech_mac_again(EVP_MAC_CTX *context);
enum rc mech_mac_feed(EVP_MAC_CTX *context, struct bytes data);
/* `out` has room for EVP_MAX_MD_SIZE bytes. */
enum rc mech_mac_end(EVP_MAC_CTX *context, uint8_t *out, size_t *out_len);
/* Bytes of the whole code. */
size_t mech_mac_len(enum digest_id digest);

/* Methods of both families: sign, verify and stream; the row's PARAM_LENGTH shortens the code. */
enum rc mech_mac_check(const struct mech_call *call, enum crypt_op op, const struct key *key);
enum rc mech_mac_crypt(const struct mech_work *work, struct buf *out);
enum rc mech_mac_begin(const struct mech_call *call, struct buf *out_iv,
                       struct operation *operation);
enum rc mech_mac_update(struct operation *operation, struct bytes data, struct buf *out);
enum rc mech_mac_final(struct operation *operation, struct bytes data, struct bytes signature,
                       struct buf *out);

#endif
