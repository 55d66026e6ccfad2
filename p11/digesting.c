/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/digesting.h"

#include "p11/remote.h"

static struct operation *active(struct call *call)
{
    struct operation *operation = call->session->operations[OPERATION_DIGEST];
    return operation != NULL && operation->stage != STAGE_NONE ? operation : NULL;
}

static enum rc prepare(struct call *call, struct operation *operation,
                       const CK_MECHANISM *mechanism)
{
    TRY(codec_mechanism_in(mechanism, &operation->mechanism));
    const struct mechanism *mech = operation->mechanism.mech;
    if ((mech->flags & CKF_DIGEST) == 0)
        return rc_fail(RC_MECHANISM, "%s is not for digesting", mech->name);
    TRY(remote_check_mechanism(call, mech));
    return digest_begin(&call->library->digests, &operation->digest, mech->digest);
}

static enum rc init(struct call *call, const CK_MECHANISM *mechanism)
{
    struct operation *operation = active(call);
    if (mechanism == NULL && operation != NULL) {
        operation_reset(operation);
        return RC_OK;
    }
    if (mechanism == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL mechanism");
    if (operation != NULL)
        return RC_OPERATION_ACTIVE;
    operation = session_operation(call->session, OPERATION_DIGEST);
    if (operation == NULL)
        return RC_NO_MEMORY;
    enum rc rc = prepare(call, operation, mechanism);
    if (rc != RC_OK)
        operation_reset(operation);
    else
        operation->stage = STAGE_READY;
    return rc;
}

CK_RV C_DigestInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DigestInit, hSession);
    trace_mechanism(&call.trace, pMechanism);
    if (rc == RC_OK)
        rc = init(&call, pMechanism);
    return call_end(&call, rc);
}

enum rc digesting_update(struct call *call, const void *part, CK_ULONG len)
{
    struct operation *operation = active(call);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    struct bytes data = BYTES_NONE;
    enum rc rc = input_of(part, len, &data);
    if (rc == RC_OK)
        rc = digest_update(&operation->digest, data);
    if (rc != RC_OK)
        operation_reset(operation);
    else
        operation->stage = STAGE_PARTS;
    return rc;
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DigestUpdate, hSession);
    trace_note(&call.trace, " part=%lu", ulPartLen);
    if (rc == RC_OK)
        rc = digesting_update(&call, pPart, ulPartLen);
    return call_end(&call, rc);
}

/* Gives the digest when it fits. Nothing is consumed before. */
static enum rc finish(struct operation *operation, struct bytes last, struct output out)
{
    if (out.len == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    size_t len = digest_info(operation->mechanism.mech->digest)->len;
    bool fits = output_room(out) >= len;
    if (out.ptr == NULL || !fits) {
        store_ulong(out.len, len);
        return out.ptr == NULL ? RC_OK : RC_BUFFER_TOO_SMALL;
    }
    uint8_t digest[DIGEST_LEN_MAX];
    TRY(digest_update(&operation->digest, last));
    TRY(digest_final(&operation->digest, digest, &len));
    return output_give(out, bytes_of(digest, len));
}

static enum rc end(struct operation *operation, enum rc rc, struct output out)
{
    bool asked = rc == RC_OK && out.ptr == NULL;
    if (!asked && rc != RC_BUFFER_TOO_SMALL)
        operation_reset(operation);
    return rc;
}

static enum rc once(struct call *call, const void *data, CK_ULONG len, struct output out)
{
    struct operation *operation = active(call);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    if (operation->stage == STAGE_PARTS)
        return RC_OPERATION_ACTIVE;
    struct bytes input = BYTES_NONE;
    enum rc rc = input_of(data, len, &input);
    if (rc == RC_OK)
        rc = finish(operation, input, out);
    return end(operation, rc, out);
}

CK_RV C_Digest(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
               CK_BYTE_PTR pDigest, CK_ULONG_PTR pulDigestLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_Digest, hSession);
    trace_note(&call.trace, " data=%lu", ulDataLen);
    if (rc == RC_OK)
        rc = once(&call, pData, ulDataLen, output_of(pDigest, pulDigestLen));
    return call_end(&call, rc);
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pDigest, CK_ULONG_PTR pulDigestLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DigestFinal, hSession);
    struct operation *operation = rc == RC_OK ? active(&call) : NULL;
    if (rc == RC_OK && operation == NULL)
        rc = RC_OPERATION_NOT_INITIALIZED;
    if (rc == RC_OK) {
        struct output out = output_of(pDigest, pulDigestLen);
        rc = end(operation, finish(operation, BYTES_NONE, out), out);
    }
    return call_end(&call, rc);
}

/* The value of a key stays in the HSM, and the digest is made here. */
CK_RV C_DigestKey(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hKey)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DigestKey, hSession);
    trace_handle(&call.trace, "key", hKey);
    struct operation *operation = rc == RC_OK ? active(&call) : NULL;
    if (rc == RC_OK && operation == NULL)
        rc = RC_OPERATION_NOT_INITIALIZED;
    if (rc == RC_OK) {
        rc = rc_fail(RC_KEY_INDIGESTIBLE, "a key's value does not leave the HSM");
        operation_reset(operation);
    }
    return call_end(&call, rc);
}
