/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.4: C_Initialize and C_Finalize; and the functions that no modern module has. */
#include "p11/call.h"

/* All four or none; and whatever is given, the operating system's locks serve. */
static enum rc check_arguments(const void *pointer)
{
    if (pointer == NULL)
        return RC_OK;
    CK_C_INITIALIZE_ARGS args;
    memcpy(&args, pointer, sizeof args);
    if (args.pReserved != NULL)
        return rc_fail(RC_BAD_ARGUMENT, "pReserved is not NULL");
    int given = (args.CreateMutex != NULL) + (args.DestroyMutex != NULL) +
                (args.LockMutex != NULL) + (args.UnlockMutex != NULL);
    if (given != 0 && given != 4)
        return rc_fail(RC_BAD_ARGUMENT, "%d of 4 mutex functions given", given);
    return RC_OK;
}

CK_RV C_Initialize(CK_VOID_PTR pInitArgs)
{
    rc_detail_clear();
    enum rc rc = check_arguments(pInitArgs);
    if (rc == RC_OK)
        rc = library_start();
    struct call call = {.session = NULL, .library = library_enter()};
    int own_fd = call.library == NULL ? library_trace_open() : -1;
    trace_begin(&call.trace, call.library == NULL ? own_fd : call.library->trace_fd,
                function_name(FN_C_Initialize));
    CK_RV rv = call_end(&call, rc);
    trace_close(own_fd);
    return rv;
}

CK_RV C_Finalize(CK_VOID_PTR pReserved)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_Finalize);
    if (rc == RC_OK && pReserved != NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "pReserved is not NULL");
    CK_RV rv = call_end(&call, rc);
    if (rc != RC_OK)
        return rv;
    rc = library_stop();
    return rc_info(rc)->ckr;
}

static CK_RV not_parallel(enum function function, CK_SESSION_HANDLE session)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    return call_end(&call, rc == RC_OK ? RC_FUNCTION_NOT_PARALLEL : rc);
}

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE hSession)
{
    return not_parallel(FN_C_GetFunctionStatus, hSession);
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE hSession)
{
    return not_parallel(FN_C_CancelFunction, hSession);
}
