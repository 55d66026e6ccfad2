/* SPDX-License-Identifier: Apache-2.0 */
/* One PIN check at a time for each user: the count of wrong tries is replicated before the next is
 * looked at, so that parallel guesses cannot overshoot the limit. */
#ifndef QHSM_CLUSTER_LOGIN_GATE_H
#define QHSM_CLUSTER_LOGIN_GATE_H

#include <stdint.h>

#include "cluster/call.h"

struct login_gate;

enum rc login_gate_new(struct login_gate **out);
void login_gate_free(struct login_gate *gate);
/* *out_entered: the call may go on now; else it is kept until login_gate_leave() of another returns
 * it. RC_OVERLOADED when too many wait, RC_UNAVAILABLE when closed. Sets call->gate_key. */
enum rc login_gate_enter(struct login_gate *gate, struct call *call, uint64_t key,
                         bool *out_entered);
/* Clears call->gate_key; returns the call that may go on instead, or NULL. */
struct call *login_gate_leave(struct login_gate *gate, struct call *call);
/* When the workers are about to end: the calls that wait, to be refused; nobody enters or waits any
 * more. */
struct call *login_gate_close(struct login_gate *gate);
/* Non-zero; of the user whose PIN the call presents. */
uint64_t login_gate_key(const struct call *call);

#endif
