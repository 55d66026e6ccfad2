/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what external key store proxies answer. */
#include "kms/xks_answer.h"

#include <stdio.h>

#include "kms/base64.h"

#define USAGES_MAX 10U

static json_t *parse(struct bytes body)
{
    json_t *json = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static void json_auto_decref(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(json_auto_decref))) json_t

static const char *text_of(const json_t *json, const char *member)
{
    return json_string_value(json_object_get(json, member));
}

/* RC_NOT_FOUND: no such member. */
static enum rc blob_of(const json_t *json, const char *member, struct buf *out)
{
    const json_t *found = json_object_get(json, member);
    if (found == NULL || json_is_null(found))
        return RC_NOT_FOUND;
    if (!json_is_string(found))
        return RC_BAD_ARGUMENT;
    return base64_decode(bytes_of(json_string_value(found), json_string_length(found)), out);
}

/* ---- errors */

enum xks_error xks_answer_error(struct bytes body, char out_message[XKS_MESSAGE_MAX + 1])
{
    AUTO_JSON *json = parse(body);
    const char *name = text_of(json, "errorName");
    xks_print(text_of(json, "errorMessage"), out_message, XKS_MESSAGE_MAX + 1);
    return name == NULL ? XKS_E_MALFORMED : xks_error_by_name(name);
}

/* ---- health */

static bool is_state(const char *text)
{
    return text != NULL && (strcmp(text, "ACTIVE") == 0 || strcmp(text, "DEGRADED") == 0 ||
                            strcmp(text, "UNAVAILABLE") == 0);
}

static bool is_fleet(const json_t *fleet)
{
    size_t count = json_array_size(fleet);
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(fleet, i);
        if (text_of(one, "id") == NULL || text_of(one, "model") == NULL ||
            !is_state(text_of(one, "healthStatus")))
            return false;
    }
    return count > 0 && count <= XKS_FLEET_MAX;
}

enum xks_error xks_answer_health(struct bytes body)
{
    AUTO_JSON *json = parse(body);
    bool good = json_integer_value(json_object_get(json, "xksProxyFleetSize")) > 0 &&
                text_of(json, "xksProxyVendor") != NULL && text_of(json, "xksProxyModel") != NULL &&
                text_of(json, "ekmVendor") != NULL &&
                is_fleet(json_object_get(json, "ekmFleetDetails"));
    return good ? XKS_OK : XKS_E_MALFORMED;
}

/* ---- metadata */

static bool has_usage(const json_t *usages, const char *wanted)
{
    for (size_t i = 0; i < json_array_size(usages); i++) {
        const char *text = json_string_value(json_array_get(usages, i));
        if (text != NULL && strcmp(text, wanted) == 0)
            return true;
    }
    return false;
}

enum xks_error xks_answer_metadata(struct bytes body)
{
    AUTO_JSON *json = parse(body);
    const char *spec = text_of(json, "keySpec");
    const char *status = text_of(json, "keyStatus");
    const json_t *usages = json_object_get(json, "keyUsage");
    if (spec == NULL || status == NULL || !json_is_array(usages) ||
        json_array_size(usages) > USAGES_MAX)
        return XKS_E_MALFORMED;
    if (strcmp(spec, "AES_256") != 0 || !has_usage(usages, "ENCRYPT") ||
        !has_usage(usages, "DECRYPT"))
        return XKS_E_INVALID_KEY_USAGE;
    if (strcmp(status, "ENABLED") == 0)
        return XKS_OK;
    return strcmp(status, "DISABLED") == 0 ? XKS_E_INVALID_STATE : XKS_E_MALFORMED;
}

/* ---- encrypt and decrypt */

struct parts {
    struct buf metadata, iv, text, tag, cdiv;
};

static void parts_clear(struct parts *parts)
{
    buf_clear(&parts->metadata);
    buf_clear(&parts->iv);
    buf_clear(&parts->text);
    buf_clear(&parts->tag);
    buf_clear(&parts->cdiv);
}
#define AUTO_PARTS __attribute__((cleanup(parts_clear))) struct parts

static bool read_parts(const json_t *json, struct parts *out)
{
    enum rc metadata = blob_of(json, "ciphertextMetadata", &out->metadata);
    return (metadata == RC_OK || metadata == RC_NOT_FOUND) &&
           blob_of(json, "initializationVector", &out->iv) == RC_OK &&
           blob_of(json, "ciphertext", &out->text) == RC_OK &&
           blob_of(json, "authenticationTag", &out->tag) == RC_OK &&
           blob_of(json, "ciphertextDataIntegrityValue", &out->cdiv) == RC_OK;
}

static bool has_lengths(const struct xks_sealed *sealed)
{
    return (sealed->iv.len == XKS_IV_LEN || sealed->iv.len == XKS_IV_LONG_LEN) &&
           sealed->metadata.len <= XKS_METADATA_MAX && sealed->tag.len == XKS_TAG_LEN;
}

static bool has_cdiv(struct bytes aad, const struct xks_sealed *sealed, struct bytes cdiv)
{
    uint8_t expected[HASH_LEN];
    return xks_aad_cdiv(aad, sealed, expected) == RC_OK &&
           bytes_equal(cdiv, bytes_of(expected, sizeof expected));
}

static enum rc put(const struct xks_sealed *sealed, struct buf *out)
{
    TRY(buf_put_u8(out, (uint8_t)sealed->iv.len));
    TRY(buf_append(out, sealed->iv));
    TRY(buf_put_u8(out, (uint8_t)sealed->metadata.len));
    TRY(buf_append(out, sealed->metadata));
    TRY(buf_append(out, sealed->text));
    return buf_append(out, sealed->tag);
}

enum xks_error xks_answer_encrypt(struct bytes body, struct bytes aad, size_t plain_len,
                                  struct buf *out)
{
    AUTO_JSON *json = parse(body);
    AUTO_PARTS parts = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    if (!read_parts(json, &parts))
        return XKS_E_MALFORMED;
    const struct xks_sealed sealed = {buf_bytes(&parts.metadata), buf_bytes(&parts.iv),
                                      buf_bytes(&parts.text), buf_bytes(&parts.tag)};
    if (!has_lengths(&sealed) || sealed.text.len != plain_len ||
        !has_cdiv(aad, &sealed, buf_bytes(&parts.cdiv)))
        return XKS_E_MALFORMED;
    return put(&sealed, out) == RC_OK ? XKS_OK : XKS_E_INTERNAL;
}

enum xks_error xks_answer_decrypt(struct bytes body, size_t text_len, struct secret *out)
{
    AUTO_JSON *json = parse(body);
    AUTO_BUF plain = BUF_INIT;
    if (blob_of(json, "plaintext", &plain) != RC_OK || plain.len != text_len)
        return XKS_E_MALFORMED;
    return secret_from_bytes(out, buf_bytes(&plain)) == RC_OK ? XKS_OK : XKS_E_INTERNAL;
}

enum xks_error xks_answer_open(struct bytes sealed, struct xks_sealed *out)
{
    struct reader reader = reader_of(sealed);
    struct xks_sealed found = {.iv = reader_raw(&reader, reader_u8(&reader))};
    found.metadata = reader_raw(&reader, reader_u8(&reader));
    if (!reader_ok(&reader) || reader.rest.len < XKS_TAG_LEN)
        return XKS_E_BAD_CIPHERTEXT;
    found.text = reader_raw(&reader, reader.rest.len - XKS_TAG_LEN);
    found.tag = reader_raw(&reader, XKS_TAG_LEN);
    if (!has_lengths(&found))
        return XKS_E_BAD_CIPHERTEXT;
    *out = found;
    return XKS_OK;
}
