/* SPDX-License-Identifier: Apache-2.0 */
/* The application's side of a slot: its sessions counted and its login, which belongs to the
 * application, not to a session (PKCS#11 3.1 5.6). */
#ifndef QHSM_P11_SLOT_H
#define QHSM_P11_SLOT_H

#include <pthread.h>
#include <stdbool.h>

#include "common/crypt.h"
#include "common/cryptoki.h"
#include "p11/ticket.h"

#define SLOT_USER_ROOM 256U

/* Made at the first session, lives until C_Finalize. */
struct slot {
    CK_SLOT_ID id;
    struct slot *next;
    pthread_mutex_t lock; /* guards all below */
    unsigned sessions;
    unsigned read_only_sessions;
    enum user_role role;
    struct ticket *ticket;
    char user[SLOT_USER_ROOM]; /* who is logged in, as the daemon names him */
};

struct slot_table {
    pthread_mutex_t lock;
    struct slot *first;
};

void slot_table_init(struct slot_table *table);
void slot_table_clear(struct slot_table *table);
/* The slot's state, made when new; NULL without memory. Whether the daemon has such a slot is the
 * caller's to check. */
struct slot *slot_table_get(struct slot_table *table, CK_SLOT_ID id);

/* Counts a session in. RC_SESSION_RW_SO_EXISTS for a read-only one beside a security officer. */
enum rc slot_session_add(struct slot *slot, bool read_only);
/* Counts it out. The last one logs out: true, and the login has been dropped. */
bool slot_session_remove(struct slot *slot, bool read_only);
/* RC_SESSION_EXISTS when any session is open. */
enum rc slot_check_no_session(struct slot *slot);

enum user_role slot_role(struct slot *slot);
/* New reference to the login's ticket, or NULL in a public session. */
struct ticket *slot_ticket(struct slot *slot);
/* What C_Login must refuse before it asks the daemon: RC_ALREADY_LOGGED_IN, RC_OTHER_LOGGED_IN,
 * RC_SESSION_READ_ONLY_EXISTS. */
enum rc slot_check_login(struct slot *slot, enum user_role role);
/* The same checks, then takes over the reference. On failure the reference stays the caller's. */
enum rc slot_login(struct slot *slot, enum user_role role, const char *user, struct ticket *ticket);
void slot_user(struct slot *slot, char out[SLOT_USER_ROOM]);
/* Replaces the ticket of the login that is active, for a PIN change. */
void slot_ticket_replace(struct slot *slot, struct ticket *ticket);
/* RC_NOT_LOGGED_IN. */
enum rc slot_logout(struct slot *slot);
/* The daemon says that this ticket is void: logged out, unless a newer one is in place. True when
 * it was. */
bool slot_ticket_void(struct slot *slot, const struct ticket *ticket);

#endif
