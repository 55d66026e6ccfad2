/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas as AWS KMS has them ("Request quotas" of its Developer Guide), of this front end. A bucket
 * is one number, the time at which it would be full again (generic cell rate algorithm), changed by
 * compare-and-swap; buckets are found in a table that only grows, without a lock. */
#include "kms/throttle.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS         8192U /* a power of two */
#define NAME_MAX_LEN  128U
#define SECOND_NS     1000000000ULL
#define CONTROL_RATE  5U  /* of operations that are not in the table */
#define BURST_LEAST   10U /* requests: a slow quota lets a script's few in a row pass */
#define BURST_SECONDS 1U

struct bucket {
    uint64_t step_ns;  /* of one request */
    uint64_t burst_ns; /* how far ahead of now it may get */
    _Atomic uint64_t full_ns;
    char name[NAME_MAX_LEN];
};

struct throttle {
    const struct kms_config *config;
    _Atomic(struct bucket *) slots[SLOTS];
};

/* A second; what is slower is given by the period of one request in seconds. */
static const struct {
    const char *operation;
    unsigned rate, period_s;
} control_rates[] = {
    {"CreateGrant", 50, 1},        {"DeleteAlias", 15, 1},
    {"DescribeKey", 2000, 1},      {"EnableKeyRotation", 15, 1},
    {"GetKeyPolicy", 1000, 1},     {"GetKeyRotationStatus", 1000, 1},
    {"GetPublicKey", 2000, 1},     {"GetParametersForImport", 1, 4},
    {"ImportKeyMaterial", 15, 1},  {"ListAliases", 500, 1},
    {"ListGrants", 100, 1},        {"ListKeyPolicies", 100, 1},
    {"ListKeyRotations", 100, 1},  {"ListKeys", 500, 1},
    {"ListResourceTags", 2000, 1}, {"ListRetirableGrants", 100, 1},
    {"PutKeyPolicy", 15, 1},       {"RetireGrant", 30, 1},
    {"RevokeGrant", 30, 1},        {"ScheduleKeyDeletion", 15, 1},
    {"TagResource", 10, 1},        {"GetKeyLastUsage", 1000, 1},
};

/* GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext, by the pair's spec. */
static const struct {
    const char *spec;
    unsigned rate, period_s;
} pair_rates[] = {
    {"RSA_2048", 1, 1},
    {"RSA_3072", 1, 2},
    {"RSA_4096", 1, 10},
    {"ECC_", 100, 1},
};

struct quota {
    const char *what; /* of the bucket's name */
    unsigned long rate;
    unsigned period_s;
};

enum rc throttle_new(const struct kms_config *config, struct throttle **out)
{
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (throttle == NULL)
        return RC_NO_MEMORY;
    throttle->config = config;
    *out = throttle;
    return RC_OK;
}

void throttle_free(struct throttle *throttle)
{
    for (size_t i = 0; throttle != NULL && i < SLOTS; i++)
        free(atomic_load(&throttle->slots[i]));
    free(throttle);
}

/* ---- which quota */

static struct quota control_quota(const char *operation)
{
    struct quota quota = {operation, CONTROL_RATE, 1};
    for (size_t i = 0; i < sizeof control_rates / sizeof control_rates[0]; i++) {
        if (strcmp(control_rates[i].operation, operation) == 0) {
            quota.rate = control_rates[i].rate;
            quota.period_s = control_rates[i].period_s;
        }
    }
    return quota;
}

static struct quota pair_quota(const struct kms_request *request)
{
    const char *spec = request_string(request, "KeyPairSpec");
    struct quota quota = {"pair", CONTROL_RATE, 1};
    for (size_t i = 0; spec != NULL && i < sizeof pair_rates / sizeof pair_rates[0]; i++) {
        if (strncmp(spec, pair_rates[i].spec, strlen(pair_rates[i].spec)) == 0)
            quota = (struct quota){pair_rates[i].spec, pair_rates[i].rate, pair_rates[i].period_s};
    }
    return quota;
}

