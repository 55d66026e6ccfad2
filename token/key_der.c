/* SPDX-License-Identifier: Apache-2.0 */
/* DER by hand: a handful of types, no copies left behind in libcrypto's heap. */
#include "token/key_der.h"

#define LONG_FORM 0x80U

static bool get_length(struct reader *in, size_t *out)
{
    uint8_t first = reader_u8(in);
    if (first < LONG_FORM) {
        *out = first;
        return reader_ok(in);
    }
    unsigned count = first & 0x7FU;
    size_t len = 0;
    if (count == 0 || count > 3)
        return false;
    for (unsigned i = 0; i < count; i++)
        len = len << 8 | reader_u8(in);
    *out = len;
    /* X.690 10.1: the shortest form */
    return reader_ok(in) && len >= LONG_FORM && len >> (8 * (count - 1)) != 0;
}

bool key_der_get(struct bytes *rest, uint8_t tag, struct bytes *out)
{
    struct reader in = reader_of(*rest);
    size_t len = 0;
    if (reader_u8(&in) != tag || !get_length(&in, &len))
        return false;
    struct bytes content = reader_raw(&in, len);
    if (!reader_ok(&in))
        return false;
    *out = content;
    *rest = in.rest;
    return true;
}

bool key_der_get_uint(struct bytes *rest, struct bytes *out)
{
    struct bytes after = *rest, number;
    if (!key_der_get(&after, DER_INTEGER, &number) || number.len == 0 || number.ptr[0] >= 0x80)
        return false;
    if (number.ptr[0] == 0 && number.len > 1 && number.ptr[1] < 0x80)
        return false;
    *out = key_der_trim(number);
    *rest = after;
    return true;
}

static enum rc put_length(struct secret *out, size_t len)
{
    if (len < LONG_FORM)
        return secret_put_u8(out, (uint8_t)len);
    unsigned count = len > 0xFFFF ? 3 : len > 0xFF ? 2 : 1;
    TRY(secret_put_u8(out, (uint8_t)(LONG_FORM | count)));
    while (count-- > 0)
        TRY(secret_put_u8(out, (uint8_t)(len >> (8 * count))));
    return RC_OK;
}

enum rc key_der_put(struct secret *out, uint8_t tag, struct bytes content)
{
    TRY(secret_put_u8(out, tag));
    TRY(put_length(out, content.len));
    return secret_append(out, content);
}

enum rc key_der_put_uint(struct secret *out, struct bytes number)
{
    struct bytes trimmed = key_der_trim(number);
    bool zero_first = trimmed.len == 0 || trimmed.ptr[0] >= 0x80;
    TRY(secret_put_u8(out, DER_INTEGER));
    TRY(put_length(out, trimmed.len + zero_first));
    if (zero_first)
        TRY(secret_put_u8(out, 0));
    return secret_append(out, trimmed);
}

struct bytes key_der_trim(struct bytes number)
{
    while (number.len > 0 && number.ptr[0] == 0)
        number = bytes_slice(number, 1, number.len - 1);
    return number;
}
