/* SPDX-License-Identifier: Apache-2.0 */
/* AES: parts against the whole, tampering, IVs made by the HSM, contexts used again. */
#include <pthread.h>

#include "mech_fixture.h"

#define LEN_MAX 1000U

static bool whole_blocks(const char *name)
{
    return strcmp(name, "CKM_AES_ECB") == 0 || strcmp(name, "CKM_AES_CBC") == 0;
}

/* One length: whole and in parts, there and back. */
static void round_trip(const char *name, struct key *key, size_t len)
{
    AUTO_BUF whole = BUF_INIT;
    AUTO_BUF parts = BUF_INIT;
    AUTO_BUF back = BUF_INIT;
    AUTO_BUF back_parts = BUF_INIT;
    struct bytes data = bytes_of(fixture_data(), len);
    const struct mech_call call = fixture_call(name, len);
    if (whole_blocks(name) && len % 16 != 0) {
        UNIT_RC(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &whole), RC_DATA_LEN);
        UNIT_RC(fixture_parts(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &parts), RC_DATA_LEN);
        UNIT_RC(fixture_crypt(&call, CRYPT_DECRYPT, key, data, BYTES_NONE, &back),
                RC_ENCRYPTED_DATA_LEN);
        UNIT_RC(fixture_parts(&call, CRYPT_DECRYPT, key, data, BYTES_NONE, &parts),
                RC_ENCRYPTED_DATA_LEN);
        return;
    }
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &whole));
    UNIT_OK(fixture_parts(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &parts));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&whole), buf_bytes(&parts)));
    UNIT_OK(fixture_crypt(&call, CRYPT_DECRYPT, key, buf_bytes(&whole), BYTES_NONE, &back));
    UNIT_OK(fixture_parts(&call, CRYPT_DECRYPT, key, buf_bytes(&whole), BYTES_NONE, &back_parts));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&back), data));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&back_parts), data));
}

static void parts_give_what_the_whole_gives_at_every_length(void)
{
    static const char *const names[] = {"CKM_AES_ECB", "CKM_AES_CBC", "CKM_AES_CBC_PAD",
                                        "CKM_AES_CTR", "CKM_AES_GCM", "CKM_AES_CCM"};
    static const size_t key_len[] = {16, 24, 32};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        struct key *key = fixture_key(CKK_AES, key_len[n % 3]);
        for (size_t len = 0; len <= LEN_MAX; len++)
            round_trip(names[n], key, len);
        key_free(key);
    }
}

static void contexts_are_clean_when_mechanisms_take_turns_on_a_key(void)
{
    static const char *const names[] = {"CKM_AES_ECB", "CKM_AES_CBC", "CKM_AES_CBC_PAD",
                                        "CKM_AES_CTR", "CKM_AES_GCM", "CKM_AES_CCM"};
    struct key *key = fixture_key(CKK_AES, 32);
    for (unsigned turn = 0; turn < 300; turn++)
        round_trip(names[fixture_random(6)], key, 16 * fixture_random(20));
    key_free(key);
}

static void a_failed_use_leaves_the_context_ready_for_the_next(void)
{
    struct key *key = fixture_key(CKK_AES, 16);
    const struct mech_call gcm = fixture_call("CKM_AES_GCM", 0);
    const struct mech_call pad = fixture_call("CKM_AES_CBC_PAD", 0);
    for (unsigned turn = 0; turn < 20; turn++) {
        AUTO_BUF out = BUF_INIT;
        struct bytes garbage = bytes_of(fixture_data() + turn, 64);
        UNIT_RC(fixture_crypt(&gcm, CRYPT_DECRYPT, key, garbage, BYTES_NONE, &out),
                RC_ENCRYPTED_DATA);
        enum rc rc = fixture_crypt(&pad, CRYPT_DECRYPT, key, garbage, BYTES_NONE, &out);
        CU_ASSERT_TRUE(rc == RC_ENCRYPTED_DATA || rc == RC_OK);
        round_trip("CKM_AES_GCM", key, turn);
        round_trip("CKM_AES_CBC_PAD", key, turn);
    }
    key_free(key);
}

