/* SPDX-License-Identifier: Apache-2.0 */
/* Base64. */
#include "kms/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum rc base64_encode(struct bytes data, struct buf *out)
{
    TRY(buf_reserve(out, (data.len + 2) / 3 * 4));
    for (size_t i = 0; i < data.len; i += 3) {
        size_t count = data.len - i < 3 ? data.len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < count ? data.ptr[i + j] : 0);
        for (size_t j = 0; j < 4; j++) {
            const char *c = j <= count ? &alphabet[bits >> (18 - 6 * j) & 63] : "=";
            TRY(buf_append(out, bytes_of(c, 1)));
        }
    }
    return RC_OK;
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` are signs of equality. */
static enum rc decode_group(const uint8_t *group, size_t padding, struct buf *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(group[i]) : 0;
        if (value < 0)
            return rc_fail(RC_BAD_ARGUMENT, "base64 has a character that it does not know");
        bits = bits << 6 | (uint32_t)value;
    }
    if ((bits & ((1U << 8 * padding) - 1)) != 0)
        return rc_fail(RC_BAD_ARGUMENT, "base64 has bits beyond its end");
    for (size_t i = 0; i < 3 - padding; i++)
        TRY(buf_put_u8(out, (uint8_t)(bits >> (16 - 8 * i))));
    return RC_OK;
}

enum rc base64_decode(struct bytes text, struct buf *out)
{
    if (text.len % 4 != 0)
        return rc_fail(RC_BAD_ARGUMENT, "base64 comes in groups of four");
    TRY(buf_reserve(out, text.len / 4 * 3));
    for (size_t i = 0; i < text.len; i += 4) {
        const uint8_t *group = text.ptr + i;
        size_t padding = 0;
        if (i + 4 == text.len)
            padding = (size_t)(group[3] == '=') + (size_t)(group[3] == '=' && group[2] == '=');
        TRY(decode_group(group, padding, out));
    }
    return RC_OK;
}
