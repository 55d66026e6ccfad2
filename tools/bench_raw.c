/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto alone, with ready contexts: the floor that no module can pass. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/tls.h"
#include "tools/bench.h"

#define OUTPUT_MAX (32 * 1024)

static struct {
    OSSL_LIB_CTX *lib;
    EVP_PKEY *key;
} state;

/* Each thread signs with a duplicate of the key: nothing is shared, as in the best case of a
 * program. */
struct raw_thread {
    EVP_PKEY *key;
    EVP_PKEY_CTX *sign;
    EVP_MD_CTX *digest_sign;
    EVP_CIPHER_CTX *cipher;
    EVP_MAC *mac;
    EVP_MAC_CTX *mac_ctx;
    uint64_t counter;
    uint8_t *data;
    uint8_t output[OUTPUT_MAX];
};

static enum rc failed(int ok, const char *what)
{
    return ok == 1 ? RC_OK : rc_fail(RC_INTERNAL, "libcrypto: %s", what);
}

static enum rc raw_open(const struct bench_contender *contender)
{
    (void)contender;
    return tls_library_new(&state.lib);
}

static void raw_close(void)
{
    tls_library_free(state.lib);
}

static EVP_PKEY *generate(const struct bench_case *one)
{
    if (one->key == BENCH_KEY_RSA)
        return EVP_PKEY_Q_keygen(state.lib, NULL, "RSA", (size_t)one->size);
    if (one->key == BENCH_KEY_EC)
        return EVP_PKEY_Q_keygen(state.lib, NULL, "EC", one->size == 256 ? "P-256" : "P-384");
    return EVP_PKEY_Q_keygen(state.lib, NULL, "ED25519");
}

static bool is_asymmetric(const struct bench_case *one)
{
    return one->key == BENCH_KEY_RSA || one->key == BENCH_KEY_EC || one->key == BENCH_KEY_ED25519;
}

static enum rc raw_prepare(const struct bench_case *one)
{
    bool is_known =
        one->kind == BENCH_SIGN || one->kind == BENCH_ENCRYPT || one->kind == BENCH_GENERATE_PAIR;
    if (!is_known)
        return rc_fail(RC_UNSUPPORTED, "libcrypto has no such operation");
    if (one->kind != BENCH_SIGN || !is_asymmetric(one))
        return RC_OK;
    state.key = generate(one);
    return failed(state.key != NULL, "generate");
}

static void raw_finish(const struct bench_case *one)
{
    (void)one;
    EVP_PKEY_free(state.key);
    state.key = NULL;
}

