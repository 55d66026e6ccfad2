/* SPDX-License-Identifier: Apache-2.0 */
/* Custom key stores of AWS_CLOUDHSM: their life, and what becomes of kmsuser's password whatever
 * happens on the way. */
#include <stdlib.h>

#include "kms/operations.h"
#include "kms/store_link.h"
#include "tests/unit/kms/store_fakes.h"
#include "tests/unit/unit.h"

#define KMS_IS(expr, expected) CU_ASSERT_EQUAL((expr), (expected))

#define CREATE(name, cluster, password)                                         \
    "{'CustomKeyStoreName': '" name "', 'CloudHsmClusterId': 'cluster-" cluster \
    "', 'TrustAnchorCertificate': '-----BEGIN CERTIFICATE-----\\nQUJDREVG\\n"   \
    "-----END CERTIFICATE-----', 'KeyStorePassword': '" password "'}"
#define A "aaaaaaaaaaa"
#define B "bbbbbbbbbbb"

static char store_id[65];

static enum kms_error create(const char *json)
{
    json_t *out = NULL;
    enum kms_error error = fake_run(op_create_custom_key_store, "CreateCustomKeyStore", json, &out);
    const char *id = json_string_value(json_object_get(out, "CustomKeyStoreId"));
    if (id != NULL)
        snprintf(store_id, sizeof store_id, "%s", id);
    json_decref(out);
    return error;
}

static enum kms_error on_store(enum kms_error (*operation)(struct kms_request *), const char *name)
{
    char json[160];
    snprintf(json, sizeof json, "{'CustomKeyStoreId': '%s'}", store_id);
    return fake_run(operation, name, json, NULL);
}
static enum kms_error connect_store(void)
{
    return on_store(op_connect_custom_key_store, "ConnectCustomKeyStore");
}
static enum kms_error disconnect_store(void)
{
    return on_store(op_disconnect_custom_key_store, "DisconnectCustomKeyStore");
}
static enum kms_error delete_store(void)
{
    return on_store(op_delete_custom_key_store, "DeleteCustomKeyStore");
}
static enum kms_error update(const char *members)
{
    char json[2048];
    snprintf(json, sizeof json, "{'CustomKeyStoreId': '%s', %s}", store_id, members);
    return fake_run(op_update_custom_key_store, "UpdateCustomKeyStore", json, NULL);
}

static void check_code(const char *expected)
{
    AUTO_RECORD *record = fake_store(store_id);
    CU_ASSERT_STRING_EQUAL(store_of(record)->error_code, expected);
}

/* May a key of the store be used at this front end? */
static enum kms_error use(struct stores *stores)
{
    AUTO_RECORD *record = fake_store(store_id);
    struct hsm_client *client = NULL;
    enum kms_error error = stores_hsm(stores, record, &client);
    if (error == KMS_OK)
        stores_hsm_done(stores, client);
    return error;
}

static void start_connected(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
}

/* ---- making */

static void a_new_store_is_disconnected_and_its_password_is_not_in_the_documents(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    CU_ASSERT_EQUAL(strlen(store_id), 21);
    CU_ASSERT_EQUAL(strncmp(store_id, "cks-", 4), 0);
    CU_ASSERT(fake_wait(store_id, STORE_DISCONNECTED));
    char *all = fake_documents();
    CU_ASSERT_PTR_NULL(strstr(all, "first-password"));
    free(all);
    CU_ASSERT_EQUAL(fake_cluster(0)->logins, 0);
    fake_end();
}

static void a_cluster_must_be_known_and_answer(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", "ccccccccccc", "first-password")), KMS_HSM_CLUSTER_NOT_FOUND);
    fake_cluster(0)->is_down = true;
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_HSM_CLUSTER_NOT_ACTIVE);
    fake_end();
}

static void the_trust_anchor_must_be_the_clusters(void)
{
    fake_kms();
    fake_cluster(0)->ca = FAKE_OTHER_CA;
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_INCORRECT_TRUST_ANCHOR);
    fake_end();
}

static void two_hsms_in_one_zone_are_not_enough(void)
{
    fake_kms();
    fake_cluster(0)->zones = 1;
    fake_cluster(0)->same_zone = 2;
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_HSM_CLUSTER_INVALID_CONFIGURATION);
    fake_end();
}

