/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the external key store proxy API as the client makes and reads them. Nothing a proxy
 * answers is believed unread. */
#ifndef QHSM_KMS_XKS_ANSWER_H
#define QHSM_KMS_XKS_ANSWER_H

#include <jansson.h>

#include "common/secret.h"
#include "kms/xks_client.h"

/* An answer with another status than 200: its errorName. out_message (XKS_MESSAGE_MAX + 1): what
 * the proxy says of it, printable, "" for none. */
enum xks_error xks_answer_error(struct bytes body, char out_message[XKS_MESSAGE_MAX + 1]);
enum xks_error xks_answer_health(struct bytes body);
enum xks_error xks_answer_metadata(struct bytes body);
/* Appends the sealed form of xks_client_encrypt(). */
enum xks_error xks_answer_encrypt(struct bytes body, struct bytes aad, size_t plain_len,
                                  struct buf *out);
enum xks_error xks_answer_decrypt(struct bytes body, size_t text_len, struct secret *out);

/* Takes the sealed form apart. XKS_E_BAD_CIPHERTEXT. */
enum xks_error xks_answer_open(struct bytes sealed, struct xks_sealed *out);

#endif
