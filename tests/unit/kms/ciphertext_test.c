/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/ciphertext.c: the form of blobs. */
#include "kms/ciphertext.h"

#include "kms/hash.h"
#include "tests/unit/unit.h"

static const uint8_t material[HSM_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
#define ID "mrk-0123456789abcdef0123456789abcdef"

static void make(struct buf *out, const char *id, size_t sealed_len)
{
    UNIT_OK(ciphertext_put_header(id, material, out));
    UNIT_OK(buf_resize(out, out->len + sealed_len));
}

static void a_blob_names_its_key_and_material(void)
{
    AUTO_BUF blob = BUF_INIT;
    struct ciphertext parsed;
    make(&blob, ID, 29);
    CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&blob), &parsed), KMS_OK);
    CU_ASSERT_STRING_EQUAL(parsed.key_id, ID);
    CU_ASSERT_TRUE(
        bytes_equal(bytes_of(parsed.material, HSM_ID_LEN), bytes_of(material, HSM_ID_LEN)));
    CU_ASSERT_EQUAL(parsed.sealed.len, 29);
    CU_ASSERT_EQUAL(parsed.header.len + parsed.sealed.len, blob.len);
    CU_ASSERT_PTR_EQUAL(parsed.header.ptr, blob.ptr);
    CU_ASSERT_EQUAL(blob.ptr[0], 1);
    CU_ASSERT_EQUAL(blob.ptr[1], strlen(ID));
}

static void a_blob_that_is_cut_is_refused(void)
{
    AUTO_BUF blob = BUF_INIT;
    struct ciphertext parsed = {.key_id = "untouched"};
    make(&blob, ID, 28);
    for (size_t len = 0; len < blob.len; len++)
        CU_ASSERT_EQUAL(ciphertext_parse(bytes_of(blob.ptr, len), &parsed), KMS_INVALID_CIPHERTEXT);
    CU_ASSERT_STRING_EQUAL(parsed.key_id, "untouched");
    CU_ASSERT_STRING_EQUAL(kms_error_text(), "");
    CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&blob), &parsed), KMS_OK);
}

static void another_version_is_refused(void)
{
    AUTO_BUF blob = BUF_INIT;
    struct ciphertext parsed;
    make(&blob, ID, 28);
    for (unsigned version = 0; version < 256; version++) {
        blob.ptr[0] = (uint8_t)version;
        CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&blob), &parsed) == KMS_OK, version == 1);
    }
}

/* It becomes part of a document's path. */
static void an_id_of_other_characters_is_refused(void)
{
    static const char wrong[] = {'/', '.', 'A', ' ', '\0', '\x7f', '_', '%'};
    struct ciphertext parsed;
    for (size_t i = 0; i <= sizeof wrong; i++) {
        AUTO_BUF blob = BUF_INIT;
        uint8_t digest[HASH_LEN];
        make(&blob, ID, 28);
        if (i < sizeof wrong)
            blob.ptr[5] = (uint8_t)wrong[i];
        size_t named = 2 + strlen(ID) + HSM_ID_LEN;
        UNIT_OK(hash_sha256(bytes_of(blob.ptr, named), digest));
        memcpy(blob.ptr + named, digest, 4);
        CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&blob), &parsed) == KMS_OK, i == sizeof wrong);
    }
}

static void a_changed_header_is_refused(void)
{
    AUTO_BUF blob = BUF_INIT;
    struct ciphertext parsed;
    make(&blob, ID, 28);
    for (size_t bit = 0; bit < (blob.len - 28) * 8; bit++) {
        blob.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&blob), &parsed), KMS_INVALID_CIPHERTEXT);
        blob.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void an_id_that_is_none_or_too_long_is_refused(void)
{
    AUTO_BUF blob = BUF_INIT;
    struct ciphertext parsed;
    char id[KMS_KEY_ID_MAX + 2] = "";
    for (unsigned len = 1; len <= KMS_KEY_ID_MAX; len++) {
        AUTO_BUF own = BUF_INIT;
        id[len - 1] = 'a';
        make(&own, id, 28);
        CU_ASSERT_EQUAL(ciphertext_parse(buf_bytes(&own), &parsed), KMS_OK);
        CU_ASSERT_STRING_EQUAL(parsed.key_id, id);
    }
    memset(id, 'a', sizeof id);
    id[KMS_KEY_ID_MAX + 1] = '\0';
    UNIT_RC(ciphertext_put_header(id, material, &blob), RC_INTERNAL);
    UNIT_RC(ciphertext_put_header("", material, &blob), RC_INTERNAL);
    UNIT_RC(ciphertext_put_header("a/b", material, &blob), RC_INTERNAL);
    CU_ASSERT_EQUAL(blob.len, 0);
}

UNIT_SUITE("kms/ciphertext", UNIT_CASE(a_blob_names_its_key_and_material),
           UNIT_CASE(a_blob_that_is_cut_is_refused), UNIT_CASE(another_version_is_refused),
           UNIT_CASE(an_id_of_other_characters_is_refused), UNIT_CASE(a_changed_header_is_refused),
           UNIT_CASE(an_id_that_is_none_or_too_long_is_refused));