static void members_of_the_other_type_are_refused_and_own_ones_are_needed(void)
{
    fake_kms();
    KMS_IS(create("{'CustomKeyStoreName': 'one', 'CloudHsmClusterId': 'cluster-" A "'}"),
           KMS_VALIDATION);
    KMS_IS(create("{'CustomKeyStoreName': 'one', 'XksProxyUriPath': '/kms/xks/v1'}"),
           KMS_VALIDATION);
    KMS_IS(create("{'CustomKeyStoreName': 'one', 'CustomKeyStoreType': 'EXTERNAL_KEY_STORE', "
                  "'KeyStorePassword': 'first-password'}"),
           KMS_VALIDATION);
    fake_end();
}

static void a_repeated_request_gives_the_same_store(void)
{
    char first[65];
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    snprintf(first, sizeof first, "%s", store_id);
    store_id[0] = 0;
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    CU_ASSERT_STRING_EQUAL(store_id, first);
    KMS_IS(create(CREATE("one", A, "other-password")), KMS_CUSTOM_STORE_NAME_IN_USE);
    fake_end();
}

/* 255 characters, of three bytes each, and one that tells the names apart. */
static const char *long_name(char end)
{
    static char name[3 * 255 + 2];
    for (size_t i = 0; i < 255; i++)
        memcpy(name + 3 * i, "\xe2\x82\xac", 3);
    name[sizeof name - 2] = end;
    return name;
}
static enum kms_error create_named(const char *name, const char *cluster)
{
    char json[2048];
    snprintf(json, sizeof json, CREATE("%s", "%s", "first-password"), name, cluster);
    return create(json);
}
static void check_name(const char *name)
{
    AUTO_RECORD *record = fake_store(store_id);
    CU_ASSERT_STRING_EQUAL(store_of(record)->name, name);
}

static void a_name_is_kept_and_compared_whole(void)
{
    char update_json[1024];
    fake_kms();
    KMS_IS(create_named(long_name('a'), A), KMS_OK);
    check_name(long_name('a'));
    KMS_IS(create_named(long_name('a'), B), KMS_CUSTOM_STORE_NAME_IN_USE);
    KMS_IS(create_named(long_name('b'), B), KMS_OK);
    check_name(long_name('b'));
    snprintf(update_json, sizeof update_json, "'NewCustomKeyStoreName': '%s'", long_name('a'));
    KMS_IS(update(update_json), KMS_CUSTOM_STORE_NAME_IN_USE);
    snprintf(update_json, sizeof update_json, "'NewCustomKeyStoreName': '%s'", long_name('c'));
    KMS_IS(update(update_json), KMS_OK);
    check_name(long_name('c'));
    fake_end();
}

static void names_and_clusters_are_one_stores_alone(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    KMS_IS(create(CREATE("one", B, "first-password")), KMS_CUSTOM_STORE_NAME_IN_USE);
    KMS_IS(create(CREATE("two", A, "first-password")), KMS_HSM_CLUSTER_IN_USE);
    KMS_IS(create(CREATE("two", B, "first-password")), KMS_OK);
    fake_end();
}

static void a_store_made_meanwhile_by_another_front_end_makes_the_request_run_again(void)
{
    fake_kms();
    fake_commits_fail(1, RC_CONFLICT);
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_INTERNAL);
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    fake_end();
}

/* ---- connecting */

static void connecting_changes_the_password_to_one_that_only_the_document_has(void)
{
    start_connected();
    CU_ASSERT_STRING_NOT_EQUAL(fake_cluster(0)->password, "first-password");
    CU_ASSERT_EQUAL(strlen(fake_cluster(0)->password), 32);
    char *all = fake_documents();
    CU_ASSERT_PTR_NULL(strstr(all, fake_cluster(0)->password));
    free(all);
    AUTO_RECORD *record = fake_store(store_id);
    CU_ASSERT_EQUAL(store_of(record)->password_next.len, 0);
    fake_end();
}

