/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller says of its signature: the Authorization header, or parameters of the query. */
#include <strings.h>

#include "kms/base64.h"
#include "kms/sigv4_internal.h"

#define SKEW_MS       ((uint64_t)5 * 60 * 1000)
#define EXPIRES_MAX_S 604800U
#define VALUE_MAX     ((size_t)16 * 1024)
#define FIELD_MAX     1024U

void sigv4_claim_clear(struct sigv4_claim *claim)
{
    buf_clear(&claim->store);
    *claim = (struct sigv4_claim){.store = BUF_INIT_MAX(VALUE_MAX)};
}

/* ---- credential, date, times */

static bool put_field(struct bytes part, char *out, size_t room)
{
    if (part.len == 0 || part.len >= room)
        return false;
    memcpy(out, part.ptr, part.len);
    out[part.len] = 0;
    return true;
}

static bool is_word(const char *text)
{
    for (; *text != 0; text++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", *text) ==
            NULL)
            return false;
    }
    return true;
}

/* "AKID/20261122/us-east-1/kms/aws4_request". */
static enum kms_error read_credential(const char *text, struct sigv4_claim *out)
{
    struct bytes parts[5];
    struct bytes rest = bytes_of_str(text);
    size_t count = 0;
    for (bool more = true; more; count++) {
        const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        if (count < 5)
            parts[count] = bytes_of(rest.ptr, len);
        rest = bytes_slice(rest, len + 1, rest.len);
        more = end != NULL;
    }
    if (count != 5 || !put_field(parts[0], out->access_key, sizeof out->access_key) ||
        !put_field(parts[1], out->date, sizeof out->date) ||
        !put_field(parts[2], out->region, sizeof out->region) ||
        !put_field(parts[3], out->service, sizeof out->service))
        return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                        "Credential must have exactly 5 slash-delimited elements, e.g. "
                        "keyid/date/region/service/term, got '%.*s'",
                        300, text);
    if (!bytes_equal(parts[4], bytes_of_str("aws4_request")))
        return kms_fail(KMS_INVALID_SIGNATURE_V4,
                        "Credential should be scoped with a valid terminator: 'aws4_request', not "
                        "'%.*s'.",
                        64, (const char *)parts[4].ptr);
    return is_word(out->access_key) ? KMS_OK : kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
}

static enum kms_error read_date(const char *text, struct sigv4_claim *out)
{
    char printed[SIGV4_TIME_LEN];
    if (!sigv4_time_parse(text, &out->time_ms))
        return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                        "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                        "http://en.wikipedia.org/wiki/ISO_8601",
                        64, text);
    sigv4_time_print(out->time_ms, printed);
    if (strncmp(printed, out->date, 8) == 0 && out->date[8] == 0)
        return KMS_OK;
    return kms_fail(KMS_INVALID_SIGNATURE_V4,
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                    "date from HTTP: '%s' != '%.8s', from '%s'.",
                    out->date, printed, printed);
}

static enum kms_error check_clock(const struct http_request *request,
                                  const struct sigv4_claim *claim)
{
    char date[SIGV4_TIME_LEN], now[SIGV4_TIME_LEN], edge[SIGV4_TIME_LEN];
    uint64_t now_ms = request->time_ms;
    uint64_t life_ms = claim->expires_s == 0 ? SKEW_MS : (uint64_t)claim->expires_s * 1000;
    if (claim->time_ms <= now_ms + SKEW_MS && now_ms <= claim->time_ms + life_ms)
        return KMS_OK;
    sigv4_time_print(claim->time_ms, date);
    sigv4_time_print(now_ms, now);
    if (claim->time_ms > now_ms + SKEW_MS) {
        sigv4_time_print(now_ms + SKEW_MS, edge);
        return kms_fail(KMS_INVALID_SIGNATURE_V4,
                        "Signature not yet current: %s is still later than %s (%s + 5 min.)", date,
                        edge, now);
    }
    bool whole = life_ms % 60000 == 0;
    sigv4_time_print(now_ms - life_ms, edge);
    return kms_fail(KMS_INVALID_SIGNATURE_V4,
                    "Signature expired: %s is now earlier than %s (%s - %llu %s.)", date, edge, now,
                    (unsigned long long)(life_ms / (whole ? 60000 : 1000)), whole ? "min" : "sec");
}

static bool is_listed(const char *signed_headers, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = signed_headers; at != NULL; at = strchr(at, ';')) {
        at += *at == ';';
        if (strncasecmp(at, name, len) == 0 && (at[len] == ';' || at[len] == 0))
            return true;
    }
    return false;
}

/* A header that the service acts on must not be put in on the way. */
static enum kms_error check_signed(const struct http_request *request,
                                   const struct sigv4_claim *claim)
{
    if (!is_listed(claim->signed_headers, "host"))
        return kms_fail(KMS_INVALID_SIGNATURE_V4,
                        "'Host' must be a 'SignedHeader' in the AWS Authorization.");
    for (size_t i = 0; i < request->header_count; i++) {
        const char *name = request->headers[i].name;
        if (strncasecmp(name, "x-amz-", 6) == 0 && !is_listed(claim->signed_headers, name))
            return kms_fail(KMS_INVALID_SIGNATURE_V4,
                            "'%.*s' must be a 'SignedHeader' in the AWS Authorization.", 128, name);
    }
    return KMS_OK;
}

