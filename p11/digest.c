/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/digest.h"

#include <openssl/err.h>

#include "rpc/tls.h"

void digest_library_clear(struct digest_library *library)
{
    bool gone = tls_library_gone();
    for (size_t i = 0; i < DIGEST_COUNT; i++) {
        EVP_MD *algorithm = atomic_exchange(&library->algorithms[i], NULL);
        if (!gone)
            EVP_MD_free(algorithm);
    }
    OSSL_LIB_CTX *context = atomic_exchange(&library->context, NULL);
    if (!gone && context != NULL)
        tls_library_free(context);
}

static enum rc library_context(struct digest_library *library, OSSL_LIB_CTX **out)
{
    *out = atomic_load(&library->context);
    if (*out != NULL)
        return RC_OK;
    OSSL_LIB_CTX *fresh = NULL;
    TRY(tls_library_new(&fresh));
    OSSL_LIB_CTX *first = NULL;
    if (atomic_compare_exchange_strong(&library->context, &first, fresh)) {
        *out = fresh;
    } else {
        tls_library_free(fresh);
        *out = first;
    }
    return RC_OK;
}

static enum rc algorithm_get(struct digest_library *library, enum digest_id id, const EVP_MD **out)
{
    EVP_MD *found = atomic_load(&library->algorithms[id]);
    if (found == NULL) {
        OSSL_LIB_CTX *context;
        TRY(library_context(library, &context));
        (void)ERR_set_mark();
        EVP_MD *fresh = EVP_MD_fetch(context, digest_info(id)->name, NULL);
        (void)ERR_pop_to_mark();
        if (fresh == NULL)
            return rc_fail(RC_UNSUPPORTED, "libcrypto has no %s", digest_info(id)->name);
        if (atomic_compare_exchange_strong(&library->algorithms[id], &found, fresh))
            found = fresh;
        else
            EVP_MD_free(fresh);
    }
    *out = found;
    return RC_OK;
}

enum rc digest_begin(struct digest_library *library, struct digest *digest, enum digest_id id)
{
    const EVP_MD *algorithm = NULL;
    TRY(algorithm_get(library, id, &algorithm));
    if (digest->context == NULL)
        digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL)
        return RC_NO_MEMORY;
    if (EVP_DigestInit_ex2(digest->context, algorithm, NULL) != 1)
        return rc_fail(RC_INTERNAL, "libcrypto refuses to begin %s", digest_info(id)->name);
    return RC_OK;
}

enum rc digest_update(struct digest *digest, struct bytes data)
{
    if (data.len > 0 && EVP_DigestUpdate(digest->context, data.ptr, data.len) != 1)
        return rc_fail(RC_INTERNAL, "libcrypto fails to hash");
    return RC_OK;
}

enum rc digest_final(struct digest *digest, uint8_t out[DIGEST_LEN_MAX], size_t *out_len)
{
    unsigned len = 0;
    if (EVP_DigestFinal_ex(digest->context, out, &len) != 1)
        return rc_fail(RC_INTERNAL, "libcrypto fails to finish a hash");
    *out_len = len;
    return RC_OK;
}

void digest_clear(struct digest *digest)
{
    if (digest->context != NULL && !tls_library_gone())
        EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}
