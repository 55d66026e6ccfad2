/* SPDX-License-Identifier: Apache-2.0 */
/* AES in the modes of SP 800-38A: ECB, CBC with and without padding, CTR. */
#include <stdlib.h>

#include "token/mech_aes.h"

/* Columns in which the four families differ. */
struct block_mode {
    enum aes_mode mode;
    bool pad;   /* PKCS#7 */
    bool whole; /* whole blocks in both directions */
};

static struct block_mode mode_of(const struct mechanism *mech)
{
    bool pad = mech->family == FAMILY_AES_CBC_PAD;
    if (mech->family == FAMILY_AES_CTR)
        return (struct block_mode){.mode = AES_CTR};
    return (struct block_mode){
        .mode = mech->family == FAMILY_AES_ECB ? AES_ECB : AES_CBC, .pad = pad, .whole = !pad};
}

static struct bytes iv_of(const struct mech_call *call)
{
    if (call->mech->param == PARAM_CTR)
        return bytes_of(call->u.ctr.block, sizeof call->u.ctr.block);
    return call->mech->param == PARAM_IV ? call->u.iv : BYTES_NONE;
}

static enum rc check_iv(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    if (call->u.iv.len == AES_BLOCK)
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM, "IV of %zu bytes, %s takes 16", call->u.iv.len,
                   call->mech->name);
}

static enum rc check_counter(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    if (call->u.ctr.counter_bits >= 1 && call->u.ctr.counter_bits <= 128)
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM, "counter of %lu bits, CTR takes 1 to 128",
                   call->u.ctr.counter_bits);
}

/* Bytes before a counter of fewer than 128 bits would wrap into the nonce, which libcrypto's
 * 128-bit counter would change. SP 800-38A B.1. */
static uint64_t counter_room(const struct mech_call *call)
{
    if (call->mech->param != PARAM_CTR || call->u.ctr.counter_bits == 128)
        return UINT64_MAX;
    unsigned bits = (unsigned)call->u.ctr.counter_bits;
    uint64_t left = 0; /* the counter's complement, saturated */
    for (unsigned bit = bits; bit-- > 0;) {
        bool clear = (call->u.ctr.block[15 - bit / 8] >> (bit % 8) & 1) == 0;
        if (left >= UINT64_MAX >> 8)
            return UINT64_MAX;
        left = left << 1 | (clear ? 1U : 0U);
    }
    return left >= UINT64_MAX >> 8 ? UINT64_MAX : (left + 1) * AES_BLOCK;
}

static enum rc check_room(uint64_t total, uint64_t room, bool encrypt)
{
    if (total <= room)
        return RC_OK;
    return rc_fail(encrypt ? RC_DATA_LEN : RC_ENCRYPTED_DATA_LEN,
                   "the counter would wrap after %lu bytes", (unsigned long)room);
}

static enum rc check_whole(uint64_t total, const struct block_mode *mode, bool encrypt)
{
    bool ragged = total % AES_BLOCK != 0;
    bool bad = mode->whole ? ragged : mode->pad && !encrypt && (ragged || total == 0);
    if (!bad)
        return RC_OK;
    return rc_fail(encrypt ? RC_DATA_LEN : RC_ENCRYPTED_DATA_LEN,
                   "%lu bytes are no whole number of blocks", (unsigned long)total);
}

static enum rc run(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    TRY(mech_aes_start(context, iv_of(work->call)));
    TRY(mech_aes_feed(context, work->data, RC_ENCRYPTED_DATA, out));
    return mech_aes_finish(context, RC_ENCRYPTED_DATA, out);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    bool encrypt = work->op == CRYPT_ENCRYPT;
    const struct block_mode mode = mode_of(work->call->mech);
    const struct aes_setup setup = {.mode = mode.mode, .encrypt = encrypt, .pad = mode.pad};
    TRY(check_whole(work->data.len, &mode, encrypt));
    TRY(check_room(work->data.len, counter_room(work->call), encrypt));
    return mech_aes_use(work, &setup, run, out);
}

struct block_stream {
    EVP_CIPHER_CTX *context;
    struct block_mode mode;
    uint64_t total;
    uint64_t room;
};

static void stream_free(void *state)
{
    struct block_stream *stream = state;
    EVP_CIPHER_CTX_free(stream->context);
    free(stream);
}

static enum rc begin(const struct mech_call *call, struct buf *out_iv, struct operation *operation)
{
    (void)out_iv;
    const struct block_mode mode = mode_of(call->mech);
    const struct aes_setup setup = {
        .mode = mode.mode, .encrypt = operation->op == CRYPT_ENCRYPT, .pad = mode.pad};
    struct block_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return RC_NO_MEMORY;
    operation->state = stream;
    operation->state_free = stream_free;
    stream->mode = mode;
    stream->room = counter_room(call);
    TRY(mech_aes_new(secret_expose(&operation->key->value), &setup, &stream->context));
    return mech_aes_start(stream->context, iv_of(call));
}

static enum rc update(struct operation *operation, struct bytes data, struct buf *out)
{
    struct block_stream *stream = operation->state;
    stream->total += data.len;
    TRY(check_room(stream->total, stream->room, operation->op == CRYPT_ENCRYPT));
    return mech_aes_feed(stream->context, data, RC_ENCRYPTED_DATA, out);
}

static enum rc final(struct operation *operation, struct bytes data, struct bytes signature,
                     struct buf *out)
{
    (void)signature;
    struct block_stream *stream = operation->state;
    TRY(check_whole(stream->total + data.len, &stream->mode, operation->op == CRYPT_ENCRYPT));
    TRY(update(operation, data, out));
    return mech_aes_finish(stream->context, RC_ENCRYPTED_DATA, out);
}

/* Without padding the value is filled with zero bytes to whole blocks, and unwrapping gives those
 * bytes too: the template's length cuts them off. PKCS#11 3.1 6.13.4, 6.13.5. */
static enum rc wrap_whole(const struct mech_call *call, struct key *wrapping, unsigned lane,
                          const struct secret *plain, struct buf *out)
{
    AUTO_SECRET filled = SECRET_INIT;
    TRY(secret_from_bytes(&filled, secret_expose(plain)));
    while (filled.len % AES_BLOCK != 0)
        TRY(secret_put_u8(&filled, 0));
    return mech_aes_wrap_with(crypt, call, wrapping, lane, secret_expose(&filled), out);
}

static enum rc wrap_padded(const struct mech_call *call, struct key *wrapping, unsigned lane,
                           const struct secret *plain, struct buf *out)
{
    return mech_aes_wrap_with(crypt, call, wrapping, lane, secret_expose(plain), out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    return mech_aes_unwrap_with(crypt, call, unwrapping, lane, wrapped, out_plain);
}

const struct mech_methods mech_aes_ecb = {.crypt = crypt,
                                          .begin = begin,
                                          .update = update,
                                          .final = final,
                                          .wrap = wrap_whole,
                                          .unwrap = unwrap};

const struct mech_methods mech_aes_cbc = {.check = check_iv,
                                          .crypt = crypt,
                                          .begin = begin,
                                          .update = update,
                                          .final = final,
                                          .wrap = wrap_whole,
                                          .unwrap = unwrap};

const struct mech_methods mech_aes_cbc_pad = {.check = check_iv,
                                              .crypt = crypt,
                                              .begin = begin,
                                              .update = update,
                                              .final = final,
                                              .wrap = wrap_padded,
                                              .unwrap = unwrap};

const struct mech_methods mech_aes_ctr = {
    .check = check_counter, .crypt = crypt, .begin = begin, .update = update, .final = final};
