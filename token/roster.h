/* SPDX-License-Identifier: Apache-2.0 */
/* All objects in ascending order of handle, in segments that a snapshot shares with the live state:
 * taking and dropping a snapshot cost one reference a segment, not one an object. */
#ifndef QHSM_TOKEN_ROSTER_H
#define QHSM_TOKEN_ROSTER_H

#include <sys/uio.h>

#include "token/object.h"

#define ROSTER_SEGMENT 512U

struct roster_segment; /* immutable while shared */

/* Belongs to the writer's thread. */
struct roster {
    struct roster_segment **segments;
    size_t count;
    size_t cap;
    size_t objects;
};

/* Takes a reference of its own. The handle must not be there. RC_NO_MEMORY. */
enum rc roster_add(struct roster *roster, struct object *object);
/* An object of the same handle takes the other's place. RC_NO_MEMORY, RC_NOT_FOUND. */
enum rc roster_replace(struct roster *roster, struct object *object);
enum rc roster_remove(struct roster *roster, uint64_t handle);
void roster_clear(struct roster *roster);
/* Borrowed for the call; false ends the walk. */
void roster_each(const struct roster *roster, bool (*visit)(struct object *object, void *context),
                 void *context);

/* A frozen copy that shares all segments. RC_NO_MEMORY. */
enum rc roster_share(const struct roster *roster, struct roster *out);
/* object_frame() of each object, `roster->objects` of them, in order. */
void roster_frames(const struct roster *roster, struct iovec *out);

#endif
