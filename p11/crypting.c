/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.8 to 5.13: the functions that encrypt, decrypt, sign and verify, each one of six
 * shapes. */
#include "p11/crypt.h"

static CK_RV shape_init(enum function function, enum crypt_op op, CK_SESSION_HANDLE session,
                        CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_mechanism(&call.trace, mechanism);
    trace_handle(&call.trace, "key", key);
    if (rc == RC_OK)
        rc = crypt_init(&call, op, mechanism, key);
    return call_end(&call, rc);
}

static CK_RV shape_once(enum function function, enum crypt_op op, CK_SESSION_HANDLE session,
                        const void *data, CK_ULONG len, struct output out)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_note(&call.trace, " data=%lu%s", len, out.ptr == NULL ? " length-query" : "");
    if (rc == RC_OK)
        rc = crypt_once(&call, op, data, len, out);
    return call_end(&call, rc);
}

static CK_RV shape_update(enum function function, enum crypt_op op, CK_SESSION_HANDLE session,
                          const void *part, CK_ULONG len, struct output out)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_note(&call.trace, " part=%lu", len);
    if (rc == RC_OK)
        rc = crypt_update(&call, op, part, len, out);
    return call_end(&call, rc);
}

static CK_RV shape_final(enum function function, enum crypt_op op, CK_SESSION_HANDLE session,
                         struct output out)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    if (rc == RC_OK)
        rc = crypt_final(&call, op, out);
    return call_end(&call, rc);
}

static CK_RV shape_verify(enum function function, CK_SESSION_HANDLE session, const void *data,
                          CK_ULONG len, const struct crypt_signature *signature)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_note(&call.trace, " data=%lu signature=%lu", len, signature->len);
    if (rc == RC_OK)
        rc = crypt_verify(&call, data, len, signature);
    return call_end(&call, rc);
}

static CK_RV shape_verify_final(enum function function, CK_SESSION_HANDLE session,
                                const struct crypt_signature *signature)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    trace_note(&call.trace, " signature=%lu", signature->len);
    if (rc == RC_OK)
        rc = crypt_verify_final(&call, signature);
    return call_end(&call, rc);
}

CK_RV C_EncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_EncryptInit, CRYPT_ENCRYPT, hSession, pMechanism, hKey);
}

CK_RV C_Encrypt(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
                CK_BYTE_PTR pEncryptedData, CK_ULONG_PTR pulEncryptedDataLen)
{
    return shape_once(FN_C_Encrypt, CRYPT_ENCRYPT, hSession, pData, ulDataLen,
                      output_of(pEncryptedData, pulEncryptedDataLen));
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                      CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return shape_update(FN_C_EncryptUpdate, CRYPT_ENCRYPT, hSession, pPart, ulPartLen,
                        output_of(pEncryptedPart, pulEncryptedPartLen));
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastEncryptedPart,
                     CK_ULONG_PTR pulLastEncryptedPartLen)
{
    return shape_final(FN_C_EncryptFinal, CRYPT_ENCRYPT, hSession,
                       output_of(pLastEncryptedPart, pulLastEncryptedPartLen));
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_DecryptInit, CRYPT_DECRYPT, hSession, pMechanism, hKey);
}

CK_RV C_Decrypt(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedData, CK_ULONG ulEncryptedDataLen,
                CK_BYTE_PTR pData, CK_ULONG_PTR pulDataLen)
{
    return shape_once(FN_C_Decrypt, CRYPT_DECRYPT, hSession, pEncryptedData, ulEncryptedDataLen,
                      output_of(pData, pulDataLen));
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart,
                      CK_ULONG ulEncryptedPartLen, CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return shape_update(FN_C_DecryptUpdate, CRYPT_DECRYPT, hSession, pEncryptedPart,
                        ulEncryptedPartLen, output_of(pPart, pulPartLen));
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastPart, CK_ULONG_PTR pulLastPartLen)
{
    return shape_final(FN_C_DecryptFinal, CRYPT_DECRYPT, hSession,
                       output_of(pLastPart, pulLastPartLen));
}