static void every_front_end_uses_a_connected_store_by_its_document(void)
{
    start_connected();
    struct stores *other = fake_other_stores();
    KMS_IS(use(other), KMS_OK);
    KMS_IS(use(other), KMS_OK);
    stores_free(other);
    fake_end();
}

static void a_wrong_password_fails_the_connection_and_an_update_mends_it(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "wrong-password")), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_FAILED));
    check_code("INVALID_CREDENTIALS");
    KMS_IS(connect_store(), KMS_CUSTOM_STORE_INVALID_STATE);
    KMS_IS(update("'KeyStorePassword': 'first-password'"), KMS_CUSTOM_STORE_INVALID_STATE);
    KMS_IS(disconnect_store(), KMS_OK);
    check_code("");
    KMS_IS(update("'KeyStorePassword': 'first-password'"), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    fake_end();
}

struct failure {
    void (*spoil)(struct fake_cluster *cluster);
    const char *code;
};
static void spoil_user(struct fake_cluster *cluster)
{
    cluster->has_user = false;
}
static void spoil_lock(struct fake_cluster *cluster)
{
    cluster->is_locked = true;
}
static void spoil_network(struct fake_cluster *cluster)
{
    cluster->is_down = true;
}
static void spoil_zones(struct fake_cluster *cluster)
{
    cluster->zones = 0;
}
static void spoil_quorum(struct fake_cluster *cluster)
{
    cluster->has_no_quorum = true;
}
static void spoil_peace(struct fake_cluster *cluster)
{
    cluster->sessions = 2;
}
static void spoil_ca(struct fake_cluster *cluster)
{
    cluster->ca = FAKE_OTHER_CA;
}

static void each_failure_of_a_connection_has_awss_code(void)
{
    static const struct failure failures[] = {
        {spoil_user, "USER_NOT_FOUND"},
        {spoil_lock, "USER_LOCKED_OUT"},
        {spoil_network, "NETWORK_ERRORS"},
        {spoil_zones, "INSUFFICIENT_CLOUDHSM_HSMS"},
        {spoil_quorum, "INSUFFICIENT_CLOUDHSM_HSMS"},
        {spoil_peace, "USER_LOGGED_IN"},
        {spoil_ca, "CLUSTER_NOT_FOUND"},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        fake_kms();
        KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
        failures[i].spoil(fake_cluster(0));
        KMS_IS(connect_store(), KMS_OK);
        CU_ASSERT(fake_wait(store_id, STORE_FAILED));
        check_code(failures[i].code);
        fake_end();
    }
}

static void a_kmsuser_who_is_logged_in_keeps_his_password_until_he_has_logged_out(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    fake_cluster(0)->sessions = 1;
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_FAILED));
    check_code("USER_LOGGED_IN");
    CU_ASSERT_STRING_EQUAL(fake_cluster(0)->password, "first-password");
    fake_cluster(0)->sessions = 0;
    KMS_IS(disconnect_store(), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    CU_ASSERT_STRING_NOT_EQUAL(fake_cluster(0)->password, "first-password");
    fake_end();
}

static void a_cluster_that_left_the_configuration_is_not_active(void)
{
    struct kms *kms = fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    kms->config->clusters[0].id[9] = 'x';
    KMS_IS(connect_store(), KMS_HSM_CLUSTER_NOT_ACTIVE);
    fake_end();
}

/* ---- the password, whatever happens */

static void a_rotation_whose_answer_is_lost_is_found_out(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    fake_cluster(0)->rotation = FAKE_LOSES_ANSWER;
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    CU_ASSERT_STRING_NOT_EQUAL(fake_cluster(0)->password, "first-password");
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    fake_end();
}

static void a_rotation_that_did_not_happen_leaves_both_passwords_in_the_document(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    fake_cluster(0)->rotation = FAKE_LOSES_REQUEST;
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_FAILED));
    {
        AUTO_RECORD *record = fake_store(store_id);
        CU_ASSERT(store_of(record)->password.len > 0);
        CU_ASSERT(store_of(record)->password_next.len > 0);
    }
    KMS_IS(disconnect_store(), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    fake_end();
}

