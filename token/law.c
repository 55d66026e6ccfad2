/* SPDX-License-Identifier: Apache-2.0 */
/* The law over the use of keys. What is always on and what the strict policy adds:
 * docs/security.md. */
#include "token/law.h"

#include <time.h>

#include "token/key_curve.h"

#define APPROVED_BITS_MIN 112U
#define DATE_LEN          8U

struct use_row {
    const char *name;
    CK_FLAGS flag;
    uint32_t usage;
    bool protects; /* SP 800-57 part 1, 5.3.4: the originator's side, over with CKA_END_DATE */
};

static const struct use_row uses[] = {
    [LAW_ENCRYPT] = {"CKA_ENCRYPT", CKF_ENCRYPT, USAGE_ENCRYPT, true},
    [LAW_DECRYPT] = {"CKA_DECRYPT", CKF_DECRYPT, USAGE_DECRYPT, false},
    [LAW_SIGN] = {"CKA_SIGN", CKF_SIGN, USAGE_SIGN, true},
    [LAW_VERIFY] = {"CKA_VERIFY", CKF_VERIFY, USAGE_VERIFY, false},
    [LAW_SIGN_RECOVER] = {"CKA_SIGN_RECOVER", CKF_SIGN_RECOVER, USAGE_SIGN_RECOVER, true},
    [LAW_VERIFY_RECOVER] = {"CKA_VERIFY_RECOVER", CKF_VERIFY_RECOVER, USAGE_VERIFY_RECOVER, false},
    [LAW_WRAP] = {"CKA_WRAP", CKF_WRAP, USAGE_WRAP, true},
    [LAW_UNWRAP] = {"CKA_UNWRAP", CKF_UNWRAP, USAGE_UNWRAP, false},
    [LAW_DERIVE] = {"CKA_DERIVE", CKF_DERIVE, USAGE_DERIVE, true},
};

static enum rc check_fit(const struct object *key, const struct mechanism *mech)
{
    if (mech->key_type != CK_UNAVAILABLE_INFORMATION && mech->key_type != key->key_type)
        return rc_fail(RC_KEY_TYPE, "%s needs a key of type 0x%lx, this one is 0x%lx", mech->name,
                       mech->key_type, key->key_type);
    bool in_bits = mechanism_counts_bits(mech);
    CK_ULONG size = in_bits ? key->size_bits : key->size_bits / 8;
    if (mech->max_size != 0 && (size < mech->min_size || size > mech->max_size))
        return rc_fail(RC_KEY_SIZE, "%s takes keys of %lu to %lu %s, this one has %lu", mech->name,
                       mech->min_size, mech->max_size, in_bits ? "bits" : "bytes", size);
    return RC_OK;
}

static bool lists_mechanism(struct bytes list, CK_MECHANISM_TYPE type)
{
    CK_ULONG listed = 0;
    for (size_t at = 0; at + sizeof listed <= list.len; at += sizeof listed)
        if (attr_value_ulong(bytes_slice(list, at, sizeof listed), &listed) && listed == type)
            return true;
    return false;
}

static enum rc check_allowed(const struct object *key, const struct mechanism *mech)
{
    struct bytes allowed;
    if (object_attr(key, CKA_ALLOWED_MECHANISMS, &allowed) && !lists_mechanism(allowed, mech->type))
        return rc_fail(RC_MECHANISM, "%s is not among the key's CKA_ALLOWED_MECHANISMS",
                       mech->name);
    return RC_OK;
}

static bool today(uint64_t now_ms, char out[DATE_LEN + 1])
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    return gmtime_r(&seconds, &tm) != NULL &&
           strftime(out, DATE_LEN + 1, "%Y%m%d", &tm) == DATE_LEN;
}

/* Both dates belong to the time of validity, in UTC. Before it nothing was ever protected; after it
 * what was may still be verified, decrypted and unwrapped. */
static enum rc check_dates(const struct object *key, const struct use_row *use, uint64_t now_ms)
{
    struct bytes start;
    struct bytes end;
    bool has_start = object_attr(key, CKA_START_DATE, &start) && start.len == DATE_LEN;
    bool has_end = use->protects && object_attr(key, CKA_END_DATE, &end) && end.len == DATE_LEN;
    if (!has_start && !has_end)
        return RC_OK;
    char date[DATE_LEN + 1];
    if (!today(now_ms, date))
        return rc_fail(RC_INTERNAL, "the clock shows no date");
    struct bytes now = bytes_of(date, DATE_LEN);
    if (has_start && bytes_compare(now, start) < 0)
        return rc_fail(RC_KEY_DATE, "CKA_START_DATE is not reached yet");
    if (has_end && bytes_compare(now, end) > 0)
        return rc_fail(RC_KEY_DATE, "CKA_END_DATE is over: the key does no more than decrypt, "
                                    "verify and unwrap");
    return RC_OK;
}