CK_RV C_SignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_SignInit, CRYPT_SIGN, hSession, pMechanism, hKey);
}

CK_RV C_Sign(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
             CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen)
{
    return shape_once(FN_C_Sign, CRYPT_SIGN, hSession, pData, ulDataLen,
                      output_of(pSignature, pulSignatureLen));
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return shape_update(FN_C_SignUpdate, CRYPT_SIGN, hSession, pPart, ulPartLen,
                        output_of(NULL, NULL));
}

CK_RV C_SignFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen)
{
    return shape_final(FN_C_SignFinal, CRYPT_SIGN, hSession,
                       output_of(pSignature, pulSignatureLen));
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                        CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_SignRecoverInit, CRYPT_SIGN_RECOVER, hSession, pMechanism, hKey);
}

CK_RV C_SignRecover(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
                    CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen)
{
    return shape_once(FN_C_SignRecover, CRYPT_SIGN_RECOVER, hSession, pData, ulDataLen,
                      output_of(pSignature, pulSignatureLen));
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_VerifyInit, CRYPT_VERIFY, hSession, pMechanism, hKey);
}

CK_RV C_Verify(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
               CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen)
{
    const struct crypt_signature signature = {.ptr = pSignature, .len = ulSignatureLen};
    return shape_verify(FN_C_Verify, hSession, pData, ulDataLen, &signature);
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return shape_update(FN_C_VerifyUpdate, CRYPT_VERIFY, hSession, pPart, ulPartLen,
                        output_of(NULL, NULL));
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen)
{
    const struct crypt_signature signature = {.ptr = pSignature, .len = ulSignatureLen};
    return shape_verify_final(FN_C_VerifyFinal, hSession, &signature);
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                          CK_OBJECT_HANDLE hKey)
{
    return shape_init(FN_C_VerifyRecoverInit, CRYPT_VERIFY_RECOVER, hSession, pMechanism, hKey);
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen,
                      CK_BYTE_PTR pData, CK_ULONG_PTR pulDataLen)
{
    return shape_once(FN_C_VerifyRecover, CRYPT_VERIFY_RECOVER, hSession, pSignature,
                      ulSignatureLen, output_of(pData, pulDataLen));
}

/* PKCS#11 3.2: the signature comes before the data. */
static enum rc signature_init(struct call *call, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key,
                              const void *signature, CK_ULONG len)
{
    if (mechanism != NULL && signature == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL signature");
    struct bytes given = BYTES_NONE;
    if (mechanism != NULL)
        TRY(input_of(signature, len, &given));
    TRY(crypt_init(call, CRYPT_VERIFY, mechanism, key));
    if (mechanism == NULL)
        return RC_OK;
    struct operation *operation = call->session->operations[CRYPT_VERIFY];
    operation->has_signature = true;
    enum rc rc = buf_append(&operation->signature, given);
    if (rc != RC_OK)
        (void)crypt_cancel(call, CRYPT_VERIFY);
    return rc;
}

CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                            CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_VerifySignatureInit, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_handle(&call.trace, "key", hKey);
    if (rc == RC_OK)
        rc = signature_init(&call, pMechanism, hKey, pSignature, ulSignatureLen);
    return call_end(&call, rc);
}

CK_RV C_VerifySignature(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen)
{
    const struct crypt_signature signature = {.given = true};
    return shape_verify(FN_C_VerifySignature, hSession, pData, ulDataLen, &signature);
}

CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return shape_update(FN_C_VerifySignatureUpdate, CRYPT_VERIFY, hSession, pPart, ulPartLen,
                        output_of(NULL, NULL));
}

CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE hSession)
{
    const struct crypt_signature signature = {.given = true};
    return shape_verify_final(FN_C_VerifySignatureFinal, hSession, &signature);
}
