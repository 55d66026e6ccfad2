/* SPDX-License-Identifier: Apache-2.0 */
/* Operations in progress: whose they are, how many, how long. */
#include "cluster/operations.h"

#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

static const uint8_t mine[16] = {1};
static const uint8_t neighbour[16] = {65}; /* of the same shard */

static struct key *key;

static struct operation *operation_new(void)
{
    struct operation *operation = NULL;
    AUTO_BUF iv = BUF_INIT;
    if (key == NULL) {
        static const uint8_t value[32] = {9};
        struct attr_list attrs = {.count = 0};
        UNIT_OK(crypto_lib_init());
        UNIT_OK(attr_list_add(&attrs, CKA_VALUE, bytes_of(value, sizeof value)));
        UNIT_OK(key_parse(CKO_SECRET_KEY, CKK_GENERIC_SECRET, attrs_of(&attrs), &key));
    }
    const struct mech_call call = {.mech = mechanism_find(CKM_SHA256_HMAC)};
    UNIT_OK(operation_begin(&call, CRYPT_SIGN, key, 0, &iv, &operation));
    return operation;
}

static uint64_t add(struct operations *all, const uint8_t application[16], bool of_login,
                    uint64_t now_ms)
{
    uint64_t number = 0;
    UNIT_OK(operations_add(all, application, of_login, operation_new(), now_ms, &number));
    return number;
}

static struct operations *all_new(void)
{
    struct operations *all = NULL;
    UNIT_OK(operations_new(3, 5, 100000, &all));
    return all;
}

static void an_operation_is_the_applications_own(void)
{
    struct operations *all = all_new();
    struct operation *operation = NULL;
    uint64_t number = add(all, mine, false, 0);
    UNIT_RC(operations_take(all, neighbour, number, &operation), RC_OPERATION_LOST);
    operations_abort(all, neighbour, number);
    UNIT_OK(operations_take(all, mine, number, &operation));
    operations_return(all, mine, number, true, 1);
    UNIT_OK(operations_take(all, mine, number, &operation));
    operations_return(all, mine, number, false, 1);
    UNIT_RC(operations_take(all, mine, number, &operation), RC_OPERATION_LOST);
    CU_ASSERT_EQUAL(operations_count(all), 0);
    operations_free(all);
}

static void one_request_uses_it_at_a_time(void)
{
    struct operations *all = all_new();
    struct operation *operation = NULL;
    uint64_t number = add(all, mine, false, 0);
    UNIT_OK(operations_take(all, mine, number, &operation));
    UNIT_RC(operations_take(all, mine, number, &operation), RC_OPERATION_ACTIVE);
    operations_return(all, mine, number, true, 0);
    operations_free(all);
}

static void one_aborted_in_use_goes_when_it_comes_back(void)
{
    struct operations *all = all_new();
    struct operation *operation = NULL;
    uint64_t number = add(all, mine, false, 0);
    UNIT_OK(operations_take(all, mine, number, &operation));
    operations_abort(all, mine, number);
    CU_ASSERT_EQUAL(operations_count(all), 1);
    operations_return(all, mine, number, true, 0);
    CU_ASSERT_EQUAL(operations_count(all), 0);
    operations_free(all);
}

static void the_number_is_bounded_for_one_and_for_all(void)
{
    struct operations *all = all_new();
    uint64_t number = 0;
    for (unsigned i = 0; i < 3; i++)
        (void)add(all, mine, false, 0);
    struct operation *more = operation_new();
    UNIT_RC(operations_add(all, mine, false, more, 0, &number), RC_LIMIT);
    (void)add(all, neighbour, false, 0);
    (void)add(all, neighbour, false, 0);
    UNIT_RC(operations_add(all, neighbour, false, more, 0, &number), RC_LIMIT);
    operation_free(more);
    operations_free(all);
}

static void logout_drops_those_of_a_login(void)
{
    struct operations *all = all_new();
    struct operation *operation = NULL;
    uint64_t of_login = add(all, mine, true, 0);
    uint64_t of_public = add(all, mine, false, 0);
    uint64_t of_neighbour = add(all, neighbour, true, 0);
    operations_drop_logins(all, mine);
    UNIT_RC(operations_take(all, mine, of_login, &operation), RC_OPERATION_LOST);
    UNIT_OK(operations_take(all, mine, of_public, &operation));
    UNIT_OK(operations_take(all, neighbour, of_neighbour, &operation));
    operations_free(all);
}

static void one_without_parts_expires(void)
{
    struct operations *all = all_new();
    struct operation *operation = NULL;
    uint64_t old = add(all, mine, false, 1000);
    uint64_t fresh = add(all, mine, false, 5000);
    operations_expire(all, 5500, 1000);
    UNIT_RC(operations_take(all, mine, old, &operation), RC_OPERATION_LOST);
    UNIT_OK(operations_take(all, mine, fresh, &operation));
    operations_expire(all, 99999, 1000);
    CU_ASSERT_EQUAL(operations_count(all), 1);
    operations_free(all);
    key_free(key);
    key = NULL;
}

/* Decryption with GCM holds its output back until the tag is checked. */
static void what_operations_hold_back_is_limited_in_all(void)
{
    static const uint8_t value[32] = {9};
    static const uint8_t zeros[60000];
    struct attr_list attrs = {.count = 0};
    struct operations *all = all_new();
    struct key *aes = NULL;
    uint64_t numbers[2] = {0};
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(attr_list_add(&attrs, CKA_VALUE, bytes_of(value, sizeof value)));
    UNIT_OK(key_parse(CKO_SECRET_KEY, CKK_AES, attrs_of(&attrs), &aes));
    struct mech_call call = {.mech = mechanism_find(CKM_AES_GCM)};
    call.u.gcm.iv = bytes_of(zeros, 12);
    call.u.gcm.tag_bits = 128;
    call.has_param = true;
    for (size_t i = 0; i < 2; i++) {
        struct operation *operation = NULL;
        UNIT_OK(operation_begin(&call, CRYPT_DECRYPT, aes, 100000, &out, &operation));
        UNIT_OK(operations_add(all, mine, false, operation, 0, &numbers[i]));
        UNIT_OK(operation_update(operation, bytes_of(zeros, sizeof zeros), &out));
        UNIT_RC(operations_weigh(all, mine, numbers[i]), i == 0 ? RC_OK : RC_LIMIT);
    }
    operations_abort(all, mine, numbers[0]);
    UNIT_OK(operations_weigh(all, mine, numbers[1]));
    operations_free(all);
    key_free(aes);
}

UNIT_SUITE("operations", UNIT_CASE(an_operation_is_the_applications_own),
           UNIT_CASE(one_request_uses_it_at_a_time),
           UNIT_CASE(one_aborted_in_use_goes_when_it_comes_back),
           UNIT_CASE(the_number_is_bounded_for_one_and_for_all),
           UNIT_CASE(logout_drops_those_of_a_login), UNIT_CASE(one_without_parts_expires),
           UNIT_CASE(what_operations_hold_back_is_limited_in_all));
