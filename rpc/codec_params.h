/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the codec: one row a parameter kind, from the caller's struct to canonical bytes and from
 * those to a mech_call. */
#ifndef QHSM_RPC_CODEC_PARAMS_H
#define QHSM_RPC_CODEC_PARAMS_H

#include "common/buf.h"
#include "common/mechanism.h"

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
