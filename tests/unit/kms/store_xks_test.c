/* SPDX-License-Identifier: Apache-2.0 */
/* Custom key stores of EXTERNAL_KEY_STORE: each error of a proxy as each operation tells it, and
 * what two stores and two keys may not share. The proxy is a word that says what comes next. */
#include <stdlib.h>

#include "kms/op_store.h"
#include "kms/operations.h"
#include "kms/xks_client.h"
#include "tests/unit/kms/store_fakes.h"
#include "tests/unit/unit.h"

#define KMS_IS(expr, expected) CU_ASSERT_EQUAL((expr), (expected))
#define PATH                   "/kms/xks/v1"
#define PUBLIC                 "'XksProxyConnectivity': 'PUBLIC_ENDPOINT'"
#define SERVICE(name)                                  \
    "'XksProxyConnectivity': 'VPC_ENDPOINT_SERVICE', " \
    "'XksProxyVpcEndpointServiceName': 'com.amazonaws.vpce.us-east-1.vpce-svc-" name "'"

/* ---- the proxy */

static _Atomic enum xks_error next_error;

struct xks_client {
    char unused;
};

enum rc xks_client_new(const struct kms_config *config, struct xks_client **out)
{
    (void)config;
    next_error = XKS_OK;
    *out = calloc(1, sizeof **out);
    return RC_OK;
}

void xks_client_free(struct xks_client *client)
{
    free(client);
}

enum xks_error xks_client_health(struct xks_client *client, const struct xks_call *call)
{
    (void)client;
    (void)call;
    return next_error;
}

enum xks_error xks_client_metadata(struct xks_client *client, const struct xks_call *call)
{
    (void)client;
    CU_ASSERT_PTR_NOT_NULL(call->key_id);
    return next_error;
}

enum xks_error xks_client_encrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes plain, struct buf *out)
{
    (void)client;
    (void)call;
    (void)aad;
    if (next_error == XKS_OK && buf_append(out, plain) != RC_OK)
        return XKS_E_INTERNAL;
    return next_error;
}

enum xks_error xks_client_decrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes sealed, struct secret *out)
{
    (void)client;
    (void)call;
    (void)aad;
    if (next_error == XKS_OK && secret_from_bytes(out, sealed) != RC_OK)
        return XKS_E_INTERNAL;
    return next_error;
}

/* ---- stores */

static char store_id[65];

static enum kms_error create(const char *name, const char *endpoint, const char *path,
                             const char *connectivity)
{
    char json[1024];
    json_t *out = NULL;
    (void)snprintf(json, sizeof json,
                   "{'CustomKeyStoreName': '%s', 'CustomKeyStoreType': 'EXTERNAL_KEY_STORE',"
                   "'XksProxyUriEndpoint': 'https://%s', 'XksProxyUriPath': '%s', %s,"
                   "'XksProxyAuthenticationCredential': {'AccessKeyId': 'ABCDEFGHIJKLMNOPQRST',"
                   "'RawSecretAccessKey': '0123456789012345678901234567890123456789012'}}",
                   name, endpoint, path, connectivity);
    enum kms_error error = fake_run(op_create_custom_key_store, "CreateCustomKeyStore", json, &out);
    if (error == KMS_OK)
        (void)snprintf(store_id, sizeof store_id, "%s",
                       json_string_value(json_object_get(out, "CustomKeyStoreId")));
    json_decref(out);
    return error;
}

static enum kms_error on_store(enum kms_error (*operation)(struct kms_request *), const char *name,
                               const char *members)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{'CustomKeyStoreId': '%s'%s}", store_id, members);
    return fake_run(operation, name, json, NULL);
}

static void start(void)
{
    fake_kms();
    KMS_IS(create("one", "a.example", PATH, PUBLIC), KMS_OK);
}

static void start_connected(void)
{
    start();
    KMS_IS(on_store(op_connect_custom_key_store, "ConnectCustomKeyStore", ""), KMS_OK);
    CU_ASSERT_TRUE(fake_wait(store_id, STORE_CONNECTED));
}

static enum kms_error admit(const char *xks_key_id)
{
    struct kms_request request;
    struct key key = {.id = "33333333-2222-3333-4444-555555555555",
                      .region = "us-east-1",
                      .account = "111122223333",
                      .origin = ORIGIN_XKS,
                      .spec = KEYSTORE_SPEC_AES_256,
                      .use = KEYSTORE_ENCRYPT};
    (void)snprintf(key.xks_key_id, sizeof key.xks_key_id, "%s", xks_key_id);
    fake_request(&request, "CreateKey", "{}");
    AUTO_RECORD *record = fake_store(store_id);
    enum kms_error error = stores_admit_key(&request, record, &key);
    fake_request_end(&request);
    return error;
}

/* ---- cases */

