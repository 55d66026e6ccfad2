/* SPDX-License-Identifier: Apache-2.0 */
/* "qhsm-share-1-K-N-" and 80 characters of Crockford's base 32 in groups of five: identity of the
 * set, value, checksum. */
#include "token/shamir_text.h"

#include <stdio.h>
#include <string.h>

#include "token/crypto_lib.h"

#define SUM_LEN   5U
#define DATA_LEN  (SHAMIR_SET_LEN + SHAMIR_VALUE_LEN + SUM_LEN)
#define CHARS     (DATA_LEN / 5U * 8U)
#define GROUP     5U
#define KEPT_MAX  (SHAMIR_TEXT_MAX)
#define TEXT_MAX  1024U /* with spaces and line ends */
#define NUMBER_AT 2U

_Static_assert(DATA_LEN % 5 == 0, "base 32 without padding");

/* No i, l, o, u: the first three are read as 1, 1 and 0. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char prefix[] = "qhsm-share-";

/* ---- checksum */

static enum rc checksum(unsigned threshold, unsigned number, struct bytes data,
                        uint8_t out[SUM_LEN])
{
    AUTO_SECRET input = SECRET_INIT;
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    TRY(secret_append(&input, bytes_of_str("qhsm share 1")));
    TRY(secret_put_u8(&input, (uint8_t)threshold));
    TRY(secret_put_u8(&input, (uint8_t)number));
    TRY(secret_append(&input, data));
    TRY(crypto_digest(DIGEST_SHA256, secret_expose(&input), digest, &len));
    memcpy(out, digest, SUM_LEN);
    secret_wipe(digest, sizeof digest);
    return RC_OK;
}

/* ---- base 32, five bytes at a time, each character found without looking it up by its value */

static char digit_char(unsigned value)
{
    unsigned found = 0;
    for (unsigned i = 0; i < 32; i++)
        found |= (unsigned)alphabet[i] & (0U - (((i ^ value) - 1U) >> 31));
    return (char)found;
}

/* 32 when it is no digit. */
static unsigned digit_value(char c)
{
    if (c == 'o')
        c = '0';
    if (c == 'i' || c == 'l')
        c = '1';
    unsigned found = 32;
    for (unsigned i = 0; i < 32; i++) {
        unsigned same = 0U - ((((unsigned)(unsigned char)c ^ (unsigned)alphabet[i]) - 1U) >> 31);
        found = (found & ~same) | (i & same);
    }
    return found;
}

static void encode(const uint8_t *data, char *out)
{
    for (size_t i = 0; i < DATA_LEN / 5; i++) {
        uint64_t bits = 0;
        for (size_t j = 0; j < 5; j++)
            bits = bits << 8 | data[i * 5 + j];
        for (size_t j = 0; j < 8; j++)
            out[i * 8 + j] = digit_char((unsigned)(bits >> (35 - 5 * j)) & 31);
    }
}

static enum rc decode(const char *chars, size_t which, uint8_t *out)
{
    for (size_t i = 0; i < CHARS / 8; i++) {
        uint64_t bits = 0;
        for (size_t j = 0; j < 8; j++) {
            unsigned value = digit_value(chars[i * 8 + j]);
            if (value > 31)
                return rc_fail(RC_BAD_ARGUMENT,
                               "share %zu is mistyped: character %zu after the number is not one "
                               "of a share's",
                               which, i * 8 + j + 1);
            bits = bits << 5 | value;
        }
        for (size_t j = 0; j < 5; j++)
            out[i * 5 + j] = (uint8_t)(bits >> (32 - 8 * j));
    }
    return RC_OK;
}

void shamir_text_set(const uint8_t set[SHAMIR_SET_LEN], char out[9])
{
    uint64_t bits = 0;
    for (size_t j = 0; j < SHAMIR_SET_LEN; j++)
        bits = bits << 8 | set[j];
    for (size_t j = 0; j < 8; j++)
        out[j] = digit_char((unsigned)(bits >> (35 - 5 * j)) & 31);
    out[8] = 0;
}

/* ---- writing */

enum rc shamir_text_write(const struct shamir_point *point, struct shamir_share *out)
{
    AUTO_SECRET data = SECRET_INIT;
    AUTO_SECRET chars = SECRET_INIT;
    uint8_t sum[SUM_LEN];
    TRY(secret_append(&data, bytes_of(point->set, SHAMIR_SET_LEN)));
    TRY(secret_append(&data, secret_expose(&point->value)));
    TRY(checksum(point->threshold, point->number, secret_expose(&data), sum));
    TRY(secret_append(&data, bytes_of(sum, SUM_LEN)));
    TRY(secret_alloc(&chars, CHARS));
    encode(data.ptr, (char *)chars.ptr);
    int len =
        snprintf(out->text, sizeof out->text, "%s1-%u-%u", prefix, point->threshold, point->number);
    char *at = out->text + len;
    for (size_t i = 0; i < CHARS; i++) {
        if (i % GROUP == 0)
            *at++ = '-';
        *at++ = (char)chars.ptr[i];
    }
    *at = 0;
    return RC_OK;
}

