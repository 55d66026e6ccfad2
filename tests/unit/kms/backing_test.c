/* SPDX-License-Identifier: Apache-2.0 */
/* Material of keys wherever it is: which cluster, which handle, which error. */
#include "kms/backing.h"

#include "tests/unit/kms/fake_front.h"
#include "tests/unit/unit.h"

static struct record *aes(const char *id, enum key_origin origin)
{
    front_put(front_key(id, origin, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT));
    return front_get(id);
}

static enum kms_error encrypt(const struct record *key, const char *context, struct buf *out)
{
    const struct hsm_encrypt in = {.aad = bytes_of_str(context), .plain = bytes_of_str("text")};
    return backing_encrypt(&front.request, key, &key_of(key)->materials[0], &in, out, NULL, NULL);
}

static enum kms_error decrypt(const struct record *key, const char *context,
                              const struct buf *ciphertext)
{
    AUTO_SECRET plain = SECRET_INIT;
    const struct hsm_decrypt in = {.aad = bytes_of_str(context),
                                   .ciphertext = buf_bytes(ciphertext)};
    KMS_TRY(backing_decrypt(&front.request, key, &key_of(key)->materials[0], &in, &plain));
    CU_ASSERT(secret_equal(&plain, bytes_of_str("text")));
    return KMS_OK;
}

/* There and back, and not with another context. */
static void check_round_trip(const struct record *key)
{
    AUTO_BUF sealed = BUF_INIT;
    CU_ASSERT_EQUAL(encrypt(key, "context", &sealed), KMS_OK);
    CU_ASSERT_EQUAL(decrypt(key, "context", &sealed), KMS_OK);
    CU_ASSERT_EQUAL(decrypt(key, "Context", &sealed), KMS_INVALID_CIPHERTEXT);
    CU_ASSERT(!backing_is_stale());
}

static void own_key_is_used_in_the_own_cluster_with_the_view(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_AWS_KMS);
    check_round_trip(key);
    CU_ASSERT_EQUAL(front.own.last_view, front.request.view);
    CU_ASSERT_EQUAL(front.own.last_key, key_of(key)->materials[0].handle);
    CU_ASSERT_STRING_EQUAL(front.own.keys[0].label, "k1");
    CU_ASSERT_EQUAL(strlen(key_of(key)->materials[0].id), 64);
    CU_ASSERT_EQUAL(front.foreign.key_count, 0);
    front_end();
}

static void key_of_a_store_is_used_in_its_cluster_without_the_view(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_AWS_CLOUDHSM);
    check_round_trip(key);
    CU_ASSERT_EQUAL(front.own.key_count, 0);
    CU_ASSERT_EQUAL(front.foreign.key_count, 1);
    CU_ASSERT_EQUAL(front.foreign.last_view, 0);
    CU_ASSERT_STRING_EQUAL(key_of(key)->materials[0].id, "");
    front_end();
}

static void key_of_an_external_store_is_encrypted_twice(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_XKS);
    AUTO_BUF sealed = BUF_INIT;
    check_round_trip(key);
    CU_ASSERT_EQUAL(front.own.key_count, 1);
    CU_ASSERT_EQUAL(front.foreign.key_count, 0);
    CU_ASSERT_EQUAL(front.at_proxy, 3);
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_OK);
    CU_ASSERT_EQUAL(sealed.ptr[0], 'x');
    front_end();
}

static void data_key_of_an_external_store_is_made_in_our_own_hsm(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_XKS);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_SECRET opened = SECRET_INIT;
    const struct hsm_encrypt in = {.random_len = 32, .reveal = true};
    const struct key_material *material = &key_of(key)->materials[0];
    CU_ASSERT_EQUAL(backing_encrypt(&front.request, key, material, &in, &sealed, &plain, NULL),
                    KMS_OK);
    CU_ASSERT_EQUAL(plain.len, 32);
    const struct hsm_decrypt back = {.ciphertext = buf_bytes(&sealed)};
    CU_ASSERT_EQUAL(backing_decrypt(&front.request, key, material, &back, &opened), KMS_OK);
    CU_ASSERT(secret_equal(&opened, secret_expose(&plain)));
    front_end();
}

static void old_view_is_stale_and_not_an_error_of_the_callers(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_AWS_KMS);
    AUTO_BUF sealed = BUF_INIT;
    front.own.is_view_old = true;
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_INTERNAL);
    CU_ASSERT(backing_is_stale());
    front.own.is_view_old = false;
    backing_begin();
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_OK);
    CU_ASSERT(!backing_is_stale());
    front_end();
}

