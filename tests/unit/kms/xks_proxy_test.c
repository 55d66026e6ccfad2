/* SPDX-License-Identifier: Apache-2.0 */
/* The external key store proxy over an HSM that only disguises: what it refuses and in which order,
 * what it seals, and its credentials. Source: AWS KMS XKS Proxy API 1.0.3. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kms/base64.h"
#include "kms/sigv4.h"
#include "kms/xks_proxy_internal.h"
#include "kms/xks_proxy_json.h"
#include "tests/unit/unit.h"

#define PREFIX    "/example"
#define ACCESS    "AKIAI2SFODNN7EXAMPLE"
#define OTHER     "AKIAI2SFODNN7ANOTHER"
#define SECRET    "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
#define SECRET2   "AYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
#define METADATA  "'awsPrincipalArn': 'arn:aws:iam::123456789012:user/Alice', 'kmsKeyArn': 'arn:x', "
#define REQUESTED "{'requestMetadata': {" METADATA "'kmsOperation': 'Encrypt', 'kmsRequestId': 'r'}"

/* ---- an HSM: XOR, and a hash of everything for a tag */

static struct {
    uint64_t handles[4];
    size_t count;
    bool spoils; /* what it encrypts does not open */
    unsigned decrypts;
    enum rc failure;
} hsm;

enum rc hsm_find(struct hsm_client *client, const char *label, const uint8_t *id,
                 hsm_key_visit visit, void *context)
{
    (void)client;
    (void)id;
    if (strcmp(label, "external key") != 0)
        return RC_OK;
    for (size_t i = 0; i < hsm.count; i++) {
        struct hsm_key key = {
            .handle = hsm.handles[i], .spec = KEYSTORE_SPEC_AES_256, .use = KEYSTORE_ENCRYPT};
        memset(key.id, (int)key.handle, sizeof key.id);
        if (!visit(context, &key))
            break;
    }
    return RC_OK;
}

static bool has(uint64_t handle)
{
    for (size_t i = 0; i < hsm.count; i++) {
        if (hsm.handles[i] == handle)
            return true;
    }
    return false;
}

static void tag_of(uint64_t handle, struct bytes aad, struct bytes text, uint8_t out[HASH_LEN])
{
    const struct bytes parts[] = {bytes_of(&handle, sizeof handle), aad, text};
    UNIT_OK(hash_sha256_of(parts, 3, out));
}

enum rc hsm_encrypt(struct hsm_client *client, const struct hsm_encrypt *in, struct buf *out,
                    struct secret *out_plain, struct buf *out_public_der)
{
    (void)client;
    (void)out_plain;
    (void)out_public_der;
    uint8_t tag[HASH_LEN];
    if (hsm.failure != RC_OK)
        return hsm.failure;
    if (!has(in->key))
        return RC_OBJECT_HANDLE;
    TRY(buf_append(out, bytes_of("twelve bytes", 12)));
    for (size_t i = 0; i < in->plain.len; i++)
        TRY(buf_put_u8(out, in->plain.ptr[i] ^ 0x77));
    tag_of(in->key, in->aad, bytes_slice(buf_bytes(out), 12, in->plain.len), tag);
    tag[0] ^= hsm.spoils;
    return buf_append(out, bytes_of(tag, XKS_TAG_LEN));
}

enum rc hsm_decrypt(struct hsm_client *client, const struct hsm_decrypt *in, struct secret *out)
{
    (void)client;
    uint8_t tag[HASH_LEN];
    hsm.decrypts++;
    if (!has(in->key))
        return RC_OBJECT_HANDLE;
    struct bytes text = bytes_slice(in->ciphertext, 12, in->ciphertext.len - 28);
    tag_of(in->key, in->aad, text, tag);
    if (!bytes_equal(bytes_of(tag, XKS_TAG_LEN),
                     bytes_slice(in->ciphertext, 12 + text.len, XKS_TAG_LEN)))
        return RC_ENCRYPTED_DATA;
    TRY(secret_alloc(out, text.len));
    for (size_t i = 0; i < text.len; i++)
        out->ptr[i] = text.ptr[i] ^ 0x77;
    return RC_OK;
}

enum rc hsm_random(struct hsm_client *client, uint64_t view, size_t len, struct secret *out)
{
    (void)client;
    (void)view;
    return hsm.failure != RC_OK ? hsm.failure : secret_alloc(out, len);
}

void hsm_health_clear(struct hsm_health *health)
{
    buf_clear(&health->ca_pem);
}

