/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: that of a request under a secret, compared with the claimed one or put on our own. */
#include "kms/sigv4.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "kms/sigv4_internal.h"

#define CANONICAL_MAX ((size_t)256 * 1024)

/* AWS, "Create a signed AWS API request", step 3. */
static enum rc put_string_to_sign(const struct sigv4_scope *scope, const char *date,
                                  struct bytes canonical, struct buf *out)
{
    const char *const parts[] = {
        SIGV4_ALGORITHM,  "\n", date, "\n", scope->date, "/", scope->region, "/", scope->service,
        "/aws4_request\n"};
    uint8_t hash[HASH_LEN];
    char hex[HASH_HEX_LEN];
    TRY(buf_reserve(out, 256));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        TRY(buf_append(out, bytes_of_str(parts[i])));
    TRY(hash_sha256(canonical, hash));
    hash_hex(bytes_of(hash, sizeof hash), hex);
    return buf_append(out, bytes_of(hex, HASH_HEX_LEN - 1));
}

static enum rc signature_of(const struct secret *secret, const struct sigv4_scope *scope,
                            const char *date, struct bytes canonical, char out[HASH_HEX_LEN])
{
    uint8_t hash[HASH_LEN], key[HASH_LEN];
    AUTO_BUF text = BUF_INIT_MAX(1024);
    TRY(put_string_to_sign(scope, date, canonical, &text));
    TRY(sigv4_key(secret, scope, key));
    enum rc rc = hash_hmac(bytes_of(key, sizeof key), buf_bytes(&text), hash);
    secret_wipe(key, sizeof key);
    if (rc == RC_OK)
        hash_hex(bytes_of(hash, sizeof hash), out);
    return rc;
}

/* x-amz-content-sha256 is signed where it is there, and must be the body's: KMS has no
 * UNSIGNED-PAYLOAD. */
static enum kms_error payload_of(const struct http_request *request, char out[HASH_HEX_LEN])
{
    uint8_t hash[HASH_LEN];
    const char *told = http_header(request, "x-amz-content-sha256");
    KMS_TRY(kms_from_rc(hash_sha256(request->body, hash)));
    hash_hex(bytes_of(hash, sizeof hash), out);
    return told == NULL || strcmp(told, out) == 0 ? KMS_OK
                                                  : kms_fail_plain(KMS_INVALID_SIGNATURE_V4);
}

enum kms_error sigv4_check(const struct http_request *request, const struct sigv4_claim *claim,
                           const struct secret *secret)
{
    char payload[HASH_HEX_LEN], signature[HASH_HEX_LEN], date[SIGV4_TIME_LEN];
    AUTO_BUF canonical = BUF_INIT_MAX(CANONICAL_MAX);
    const struct sigv4_scope scope = {claim->date, claim->region, claim->service};
    KMS_TRY(payload_of(request, payload));
    KMS_TRY(sigv4_canonical(request, claim->signed_headers, payload, &canonical));
    sigv4_time_print(claim->time_ms, date);
    KMS_TRY(kms_from_rc(signature_of(secret, &scope, date, buf_bytes(&canonical), signature)));
    if (CRYPTO_memcmp(signature, claim->signature, HASH_HEX_LEN) != 0)
        return kms_fail_plain(KMS_INVALID_SIGNATURE_V4);
    return KMS_OK;
}

enum kms_error sigv4_sign(const struct sigv4_signer *signer, const char *host, const char *path,
                          const char *content_type, struct bytes body, char out_date[17],
                          struct buf *out_authorization)
{
    char date[SIGV4_TIME_LEN], day[9], payload[HASH_HEX_LEN], signature[HASH_HEX_LEN];
    uint8_t hash[HASH_LEN];
    const char *names = content_type == NULL ? "host;x-amz-date" : "content-type;host;x-amz-date";
    AUTO_BUF canonical = BUF_INIT_MAX(CANONICAL_MAX);
    sigv4_time_print(signer->time_ms, date);
    memcpy(day, date, 8);
    day[8] = 0;
    const struct http_request request = {
        .method = "POST",
        .path = path,
        .query = "",
        .headers = {{"host", host}, {"x-amz-date", date}, {"content-type", content_type}},
        .header_count = content_type == NULL ? 2 : 3,
    };
    const struct sigv4_scope scope = {day, signer->region, signer->service};
    KMS_TRY(kms_from_rc(hash_sha256(body, hash)));
    hash_hex(bytes_of(hash, sizeof hash), payload);
    KMS_TRY(sigv4_canonical(&request, names, payload, &canonical));
    KMS_TRY(
        kms_from_rc(signature_of(signer->secret, &scope, date, buf_bytes(&canonical), signature)));
    KMS_TRY(kms_from_rc(buf_printf(
        out_authorization, "%s Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
        SIGV4_ALGORITHM, signer->access_key, day, signer->region, signer->service, names,
        signature)));
    memcpy(out_date, date, SIGV4_TIME_LEN);
    return KMS_OK;
}