static void change_of_ours_stops_the_use_of_a_stores_key(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_AWS_CLOUDHSM);
    AUTO_BUF sealed = BUF_INIT;
    fake_cluster_put(&front.own, "other/x", "{}");
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_INTERNAL);
    CU_ASSERT(backing_is_stale());
    front_look();
    backing_begin();
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_OK);
    front_end();
}

static void handles_that_have_changed_are_found_again(void)
{
    front_begin();
    AUTO_RECORD *own = aes("k1", ORIGIN_AWS_KMS);
    AUTO_RECORD *of_store = aes("k2", ORIGIN_AWS_CLOUDHSM);
    check_round_trip(own);
    check_round_trip(of_store);
    fake_cluster_renumber(&front.own);
    fake_cluster_renumber(&front.foreign);
    check_round_trip(own);
    check_round_trip(of_store);
    uint64_t known = front.own.last_key;
    check_round_trip(own);
    CU_ASSERT_EQUAL(front.own.last_key, known);
    front_end();
}

/* A store's cluster that was restored from an old backup has given the number to another key. */
static void number_of_another_key_is_not_used_in_a_stores_cluster(void)
{
    front_begin();
    AUTO_RECORD *key = aes("k1", ORIGIN_AWS_CLOUDHSM);
    struct hsm_key other;
    UNIT_OK(hsm_create(&front.foreign_client, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "other",
                       (const uint8_t[HSM_ID_LEN]){9}, &other));
    front.foreign.keys[0].handle = 0;
    front.foreign.keys[1].handle = key_of(key)->materials[0].handle;
    AUTO_BUF sealed = BUF_INIT;
    CU_ASSERT_EQUAL(encrypt(key, "", &sealed), KMS_INVALID_STATE);
    CU_ASSERT_EQUAL(sealed.len, 0);
    front_end();
}

static void missing_material_is_unavailable_or_an_invalid_state_of_a_store(void)
{
    front_begin();
    AUTO_RECORD *own = aes("k1", ORIGIN_AWS_KMS);
    AUTO_RECORD *of_store = aes("k2", ORIGIN_AWS_CLOUDHSM);
    AUTO_BUF sealed = BUF_INIT;
    UNIT_OK(hsm_delete(&front.own_client, front.own.keys[0].handle));
    UNIT_OK(hsm_delete(&front.foreign_client, front.foreign.keys[0].handle));
    CU_ASSERT_EQUAL(encrypt(own, "", &sealed), KMS_KEY_UNAVAILABLE);
    CU_ASSERT_EQUAL(encrypt(of_store, "", &sealed), KMS_INVALID_STATE);
    front_end();
}

static void trouble_has_awss_names(void)
{
    front_begin();
    AUTO_RECORD *own = aes("k1", ORIGIN_AWS_KMS);
    AUTO_RECORD *of_store = aes("k2", ORIGIN_AWS_CLOUDHSM);
    AUTO_BUF sealed = BUF_INIT;
    atomic_store(&front.foreign.fail, RC_UNAVAILABLE);
    CU_ASSERT_EQUAL(encrypt(of_store, "", &sealed), KMS_DEPENDENCY_TIMEOUT);
    front.is_connected = false;
    CU_ASSERT_EQUAL(encrypt(of_store, "", &sealed), KMS_INVALID_STATE);
    atomic_store(&front.own.fail, RC_NO_LEADER);
    CU_ASSERT_EQUAL(encrypt(own, "", &sealed), KMS_UNAVAILABLE);
    atomic_store(&front.own.fail, RC_DEADLINE);
    CU_ASSERT_EQUAL(encrypt(own, "", &sealed), KMS_DEPENDENCY_TIMEOUT);
    atomic_store(&front.own.fail, RC_OK);
    front_end();
}

static enum kms_error reencrypt(const struct record *from, const struct record *to,
                                const struct buf *sealed, struct buf *out)
{
    const struct hsm_decrypt in = {.aad = bytes_of_str("one"), .ciphertext = buf_bytes(sealed)};
    const struct hsm_encrypt out_in = {.aad = bytes_of_str("two")};
    return backing_reencrypt(&front.request, from, &key_of(from)->materials[0], &in, to,
                             &key_of(to)->materials[0], &out_in, out);
}

static void check_reencrypt(const struct record *from, const struct record *to)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF again = BUF_INIT;
    CU_ASSERT_EQUAL(encrypt(from, "one", &sealed), KMS_OK);
    CU_ASSERT_EQUAL(reencrypt(from, to, &sealed, &again), KMS_OK);
    CU_ASSERT_EQUAL(decrypt(to, "two", &again), KMS_OK);
    CU_ASSERT_EQUAL(reencrypt(from, to, &again, &sealed), KMS_INVALID_CIPHERTEXT);
}

