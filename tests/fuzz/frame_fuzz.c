/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and messages as a hostile peer may send them. The first byte chooses: a request, an
 * answer, or a stream of frames. */
#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Message of a frame, without its header. */
static struct bytes packed(struct buf *out, const ProtobufCMessage *message)
{
    must(frame_put(out, message, SIZE_MAX) == RC_OK);
    return bytes_slice(buf_bytes(out), WIRE_FRAME_HEADER_LEN, out->len);
}

/* What unpacks must pack, unpack again, and then pack to the same bytes. */
static void fuzz_request(struct arena *arena, struct bytes message)
{
    Qhsm__Request *request = NULL;
    if (frame_request(arena, message, &request) != RC_OK)
        return;
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    struct bytes once = packed(&first, &request->base);
    must(request->id == 0 || frame_request_id(once) == request->id);
    must(frame_request(arena, once, &request) == RC_OK);
    must(bytes_equal(packed(&second, &request->base), once));
}

static void fuzz_response(struct arena *arena, struct bytes message)
{
    Qhsm__Response *response = NULL;
    if (frame_response(arena, message, &response) != RC_OK)
        return;
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    struct bytes once = packed(&first, &response->base);
    must(frame_response(arena, once, &response) == RC_OK);
    must(bytes_equal(packed(&second, &response->base), once));
}

static void fuzz_stream(struct arena *arena, struct bytes stream)
{
    size_t len = 0;
    while (frame_peek(stream, WIRE_FRAME_MAX_PUBLIC, &len) == RC_OK && len > 0) {
        must(len > WIRE_FRAME_HEADER_LEN && len <= stream.len);
        fuzz_request(arena,
                     bytes_slice(stream, WIRE_FRAME_HEADER_LEN, len - WIRE_FRAME_HEADER_LEN));
        arena_reset(arena);
        stream = bytes_slice(stream, len, stream.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    if (arena == NULL && arena_new(&arena) != RC_OK)
        abort();
    if (size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    (void)frame_request_id(rest);
    if (data[0] == 'q')
        fuzz_request(arena, rest);
    else if (data[0] == 'a')
        fuzz_response(arena, rest);
    else
        fuzz_stream(arena, rest);
    arena_reset(arena);
    return 0;
}
