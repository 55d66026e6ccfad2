/* SPDX-License-Identifier: Apache-2.0 */
/* Signing, verifying, encrypting and decrypting, one-shot and in parts: the rules of PKCS#11 3.1
 * 5.2 and 5.8 to 5.16 that are the same for all of them. An operation ends at any error but
 * RC_BUFFER_TOO_SMALL, and stays at a length query; a result that did not fit is kept and given
 * again. */
#ifndef QHSM_P11_CRYPT_H
#define QHSM_P11_CRYPT_H

#include "p11/crypt_remote.h"

/* NULL mechanism: cancels. */
enum rc crypt_init(struct call *call, enum crypt_op op, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key);
/* Whole input to whole result: sign, encrypt, decrypt, recover. */
enum rc crypt_once(struct call *call, enum crypt_op op, const void *data, CK_ULONG len,
                   struct output out);
/* `out.len` is NULL for sign and verify, which give nothing before the end. */
enum rc crypt_update(struct call *call, enum crypt_op op, const void *part, CK_ULONG len,
                     struct output out);
enum rc crypt_final(struct call *call, enum crypt_op op, struct output out);

/* `given`: the signature was given at Init (C_VerifySignature), else `signature` counts. */
struct crypt_signature {
    bool given;
    const void *ptr;
    CK_ULONG len;
};
enum rc crypt_verify(struct call *call, const void *data, CK_ULONG len,
                     const struct crypt_signature *signature);
enum rc crypt_verify_final(struct call *call, const struct crypt_signature *signature);

/* Ends the operation, if it is active; true when it was. */
bool crypt_cancel(struct call *call, enum crypt_op op);

#endif
