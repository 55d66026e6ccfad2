/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of sigv4 share: canonical form, signing keys, times. */
#ifndef QHSM_KMS_SIGV4_INTERNAL_H
#define QHSM_KMS_SIGV4_INTERNAL_H

#include "common/secret.h"
#include "kms/hash.h"
#include "kms/http.h"
#include "kms/sigv4.h"

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_TIME_LEN  17U /* "20261122T134000Z" and NUL */

/* ---- sigv4_canonical.c */

/* Percent-decoded value of the query's parameter `name`, appended; returns how many there are (only
 * the first is taken). */
size_t sigv4_query_value(const char *query, const char *name, struct buf *out);
/* The canonical request, appended. KMS_INVALID_SIGNATURE_V4 when a signed header is absent or there
 * more than once, or the list of them is not in order. */
enum kms_error sigv4_canonical(const struct http_request *request, const char *signed_headers,
                               const char payload_hex[HASH_HEX_LEN], struct buf *out);

/* ---- sigv4_key.c */

struct sigv4_scope {
    const char *date, *region, *service;
};
/* The signing key of the scope; derived ones are kept, the oldest of a full set are wiped. */
enum rc sigv4_key(const struct secret *secret, const struct sigv4_scope *scope,
                  uint8_t out[HASH_LEN]);

/* ---- sigv4_time.c */

/* "20261122T134000Z", or the form of HTTP's Date header. */
bool sigv4_time_parse(const char *text, uint64_t *out_ms);
void sigv4_time_print(uint64_t time_ms, char out[SIGV4_TIME_LEN]);

#endif