enum rc hsm_health(struct hsm_client *client, struct hsm_health *out)
{
    (void)client;
    *out = (struct hsm_health){.ca_pem = BUF_INIT, .has_quorum = true, .count = 2};
    for (unsigned i = 0; i < 2; i++) {
        out->hsms[i].node = i + 1;
        out->hsms[i].active = i == 0;
        out->hsms[i].zone[0] = (char)('a' + (int)i);
    }
    return RC_OK;
}

/* ---- the proxy */

static struct kms kms;
static struct kms_config config;
static char credential_file[] = "/tmp/qhsm-xks-XXXXXX";
static char *credential_files[] = {credential_file};
static char prefix[] = PREFIX;
static char *key_lines[] = {
    (char[]){"foo external key"},
    (char[]){"encrypt_only_key external key encrypt-only"},
    (char[]){"decrypt_only_key external key decrypt-only"},
    (char[]){"impotent_key external key no-use"},
    (char[]){"disabled_key external key disabled"},
    (char[]){"lost_key no such label"},
};

static void write_credentials(const char *text)
{
    FILE *file = fopen(credential_file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void start(void)
{
    snprintf(credential_file, sizeof credential_file, "/tmp/qhsm-xks-XXXXXX");
    int fd = mkstemp(credential_file);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    write_credentials("# two live ones\n" ACCESS " " SECRET "\n" OTHER " " SECRET2 "\n");
    config = (struct kms_config){
        .xks_prefix = prefix,
        .xks_credentials = {credential_files, 1},
        .xks_keys = {key_lines, sizeof key_lines / sizeof key_lines[0]},
        .quota_store = 1800,
    };
    hsm.handles[0] = 7;
    hsm.count = 1;
    hsm.spoils = false;
    hsm.decrypts = 0;
    hsm.failure = RC_OK;
    kms = (struct kms){.config = &config};
    UNIT_OK(xks_proxy_new(&kms, &kms.xks));
}

static void end(void)
{
    xks_proxy_free(kms.xks);
    unlink(credential_file);
}

struct ask {
    const char *path; /* after PREFIX/kms/xks/v1 */
    const char *body; /* 'single quotes' */
    const char *access_key, *secret;
    const char *service;
    const char *method;
    const char *whole_path;
    int age_s;
};

static uint64_t now_ms(void)
{
    return (uint64_t)time(NULL) * 1000;
}

static json_t *ask(const struct ask *in, unsigned *out_status)
{
    char path[400], date[17];
    char *body = strdup(in->body);
    AUTO_BUF authorization = BUF_INIT;
    AUTO_SECRET secret = SECRET_INIT;
    for (char *at = body; *at != 0; at++)
        *at = *at == '\'' ? '"' : *at;
    snprintf(path, sizeof path, PREFIX XKS_API_PATH "%s", in->path);
    if (in->whole_path != NULL)
        snprintf(path, sizeof path, "%s", in->whole_path);
    UNIT_OK(secret_from_bytes(&secret, bytes_of_str(in->secret == NULL ? SECRET : in->secret)));
    const struct sigv4_signer signer = {
        .access_key = in->access_key == NULL ? ACCESS : in->access_key,
        .secret = &secret,
        .region = "mars-east-7", /* any */
        .service = in->service == NULL ? XKS_SERVICE : in->service,
        .time_ms = now_ms() - (uint64_t)in->age_s * 1000,
    };
    CU_ASSERT_EQUAL(sigv4_sign(&signer, "proxy.example", path, "application/json",
                               bytes_of_str(body), date, &authorization),
                    KMS_OK);
    struct http_request request = {
        .method = in->method == NULL ? "POST" : in->method,
        .path = path,
        .query = "",
        .headers = {{"Host", "proxy.example"},
                    {"Content-Type", "application/json"},
                    {"X-Amz-Date", date},
                    {"Authorization", buf_str(&authorization)}},
        .header_count = 4,
        .body = bytes_of_str(body),
        .peer = "127.0.0.1",
        .time_ms = now_ms(),
    };
    struct http_answer answer = {.body = BUF_INIT};
    CU_ASSERT(xks_proxy_owns(&kms, &request));
    xks_proxy_answer(&kms, &request, &answer);
    json_t *json = json_loads(buf_str(&answer.body), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL(json);
    CU_ASSERT_STRING_EQUAL(answer.content_type, "application/json");
    *out_status = answer.status;
    buf_clear(&answer.body);
    free(body);
    return json;
}

static const char *text(const json_t *json, const char *member)
{
    const char *found = json_string_value(json_object_get(json, member));
    return found == NULL ? "" : found;
}

static void refused(const struct ask *in, unsigned status, const char *name)
{
    unsigned got = 0;
    json_t *json = ask(in, &got);
    CU_ASSERT_EQUAL(got, status);
    CU_ASSERT_STRING_EQUAL(text(json, "errorName"), name);
    CU_ASSERT(strlen(text(json, "errorMessage")) <= XKS_MESSAGE_MAX);
    json_decref(json);
}

static json_t *good(const struct ask *in)
{
    unsigned got = 0;
    json_t *json = ask(in, &got);
    CU_ASSERT_EQUAL(got, 200);
    return json;
}

/* ---- the specification's worked values */

static void the_integrity_value_is_that_of_the_specifications_example(void)
{
    AUTO_BUF iv = BUF_INIT, ciphertext = BUF_INIT, tag = BUF_INIT, metadata = BUF_INIT;
    AUTO_BUF out = BUF_INIT;
    uint8_t cdiv[HASH_LEN];
    UNIT_OK(base64_decode(bytes_of_str("HMrlRw85cAJUd5Ax"), &iv));
    UNIT_OK(base64_decode(bytes_of_str("ghxkK1txeDNn3q8Y"), &ciphertext));
    UNIT_OK(base64_decode(bytes_of_str("vBxN2ncH1oEkR8WVXpmyYQ=="), &tag));
    UNIT_OK(base64_decode(bytes_of_str("a2V5X3ZlcnNpb249MQ=="), &metadata));
    const struct xks_sealed sealed = {buf_bytes(&metadata), buf_bytes(&iv), buf_bytes(&ciphertext),
                                      buf_bytes(&tag)};
    UNIT_OK(xks_aad_cdiv(bytes_of_str("project=nile,department=marketing"), &sealed, cdiv));
    UNIT_OK(base64_encode(bytes_of(cdiv, sizeof cdiv), &out));
    CU_ASSERT_STRING_EQUAL(buf_str(&out), "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=");
}

static void lengths_keep_additional_data_and_metadata_apart(void)
{
    AUTO_BUF one = BUF_INIT, other = BUF_INIT;
    UNIT_OK(xks_aad_join(bytes_of_str("ab"), bytes_of_str("c"), &one));
    UNIT_OK(xks_aad_join(bytes_of_str("a"), bytes_of_str("bc"), &other));
    CU_ASSERT(bytes_equal(buf_bytes(&one), bytes_of("\0\2ab\1c", 6)));
    CU_ASSERT_FALSE(bytes_equal(buf_bytes(&one), buf_bytes(&other)));
}

/* ---- use */

static void encrypt(const char *key, const char *more, json_t **out)
{
    char path[200], body[600];
    snprintf(path, sizeof path, "/keys/%s/encrypt", key);
    snprintf(body, sizeof body,
             REQUESTED ", 'plaintext': 'SGVsbG8gV29ybGQh', 'encryptionAlgorithm': 'AES_GCM'%s}",
             more);
    *out = good(&(struct ask){.path = path, .body = body});
}

static void decrypt_body(const json_t *sealed, const char *more, char *out, size_t size)
{
    snprintf(out, size,
             REQUESTED ", 'ciphertext': '%s', 'initializationVector': '%s', "
                       "'authenticationTag': '%s', 'ciphertextMetadata': '%s', "
                       "'encryptionAlgorithm': 'AES_GCM'%s}",
             text(sealed, "ciphertext"), text(sealed, "initializationVector"),
             text(sealed, "authenticationTag"), text(sealed, "ciphertextMetadata"), more);
}

static void what_is_encrypted_is_decrypted_with_the_same_additional_data_alone(void)
{
    char body[1000];
    json_t *sealed = NULL;
    start();
    encrypt("foo", ", 'additionalAuthenticatedData': 'YWI='", &sealed);
    CU_ASSERT_PTR_NULL(json_object_get(sealed, "ciphertextDataIntegrityValue"));
    CU_ASSERT_EQUAL(hsm.decrypts, 0);
    decrypt_body(sealed, ", 'additionalAuthenticatedData': 'YWI='", body, sizeof body);
    json_t *opened = good(&(struct ask){.path = "/keys/foo/decrypt", .body = body});
    CU_ASSERT_STRING_EQUAL(text(opened, "plaintext"), "SGVsbG8gV29ybGQh");
    json_decref(opened);
    decrypt_body(sealed, "", body, sizeof body);
    refused(&(struct ask){.path = "/keys/foo/decrypt", .body = body}, 400,
            "InvalidCiphertextException");
    json_decref(sealed);
    end();
}

static void an_integrity_value_means_that_the_ciphertext_was_tried(void)
{
    json_t *sealed = NULL;
    start();
    encrypt("foo", ", 'ciphertextDataIntegrityValueAlgorithm': 'SHA_256'", &sealed);
    CU_ASSERT_EQUAL(strlen(text(sealed, "ciphertextDataIntegrityValue")), 44);
    CU_ASSERT_EQUAL(hsm.decrypts, 1);
    json_decref(sealed);
    hsm.spoils = true;
    unsigned status = 0;
    json_t *json =
        ask(&(struct ask){.path = "/keys/foo/encrypt",
                          .body = REQUESTED ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': "
                                            "'AES_GCM', "
                                            "'ciphertextDataIntegrityValueAlgorithm': 'SHA_256'}"},
            &status);
    CU_ASSERT(status >= 400);
    json_decref(json);
    end();
}

static void keys_with_less_use_say_so(void)
{
    static const char plain[] =
        REQUESTED ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': 'AES_GCM'}";
    static const char with_value[] =
        REQUESTED ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': 'AES_GCM', "
                  "'ciphertextDataIntegrityValueAlgorithm': 'SHA_256'}";
    char body[1000];
    json_t *sealed = NULL;
    start();
    encrypt("encrypt_only_key", "", &sealed);
    decrypt_body(sealed, "", body, sizeof body);
    refused(&(struct ask){.path = "/keys/encrypt_only_key/decrypt", .body = body}, 400,
            "InvalidKeyUsageException");
    json_decref(good(&(struct ask){.path = "/keys/decrypt_only_key/decrypt", .body = body}));
    refused(&(struct ask){.path = "/keys/encrypt_only_key/encrypt", .body = with_value}, 400,
            "InvalidKeyUsageException");
    refused(&(struct ask){.path = "/keys/decrypt_only_key/encrypt", .body = plain}, 400,
            "InvalidKeyUsageException");
    refused(&(struct ask){.path = "/keys/impotent_key/encrypt", .body = plain}, 400,
            "InvalidKeyUsageException");
    refused(&(struct ask){.path = "/keys/disabled_key/encrypt", .body = plain}, 400,
            "InvalidStateException");
    json_decref(sealed);
    end();
}

static void a_younger_key_of_the_label_encrypts_and_the_older_one_still_decrypts(void)
{
    char body[1000];
    json_t *old = NULL;
    json_t *young = NULL;
    start();
    encrypt("foo", "", &old);
    hsm.handles[1] = 9;
    hsm.count = 2;
    UNIT_OK(xks_proxy_reload(kms.xks, &config));
    encrypt("foo", "", &young);
    CU_ASSERT_STRING_NOT_EQUAL(text(old, "ciphertextMetadata"), text(young, "ciphertextMetadata"));
    decrypt_body(old, "", body, sizeof body);
    json_decref(good(&(struct ask){.path = "/keys/foo/decrypt", .body = body}));
    decrypt_body(young, "", body, sizeof body);
    json_decref(good(&(struct ask){.path = "/keys/foo/decrypt", .body = body}));
    json_decref(old);
    json_decref(young);
    end();
}

static void a_key_that_has_another_handle_now_is_found_again(void)
{
    json_t *sealed = NULL;
    start();
    encrypt("foo", "", &sealed);
    json_decref(sealed);
    hsm.handles[0] = 8;
    encrypt("foo", "", &sealed);
    json_decref(sealed);
    hsm.count = 0;
    refused(&(struct ask){.path = "/keys/foo/metadata", .body = REQUESTED "}"}, 200, "");
    UNIT_OK(xks_proxy_reload(kms.xks, &config));
    refused(&(struct ask){.path = "/keys/foo/metadata", .body = REQUESTED "}"}, 404,
            "KeyNotFoundException");
    end();
}

static void metadata_tell_what_a_key_may_do(void)
{
    start();
    json_t *json = good(&(struct ask){.path = "/keys/foo/metadata", .body = REQUESTED "}"});
    CU_ASSERT_STRING_EQUAL(text(json, "keySpec"), "AES_256");
    CU_ASSERT_STRING_EQUAL(text(json, "keyStatus"), "ENABLED");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "keyUsage")), 2);
    json_decref(json);
    json = good(&(struct ask){.path = "/keys/disabled_key/metadata", .body = REQUESTED "}"});
    CU_ASSERT_STRING_EQUAL(text(json, "keyStatus"), "DISABLED");
    json_decref(json);
    refused(&(struct ask){.path = "/keys/lost_key/metadata", .body = REQUESTED "}"}, 404,
            "KeyNotFoundException");
    refused(&(struct ask){.path = "/keys/unheard_of/metadata", .body = REQUESTED "}"}, 404,
            "KeyNotFoundException");
    end();
}

