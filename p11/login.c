/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.6.8 to 5.6.11 and 5.5.7 to 5.5.9: PINs, logging in and out. The module asks the
 * daemon and keeps the ticket, never the PIN. */
#include <stdio.h>

#include "p11/remote.h"
#include "p11/session_objects.h"

/* The PIN as the caller gave it; there is no protected path to ask for it. */
static enum rc pin_of(const CK_UTF8CHAR *pin, CK_ULONG len, ProtobufCBinaryData *out)
{
    if (pin == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL PIN: the token has no protected path");
    struct bytes given = BYTES_NONE;
    TRY(input_of(pin, len, &given));
    *out = remote_binary(given);
    return RC_OK;
}

/* What the daemon answers to a login. */
struct granted {
    struct ticket *ticket; /* new reference */
    char user[SLOT_USER_ROOM];
};

/* `user` may be NULL. A login of its own has no ticket along: the one at hand may be void. */
static enum rc ask_login(struct call *call, CK_USER_TYPE type, ProtobufCBinaryData pin, char *user,
                         struct granted *out)
{
    Qhsm__LoginRequest body = QHSM__LOGIN_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.user_type = type;
    body.pin = pin;
    if (user != NULL)
        body.user = user;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &body;
    const struct remote_how how = {.without_login = type != CKU_CONTEXT_SPECIFIC};
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_mutate(call, &request, &how, QHSM__RESPONSE__BODY_LOGIN, &reply));
    const Qhsm__LoginReply *granted = reply.reply.msg->login;
    (void)snprintf(out->user, sizeof out->user, "%s", granted->user);
    return ticket_new(bytes_of(granted->ticket.data, granted->ticket.len), &out->ticket);
}

/* Gives the ticket to the operations that wait for a login of their own. */
static enum rc login_context(struct call *call, ProtobufCBinaryData pin)
{
    if (slot_role(call->session->slot) != ROLE_USER)
        return rc_fail(RC_NOT_LOGGED_IN, "CKU_CONTEXT_SPECIFIC needs a user's login first");
    bool wanted = false;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        struct operation *o = call->session->operations[i];
        wanted = wanted || (o != NULL && o->facts != NULL && o->facts->always_authenticate);
    }
    if (!wanted)
        return rc_fail(RC_OPERATION_NOT_INITIALIZED, "no operation waits for a login");
    struct granted granted;
    TRY(ask_login(call, CKU_CONTEXT_SPECIFIC, pin, NULL, &granted));
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        struct operation *o = call->session->operations[i];
        if (o == NULL || o->facts == NULL || !o->facts->always_authenticate)
            continue;
        ticket_unref(o->context);
        o->context = ticket_ref(granted.ticket);
    }
    ticket_unref(granted.ticket);
    return RC_OK;
}

static enum rc role_of(CK_USER_TYPE type, enum user_role *out)
{
    if (type != CKU_SO && type != CKU_USER)
        return rc_fail(RC_USER_TYPE, "user type %lu", type);
    *out = type == CKU_SO ? ROLE_SO : ROLE_USER;
    return RC_OK;
}

static enum rc login(struct call *call, CK_USER_TYPE type, ProtobufCBinaryData pin, char *user)
{
    if (type == CKU_CONTEXT_SPECIFIC)
        return login_context(call, pin);
    enum user_role role = ROLE_NONE;
    TRY(role_of(type, &role));
    struct slot *slot = call->session->slot;
    TRY(slot_check_login(slot, role));
    struct granted granted;
    TRY(ask_login(call, type, pin, user, &granted));
    enum rc rc = slot_login(slot, role, granted.user, granted.ticket);
    if (rc != RC_OK)
        ticket_unref(granted.ticket);
    facts_cache_clear(&call->library->facts);
    return rc;
}

