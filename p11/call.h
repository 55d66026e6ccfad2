/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of every C_ function: initialised in this process? session of that handle, trace, and
 * the translation of the house's error into a CKR. And stores through a caller's pointers, which
 * may be misaligned. */
#ifndef QHSM_P11_CALL_H
#define QHSM_P11_CALL_H

#include "p11/function.h"
#include "p11/library.h"
#include "p11/trace.h"

struct call {
    struct library *library;
    struct session *session; /* locked; NULL outside of a session */
    struct trace_line trace;
};

/* RC_NOT_INITIALIZED. call_end() follows in any case. */
enum rc call_begin(struct call *call, enum function function);
/* The same, and locks the session. RC_SESSION_INVALID. */
enum rc call_begin_session(struct call *call, enum function function, CK_SESSION_HANDLE session);
/* Unlocks, writes the trace, translates. */
CK_RV call_end(struct call *call, enum rc rc);

void store_ulong(void *out, CK_ULONG value);
CK_ULONG load_ulong(const void *in);

/* A caller's output buffer with its length pointer. */
struct output {
    CK_BYTE_PTR ptr;
    CK_ULONG_PTR len;
};
static inline struct output output_of(CK_BYTE_PTR ptr, CK_ULONG_PTR len)
{
    return (struct output){.ptr = ptr, .len = len};
}
/* Gives the data: RC_OK, or RC_BUFFER_TOO_SMALL; with ptr NULL only the length, RC_OK. */
enum rc output_give(struct output out, struct bytes data);
/* The room there is; 0 when the caller asks for the length only. */
size_t output_room(struct output out);

/* A caller's input: RC_BAD_ARGUMENT for NULL with a length. */
enum rc input_of(const void *ptr, CK_ULONG len, struct bytes *out);

#endif
