/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of the key store's cryptography share: the same with libcrypto, outside. */
#ifndef QHSM_TESTS_UNIT_CLUSTER_KEYSTORE_OUTSIDE_H
#define QHSM_TESTS_UNIT_CLUSTER_KEYSTORE_OUTSIDE_H

#include <openssl/evp.h>

#include "tests/unit/cluster/keystore_fixture.h"

/* What is kept and signed. */
struct bytes outside_message(void);
/* A key by fixture.front; its handle. */
uint64_t outside_make(enum keystore_spec spec, enum keystore_use use, const char *label);
enum rc outside_gcm(uint64_t key, struct bytes aad, struct bytes plain, struct buf *out);
/* Freed by the caller, as the next. */
EVP_PKEY *outside_public(ProtobufCBinaryData der);
/* Of the key that was made last. */
EVP_PKEY *outside_public_of_last(void);
void outside_put_public(EVP_PKEY *pkey, struct buf *out);
void outside_oaep(EVP_PKEY *pkey, const char *digest, struct bytes plain, struct buf *out);
/* The message's signature; `digest` NULL: EdDSA. */
bool outside_verifies(EVP_PKEY *pkey, const char *digest, bool pss, struct bytes signature);
/* A data key pair under that key is one. */
void outside_check_pair(uint64_t key, enum keystore_spec spec);

#endif