static void health_names_each_hsm(void)
{
    static const char body[] =
        "{'requestMetadata': {'kmsOperation': 'KmsHealthCheck', 'kmsRequestId': 'r'}}";
    start();
    json_t *json = good(&(struct ask){.path = "/health", .body = body});
    CU_ASSERT(json_integer_value(json_object_get(json, "xksProxyFleetSize")) > 0);
    const json_t *fleet = json_object_get(json, "ekmFleetDetails");
    CU_ASSERT_EQUAL(json_array_size(fleet), 2);
    CU_ASSERT_STRING_EQUAL(text(json_array_get(fleet, 0), "healthStatus"), "ACTIVE");
    CU_ASSERT_STRING_EQUAL(text(json_array_get(fleet, 1), "healthStatus"), "UNAVAILABLE");
    json_decref(json);
    hsm.failure = RC_UNAVAILABLE;
    json_decref(good(&(struct ask){.path = "/health", .body = body})); /* kept for a while */
    end();
    start();
    hsm.failure = RC_UNAVAILABLE;
    refused(&(struct ask){.path = "/health", .body = body}, 503, "DependencyTimeoutException");
    end();
}

/* ---- refusals */

static void the_path_is_looked_at_before_the_signature(void)
{
    static const char *const paths[] = {
        "/other" XKS_API_PATH "/health",
        XKS_API_PATH "/health",
        PREFIX XKS_API_PATH "/healthy",
        PREFIX XKS_API_PATH "/keys/foo",
        PREFIX XKS_API_PATH "/keys/foo/delete",
        PREFIX XKS_API_PATH "/keys//encrypt",
        PREFIX XKS_API_PATH "/keys/a%20b/encrypt",
        PREFIX XKS_API_PATH "/keys/foo/encrypt/",
    };
    start();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        refused(&(struct ask){.whole_path = paths[i], .path = "", .body = "{}", .secret = SECRET2},
                404, "InvalidUriPathException");
    refused(&(struct ask){.path = "/health", .body = "", .method = "GET"}, 405,
            "ValidationException");
    end();
}