/* ---- reading */

static char lower(char c)
{
    if (c < 'A' || c > 'Z')
        return c;
    return (char)(c - 'A' + 'a');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* In small letters, without spaces; as a string. */
static enum rc normalise(const char *text, size_t which, struct secret *out)
{
    size_t len = strnlen(text, TEXT_MAX);
    size_t kept = 0;
    TRY(secret_alloc(out, KEPT_MAX + 1));
    for (size_t i = 0; i < len && kept <= KEPT_MAX; i++) {
        if (is_space(text[i]))
            continue;
        if (kept < KEPT_MAX)
            out->ptr[kept] = (uint8_t)lower(text[i]);
        kept++;
    }
    if (len == TEXT_MAX || kept > KEPT_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "share %zu is longer than any share", which);
    return RC_OK;
}

/* One or two digits and a hyphen. 0: there are none. */
static unsigned take_number(const char **at)
{
    unsigned value = 0;
    unsigned digits = 0;
    for (; **at >= '0' && **at <= '9' && digits < NUMBER_AT; (*at)++, digits++)
        value = value * 10 + (unsigned)(**at - '0');
    if (digits == 0 || **at != '-')
        return 0;
    (*at)++;
    return value;
}

static enum rc read_prefix(const char **at, size_t which, struct shamir_point *out)
{
    if (strncmp(*at, prefix, strlen(prefix)) != 0)
        return rc_fail(RC_BAD_ARGUMENT, "share %zu does not begin with %s1-: it is no share", which,
                       prefix);
    *at += strlen(prefix);
    unsigned format = take_number(at);
    if (format != 1)
        return rc_fail(RC_BAD_ARGUMENT, "share %zu is of format %u, this release reads 1", which,
                       format);
    unsigned threshold = take_number(at);
    unsigned number = take_number(at);
    if (threshold < 1 || threshold > SHAMIR_SHARES_MAX || number < 1 || number > SHAMIR_SHARES_MAX)
        return rc_fail(RC_BAD_ARGUMENT,
                       "share %zu is mistyped: its threshold and number are not from 1 to %u",
                       which, SHAMIR_SHARES_MAX);
    out->threshold = (uint8_t)threshold;
    out->number = (uint8_t)number;
    return RC_OK;
}

/* The characters without their hyphens. */
static enum rc read_chars(const char *at, size_t which, struct secret *out)
{
    size_t count = 0;
    TRY(secret_alloc(out, CHARS));
    for (; *at != 0; at++) {
        if (*at == '-')
            continue;
        if (count < CHARS)
            out->ptr[count] = (uint8_t)*at;
        count++;
    }
    if (count != CHARS)
        return rc_fail(RC_BAD_ARGUMENT,
                       "share %zu is mistyped: %zu characters after the number, a share has %u",
                       which, count, CHARS);
    return RC_OK;
}

static enum rc read_data(const char *chars, size_t which, struct shamir_point *out)
{
    AUTO_SECRET data = SECRET_INIT;
    uint8_t sum[SUM_LEN];
    TRY(secret_alloc(&data, DATA_LEN));
    TRY(decode(chars, which, data.ptr));
    struct bytes all = secret_expose(&data);
    TRY(checksum(out->threshold, out->number, bytes_slice(all, 0, DATA_LEN - SUM_LEN), sum));
    if (!bytes_equal(bytes_slice(all, DATA_LEN - SUM_LEN, SUM_LEN), bytes_of(sum, SUM_LEN)))
        return rc_fail(RC_BAD_ARGUMENT, "share %zu is mistyped: its checksum does not hold", which);
    memcpy(out->set, data.ptr, SHAMIR_SET_LEN);
    return secret_from_bytes(&out->value, bytes_slice(all, SHAMIR_SET_LEN, SHAMIR_VALUE_LEN));
}

enum rc shamir_text_read(const char *text, size_t which, struct shamir_point *out)
{
    AUTO_SECRET kept = SECRET_INIT;
    AUTO_SECRET chars = SECRET_INIT;
    TRY(normalise(text, which, &kept));
    const char *at = (const char *)kept.ptr;
    TRY(read_prefix(&at, which, out));
    TRY(read_chars(at, which, &chars));
    return read_data((const char *)chars.ptr, which, out);
}
