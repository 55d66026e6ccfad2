/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/call.h"

/* More than any address space has; sums of such lengths do not overflow. */
#define INPUT_MAX (1UL << 60)

enum rc call_begin(struct call *call, enum function function)
{
    rc_detail_clear();
    call->session = NULL;
    call->library = library_enter();
    trace_begin(&call->trace, call->library == NULL ? -1 : call->library->trace_fd,
                function_name(function));
    return call->library == NULL ? RC_NOT_INITIALIZED : RC_OK;
}

enum rc call_begin_session(struct call *call, enum function function, CK_SESSION_HANDLE session)
{
    TRY(call_begin(call, function));
    trace_handle(&call->trace, "session", session);
    return session_lock(&call->library->sessions, session, &call->session);
}

CK_RV call_end(struct call *call, enum rc rc)
{
    if (call->session != NULL)
        session_unlock(call->session);
    trace_end(&call->trace, rc);
    if (call->library != NULL)
        library_leave(call->library);
    return rc == RC_OK ? CKR_OK : rc_info(rc)->ckr;
}

void store_ulong(void *out, CK_ULONG value)
{
    memcpy(out, &value, sizeof value);
}

CK_ULONG load_ulong(const void *in)
{
    CK_ULONG value;
    memcpy(&value, in, sizeof value);
    return value;
}

enum rc output_give(struct output out, struct bytes data)
{
    size_t room = output_room(out);
    store_ulong(out.len, data.len);
    if (out.ptr == NULL)
        return RC_OK;
    if (room < data.len)
        return RC_BUFFER_TOO_SMALL;
    if (data.len > 0)
        memcpy(out.ptr, data.ptr, data.len);
    return RC_OK;
}

size_t output_room(struct output out)
{
    return out.ptr == NULL ? 0 : load_ulong(out.len);
}

enum rc input_of(const void *ptr, CK_ULONG len, struct bytes *out)
{
    if (ptr == NULL && len > 0)
        return rc_fail(RC_BAD_ARGUMENT, "NULL data with a length of %lu", len);
    if (len > INPUT_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "no data can have a length of %lu", len);
    *out = bytes_of(ptr, len);
    return RC_OK;
}
