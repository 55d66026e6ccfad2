/* SPDX-License-Identifier: Apache-2.0 */
/* The application's session objects: which session made each, its sealed form, which another HSM
 * needs when the one that holds the object is lost, and where the object is. All are used at one
 * HSM, their home: what another one still holds may be older. */
#ifndef QHSM_P11_OWNED_H
#define QHSM_P11_OWNED_H

#include <pthread.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/cryptoki.h"

#define OWNED_BUCKETS 256U

struct owned_object;
struct owned_objects {
    pthread_mutex_t lock;
    size_t count;
    uint64_t home; /* number of the HSM; 0: none yet, or lost */
    struct owned_object *buckets[OWNED_BUCKETS];
};

struct owned_origin {
    CK_SESSION_HANDLE session;
    CK_SLOT_ID slot;
    bool is_private;
};

void owned_init(struct owned_objects *all);
void owned_clear(struct owned_objects *all);
/* Adds, or replaces the sealed form of one already there. `at`: the HSM that holds it, the home of
 * all when there is none. RC_NO_MEMORY. */
enum rc owned_put(struct owned_objects *all, CK_OBJECT_HANDLE handle,
                  const struct owned_origin *origin, struct bytes sealed, uint64_t at);
void owned_remove(struct owned_objects *all, CK_OBJECT_HANDLE handle);
bool owned_has(struct owned_objects *all, CK_OBJECT_HANDLE handle);
/* Copies the sealed form. RC_OBJECT_HANDLE when it is not ours. */
enum rc owned_sealed(struct owned_objects *all, CK_OBJECT_HANDLE handle, struct buf *out);
size_t owned_count(struct owned_objects *all);

uint64_t owned_home(struct owned_objects *all);
/* `node` becomes the home, unless there is one. */
void owned_settle(struct owned_objects *all, uint64_t node);
/* `node` is not to be the home any more, if it was. */
void owned_leave(struct owned_objects *all, uint64_t node);
/* Where the latest form of the object is; 0: nowhere, or not ours. */
uint64_t owned_at(struct owned_objects *all, CK_OBJECT_HANDLE handle);
void owned_moved(struct owned_objects *all, CK_OBJECT_HANDLE handle, uint64_t node);
/* `node` holds none of them any more: it was restarted. */
void owned_lost(struct owned_objects *all, uint64_t node);

/* Which objects: of a session (`session` not 0), or the private ones of a slot. */
struct owned_wanted {
    CK_SESSION_HANDLE session;
    CK_SLOT_ID private_of_slot;
    bool all;
};
/* Handles of those that match, at most `room`. */
size_t owned_list(struct owned_objects *all, const struct owned_wanted *wanted,
                  CK_OBJECT_HANDLE *out, size_t room);

#endif