static void every_turned_bit_is_noticed_by(const char *name)
{
    AUTO_BUF sealed = BUF_INIT;
    struct key *key = fixture_key(CKK_AES, 16);
    const struct mech_call call = fixture_call(name, 21);
    struct bytes data = bytes_of(fixture_data(), 21);
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &sealed));
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        AUTO_BUF out = BUF_INIT;
        UNIT_OK(buf_put_u8(&out, 0x5a));
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        UNIT_RC(fixture_crypt(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &out),
                RC_ENCRYPTED_DATA);
        UNIT_RC(fixture_parts(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &out),
                RC_ENCRYPTED_DATA);
        CU_ASSERT_EQUAL(out.len, 1);
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++) {
        AUTO_BUF out = BUF_INIT;
        enum rc rc = fixture_parts(&call, CRYPT_DECRYPT, key,
                                   bytes_slice(buf_bytes(&sealed), 0, len), BYTES_NONE, &out);
        CU_ASSERT_TRUE(rc == RC_ENCRYPTED_DATA || rc == RC_ENCRYPTED_DATA_LEN);
        CU_ASSERT_EQUAL(out.len, 0);
    }
    key_free(key);
}

static void gcm_with_a_long_iv_notices_every_turned_bit(void)
{
    struct key *key = fixture_key(CKK_AES, 32);
    struct mech_call call = fixture_call("CKM_AES_GCM", 0);
    AUTO_BUF sealed = BUF_INIT;
    call.u.gcm.iv = bytes_of(fixture_data(), 256);
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, bytes_of(fixture_data(), 30), BYTES_NONE,
                          &sealed));
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        AUTO_BUF out = BUF_INIT;
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        UNIT_RC(fixture_parts(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &out),
                RC_ENCRYPTED_DATA);
        CU_ASSERT_EQUAL(out.len, 0);
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    AUTO_BUF out = BUF_INIT;
    UNIT_RC(
        fixture_parts(&call, CRYPT_DECRYPT, key, bytes_of(fixture_data(), 15), BYTES_NONE, &out),
        RC_ENCRYPTED_DATA_LEN);
    key_free(key);
}

static void gcm_notices_every_turned_bit_and_cut(void)
{
    every_turned_bit_is_noticed_by("CKM_AES_GCM");
}

static void ccm_notices_every_turned_bit_and_cut(void)
{
    every_turned_bit_is_noticed_by("CKM_AES_CCM");
}

/* NIST SP 800-38C, C.4: 65536 bytes of additional data, whose length has an encoding of its own. */
static void ccm_takes_long_additional_data(void)
{
    static const uint8_t want[] = {0x69, 0x91, 0x5d, 0xad, 0x1e, 0x84, 0xc6, 0x37, 0x6a, 0x68,
                                   0xc2, 0x96, 0x7e, 0x4d, 0xab, 0x61, 0x5a, 0xe0, 0xfd, 0x1f,
                                   0xae, 0xc4, 0x4c, 0xc4, 0x84, 0x82, 0x85, 0x29, 0x46, 0x3c,
                                   0xcf, 0x72, 0xb4, 0xac, 0x6b, 0xec, 0x93, 0xe8, 0x59, 0x8e,
                                   0x7f, 0x0d, 0xad, 0xbc, 0xea, 0x5b};
    static uint8_t aad[65536];
    uint8_t bytes[64];
    AUTO_BUF out = BUF_INIT;
    struct key *key = NULL;
    struct mech_call call = fixture_call("CKM_AES_CCM", 32);
    for (size_t i = 0; i < sizeof aad; i++)
        aad[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i + 0x10);
    const struct attr value = {.type = CKA_VALUE, .value = bytes_of(bytes + 0x30, 16)};
    UNIT_OK(key_parse(CKO_SECRET_KEY, CKK_AES, (struct attrs){.ptr = &value, .count = 1}, &key));
    call.u.ccm.nonce = bytes_of(bytes, 13);
    call.u.ccm.aad = bytes_of(aad, sizeof aad);
    call.u.ccm.mac_len = 14;
    UNIT_OK(fixture_parts(&call, CRYPT_ENCRYPT, key, bytes_of(bytes + 0x10, 32), BYTES_NONE, &out));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), bytes_of(want, sizeof want)));
    key_free(key);
}

static void padding_errors_are_all_the_same(void)
{
    AUTO_BUF sealed = BUF_INIT;
    struct key *key = fixture_key(CKK_AES, 16);
    const struct mech_call call = fixture_call("CKM_AES_CBC_PAD", 0);
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, bytes_of(fixture_data(), 40), BYTES_NONE,
                          &sealed));
    unsigned refused = 0;
    rc_detail_clear();
    for (unsigned last = 0; last < 256; last++) {
        AUTO_BUF out = BUF_INIT;
        sealed.ptr[sealed.len - 17] ^= (uint8_t)last;
        enum rc rc = fixture_crypt(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &out);
        sealed.ptr[sealed.len - 17] ^= (uint8_t)last;
        CU_ASSERT_TRUE(rc == RC_OK || rc == RC_ENCRYPTED_DATA);
        CU_ASSERT_STRING_EQUAL(rc_detail(), rc == RC_OK ? "" : "AES refuses the data");
        refused += rc != RC_OK;
        rc_detail_clear();
    }
    CU_ASSERT_TRUE(refused >= 253);
    key_free(key);
}