static void only_live_credentials_of_the_proxys_service_are_taken(void)
{
    struct ask in = {.path = "/keys/foo/metadata", .body = REQUESTED "}"};
    start();
    json_decref(good(&in));
    in.secret = SECRET2;
    refused(&in, 401, "AuthenticationFailedException");
    in.access_key = OTHER;
    json_decref(good(&in));
    in.service = "kms";
    refused(&in, 401, "AuthenticationFailedException");
    in.service = NULL;
    in.age_s = 400;
    refused(&in, 401, "AuthenticationFailedException");
    in.age_s = 0;
    in.access_key = "AKIAI2SFODNN7UNKNOWN";
    refused(&in, 401, "AuthenticationFailedException");
    end();
}

static void credentials_change_while_the_proxy_goes_on(void)
{
    struct ask old = {.path = "/keys/foo/metadata", .body = REQUESTED "}"};
    struct ask young = old;
    young.access_key = OTHER;
    young.secret = SECRET2;
    start();
    write_credentials(OTHER " " SECRET2 "\n");
    UNIT_OK(xks_proxy_reload(kms.xks, &config));
    refused(&old, 401, "AuthenticationFailedException");
    json_decref(good(&young));
    write_credentials("short " SECRET2 "\n");
    UNIT_RC(xks_proxy_reload(kms.xks, &config), RC_CONFIG);
    json_decref(good(&young));
    end();
}