static bool is_signature(const char *text)
{
    return strlen(text) == HASH_HEX_LEN - 1 && strspn(text, "0123456789abcdef") == HASH_HEX_LEN - 1;
}

/* `fields`: as read from either form; all but the token are there. */
struct fields {
    const char *credential, *signed_headers, *signature, *date;
};

static enum kms_error finish(const struct http_request *request, const struct fields *fields,
                             struct sigv4_claim *out)
{
    KMS_TRY(read_credential(fields->credential, out));
    KMS_TRY(read_date(fields->date, out));
    KMS_TRY(check_clock(request, out));
    out->signed_headers = fields->signed_headers;
    KMS_TRY(check_signed(request, out));
    if (!is_signature(fields->signature))
        return kms_fail_plain(KMS_INVALID_SIGNATURE_V4);
    memcpy(out->signature, fields->signature, HASH_HEX_LEN);
    return KMS_OK;
}

/* ---- header form */

struct header_fields {
    char credential[FIELD_MAX];
    char signature[FIELD_MAX];
    const char *signed_headers; /* in the claim's store */
};

/* Never as it is: it may be another scheme's password. */
static void hashed(const char *text, char out[64])
{
    uint8_t hash[HASH_LEN];
    AUTO_BUF encoded = BUF_INIT_MAX(64);
    out[0] = 0;
    if (hash_sha256(bytes_of_str(text), hash) != RC_OK ||
        base64_encode(bytes_of(hash, sizeof hash), &encoded) != RC_OK || encoded.len >= 64)
        return;
    memcpy(out, encoded.ptr, encoded.len);
    out[encoded.len] = 0;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = bytes_slice(text, 1, text.len);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static enum kms_error take_field(struct bytes name, struct bytes value, struct header_fields *out,
                                 struct buf *store)
{
    bool fits = true;
    bool again = false;
    if (bytes_equal(name, bytes_of_str("Credential"))) {
        again = out->credential[0] != 0;
        fits = put_field(value, out->credential, sizeof out->credential);
    } else if (bytes_equal(name, bytes_of_str("Signature"))) {
        again = out->signature[0] != 0;
        fits = put_field(value, out->signature, sizeof out->signature);
    } else if (bytes_equal(name, bytes_of_str("SignedHeaders"))) {
        again = store->len > 0;
        if (!again && value.len > 0) {
            fits = buf_append(store, value) == RC_OK && buf_put_u8(store, 0) == RC_OK;
            out->signed_headers = fits ? (const char *)store->ptr : NULL;
        }
    }
    if (again || (!fits && value.len > 0))
        return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                        "Authorization header has more than one '%.*s' parameter, or one that is "
                        "too long.",
                        (int)name.len, (const char *)name.ptr);
    return KMS_OK;
}

static enum kms_error split_header(const char *value, struct header_fields *out, struct buf *store)
{
    size_t len = strlen(SIGV4_ALGORITHM);
    char hash[64];
    if (strncmp(value, SIGV4_ALGORITHM, len) != 0 || (value[len] != ' ' && value[len] != 0))
        return KMS_OK; /* the fields are missing */
    struct bytes rest = bytes_of_str(value + len);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, ',', rest.len);
        size_t part_len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        struct bytes part = trimmed(bytes_of(rest.ptr, part_len));
        rest = bytes_slice(rest, part_len + 1, rest.len);
        if (part.len == 0)
            continue;
        const uint8_t *equals = memchr(part.ptr, '=', part.len);
        if (equals == NULL) {
            hashed(value, hash);
            return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                            "Invalid key=value pair (missing equal-sign) in Authorization header "
                            "(hashed with SHA-256 and encoded with Base64): '%s'.",
                            hash);
        }
        size_t name_len = (size_t)(equals - part.ptr);
        KMS_TRY(take_field(bytes_of(part.ptr, name_len), bytes_slice(part, name_len + 1, part.len),
                           out, store));
    }
    return KMS_OK;
}

static enum kms_error fail_missing(const struct header_fields *fields, const char *date,
                                   const char *value)
{
    char hash[64];
    hashed(value, hash);
    return kms_fail(
        KMS_INCOMPLETE_SIGNATURE,
        "%s%s%s%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s",
        fields->credential[0] != 0 ? "" : "Authorization header requires 'Credential' parameter. ",
        fields->signature[0] != 0 ? "" : "Authorization header requires 'Signature' parameter. ",
        fields->signed_headers != NULL
            ? ""
            : "Authorization header requires 'SignedHeaders' parameter. ",
        date != NULL ? ""
                     : "Authorization header requires existence of either a 'X-Amz-Date' or a "
                       "'Date' header. ",
        hash);
}