CK_RV C_Login(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin,
              CK_ULONG ulPinLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_Login, hSession);
    trace_note(&call.trace, " user_type=%lu pin=***", userType);
    ProtobufCBinaryData pin = {0};
    if (rc == RC_OK)
        rc = pin_of(pPin, ulPinLen, &pin);
    if (rc == RC_OK)
        rc = login(&call, userType, pin, NULL);
    return call_end(&call, rc);
}

static enum rc name_of(const CK_UTF8CHAR *name, CK_ULONG len, char out[SLOT_USER_ROOM])
{
    if (name == NULL || len == 0 || len >= SLOT_USER_ROOM || memchr(name, 0, len) != NULL)
        return rc_fail(RC_BAD_ARGUMENT, "a user name of %lu bytes", len);
    memcpy(out, name, len);
    out[len] = 0;
    return RC_OK;
}

CK_RV C_LoginUser(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin,
                  CK_ULONG ulPinLen, CK_UTF8CHAR_PTR pUsername, CK_ULONG ulUsernameLen)
{
    struct call call;
    char name[SLOT_USER_ROOM];
    enum rc rc = call_begin_session(&call, FN_C_LoginUser, hSession);
    trace_note(&call.trace, " user_type=%lu pin=***", userType);
    ProtobufCBinaryData pin = {0};
    if (rc == RC_OK)
        rc = pin_of(pPin, ulPinLen, &pin);
    if (rc == RC_OK)
        rc = name_of(pUsername, ulUsernameLen, name);
    if (rc == RC_OK)
        rc = login(&call, userType, pin, name);
    return call_end(&call, rc);
}

/* The daemon drops its own share of the login, others as their connections end; when it cannot be
 * told, the ticket is forgotten here all the same. */
static enum rc logout(struct call *call)
{
    struct slot *slot = call->session->slot;
    if (slot_role(slot) == ROLE_NONE)
        return RC_NOT_LOGGED_IN;
    const struct owned_wanted wanted = {.private_of_slot = slot->id};
    session_objects_destroy(call, &wanted);
    Qhsm__Empty body = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_LOGOUT;
    request.logout = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    (void)remote_call(call, &request, NULL, QHSM__RESPONSE__BODY__NOT_SET, &reply);
    rpc_client_keep(call->library->rpc, reply.node);
    (void)slot_logout(slot);
    facts_cache_clear(&call->library->facts);
    return RC_OK;
}

CK_RV C_Logout(CK_SESSION_HANDLE hSession)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_Logout, hSession);
    if (rc == RC_OK)
        rc = logout(&call);
    return call_end(&call, rc);
}

/* The label without its padding, for the daemon. */
static void label_of(const CK_UTF8CHAR *padded, char out[TOKEN_LABEL_LEN + 1])
{
    size_t len = TOKEN_LABEL_LEN;
    while (len > 0 && padded[len - 1] == ' ')
        len--;
    memcpy(out, padded, len);
    out[len] = 0;
}

static enum rc init_token(struct call *call, CK_SLOT_ID slot_id, ProtobufCBinaryData pin,
                          const CK_UTF8CHAR *padded)
{
    if (padded == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL label");
    struct slot *slot = slot_table_get(&call->library->slots, slot_id);
    if (slot == NULL)
        return RC_NO_MEMORY;
    TRY(slot_check_no_session(slot));
    char label[TOKEN_LABEL_LEN + 1];
    label_of(padded, label);
    Qhsm__InitTokenRequest body = QHSM__INIT_TOKEN_REQUEST__INIT;
    body.slot = slot_id;
    body.label = label;
    body.so_pin = pin;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    enum rc rc = remote_mutate(call, &request, NULL, QHSM__RESPONSE__BODY__NOT_SET, &reply);
    token_cache_clear(&call->library->tokens);
    facts_cache_clear(&call->library->facts);
    return rc;
}

CK_RV C_InitToken(CK_SLOT_ID slotID, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen,
                  CK_UTF8CHAR_PTR pLabel)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_InitToken);
    trace_note(&call.trace, " slot=%lu pin=***", slotID);
    ProtobufCBinaryData pin = {0};
    if (rc == RC_OK)
        rc = pin_of(pPin, ulPinLen, &pin);
    if (rc == RC_OK)
        rc = init_token(&call, slotID, pin, pLabel);
    return call_end(&call, rc);
}

