/* SPDX-License-Identifier: Apache-2.0 */
/* What callers carry: ciphertext blobs, import tokens, grant tokens, and the documents of grants
 * and last uses. The first byte chooses. What is accepted has one form: written again it is the
 * same. */
#include <stdlib.h>

#include "kms/ciphertext.h"
#include "kms/grant.h"
#include "kms/hash.h"
#include "kms/import.h"
#include "kms/used.h"
#include "kms/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Any seal is right: the parser behind it is the target. */
enum rc vault_unseal(const struct vault *vault, const char *purpose, struct bytes sealed,
                     struct secret *out)
{
    (void)vault;
    (void)purpose;
    return secret_from_bytes(out, sealed);
}

enum rc vault_seal(const struct vault *vault, const char *purpose, struct bytes plain,
                   struct buf *out)
{
    (void)vault;
    (void)purpose;
    return buf_append(out, plain);
}

/* With its check made right, else no input would ever come further. */
static void fuzz_ciphertext(struct bytes input)
{
    AUTO_BUF blob = BUF_INIT;
    AUTO_BUF again = BUF_INIT;
    uint8_t digest[HASH_LEN];
    struct ciphertext parsed;
    must(buf_append(&blob, input) == RC_OK);
    if (blob.len > 2 && blob.len > 2U + blob.ptr[1] + HSM_ID_LEN + 4U) {
        size_t named = 2U + blob.ptr[1] + HSM_ID_LEN;
        must(hash_sha256(bytes_of(blob.ptr, named), digest) == RC_OK);
        memcpy(blob.ptr + named, digest, 4);
    }
    if (ciphertext_parse(buf_bytes(&blob), &parsed) != KMS_OK)
        return;
    must(ciphertext_put_header(parsed.key_id, parsed.material, &again) == RC_OK);
    must(bytes_equal(buf_bytes(&again), parsed.header));
    must(parsed.header.len + parsed.sealed.len == blob.len);
}

static void fuzz_import_token(struct bytes input)
{
    struct import_token token;
    AUTO_BUF again = BUF_INIT;
    if (import_token_read(input, &token) != RC_OK)
        return;
    must(import_token_write(&token, &again) == RC_OK);
    must(bytes_equal(buf_bytes(&again), input));
}

static void fuzz_grant_token(struct bytes input)
{
    AUTO_BUF text = BUF_INIT;
    char path[129];
    must(buf_append(&text, input) == RC_OK);
    if (grant_token_read(NULL, "us-east-1", buf_str(&text), path) == KMS_OK)
        must(strncmp(path, "grant/us-east-1/", 16) == 0 && strlen(path) < sizeof path);
}

static void fuzz_grant_document(const char *path, const json_t *value)
{
    void *data = NULL, *back = NULL;
    json_t *again = NULL, *third = NULL;
    if (grant_decode(path, value, &data) != RC_OK)
        return;
    must(grant_encode(data, &again) == RC_OK);
    must(grant_decode(path, again, &back) == RC_OK);
    must(grant_encode(back, &third) == RC_OK);
    must(json_equal(again, third));
    json_decref(again);
    json_decref(third);
    grant_free(data);
    grant_free(back);
}

static void fuzz_used_document(const json_t *value)
{
    void *data = NULL;
    json_t *again = NULL;
    if (used_decode("used/r/k", value, &data) != RC_OK)
        return;
    must(used_encode(data, &again) == RC_OK);
    json_decref(again);
    used_free(data);
}

static void fuzz_documents(struct bytes input)
{
    json_t *value = json_loadb((const char *)input.ptr, input.len, JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL)
        return;
    fuzz_grant_document("grant/us-east-1/k/i", value);
    fuzz_used_document(value);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes input = bytes_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        fuzz_ciphertext(input);
        break;
    case 1:
        fuzz_import_token(input);
        break;
    case 2:
        fuzz_grant_token(input);
        break;
    default:
        fuzz_documents(input);
        break;
    }
    return 0;
}
