/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: a u32 big-endian length and one protobuf message; and an arena for unpacking without a
 * malloc a field. */
#ifndef QHSM_RPC_FRAME_H
#define QHSM_RPC_FRAME_H

#include "common/buf.h"
#include "common/rc.h"
#include "rpc/qhsm.pb-c.h"

/* Appends header and packed message. RC_TOO_LARGE beyond frame_max. */
enum rc frame_put(struct buf *out, const ProtobufCMessage *message, size_t frame_max);

/* Looks at the front of `input`: RC_OK and *out_len = whole frame's length (header included) when
 * it is complete; *out_len = 0 when more is needed; RC_TOO_LARGE when the announced length is over
 * frame_max, RC_PROTOCOL when zero. */
enum rc frame_peek(struct bytes input, size_t frame_max, size_t *out_len);

/* Bump allocator for protobuf-c, reused from request to request, wiped on reset, hard maximum of
 * memory (a message may expand to at most ARENA_FACTOR times its frame plus 64 KiB). One thread. */
struct arena;
enum rc arena_new(struct arena **out);
void arena_free(struct arena *arena);
void arena_reset(struct arena *arena);

/* Message = frame without its header. The result lives in the arena until its reset. Refuses
 * unknown fields in Request and its bodies, a field or body given twice, text that is not UTF-8
 * (RC_PROTOCOL), counts over their limits (RC_TOO_LARGE); docs/protocol.md has the limits. */
enum rc frame_request(struct arena *arena, struct bytes message, Qhsm__Request **out);
enum rc frame_response(struct arena *arena, struct bytes message, Qhsm__Response **out);
/* Id of a message that frame_request() refused, so that the refusal can be answered; 0 when it
 * cannot be read. */
uint64_t frame_request_id(struct bytes message);

#endif
