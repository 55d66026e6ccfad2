/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of the external key store proxy API: the first byte says what the rest is, a path, a
 * request to the proxy, or an answer to the client. */
#include <stdlib.h>

#include "kms/xks_answer.h"
#include "kms/xks_proxy_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fuzz_path(struct bytes text)
{
    enum xks_operation operation;
    char key[XKS_KEY_ID_MAX + 1];
    AUTO_BUF path = BUF_INIT;
    if (buf_append(&path, text) == RC_OK &&
        xks_request_path("/example", buf_str(&path), &operation, key) && operation != XKS_HEALTH &&
        !xks_is_key_id(key, strlen(key)))
        abort();
}

/* What was read as a request is within the API's limits, whatever it was. */
static void fuzz_request(enum xks_operation operation, struct bytes body)
{
    struct xks_request request;
    const char *problem = "";
    enum xks_error error = xks_request_read(operation, body, &request, &problem);
    if (error == XKS_OK && (request.aad.len > XKS_AAD_MAX || request.text.len > XKS_TEXT_MAX ||
                            request.metadata.len > XKS_METADATA_MAX || request.request_id[0] == 0 ||
                            request.kms_operation[0] == 0))
        abort();
    if (error == XKS_OK && operation == XKS_DECRYPT && request.tag.len != XKS_TAG_LEN)
        abort();
    xks_request_clear(&request);
}

static void fuzz_answer(struct bytes body)
{
    char message[XKS_MESSAGE_MAX + 1];
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    struct xks_sealed parts;
    (void)xks_answer_error(body, message);
    (void)xks_answer_health(body);
    (void)xks_answer_metadata(body);
    if (xks_answer_encrypt(body, BYTES_NONE, 5, &sealed) == XKS_OK &&
        xks_answer_open(buf_bytes(&sealed), &parts) != XKS_OK)
        abort();
    (void)xks_answer_decrypt(body, 5, &plain);
    (void)xks_answer_open(body, &parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, len - 1);
    switch (data[0] % 6) {
    case 4:
        fuzz_path(rest);
        break;
    case 5:
        fuzz_answer(rest);
        break;
    default:
        fuzz_request((enum xks_operation)(data[0] % 6), rest);
    }
    return 0;
}