static enum kms_error read_header(const struct http_request *request, struct sigv4_claim *out)
{
    struct header_fields fields = {.signed_headers = NULL};
    const char *value = http_header(request, "authorization");
    const char *date = http_header(request, "x-amz-date");
    if (value == NULL)
        return kms_fail(KMS_INCOMPLETE_SIGNATURE, "More than one Authorization header.");
    if (date == NULL && http_header_count(request, "x-amz-date") == 0)
        date = http_header(request, "date");
    KMS_TRY(split_header(value, &fields, &out->store));
    if (fields.credential[0] == 0 || fields.signature[0] == 0 || fields.signed_headers == NULL ||
        date == NULL)
        return fail_missing(&fields, date, value);
    if (http_header_count(request, "x-amz-security-token") > 1)
        return kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
    out->token = http_header(request, "x-amz-security-token");
    return finish(request,
                  &(struct fields){.credential = fields.credential,
                                   .signed_headers = fields.signed_headers,
                                   .signature = fields.signature,
                                   .date = date},
                  out);
}

/* ---- presigned form */

enum {
    QUERY_ALGORITHM,
    QUERY_CREDENTIAL,
    QUERY_DATE,
    QUERY_EXPIRES,
    QUERY_HEADERS,
    QUERY_SIGNATURE,
    QUERY_TOKEN,
    QUERY_END
};
static const char *const query_names[QUERY_END] = {
    [QUERY_ALGORITHM] = "X-Amz-Algorithm",
    [QUERY_CREDENTIAL] = "X-Amz-Credential",
    [QUERY_DATE] = "X-Amz-Date",
    [QUERY_EXPIRES] = "X-Amz-Expires",
    [QUERY_HEADERS] = "X-Amz-SignedHeaders",
    [QUERY_SIGNATURE] = "X-Amz-Signature",
    [QUERY_TOKEN] = "X-Amz-Security-Token",
};

/* Expires may be left out: then as in the header form. */
static bool is_needed(int which)
{
    return which != QUERY_TOKEN && which != QUERY_EXPIRES;
}

/* Values into the claim's store; pointers once it does not grow any more. */
static enum kms_error split_query(const struct http_request *request, struct sigv4_claim *claim,
                                  const char *out[QUERY_END])
{
    size_t at[QUERY_END];
    size_t count[QUERY_END];
    for (int i = 0; i < QUERY_END; i++) {
        at[i] = claim->store.len;
        count[i] = sigv4_query_value(request->query, query_names[i], &claim->store);
        bool ends = buf_put_u8(&claim->store, 0) == RC_OK;
        if (!ends || count[i] > 1 || (count[i] == 0 && is_needed(i)))
            return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                            "AWS query-string parameters must include '%s'. Re-examine the "
                            "query-string parameters.",
                            query_names[i]);
    }
    for (int i = 0; i < QUERY_END; i++)
        out[i] = count[i] == 0 ? NULL : (const char *)claim->store.ptr + at[i];
    return KMS_OK;
}

static enum kms_error read_expires(const char *text, unsigned *out)
{
    unsigned value = 0;
    if (text == NULL)
        return KMS_OK;
    if (strspn(text, "0123456789") != strlen(text) || text[0] == 0 || strlen(text) > 9)
        return kms_fail(KMS_INCOMPLETE_SIGNATURE, "X-Amz-Expires should be a number");
    for (; *text != 0; text++)
        value = value * 10 + (unsigned)(*text - '0');
    if (value == 0 || value > EXPIRES_MAX_S)
        return kms_fail(KMS_INCOMPLETE_SIGNATURE,
                        "X-Amz-Expires must be between 1 and 604800 seconds");
    *out = value;
    return KMS_OK;
}

static enum kms_error read_query(const struct http_request *request, struct sigv4_claim *out)
{
    const char *values[QUERY_END];
    KMS_TRY(split_query(request, out, values));
    if (strcmp(values[QUERY_ALGORITHM], SIGV4_ALGORITHM) != 0)
        return kms_fail(KMS_INCOMPLETE_SIGNATURE, "X-Amz-Algorithm only supports \"%s\"",
                        SIGV4_ALGORITHM);
    KMS_TRY(read_expires(values[QUERY_EXPIRES], &out->expires_s));
    out->token = values[QUERY_TOKEN];
    return finish(request,
                  &(struct fields){.credential = values[QUERY_CREDENTIAL],
                                   .signed_headers = values[QUERY_HEADERS],
                                   .signature = values[QUERY_SIGNATURE],
                                   .date = values[QUERY_DATE]},
                  out);
}

static bool has_query(const struct http_request *request)
{
    AUTO_BUF value = BUF_INIT_MAX(VALUE_MAX);
    return sigv4_query_value(request->query, query_names[QUERY_ALGORITHM], &value) > 0;
}

enum kms_error sigv4_read(const struct http_request *request, struct sigv4_claim *out)
{
    *out = (struct sigv4_claim){.store = BUF_INIT_MAX(VALUE_MAX)};
    enum kms_error error = KMS_OK;
    if (http_header_count(request, "authorization") > 0)
        error = read_header(request, out);
    else if (has_query(request))
        error = read_query(request, out);
    else
        error = kms_fail_plain(KMS_MISSING_AUTHENTICATION);
    if (error != KMS_OK)
        sigv4_claim_clear(out);
    return error;
}