/* As a front end leaves it that ends at once after the HSM took the new password. */
static void leave_in_the_middle(struct store *store)
{
    store->state = STORE_CONNECTING;
    snprintf(store->holder, sizeof store->holder, "somebody who is gone");
    store->since_ms = 1;
    buf_clear(&store->password_next);
    store->password_next = buf_take(&store->password);
    UNIT_OK(buf_append(&store->password, buf_bytes(&store->password_next)));
    store->password.ptr[store->password.len - 1] ^= 1; /* the old password, no longer good */
}

static void another_front_end_takes_over_from_one_that_was_lost_in_the_middle(void)
{
    start_connected();
    KMS_IS(disconnect_store(), KMS_OK);
    char before[65];
    snprintf(before, sizeof before, "%s", fake_cluster(0)->password);
    fake_change(store_id, leave_in_the_middle);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    CU_ASSERT_STRING_EQUAL(fake_cluster(0)->password, before);
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    fake_end();
}

static void a_change_that_is_not_committed_is_made_later(void)
{
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    fake_commits_fail(3, RC_NO_QUORUM);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    fake_end();
}

static void a_password_changed_behind_kms_is_tried_once_and_not_until_the_user_is_locked(void)
{
    start_connected();
    struct stores *other = fake_other_stores();
    snprintf(fake_cluster(0)->password, sizeof fake_cluster(0)->password, "changed-by-hand");
    for (int i = 0; i < 20; i++)
        KMS_IS(use(other), KMS_INVALID_STATE);
    CU_ASSERT_EQUAL(fake_cluster(0)->wrong, 1);
    CU_ASSERT_FALSE(fake_cluster(0)->is_locked);
    KMS_IS(disconnect_store(), KMS_OK);
    KMS_IS(update("'KeyStorePassword': 'changed-by-hand'"), KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    KMS_IS(use(other), KMS_OK);
    stores_free(other);
    fake_end();
}

/* ---- disconnecting, updating, deleting */

static void keys_of_a_disconnected_store_are_unavailable(void)
{
    start_connected();
    struct kms kms = *fake_kms_get();
    struct key key = {.region = "us-east-1", .account = "111122223333"};
    snprintf(key.store_id, sizeof key.store_id, "%s", store_id);
    CU_ASSERT(stores_is_connected(&kms, &key));
    KMS_IS(disconnect_store(), KMS_OK);
    CU_ASSERT_FALSE(stores_is_connected(&kms, &key));
    KMS_IS(use(fake_kms_get()->stores), KMS_INVALID_STATE);
    KMS_IS(disconnect_store(), KMS_CUSTOM_STORE_INVALID_STATE);
    snprintf(key.store_id, sizeof key.store_id, "cks-00000000000000000");
    CU_ASSERT_FALSE(stores_is_connected(&kms, &key));
    fake_end();
}

static void a_name_changes_at_any_time_and_the_rest_while_disconnected(void)
{
    start_connected();
    KMS_IS(update("'NewCustomKeyStoreName': 'other'"), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    KMS_IS(use(fake_kms_get()->stores), KMS_OK);
    KMS_IS(update("'CloudHsmClusterId': 'cluster-" B "'"), KMS_CUSTOM_STORE_INVALID_STATE);
    KMS_IS(disconnect_store(), KMS_OK);
    fake_cluster(1)->ca = FAKE_OTHER_CA;
    KMS_IS(update("'CloudHsmClusterId': 'cluster-" B "'"), KMS_HSM_CLUSTER_NOT_RELATED);
    fake_cluster(1)->ca = FAKE_CA;
    KMS_IS(update("'CloudHsmClusterId': 'cluster-" B "'"), KMS_OK);
    KMS_IS(update("'XksProxyUriPath': '/kms/xks/v1'"), KMS_VALIDATION);
    fake_end();
}

static void a_restored_cluster_carries_on_with_the_stores_of_the_former_one(void)
{
    char restored[] = "cluster-" B;
    char other[] = "cluster-" A;
    char former[] = FAKE_CA;
    struct kms_former_ca line = {.cluster_id = other, .pem = former};
    start_connected();
    struct kms_config *config = fake_config();
    config->former_cas = &line;
    config->former_ca_count = 1;
    KMS_IS(disconnect_store(), KMS_OK);
    fake_cluster(1)->ca = FAKE_OTHER_CA;
    KMS_IS(update("'CloudHsmClusterId': 'cluster-" B "'"), KMS_HSM_CLUSTER_NOT_RELATED);
    line.cluster_id = restored;
    KMS_IS(update("'CloudHsmClusterId': 'cluster-" B "', 'KeyStorePassword': 'first-password'"),
           KMS_OK);
    KMS_IS(connect_store(), KMS_OK);
    CU_ASSERT(fake_wait(store_id, STORE_CONNECTED));
    fake_end();
}

static void a_store_with_keys_or_connected_is_not_deleted(void)
{
    start_connected();
    KMS_IS(delete_store(), KMS_CUSTOM_STORE_INVALID_STATE);
    KMS_IS(disconnect_store(), KMS_OK);
    fake_key("11111111-2222-3333-4444-555555555555", store_id, "");
    KMS_IS(delete_store(), KMS_CUSTOM_STORE_HAS_CMKS);
    fake_end();
    fake_kms();
    KMS_IS(create(CREATE("one", A, "first-password")), KMS_OK);
    KMS_IS(delete_store(), KMS_OK);
    KMS_IS(delete_store(), KMS_CUSTOM_STORE_NOT_FOUND);
    fake_end();
}

/* ---- describing, keys, quota */

static void a_description_tells_all_but_the_password(void)
{
    json_t *out = NULL;
    start_connected();
    KMS_IS(fake_run(op_describe_custom_key_stores, "DescribeCustomKeyStores", "{}", &out), KMS_OK);
    const json_t *entry = json_array_get(json_object_get(out, "CustomKeyStores"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(entry, "ConnectionState")),
                           "CONNECTED");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(entry, "CloudHsmClusterId")),
                           "cluster-" A);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(entry, "CustomKeyStoreType")),
                           "AWS_CLOUDHSM");
    CU_ASSERT_EQUAL(json_object_size(entry), 7);
    json_decref(out);
    KMS_IS(fake_run(op_describe_custom_key_stores, "DescribeCustomKeyStores",
                    "{'CustomKeyStoreName': 'none'}", NULL),
           KMS_CUSTOM_STORE_NOT_FOUND);
    KMS_IS(fake_run(op_describe_custom_key_stores, "DescribeCustomKeyStores",
                    "{'CustomKeyStoreName': 'one', 'CustomKeyStoreId': 'x'}", NULL),
           KMS_VALIDATION);
    fake_end();
}

