/* SPDX-License-Identifier: Apache-2.0 */
/* The trail: what a record says, files, the signed chain and its check, lookups, and what it costs.
 * The HSM's RSA key is libcrypto's here. */
#include "kms/audit.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kms/audit_digest.h"
#include "kms/audit_internal.h"
#include "kms/digest.h"
#include "kms/kms.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

/* ---- the trail's key: the linker puts this in place of the cluster's in memory */

static EVP_PKEY *trail_key;

enum rc __wrap_hsm_sign(struct hsm_client *client, const struct hsm_sign *in, struct buf *out);
enum rc __wrap_hsm_sign(struct hsm_client *client, const struct hsm_sign *in, struct buf *out)
{
    uint8_t signature[256];
    size_t len = sizeof signature;
    enum rc fail = atomic_load(&client->cluster->fail);
    if (fail != RC_OK)
        return fail;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CU_ASSERT_EQUAL(in->algorithm, KEYSTORE_PKCS1_SHA256);
    int good = EVP_DigestSignInit_ex(context, NULL, "SHA2-256", digest_lib(), NULL, trail_key,
                                     NULL) == 1 &&
               EVP_DigestSign(context, signature, &len, in->data.ptr, in->data.len) == 1;
    EVP_MD_CTX_free(context);
    return good ? buf_append(out, bytes_of(signature, len)) : RC_INTERNAL;
}

static void put_public(struct hsm_key *key)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(trail_key, &der);
    key->public_der = (struct buf)BUF_INIT;
    UNIT_OK(buf_append(&key->public_der, bytes_of(der, (size_t)len)));
    OPENSSL_free(der);
}

/* The cluster's only keys are the vault's and this one. */
static void make_trail_key(void)
{
    struct fake_cluster *cluster = &iam_world.cluster;
    struct hsm_key made = {.public_der = BUF_INIT};
    uint8_t id[HSM_ID_LEN] = {7};
    if (trail_key == NULL) {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(digest_lib(), "RSA", NULL);
        CU_ASSERT_EQUAL_FATAL(EVP_PKEY_keygen_init(context), 1);
        CU_ASSERT_EQUAL_FATAL(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048), 1);
        CU_ASSERT_EQUAL_FATAL(EVP_PKEY_generate(context, &trail_key), 1);
        EVP_PKEY_CTX_free(context);
    }
    UNIT_OK(hsm_create(&iam_world.client, KEYSTORE_SPEC_RSA_2048, KEYSTORE_SIGN, AUDIT_KEY_LABEL,
                       id, &made));
    hsm_key_clear(&made);
    struct hsm_key *key = &cluster->keys[cluster->key_count - 1];
    buf_clear(&key->public_der);
    put_public(key);
}

/* ---- a directory of its own */

static char dir[128];

static void begin_in_files(void)
{
    unit_directory(dir, sizeof dir);
    iam_world_begin(dir);
    make_trail_key();
}

static void remove_dir(void)
{
    DIR *list = opendir(dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        (void)unlink(path);
    }
    if (list != NULL)
        (void)closedir(list);
    (void)rmdir(dir);
}

/* Stops the trail, which completes and signs its files, and starts it again. */
static void restart(void)
{
    audit_free(iam_world.kms.audit);
    UNIT_OK(audit_new(&iam_world.kms, &iam_world.kms.audit));
}

static void end_in_files(void)
{
    iam_world_end();
    remove_dir();
    EVP_PKEY_free(trail_key);
    trail_key = NULL;
}

/* ---- records */

static struct identity caller = {
    .type = IDENTITY_ASSUMED_ROLE,
    .account = IAM_WORLD_ACCOUNT,
    .arn = "arn:aws:sts::111122223333:assumed-role/Reader/work",
    .role_arn = "arn:aws:iam::111122223333:role/app/Reader",
    .principal_id = "AROAXXXXXXXXXXXXXXXXX:work",
    .name = "work",
    .access_key = "ASIAXXXXXXXXXXXXXXXX",
    .created_ms = IAM_WORLD_TIME_MS,
    .is_temporary = true,
};
static struct key the_key = {.account = IAM_WORLD_ACCOUNT,
                             .arn = "arn:aws:kms:eu-central-1:111122223333:key/k1"};
static struct record key_record = {.key = "key/eu-central-1/k1", .data = &the_key};
static const struct record *const keys[] = {&key_record};

