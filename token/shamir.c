/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir, "How to share a secret" (CACM 22/11, 1979), a polynomial a byte over GF(2^8). With the
 * secret a check of it is shared, so that fewer shares than the threshold tell nothing of either,
 * and wrong ones are told from right ones. */
#include "token/shamir.h"

#include <string.h>

#include "token/crypto_lib.h"
#include "token/gf256.h"
#include "token/seal.h"
#include "token/shamir_text.h"

struct point_set {
    struct shamir_point points[SHAMIR_SHARES_MAX];
};

static void point_set_clear(struct point_set *set)
{
    for (size_t i = 0; i < SHAMIR_SHARES_MAX; i++)
        secret_clear(&set->points[i].value);
}
#define AUTO_POINTS __attribute__((cleanup(point_set_clear))) struct point_set

/* Secret, then its check: what is shared. */
static enum rc put_check(struct secret *value)
{
    AUTO_SECRET input = SECRET_INIT;
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    TRY(secret_append(&input, bytes_of_str("qhsm shared secret")));
    TRY(secret_append(&input, secret_expose(value)));
    TRY(crypto_digest(DIGEST_SHA256, secret_expose(&input), digest, &len));
    enum rc rc = secret_append(value, bytes_of(digest, SHAMIR_CHECK_LEN));
    secret_wipe(digest, sizeof digest);
    return rc;
}

/* ---- splitting */

/* Horner's rule; the coefficients lie one after the other, constant ones first. */
static void evaluate(const struct secret *coefficients, unsigned threshold, uint8_t x, uint8_t *out)
{
    for (size_t i = 0; i < SHAMIR_VALUE_LEN; i++) {
        uint8_t y = 0;
        for (unsigned k = threshold; k-- > 0;)
            y = gf256_mul(y, x) ^ coefficients->ptr[k * SHAMIR_VALUE_LEN + i];
        out[i] = y;
    }
}

static enum rc draw(const struct secret *secret, unsigned threshold, struct secret *out)
{
    AUTO_SECRET value = SECRET_INIT;
    TRY(secret_from_bytes(&value, secret_expose(secret)));
    TRY(put_check(&value));
    TRY(secret_alloc(out, (size_t)threshold * SHAMIR_VALUE_LEN));
    TRY(random_bytes(out->ptr, out->len));
    memcpy(out->ptr, value.ptr, SHAMIR_VALUE_LEN);
    return RC_OK;
}

enum rc shamir_split(const struct secret *secret, unsigned threshold, unsigned count,
                     struct shamir_share *out)
{
    if (secret->len != SHAMIR_SECRET_LEN)
        return rc_fail(RC_BAD_ARGUMENT, "a secret of %zu bytes cannot be shared, %u wanted",
                       secret->len, SHAMIR_SECRET_LEN);
    if (threshold < 1 || threshold > count || count > SHAMIR_SHARES_MAX)
        return rc_fail(RC_BAD_ARGUMENT,
                       "%u of %u shares: the threshold is from 1 to the number of shares, which is "
                       "at most %u",
                       threshold, count, SHAMIR_SHARES_MAX);
    AUTO_SECRET coefficients = SECRET_INIT;
    AUTO_POINTS set = {.points = {{.number = 0}}};
    struct shamir_point *point = &set.points[0];
    TRY(draw(secret, threshold, &coefficients));
    TRY(random_bytes(point->set, SHAMIR_SET_LEN));
    TRY(secret_alloc(&point->value, SHAMIR_VALUE_LEN));
    point->threshold = (uint8_t)threshold;
    for (unsigned i = 0; i < count; i++) {
        point->number = (uint8_t)(i + 1);
        evaluate(&coefficients, threshold, point->number, point->value.ptr);
        TRY(shamir_text_write(point, &out[i]));
    }
    return RC_OK;
}

/* ---- joining */

