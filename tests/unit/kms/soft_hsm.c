/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in this process: their values follow from the material's id. */
#include "tests/unit/kms/soft_hsm.h"

#include <CUnit/CUnit.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "kms/backing.h"
#include "kms/base64.h"
#include "kms/digest.h"
#include "kms/hash.h"
#include "kms/iam_random.h"
#include "tests/unit/kms/fake_world.h"

#define IV_LEN  12U
#define TAG_LEN 16U
#define OAEP    "oaep:"
#define WRAPPED "wrapped:"

struct soft_hsm soft_hsm;

void soft_hsm_begin(void)
{
    soft_hsm = (struct soft_hsm){.next_handle = 100};
}

/* ---- AES-256-GCM */

static EVP_CIPHER_CTX *gcm(const struct key_material *material, const uint8_t *iv, bool encrypts)
{
    uint8_t key[HASH_LEN];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(digest_lib(), "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CU_ASSERT_EQUAL(hash_sha256(bytes_of(material->hsm_id, HSM_ID_LEN), key), RC_OK);
    CU_ASSERT_EQUAL(EVP_CipherInit_ex2(ctx, cipher, key, iv, encrypts ? 1 : 0, NULL), 1);
    EVP_CIPHER_free(cipher);
    return ctx;
}

static enum rc seal(const struct key_material *material, struct bytes aad, struct bytes plain,
                    struct buf *out)
{
    uint8_t iv[IV_LEN];
    uint8_t tag[TAG_LEN];
    int len = 0;
    iam_random(iv, sizeof iv);
    TRY(buf_append(out, bytes_of(iv, sizeof iv)));
    size_t at = out->len;
    TRY(buf_resize(out, at + plain.len));
    EVP_CIPHER_CTX *ctx = gcm(material, iv, true);
    (void)EVP_EncryptUpdate(ctx, NULL, &len, aad.ptr, (int)aad.len);
    (void)EVP_EncryptUpdate(ctx, out->ptr + at, &len, plain.ptr, (int)plain.len);
    (void)EVP_EncryptFinal_ex(ctx, out->ptr + at, &len);
    (void)EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag);
    EVP_CIPHER_CTX_free(ctx);
    return buf_append(out, bytes_of(tag, sizeof tag));
}

static bool opens(const struct key_material *material, const struct hsm_decrypt *in,
                  struct secret *out)
{
    size_t len = in->ciphertext.len - IV_LEN - TAG_LEN;
    uint8_t tag[TAG_LEN];
    uint8_t rest[TAG_LEN];
    int done = 0;
    memcpy(tag, in->ciphertext.ptr + IV_LEN + len, TAG_LEN);
    EVP_CIPHER_CTX *ctx = gcm(material, in->ciphertext.ptr, false);
    (void)EVP_DecryptUpdate(ctx, NULL, &done, in->aad.ptr, (int)in->aad.len);
    (void)EVP_DecryptUpdate(ctx, out->ptr, &done, in->ciphertext.ptr + IV_LEN, (int)len);
    (void)EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag);
    bool good = EVP_DecryptFinal_ex(ctx, rest, &done) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- kms/backing.h */

static struct bytes fresh(const struct hsm_encrypt *in, uint8_t random[1024],
                          struct buf *out_public_der)
{
    if (in->random_len > 0) {
        iam_random(random, in->random_len);
        return bytes_of(random, in->random_len);
    }
    if (in->pair_spec == 0)
        return in->plain;
    CU_ASSERT_EQUAL(buf_append(out_public_der, bytes_of_str("the public half")), RC_OK);
    return bytes_of_str("the private half");
}

enum kms_error backing_encrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_encrypt *in,
                               struct buf *out, struct secret *out_plain,
                               struct buf *out_public_der)
{
    (void)request;
    uint8_t random[1024];
    soft_hsm.uses++;
    if (key_of(key)->spec != KEYSTORE_SPEC_AES_256) {
        KMS_TRY(kms_from_rc(buf_append(out, bytes_of_str(OAEP))));
        return kms_from_rc(buf_append(out, in->plain));
    }
    struct bytes plain = fresh(in, random, out_public_der);
    if (in->reveal)
        KMS_TRY(kms_from_rc(secret_append(out_plain, plain)));
    return kms_from_rc(seal(material, in->aad, plain, out));
}

static bool opens_oaep(struct bytes text)
{
    return bytes_equal(bytes_slice(text, 0, strlen(OAEP)), bytes_of_str(OAEP));
}

enum kms_error backing_decrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_decrypt *in,
                               struct secret *out)
{
    (void)request;
    soft_hsm.uses++;
    if (key_of(key)->spec != KEYSTORE_SPEC_AES_256)
        return opens_oaep(in->ciphertext)
                   ? kms_from_rc(secret_append(
                         out, bytes_slice(in->ciphertext, strlen(OAEP), in->ciphertext.len)))
                   : kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    KMS_TRY(kms_from_rc(secret_alloc(out, in->ciphertext.len - IV_LEN - TAG_LEN)));
    return opens(material, in, out) ? KMS_OK : kms_fail_plain(KMS_INVALID_CIPHERTEXT);
}