static void event_of(struct audit_event *out, const char *name, json_t *parameters)
{
    static struct iam_caller nobody = {.key = "x"};
    *out =
        (struct audit_event){.http = iam_world_sign(&nobody, "kms", IAM_WORLD_REGION, NULL, "{}"),
                             .identity = &caller,
                             .source = "kms.amazonaws.com",
                             .name = name,
                             .region = IAM_WORLD_REGION,
                             .account = IAM_WORLD_ACCOUNT,
                             .read_only = true,
                             .parameters = parameters,
                             .resources = keys,
                             .resource_count = 1};
}

static void record(const char *name)
{
    json_t *parameters =
        json_pack("{s:s, s:{s:s}}", "KeyId", "alias/x", "EncryptionContext", "Team", "Blue");
    struct audit_event event;
    event_of(&event, name, parameters);
    audit_record(iam_world.kms.audit, &event);
    json_decref(parameters);
}

static json_t *format(const struct audit_event *event)
{
    AUTO_BUF text = BUF_INIT;
    UNIT_OK(audit_format(&iam_world.kms, event, &text));
    json_error_t error;
    json_t *json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return json;
}

static const char *text_at(const json_t *json, const char *a, const char *b)
{
    const json_t *at = json_object_get(json, a);
    const char *text = json_string_value(b == NULL ? at : json_object_get(at, b));
    return text == NULL ? "(none)" : text;
}

static void a_record_has_cloudtrails_members(void)
{
    json_t *parameters =
        json_pack("{s:s, s:{s:s}, s:[{s:s}], s:i, s:b}", "KeyId", "alias/x", "EncryptionContext",
                  "Team", "Blue \"\n\x01", "Tags", "TagKey", "k", "Limit", 5, "DryRun", 1);
    struct audit_event event;
    iam_world_begin(NULL);
    event_of(&event, "Encrypt", parameters);
    event.error_code = "DisabledException";
    event.error_text = "is disabled.";
    json_t *json = format(&event);
    CU_ASSERT_STRING_EQUAL(text_at(json, "eventVersion", NULL), "1.11");
    CU_ASSERT_STRING_EQUAL(text_at(json, "userIdentity", "type"), "AssumedRole");
    const json_t *context =
        json_object_get(json_object_get(json, "userIdentity"), "sessionContext");
    CU_ASSERT_STRING_EQUAL(text_at(context, "sessionIssuer", "userName"), "Reader");
    CU_ASSERT_STRING_EQUAL(text_at(context, "attributes", "mfaAuthenticated"), "false");
    CU_ASSERT_STRING_EQUAL(text_at(json, "eventTime", NULL), "2026-11-22T13:40:00Z");
    CU_ASSERT_STRING_EQUAL(text_at(json, "sourceIPAddress", NULL), "192.0.2.7");
    CU_ASSERT_STRING_EQUAL(text_at(json, "userAgent", NULL), "unit/1.0");
    CU_ASSERT_STRING_EQUAL(text_at(json, "requestParameters", "keyId"), "alias/x");
    CU_ASSERT_STRING_EQUAL(
        text_at(json_object_get(json, "requestParameters"), "encryptionContext", "Team"),
        "Blue \"\n\x01");
    CU_ASSERT_TRUE(json_is_null(json_object_get(json, "responseElements")));
    CU_ASSERT_STRING_EQUAL(text_at(json, "errorCode", NULL), "DisabledException");
    CU_ASSERT_STRING_EQUAL(text_at(json, "recipientAccountId", NULL), IAM_WORLD_ACCOUNT);
    CU_ASSERT_EQUAL(strlen(text_at(json, "eventID", NULL)), 36);
    CU_ASSERT_STRING_EQUAL(
        text_at(json_array_get(json_object_get(json, "resources"), 0), "ARN", NULL), the_key.arn);
    CU_ASSERT_TRUE(json_is_true(json_object_get(json, "readOnly")));
    CU_ASSERT_PTR_NULL(json_object_get(json, "tlsDetails"));
    json_decref(json);
    json_decref(parameters);
    iam_world_end();
}

