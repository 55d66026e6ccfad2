/* SPDX-License-Identifier: Apache-2.0 */
/* The module's state between C_Initialize and C_Finalize, and what fork does to it.
 *
 * A child of fork finds the state of another process: it must not touch its locks, which a thread
 * of the parent may have held, nor its connections. Its calls answer "not initialised" until it
 * calls C_Initialize, which makes a new state with the configuration that the parent read; with
 * `fork = inherit` the first call does so by itself and carries login and sessions over. */
#ifndef QHSM_P11_LIBRARY_H
#define QHSM_P11_LIBRARY_H

#include <sys/types.h>

#include "p11/digest.h"
#include "p11/facts.h"
#include "p11/owned.h"
#include "p11/session.h"
#include "p11/slot.h"
#include "p11/tokens.h"
#include "rpc/client.h"

struct library {
    struct library *older; /* every one ever made: reused after C_Finalize, never freed, since
                              a late call may still look at it */
    bool spare;            /* may be reused */
    atomic_uint users;     /* calls inside */
    _Atomic pid_t pid;     /* the process that it belongs to */
    uint8_t application[16];
    bool shares_application; /* with the parent, which counts its changes: ours have no sequence */
    struct client_config *config;
    struct rpc_client *rpc;
    int trace_fd;
    struct digest_library digests;
    struct token_cache tokens;
    struct slot_table slots;
    struct session_table sessions;
    struct facts_cache facts;
    struct owned_objects owned;
};

/* C_Initialize. RC_ALREADY_INITIALIZED, RC_CONFIG, RC_NO_MEMORY. Opens no connection, calls no
 * libcrypto. */
enum rc library_start(void);
/* C_Finalize: waits for the calls of other threads. RC_NOT_INITIALIZED. */
enum rc library_stop(void);

/* The file that QHSM_TRACE names, for what fails before there is a state; -1: none. */
int library_trace_open(void);

/* The state of this process, counted in, or NULL when it has none. */
struct library *library_enter(void);
void library_leave(struct library *library);

#endif
