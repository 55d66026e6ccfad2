/* SPDX-License-Identifier: Apache-2.0 */
/* The counter mode of SP 800-108, with HMAC or CMAC, its fields in the order that the caller gives
 * (PKCS#11 3.1 6.42). */
#include "token/mech_kdf.h"
#include "token/mech_mac.h"

static enum rc bad(const char *what)
{
    return rc_fail(RC_MECHANISM_PARAM, "SP 800-108: %s", what);
}

/* DIGEST_NONE: CMAC. */
static enum rc prf_of(const struct mech_call *call, enum digest_id *out)
{
    const struct mechanism *prf = mechanism_find(call->u.kdf.prf);
    bool known = prf != NULL && prf->param == PARAM_NONE &&
                 (prf->family == FAMILY_HMAC || prf->family == FAMILY_AES_CMAC);
    if (!known)
        return bad("the PRF is neither an HMAC nor AES-CMAC");
    *out = prf->digest;
    return RC_OK;
}

static bool width_fits(CK_ULONG bits, CK_ULONG max)
{
    return bits >= 8 && bits <= max && bits % 8 == 0;
}

static enum rc check_field(const struct prf_field *field, unsigned *counters, unsigned *lengths)
{
    switch (field->type) {
    case CK_SP800_108_ITERATION_VARIABLE:
        ++*counters;
        return width_fits(field->width_bits, 32) ? RC_OK
                                                 : bad("a counter has 8, 16, 24 or 32 bits");
    case CK_SP800_108_DKM_LENGTH:
        ++*lengths;
        if (field->dkm_method != CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS &&
            field->dkm_method != CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS)
            return bad("unknown method for the length");
        return width_fits(field->width_bits, 64) ? RC_OK : bad("the length has 8, 16, ... 64 bits");
    case CK_SP800_108_BYTE_ARRAY:
        return RC_OK;
    default:
        return bad("a field is not for the counter mode");
    }
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    unsigned counters = 0;
    unsigned lengths = 0;
    enum digest_id prf = DIGEST_NONE;
    TRY(prf_of(call, &prf));
    for (size_t i = 0; i < call->u.kdf.field_count; i++)
        TRY(check_field(&call->u.kdf.fields[i], &counters, &lengths));
    if (counters != 1)
        return bad("exactly one iteration variable is needed");
    return lengths <= 1 ? RC_OK : bad("the length may come once");
}

static void put_number(uint8_t out[8], uint64_t number, size_t width, bool little_endian)
{
    for (size_t i = 0; i < width; i++) {
        size_t at = little_endian ? i : width - 1 - i;
        out[at] = (uint8_t)(number >> (8 * i));
    }
}

static bool number_fits(uint64_t number, CK_ULONG width_bits)
{
    return width_bits >= 64 || number >> width_bits == 0;
}

/* What is derived: bytes wanted, in how many codes of which length. */
struct plan {
    size_t len;
    size_t block_len;
    size_t blocks;
};

static uint64_t length_bits(const struct plan *plan, const struct prf_field *field)
{
    bool keys = field->dkm_method == CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS;
    return 8 * (uint64_t)(keys ? plan->len : plan->blocks * plan->block_len);
}

static enum rc check_plan(const struct mech_call *call, const struct plan *plan)
{
    for (size_t i = 0; i < call->u.kdf.field_count; i++) {
        const struct prf_field *field = &call->u.kdf.fields[i];
        if (field->type == CK_SP800_108_ITERATION_VARIABLE &&
            !number_fits(plan->blocks, field->width_bits))
            return rc_fail(RC_KEY_SIZE, "%zu bytes wanted, too many for a counter of %lu bits",
                           plan->len, field->width_bits);
        if (field->type == CK_SP800_108_DKM_LENGTH &&
            !number_fits(length_bits(plan, field), field->width_bits))
            return bad("the length does not fit its field");
    }
    return RC_OK;
}

static enum rc feed_field(EVP_MAC_CTX *context, const struct prf_field *field, uint64_t number)
{
    uint8_t bytes[8];
    size_t width = field->width_bits / 8;
    if (field->type == CK_SP800_108_BYTE_ARRAY)
        return mech_mac_feed(context, field->data);
    put_number(bytes, number, width, field->little_endian);
    return mech_mac_feed(context, bytes_of(bytes, width));
}

static enum rc feed_block(EVP_MAC_CTX *context, const struct mech_call *call,
                          const struct plan *plan, uint64_t counter)
{
    for (size_t i = 0; i < call->u.kdf.field_count; i++) {
        const struct prf_field *field = &call->u.kdf.fields[i];
        bool is_length = field->type == CK_SP800_108_DKM_LENGTH;
        TRY(feed_field(context, field, is_length ? length_bits(plan, field) : counter));
    }
    return RC_OK;
}

static enum rc derive_with(EVP_MAC_CTX *context, const struct mech_call *call,
                           const struct plan *plan, struct secret *out)
{
    for (size_t i = 1; i <= plan->blocks; i++) {
        size_t len = 0;
        uint8_t *at = out->ptr + (i - 1) * plan->block_len;
        if (i > 1)
            TRY(mech_mac_again(context));
        TRY(feed_block(context, call, plan, i));
        TRY(mech_mac_end(context, at, &len));
    }
    return RC_OK;
}

static enum rc derive(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out)
{
    (void)second;
    (void)lane;
    AUTO_SECRET all = SECRET_INIT;
    EVP_MAC_CTX *context = NULL;
    enum digest_id prf = DIGEST_NONE;
    TRY(prf_of(call, &prf));
    struct plan plan = {.len = value_len, .block_len = mech_mac_len(prf)};
    if (plan.len == 0)
        plan.len = plan.block_len;
    plan.blocks = (plan.len + plan.block_len - 1) / plan.block_len;
    TRY(check_plan(call, &plan));
    /* mech_mac_end() may use the room of the longest code. */
    TRY(secret_alloc(&all, plan.blocks * plan.block_len + EVP_MAX_MD_SIZE));
    TRY(mech_mac_new(prf, secret_expose(&base->value), &context));
    enum rc rc = derive_with(context, call, &plan, &all);
    EVP_MAC_CTX_free(context);
    TRY(rc);
    return mech_kdf_give(&all, plan.len, out);
}

const struct mech_methods mech_sp800_108 = {
    .check_type = mech_kdf_check_type, .check = check, .derive = derive};
