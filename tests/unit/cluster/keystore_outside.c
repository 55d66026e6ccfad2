/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/keystore_outside.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/unit/unit.h"

struct bytes outside_message(void)
{
    return bytes_of_str("what is to be kept or signed");
}

uint64_t outside_make(enum keystore_spec spec, enum keystore_use use, const char *label)
{
    uint64_t handle = 0;
    UNIT_OK(front_create(&fixture.front, spec, use, label, &handle));
    return handle;
}

EVP_PKEY *outside_public(ProtobufCBinaryData der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *pkey = d2i_PUBKEY_ex(NULL, &at, (long)der.len, fixture.lib, NULL);
    CU_ASSERT_FATAL(pkey != NULL);
    return pkey;
}

EVP_PKEY *outside_public_of_last(void)
{
    return outside_public(front_key(&fixture.front)->public_der);
}

enum rc outside_gcm(uint64_t key, struct bytes aad, struct bytes plain, struct buf *out)
{
    const struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .aad = aad, .plain = plain};
    return front_encrypt(&fixture.front, &encrypt, out);
}

static void set_oaep(EVP_PKEY_CTX *ctx, const char *digest)
{
    CU_ASSERT_EQUAL(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, digest, NULL), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, digest, NULL), 1);
}

void outside_oaep(EVP_PKEY *pkey, const char *digest, struct bytes plain, struct buf *out)
{
    uint8_t block[512];
    size_t len = sizeof block;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(fixture.lib, pkey, NULL);
    CU_ASSERT_EQUAL(EVP_PKEY_encrypt_init(ctx), 1);
    set_oaep(ctx, digest);
    CU_ASSERT_EQUAL(EVP_PKEY_encrypt(ctx, block, &len, plain.ptr, plain.len), 1);
    EVP_PKEY_CTX_free(ctx);
    UNIT_OK(buf_append(out, bytes_of(block, len)));
}

bool outside_verifies(EVP_PKEY *pkey, const char *digest, bool pss, struct bytes signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL;
    CU_ASSERT_EQUAL(EVP_DigestVerifyInit_ex(ctx, &key, digest, fixture.lib, NULL, pkey, NULL), 1);
    if (pss) {
        CU_ASSERT_EQUAL(EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING), 1);
        CU_ASSERT_EQUAL(EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    int good = EVP_DigestVerify(ctx, signature.ptr, signature.len, outside_message().ptr,
                                outside_message().len);
    EVP_MD_CTX_free(ctx);
    return good == 1;
}

void outside_put_public(EVP_PKEY *pkey, struct buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    CU_ASSERT_FATAL(len > 0);
    UNIT_OK(buf_append(out, bytes_of(der, (size_t)len)));
    OPENSSL_free(der);
}

void outside_check_pair(uint64_t key, enum keystore_spec spec)
{
    struct front *front = &fixture.front;
    const struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .pair_spec = (uint32_t)spec, .reveal = true};
    AUTO_BUF sealed = BUF_INIT, plain = BUF_INIT, shown = BUF_INIT, der = BUF_INIT;
    UNIT_OK(front_encrypt(front, &encrypt, &sealed));
    const Qhsm__KeystoreEncryptReply *reply = front->reply.msg->keystore_encrypt;
    UNIT_OK(buf_append(&shown, bytes_of(reply->plain.data, reply->plain.len)));
    UNIT_OK(buf_append(&der, bytes_of(reply->public_der.data, reply->public_der.len)));
    UNIT_OK(front_decrypt(front, key, KEYSTORE_GCM, BYTES_NONE, buf_bytes(&sealed), &plain));
    CU_ASSERT(bytes_equal(buf_bytes(&plain), buf_bytes(&shown)));
    const unsigned char *at = plain.ptr;
    EVP_PKEY *own = d2i_AutoPrivateKey_ex(NULL, &at, (long)plain.len, fixture.lib, NULL);
    EVP_PKEY *half = outside_public(front_data(buf_bytes(&der)));
    CU_ASSERT_FATAL(own != NULL);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(own, half), 1);
    EVP_PKEY_free(own);
    EVP_PKEY_free(half);
}
