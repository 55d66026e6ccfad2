/* SPDX-License-Identifier: Apache-2.0 */
/* Seals, MACs and the wrapped master key. */
#include "token/seal.h"

#include <pthread.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

static void what_was_sealed_is_opened(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(seal(keys, SEAL_OBJECT, bytes_of_str("aad"), bytes_of_str("value"), &sealed));
    CU_ASSERT_EQUAL(sealed.len, 5 + SEAL_OVERHEAD);
    UNIT_OK(unseal(keys, SEAL_OBJECT, bytes_of_str("aad"), buf_bytes(&sealed), &plain));
    CU_ASSERT_TRUE(secret_equal(&plain, bytes_of_str("value")));
    seal_keys_free(keys);
}

static void an_empty_value_is_sealed_and_opened(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(seal(keys, SEAL_TICKET, BYTES_NONE, BYTES_NONE, &sealed));
    UNIT_OK(unseal(keys, SEAL_TICKET, BYTES_NONE, buf_bytes(&sealed), &plain));
    CU_ASSERT_EQUAL(plain.len, 0);
    seal_keys_free(keys);
}

static void two_seals_of_one_value_differ(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    UNIT_OK(seal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of_str("value"), &first));
    UNIT_OK(seal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of_str("value"), &second));
    CU_ASSERT_FALSE(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    seal_keys_free(keys);
}

static void any_changed_byte_breaks_the_seal(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(seal(keys, SEAL_OBJECT, bytes_of_str("aad"), bytes_of_str("value"), &sealed));
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] ^= 1;
        UNIT_RC(unseal(keys, SEAL_OBJECT, bytes_of_str("aad"), buf_bytes(&sealed), &plain),
                RC_TAMPERED);
        sealed.ptr[i] ^= 1;
    }
    UNIT_OK(unseal(keys, SEAL_OBJECT, bytes_of_str("aad"), buf_bytes(&sealed), &plain));
    seal_keys_free(keys);
}

static void a_seal_cut_short_is_refused_at_every_length(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(seal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of_str("value"), &sealed));
    for (size_t len = 0; len < sealed.len; len++)
        UNIT_RC(unseal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of(sealed.ptr, len), &plain),
                RC_TAMPERED);
    seal_keys_free(keys);
}

static void another_purpose_aad_or_master_key_does_not_open(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct seal_keys *others = fixture_keys(2);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(seal(keys, SEAL_OBJECT, bytes_of_str("a"), bytes_of_str("value"), &sealed));
    struct bytes view = buf_bytes(&sealed);
    UNIT_RC(unseal(keys, SEAL_TICKET, bytes_of_str("a"), view, &plain), RC_TAMPERED);
    UNIT_RC(unseal(keys, SEAL_OBJECT, bytes_of_str("b"), view, &plain), RC_TAMPERED);
    UNIT_RC(unseal(others, SEAL_OBJECT, bytes_of_str("a"), view, &plain), RC_TAMPERED);
    CU_ASSERT_PTR_NULL(plain.ptr);
    seal_keys_free(keys);
    seal_keys_free(others);
}

static void a_failed_unseal_leaves_the_output_alone(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_SECRET plain = SECRET_INIT;
    const uint8_t junk[40] = {1};
    UNIT_OK(secret_from_bytes(&plain, bytes_of_str("before")));
    UNIT_RC(unseal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of(junk, sizeof junk), &plain),
            RC_TAMPERED);
    CU_ASSERT_TRUE(secret_equal(&plain, bytes_of_str("before")));
    seal_keys_free(keys);
}

static void a_mac_tells_where_its_parts_end(void)
{
    struct seal_keys *keys = fixture_keys(1);
    const struct bytes ab_c[] = {bytes_of_str("ab"), bytes_of_str("c")};
    const struct bytes a_bc[] = {bytes_of_str("a"), bytes_of_str("bc")};
    uint8_t first[32];
    uint8_t second[32];
    UNIT_OK(seal_mac(keys, SEAL_STATE, ab_c, 2, first));
    UNIT_OK(seal_mac(keys, SEAL_STATE, a_bc, 2, second));
    CU_ASSERT_FALSE(bytes_equal(bytes_of(first, 32), bytes_of(second, 32)));
    UNIT_OK(seal_mac(keys, SEAL_STATE, ab_c, 2, second));
    CU_ASSERT_TRUE(bytes_equal(bytes_of(first, 32), bytes_of(second, 32)));
    UNIT_OK(seal_mac(keys, SEAL_PIN, ab_c, 2, second));
    CU_ASSERT_FALSE(bytes_equal(bytes_of(first, 32), bytes_of(second, 32)));
    seal_keys_free(keys);
}

static void *seal_many(void *context)
{
    const struct seal_keys *keys = context;
    for (unsigned i = 0; i < 500; i++) {
        AUTO_BUF sealed = BUF_INIT;
        AUTO_SECRET plain = SECRET_INIT;
        if (seal(keys, SEAL_OBJECT, BYTES_NONE, bytes_of(&i, sizeof i), &sealed) != RC_OK ||
            unseal(keys, SEAL_OBJECT, BYTES_NONE, buf_bytes(&sealed), &plain) != RC_OK ||
            !secret_equal(&plain, bytes_of(&i, sizeof i)))
            return context;
    }
    return NULL;
}

