/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that concern session objects: sent to the HSM that is their home, and when that one is
 * in trouble to another, which is given the sealed forms first. */
#ifndef QHSM_P11_REMOTE_HOME_H
#define QHSM_P11_REMOTE_HOME_H

#include "p11/remote.h"

/* Does the request name, make or find session objects? */
bool remote_home_concerns(struct call *call, const struct remote_how *how);
/* Sends it. RC_SESSION_OBJECT_LOST when it names a session object that is not ours (any more): what
 * some HSM may still hold under that handle is not asked for. */
enum rc remote_home_call(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                         struct remote_reply *out);
/* Before a search: brings all of ours to their home. */
enum rc remote_home_gather(struct call *call);
/* Should a search that found this handle tell of it? Not of what was destroyed, but an HSM that was
 * away still holds. */
bool remote_home_shows(struct call *call, CK_OBJECT_HANDLE handle);

#endif
