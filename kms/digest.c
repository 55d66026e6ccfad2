/* SPDX-License-Identifier: Apache-2.0 */
/* The library context and its digests, fetched once. */
#include "kms/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "rpc/tls.h"

/* Written once; lives as long as the process. */
static struct {
    OSSL_LIB_CTX *lib;
    EVP_MD *md[DIGEST_COUNT];
} crypto;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    if (tls_library_new(&crypto.lib) != RC_OK)
        return;
    for (int id = DIGEST_NONE + 1; id < DIGEST_COUNT; id++)
        crypto.md[id] = EVP_MD_fetch(crypto.lib, digest_info((enum digest_id)id)->name, NULL);
    ERR_clear_error();
}

OSSL_LIB_CTX *digest_lib(void)
{
    (void)pthread_once(&once, set_up);
    return crypto.lib;
}

const EVP_MD *digest_md(enum digest_id id)
{
    (void)pthread_once(&once, set_up);
    return id <= DIGEST_NONE || id >= DIGEST_COUNT ? NULL : crypto.md[id];
}

enum rc digest_of(enum digest_id id, struct bytes data, uint8_t out[DIGEST_LEN_MAX],
                  size_t *out_len)
{
    unsigned len = 0;
    const EVP_MD *md = digest_md(id);
    if (md == NULL || EVP_Digest(data.len == 0 ? "" : (const void *)data.ptr, data.len, out, &len,
                                 md, NULL) != 1) {
        ERR_clear_error();
        return rc_fail(RC_INTERNAL, "digest %d cannot be made", (int)id);
    }
    *out_len = len;
    return RC_OK;
}