static void text_that_is_no_utf8_makes_no_broken_record(void)
{
    struct audit_event event;
    iam_world_begin(NULL);
    event_of(&event, "Encrypt", NULL);
    event.error_code = "ValidationException";
    event.error_text = "a\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80 \xc3\xa9 \xe2\x82";
    json_t *json = format(&event);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at(json, "errorMessage", NULL), " \xc3\xa9 "));
    json_decref(json);
    event.identity = NULL;
    event.http = NULL;
    event.is_service_event = true;
    json = format(&event);
    CU_ASSERT_STRING_EQUAL(text_at(json, "eventType", NULL), "AwsServiceEvent");
    json_decref(json);
    iam_world_end();
}

static void names_of_streams_are_never_paths(void)
{
    struct audit_event event;
    begin_in_files();
    event_of(&event, "Encrypt", NULL);
    event.region = "../../etc/passwd";
    event.account = "a/b";
    audit_record(iam_world.kms.audit, &event);
    audit_flush(iam_world.kms.audit);
    char **names;
    size_t count;
    UNIT_OK(audit_names(dir, &names, &count));
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(strncmp(names[0], "111122223333_CloudTrail_eu-central-1_2", 38), 0);
    audit_names_free(names, count);
    end_in_files();
}

static void secrets_of_iam_are_in_no_record(void)
{
    struct iam_caller alice, session;
    AUTO_BUF all = BUF_INIT;
    char **names;
    size_t count;
    begin_in_files();
    iam_world_user("alice", &alice);
    iam_world_do(&alice, "sts", "Action=GetSessionToken");
    iam_world_take(&session);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    restart();
    UNIT_OK(audit_names(dir, &names, &count));
    for (size_t i = 0; i < count; i++)
        UNIT_OK(audit_read_file(dir, names[i], 1 << 20, &all));
    audit_names_free(names, count);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&all), alice.key));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&all), "GetSessionToken"));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&all), alice.secret));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&all), session.secret));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&all), session.token));
    end_in_files();
}

/* ---- files and digests */

static struct audit_verdict verdict;
static bool is_printing;

static void note(void *context, const char *file, const char *what, bool is_fault)
{
    (void)context;
    if (is_fault && is_printing)
        (void)fprintf(stderr, "%s: %s\n", file, what);
}

static void verify(void)
{
    AUTO_BUF key = BUF_INIT;
    UNIT_OK(audit_digest_key(&iam_world.client, &key));
    UNIT_OK(audit_verify(dir, buf_bytes(&key), note, NULL, &verdict));
}

/* The first file of the directory whose name has it; a path. */
static void path_of(const char *part, const char *suffix, char out[512])
{
    char **names;
    size_t count;
    UNIT_OK(audit_names(dir, &names, &count));
    out[0] = '\0';
    for (size_t i = 0; i < count && out[0] == '\0'; i++) {
        size_t len = strlen(names[i]), tail = strlen(suffix);
        if (strstr(names[i], part) != NULL && len > tail &&
            strcmp(names[i] + len - tail, suffix) == 0)
            (void)snprintf(out, 512, "%s/%s", dir, names[i]);
    }
    audit_names_free(names, count);
}