static void gcm_decryption_gives_nothing_out_before_the_tag(void)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *key = fixture_key(CKK_AES, 32);
    const struct mech_call call = fixture_call("CKM_AES_GCM", 0);
    struct bytes data = bytes_of(fixture_data(), 500);
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &sealed));
    UNIT_OK(operation_begin(&call, CRYPT_DECRYPT, key, 600, &out, &operation));
    UNIT_OK(operation_update(operation, buf_bytes(&sealed), &out));
    CU_ASSERT_EQUAL(out.len, 0);
    UNIT_OK(operation_final(operation, BYTES_NONE, BYTES_NONE, &out));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), data));
    operation_free(operation);
    key_free(key);
}

static void what_is_held_back_is_bounded(void)
{
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *key = fixture_key(CKK_AES, 32);
    const struct mech_call call = fixture_call("CKM_AES_GCM", 0);
    UNIT_OK(operation_begin(&call, CRYPT_DECRYPT, key, 100, &out, &operation));
    UNIT_OK(operation_update(operation, bytes_of(fixture_data(), 100), &out));
    UNIT_RC(operation_update(operation, bytes_of(fixture_data(), 1), &out), RC_TOO_LARGE);
    UNIT_RC(operation_update(operation, bytes_of(fixture_data(), 1), &out),
            RC_OPERATION_NOT_INITIALIZED);
    operation_free(operation);
    /* Encryption holds nothing back. */
    UNIT_OK(operation_begin(&call, CRYPT_ENCRYPT, key, 100, &out, &operation));
    for (unsigned i = 0; i < 10; i++)
        UNIT_OK(operation_update(operation, bytes_of(fixture_data(), 100), &out));
    UNIT_OK(operation_final(operation, BYTES_NONE, BYTES_NONE, &out));
    CU_ASSERT_EQUAL(out.len, 1016);
    operation_free(operation);
    key_free(key);
}

static void gcm_takes_every_iv_length_and_tag_length(void)
{
    struct key *key = fixture_key(CKK_AES, 32);
    for (size_t len = 1; len <= 256; len++) {
        AUTO_BUF sealed = BUF_INIT;
        AUTO_BUF back = BUF_INIT;
        struct mech_call call = fixture_call("CKM_AES_GCM", 0);
        call.u.gcm.iv = bytes_of(fixture_data(), len);
        call.u.gcm.tag_bits = 32 + 8 * (len % 13);
        struct bytes data = bytes_of(fixture_data(), len);
        UNIT_OK(fixture_parts(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &sealed));
        CU_ASSERT_EQUAL(sealed.len, len + call.u.gcm.tag_bits / 8);
        UNIT_OK(fixture_crypt(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &back));
        CU_ASSERT_TRUE(bytes_equal(buf_bytes(&back), data));
    }
    key_free(key);
}

static void the_parameter_may_vanish_after_begin(void)
{
    uint8_t iv[12] = {1};
    uint8_t aad[20] = {2};
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *key = fixture_key(CKK_AES, 32);
    struct mech_call call = fixture_call("CKM_AES_GCM", 0);
    struct bytes data = bytes_of(fixture_data(), 40);
    call.u.gcm.iv = bytes_of(iv, sizeof iv);
    call.u.gcm.aad = bytes_of(aad, sizeof aad);
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &sealed));
    UNIT_OK(operation_begin(&call, CRYPT_DECRYPT, key, 100, &out, &operation));
    memset(iv, 0xff, sizeof iv);
    memset(aad, 0xff, sizeof aad);
    memset(&call, 0xff, sizeof call);
    UNIT_OK(operation_final(operation, buf_bytes(&sealed), BYTES_NONE, &out));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), data));
    operation_free(operation);
    key_free(key);
}

