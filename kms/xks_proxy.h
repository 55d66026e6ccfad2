/* SPDX-License-Identifier: Apache-2.0 */
/* The external key store proxy's endpoint: AWS KMS XKS Proxy API 1.0.3, over keys of hsm_token that
 * the configuration names. */
#ifndef QHSM_KMS_XKS_PROXY_H
#define QHSM_KMS_XKS_PROXY_H

#include "kms/http.h"
#include "kms/kms.h"

enum rc xks_proxy_new(struct kms *kms, struct xks_proxy **out);
void xks_proxy_free(struct xks_proxy *proxy);
/* Credentials again from their files. */
enum rc xks_proxy_reload(struct xks_proxy *proxy, const struct kms_config *config);
/* Is the path one of the proxy's ("…/kms/xks/v1/…")? */
bool xks_proxy_owns(const struct kms *kms, const struct http_request *request);
void xks_proxy_answer(struct kms *kms, const struct http_request *request,
                      struct http_answer *answer);

#endif