static void flip(const char *path, long offset)
{
    FILE *file = fopen(path, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fseek(file, offset, SEEK_SET);
    int byte = fgetc(file);
    (void)fseek(file, offset, SEEK_SET);
    (void)fputc(byte ^ 1, file);
    (void)fclose(file);
}

static void three_links(void)
{
    begin_in_files();
    for (int i = 0; i < 3; i++) {
        record("Encrypt");
        record("Decrypt");
        restart();
    }
}

static unsigned records_in_file(void)
{
    char path[512];
    path_of("_CloudTrail_", ".json", path);
    json_t *json = json_load_file(path, 0, NULL);
    unsigned count = (unsigned)json_array_size(json_object_get(json, "Records"));
    json_decref(json);
    return count;
}

static void files_are_complete_json_and_the_chain_is_whole(void)
{
    three_links();
    is_printing = true;
    verify();
    is_printing = false;
    CU_ASSERT_EQUAL(verdict.digests, 3);
    CU_ASSERT_EQUAL(verdict.files, 3);
    CU_ASSERT_EQUAL(verdict.faults, 0);
    CU_ASSERT_EQUAL(verdict.waiting, 0);
    CU_ASSERT_EQUAL(records_in_file(), 2);
    end_in_files();
}

/* As a front end's program does it that finds no key of the trail. */
static enum rc verify_without_key(void)
{
    char *arguments[] = {dir};
    const struct kms_config config = {.trail_roll_s = 300};
    iam_world.cluster.keys[iam_world.cluster.key_count - 1].label[0] = 'x';
    return audit_verify_run(&config, &iam_world.kms, 1, arguments);
}

static void before_the_first_digest_nothing_is_signed(void)
{
    begin_in_files();
    record("Encrypt");
    UNIT_OK(verify_without_key());
    end_in_files();
}

static void digests_without_their_key_are_not_believed(void)
{
    three_links();
    UNIT_RC(verify_without_key(), RC_TAMPERED);
    end_in_files();
}

static void every_change_of_the_chain_is_found(void)
{
    static const struct {
        const char *part, *suffix;
        bool is_removed;
    } changes[] = {
        {"_CloudTrail_", ".json", false},        {"_CloudTrail_", ".json", true},
        {"_CloudTrail-Digest_", ".json", false}, {"_CloudTrail-Digest_", ".json", true},
        {"_CloudTrail-Digest_", ".sig", false},  {"_CloudTrail-Digest_", ".sig", true},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char path[512];
        three_links();
        path_of(changes[i].part, changes[i].suffix, path);
        int bad = 0;
        if (changes[i].is_removed)
            bad = unlink(path);
        else
            flip(path, 40);
        CU_ASSERT_EQUAL(bad, 0);
        verify();
        CU_ASSERT_NOT_EQUAL(verdict.faults, 0);
        end_in_files();
    }
}

static void another_key_in_the_directory_is_not_believed(void)
{
    char path[512];
    three_links();
    EVP_PKEY *right = trail_key;
    AUTO_BUF key = BUF_INIT;
    UNIT_OK(audit_digest_key(&iam_world.client, &key));
    trail_key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(digest_lib(), "RSA", NULL);
    (void)EVP_PKEY_keygen_init(context);
    (void)EVP_PKEY_generate(context, &trail_key);
    EVP_PKEY_CTX_free(context);
    struct hsm_key other;
    put_public(&other);
    UNIT_OK(audit_verify(dir, buf_bytes(&other.public_der), note, NULL, &verdict));
    CU_ASSERT_EQUAL(verdict.digests, 0);
    CU_ASSERT_EQUAL(verdict.faults, 3);
    buf_clear(&other.public_der);
    UNIT_OK(audit_verify(dir, BYTES_NONE, note, NULL, &verdict));
    CU_ASSERT_EQUAL(verdict.digests, 3);
    path_of(AUDIT_KEY_FILE_PREFIX, ".der", path);
    flip(path, 100);
    UNIT_OK(audit_verify(dir, BYTES_NONE, note, NULL, &verdict));
    CU_ASSERT_EQUAL(verdict.faults, 3);
    EVP_PKEY_free(trail_key);
    trail_key = right;
    end_in_files();
}

static void a_file_put_between_signed_ones_is_found(void)
{
    char path[512], copy[600];
    three_links();
    path_of("_CloudTrail_", ".json", path);
    (void)snprintf(copy, sizeof copy, "%.*sZ.json", (int)(strlen(path) - 6), path);
    FILE *file = fopen(copy, "w");
    (void)fputs("{\"Records\":[\n]}\n", file);
    (void)fclose(file);
    verify();
    CU_ASSERT_EQUAL(verdict.faults, 1);
    end_in_files();
}

static void what_the_hsm_does_not_sign_now_it_signs_later(void)
{
    begin_in_files();
    record("Encrypt");
    atomic_store(&iam_world.cluster.fail, RC_UNAVAILABLE);
    restart();
    atomic_store(&iam_world.cluster.fail, RC_OK);
    verify();
    CU_ASSERT_EQUAL(verdict.digests, 0);
    CU_ASSERT_EQUAL(verdict.waiting, 1);
    CU_ASSERT_EQUAL(verdict.faults, 0);
    record("Decrypt");
    restart();
    verify();
    CU_ASSERT_EQUAL(verdict.digests, 1);
    CU_ASSERT_EQUAL(verdict.files, 2);
    CU_ASSERT_EQUAL(verdict.faults, 0);
    end_in_files();
}

static void a_file_left_behind_is_mended_and_signed(void)
{
    char path[512], text[512];
    begin_in_files();
    audit_free(iam_world.kms.audit);
    iam_world.kms.audit = NULL;
    (void)snprintf(path, sizeof path,
                   "%s/111122223333_CloudTrail_eu-west-1_20260102T030405Z_000A.json.part", dir);
    FILE *file = fopen(path, "w");
    (void)fputs("{\"Records\":[\n{\"a\":1}\n,{\"a\":2}\n,{\"a\":", file);
    (void)fclose(file);
    UNIT_OK(audit_new(&iam_world.kms, &iam_world.kms.audit));
    restart();
    path[strlen(path) - 5] = '\0';
    file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    CU_ASSERT_STRING_EQUAL(text, "{\"Records\":[\n{\"a\":1}\n,{\"a\":2}\n]}\n");
    verify();
    CU_ASSERT_EQUAL(verdict.files, 1);
    CU_ASSERT_EQUAL(verdict.faults, 0);
    end_in_files();
}

static void records_wait_while_nothing_can_be_written(void)
{
    begin_in_files();
    remove_dir();
    record("Encrypt");
    audit_flush(iam_world.kms.audit);
    record("Decrypt");
    CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
    restart();
    CU_ASSERT_EQUAL(records_in_file(), 2);
    end_in_files();
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* An answer in time, and nothing that was recorded is lost. */
static void requests_are_refused_while_the_queue_is_full(void)
{
    unsigned count = 1;
    begin_in_files();
    remove_dir();
    record("Encrypt");
    audit_flush(iam_world.kms.audit);
    for (; count < 5000 && audit_admit(iam_world.kms.audit) == KMS_OK; count++)
        record("Encrypt");
    double start = seconds(CLOCK_MONOTONIC);
    CU_ASSERT_EQUAL(audit_admit(iam_world.kms.audit), KMS_UNAVAILABLE);
    record("Decrypt"); /* of a request that was let in before */
    CU_ASSERT(seconds(CLOCK_MONOTONIC) - start < 30);
    CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
    for (unsigned tries = 0; tries < 30 && audit_admit(iam_world.kms.audit) != KMS_OK;)
        tries++; /* each waits for room */
    CU_ASSERT_EQUAL(audit_admit(iam_world.kms.audit), KMS_OK);
    restart();
    CU_ASSERT_EQUAL(records_in_file(), count + 1);
    end_in_files();
}

/* A limit of a file's size is this test's full disk. */
static void at_the_end_what_there_is_room_for_is_written(void)
{
    struct rlimit before, small = {.rlim_cur = 20000};
    void (*on_limit)(int) = signal(SIGXFSZ, SIG_IGN);
    begin_in_files();
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (unsigned i = 0; i < 100; i++)
        record("Encrypt");
    audit_free(iam_world.kms.audit);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    UNIT_OK(audit_new(&iam_world.kms, &iam_world.kms.audit));
    unsigned count = records_in_file();
    CU_ASSERT(count > 10 && count < 40);
    (void)signal(SIGXFSZ, on_limit);
    end_in_files();
}

static void two_front_ends_do_not_share_a_directory(void)
{
    struct audit *second = NULL;
    begin_in_files();
    UNIT_RC(audit_new(&iam_world.kms, &second), RC_CONFLICT);
    end_in_files();
}

/* ---- LookupEvents */

#define LOOKUP "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

/* The answer, a new reference; its status in iam_world.status. */
static json_t *look_up(const struct iam_caller *who, const char *body)
{
    struct http_answer answer = {.body = BUF_INIT};
    audit_lookup(&iam_world.kms, iam_world_sign(who, "cloudtrail", IAM_WORLD_REGION, LOOKUP, body),
                 &answer);
    iam_world.status = answer.status;
    json_t *json = json_loads(buf_str(&answer.body), 0, NULL);
    buf_clear(&answer.body);
    return json;
}

static size_t found(const char *body)
{
    json_t *json = look_up(&iam_world.root, body);
    CU_ASSERT_EQUAL(iam_world.status, 200);
    size_t count = json_array_size(json_object_get(json, "Events"));
    json_decref(json);
    return count;
}

static void record_some(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        record(i % 2 == 0 ? "Encrypt" : "Decrypt");
        iam_world.now_ms += 1000;
    }
}

/* All names, page by page, newest first. */
static void walk_pages(unsigned expected)
{
    char body[4096] = "{\"MaxResults\":3,\"LookupAttributes\":[{\"AttributeKey\":\"EventSource\","
                      "\"AttributeValue\":\"kms.amazonaws.com\"}]}";
    unsigned seen = 0;
    json_int_t last = INT64_MAX;
    for (unsigned page = 0; page < expected + 2; page++) {
        json_t *json = look_up(&iam_world.root, body);
        const json_t *events = json_object_get(json, "Events");
        for (size_t i = 0; i < json_array_size(events); i++, seen++) {
            json_int_t time =
                json_integer_value(json_object_get(json_array_get(events, i), "EventTime"));
            CU_ASSERT_TRUE(time <= last);
            last = time;
        }
        const char *token = json_string_value(json_object_get(json, "NextToken"));
        bool is_more = token != NULL;
        (void)snprintf(body, sizeof body,
                       "{\"MaxResults\":3,\"LookupAttributes\":[{\"AttributeKey\":\"EventSource\","
                       "\"AttributeValue\":\"kms.amazonaws.com\"}],\"NextToken\":\"%s\"}",
                       is_more ? token : "");
        json_decref(json);
        if (!is_more)
            break;
    }
    CU_ASSERT_EQUAL(seen, expected);
}

static void check_lookups(void)
{
    CU_ASSERT_EQUAL(found("{\"LookupAttributes\":[{\"AttributeKey\":\"EventName\","
                          "\"AttributeValue\":\"Encrypt\"}]}"),
                    4);
    CU_ASSERT_EQUAL(found("{\"LookupAttributes\":[{\"AttributeKey\":\"Username\","
                          "\"AttributeValue\":\"work\"}]}"),
                    8);
    CU_ASSERT_EQUAL(found("{\"LookupAttributes\":[{\"AttributeKey\":\"ResourceName\","
                          "\"AttributeValue\":\"arn:aws:kms:eu-central-1:111122223333:key/k1\"}]}"),
                    8);
    CU_ASSERT_EQUAL(found("{\"LookupAttributes\":[{\"AttributeKey\":\"AccessKeyId\","
                          "\"AttributeValue\":\"ASIAXXXXXXXXXXXXXXXX\"}]}"),
                    8);
    CU_ASSERT_EQUAL(found("{\"LookupAttributes\":[{\"AttributeKey\":\"EventName\","
                          "\"AttributeValue\":\"Sign\"}]}"),
                    0);
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"StartTime\":%llu,\"EndTime\":%llu,\"LookupAttributes\":[{\"AttributeKey\":"
                   "\"EventSource\",\"AttributeValue\":\"kms.amazonaws.com\"}]}",
                   (unsigned long long)(IAM_WORLD_TIME_MS / 1000 + 2),
                   (unsigned long long)(IAM_WORLD_TIME_MS / 1000 + 4));
    CU_ASSERT_EQUAL(found(body), 3);
    walk_pages(8);
}

