/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing under a key that is derived for each time: HMAC-SHA-256 (SP 800-108 in its simplest form)
 * of a salt, then AES-256-GCM (SP 800-38D) with the purpose as associated data. */
#include "kms/vault_gcm.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/random.h>

#include "kms/hash.h"
#include "rpc/tls.h"

#define VERSION   1U
#define SALT_LEN  16U
#define NONCE_LEN 12U
#define TAG_LEN   16U
#define HEAD_LEN  (1U + SALT_LEN + NONCE_LEN)

static struct {
    pthread_once_t once;
    enum rc rc;
    EVP_CIPHER *cipher;
} gcm = {.once = PTHREAD_ONCE_INIT};

/* Lives as long as the process. */
static void set_up(void)
{
    OSSL_LIB_CTX *lib = NULL;
    gcm.rc = tls_library_new(&lib);
    if (gcm.rc == RC_OK)
        gcm.cipher = EVP_CIPHER_fetch(lib, "AES-256-GCM", NULL);
}

static enum rc ready(void)
{
    (void)pthread_once(&gcm.once, set_up);
    return gcm.cipher != NULL ? RC_OK : rc_fail(RC_INTERNAL, "libcrypto has no AES-256-GCM");
}

static enum rc derive(const struct secret *session, const uint8_t salt[SALT_LEN],
                      struct secret *out)
{
    static const char label[] = "qhsm-kms-seal";
    uint8_t input[sizeof label + SALT_LEN];
    memcpy(input, label, sizeof label);
    memcpy(input + sizeof label, salt, SALT_LEN);
    TRY(secret_alloc(out, HASH_LEN));
    return hash_hmac(secret_expose(session), bytes_of(input, sizeof input), out->ptr);
}

static bool begin(EVP_CIPHER_CTX *context, const struct secret *key, const uint8_t *nonce,
                  const char *purpose, bool is_sealing)
{
    struct bytes aad = bytes_of_str(purpose);
    int len = 0;
    return aad.len <= INT_MAX &&
           EVP_CipherInit_ex2(context, gcm.cipher, secret_expose(key).ptr, nonce,
                              is_sealing ? 1 : 0, NULL) == 1 &&
           (aad.len == 0 || EVP_CipherUpdate(context, NULL, &len, aad.ptr, (int)aad.len) == 1);
}

static bool body(EVP_CIPHER_CTX *context, struct bytes in, uint8_t *out)
{
    int len = 0;
    return in.len <= INT_MAX &&
           (in.len == 0 || EVP_CipherUpdate(context, out, &len, in.ptr, (int)in.len) == 1);
}

static bool seal_with(EVP_CIPHER_CTX *context, struct bytes plain, uint8_t *out)
{
    int len = 0;
    return body(context, plain, out) && EVP_CipherFinal_ex(context, out + plain.len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + plain.len) == 1;
}

static bool unseal_with(EVP_CIPHER_CTX *context, struct bytes text, const uint8_t *tag,
                        uint8_t *out)
{
    uint8_t copy[TAG_LEN];
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int len = 0;
    memcpy(copy, tag, sizeof copy);
    return body(context, text, out) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, copy) == 1 &&
           EVP_CipherFinal_ex(context, rest, &len) == 1;
}

enum rc vault_gcm_seal(const struct secret *session, const char *purpose, struct bytes plain,
                       struct buf *out)
{
    uint8_t head[HEAD_LEN] = {VERSION};
    AUTO_SECRET key = SECRET_INIT;
    TRY(ready());
    if (getrandom(head + 1, sizeof head - 1, 0) != (ssize_t)(sizeof head - 1))
        return rc_fail(RC_RANDOM, "the kernel gave no random bytes");
    TRY(derive(session, head + 1, &key));
    size_t at = out->len + sizeof head;
    TRY(buf_reserve(out, sizeof head + plain.len + TAG_LEN));
    TRY(buf_append(out, bytes_of(head, sizeof head)));
    TRY(buf_resize(out, at + plain.len + TAG_LEN));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good = context != NULL && begin(context, &key, head + 1 + SALT_LEN, purpose, true) &&
                seal_with(context, plain, out->ptr + at);
    EVP_CIPHER_CTX_free(context);
    return good ? RC_OK : rc_fail(RC_INTERNAL, "sealing failed");
}

enum rc vault_gcm_unseal(const struct secret *session, const char *purpose, struct bytes sealed,
                         struct secret *out)
{
    AUTO_SECRET key = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    TRY(ready());
    if (sealed.len < HEAD_LEN + TAG_LEN || sealed.ptr[0] != VERSION)
        return rc_fail(RC_TAMPERED, "it has another form than what is sealed here");
    TRY(derive(session, sealed.ptr + 1, &key));
    struct bytes text = bytes_slice(sealed, HEAD_LEN, sealed.len - HEAD_LEN - TAG_LEN);
    TRY(secret_alloc(&plain, text.len));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good = context != NULL &&
                begin(context, &key, sealed.ptr + 1 + SALT_LEN, purpose, false) &&
                unseal_with(context, text, sealed.ptr + sealed.len - TAG_LEN, plain.ptr);
    EVP_CIPHER_CTX_free(context);
    if (!good)
        return rc_fail(RC_TAMPERED, "the seal does not hold");
    return secret_append(out, secret_expose(&plain));
}