static enum rc init_pin(struct call *call, ProtobufCBinaryData pin)
{
    if (slot_role(call->session->slot) != ROLE_SO)
        return rc_fail(RC_NOT_LOGGED_IN, "C_InitPIN needs the security officer's login");
    Qhsm__InitPinRequest body = QHSM__INIT_PIN_REQUEST__INIT;
    body.pin = pin;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_INIT_PIN;
    request.init_pin = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    enum rc rc = remote_mutate(call, &request, NULL, QHSM__RESPONSE__BODY__NOT_SET, &reply);
    token_cache_clear(&call->library->tokens);
    return rc;
}

CK_RV C_InitPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_InitPIN, hSession);
    ProtobufCBinaryData pin = {0};
    if (rc == RC_OK)
        rc = pin_of(pPin, ulPinLen, &pin);
    if (rc == RC_OK)
        rc = init_pin(&call, pin);
    return call_end(&call, rc);
}

/* The new PIN may come as `name:password`, like any other. */
static bool names_user(ProtobufCBinaryData pin, const char *user)
{
    struct bytes name = bytes_of_str(user);
    struct bytes given = bytes_of(pin.data, pin.len);
    return pin.len > name.len && pin.data[name.len] == ':' &&
           bytes_equal(bytes_slice(given, 0, name.len), name);
}

/* A changed PIN voids the tickets made with the old one, this application's too; but the session
 * stays logged in (PKCS#11 3.1 5.6.9). */
static enum rc renew_login(struct call *call, CK_USER_TYPE type, ProtobufCBinaryData pin)
{
    char user[SLOT_USER_ROOM];
    struct granted granted;
    slot_user(call->session->slot, user);
    bool name_apart = type == CKU_USER && !names_user(pin, user);
    TRY(ask_login(call, type, pin, name_apart ? user : NULL, &granted));
    slot_ticket_replace(call->session->slot, granted.ticket);
    return RC_OK;
}

static enum rc set_pin(struct call *call, ProtobufCBinaryData old_pin, ProtobufCBinaryData new_pin)
{
    if (session_is_read_only(call->session))
        return rc_fail(RC_SESSION_READ_ONLY, "C_SetPIN needs a read-write session");
    enum user_role role = slot_role(call->session->slot);
    CK_USER_TYPE type = role == ROLE_SO ? CKU_SO : CKU_USER;
    Qhsm__SetPinRequest body = QHSM__SET_PIN_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.user_type = type;
    body.old_pin = old_pin;
    body.new_pin = new_pin;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SET_PIN;
    request.set_pin = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_mutate(call, &request, NULL, QHSM__RESPONSE__BODY__NOT_SET, &reply));
    token_cache_clear(&call->library->tokens);
    if (role == ROLE_NONE || renew_login(call, type, new_pin) == RC_OK)
        return RC_OK;
    /* The PIN is changed, and the old ticket void: the application logs in anew. */
    rc_detail_clear();
    (void)slot_logout(call->session->slot);
    facts_cache_clear(&call->library->facts);
    return RC_OK;
}

CK_RV C_SetPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pOldPin, CK_ULONG ulOldLen,
               CK_UTF8CHAR_PTR pNewPin, CK_ULONG ulNewLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_SetPIN, hSession);
    ProtobufCBinaryData old_pin = {0};
    ProtobufCBinaryData new_pin = {0};
    if (rc == RC_OK)
        rc = pin_of(pOldPin, ulOldLen, &old_pin);
    if (rc == RC_OK)
        rc = pin_of(pNewPin, ulNewLen, &new_pin);
    if (rc == RC_OK)
        rc = set_pin(&call, old_pin, new_pin);
    return call_end(&call, rc);
}