static void events_are_found_in_memory(void)
{
    iam_world_begin(NULL);
    record_some(8);
    check_lookups();
    iam_world_end();
}

static void events_are_found_in_files(void)
{
    begin_in_files();
    record_some(3);
    restart();
    record_some(1); /* in another order of names, as the clock of the day goes on */
    restart();
    for (unsigned i = 0; i < 4; i++) {
        record(i % 2 == 0 ? "Encrypt" : "Decrypt");
        iam_world.now_ms += 1000;
    }
    json_t *json = look_up(&iam_world.root, "{\"LookupAttributes\":[{\"AttributeKey\":"
                                            "\"Username\",\"AttributeValue\":\"work\"}]}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "Events")), 8);
    json_decref(json);
    walk_pages(8);
    end_in_files();
}

static void lookups_are_refused_in_awss_words(void)
{
    static const struct {
        const char *body, *error;
    } cases[] = {
        {"{\"MaxResults\":51}", "InvalidMaxResultsException"},
        {"{\"MaxResults\":0}", "InvalidMaxResultsException"},
        {"{\"StartTime\":5,\"EndTime\":4}", "InvalidTimeRangeException"},
        {"{\"StartTime\":\"x\"}", "SerializationException"},
        {"{\"LookupAttributes\":[{\"AttributeKey\":\"Nope\",\"AttributeValue\":\"x\"}]}",
         "InvalidLookupAttributesException"},
        {"{\"LookupAttributes\":[{},{}]}", "InvalidLookupAttributesException"},
        {"{\"NextToken\":\"AAAA\"}", "InvalidNextTokenException"},
        {"[]", "SerializationException"},
        {"{", "SerializationException"},
    };
    struct iam_caller mallory;
    iam_world_begin(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *json = look_up(&iam_world.root, cases[i].body);
        CU_ASSERT_STRING_EQUAL(text_at(json, "__type", NULL), cases[i].error);
        CU_ASSERT_EQUAL(iam_world.status, 400);
        json_decref(json);
    }
    iam_world_user("mallory", &mallory);
    json_t *json = look_up(&mallory, "{}");
    CU_ASSERT_STRING_EQUAL(text_at(json, "__type", NULL), "AccessDeniedException");
    json_decref(json);
    json = look_up(&iam_world.other_root, "{}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "Events")), 0);
    json_decref(json);
    iam_world_end();
}

/* ---- many at once */

#define THREADS 16U
#define EACH    2000U

static void *record_many(void *context)
{
    const struct audit_event *event = context;
    for (unsigned i = 0; i < EACH; i++)
        audit_record(iam_world.kms.audit, event);
    return NULL;
}

static void no_record_is_lost_between_threads(void)
{
    pthread_t threads[THREADS];
    json_t *parameters = json_pack("{s:s, s:{s:s}, s:s}", "keyId", the_key.arn, "encryptionContext",
                                   "team", "blue", "encryptionAlgorithm", "SYMMETRIC_DEFAULT");
    struct audit_event event;
    char path[512];
    begin_in_files();
    event_of(&event, "Encrypt", parameters);
    double start = seconds(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, record_many, &event), 0);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    restart();
    double taken = seconds(CLOCK_MONOTONIC) - start;
    size_t total = 0;
    char **names;
    size_t count;
    UNIT_OK(audit_names(dir, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], "_CloudTrail_") == NULL)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        json_t *json = json_load_file(path, 0, NULL);
        total += json_array_size(json_object_get(json, "Records"));
        json_decref(json);
    }
    audit_names_free(names, count);
    CU_ASSERT_EQUAL(total, THREADS * EACH);
    (void)printf("[%.0f records/s] ", THREADS * EACH / taken);
    json_decref(parameters);
    end_in_files();
}

