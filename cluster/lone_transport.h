/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of a cluster of one: there is nobody to talk to, and nobody may talk to it. */
#ifndef QHSM_CLUSTER_LONE_TRANSPORT_H
#define QHSM_CLUSTER_LONE_TRANSPORT_H

#include <raft/uv.h>

/* Fills in a raft_uv_transport that listens nowhere and refuses to connect. */
void lone_transport_init(struct raft_uv_transport *transport);

#endif