enum kms_error backing_reencrypt(struct kms_request *request, const struct record *from,
                                 const struct key_material *from_material,
                                 const struct hsm_decrypt *in, const struct record *to,
                                 const struct key_material *to_material,
                                 const struct hsm_encrypt *out_in, struct buf *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    KMS_TRY(backing_decrypt(request, from, from_material, in, &plain));
    struct hsm_encrypt again = *out_in;
    again.plain = secret_expose(&plain);
    soft_hsm.moved_inside++;
    return backing_encrypt(request, to, to_material, &again, out, NULL, NULL);
}

static void keep(const struct hsm_sign *in)
{
    soft_hsm.uses++;
    soft_hsm.sign = *in;
    CU_ASSERT_FATAL(in->data.len <= sizeof soft_hsm.data);
    memcpy(soft_hsm.data, in->data.ptr, in->data.len);
    soft_hsm.sign.data = bytes_of(soft_hsm.data, in->data.len);
}

enum kms_error backing_sign(struct kms_request *request, const struct record *key,
                            const struct hsm_sign *in, struct buf *out)
{
    (void)request;
    uint8_t digest[HASH_LEN];
    const struct bytes parts[] = {bytes_of_str(key_of(key)->id),
                                  bytes_of(&in->algorithm, sizeof in->algorithm), in->data};
    keep(in);
    KMS_TRY(kms_from_rc(hash_sha256_of(parts, 3, digest)));
    return kms_from_rc(buf_append(out, bytes_of(digest, sizeof digest)));
}

enum kms_error backing_verify(struct kms_request *request, const struct record *key,
                              const struct hsm_sign *in, struct bytes signature, bool *out_valid)
{
    AUTO_BUF own = BUF_INIT;
    KMS_TRY(backing_sign(request, key, in, &own));
    *out_valid = bytes_equal(buf_bytes(&own), signature);
    return KMS_OK;
}

/* ---- kms/hsm_client.h: imports. What is wrapped is "wrapped:" and the value. */

enum rc hsm_create(struct hsm_client *client, enum keystore_spec spec, enum keystore_use use,
                   const char *label, const uint8_t id[HSM_ID_LEN], struct hsm_key *out)
{
    (void)client;
    *out = (struct hsm_key){.handle = soft_hsm.next_handle++, .spec = spec, .use = use};
    (void)snprintf(out->label, sizeof out->label, "%s", label);
    memcpy(out->id, id, HSM_ID_LEN);
    out->public_der = (struct buf)BUF_INIT;
    soft_hsm.created++;
    return buf_append(&out->public_der, bytes_of_str("the wrapping key"));
}

enum rc hsm_import(struct hsm_client *client, const struct hsm_import *in, struct hsm_key *out)
{
    (void)client;
    size_t head = strlen(WRAPPED);
    struct hsm_key made = {.handle = soft_hsm.next_handle++, .spec = in->spec, .use = in->use};
    if (!bytes_equal(bytes_slice(in->wrapped, 0, head), bytes_of_str(WRAPPED)))
        return rc_fail(RC_WRAPPED_KEY, "it does not unwrap");
    TRY(hash_sha256(bytes_slice(in->wrapped, head, in->wrapped.len), made.material));
    if (in->material.len > 0 && !bytes_equal(in->material, bytes_of(made.material, HASH_LEN)))
        return rc_fail(RC_CONFLICT, "another value");
    memcpy(made.id, in->id, HSM_ID_LEN);
    (void)snprintf(made.label, sizeof made.label, "%s", in->label);
    made.public_der = (struct buf)BUF_INIT;
    soft_hsm.created++;
    *out = made;
    return RC_OK;
}

enum rc hsm_delete(struct hsm_client *client, uint64_t handle)
{
    (void)client;
    soft_hsm.deleted++;
    soft_hsm.last_deleted = handle;
    return RC_OK;
}

void hsm_key_clear(struct hsm_key *key)
{
    buf_clear(&key->public_der);
}

/* ---- words */

json_t *soft_call(const char *operation, json_t *in)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    return world_call_json(operation, in);
}

bool soft_ends(const char *operation, const char *error, json_t *in)
{
    json_decref(soft_call(operation, in));
    if (strcmp(world.type, error == NULL ? "" : error) == 0)
        return true;
    printf("%s: %s \"%s\"\n", operation, world.type, world.text);
    return false;
}

void soft_text(const json_t *out, const char *member, char *text, size_t room)
{
    const char *value = json_string_value(json_object_get(out, member));
    (void)snprintf(text, room, "%s", value == NULL ? "" : value);
}

const char *soft_blob(const char *text)
{
    static char blob[8192];
    AUTO_BUF encoded = BUF_INIT;
    CU_ASSERT_EQUAL(base64_encode(bytes_of_str(text), &encoded), RC_OK);
    (void)snprintf(blob, sizeof blob, "%s", buf_str(&encoded));
    return blob;
}

void soft_new_key(const char *spec, const char *usage, char out_id[65])
{
    char body[160];
    (void)snprintf(body, sizeof body, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"%s\"}", spec, usage);
    world_make_key(body, out_id);
}