/* Encrypts under the vendor's row and decrypts with the IV that came back. */
static void vendor_round(struct key *key, bool in_parts, uint8_t iv_out[12])
{
    static const uint8_t zeros[12];
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF back = BUF_INIT;
    AUTO_BUF iv = BUF_INIT;
    struct bytes data = bytes_of(fixture_data(), 77);
    struct mech_call call = fixture_call("CKM_CLOUDHSM_AES_GCM", 0);
    call.u.gcm.iv = bytes_of(zeros, sizeof zeros);
    if (in_parts) {
        struct operation *operation = NULL;
        UNIT_OK(operation_begin(&call, CRYPT_ENCRYPT, key, 100, &iv, &operation));
        UNIT_OK(operation_update(operation, bytes_slice(data, 0, 30), &sealed));
        UNIT_OK(operation_final(operation, bytes_slice(data, 30, 99), BYTES_NONE, &sealed));
        operation_free(operation);
    } else {
        UNIT_OK(mech_crypt(&call, CRYPT_ENCRYPT, key, 0, false, data, BYTES_NONE, &sealed, &iv));
    }
    CU_ASSERT_EQUAL_FATAL(iv.len, 12);
    CU_ASSERT_EQUAL(sealed.len, data.len + 16);
    call.u.gcm.iv = buf_bytes(&iv);
    UNIT_OK(fixture_crypt(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &back));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&back), data));
    memcpy(iv_out, iv.ptr, 12);
}

static void the_vendor_row_makes_a_fresh_iv_each_time(void)
{
    uint8_t iv[4][12];
    struct key *key = fixture_key(CKK_AES, 32);
    for (unsigned i = 0; i < 4; i++)
        vendor_round(key, i % 2 == 1, iv[i]);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(memcmp(iv[i], iv[j], 12), 0);
    key_free(key);
}

static void the_vendor_row_without_an_iv_puts_it_before_the_data(void)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF parts = BUF_INIT;
    AUTO_BUF back = BUF_INIT;
    AUTO_SECRET value = SECRET_INIT;
    AUTO_SECRET unwrapped = SECRET_INIT;
    struct key *key = fixture_key(CKK_AES, 32);
    struct bytes data = bytes_of(fixture_data(), 77);
    struct mech_call call = fixture_call("CKM_CLOUDHSM_AES_GCM", 0);
    call.u.gcm.iv = BYTES_NONE;
    UNIT_OK(fixture_crypt(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &sealed));
    CU_ASSERT_EQUAL(sealed.len, 12 + data.len + 16);
    UNIT_OK(fixture_parts(&call, CRYPT_DECRYPT, key, buf_bytes(&sealed), BYTES_NONE, &back));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&back), data));
    UNIT_OK(fixture_parts(&call, CRYPT_ENCRYPT, key, data, BYTES_NONE, &parts));
    CU_ASSERT_EQUAL(parts.len, sealed.len);
    CU_ASSERT_FALSE(bytes_equal(buf_bytes(&parts), buf_bytes(&sealed)));
    UNIT_OK(secret_from_bytes(&value, data));
    UNIT_OK(buf_resize(&sealed, 0));
    UNIT_OK(mech_wrap(&call, key, 0, &value, &sealed));
    UNIT_OK(mech_unwrap(&call, key, 0, buf_bytes(&sealed), &unwrapped));
    CU_ASSERT_TRUE(secret_equal(&unwrapped, data));
    key_free(key);
}

static void a_short_counter_may_not_wrap_in_parts(void)
{
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *key = fixture_key(CKK_AES, 16);
    struct mech_call call = fixture_call("CKM_AES_CTR", 0);
    memset(call.u.ctr.block, 0, 16);
    call.u.ctr.block[15] = 0xfe;
    call.u.ctr.counter_bits = 8;
    UNIT_OK(operation_begin(&call, CRYPT_ENCRYPT, key, 0, &out, &operation));
    UNIT_OK(operation_update(operation, bytes_of(fixture_data(), 31), &out));
    UNIT_OK(operation_update(operation, bytes_of(fixture_data(), 1), &out));
    CU_ASSERT_EQUAL(out.len, 32);
    UNIT_RC(operation_update(operation, bytes_of(fixture_data(), 1), &out), RC_DATA_LEN);
    CU_ASSERT_EQUAL(out.len, 32);
    operation_free(operation);
    /* All 128 bits wrap to zero, as everybody's do. */
    memset(call.u.ctr.block, 0xff, 16);
    call.u.ctr.counter_bits = 128;
    UNIT_OK(
        fixture_crypt(&call, CRYPT_ENCRYPT, key, bytes_of(fixture_data(), 64), BYTES_NONE, &out));
    call.u.ctr.counter_bits = 127;
    UNIT_RC(
        fixture_crypt(&call, CRYPT_ENCRYPT, key, bytes_of(fixture_data(), 17), BYTES_NONE, &out),
        RC_DATA_LEN);
    key_free(key);
}

