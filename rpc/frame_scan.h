/* SPDX-License-Identifier: Apache-2.0 */
/* Check of a message's shape before any memory is spent on it. */
#ifndef QHSM_RPC_FRAME_SCAN_H
#define QHSM_RPC_FRAME_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "common/bytes.h"
#include "common/rc.h"

enum frame_unknown {
    FRAME_UNKNOWN_REFUSED, /* requests: an unknown field might carry a restriction */
    FRAME_UNKNOWN_SKIPPED, /* answers of a newer daemon */
};

/* Walks the whole message by its descriptor. RC_PROTOCOL for a malformed field, a wrong wire type,
 * a singular field given twice, more than one member of a oneof, a string that is not UTF-8 or has
 * a NUL, or (as asked) an unknown field; RC_TOO_LARGE for a count over its limit. */
enum rc frame_scan(const ProtobufCMessageDescriptor *descriptor, struct bytes message,
                   enum frame_unknown unknown);

#endif
