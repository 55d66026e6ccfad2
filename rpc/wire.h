/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the wire that both sides share beyond the .proto: enums, bits, limits. */
#ifndef QHSM_RPC_WIRE_H
#define QHSM_RPC_WIRE_H

#include "common/crypt.h"

#define WIRE_VERSION_MIN 1U
#define WIRE_VERSION_MAX 1U

/* A frame: u32 big-endian, the length of the message that follows. */
#define WIRE_FRAME_HEADER_LEN 4U
/* After login; HelloReply.frame_max tells the daemon's own. */
#define WIRE_FRAME_MAX (4U * 1024U * 1024U)
/* Before the first login on the connection. */
#define WIRE_FRAME_MAX_PUBLIC (64U * 1024U)
/* Data in one crypt or update request; clients split above. */
#define WIRE_DATA_MAX (1024U * 1024U)
/* Requests outstanding on one connection. */
#define WIRE_PIPELINE_MAX 64U
#define WIRE_TICKET_MAX   512U
/* Handles in one FindReply. */
#define WIRE_FIND_LIMIT 4096U

/* Handles with this bit name session objects, known to the HSM that holds them. */
#define WIRE_SESSION_HANDLE ((uint64_t)1 << 62)

#endif
