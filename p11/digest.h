/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing in the module, with a libcrypto library context of its own: the host's configuration,
 * engines and providers never matter. */
#ifndef QHSM_P11_DIGEST_H
#define QHSM_P11_DIGEST_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "common/mechanism.h"

#define DIGEST_LEN_MAX 64U

/* Made at the first use, since C_Initialize must not call libcrypto: the host may be in the middle
 * of its own libcrypto's initialisation. */
struct digest_library {
    _Atomic(OSSL_LIB_CTX *) context;
    _Atomic(EVP_MD *) algorithms[DIGEST_COUNT];
};

/* Skips libcrypto when the host has cleaned it up already (C_Finalize from a destructor). */
void digest_library_clear(struct digest_library *library);

struct digest {
    EVP_MD_CTX *context;
};

/* Starts over. RC_UNSUPPORTED when libcrypto lacks the algorithm, RC_NO_MEMORY. */
enum rc digest_begin(struct digest_library *library, struct digest *digest, enum digest_id id);
enum rc digest_update(struct digest *digest, struct bytes data);
enum rc digest_final(struct digest *digest, uint8_t out[DIGEST_LEN_MAX], size_t *out_len);
void digest_clear(struct digest *digest);

#endif