static void many_threads_share_the_keys(void)
{
    struct seal_keys *keys = fixture_keys(1);
    pthread_t threads[12];
    for (size_t i = 0; i < 12; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, seal_many, keys), 0);
    for (size_t i = 0; i < 12; i++) {
        void *failed = NULL;
        (void)pthread_join(threads[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    seal_keys_free(keys);
}

static void wrap_and_unwrap(struct bytes unlock_value)
{
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_SECRET back = SECRET_INIT;
    AUTO_BUF wrapped = BUF_INIT;
    UNIT_OK(secret_from_bytes(&unlock, unlock_value));
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(random_bytes(master.ptr, master.len));
    UNIT_OK(master_key_wrap(&unlock, &master, &wrapped));
    UNIT_OK(master_key_unwrap(&unlock, buf_bytes(&wrapped), &back));
    CU_ASSERT_TRUE(secret_equal(&back, secret_expose(&master)));
    unlock.ptr[0] ^= 1;
    UNIT_RC(master_key_unwrap(&unlock, buf_bytes(&wrapped), &back), RC_SEALED);
}

static void the_master_key_opens_with_its_unlock_key_alone(void)
{
    struct seal_keys *keys = fixture_keys(1);
    const uint8_t file[32] = {0, 1, 2, 250};
    wrap_and_unwrap(bytes_of(file, sizeof file));
    wrap_and_unwrap(bytes_of_str("correct horse battery staple"));
    wrap_and_unwrap(bytes_of_str("a passphrase of thirty-two bytes"));
    seal_keys_free(keys);
}

static void a_damaged_master_key_file_is_refused(void)
{
    struct seal_keys *keys = fixture_keys(1);
    const uint8_t file[32] = {0, 1, 2, 250};
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF wrapped = BUF_INIT;
    UNIT_OK(secret_from_bytes(&unlock, bytes_of(file, sizeof file)));
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(master_key_wrap(&unlock, &master, &wrapped));
    for (size_t i = 0; i < wrapped.len; i++) {
        if (i == 9)
            continue; /* the choice of derivation: a passphrase takes longer to be refused */
        wrapped.ptr[i] ^= 0x40;
        UNIT_RC(master_key_unwrap(&unlock, buf_bytes(&wrapped), &master), RC_SEALED);
        wrapped.ptr[i] ^= 0x40;
    }
    for (size_t len = 0; len < wrapped.len; len++)
        UNIT_RC(master_key_unwrap(&unlock, bytes_of(wrapped.ptr, len), &master), RC_SEALED);
    seal_keys_free(keys);
}

static void no_purpose_opens_what_another_sealed(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_SECRET plain = SECRET_INIT;
    for (int by = 0; by < SEAL_PURPOSE_COUNT; by++) {
        AUTO_BUF sealed = BUF_INIT;
        UNIT_OK(seal(keys, (enum seal_purpose)by, BYTES_NONE, bytes_of_str("value"), &sealed));
        for (int with = 0; with < SEAL_PURPOSE_COUNT; with++)
            UNIT_RC(unseal(keys, (enum seal_purpose)with, BYTES_NONE, buf_bytes(&sealed), &plain),
                    with == by ? RC_OK : RC_TAMPERED);
    }
    seal_keys_free(keys);
}

static void a_pepper_taken_along_gives_the_same_mac(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_SECRET pepper = SECRET_INIT;
    uint8_t here[32];
    uint8_t there[32];
    const struct bytes part = bytes_of_str("part");
    UNIT_OK(seal_pepper(keys, &pepper));
    UNIT_OK(seal_mac(keys, SEAL_PIN, &part, 1, here));
    UNIT_OK(seal_mac_by(&pepper, &part, 1, there));
    CU_ASSERT_TRUE(bytes_equal(bytes_of(here, 32), bytes_of(there, 32)));
    seal_keys_free(keys);
}

UNIT_SUITE("token/seal", UNIT_CASE(no_purpose_opens_what_another_sealed),
           UNIT_CASE(a_pepper_taken_along_gives_the_same_mac), UNIT_CASE(what_was_sealed_is_opened),
           UNIT_CASE(an_empty_value_is_sealed_and_opened), UNIT_CASE(two_seals_of_one_value_differ),
           UNIT_CASE(any_changed_byte_breaks_the_seal),
           UNIT_CASE(a_seal_cut_short_is_refused_at_every_length),
           UNIT_CASE(another_purpose_aad_or_master_key_does_not_open),
           UNIT_CASE(a_failed_unseal_leaves_the_output_alone),
           UNIT_CASE(a_mac_tells_where_its_parts_end), UNIT_CASE(many_threads_share_the_keys),
           UNIT_CASE(the_master_key_opens_with_its_unlock_key_alone),
           UNIT_CASE(a_damaged_master_key_file_is_refused));
