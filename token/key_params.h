/* SPDX-License-Identifier: Apache-2.0 */
/* From numbers to an EVP_PKEY and back, with every copy wiped. */
#ifndef QHSM_TOKEN_KEY_PARAMS_H
#define QHSM_TOKEN_KEY_PARAMS_H

#include <openssl/params.h>

#include "common/secret.h"
#include "token/crypto_lib.h"

#define KEY_PARAMS_MAX 12U

struct key_params {
    OSSL_PARAM items[KEY_PARAMS_MAX];
    size_t count;
    struct secret arena; /* numbers in libcrypto's byte order */
    size_t used;
};

/* `room`: bytes of all numbers that will be added. */
enum rc key_params_init(struct key_params *params, size_t room);
void key_params_clear(struct key_params *params);
#define AUTO_KEY_PARAMS __attribute__((cleanup(key_params_clear))) struct key_params

/* Big-endian, not empty. RC_INTERNAL when there is no room. */
enum rc key_params_uint(struct key_params *params, const char *name, struct bytes number);
/* Borrowed until the build. */
enum rc key_params_octets(struct key_params *params, const char *name, struct bytes value);
enum rc key_params_text(struct key_params *params, const char *name, const char *value);
/* selection: EVP_PKEY_KEYPAIR or EVP_PKEY_PUBLIC_KEY. RC_ATTRIBUTE_VALUE. */
enum rc key_params_build(struct key_params *params, const char *type, int selection,
                         EVP_PKEY **out);

/* A number of the key, big-endian, at least `width` bytes, written at `at`; its length in out_len.
 * RC_INTERNAL when the key has none or `room` is too small. */
enum rc key_params_get(const EVP_PKEY *pkey, const char *name, size_t width, uint8_t *at,
                       size_t room, size_t *out_len);

#endif
