/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of the external key store proxy API share. */
#include "kms/xks.h"

static const struct xks_error_row rows[] = {
    [XKS_OK] = {"", 200, KMS_OK, KMS_OK, "", ""},
#define XKS_ERROR(symbol, name, status, store, create_key, code, text) \
    [XKS_E_##symbol] = {name, status, KMS_##store, KMS_##create_key, code, text},
#include "kms/xks_errors.def"
#undef XKS_ERROR
};

const struct xks_error_row *xks_error_row(enum xks_error error)
{
    return error < XKS_ERROR_END ? &rows[error] : &rows[XKS_E_INTERNAL];
}

enum xks_error xks_error_by_name(const char *name)
{
    for (unsigned i = XKS_OK + 1; i < XKS_ERROR_END; i++) {
        if (rows[i].status != 0 && strcmp(rows[i].name, name) == 0)
            return (enum xks_error)i;
    }
    return XKS_E_MALFORMED;
}

enum rc xks_aad_join(struct bytes aad, struct bytes metadata, struct buf *out)
{
    if (aad.len > XKS_AAD_MAX || metadata.len > XKS_METADATA_MAX)
        return rc_fail(RC_TOO_LARGE, "additional data of %zu and %zu bytes", aad.len, metadata.len);
    TRY(buf_put_u8(out, (uint8_t)(aad.len >> 8)));
    TRY(buf_put_u8(out, (uint8_t)aad.len));
    TRY(buf_append(out, aad));
    TRY(buf_put_u8(out, (uint8_t)metadata.len));
    return buf_append(out, metadata);
}

enum rc xks_aad_cdiv(struct bytes aad, const struct xks_sealed *sealed, uint8_t out[HASH_LEN])
{
    const struct bytes parts[] = {aad, sealed->metadata, sealed->iv, sealed->text, sealed->tag};
    return hash_sha256_of(parts, sizeof parts / sizeof parts[0], out);
}

void xks_print(const char *text, char *out, size_t size)
{
    size_t len = 0;
    for (; text != NULL && *text != 0 && len + 1 < size; text++) {
        char c = *text;
        if (c < 0x20 || c > 0x7e || c == '"')
            c = '?';
        out[len++] = c;
    }
    out[len] = 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_made_of(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == 0 || (!is_alphanumeric(text[i]) && strchr(more, text[i]) == NULL))
            return false;
    }
    return true;
}

bool xks_is_key_id(const char *text, size_t len)
{
    return len > 0 && len <= XKS_KEY_ID_MAX && is_made_of(text, len, "-._");
}

bool xks_is_access_key(const char *text)
{
    size_t len = strlen(text);
    return len >= XKS_ACCESS_KEY_MIN && len <= XKS_ACCESS_KEY_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == len;
}

bool xks_is_secret(const char *text, size_t len)
{
    return len >= XKS_SECRET_MIN && len <= XKS_SECRET_MAX && is_made_of(text, len, "/+=");
}