/* Lagrange: the value at `x` of the polynomials through the first `count` points. */
static void interpolate(const struct point_set *set, size_t count, uint8_t x, uint8_t *out)
{
    memset(out, 0, SHAMIR_VALUE_LEN);
    for (size_t i = 0; i < count; i++) {
        uint8_t above = 1;
        uint8_t below = 1;
        for (size_t j = 0; j < count; j++) {
            if (j == i)
                continue;
            above = gf256_mul(above, x ^ set->points[j].number);
            below = gf256_mul(below, set->points[i].number ^ set->points[j].number);
        }
        uint8_t weight = gf256_mul(above, gf256_inverse(below));
        for (size_t b = 0; b < SHAMIR_VALUE_LEN; b++)
            out[b] ^= gf256_mul(weight, set->points[i].value.ptr[b]);
    }
}

/* Against those before it. */
static enum rc check_point(const struct point_set *set, size_t at)
{
    const struct shamir_point *first = &set->points[0];
    const struct shamir_point *point = &set->points[at];
    if (!bytes_equal(bytes_of(first->set, SHAMIR_SET_LEN), bytes_of(point->set, SHAMIR_SET_LEN)) ||
        first->threshold != point->threshold) {
        char names[2][9];
        shamir_text_set(first->set, names[0]);
        shamir_text_set(point->set, names[1]);
        return rc_fail(RC_BAD_ARGUMENT, "share %zu is of another set: %s, share 1 is of %s", at + 1,
                       names[1], names[0]);
    }
    for (size_t i = 0; i < at; i++)
        if (set->points[i].number == point->number)
            return rc_fail(RC_BAD_ARGUMENT, "shares %zu and %zu are the same: number %u", i + 1,
                           at + 1, point->number);
    return RC_OK;
}

/* Those beyond the threshold must lie on the same polynomials. */
static enum rc check_rest(const struct point_set *set, size_t threshold, size_t count)
{
    AUTO_SECRET value = SECRET_INIT;
    TRY(secret_alloc(&value, SHAMIR_VALUE_LEN));
    for (size_t i = threshold; i < count; i++) {
        interpolate(set, threshold, set->points[i].number, value.ptr);
        if (!secret_equal(&value, secret_expose(&set->points[i].value)))
            return rc_fail(RC_BAD_ARGUMENT, "share %zu does not fit the first %zu", i + 1,
                           threshold);
    }
    return RC_OK;
}

static enum rc open_value(const struct point_set *set, size_t threshold, struct secret *out)
{
    AUTO_SECRET value = SECRET_INIT;
    AUTO_SECRET again = SECRET_INIT;
    TRY(secret_alloc(&value, SHAMIR_VALUE_LEN));
    interpolate(set, threshold, 0, value.ptr);
    TRY(secret_from_bytes(&again, bytes_slice(secret_expose(&value), 0, SHAMIR_SECRET_LEN)));
    TRY(put_check(&again));
    if (!secret_equal(&again, secret_expose(&value)))
        return rc_fail(RC_BAD_ARGUMENT,
                       "these %zu shares do not belong together: one of them was changed",
                       threshold);
    secret_truncate(&value, SHAMIR_SECRET_LEN);
    secret_clear(out);
    *out = secret_take(&value);
    return RC_OK;
}

enum rc shamir_join(const char *const *texts, size_t count, struct secret *out)
{
    if (count < 1 || count > SHAMIR_SHARES_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu shares were given, from 1 to %u are wanted", count,
                       SHAMIR_SHARES_MAX);
    AUTO_POINTS set = {.points = {{.number = 0}}};
    for (size_t i = 0; i < count; i++) {
        TRY(shamir_text_read(texts[i], i + 1, &set.points[i]));
        TRY(check_point(&set, i));
    }
    size_t threshold = set.points[0].threshold;
    if (count < threshold)
        return rc_fail(RC_BAD_ARGUMENT, "%zu more shares are needed: %zu of the set open it",
                       threshold - count, threshold);
    AUTO_SECRET value = SECRET_INIT;
    TRY(open_value(&set, threshold, &value));
    TRY(check_rest(&set, threshold, count));
    secret_clear(out);
    *out = secret_take(&value);
    return RC_OK;
}