static enum rc sign_new(const struct bench_case *one, struct raw_thread *thread)
{
    thread->key = EVP_PKEY_dup(state.key);
    TRY(failed(thread->key != NULL, "dup"));
    if (one->key == BENCH_KEY_ED25519) {
        thread->digest_sign = EVP_MD_CTX_new();
        return failed(EVP_DigestSignInit_ex(thread->digest_sign, NULL, NULL, state.lib, NULL,
                                            thread->key, NULL),
                      "init");
    }
    thread->sign = EVP_PKEY_CTX_new_from_pkey(state.lib, thread->key, NULL);
    TRY(failed(EVP_PKEY_sign_init(thread->sign), "sign_init"));
    if (one->key != BENCH_KEY_RSA)
        return RC_OK;
    EVP_MD *md = EVP_MD_fetch(state.lib, "SHA256", NULL);
    int ok = EVP_PKEY_CTX_set_rsa_padding(thread->sign, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(thread->sign, md) == 1;
    EVP_MD_free(md);
    return failed(ok, "padding");
}

static enum rc mac_new(struct raw_thread *thread)
{
    static const uint8_t key[32] = {1};
    thread->mac = EVP_MAC_fetch(state.lib, "HMAC", NULL);
    thread->mac_ctx = EVP_MAC_CTX_new(thread->mac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    return failed(EVP_MAC_init(thread->mac_ctx, key, sizeof key, params), "HMAC");
}

static enum rc cipher_new(const struct bench_case *one, struct raw_thread *thread)
{
    static const uint8_t key[32] = {1}, iv[16] = {0};
    thread->cipher = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher =
        EVP_CIPHER_fetch(state.lib, one->is_gcm ? "AES-256-GCM" : "AES-256-CBC", NULL);
    int ok = EVP_EncryptInit_ex2(thread->cipher, cipher, key, iv, NULL);
    EVP_CIPHER_free(cipher);
    return failed(ok, "cipher");
}

static enum rc raw_thread_new(const struct bench_case *one, unsigned number, void **out)
{
    (void)number;
    struct raw_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return RC_NO_MEMORY;
    *out = thread;
    thread->data = calloc(1, one->data_len + 1);
    if (thread->data == NULL)
        return RC_NO_MEMORY;
    if (one->kind == BENCH_ENCRYPT)
        return cipher_new(one, thread);
    if (one->kind != BENCH_SIGN)
        return RC_OK;
    return one->key == BENCH_KEY_HMAC ? mac_new(thread) : sign_new(one, thread);
}

static void raw_thread_free(void *argument)
{
    struct raw_thread *thread = argument;
    EVP_PKEY_CTX_free(thread->sign);
    EVP_MD_CTX_free(thread->digest_sign);
    EVP_CIPHER_CTX_free(thread->cipher);
    EVP_MAC_CTX_free(thread->mac_ctx);
    EVP_MAC_free(thread->mac);
    EVP_PKEY_free(thread->key);
    free(thread->data);
    free(thread);
}

static enum rc step_sign(const struct bench_case *one, struct raw_thread *thread)
{
    size_t len = OUTPUT_MAX;
    if (one->key == BENCH_KEY_HMAC)
        return failed(EVP_MAC_init(thread->mac_ctx, NULL, 0, NULL) == 1 &&
                          EVP_MAC_update(thread->mac_ctx, thread->data, one->data_len) == 1 &&
                          EVP_MAC_final(thread->mac_ctx, thread->output, &len, len) == 1,
                      "HMAC");
    if (one->key == BENCH_KEY_ED25519)
        return failed(EVP_DigestSignInit_ex(thread->digest_sign, NULL, NULL, state.lib, NULL,
                                            thread->key, NULL) == 1 &&
                          EVP_DigestSign(thread->digest_sign, thread->output, &len, thread->data,
                                         one->data_len) == 1,
                      "sign");
    return failed(EVP_PKEY_sign(thread->sign, thread->output, &len, thread->data, one->data_len),
                  "sign");
}

static enum rc step_encrypt(const struct bench_case *one, struct raw_thread *thread)
{
    uint8_t iv[16] = {0}, tag[16];
    int len = 0;
    uint64_t count = ++thread->counter;
    memcpy(iv, &count, sizeof count);
    int ok = EVP_EncryptInit_ex2(thread->cipher, NULL, NULL, iv, NULL) == 1 &&
             EVP_EncryptUpdate(thread->cipher, thread->output, &len, thread->data,
                               (int)one->data_len) == 1;
    if (ok == 1 && one->is_gcm)
        ok = EVP_EncryptFinal_ex(thread->cipher, thread->output + len, &len) == 1 &&
             EVP_CIPHER_CTX_ctrl(thread->cipher, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) == 1;
    return failed(ok, "encrypt");
}

static enum rc raw_step(const struct bench_case *one, void *argument)
{
    struct raw_thread *thread = argument;
    if (one->kind == BENCH_SIGN)
        return step_sign(one, thread);
    if (one->kind == BENCH_ENCRYPT)
        return step_encrypt(one, thread);
    EVP_PKEY *key = generate(one);
    enum rc rc = failed(key != NULL, "generate");
    EVP_PKEY_free(key);
    return rc;
}

const struct bench_engine bench_raw = {.open = raw_open,
                                       .prepare = raw_prepare,
                                       .thread_new = raw_thread_new,
                                       .step = raw_step,
                                       .thread_free = raw_thread_free,
                                       .finish = raw_finish,
                                       .close = raw_close};
