/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical request: what a signature is of. Source: AWS, "Create a signed AWS API request",
 * step 1; paths as for all services but S3: normalised, and encoded once more than they were sent.
 */
#include <strings.h>

#include "kms/sigv4_internal.h"

#define PARAMETERS_MAX 64U
#define USUAL_LEN      1024U
#define QUERY_MAX      ((size_t)64 * 1024)

/* ---- encoding */

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static enum rc put_encoded(struct buf *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    if (is_unreserved(byte))
        return buf_put_u8(out, byte);
    TRY(buf_put_u8(out, '%'));
    TRY(buf_put_u8(out, (uint8_t)digits[byte >> 4]));
    return buf_put_u8(out, (uint8_t)digits[byte & 15]);
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next byte of percent-encoded text; a '%' that encodes nothing stands for itself. */
static uint8_t take_decoded(struct bytes *text)
{
    uint8_t byte = text->ptr[0];
    size_t len = 1;
    if (byte == '%' && text->len >= 3 && nibble(text->ptr[1]) >= 0 && nibble(text->ptr[2]) >= 0) {
        byte = (uint8_t)(nibble(text->ptr[1]) * 16 + nibble(text->ptr[2]));
        len = 3;
    }
    *text = bytes_slice(*text, len, text->len);
    return byte;
}

/* Up to the separator, which is taken too. */
static struct bytes take_until(struct bytes *text, char separator)
{
    const uint8_t *end = text->len == 0 ? NULL : memchr(text->ptr, separator, text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->ptr);
    struct bytes part = bytes_of(text->ptr, len);
    *text = bytes_slice(*text, len + 1, text->len);
    return part;
}

/* ---- path */

static void drop_last_segment(struct buf *out, size_t start)
{
    size_t len = out->len;
    while (len > start && out->ptr[len - 1] != '/')
        len--;
    out->len = len > start ? len - 1 : start;
}

/* RFC 3986 5.2.4, and consecutive slashes are one. */
static enum rc put_path(const char *path, struct buf *out)
{
    struct bytes rest = bytes_of_str(path);
    size_t start = out->len;
    bool ends_in_slash = rest.len > 0 && rest.ptr[rest.len - 1] == '/';
    while (rest.len > 0) {
        struct bytes segment = take_until(&rest, '/');
        if (segment.len == 0 || bytes_equal(segment, bytes_of_str(".")))
            continue;
        if (bytes_equal(segment, bytes_of_str(".."))) {
            drop_last_segment(out, start);
            continue;
        }
        TRY(buf_put_u8(out, '/'));
        for (size_t i = 0; i < segment.len; i++)
            TRY(put_encoded(out, segment.ptr[i]));
    }
    return out->len == start || ends_in_slash ? buf_put_u8(out, '/') : RC_OK;
}

/* ---- query */

struct parameter { /* in the encoded text */
    size_t name_at, name_len, value_at, value_len;
};

struct parameters {
    struct buf text;
    struct parameter list[PARAMETERS_MAX];
    size_t count;
};

static enum rc encode_again(struct bytes part, struct buf *out)
{
    while (part.len > 0)
        TRY(put_encoded(out, take_decoded(&part)));
    return RC_OK;
}

static int parameter_compare(const struct parameters *of, const struct parameter *a,
                             const struct parameter *b)
{
    const uint8_t *text = of->text.ptr;
    int order = bytes_compare(bytes_of(text + a->name_at, a->name_len),
                              bytes_of(text + b->name_at, b->name_len));
    return order != 0 ? order
                      : bytes_compare(bytes_of(text + a->value_at, a->value_len),
                                      bytes_of(text + b->value_at, b->value_len));
}

static void parameters_insert(struct parameters *of, const struct parameter *fresh)
{
    size_t at = of->count++;
    for (; at > 0 && parameter_compare(of, fresh, &of->list[at - 1]) < 0; at--)
        of->list[at] = of->list[at - 1];
    of->list[at] = *fresh;
}

static enum rc parameters_read(struct parameters *of, const char *query)
{
    struct bytes rest = bytes_of_str(query);
    while (rest.len > 0) {
        struct bytes value = take_until(&rest, '&');
        if (value.len == 0)
            continue;
        if (of->count == PARAMETERS_MAX)
            return rc_fail(RC_TOO_LARGE, "over %u parameters in the query", PARAMETERS_MAX);
        struct bytes name = take_until(&value, '=');
        struct parameter fresh = {.name_at = of->text.len};
        TRY(encode_again(name, &of->text));
        fresh.name_len = of->text.len - fresh.name_at;
        fresh.value_at = of->text.len;
        TRY(encode_again(value, &of->text));
        fresh.value_len = of->text.len - fresh.value_at;
        if (fresh.name_len > 0 || fresh.value_len > 0)
            parameters_insert(of, &fresh);
    }
    return RC_OK;
}

/* All but the signature itself. */
static enum rc put_parameters(const struct parameters *of, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < of->count; i++) {
        const struct parameter *one = &of->list[i];
        struct bytes name = bytes_of(of->text.ptr + one->name_at, one->name_len);
        if (bytes_equal(name, bytes_of_str("X-Amz-Signature")))
            continue;
        if (out->len > start)
            TRY(buf_put_u8(out, '&'));
        TRY(buf_append(out, name));
        TRY(buf_put_u8(out, '='));
        TRY(buf_append(out, bytes_of(of->text.ptr + one->value_at, one->value_len)));
    }
    return RC_OK;
}

