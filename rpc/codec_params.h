/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the codec: one row a parameter kind, from the caller's struct to canonical bytes and from
 * those to a mech_call. */
#ifndef QHSM_RPC_CODEC_PARAMS_H
#define QHSM_RPC_CODEC_PARAMS_H

#include "common/buf.h"
#include "common/mechanism.h"

/* The canonical forms, numbers little-endian, `bytes` with a u32 length before:
 *   IV, IV_OPTIONAL   the IV itself
 *   CTR               u64 counter bits, 16 bytes counter block
 *   GCM               bytes iv, u64 iv bits (0: unsaid), bytes aad, u64 tag bits
 *   CCM               u64 data length, bytes nonce, bytes aad, u64 tag length
 *   LENGTH, OBJECT    u64
 *   PSS               u64 digest mechanism, u64 mgf, u64 salt length
 *   OAEP              u64 digest mechanism, u64 mgf, u64 source, bytes label
 *   RSA_AES           u64 AES bits, then as OAEP
 *   ECDH              u64 kdf, bytes shared info, bytes peer's public key
 *   EDDSA             u8 prehash, bytes context
 *   HKDF              u8 extract, u8 expand, u64 digest mechanism, u64 salt type, bytes salt,
 *                     u64 salt key, bytes info
 *   SP800_108         u64 prf, u32 count, each {u64 type, u8 little-endian, u64 width in bits,
 *                     u64 DKM length method, bytes data}
 *   PBKDF2            u64 prf, bytes salt, u64 iterations, bytes password
 *   STRING            bytes data
 *   CBC_DATA          16 bytes iv, bytes data */

/* Canonical bytes of one parameter, everything included. */
#define PARAM_MAX ((size_t)64 * 1024)

struct param_codec {
    bool may_be_absent;
    bool may_be_present;
    /* Appends the canonical form of the caller's struct; checks lengths and pointers only. */
    enum rc (*in)(struct bytes ck, struct buf *out);
    /* Reads the canonical form into out->u; checks values, not against any key. out->mech is set.
     */
    enum rc (*decode)(struct reader *r, struct mech_call *out);
};

/* Never NULL. */
const struct param_codec *param_codec(enum param_kind kind);

/* RC_MECHANISM_PARAM with that detail. */
enum rc codec_params_fail(const char *what);
/* The caller's struct, however its pointer is aligned. */
enum rc codec_params_copy(struct bytes ck, void *out, size_t len);
/* Bytes behind a pointer inside the struct. */
enum rc codec_params_put(struct buf *out, const void *ptr, CK_ULONG len);
enum rc codec_params_digest(struct reader *r, enum digest_id *out);
enum rc codec_params_bool(struct reader *r, bool *out);

/* Key derivation's rows, codec_derive.c. */
enum rc codec_derive_hkdf_in(struct bytes ck, struct buf *out);
enum rc codec_derive_hkdf_decode(struct reader *r, struct mech_call *out);
enum rc codec_derive_kdf_in(struct bytes ck, struct buf *out);
enum rc codec_derive_kdf_decode(struct reader *r, struct mech_call *out);
enum rc codec_derive_pbkdf2_in(struct bytes ck, struct buf *out);
enum rc codec_derive_pbkdf2_decode(struct reader *r, struct mech_call *out);
enum rc codec_derive_string_in(struct bytes ck, struct buf *out);
enum rc codec_derive_string_decode(struct reader *r, struct mech_call *out);
enum rc codec_derive_cbc_in(struct bytes ck, struct buf *out);
enum rc codec_derive_cbc_decode(struct reader *r, struct mech_call *out);

#endif
