/* SPDX-License-Identifier: Apache-2.0 */
/* An HSM that does what a test says: answers on a Unix socket from a table of handlers, counts what
 * it was asked, and a client.conf that leads to it. */
#ifndef QHSM_TESTS_P11_SCRIPT_HSM_H
#define QHSM_TESTS_P11_SCRIPT_HSM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/cryptoki.h"
#include "rpc/qhsm.pb-c.h"

#define SCRIPT_BODIES 64

struct script_hsm {
    /* what is asked for, by body of the request; logins and mutations included */
    atomic_uint asked[SCRIPT_BODIES];
    /* the answer to the next request of that body, once: RC_OK is the usual answer */
    atomic_uint fail_once[SCRIPT_BODIES];
    /* the key: public facts of every handle */
    atomic_ulong version;
    atomic_ulong key_type;
    atomic_ulong object_class;
    atomic_uint size_bits;
    atomic_uint usage;
    atomic_uint output_len;
    atomic_bool always_authenticate;
    atomic_bool session_objects; /* new objects are session objects */
    atomic_bool restricted;      /* to no mechanism at all */
    /* what the last requests said */
    atomic_bool prehashed;
    atomic_uint data_len;
    atomic_uint ticket_len;
    atomic_ulong find_total; /* objects that a search finds */
    atomic_bool disabled;    /* all of the token's mechanisms with a policy: CKM_ECDSA */
};
extern struct script_hsm script;

#define SCRIPT_TIMEOUT_S 90 /* of connecting and of a call: a machine may pause for seconds */

/* Starts it with an RSA-2048 private key that may do everything, and names its client.conf in
 * QHSM_CONF. `more`: further lines of client.conf, or NULL. */
void script_start(const char *more);
void script_stop(void);
/* Every connection is cut; it goes on listening. */
void script_cut(void);

/* C_Initialize, one read-write session on slot 1. */
CK_SESSION_HANDLE script_session(void);
/* Requests so far, hello left out. */
unsigned script_total(void);

#endif
