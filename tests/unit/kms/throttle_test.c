/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas: by account, region and row, each its own. */
#include "kms/throttle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

/* The clock of the buckets, set by hand. */
static struct timespec clock_hand;

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = clock_hand;
    return 0;
}

static const char *pair_spec;

const char *request_string(const struct kms_request *request, const char *member)
{
    (void)request;
    return strcmp(member, "KeyPairSpec") == 0 ? pair_spec : NULL;
}

static struct kms_config config;
static struct throttle *throttle;

static void begin(void)
{
    config = (struct kms_config){.throttle = true,
                                 .quota_symmetric = 100,
                                 .quota_rsa = 50,
                                 .quota_ecc = 20,
                                 .quota_store = 10};
    clock_hand = (struct timespec){.tv_sec = 1000};
    UNIT_OK(throttle_new(&config, &throttle));
}

static struct kms_request request_of(const struct operation *operation, const char *account,
                                     const char *region)
{
    struct kms_request request = {.operation = operation};
    memcpy(request.identity.account, account, strlen(account) + 1);
    memcpy(request.region, region, strlen(region) + 1);
    return request;
}

/* How many pass at once. */
static unsigned burst(const struct kms_request *request)
{
    unsigned count = 0;
    while (count < 100000 && throttle_take(throttle, request) == KMS_OK)
        count++;
    CU_ASSERT_STRING_EQUAL(kms_error_text(), "Rate exceeded");
    return count;
}

static void accounts_regions_and_rows_have_buckets_of_their_own(void)
{
    const struct operation encrypt = {.name = "Encrypt", .rate = RATE_SYMMETRIC};
    const struct operation decrypt = {.name = "Decrypt", .rate = RATE_SYMMETRIC};
    const struct operation create = {.name = "CreateKey", .rate = RATE_CONTROL};
    const struct operation describe = {.name = "DescribeKey", .rate = RATE_CONTROL};
    begin();
    struct kms_request a = request_of(&encrypt, "000000000000", "us-east-1");
    struct kms_request shared = request_of(&decrypt, "000000000000", "us-east-1");
    struct kms_request other = request_of(&encrypt, "111122223333", "us-east-1");
    struct kms_request region = request_of(&encrypt, "000000000000", "eu-central-1");
    CU_ASSERT_EQUAL(burst(&a), 100);
    CU_ASSERT_EQUAL(burst(&shared), 0);
    CU_ASSERT_EQUAL(burst(&other), 100);
    CU_ASSERT_EQUAL(burst(&region), 100);
    struct kms_request slow = request_of(&create, "000000000000", "us-east-1");
    struct kms_request fast = request_of(&describe, "000000000000", "us-east-1");
    CU_ASSERT_EQUAL(burst(&slow), 10);
    CU_ASSERT_EQUAL(burst(&fast), 2000);
    throttle_free(throttle);
}

static void a_key_decides_which_row_and_store(void)
{
    const struct operation sign = {.name = "Sign", .rate = RATE_SYMMETRIC};
    struct key key = {.spec = KEYSTORE_SPEC_RSA_2048, .account = "000000000000"};
    struct record record = {.data = &key};
    begin();
    struct kms_request request = request_of(&sign, "000000000000", "us-east-1");
    request.key = &record;
    CU_ASSERT_EQUAL(burst(&request), 50);
    key.spec = KEYSTORE_SPEC_P256;
    CU_ASSERT_EQUAL(burst(&request), 20);
    key.spec = KEYSTORE_SPEC_AES_256;
    memcpy(key.store_id, "cks-1", 6);
    CU_ASSERT_EQUAL(burst(&request), 10);
    memcpy(key.store_id, "cks-2", 6);
    CU_ASSERT_EQUAL(burst(&request), 10);
    throttle_free(throttle);
}

static void pairs_count_by_their_spec(void)
{
    const struct operation pair = {.name = "GenerateDataKeyPair", .rate = RATE_PAIR};
    begin();
    struct kms_request request = request_of(&pair, "000000000000", "us-east-1");
    pair_spec = "ECC_NIST_P256";
    CU_ASSERT_EQUAL(burst(&request), 100);
    pair_spec = "RSA_4096";
    CU_ASSERT_EQUAL(burst(&request), 10);
    pair_spec = NULL;
    CU_ASSERT_EQUAL(burst(&request), 10);
    throttle_free(throttle);
}

static void a_bucket_fills_again(void)
{
    const struct operation encrypt = {.name = "Encrypt", .rate = RATE_SYMMETRIC};
    begin();
    struct kms_request request = request_of(&encrypt, "000000000000", "us-east-1");
    CU_ASSERT_EQUAL(burst(&request), 100);
    clock_hand.tv_nsec += 300000000;
    CU_ASSERT_EQUAL(burst(&request), 30);
    clock_hand.tv_sec += 5;
    CU_ASSERT_EQUAL(burst(&request), 100);
    throttle_free(throttle);
}

static void without_quotas_everything_passes(void)
{
    const struct operation encrypt = {.name = "Encrypt", .rate = RATE_SYMMETRIC};
    const struct operation none = {.name = "X", .rate = RATE_NONE};
    begin();
    struct kms_request free_one = request_of(&none, "000000000000", "us-east-1");
    struct kms_request request = request_of(&encrypt, "000000000000", "us-east-1");
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(throttle_take(throttle, &free_one), KMS_OK);
    config.throttle = false;
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(throttle_take(throttle, &request), KMS_OK);
    throttle_free(throttle);
}

/* ---- many threads */

static _Atomic unsigned passed;

static void *take_many(void *context)
{
    const struct operation *operation = context;
    struct kms_request request = request_of(operation, "000000000000", "us-east-1");
    for (int i = 0; i < 2000; i++)
        passed += throttle_take(throttle, &request) == KMS_OK;
    return NULL;
}

static void threads_share_a_bucket_to_the_request(void)
{
    const struct operation encrypt = {.name = "Encrypt", .rate = RATE_SYMMETRIC};
    pthread_t threads[4];
    begin();
    config.quota_symmetric = 1000;
    passed = 0;
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, take_many, (void *)(uintptr_t)&encrypt), 0);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(passed, 1000);
    throttle_free(throttle);
}

UNIT_SUITE("throttle", UNIT_CASE(accounts_regions_and_rows_have_buckets_of_their_own),
           UNIT_CASE(a_key_decides_which_row_and_store), UNIT_CASE(pairs_count_by_their_spec),
           UNIT_CASE(a_bucket_fills_again), UNIT_CASE(without_quotas_everything_passes),
           UNIT_CASE(threads_share_a_bucket_to_the_request));
