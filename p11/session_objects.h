/* SPDX-License-Identifier: Apache-2.0 */
/* The end of session objects: with their session, and the private ones with the login. */
#ifndef QHSM_P11_SESSION_OBJECTS_H
#define QHSM_P11_SESSION_OBJECTS_H

#include "p11/remote.h"

/* Destroys those of the application's session objects that match. What the daemon cannot be told
 * now, it drops when the application is gone. */
void session_objects_destroy(struct call *call, const struct owned_wanted *wanted);

#endif