static enum kms_error admit(struct key *key)
{
    struct kms_request request;
    fake_request(&request, "CreateKey", "{}");
    AUTO_RECORD *record = fake_store(store_id);
    enum kms_error error = stores_admit_key(&request, record, key);
    fake_request_end(&request);
    return error;
}

static void a_key_needs_a_connected_store_of_two_zones_and_to_be_symmetric(void)
{
    struct key key = {.region = "us-east-1",
                      .account = "111122223333",
                      .origin = ORIGIN_AWS_CLOUDHSM,
                      .spec = KEYSTORE_SPEC_AES_256,
                      .use = KEYSTORE_ENCRYPT};
    start_connected();
    KMS_IS(admit(&key), KMS_OK);
    CU_ASSERT_STRING_EQUAL(key.store_id, store_id);
    key.spec = KEYSTORE_SPEC_RSA_2048;
    KMS_IS(admit(&key), KMS_UNSUPPORTED);
    key.spec = KEYSTORE_SPEC_AES_256;
    key.multi_region = true;
    KMS_IS(admit(&key), KMS_UNSUPPORTED);
    key.multi_region = false;
    key.origin = ORIGIN_XKS;
    KMS_IS(admit(&key), KMS_VALIDATION);
    key.origin = ORIGIN_AWS_CLOUDHSM;
    fake_cluster(0)->zones = 1;
    KMS_IS(admit(&key), KMS_HSM_CLUSTER_INVALID_CONFIGURATION);
    KMS_IS(disconnect_store(), KMS_OK);
    KMS_IS(admit(&key), KMS_CUSTOM_STORE_INVALID_STATE);
    fake_end();
}