static enum rc check_policy(const struct policy *policy, const struct mechanism *mech,
                            bool protects)
{
    if (!policy_allows_mechanism(policy, mech->type))
        return rc_fail(RC_MECHANISM, "%s is disabled by the token's policy", mech->name);
    if (policy->approved_only &&
        (mech->approval == NOT_APPROVED || (mech->approval == APPROVED_VERIFY && protects)))
        return rc_fail(RC_MECHANISM, "%s is not approved, and the policy says approved only",
                       mech->name);
    return RC_OK;
}

/* SP 800-131A 3 and 10: a secret key that protects has 112 bits at least; the table's rows allow
 * shorter ones, which old data may need. */
static enum rc check_approved_size(const struct policy *policy, const struct object *key,
                                   bool protects)
{
    bool is_short = key->object_class == CKO_SECRET_KEY && key->size_bits < APPROVED_BITS_MIN;
    if (policy->approved_only && protects && is_short)
        return rc_fail(RC_KEY_SIZE,
                       "a key of %u bits, and the policy says approved only: %u at least",
                       key->size_bits, APPROVED_BITS_MIN);
    return RC_OK;
}

static enum rc check_approved_curve(const struct policy *policy, const struct object *key)
{
    struct bytes params;
    const struct key_curve *curve = NULL;
    if (!policy->approved_only || !object_attr(key, CKA_EC_PARAMS, &params))
        return RC_OK;
    TRY(key_curve_find(key->key_type, params, &curve));
    return curve->approved
               ? RC_OK
               : rc_fail(RC_CURVE, "%s is not approved, and the policy says approved only",
                         curve->name);
}

/* PKCS#1 v1.5 and raw RSA answer differently for good and bad padding (Bleichenbacher); without
 * authentication a wrapped key can be changed bit by bit; a derivation that cuts or mixes the base
 * key's own bytes lets them be guessed one by one. */
static enum rc check_strict(const struct mechanism *mech, enum law_use use)
{
    bool opens = use == LAW_DECRYPT || use == LAW_UNWRAP;
    bool moves = use == LAW_WRAP || use == LAW_UNWRAP;
    switch ((int)mech->family) {
    case FAMILY_RSA_X509:
        return rc_fail(RC_MECHANISM, "%s: the strict policy refuses raw RSA", mech->name);
    case FAMILY_RSA_PKCS:
        if (opens || moves)
            return rc_fail(RC_MECHANISM,
                           "%s: the strict policy refuses PKCS#1 v1.5 decryption "
                           "and key transport; use OAEP",
                           mech->name);
        break;
    case FAMILY_AES_ECB:
    case FAMILY_AES_CBC:
    case FAMILY_AES_CBC_PAD:
    case FAMILY_AES_CTR:
        if (moves)
            return rc_fail(RC_MECHANISM,
                           "%s: the strict policy refuses key wrapping without "
                           "authentication; use AES-KW or GCM",
                           mech->name);
        break;
    case FAMILY_AES_DERIVE:
    case FAMILY_CONCAT:
    case FAMILY_PREPEND:
    case FAMILY_XOR:
        return rc_fail(RC_MECHANISM,
                       "%s: the strict policy refuses derivations that show or "
                       "relate keys",
                       mech->name);
    default:
        break;
    }
    return RC_OK;
}

enum rc law_key_use(const struct policy *policy, const struct object *key,
                    const struct mechanism *mech, enum law_use use, uint64_t now_ms)
{
    const struct use_row *row = &uses[use];
    if ((mech->flags & row->flag) == 0)
        return rc_fail(RC_MECHANISM, "%s is not for what %s allows", mech->name, row->name);
    TRY(check_fit(key, mech));
    if ((key->usage & row->usage) == 0)
        return rc_fail(RC_KEY_FUNCTION, "%s of the key is FALSE", row->name);
    TRY(check_allowed(key, mech));
    TRY(check_dates(key, row, now_ms));
    TRY(check_policy(policy, mech, row->protects));
    TRY(check_approved_size(policy, key, row->protects));
    TRY(check_approved_curve(policy, key));
    return policy->strict ? check_strict(mech, use) : RC_OK;
}

enum rc law_second_key(const struct object *key, const struct mechanism *mech, uint64_t now_ms)
{
    const struct use_row *row = &uses[LAW_DERIVE];
    if ((key->usage & row->usage) == 0)
        return rc_fail(RC_KEY_FUNCTION, "%s of the other key is FALSE", row->name);
    TRY(check_allowed(key, mech));
    return check_dates(key, row, now_ms);
}

enum rc law_mechanism(const struct policy *policy, const struct mechanism *mech, CK_FLAGS flag)
{
    if ((mech->flags & flag) == 0)
        return rc_fail(RC_MECHANISM, "%s does not do that", mech->name);
    return check_policy(policy, mech, true);
}
