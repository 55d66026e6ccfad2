/* SPDX-License-Identifier: Apache-2.0 */
/* Which user each client connection to this HSM is logged in as: that of the last ticket that was
 * good there. A ticket itself tells nobody who holds it; a key store whose user is to be the KMS's
 * alone asks. Any thread. */
#ifndef QHSM_CLUSTER_LOGINS_H
#define QHSM_CLUSTER_LOGINS_H

#include <stdatomic.h>

#include "token/user.h"

/* A connection's, in its memory; zeroed at first. */
struct login_note {
    atomic_bool is_noted; /* changed under the lock; its connection's worker looks without */
    struct login_note *next, *previous;
    struct ticket ticket;
    const char *peer; /* name of who is connected, as long as it is noted */
    uint64_t since_ms;
};

struct logins;

enum rc logins_new(struct logins **out);
void logins_free(struct logins *logins);

/* The connection is logged in by that ticket, and by no other. */
void logins_note(struct logins *logins, struct login_note *note, const struct ticket *ticket,
                 const char *peer, uint64_t now_ms);
/* The connection ends. */
void logins_forget(struct logins *logins, struct login_note *note);
/* The application of that login has logged out: none of its connections is that user's any more. */
void logins_end(struct logins *logins, const struct ticket *login);
/* On how many connections that user's login still holds; each is named in the log. */
uint32_t logins_count(struct logins *logins, const struct state *state, uint64_t user_id,
                      uint64_t now_ms);

#endif