static void a_store_gives_1800_uses_a_second(void)
{
    unsigned refused = 0;
    start_connected();
    for (int i = 0; i < 4000; i++)
        refused += use(fake_kms_get()->stores) == KMS_THROTTLING;
    CU_ASSERT(refused > 1000);
    fake_end();
}

/* ---- documents */

static void documents_of_another_shape_are_refused(void)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"type\": \"AWS_CLOUDHSM\", \"state\": \"CONNECTED\"}",
        "{\"type\": \"AWS_CLOUDHSM\", \"state\": \"WRONG\", \"anchor\": \"x\"}",
        "{\"type\": \"x\", \"state\": \"CONNECTED\", \"anchor\": \"x\"}",
        "{\"type\": \"AWS_CLOUDHSM\", \"state\": \"FAILED\", \"anchor\": \"x\", \"name\": 1}",
        "{\"type\": \"EXTERNAL_KEY_STORE\", \"state\": \"FAILED\", \"secret\": \"!\"}",
        "{\"type\": \"AWS_CLOUDHSM\", \"state\": \"FAILED\", \"anchor\": \"x\", \"created\": -1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *out = NULL;
        json_t *value = json_loads(bad[i], 0, NULL);
        UNIT_RC(store_decode("store/us-east-1/111122223333/cks-1", value, &out), RC_TAMPERED);
        json_decref(value);
    }
    void *out = NULL;
    json_t *good = json_loads("{\"type\": \"EXTERNAL_KEY_STORE\", \"state\": \"FAILED\"}", 0, NULL);
    UNIT_RC(store_decode("store/us-east-1/cks-1", good, &out), RC_TAMPERED);
    UNIT_OK(store_decode("store/us-east-1/111122223333/cks-1", good, &out));
    store_free(out);
    json_decref(good);
}

UNIT_SUITE("kms/store",
           UNIT_CASE(a_new_store_is_disconnected_and_its_password_is_not_in_the_documents),
           UNIT_CASE(a_cluster_must_be_known_and_answer),
           UNIT_CASE(the_trust_anchor_must_be_the_clusters),
           UNIT_CASE(two_hsms_in_one_zone_are_not_enough),
           UNIT_CASE(members_of_the_other_type_are_refused_and_own_ones_are_needed),
           UNIT_CASE(a_repeated_request_gives_the_same_store),
           UNIT_CASE(a_name_is_kept_and_compared_whole),
           UNIT_CASE(names_and_clusters_are_one_stores_alone),
           UNIT_CASE(a_store_made_meanwhile_by_another_front_end_makes_the_request_run_again),
           UNIT_CASE(connecting_changes_the_password_to_one_that_only_the_document_has),
           UNIT_CASE(every_front_end_uses_a_connected_store_by_its_document),
           UNIT_CASE(a_wrong_password_fails_the_connection_and_an_update_mends_it),
           UNIT_CASE(each_failure_of_a_connection_has_awss_code),
           UNIT_CASE(a_kmsuser_who_is_logged_in_keeps_his_password_until_he_has_logged_out),
           UNIT_CASE(a_cluster_that_left_the_configuration_is_not_active),
           UNIT_CASE(a_rotation_whose_answer_is_lost_is_found_out),
           UNIT_CASE(a_rotation_that_did_not_happen_leaves_both_passwords_in_the_document),
           UNIT_CASE(another_front_end_takes_over_from_one_that_was_lost_in_the_middle),
           UNIT_CASE(a_change_that_is_not_committed_is_made_later),
           UNIT_CASE(a_password_changed_behind_kms_is_tried_once_and_not_until_the_user_is_locked),
           UNIT_CASE(keys_of_a_disconnected_store_are_unavailable),
           UNIT_CASE(a_name_changes_at_any_time_and_the_rest_while_disconnected),
           UNIT_CASE(a_restored_cluster_carries_on_with_the_stores_of_the_former_one),
           UNIT_CASE(a_store_with_keys_or_connected_is_not_deleted),
           UNIT_CASE(a_description_tells_all_but_the_password),
           UNIT_CASE(a_key_needs_a_connected_store_of_two_zones_and_to_be_symmetric),
           UNIT_CASE(a_store_gives_1800_uses_a_second),
           UNIT_CASE(documents_of_another_shape_are_refused));
