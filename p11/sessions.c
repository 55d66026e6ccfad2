/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.6: opening and closing sessions. */
#include <stdlib.h>

#include "p11/crypt.h"
#include "p11/session_objects.h"

/* Denies a slot or an uninitialised token only on fresh information. */
static enum rc check_token(struct call *call, CK_SLOT_ID slot)
{
    for (int fresh = 0; fresh < 2; fresh++) {
        AUTO_TOKENS tokens = NULL;
        TRY(fresh ? remote_tokens(call, 0, &tokens) : remote_tokens_known(call, &tokens));
        const struct token_info *token = token_list_find(tokens, slot);
        if (token != NULL && token->initialized)
            return RC_OK;
        if (fresh && token == NULL)
            return rc_fail(RC_SLOT_INVALID, "there is no slot %lu", slot);
    }
    return rc_fail(RC_TOKEN_NOT_INITIALIZED, "the token of slot %lu is not initialised", slot);
}

static enum rc open_session(struct call *call, CK_SLOT_ID slot_id, CK_FLAGS flags,
                            CK_SESSION_HANDLE_PTR out)
{
    if (out == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL session pointer");
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return RC_SESSION_PARALLEL;
    TRY(check_token(call, slot_id));
    struct slot *slot = slot_table_get(&call->library->slots, slot_id);
    if (slot == NULL)
        return RC_NO_MEMORY;
    bool read_only = (flags & CKF_RW_SESSION) == 0;
    TRY(slot_session_add(slot, read_only));
    enum rc rc = session_open(&call->library->sessions, slot, flags, &call->session);
    if (rc != RC_OK) {
        (void)slot_session_remove(slot, read_only);
        return rc;
    }
    store_ulong(out, call->session->handle);
    trace_handle(&call->trace, "session", call->session->handle);
    return RC_OK;
}

CK_RV C_OpenSession(CK_SLOT_ID slotID, CK_FLAGS flags, CK_VOID_PTR pApplication, CK_NOTIFY Notify,
                    CK_SESSION_HANDLE_PTR phSession)
{
    (void)pApplication; /* there is nothing to notify of */
    (void)Notify;
    struct call call;
    enum rc rc = call_begin(&call, FN_C_OpenSession);
    trace_note(&call.trace, " slot=%lu flags=0x%lx", slotID, flags);
    if (rc == RC_OK)
        rc = open_session(&call, slotID, flags, phSession);
    return call_end(&call, rc);
}

/* Tells the daemon to forget what is left of operations, and destroys the session's objects. */
static void close_session(struct call *call)
{
    struct session *session = call->session;
    struct slot *slot = session->slot;
    bool read_only = session_is_read_only(session);
    for (unsigned op = CRYPT_SIGN; op < OPERATION_COUNT; op++)
        (void)crypt_cancel(call, (enum crypt_op)op);
    const struct owned_wanted wanted = {.session = session->handle};
    session_objects_destroy(call, &wanted);
    call->session = NULL;
    session_close(&call->library->sessions, session);
    if (slot_session_remove(slot, read_only))
        facts_cache_clear(&call->library->facts);
}

CK_RV C_CloseSession(CK_SESSION_HANDLE hSession)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_CloseSession, hSession);
    if (rc == RC_OK)
        close_session(&call);
    return call_end(&call, rc);
}

static enum rc close_all(struct call *call, CK_SLOT_ID slot_id)
{
    AUTO_TOKENS tokens = token_cache_get(&call->library->tokens, -1);
    if (tokens != NULL && token_list_find(tokens, slot_id) == NULL)
        return rc_fail(RC_SLOT_INVALID, "there is no slot %lu", slot_id);
    struct slot *slot = slot_table_get(&call->library->slots, slot_id);
    if (slot == NULL)
        return RC_NO_MEMORY;
    CK_SESSION_HANDLE handles[64];
    size_t count;
    do {
        count = session_list(&call->library->sessions, slot, handles, 64);
        for (size_t i = 0; i < count; i++)
            if (session_lock(&call->library->sessions, handles[i], &call->session) == RC_OK)
                close_session(call);
    } while (count > 0);
    return RC_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slotID)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_CloseAllSessions);
    trace_handle(&call.trace, "slot", slotID);
    if (rc == RC_OK)
        rc = close_all(&call, slotID);
    return call_end(&call, rc);
}

