/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's private OSSL_LIB_CTX and the algorithms fetched once from it: libcrypto 3.0 pays for
 * every fetch by name. */
#ifndef QHSM_TOKEN_CRYPTO_LIB_H
#define QHSM_TOKEN_CRYPTO_LIB_H

#include <openssl/evp.h>

#include "common/mechanism.h"
#include "common/rc.h"

/* Threads that do cryptography carry a lane number below LANES_MAX: per-lane contexts are used
 * without locks. */
#define LANES_MAX 64U

/* Once, before anything else of token/. Loads the default provider, no configuration. RC_SELF_TEST.
 */
enum rc crypto_lib_init(void);
void crypto_lib_cleanup(void);
OSSL_LIB_CTX *crypto_lib(void);
const EVP_MD *crypto_md(enum digest_id digest); /* NULL for DIGEST_NONE */
EVP_MAC *crypto_hmac(void);
EVP_MAC *crypto_cmac(void);
/* By libcrypto's name ("AES-256-GCM"); fetched at init for all that the mechanism table needs; NULL
 * when unknown. */
const EVP_CIPHER *crypto_cipher(const char *name);
/* Known-answer tests of every family, pairwise check included; called at start-up. RC_SELF_TEST
 * names the failed one. */
enum rc crypto_self_test(void);

#endif
