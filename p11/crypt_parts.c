/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/crypt_parts.h"

#include "rpc/wire.h"

/* A MAC's parts travel together up to this size: one round trip instead of one a part. */
#define GATHER_MAX ((size_t)64 * 1024)
/* Longer messages are hashed here: sending them would cost more. */
#define HASH_HERE_MIN ((size_t)4 * 1024)

bool crypt_parts_give(enum crypt_op op)
{
    return op == CRYPT_ENCRYPT || op == CRYPT_DECRYPT;
}

static bool hashes(const struct operation *operation)
{
    const struct mechanism *mech = operation->mechanism.mech;
    return crypt_family(mech)->hashes && mech->digest != DIGEST_NONE;
}

enum rc crypt_parts_begin(struct call *call, struct operation *operation, enum crypt_op op)
{
    const struct mechanism *mech = operation->mechanism.mech;
    operation->path = PATH_BUFFER;
    if (hashes(operation)) {
        operation->path = PATH_DIGEST;
        return digest_begin(&call->library->digests, &operation->digest, mech->digest);
    }
    if (crypt_family(mech)->path == PATH_REMOTE && crypt_parts_give(op)) {
        operation->path = PATH_REMOTE;
        return crypt_remote_begin(call, operation, op);
    }
    return RC_OK;
}

static enum rc stream(struct call *call, struct operation *operation, struct bytes data,
                      struct secret *out)
{
    for (size_t offset = 0; offset < data.len; offset += WIRE_DATA_MAX) {
        AUTO_REPLY reply = REMOTE_REPLY_INIT;
        struct bytes piece = bytes_slice(data, offset, WIRE_DATA_MAX);
        TRY(crypt_remote_update(call, operation, piece, &reply));
        TRY(secret_append(out, crypt_reply_data(&reply)));
    }
    return RC_OK;
}

/* What a MAC has gathered becomes too much: the daemon takes over. */
static enum rc hand_over(struct call *call, struct operation *operation, enum crypt_op op,
                         struct secret *out)
{
    TRY(crypt_remote_begin(call, operation, op));
    operation->path = PATH_REMOTE;
    enum rc rc = stream(call, operation, secret_expose(&operation->parts), out);
    secret_clear(&operation->parts);
    return rc;
}

static enum rc gather(struct operation *operation, struct bytes part)
{
    if (operation->parts.len + part.len > WIRE_DATA_MAX)
        return rc_fail(RC_TOO_LARGE, "%s takes at most %u bytes in parts",
                       operation->mechanism.mech->name, WIRE_DATA_MAX);
    return secret_append(&operation->parts, part);
}

enum rc crypt_parts_add(struct call *call, struct operation *operation, enum crypt_op op,
                        struct bytes part, struct secret *out)
{
    if (operation->path == PATH_DIGEST)
        return digest_update(&operation->digest, part);
    bool can_stream = crypt_family(operation->mechanism.mech)->path == PATH_REMOTE;
    if (operation->path == PATH_BUFFER && can_stream &&
        operation->parts.len + part.len > GATHER_MAX)
        TRY(hand_over(call, operation, op, out));
    if (operation->path == PATH_BUFFER)
        return gather(operation, part);
    return stream(call, operation, part, out);
}

static enum rc append_reply(struct secret *out, const struct remote_reply *reply)
{
    return secret_append(out, crypt_reply_data(reply));
}

enum rc crypt_parts_end(struct call *call, struct operation *operation, enum crypt_op op,
                        struct bytes signature, struct secret *out)
{
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    if (operation->path == PATH_REMOTE) {
        TRY(crypt_remote_final(call, operation, BYTES_NONE, signature, &reply));
        return append_reply(out, &reply);
    }
    uint8_t digest[DIGEST_LEN_MAX];
    struct crypt_input input = {.data = secret_expose(&operation->parts), .signature = signature};
    if (operation->path == PATH_DIGEST) {
        size_t len = 0;
        TRY(digest_final(&operation->digest, digest, &len));
        input.data = bytes_of(digest, len);
        input.prehashed = true;
    }
    TRY(crypt_remote_once(call, operation, op, &input, &reply));
    return append_reply(out, &reply);
}

static enum rc whole_in_parts(struct call *call, struct operation *operation, enum crypt_op op,
                              const struct crypt_input *input, struct secret *out)
{
    TRY(crypt_parts_begin(call, operation, op));
    TRY(crypt_parts_add(call, operation, op, input->data, out));
    return crypt_parts_end(call, operation, op, input->signature, out);
}

enum rc crypt_parts_whole(struct call *call, struct operation *operation, enum crypt_op op,
                          const struct crypt_input *input, struct secret *out,
                          struct remote_reply *reply)
{
    bool hash_here =
        hashes(operation) && input->data.len > HASH_HERE_MIN && call->library->config->hash_locally;
    if (hash_here || input->data.len > WIRE_DATA_MAX)
        return whole_in_parts(call, operation, op, input, out);
    return crypt_remote_once(call, operation, op, input, reply);
}
