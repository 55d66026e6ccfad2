/* SPDX-License-Identifier: Apache-2.0 */
/* The client of external key store proxies: HTTPS with TLS 1.2 or later and a checked certificate,
 * signed by Signature Version 4, given up after the configuration's xks_timeout_ms. */
#ifndef QHSM_KMS_XKS_CLIENT_H
#define QHSM_KMS_XKS_CLIENT_H

#include "common/secret.h"
#include "kms/config.h"
#include "kms/xks.h"

struct xks_client;
enum rc xks_client_new(const struct kms_config *config, struct xks_client **out);
/* No call may be under way. */
void xks_client_free(struct xks_client *client);

/* A proxy, and in whose name it is asked. */
struct xks_call {
    const char *endpoint; /* "https://host" */
    const char *path;     /* "/prefix/kms/xks/v1" */
    const char *access_key;
    const struct secret *secret;
    const char *region;
    const char *key_id; /* external key; NULL: health */
    /* requestMetadata; NULL where it has none */
    const char *principal;  /* awsPrincipalArn */
    const char *key_arn;    /* kmsKeyArn */
    const char *operation;  /* kmsOperation */
    const char *request_id; /* kmsRequestId */
};

/* Any thread. What each refuses, and what the proxy answered, is logged. */
enum xks_error xks_client_health(struct xks_client *client, const struct xks_call *call);
/* XKS_E_INVALID_STATE, XKS_E_INVALID_KEY_USAGE for a key that AWS KMS cannot use. */
enum xks_error xks_client_metadata(struct xks_client *client, const struct xks_call *call);
/* out: u8 length of IV, IV, u8 length of metadata, metadata, ciphertext, tag of 16. Appends. The
 * proxy is asked for the CDIV, which must be right (XKS_E_MALFORMED). */
enum xks_error xks_client_encrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes plain, struct buf *out);
/* XKS_E_BAD_CIPHERTEXT for what is not of that form. */
enum xks_error xks_client_decrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes sealed, struct secret *out);

#endif
