/* SPDX-License-Identifier: Apache-2.0 */
/* The key that an object keeps: parsed once, whoever asks first. */
#include <pthread.h>

#include "key_fixture.h"
#include "tests/unit/unit.h"

static struct seal_keys *keys;

static struct object *object_of(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type,
                                const struct material *material)
{
    static const uint8_t cluster[16];
    uint8_t class_value[8], type_value[8];
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF record = BUF_INIT;
    struct object *object = NULL;
    struct object_parts parts = {.version = 1, .token = 1};
    if (keys == NULL) {
        UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
        UNIT_OK(seal_keys_new(&master, cluster, &keys));
    }
    UNIT_OK(attrs_decode(buf_bytes(&material->public_attrs), &parts.public_attrs));
    UNIT_OK(attrs_decode(secret_expose(&material->secret_attrs), &parts.secret_attrs));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_CLASS, attr_ulong(class_value, object_class)));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_KEY_TYPE, attr_ulong(type_value, type)));
    UNIT_OK(object_build(keys, &parts, &record));
    UNIT_OK(object_from_record(1, buf_bytes(&record), &object));
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    return object;
}

static void a_sealed_private_key_signs(void)
{
    struct key_pair pair;
    struct key *key = NULL, *again = NULL;
    AUTO_BUF signature = BUF_INIT;
    const struct mech_call call = fixture_call("CKM_ECDSA_SHA256");
    fixture_curve_pair("secp256r1", &pair);
    AUTO_OBJECT *object = object_of(CKO_PRIVATE_KEY, CKK_EC, &pair.private_material);
    UNIT_OK(key_get(keys, object, &key));
    UNIT_OK(key_get(keys, object, &again));
    CU_ASSERT_PTR_EQUAL(key, again);
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, bytes_of_str("m"), BYTES_NONE, &signature));
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, bytes_of_str("m"),
                          buf_bytes(&signature), NULL));
    fixture_pair_clear(&pair);
}

#define THREADS 4U

static void *ask(void *object)
{
    struct key *key = NULL;
    return key_get(keys, object, &key) == RC_OK ? key : NULL;
}

static void threads_that_ask_at_once_get_one_key(void)
{
    struct key_pair pair;
    fixture_curve_pair("secp256r1", &pair);
    for (unsigned round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        void *got[THREADS] = {NULL};
        AUTO_OBJECT *object = object_of(CKO_PRIVATE_KEY, CKK_EC, &pair.private_material);
        for (unsigned i = 0; i < THREADS; i++)
            CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ask, object), 0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(threads[i], &got[i]);
        CU_ASSERT_PTR_NOT_NULL(got[0]);
        for (unsigned i = 1; i < THREADS; i++)
            CU_ASSERT_PTR_EQUAL(got[i], got[0]);
    }
    fixture_pair_clear(&pair);
}

static void what_is_no_key_is_refused(void)
{
    struct key *key = NULL;
    struct attr_list attrs = {.count = 0};
    UNIT_OK(crypto_lib_init());
    UNIT_RC(key_parse(CKO_DATA, CKK_AES, attrs_of(&attrs), &key), RC_KEY_TYPE);
    UNIT_RC(key_parse(CKO_SECRET_KEY, CKK_AES, attrs_of(&attrs), &key), RC_TEMPLATE_INCOMPLETE);
    UNIT_RC(key_parse(CKO_PRIVATE_KEY, CKK_DSA, attrs_of(&attrs), &key), RC_ATTRIBUTE_VALUE);
    UNIT_OK(attr_list_add(&attrs, CKA_VALUE, bytes_of("15 bytes of key", 15)));
    UNIT_RC(key_parse(CKO_SECRET_KEY, CKK_AES, attrs_of(&attrs), &key), RC_ATTRIBUTE_VALUE);
    UNIT_OK(key_parse(CKO_SECRET_KEY, CKK_GENERIC_SECRET, attrs_of(&attrs), &key));
    CU_ASSERT_EQUAL(key_bits(key), 120);
    key_free(key);
    seal_keys_free(keys);
    crypto_lib_cleanup();
}

UNIT_SUITE("token/key", UNIT_CASE(a_sealed_private_key_signs),
           UNIT_CASE(threads_that_ask_at_once_get_one_key), UNIT_CASE(what_is_no_key_is_refused));