static void bodies_lacking_something_are_invalid(void)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{}",
        "{'requestMetadata': {}}",
        "{'requestMetadata': {'kmsOperation': 'x', 'kmsRequestId': 'r'}}",
        "{'requestMetadata': {'kmsOperation': '', 'kmsRequestId': 'r'}}",
        REQUESTED "}",
        REQUESTED ", 'plaintext': 'SGVsbG8='}",
        REQUESTED ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': 'AES_CBC'}",
        REQUESTED ", 'plaintext': 'SGVsbG8', 'encryptionAlgorithm': 'AES_GCM'}",
        REQUESTED ", 'plaintext': 7, 'encryptionAlgorithm': 'AES_GCM'}",
        REQUESTED ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': 'AES_GCM', "
                  "'ciphertextDataIntegrityValueAlgorithm': 'MD5'}",
        REQUESTED ", 'plaintext': 'SGVsbG8=', 'plaintext': 'SGVsbG8=', "
                  "'encryptionAlgorithm': 'AES_GCM'}",
    };
    start();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        refused(&(struct ask){.path = "/keys/foo/encrypt", .body = bodies[i]}, 400,
                "ValidationException");
    refused(&(struct ask){.path = "/keys/foo/decrypt",
                          .body = REQUESTED
                          ", 'ciphertext': 'SGVs', 'initializationVector': 'SGVs', "
                          "'authenticationTag': 'SGVs', 'encryptionAlgorithm': 'AES_GCM'}"},
            400, "ValidationException");
    refused(&(struct ask){.path = "/health", .body = "{'requestMetadata': {}}"}, 400,
            "ValidationException");
    end();
}