static void a_record_costs_its_caller_little(void)
{
    json_t *parameters = json_pack("{s:s, s:{s:s}, s:s}", "keyId", the_key.arn, "encryptionContext",
                                   "team", "blue", "encryptionAlgorithm", "SYMMETRIC_DEFAULT");
    struct audit_event event;
    begin_in_files();
    event_of(&event, "Encrypt", parameters);
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < 5000; i++)
        audit_record(iam_world.kms.audit, &event);
    double each_us = (seconds(CLOCK_THREAD_CPUTIME_ID) - start) / 5000 * 1e6;
    (void)printf("[%.2f us] ", each_us);
    CU_ASSERT_TRUE(each_us < 100); /* no measurement, but that nothing is badly wrong */
    json_decref(parameters);
    end_in_files();
}

UNIT_SUITE("kms/audit", UNIT_CASE(a_record_has_cloudtrails_members),
           UNIT_CASE(text_that_is_no_utf8_makes_no_broken_record),
           UNIT_CASE(names_of_streams_are_never_paths), UNIT_CASE(secrets_of_iam_are_in_no_record),
           UNIT_CASE(files_are_complete_json_and_the_chain_is_whole),
           UNIT_CASE(before_the_first_digest_nothing_is_signed),
           UNIT_CASE(digests_without_their_key_are_not_believed),
           UNIT_CASE(every_change_of_the_chain_is_found),
           UNIT_CASE(another_key_in_the_directory_is_not_believed),
           UNIT_CASE(a_file_put_between_signed_ones_is_found),
           UNIT_CASE(what_the_hsm_does_not_sign_now_it_signs_later),
           UNIT_CASE(a_file_left_behind_is_mended_and_signed),
           UNIT_CASE(records_wait_while_nothing_can_be_written),
           UNIT_CASE(requests_are_refused_while_the_queue_is_full),
           UNIT_CASE(at_the_end_what_there_is_room_for_is_written),
           UNIT_CASE(two_front_ends_do_not_share_a_directory),
           UNIT_CASE(events_are_found_in_memory), UNIT_CASE(events_are_found_in_files),
           UNIT_CASE(lookups_are_refused_in_awss_words),
           UNIT_CASE(no_record_is_lost_between_threads),
           UNIT_CASE(a_record_costs_its_caller_little));
