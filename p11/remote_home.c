/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/remote_home.h"

#include <stdlib.h>

#include "rpc/wire.h"

#define MOVES_MAX 4U

static bool is_session_handle(CK_OBJECT_HANDLE handle)
{
    return (handle & WIRE_SESSION_HANDLE) != 0 && handle < WIRE_SESSION_HANDLE << 1;
}

bool remote_home_concerns(struct call *call, const struct remote_how *how)
{
    struct owned_objects *owned = &call->library->owned;
    if (how->at_home)
        return owned_home(owned) != 0 || owned_count(owned) > 0;
    for (size_t i = 0; i < how->handle_count; i++)
        if (is_session_handle(how->handles[i]) || owned_has(owned, how->handles[i]))
            return true;
    return false;
}

bool remote_home_shows(struct call *call, CK_OBJECT_HANDLE handle)
{
    return !is_session_handle(handle) || call->library->shares_application ||
           owned_has(&call->library->owned, handle);
}

/* Gives an HSM the object's sealed form: the home, or when there is none the one that takes it,
 * which becomes the home. */
static enum rc restore(struct call *call, ProtobufCBinaryData ticket, CK_OBJECT_HANDLE handle,
                       uint64_t *home)
{
    struct owned_objects *owned = &call->library->owned;
    AUTO_BUF sealed = BUF_INIT;
    TRY(owned_sealed(owned, handle, &sealed));
    Qhsm__RestoreObjectRequest body = QHSM__RESTORE_OBJECT_REQUEST__INIT;
    body.handle = handle;
    body.sealed.len = sealed.len;
    body.sealed.data = sealed.ptr;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_RESTORE_OBJECT;
    request.restore_object = &body;
    request.ticket = ticket;
    const struct remote_how how = {.repeat = *home != 0 ? RPC_REPEAT_FAREWELL : RPC_REPEAT_SAFE,
                                   .pin = home};
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_send(call, &request, &how, &reply));
    owned_moved(owned, handle, *home);
    owned_settle(owned, *home);
    return RC_OK;
}

/* The objects that the request names. */
static enum rc bring(struct call *call, const Qhsm__Request *request, const struct remote_how *how,
                     uint64_t *home)
{
    struct owned_objects *owned = &call->library->owned;
    for (size_t i = 0; i < how->handle_count; i++) {
        CK_OBJECT_HANDLE handle = how->handles[i];
        bool ours = owned_has(owned, handle);
        if (!ours && is_session_handle(handle) && !call->library->shares_application) {
            *home = 0;
            return rc_fail(RC_SESSION_OBJECT_LOST, "there is no session object 0x%lx", handle);
        }
        if (ours && (*home == 0 || owned_at(owned, handle) != *home))
            TRY(restore(call, request->ticket, handle, home));
    }
    return RC_OK;
}

/* An HSM that is not there is waited for only when there is no other. */
static enum rpc_repeat patience(const struct call *call, const struct remote_how *how,
                                uint64_t home)
{
    bool alone = call->library->config->endpoints.count == 1;
    return how->repeat == RPC_REPEAT_SAFE && home != 0 && !alone ? RPC_REPEAT_FAREWELL
                                                                 : how->repeat;
}

static enum rc send_home(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                         uint64_t *home, struct remote_reply *out)
{
    *home = owned_home(&call->library->owned);
    TRY(bring(call, request, how, home));
    struct remote_how there = *how;
    there.repeat = patience(call, how, *home);
    there.pin = home;
    TRY(remote_send(call, request, &there, out));
    owned_settle(&call->library->owned, *home);
    if (how->pin != NULL)
        *how->pin = *home;
    return RC_OK;
}

bool remote_is_trouble(enum rc rc)
{
    return rc == RC_UNAVAILABLE || rc == RC_DEADLINE || rc == RC_DRAINING || rc == RC_SEALED ||
           rc == RC_ZEROIZED || rc == RC_NO_LEADER || rc == RC_NO_QUORUM || rc == RC_OVERLOADED;
}

static bool names_ours(struct call *call, const struct remote_how *how)
{
    for (size_t i = 0; i < how->handle_count; i++)
        if (owned_has(&call->library->owned, how->handles[i]))
            return true;
    return false;
}

enum rc remote_home_call(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                         struct remote_reply *out)
{
    struct owned_objects *owned = &call->library->owned;
    for (unsigned move = 0;; move++) {
        uint64_t home = 0;
        enum rc rc = send_home(call, request, how, &home, out);
        bool lost = rc == RC_SESSION_OBJECT_LOST && home != 0 && names_ours(call, how);
        bool moves = home != 0 && remote_is_trouble(rc) && how->repeat != RPC_REPEAT_NEVER &&
                     call->library->config->endpoints.count > 1;
        if (move == MOVES_MAX || (!lost && !moves))
            return rc;
        if (lost)
            owned_lost(owned, home);
        else
            owned_leave(owned, home);
    }
}

/* Asks for one of our session objects: when it is there, all are. */
static void look_for(struct call *call, CK_OBJECT_HANDLE one)
{
    Qhsm__FactsRequest body = QHSM__FACTS_REQUEST__INIT;
    body.handle = one;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FACTS;
    request.facts = &body;
    const struct remote_how how = {.handles = {one}, .handle_count = 1};
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    (void)remote_call(call, &request, &how, QHSM__RESPONSE__BODY_FACTS, &reply);
    rc_detail_clear();
}

static enum rc gather(struct call *call, ProtobufCBinaryData ticket,
                      const CK_OBJECT_HANDLE *handles, size_t count)
{
    struct owned_objects *owned = &call->library->owned;
    enum rc rc = RC_OK;
    look_for(call, handles[count - 1]);
    uint64_t home = owned_home(owned);
    for (size_t i = 0; i < count && rc == RC_OK; i++)
        if (home == 0 || owned_at(owned, handles[i]) != home)
            rc = restore(call, ticket, handles[i], &home);
    /* another thread has ended it meanwhile, or its HSM is in trouble: the search will tell */
    return rc == RC_OBJECT_HANDLE || remote_is_trouble(rc) ? RC_OK : rc;
}

enum rc remote_home_gather(struct call *call)
{
    size_t room = owned_count(&call->library->owned);
    if (room == 0)
        return RC_OK;
    CK_OBJECT_HANDLE *handles = calloc(room, sizeof *handles);
    if (handles == NULL)
        return RC_NO_MEMORY;
    const struct owned_wanted wanted = {.all = true};
    size_t count = owned_list(&call->library->owned, &wanted, handles, room);
    struct ticket *login = slot_ticket(call->session->slot);
    struct bytes ticket = login == NULL ? BYTES_NONE : secret_expose(&login->content);
    enum rc rc = count == 0 ? RC_OK : gather(call, remote_binary(ticket), handles, count);
    ticket_unref(login);
    free(handles);
    return rc;
}
