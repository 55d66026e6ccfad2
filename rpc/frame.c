/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on the wire: header, packing, and unpacking into an arena. */
#include "rpc/frame.h"

#include "rpc/arena.h"
#include "rpc/frame_scan.h"
#include "rpc/wire.h"

enum rc frame_put(struct buf *out, const ProtobufCMessage *message, size_t frame_max)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    if (len > frame_max || len > UINT32_MAX)
        return rc_fail(RC_TOO_LARGE, "a message of %zu bytes, the peer takes %zu", len, frame_max);
    TRY(buf_reserve(out, WIRE_FRAME_HEADER_LEN + len));
    uint8_t *at = out->ptr + out->len;
    for (unsigned i = 0; i < WIRE_FRAME_HEADER_LEN; i++)
        at[i] = (uint8_t)(len >> (24 - 8 * i));
    out->len += WIRE_FRAME_HEADER_LEN;
    out->len += protobuf_c_message_pack(message, out->ptr + out->len);
    return RC_OK;
}

enum rc frame_peek(struct bytes input, size_t frame_max, size_t *out_len)
{
    *out_len = 0;
    if (input.len < WIRE_FRAME_HEADER_LEN)
        return RC_OK;
    size_t len = 0;
    for (unsigned i = 0; i < WIRE_FRAME_HEADER_LEN; i++)
        len = len << 8 | input.ptr[i];
    if (len == 0)
        return rc_fail(RC_PROTOCOL, "an empty frame");
    if (len > frame_max)
        return rc_fail(RC_TOO_LARGE, "a frame of %zu bytes, limit %zu", len, frame_max);
    if (len <= input.len - WIRE_FRAME_HEADER_LEN)
        *out_len = WIRE_FRAME_HEADER_LEN + len;
    return RC_OK;
}

static enum rc unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
                      struct bytes message, void **out)
{
    arena_budget_for(arena, message.len);
    void *msg =
        protobuf_c_message_unpack(descriptor, arena_allocator(arena), message.len, message.ptr);
    if (msg == NULL)
        return rc_fail(RC_PROTOCOL, "%s of %zu bytes cannot be unpacked", descriptor->name,
                       message.len);
    *out = msg;
    return RC_OK;
}

enum rc frame_request(struct arena *arena, struct bytes message, Qhsm__Request **out)
{
    TRY(frame_scan(&qhsm__request__descriptor, message, FRAME_UNKNOWN_REFUSED));
    void *msg = NULL;
    TRY(unpack(arena, &qhsm__request__descriptor, message, &msg));
    Qhsm__Request *request = msg;
    if (request->body_case == QHSM__REQUEST__BODY__NOT_SET)
        return rc_fail(RC_PROTOCOL, "a request without a body");
    *out = request;
    return RC_OK;
}

enum rc frame_response(struct arena *arena, struct bytes message, Qhsm__Response **out)
{
    TRY(frame_scan(&qhsm__response__descriptor, message, FRAME_UNKNOWN_SKIPPED));
    void *msg = NULL;
    TRY(unpack(arena, &qhsm__response__descriptor, message, &msg));
    *out = msg;
    return RC_OK;
}

uint64_t frame_request_id(struct bytes message)
{
    if (message.len < 2 || message.ptr[0] != 0x08)
        return 0;
    uint64_t id = 0;
    for (unsigned i = 1; i < message.len && i < 11; i++) {
        id |= (uint64_t)(message.ptr[i] & 0x7F) << (7 * (i - 1));
        if (message.ptr[i] < 0x80)
            return id;
    }
    return 0;
}
