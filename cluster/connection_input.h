/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half of a connection: bytes to frames to calls. */
#ifndef QHSM_CLUSTER_CONNECTION_INPUT_H
#define QHSM_CLUSTER_CONNECTION_INPUT_H

#include "cluster/connection.h"

/* Enough is outstanding or unsent: no more is read until that is less. */
bool connection_input_paused(const struct connection *connection);
/* Reads and serves within this turn's budget; answers that are ready at once gather in the worker's
 * buffer. Sets connection->has_more when served again without new bytes. */
void connection_input_serve(struct connection *connection);

#endif
