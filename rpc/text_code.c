/* SPDX-License-Identifier: Apache-2.0 */
/* base64url with a prefix. */
#include "rpc/text_code.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum rc text_code_write(const char *prefix, struct bytes data, struct buf *out)
{
    TRY(buf_append(out, bytes_of_str(prefix)));
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < data.len; i++) {
        bits = bits << 8 | data.ptr[i];
        for (count += 8; count >= 6; count -= 6)
            TRY(buf_put_u8(out, (uint8_t)alphabet[bits >> (count - 6) & 63]));
    }
    return count > 0 ? buf_put_u8(out, (uint8_t)alphabet[bits << (6 - count) & 63]) : RC_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum rc decode(const char *text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (; *text != 0; text++) {
        if (is_space(*text))
            continue;
        const char *found = strchr(alphabet, *text);
        if (found == NULL)
            return rc_fail(RC_BAD_ARGUMENT, "the code has a character that none has");
        bits = bits << 6 | (uint32_t)(found - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            TRY(buf_put_u8(out, (uint8_t)(bits >> count)));
        }
    }
    bool is_whole = count < 6 && (bits & ((1U << count) - 1)) == 0;
    return is_whole ? RC_OK : rc_fail(RC_BAD_ARGUMENT, "the code's end is missing");
}

enum rc text_code_read(const char *prefix, const char *text, struct buf *out)
{
    AUTO_BUF data = BUF_INIT_MAX(out->max);
    while (is_space(*text))
        text++;
    size_t len = strlen(prefix);
    if (strncmp(text, prefix, len) != 0)
        return rc_fail(RC_BAD_ARGUMENT, "the code does not begin with %s", prefix);
    TRY(decode(text + len, &data));
    return buf_append(out, buf_bytes(&data));
}
