/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as a hostile caller may send them: what is signed well must be found good however it
 * is written. */
#include <stdlib.h>
#include <string.h>

#include "kms/sigv4_internal.h"
#include "tests/fuzz/http_input.h"

#define NOW_MS 1440938160000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret secret;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What is found to be signed so and so is good once the right signature is in. */
static void check_signed(struct http_request *request, const struct sigv4_claim *claim)
{
    char payload[HASH_HEX_LEN];
    uint8_t hash[HASH_LEN];
    AUTO_BUF canonical = BUF_INIT;
    must(hash_sha256(request->body, hash) == RC_OK);
    hash_hex(bytes_of(hash, sizeof hash), payload);
    enum kms_error good = sigv4_canonical(request, claim->signed_headers, payload, &canonical);
    enum kms_error found = sigv4_check(request, claim, &secret);
    must(good == KMS_OK || found != KMS_OK);
    must(found == KMS_OK || found == KMS_INVALID_SIGNATURE_V4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request;
    struct sigv4_claim claim;
    if (secret.len == 0)
        must(secret_from_bytes(&secret, bytes_of_str("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")) ==
             RC_OK);
    if (!http_input_read(data, size, &request))
        return 0;
    request.time_ms = NOW_MS;
    enum kms_error error = sigv4_read(&request, &claim);
    must(error == KMS_OK || kms_error_row(error)->status >= 400);
    if (error != KMS_OK)
        return 0;
    must(claim.signed_headers != NULL && strlen(claim.signature) == 64);
    check_signed(&request, &claim);
    sigv4_claim_clear(&claim);
    return 0;
}