static CK_STATE state_of(const struct session *session)
{
    static const CK_STATE states[][2] = {
        [ROLE_NONE] = {CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION},
        [ROLE_SO] = {CKS_RW_SO_FUNCTIONS, CKS_RW_SO_FUNCTIONS},
        [ROLE_USER] = {CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS},
    };
    return states[slot_role(session->slot)][session_is_read_only(session) ? 0 : 1];
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE hSession, CK_SESSION_INFO_PTR pInfo)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GetSessionInfo, hSession);
    if (rc == RC_OK && pInfo == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL info");
    if (rc == RC_OK) {
        CK_SESSION_INFO info = {.slotID = call.session->slot->id,
                                .state = state_of(call.session),
                                .flags = call.session->flags,
                                .ulDeviceError = 0};
        memcpy((void *)pInfo, &info, sizeof info);
    }
    return call_end(&call, rc);
}

static bool any_active(const struct session *session)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++)
        if (session->operations[i] != NULL && session->operations[i]->stage != STAGE_NONE)
            return true;
    return false;
}

CK_RV C_GetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState,
                          CK_ULONG_PTR pulOperationStateLen)
{
    (void)pOperationState;
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GetOperationState, hSession);
    if (rc == RC_OK && pulOperationStateLen == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    if (rc == RC_OK)
        rc = any_active(call.session) ? RC_STATE_UNSAVEABLE : RC_OPERATION_NOT_INITIALIZED;
    return call_end(&call, rc);
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState,
                          CK_ULONG ulOperationStateLen, CK_OBJECT_HANDLE hEncryptionKey,
                          CK_OBJECT_HANDLE hAuthenticationKey)
{
    (void)ulOperationStateLen;
    (void)hEncryptionKey;
    (void)hAuthenticationKey;
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_SetOperationState, hSession);
    if (rc == RC_OK && pOperationState == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL state");
    if (rc == RC_OK)
        rc = rc_fail(RC_SAVED_STATE, "no state is ever saved");
    return call_end(&call, rc);
}

static void cancel(struct call *call, CK_FLAGS flags)
{
    static const struct {
        CK_FLAGS flag;
        enum crypt_op op;
    } cancels[] = {
        {CKF_SIGN, CRYPT_SIGN},
        {CKF_VERIFY, CRYPT_VERIFY},
        {CKF_ENCRYPT, CRYPT_ENCRYPT},
        {CKF_DECRYPT, CRYPT_DECRYPT},
        {CKF_SIGN_RECOVER, CRYPT_SIGN_RECOVER},
        {CKF_VERIFY_RECOVER, CRYPT_VERIFY_RECOVER},
    };
    for (size_t i = 0; i < sizeof cancels / sizeof cancels[0]; i++)
        if ((flags & cancels[i].flag) != 0)
            (void)crypt_cancel(call, cancels[i].op);
    struct operation *digest = call->session->operations[OPERATION_DIGEST];
    if ((flags & CKF_DIGEST) != 0 && digest != NULL)
        operation_reset(digest);
    if ((flags & CKF_FIND_OBJECTS) != 0)
        session_find_end(call->session);
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE hSession, CK_FLAGS flags)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_SessionCancel, hSession);
    trace_note(&call.trace, " flags=0x%lx", flags);
    if (rc == RC_OK)
        cancel(&call, flags);
    return call_end(&call, rc);
}

CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE hSession, CK_SESSION_VALIDATION_FLAGS_TYPE type,
                                  CK_FLAGS_PTR pFlags)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GetSessionValidationFlags, hSession);
    if (rc == RC_OK && (pFlags == NULL || type != CKS_LAST_VALIDATION_OK))
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL flags, or an unknown type of them");
    if (rc == RC_OK)
        store_ulong(pFlags, 0); /* an emulator is never validated */
    return call_end(&call, rc);
}
