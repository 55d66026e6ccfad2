/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two forms of an ECDSA signature. */
#include "token/ecdsa_der.h"

#include "token/key_der.h"

static size_t put_uint(uint8_t *at, struct bytes number)
{
    struct bytes trimmed = key_der_trim(number);
    size_t zero_first = trimmed.len == 0 || trimmed.ptr[0] >= 0x80 ? 1 : 0;
    at[0] = DER_INTEGER;
    at[1] = (uint8_t)(trimmed.len + zero_first);
    at[2] = 0;
    if (trimmed.len > 0)
        memcpy(at + 2 + zero_first, trimmed.ptr, trimmed.len);
    return 2 + zero_first + trimmed.len;
}

size_t ecdsa_der_encode(struct bytes signature, uint8_t der[ECDSA_DER_MAX])
{
    size_t width = signature.len / 2;
    uint8_t body[ECDSA_DER_MAX];
    size_t len = put_uint(body, bytes_slice(signature, 0, width));
    len += put_uint(body + len, bytes_slice(signature, width, width));
    size_t head = 0;
    der[head++] = DER_SEQUENCE;
    if (len >= 0x80)
        der[head++] = 0x81;
    der[head++] = (uint8_t)len;
    memcpy(der + head, body, len);
    return head + len;
}

/* Before `end`; zero has no bytes, and then no address. */
static void copy_right(uint8_t *end, struct bytes number)
{
    if (number.len > 0)
        memcpy(end - number.len, number.ptr, number.len);
}

bool ecdsa_der_decode(struct bytes der, size_t width, uint8_t *out)
{
    struct bytes body, r, s;
    if (!key_der_get(&der, DER_SEQUENCE, &body) || der.len != 0 || !key_der_get_uint(&body, &r) ||
        !key_der_get_uint(&body, &s) || body.len != 0 || r.len > width || s.len > width)
        return false;
    memset(out, 0, 2 * width);
    copy_right(out + width, r);
    copy_right(out + 2 * width, s);
    return true;
}
