/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's private OSSL_LIB_CTX and the algorithms fetched once from it: libcrypto 3.0 pays for
 * every fetch by name. */
#ifndef QHSM_TOKEN_CRYPTO_LIB_H
#define QHSM_TOKEN_CRYPTO_LIB_H

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "common/bytes.h"
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
/* "HKDF", "KBKDF", "PBKDF2", "X963KDF"; fetched at init; NULL when unknown. */
EVP_KDF *crypto_kdf(const char *name);
/* One shot. `out` has room for EVP_MAX_MD_SIZE bytes. RC_INTERNAL. */
enum rc crypto_digest(enum digest_id digest, struct bytes data, uint8_t *out, size_t *out_len);
/* Does this libcrypto have what keys of that type need? Found out at start: it is the
 * distribution's, and ML-DSA came with OpenSSL 3.5. */
bool crypto_lib_offers(CK_KEY_TYPE key_type);
/* rc_fail(RC_MECHANISM) for a key type that it does not offer. */
enum rc crypto_lib_lacks(void);
const EVP_MD *crypto_shake256(void); /* RFC 8032: the digest inside Ed448 */
/* rc_fail() with libcrypto's reason, if it left one; empties its error queue. Never where the
 * reason would tell an attacker about a decryption. */
enum rc crypto_fail(enum rc rc, const char *what);
/* Known-answer tests of every family, pairwise check included; called at start-up. RC_SELF_TEST
 * names the failed one. */
enum rc crypto_self_test(void);

#endif
