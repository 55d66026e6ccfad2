/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated distance: what the engine sends waits in a queue before it goes out. */
#ifndef QHSM_CLUSTER_PEER_DELAY_H
#define QHSM_CLUSTER_PEER_DELAY_H

#include "cluster/peer_link.h"

/* Takes in what the engine sends, and moves what is due into the link's empty buffer; sets the
 * link's timer for what is not. Errors of peer_pump_read_pair(). */
enum rc peer_delay_refill(struct peer_link *link, unsigned delay_ms, size_t *out_len);
bool peer_delay_is_full(const struct peer_link *link);
void peer_delay_clear(struct peer_link *link);

/* peer_pump.c: more of what the engine sends; length 0: nothing now. RC_CANCELLED when it closed.
 */
enum rc peer_pump_read_pair(struct peer_link *link, uint8_t *out, size_t max, size_t *out_len);

#endif
