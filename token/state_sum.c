/* SPDX-License-Identifier: Apache-2.0 */
/* Addition and subtraction modulo 2^256 of HMACs of rows. */
#include "token/state_sum.h"

static enum rc row_hash(const struct seal_keys *keys, enum sum_table table, struct bytes row,
                        struct state_sum *out)
{
    uint8_t tag = (uint8_t)table;
    uint8_t mac[32];
    const struct bytes parts[] = {bytes_of(&tag, 1), row};
    TRY(seal_mac(keys, SEAL_STATE, parts, 2, mac));
    struct reader in = reader_of(bytes_of(mac, sizeof mac));
    for (unsigned i = 0; i < 4; i++)
        out->words[i] = reader_u64(&in);
    return RC_OK;
}

void state_sum_join(struct state_sum *sum, const struct state_sum *other)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = sum->words[i] + carry;
        carry = word < carry;
        word += other->words[i];
        carry += word < other->words[i];
        sum->words[i] = word;
    }
}

enum rc state_sum_enter(struct state_sum *sum, const struct seal_keys *keys, enum sum_table table,
                        struct bytes row)
{
    struct state_sum hash;
    TRY(row_hash(keys, table, row, &hash));
    state_sum_join(sum, &hash);
    return RC_OK;
}

enum rc state_sum_leave(struct state_sum *sum, const struct seal_keys *keys, enum sum_table table,
                        struct bytes row)
{
    struct state_sum hash;
    TRY(row_hash(keys, table, row, &hash));
    uint64_t borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = sum->words[i] - borrow;
        borrow = word > sum->words[i];
        borrow += word < hash.words[i];
        sum->words[i] = word - hash.words[i];
    }
    return RC_OK;
}
