/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.17: two operations on the same part. The one with output goes first: when its
 * result does not fit, the other must not have seen the part yet. */
#include <stdint.h>

#include "p11/crypt.h"
#include "p11/digesting.h"

/* The second operation of a dual one. */
enum companion { WITH_DIGEST, WITH_SIGN, WITH_VERIFY };

static enum rc companion_add(struct call *call, enum companion companion, const void *part,
                             CK_ULONG len)
{
    if (companion == WITH_DIGEST)
        return digesting_update(call, part, len);
    enum crypt_op op = companion == WITH_SIGN ? CRYPT_SIGN : CRYPT_VERIFY;
    return crypt_update(call, op, part, len, output_of(NULL, NULL));
}

static bool companion_active(const struct call *call, enum companion companion)
{
    static const unsigned indexes[] = {
        [WITH_DIGEST] = OPERATION_DIGEST, [WITH_SIGN] = CRYPT_SIGN, [WITH_VERIFY] = CRYPT_VERIFY};
    const struct operation *operation = call->session->operations[indexes[companion]];
    return operation != NULL && operation->stage != STAGE_NONE;
}

static bool overlap(struct bytes part, struct output out)
{
    uintptr_t from = (uintptr_t)part.ptr;
    uintptr_t to = (uintptr_t)out.ptr;
    return out.len != NULL && from < to + output_room(out) && to < from + part.len;
}

/* The companion sees the plain part: the input of encryption, the output of decryption. */
static enum rc dual(struct call *call, enum crypt_op op, enum companion companion,
                    struct bytes part, struct output out)
{
    if (!companion_active(call, companion))
        return RC_OPERATION_NOT_INITIALIZED;
    AUTO_SECRET kept = SECRET_INIT;
    struct bytes plain = part;
    if (op == CRYPT_ENCRYPT && part.ptr != NULL && overlap(part, out)) {
        TRY(secret_from_bytes(&kept, part));
        plain = secret_expose(&kept);
    }
    TRY(crypt_update(call, op, part.ptr, part.len, out));
    if (out.ptr == NULL)
        return RC_OK;
    if (op == CRYPT_ENCRYPT)
        return companion_add(call, companion, plain.ptr, plain.len);
    return companion_add(call, companion, out.ptr, load_ulong(out.len));
}

static CK_RV shape_dual(enum function function, enum crypt_op op, enum companion companion,
                        CK_SESSION_HANDLE session, struct bytes part, struct output out)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_note(&call.trace, " part=%zu", part.len);
    if (rc == RC_OK)
        rc = dual(&call, op, companion, part, out);
    return call_end(&call, rc);
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                            CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return shape_dual(FN_C_DigestEncryptUpdate, CRYPT_ENCRYPT, WITH_DIGEST, hSession,
                      bytes_of(pPart, ulPartLen), output_of(pEncryptedPart, pulEncryptedPartLen));
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart,
                            CK_ULONG ulEncryptedPartLen, CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return shape_dual(FN_C_DecryptDigestUpdate, CRYPT_DECRYPT, WITH_DIGEST, hSession,
                      bytes_of(pEncryptedPart, ulEncryptedPartLen), output_of(pPart, pulPartLen));
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                          CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return shape_dual(FN_C_SignEncryptUpdate, CRYPT_ENCRYPT, WITH_SIGN, hSession,
                      bytes_of(pPart, ulPartLen), output_of(pEncryptedPart, pulEncryptedPartLen));
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart,
                            CK_ULONG ulEncryptedPartLen, CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return shape_dual(FN_C_DecryptVerifyUpdate, CRYPT_DECRYPT, WITH_VERIFY, hSession,
                      bytes_of(pEncryptedPart, ulEncryptedPartLen), output_of(pPart, pulPartLen));
}
