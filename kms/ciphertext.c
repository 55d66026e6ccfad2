/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphertext blobs: parse, write, and the key that one names. */
#include "kms/ciphertext.h"

#include "kms/hash.h"

#define BLOB_VERSION 1U
#define IV_LEN       12U
#define TAG_LEN      16U
#define CHECK_LEN    4U

/* Ids are written by us; one with other characters never was. */
static bool is_id(struct bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z'))
            return false;
    }
    return id.len > 0 && id.len <= KMS_KEY_ID_MAX;
}

/* `header` without its check. */
static bool is_whole(struct bytes header, struct bytes check)
{
    uint8_t digest[HASH_LEN];
    return hash_sha256(header, digest) == RC_OK && bytes_equal(check, bytes_of(digest, CHECK_LEN));
}

enum kms_error ciphertext_parse(struct bytes blob, struct ciphertext *out)
{
    struct ciphertext found = {0};
    struct reader reader = reader_of(blob);
    uint8_t version = reader_u8(&reader);
    struct bytes id = reader_raw(&reader, reader_u8(&reader));
    reader_copy(&reader, found.material, sizeof found.material);
    struct bytes named = bytes_slice(blob, 0, blob.len - reader.rest.len);
    struct bytes check = reader_raw(&reader, CHECK_LEN);
    if (!reader_ok(&reader) || version != BLOB_VERSION || !is_id(id) ||
        reader.rest.len < IV_LEN + TAG_LEN || !is_whole(named, check))
        return kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    memcpy(found.key_id, id.ptr, id.len);
    found.header = bytes_slice(blob, 0, blob.len - reader.rest.len);
    found.sealed = reader.rest;
    *out = found;
    return KMS_OK;
}

enum rc ciphertext_put_header(const char *key_id, const uint8_t material[HSM_ID_LEN],
                              struct buf *out)
{
    struct bytes id = bytes_of_str(key_id);
    if (!is_id(id))
        return rc_fail(RC_INTERNAL, "a key id of %zu bytes", id.len);
    size_t start = out->len;
    uint8_t digest[HASH_LEN];
    TRY(buf_put_u8(out, BLOB_VERSION));
    TRY(buf_put_u8(out, (uint8_t)id.len));
    TRY(buf_append(out, id));
    TRY(buf_append(out, bytes_of(material, HSM_ID_LEN)));
    TRY(hash_sha256(bytes_slice(buf_bytes(out), start, out->len - start), digest));
    return buf_append(out, bytes_of(digest, CHECK_LEN));
}

enum kms_error ciphertext_deny(const struct kms_request *request, const char *action)
{
    return kms_fail(
        KMS_ACCESS_DENIED,
        "User: %s is not authorized to perform: %s on the resource associated with this "
        "ciphertext because the resource does not exist in this Region, no "
        "resource-based policies allow access, or a resource-based policy explicitly "
        "denies access",
        request->identity.arn, action);
}

enum kms_error ciphertext_key(const struct kms_request *request, const char *member,
                              const char *action, struct record **out)
{
    AUTO_BUF blob = BUF_INIT;
    enum rc rc = request_blob(request, member, &blob);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? kms_fail_plain(KMS_INVALID_CIPHERTEXT) : kms_from_rc(rc);
    struct ciphertext parsed;
    KMS_TRY(ciphertext_parse(buf_bytes(&blob), &parsed));
    char path[129];
    key_path(request->region, parsed.key_id, path);
    struct record *record = view_get(request->kms->view, path);
    if (record == NULL)
        return ciphertext_deny(request, action);
    *out = record;
    return KMS_OK;
}