static void an_operation_of_kms_that_is_not_known_is_no_reason_to_refuse(void)
{
    start();
    json_decref(good(&(struct ask){
        .path = "/keys/foo/encrypt",
        .body = "{'requestMetadata': {" METADATA "'kmsOperation': 'BulkEncryptOfTheFuture', "
                "'kmsRequestId': '\\u0001 \\\" odd'}, 'plaintext': '', "
                "'encryptionAlgorithm': 'AES_GCM', 'furtherMember': [1]}"}));
    end();
}

static void errors_of_the_hsm_have_their_status(void)
{
    static const struct {
        enum rc rc;
        unsigned status;
        const char *name;
    } rows[] = {
        {RC_UNAVAILABLE, 503, "DependencyTimeoutException"},
        {RC_DEADLINE, 503, "DependencyTimeoutException"},
        {RC_OVERLOADED, 429, "ThrottlingException"},
        {RC_NOT_PERMITTED, 403, "AccessDeniedException"},
        {RC_KEY_FUNCTION, 400, "InvalidKeyUsageException"},
        {RC_KEY_DATE, 400, "InvalidStateException"},
        {RC_UNSUPPORTED, 501, "UnsupportedOperationException"},
        {RC_INTERNAL, 500, "InternalException"},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hsm.failure = rows[i].rc;
        refused(&(struct ask){.path = "/keys/foo/encrypt",
                              .body = REQUESTED
                              ", 'plaintext': 'SGVsbG8=', 'encryptionAlgorithm': 'AES_GCM'}"},
                rows[i].status, rows[i].name);
    }
    end();
}

static void more_than_the_quota_is_throttled(void)
{
    unsigned refusals = 0;
    start();
    config.throttle = true;
    config.quota_store = 20;
    for (int i = 0; i < 1900; i++) {
        unsigned status = 0;
        json_decref(
            ask(&(struct ask){.path = "/keys/foo/metadata", .body = REQUESTED "}"}, &status));
        refusals += status == 429;
    }
    CU_ASSERT(refusals > 0);
    end();
}

UNIT_SUITE("kms/xks_proxy", UNIT_CASE(the_integrity_value_is_that_of_the_specifications_example),
           UNIT_CASE(lengths_keep_additional_data_and_metadata_apart),
           UNIT_CASE(what_is_encrypted_is_decrypted_with_the_same_additional_data_alone),
           UNIT_CASE(an_integrity_value_means_that_the_ciphertext_was_tried),
           UNIT_CASE(keys_with_less_use_say_so),
           UNIT_CASE(a_younger_key_of_the_label_encrypts_and_the_older_one_still_decrypts),
           UNIT_CASE(a_key_that_has_another_handle_now_is_found_again),
           UNIT_CASE(metadata_tell_what_a_key_may_do), UNIT_CASE(health_names_each_hsm),
           UNIT_CASE(the_path_is_looked_at_before_the_signature),
           UNIT_CASE(only_live_credentials_of_the_proxys_service_are_taken),
           UNIT_CASE(credentials_change_while_the_proxy_goes_on),
           UNIT_CASE(bodies_lacking_something_are_invalid),
           UNIT_CASE(an_operation_of_kms_that_is_not_known_is_no_reason_to_refuse),
           UNIT_CASE(errors_of_the_hsm_have_their_status),
           UNIT_CASE(more_than_the_quota_is_throttled));
