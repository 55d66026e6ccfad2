/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch and multi-part operations: the order of calls, refusals, and the self-tests. */
#include "mech_fixture.h"

static void the_self_tests_pass(void)
{
    UNIT_OK(crypto_lib_init());
    UNIT_OK(crypto_self_test());
    if (rc_detail()[0] != 0)
        CU_FAIL("a self-test left a detail");
}

static void an_operation_ends_with_final(void)
{
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = fixture_call("CKM_SHA256_HMAC", 0);
    UNIT_OK(operation_begin(&call, CRYPT_SIGN, key, 0, &out, &operation));
    UNIT_OK(operation_final(operation, BYTES_NONE, BYTES_NONE, &out));
    CU_ASSERT_EQUAL(out.len, 32);
    UNIT_RC(operation_final(operation, BYTES_NONE, BYTES_NONE, &out), RC_OPERATION_NOT_INITIALIZED);
    UNIT_RC(operation_update(operation, bytes_of("x", 1), &out), RC_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(out.len, 32);
    operation_free(operation);
    key_free(key);
}

static void an_operation_may_be_dropped_at_any_time(void)
{
    static const char *const names[] = {"CKM_AES_CBC_PAD", "CKM_AES_GCM", "CKM_AES_CCM",
                                        "CKM_AES_CTR"};
    struct key *key = fixture_key(CKK_AES, 32);
    for (size_t i = 0; i < 4; i++) {
        AUTO_BUF out = BUF_INIT;
        struct operation *operation = NULL;
        const struct mech_call call = fixture_call(names[i], 100);
        UNIT_OK(operation_begin(&call, CRYPT_DECRYPT, key, 100, &out, &operation));
        UNIT_OK(operation_update(operation, bytes_of(fixture_data(), 50), &out));
        operation_free(operation);
    }
    operation_free(NULL);
    key_free(key);
}

static void a_refused_begin_gives_no_operation(void)
{
    AUTO_BUF out = BUF_INIT;
    struct operation *operation = NULL;
    struct key *aes = fixture_key(CKK_AES, 32);
    struct key *generic = fixture_key(CKK_GENERIC_SECRET, 32);
    struct mech_call call = fixture_call("CKM_AES_CBC", 0);
    UNIT_RC(operation_begin(&call, CRYPT_SIGN, aes, 0, &out, &operation), RC_MECHANISM);
    UNIT_RC(operation_begin(&call, CRYPT_ENCRYPT, generic, 0, &out, &operation), RC_KEY_TYPE);
    UNIT_RC(operation_begin(&call, CRYPT_ENCRYPT, NULL, 0, &out, &operation), RC_KEY_HANDLE);
    call.u.iv = BYTES_NONE;
    UNIT_RC(operation_begin(&call, CRYPT_ENCRYPT, aes, 0, &out, &operation), RC_MECHANISM_PARAM);
    call = fixture_call("CKM_AES_KEY_WRAP", 0);
    UNIT_RC(operation_begin(&call, CRYPT_ENCRYPT, aes, 0, &out, &operation), RC_MECHANISM);
    CU_ASSERT_PTR_NULL(operation);
    key_free(aes);
    key_free(generic);
}

/* Every row under every use that its flags do not name is refused, and nothing crashes. */
static void refuse_crypt(const struct mech_call *call, struct key *key)
{
    static const struct {
        enum crypt_op op;
        CK_FLAGS flag;
    } ops[] = {{CRYPT_SIGN, CKF_SIGN},
               {CRYPT_VERIFY, CKF_VERIFY},
               {CRYPT_ENCRYPT, CKF_ENCRYPT},
               {CRYPT_DECRYPT, CKF_DECRYPT},
               {CRYPT_SIGN_RECOVER, CKF_SIGN_RECOVER},
               {CRYPT_VERIFY_RECOVER, CKF_VERIFY_RECOVER}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        AUTO_BUF out = BUF_INIT;
        if ((call->mech->flags & ops[i].flag) != 0)
            continue;
        UNIT_RC(fixture_crypt(call, ops[i].op, key, BYTES_NONE, BYTES_NONE, &out), RC_MECHANISM);
        UNIT_RC(mech_check(call, ops[i].op, key), RC_MECHANISM);
    }
}

static void refuse_others(const struct mech_call *call, struct key *key)
{
    AUTO_BUF out = BUF_INIT;
    AUTO_SECRET secret = SECRET_INIT;
    AUTO_MATERIAL one = MATERIAL_INIT;
    AUTO_MATERIAL two = MATERIAL_INIT;
    const struct attrs none = {.ptr = NULL, .count = 0};
    CK_FLAGS flags = call->mech->flags;
    if ((flags & CKF_GENERATE) == 0)
        UNIT_RC(mech_generate(call, none, &one), RC_MECHANISM);
    if ((flags & CKF_GENERATE_KEY_PAIR) == 0)
        UNIT_RC(mech_generate_pair(call, none, none, &one, &two), RC_MECHANISM);
    if ((flags & CKF_WRAP) == 0)
        UNIT_RC(mech_wrap(call, key, 0, &secret, &out), RC_MECHANISM);
    if ((flags & CKF_UNWRAP) == 0)
        UNIT_RC(mech_unwrap(call, key, 0, BYTES_NONE, &secret), RC_MECHANISM);
    if ((flags & (CKF_DERIVE | CKF_GENERATE)) == 0)
        UNIT_RC(mech_derive(call, key, NULL, 0, 0, &secret), RC_MECHANISM);
    if ((flags & CKF_DIGEST) == 0)
        UNIT_RC(mech_digest_once(call, BYTES_NONE, &out), RC_MECHANISM);
}

static void every_row_refuses_what_its_flags_do_not_name(void)
{
    struct key *key = fixture_key(CKK_AES, 32);
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mech_call call = fixture_call(mechanism_at(i)->name, 0);
        refuse_crypt(&call, key);
        refuse_others(&call, key);
    }
    key_free(key);
}