static enum rc put_query(const char *query, struct buf *out)
{
    if (query[0] == 0)
        return RC_OK;
    struct parameters of = {.text = BUF_INIT_MAX(QUERY_MAX), .count = 0};
    enum rc rc = parameters_read(&of, query);
    if (rc == RC_OK)
        rc = put_parameters(&of, out);
    buf_clear(&of.text);
    return rc;
}

size_t sigv4_query_value(const char *query, const char *name, struct buf *out)
{
    struct bytes rest = bytes_of_str(query);
    size_t count = 0;
    while (rest.len > 0) {
        struct bytes value = take_until(&rest, '&');
        if (!bytes_equal(take_until(&value, '='), bytes_of_str(name)))
            continue;
        count++;
        while (count == 1 && value.len > 0) {
            if (buf_put_u8(out, take_decoded(&value)) != RC_OK)
                return 0;
        }
    }
    return count;
}

/* ---- headers */

/* Trimmed; blanks inside are one space. Words are copied whole. */
static enum rc put_value(const char *value, struct buf *out)
{
    for (size_t start = out->len; *value != 0;) {
        size_t blanks = strspn(value, " \t");
        size_t len = strcspn(value + blanks, " \t");
        if (len > 0 && blanks > 0 && out->len > start)
            TRY(buf_put_u8(out, ' '));
        TRY(buf_append(out, bytes_of(value + blanks, len)));
        value += blanks + len;
    }
    return RC_OK;
}

/* NULL when it is absent or there twice: two readers could take different ones. */
static const char *only_value(const struct http_request *request, struct bytes name)
{
    const char *found = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (strncasecmp(header->name, (const char *)name.ptr, name.len) != 0 ||
            header->name[name.len] != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = header->value;
    }
    return found;
}

static bool is_lower(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') || name.ptr[i] <= ' ')
            return false;
    }
    return name.len > 0;
}

static enum kms_error put_headers(const struct http_request *request, const char *signed_headers,
                                  struct buf *out)
{
    struct bytes rest = bytes_of_str(signed_headers);
    struct bytes last = BYTES_NONE;
    while (rest.len > 0) {
        struct bytes name = take_until(&rest, ';');
        const char *value = NULL;
        if (is_lower(name) && (last.len == 0 || bytes_compare(last, name) < 0))
            value = only_value(request, name);
        if (value == NULL)
            return kms_fail_plain(KMS_INVALID_SIGNATURE_V4);
        last = name;
        KMS_TRY(kms_from_rc(buf_append(out, name)));
        KMS_TRY(kms_from_rc(buf_put_u8(out, ':')));
        KMS_TRY(kms_from_rc(put_value(value, out)));
        KMS_TRY(kms_from_rc(buf_put_u8(out, '\n')));
    }
    return KMS_OK;
}

static enum rc put_head(const struct http_request *request, struct buf *out)
{
    TRY(buf_append(out, bytes_of_str(request->method)));
    TRY(buf_put_u8(out, '\n'));
    TRY(put_path(request->path, out));
    TRY(buf_put_u8(out, '\n'));
    TRY(put_query(request->query, out));
    return buf_put_u8(out, '\n');
}

static enum rc put_tail(const char *signed_headers, const char *payload_hex, struct buf *out)
{
    TRY(buf_put_u8(out, '\n'));
    TRY(buf_append(out, bytes_of_str(signed_headers)));
    TRY(buf_put_u8(out, '\n'));
    return buf_append(out, bytes_of_str(payload_hex));
}

enum kms_error sigv4_canonical(const struct http_request *request, const char *signed_headers,
                               const char payload_hex[HASH_HEX_LEN], struct buf *out)
{
    KMS_TRY(kms_from_rc(buf_reserve(out, USUAL_LEN)));
    /* What does not fit is the caller's doing. */
    if (put_head(request, out) != RC_OK)
        return kms_fail_plain(KMS_INVALID_SIGNATURE_V4);
    KMS_TRY(put_headers(request, signed_headers, out));
    return kms_from_rc(put_tail(signed_headers, payload_hex, out));
}
