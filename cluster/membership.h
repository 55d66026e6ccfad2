/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the engine's configuration to what the roll says, on the HSM that leads: adds who was
 * approved, lets it catch up, promotes it when it is close behind with an equal state, removes who
 * is to go, hands the lead over when this HSM is drained. Its own thread; one change at a time. */
#ifndef QHSM_CLUSTER_MEMBERSHIP_H
#define QHSM_CLUSTER_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"

struct membership;
struct service;

enum rc membership_start(struct service *service, struct membership **out);
/* Somebody with the certificate of that member was refused; any thread. */
void membership_note_refusal(struct membership *membership, uint64_t id, const char *reason);
/* The last such reason, and when; false: none since the start, or it is well again. Any thread. */
#define MEMBERSHIP_REASON_LEN 160U
bool membership_refusal(struct membership *membership, uint64_t id,
                        char out[MEMBERSHIP_REASON_LEN]);
/* Looks again now rather than in a quarter of a second. Any thread. */
void membership_wake(struct membership *membership);
/* It begins nothing any more; requests may still ask and wake it until it is freed. Not waited
 * for: it may wait for a change that without a majority only the engine's end ends. */
void membership_stop(struct membership *membership);
/* Waits for its thread: after consensus_end(). */
void membership_free(struct membership *membership);

#endif
