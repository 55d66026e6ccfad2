/* SPDX-License-Identifier: Apache-2.0 */
/* Rows into the running sum, and the hash over all. */
#include "token/state_internal.h"

enum rc state_digest_hash(const struct seal_keys *keys, const struct state_digest *digest,
                          uint8_t out[32])
{
    AUTO_BUF numbers = BUF_INIT;
    for (unsigned i = 0; i < 4; i++)
        TRY(buf_put_u64(&numbers, digest->sum.words[i]));
    TRY(buf_put_u64(&numbers, digest->applied));
    TRY(buf_put_u64(&numbers, digest->clock_ms));
    TRY(buf_put_u64(&numbers, digest->next_handle));
    TRY(buf_put_u64(&numbers, digest->next_user));
    TRY(buf_put_u64(&numbers, digest->next_request));
    const struct bytes parts[] = {bytes_of_str("state"), buf_bytes(&numbers)};
    return seal_mac(keys, SEAL_STATE, parts, 2, out);
}

static enum rc token_sum(struct state_content *content, const struct seal_keys *keys,
                         const struct token_row *row, bool enter)
{
    AUTO_BUF encoded = BUF_INIT;
    TRY(token_row_encode(&encoded, row));
    struct state_sum *sum = &content->digest.sum;
    return enter ? state_sum_enter(sum, keys, SUM_TOKEN, buf_bytes(&encoded))
                 : state_sum_leave(sum, keys, SUM_TOKEN, buf_bytes(&encoded));
}

enum rc state_token_enter(struct state_content *content, const struct seal_keys *keys,
                          const struct token_row *row)
{
    return token_sum(content, keys, row, true);
}

enum rc state_token_leave(struct state_content *content, const struct seal_keys *keys,
                          const struct token_row *row)
{
    return token_sum(content, keys, row, false);
}

static enum rc user_sum(struct state_content *content, const struct seal_keys *keys,
                        const struct user_row *row, bool enter)
{
    AUTO_BUF encoded = BUF_INIT;
    TRY(user_row_encode(&encoded, row));
    struct state_sum *sum = &content->digest.sum;
    return enter ? state_sum_enter(sum, keys, SUM_USER, buf_bytes(&encoded))
                 : state_sum_leave(sum, keys, SUM_USER, buf_bytes(&encoded));
}

enum rc state_user_enter(struct state_content *content, const struct seal_keys *keys,
                         const struct user_row *row)
{
    return user_sum(content, keys, row, true);
}

enum rc state_user_leave(struct state_content *content, const struct seal_keys *keys,
                         const struct user_row *row)
{
    return user_sum(content, keys, row, false);
}

enum rc state_object_enter(struct state_content *content, const struct seal_keys *keys,
                           struct object *object)
{
    TRY(state_sum_enter(&content->digest.sum, keys, SUM_OBJECT, object_frame(object)));
    TRY(roster_add(&content->roster, object));
    return store_add(content->store, object);
}