static void reencryption_goes_inside_one_cluster_and_between_two(void)
{
    front_begin();
    AUTO_RECORD *one = aes("k1", ORIGIN_AWS_KMS);
    AUTO_RECORD *two = aes("k2", ORIGIN_AWS_KMS);
    AUTO_RECORD *of_store = aes("k3", ORIGIN_AWS_CLOUDHSM);
    AUTO_RECORD *external = aes("k4", ORIGIN_XKS);
    check_reencrypt(one, two);
    fake_cluster_renumber(&front.own);
    check_reencrypt(one, two);
    check_reencrypt(one, of_store);
    check_reencrypt(of_store, two);
    check_reencrypt(of_store, of_store);
    check_reencrypt(one, external);
    check_reencrypt(external, of_store);
    front_end();
}

static void signatures_and_agreement_use_the_current_material(void)
{
    front_begin();
    front_put(front_key("k1", ORIGIN_AWS_KMS, KEYSTORE_SPEC_P256, KEYSTORE_SIGN));
    AUTO_RECORD *key = front_get("k1");
    AUTO_BUF signature = BUF_INIT;
    bool is_valid = false;
    struct hsm_sign in = {.algorithm = KEYSTORE_ECDSA_SHA256, .data = bytes_of_str("message")};
    CU_ASSERT_EQUAL(backing_sign(&front.request, key, &in, &signature), KMS_OK);
    CU_ASSERT_EQUAL(backing_verify(&front.request, key, &in, buf_bytes(&signature), &is_valid),
                    KMS_OK);
    CU_ASSERT(is_valid);
    CU_ASSERT_EQUAL(front.own.last_view, front.request.view);
    in.data = bytes_of_str("another");
    CU_ASSERT_EQUAL(backing_verify(&front.request, key, &in, buf_bytes(&signature), &is_valid),
                    KMS_OK);
    CU_ASSERT(!is_valid);
    CU_ASSERT_EQUAL(backing_verify(&front.request, key, &in, BYTES_NONE, &is_valid), KMS_OK);
    CU_ASSERT(!is_valid);
    AUTO_SECRET shared = SECRET_INIT;
    CU_ASSERT_EQUAL(backing_agree(&front.request, key, bytes_of_str("peer"), &shared), KMS_OK);
    CU_ASSERT_EQUAL(shared.len, 4);
    CU_ASSERT_EQUAL(backing_agree(&front.request, key, BYTES_NONE, &shared), KMS_VALIDATION);
    front_end();
}

static void deletion_is_quiet_about_what_is_gone(void)
{
    front_begin();
    AUTO_RECORD *own = aes("k1", ORIGIN_AWS_KMS);
    AUTO_RECORD *of_store = aes("k2", ORIGIN_AWS_CLOUDHSM);
    backing_delete(&front.kms, key_of(own), &key_of(own)->materials[0]);
    CU_ASSERT_EQUAL(front.own.keys[0].handle, 0);
    backing_delete(&front.kms, key_of(own), &key_of(own)->materials[0]);
    fake_cluster_renumber(&front.foreign);
    backing_delete(&front.kms, key_of(of_store), &key_of(of_store)->materials[0]);
    CU_ASSERT_EQUAL(front.foreign.keys[0].handle, 0);
    front.is_connected = false;
    backing_delete(&front.kms, key_of(of_store), &key_of(of_store)->materials[0]);
    front_end();
}

UNIT_SUITE("kms/backing", UNIT_CASE(own_key_is_used_in_the_own_cluster_with_the_view),
           UNIT_CASE(key_of_a_store_is_used_in_its_cluster_without_the_view),
           UNIT_CASE(key_of_an_external_store_is_encrypted_twice),
           UNIT_CASE(data_key_of_an_external_store_is_made_in_our_own_hsm),
           UNIT_CASE(old_view_is_stale_and_not_an_error_of_the_callers),
           UNIT_CASE(change_of_ours_stops_the_use_of_a_stores_key),
           UNIT_CASE(handles_that_have_changed_are_found_again),
           UNIT_CASE(number_of_another_key_is_not_used_in_a_stores_cluster),
           UNIT_CASE(missing_material_is_unavailable_or_an_invalid_state_of_a_store),
           UNIT_CASE(trouble_has_awss_names),
           UNIT_CASE(reencryption_goes_inside_one_cluster_and_between_two),
           UNIT_CASE(signatures_and_agreement_use_the_current_material),
           UNIT_CASE(deletion_is_quiet_about_what_is_gone));
