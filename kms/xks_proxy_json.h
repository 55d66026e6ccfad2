/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the external key store proxy API as the proxy reads and makes them. */
#ifndef QHSM_KMS_XKS_PROXY_JSON_H
#define QHSM_KMS_XKS_PROXY_JSON_H

#include <jansson.h>

#include "common/secret.h"
#include "kms/http.h"
#include "kms/xks.h"

enum xks_operation { XKS_METADATA, XKS_ENCRYPT, XKS_DECRYPT, XKS_HEALTH };

struct xks_request {
    enum xks_operation operation;
    json_t *json;
    /* requestMetadata, as printable text for the log; "" for none */
    char principal[256]; /* awsPrincipalArn, its beginning */
    char kms_operation[65];
    char request_id[65];
    struct buf aad;
    struct buf text; /* plaintext or ciphertext */
    struct buf iv, tag, metadata;
    bool wants_cdiv;
};
void xks_request_clear(struct xks_request *request);
/* XKS_E_VALIDATION with the member at fault in out_problem (static text); XKS_E_UNSUPPORTED for
 * texts longer than the API asks for. Whatever it returns, `out` is to be cleared. */
enum xks_error xks_request_read(enum xks_operation operation, struct bytes body,
                                struct xks_request *out, const char **out_problem);

/* "[prefix]/kms/xks/v1/keys/ID/encrypt" and the like. False: not a path of the API. out_key is ""
 * for health. */
bool xks_request_path(const char *prefix, const char *path, enum xks_operation *out_operation,
                      char out_key[XKS_KEY_ID_MAX + 1]);

/* Answers. Without memory an InternalException without a body. */
void xks_answer_put_error(enum xks_error error, const char *message, struct http_answer *answer);
void xks_answer_put_metadata(bool can_encrypt, bool can_decrypt, bool is_enabled,
                             struct http_answer *answer);
/* cdiv: NULL when it was not asked for. */
void xks_answer_put_sealed(const struct xks_sealed *sealed, const uint8_t *cdiv,
                           struct http_answer *answer);
void xks_answer_put_plain(const struct secret *plain, struct http_answer *answer);
/* Steals `json`. */
void xks_answer_put(json_t *json, unsigned status, struct http_answer *answer);

#endif