/* Encrypt with an RSA key counts with RSA's, though the operation is one of symmetric keys too. */
static struct quota crypto_quota(const struct kms_config *config, const struct kms_request *request)
{
    enum operation_rate rate = request->operation->rate;
    const struct keystore_spec_row *spec =
        request->key == NULL ? NULL : keystore_spec((uint32_t)key_of(request->key)->spec);
    if (spec != NULL && strncmp(spec->name, "RSA_", 4) == 0)
        rate = RATE_RSA;
    else if (spec != NULL && strncmp(spec->name, "ECC_", 4) == 0)
        rate = RATE_ECC;
    if (rate == RATE_RSA)
        return (struct quota){"rsa", config->quota_rsa, 1};
    if (rate == RATE_ECC)
        return (struct quota){"ecc", config->quota_ecc, 1};
    return (struct quota){"symmetric", config->quota_symmetric, 1};
}

/* ---- buckets */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *name != 0; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619U;
    return hash;
}

static struct bucket *bucket_new(const char *name, const struct quota *quota)
{
    struct bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL)
        return NULL;
    uint64_t burst = quota->rate * BURST_SECONDS;
    bucket->step_ns = quota->period_s * SECOND_NS / quota->rate;
    bucket->burst_ns = bucket->step_ns * (burst < BURST_LEAST ? BURST_LEAST : burst);
    memcpy(bucket->name, name, strlen(name) + 1);
    return bucket;
}

/* NULL when the table is full or memory is short: then nothing is counted. */
static struct bucket *bucket_of(struct throttle *throttle, const char *name,
                                const struct quota *quota)
{
    uint32_t at = hash_of(name) % SLOTS;
    for (unsigned tried = 0; tried < SLOTS / 2; tried++, at = (at + 1) % SLOTS) {
        struct bucket *bucket = atomic_load(&throttle->slots[at]);
        if (bucket == NULL) {
            struct bucket *fresh = bucket_new(name, quota);
            if (fresh == NULL ||
                atomic_compare_exchange_strong(&throttle->slots[at], &bucket, fresh))
                return fresh;
            free(fresh); /* another thread's is there now */
        }
        if (strcmp(bucket->name, name) == 0)
            return bucket;
    }
    return NULL;
}

static bool bucket_take(struct bucket *bucket, uint64_t now_ns)
{
    uint64_t full = atomic_load(&bucket->full_ns);
    for (;;) {
        uint64_t from = full > now_ns ? full : now_ns;
        if (from + bucket->step_ns > now_ns + bucket->burst_ns)
            return false;
        if (atomic_compare_exchange_weak(&bucket->full_ns, &full, from + bucket->step_ns))
            return true;
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static enum kms_error take(struct throttle *throttle, const char *account, const char *region,
                           const struct quota *quota)
{
    char name[NAME_MAX_LEN];
    int len = snprintf(name, sizeof name, "%s/%s/%s", account, region, quota->what);
    struct bucket *bucket = len < 0 || (size_t)len >= sizeof name || quota->rate == 0
                                ? NULL
                                : bucket_of(throttle, name, quota);
    return bucket == NULL || bucket_take(bucket, now_ns()) ? KMS_OK
                                                           : kms_fail_plain(KMS_THROTTLING);
}

static enum kms_error take_store(struct throttle *throttle, const struct kms_request *request)
{
    const struct key *key = request->key == NULL ? NULL : key_of(request->key);
    if (key == NULL || key->store_id[0] == 0)
        return KMS_OK;
    return take(throttle, key->account, key->region,
                &(struct quota){key->store_id, throttle->config->quota_store, 1});
}

enum kms_error throttle_take(struct throttle *throttle, const struct kms_request *request)
{
    enum operation_rate rate = request->operation->rate;
    if (!throttle->config->throttle || rate == RATE_NONE)
        return KMS_OK;
    struct quota quota = rate == RATE_CONTROL ? control_quota(request->operation->name)
                         : rate == RATE_PAIR  ? pair_quota(request)
                                              : crypto_quota(throttle->config, request);
    KMS_TRY(take(throttle, request->identity.account, request->region, &quota));
    return rate == RATE_CONTROL ? KMS_OK : take_store(throttle, request);
}