static void secret_keys_of_every_row_refuse_a_wrong_type(void)
{
    struct key *hkdf = fixture_key(CKK_HKDF, 32);
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mech_call call = fixture_call(mechanism_at(i)->name, 0);
        CK_FLAGS flags = call.mech->flags;
        if ((flags & CKF_SIGN) != 0)
            UNIT_RC(mech_check(&call, CRYPT_SIGN, hkdf), RC_KEY_TYPE);
        if ((flags & CKF_ENCRYPT) != 0)
            UNIT_RC(mech_check(&call, CRYPT_ENCRYPT, hkdf), RC_KEY_TYPE);
    }
    key_free(hkdf);
}

static void prehashed_is_only_for_mechanisms_that_hash_first(void)
{
    AUTO_BUF out = BUF_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = fixture_call("CKM_SHA256_HMAC", 0);
    UNIT_RC(mech_crypt(&call, CRYPT_SIGN, key, 0, true, bytes_of(fixture_data(), 32), BYTES_NONE,
                       &out, &out),
            RC_BAD_ARGUMENT);
    key_free(key);
}

static void a_wrapping_key_of_a_wrong_type_has_its_own_error(void)
{
    AUTO_BUF out = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = fixture_call("CKM_AES_KEY_WRAP", 0);
    UNIT_OK(secret_alloc(&plain, 16));
    UNIT_RC(mech_wrap(&call, key, 0, &plain, &out), RC_WRAPPING_KEY_TYPE);
    UNIT_RC(mech_unwrap(&call, key, 0, bytes_of(fixture_data(), 24), &plain),
            RC_UNWRAPPING_KEY_TYPE);
    key_free(key);
}

UNIT_SUITE("token/operation", UNIT_CASE(the_self_tests_pass),
           UNIT_CASE(an_operation_ends_with_final),
           UNIT_CASE(an_operation_may_be_dropped_at_any_time),
           UNIT_CASE(a_refused_begin_gives_no_operation),
           UNIT_CASE(every_row_refuses_what_its_flags_do_not_name),
           UNIT_CASE(secret_keys_of_every_row_refuse_a_wrong_type),
           UNIT_CASE(prehashed_is_only_for_mechanisms_that_hash_first),
           UNIT_CASE(a_wrapping_key_of_a_wrong_type_has_its_own_error));