static void wrap_lengths(const char *name, struct key *key, size_t len)
{
    AUTO_SECRET value = SECRET_INIT;
    AUTO_SECRET back = SECRET_INIT;
    AUTO_BUF wrapped = BUF_INIT;
    const struct mech_call call = fixture_call(name, len);
    UNIT_OK(secret_from_bytes(&value, bytes_of(fixture_data(), len)));
    enum rc rc = mech_wrap(&call, key, 0, &value, &wrapped);
    if (strcmp(name, "CKM_AES_KEY_WRAP") == 0 && (len % 8 != 0 || len < 16)) {
        CU_ASSERT_EQUAL(rc, RC_KEY_NOT_WRAPPABLE);
        return;
    }
    UNIT_OK(rc);
    UNIT_OK(mech_unwrap(&call, key, 0, buf_bytes(&wrapped), &back));
    if (strcmp(name, "CKM_AES_CBC") == 0)
        secret_truncate(&back, len);
    CU_ASSERT_TRUE(secret_equal(&back, bytes_of(fixture_data(), len)));
}

static void wrapped_keys_of_every_length_come_back(void)
{
    static const char *const names[] = {"CKM_AES_KEY_WRAP", "CKM_AES_KEY_WRAP_KWP", "CKM_AES_CBC",
                                        "CKM_AES_CBC_PAD",  "CKM_AES_GCM",          "CKM_AES_CCM"};
    struct key *key = fixture_key(CKK_AES, 32);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
        for (size_t len = 1; len <= 200; len++)
            wrap_lengths(names[n], key, len);
    key_free(key);
}

struct worker {
    pthread_t thread;
    struct key *key;
    unsigned lane;
    bool good;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    const struct mech_call calls[2] = {fixture_call("CKM_AES_GCM", 0),
                                       fixture_call("CKM_AES_CBC_PAD", 0)};
    worker->good = true;
    for (unsigned i = 0; i < 500; i++) {
        AUTO_BUF out = BUF_INIT;
        AUTO_BUF back = BUF_INIT;
        AUTO_BUF iv = BUF_INIT;
        const struct mech_call *call = &calls[i % 2];
        struct bytes data = bytes_of(fixture_data() + i, i);
        enum rc rc = mech_crypt(call, CRYPT_ENCRYPT, worker->key, worker->lane, false, data,
                                BYTES_NONE, &out, &iv);
        if (rc == RC_OK)
            rc = mech_crypt(call, CRYPT_DECRYPT, worker->key, worker->lane, false, buf_bytes(&out),
                            BYTES_NONE, &back, &iv);
        worker->good &= rc == RC_OK && bytes_equal(buf_bytes(&back), data);
    }
    return NULL;
}

static void lanes_work_side_by_side_on_one_key(void)
{
    struct worker workers[4];
    struct key *key = fixture_key(CKK_AES, 32);
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.key = key, .lane = i};
        CU_ASSERT_EQUAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
        CU_ASSERT_TRUE(workers[i].good);
    }
    key_free(key);
}

UNIT_SUITE("token/mech_aes", UNIT_CASE(parts_give_what_the_whole_gives_at_every_length),
           UNIT_CASE(contexts_are_clean_when_mechanisms_take_turns_on_a_key),
           UNIT_CASE(a_failed_use_leaves_the_context_ready_for_the_next),
           UNIT_CASE(gcm_with_a_long_iv_notices_every_turned_bit),
           UNIT_CASE(gcm_notices_every_turned_bit_and_cut),
           UNIT_CASE(ccm_notices_every_turned_bit_and_cut),
           UNIT_CASE(ccm_takes_long_additional_data), UNIT_CASE(padding_errors_are_all_the_same),
           UNIT_CASE(gcm_decryption_gives_nothing_out_before_the_tag),
           UNIT_CASE(what_is_held_back_is_bounded),
           UNIT_CASE(gcm_takes_every_iv_length_and_tag_length),
           UNIT_CASE(the_parameter_may_vanish_after_begin),
           UNIT_CASE(the_vendor_row_makes_a_fresh_iv_each_time),
           UNIT_CASE(the_vendor_row_without_an_iv_puts_it_before_the_data),
           UNIT_CASE(a_short_counter_may_not_wrap_in_parts),
           UNIT_CASE(wrapped_keys_of_every_length_come_back),
           UNIT_CASE(lanes_work_side_by_side_on_one_key));