static void each_error_of_the_proxy_is_told_as_the_table_says(void)
{
    start();
    for (enum xks_error error = XKS_OK + 1; error < XKS_ERROR_END; error++) {
        const struct xks_error_row *row = xks_error_row(error);
        next_error = error;
        KMS_IS(create("two", "b.example", PATH, PUBLIC), row->store);
        CU_ASSERT_STRING_EQUAL(kms_error_text(), row->text);
        KMS_IS(on_store(op_update_custom_key_store, "UpdateCustomKeyStore",
                        ", 'XksProxyUriPath': '/other" PATH "'"),
               row->store);
        KMS_IS(on_store(op_connect_custom_key_store, "ConnectCustomKeyStore", ""), KMS_OK);
        CU_ASSERT_TRUE(fake_wait(store_id, STORE_FAILED));
        AUTO_RECORD *record = fake_store(store_id);
        CU_ASSERT_STRING_EQUAL(store_of(record)->error_code, row->code);
        CU_ASSERT_STRING_EQUAL(store_of(record)->xks_path, PATH);
        KMS_IS(on_store(op_disconnect_custom_key_store, "DisconnectCustomKeyStore", ""), KMS_OK);
    }
    fake_end();
}

static void each_error_of_the_proxy_refuses_a_new_key_and_the_use_of_one(void)
{
    start_connected();
    KMS_IS(admit("key-1"), KMS_OK);
    for (enum xks_error error = XKS_OK + 1; error < XKS_ERROR_END; error++) {
        struct kms_request request;
        struct key key = {.xks_key_id = "key-1"};
        AUTO_BUF sealed = BUF_INIT;
        AUTO_SECRET plain = SECRET_INIT;
        next_error = error;
        KMS_IS(admit("key-1"), xks_error_row(error)->create_key);
        CU_ASSERT_STRING_EQUAL(kms_error_text(), xks_error_row(error)->text);
        fake_request(&request, "Encrypt", "{}");
        AUTO_RECORD *record = fake_store(store_id);
        struct bytes text = bytes_of_str("text");
        KMS_IS(stores_xks_encrypt(&request, record, &key, text, text, &sealed), KMS_INVALID_STATE);
        CU_ASSERT_STRING_EQUAL(kms_error_text(), xks_error_row(error)->text);
        KMS_IS(stores_xks_decrypt(&request, record, &key, text, text, &plain), KMS_INVALID_STATE);
        fake_request_end(&request);
    }
    fake_end();
}

static void stores_share_neither_name_nor_proxy(void)
{
    static const struct {
        const char *name, *endpoint, *path, *connectivity;
        enum kms_error error;
    } rows[] = {
        {"one", "b.example", PATH, PUBLIC, KMS_CUSTOM_STORE_NAME_IN_USE},
        {"two", "a.example", PATH, PUBLIC, KMS_XKS_URI_IN_USE},
        {"two", "a.example", "/other" PATH, SERVICE("1"), KMS_XKS_ENDPOINT_IN_USE},
        {"two", "a.example", "/other" PATH, PUBLIC, KMS_OK},
        {"three", "c.example", PATH, SERVICE("1"), KMS_OK},
        {"four", "c.example", "/other" PATH, PUBLIC, KMS_XKS_ENDPOINT_IN_USE},
        {"four", "d.example", PATH, SERVICE("1"), KMS_XKS_VPC_IN_USE},
        {"four", "d.example", PATH, SERVICE("2"), KMS_OK},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        KMS_IS(create(rows[i].name, rows[i].endpoint, rows[i].path, rows[i].connectivity),
               rows[i].error);
    fake_end();
}

static void an_account_has_ten_stores(void)
{
    start();
    for (unsigned i = 2; i <= 11; i++) {
        char name[16], endpoint[32];
        (void)snprintf(name, sizeof name, "store %u", i);
        (void)snprintf(endpoint, sizeof endpoint, "host-%u.example", i);
        KMS_IS(create(name, endpoint, PATH, PUBLIC), i <= 10 ? KMS_OK : KMS_LIMIT_EXCEEDED);
    }
    fake_end();
}

static void an_external_key_is_that_of_one_kms_key_of_its_store(void)
{
    start_connected();
    fake_key("11111111-2222-3333-4444-555555555555", store_id, "key-1");
    fake_key("22222222-2222-3333-4444-555555555555", "cks-00000000000000000", "key-2");
    KMS_IS(admit("key-1"), KMS_XKS_KEY_IN_USE);
    KMS_IS(admit("key-2"), KMS_OK);
    KMS_IS(admit("key 3"), KMS_VALIDATION);
    fake_end();
}

UNIT_SUITE("store_xks", UNIT_CASE(each_error_of_the_proxy_is_told_as_the_table_says),
           UNIT_CASE(each_error_of_the_proxy_refuses_a_new_key_and_the_use_of_one),
           UNIT_CASE(stores_share_neither_name_nor_proxy), UNIT_CASE(an_account_has_ten_stores),
           UNIT_CASE(an_external_key_is_that_of_one_kms_key_of_its_store));
