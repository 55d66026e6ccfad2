/* SPDX-License-Identifier: Apache-2.0 */
/* The key store service: who may ask, logins, keys as objects, documents and the view of them. */
#include <stdio.h>
#include <stdlib.h>

#include "cluster/requests.h"
#include "tests/unit/cluster/keystore_fixture.h"
#include "tests/unit/unit.h"

#define TRIES_MAX 10U

/* ---- who may ask */

static enum rc ask_health(struct front *front)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    return front_call(front, &request, false);
}

static enum rc ask_slots(struct front *front)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &empty;
    return front_call(front, &request, false);
}

static void only_a_key_stores_certificate_asks_the_service(void)
{
    static const enum tls_role others[] = {TLS_ROLE_CLIENT, TLS_ROLE_ADMIN};
    fixture_begin();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct front front;
        front_open(&front, others[i], "other");
        UNIT_RC(ask_health(&front), RC_NOT_PERMITTED);
        UNIT_RC(front_connect(&front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD),
                RC_NOT_PERMITTED);
        front_close(&front);
    }
    UNIT_RC(ask_slots(&fixture.front), RC_NOT_PERMITTED);
    fixture_end();
}

static void without_a_login_there_are_no_keys_and_no_documents(void)
{
    uint64_t handle = 0;
    fixture_begin();
    struct front front;
    front_open(&front, TLS_ROLE_KEYSTORE, "second");
    UNIT_OK(ask_health(&front));
    UNIT_RC(front_create(&front, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "k", &handle),
            RC_NOT_LOGGED_IN);
    UNIT_RC(front_documents(&front, 0, ""), RC_NOT_LOGGED_IN);
    front_close(&front);
    fixture_end();
}

/* ---- logins */

static void what_is_wrong_with_a_login_is_told(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    UNIT_RC(front_connect(front, "nowhere", KEYSTORE_USER, KEYSTORE_PASSWORD), RC_NOT_FOUND);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, "nobody", KEYSTORE_PASSWORD), RC_NOT_FOUND);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, "so", HARNESS_SO_PIN), RC_NOT_FOUND);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, "another"), RC_PIN_INCORRECT);
    UNIT_OK(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD));
    fixture_end();
}

static void too_many_wrong_passwords_lock_the_user(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    for (unsigned i = 0; i < TRIES_MAX; i++)
        UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, "another"), RC_PIN_INCORRECT);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD), RC_PIN_LOCKED);
    fixture_end();
}

static void change_user(enum user_change kind)
{
    Qhsm__UserChangeRequest change = QHSM__USER_CHANGE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    char name[] = KEYSTORE_USER;
    change.name = name;
    change.change = (uint32_t)kind;
    request.body_case = QHSM__REQUEST__BODY_USER_CHANGE;
    request.user_change = &change;
    request.sequence = 1;
    UNIT_OK(client_rc(client_call(&fixture.local, &request)));
}

static void a_disabled_users_tickets_are_void(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    UNIT_OK(front_find(front, "", BYTES_NONE, 0, 0));
    change_user(USER_CHANGE_DISABLE);
    UNIT_RC(front_find(front, "", BYTES_NONE, 0, 0), RC_TICKET_VOID);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD),
            RC_USER_DISABLED);
    change_user(USER_CHANGE_UNLOCK);
    UNIT_OK(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD));
    fixture_end();
}

static void a_rotated_password_voids_tickets_and_the_old_one(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    UNIT_RC(front_rotate(front, "another", "a fresh password"), RC_PIN_INCORRECT);
    UNIT_OK(front_rotate(front, KEYSTORE_PASSWORD, "a fresh password"));
    UNIT_RC(front_find(front, "", BYTES_NONE, 0, 0), RC_TICKET_VOID);
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD),
            RC_PIN_INCORRECT);
    UNIT_OK(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, "a fresh password"));
    fixture_end();
}

static void a_repeated_rotation_is_no_wrong_try(void)
{
    struct front *front = &fixture.front;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreRotateRequest rotate = QHSM__KEYSTORE_ROTATE_REQUEST__INIT;
    char token[] = KEYSTORE_TOKEN, user[] = KEYSTORE_USER;
    fixture_begin();
    rotate.token = token;
    rotate.user = user;
    rotate.password = front_data(bytes_of_str(KEYSTORE_PASSWORD));
    rotate.new_password = front_data(bytes_of_str("a fresh password"));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ROTATE;
    request.keystore_rotate = &rotate;
    for (unsigned i = 0; i < TRIES_MAX + 1; i++)
        UNIT_OK(front_call(front, &request, true));
    UNIT_OK(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, "a fresh password"));
    fixture_end();
}

/* ---- keys */

static uint64_t make(enum keystore_spec spec, enum keystore_use use, const char *label)
{
    uint64_t handle = 0;
    UNIT_OK(front_create(&fixture.front, spec, use, label, &handle));
    return handle;
}

static struct bytes reply_bytes(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

static void a_new_key_says_what_it_is(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    uint64_t handle = make(KEYSTORE_SPEC_P256, KEYSTORE_SIGN, "signer");
    const Qhsm__KeystoreKey *key = front_key(front);
    CU_ASSERT(handle != 0);
    CU_ASSERT_EQUAL(key->spec, KEYSTORE_SPEC_P256);
    CU_ASSERT_EQUAL(key->use, KEYSTORE_SIGN);
    CU_ASSERT_STRING_EQUAL(key->label, "signer");
    CU_ASSERT_EQUAL(key->id.len, 16);
    CU_ASSERT_EQUAL(key->material.len, 32);
    CU_ASSERT(key->public_der.len > 64);
    (void)make(KEYSTORE_SPEC_HMAC_384, KEYSTORE_MAC, "mac");
    CU_ASSERT_EQUAL(front_key(front)->spec, KEYSTORE_SPEC_HMAC_384);
    CU_ASSERT_EQUAL(front_key(front)->use, KEYSTORE_MAC);
    CU_ASSERT_EQUAL(front_key(front)->public_der.len, 0);
    fixture_end();
}

static void a_spec_has_only_its_own_uses(void)
{
    struct front *front = &fixture.front;
    uint64_t handle = 0;
    fixture_begin();
    UNIT_RC(front_create(front, KEYSTORE_SPEC_AES_256, KEYSTORE_SIGN, "k", &handle),
            RC_BAD_ARGUMENT);
    UNIT_RC(front_create(front, KEYSTORE_SPEC_SECP256K1, KEYSTORE_AGREE, "k", &handle),
            RC_BAD_ARGUMENT);
    UNIT_RC(front_create(front, 99, KEYSTORE_SIGN, "k", &handle), RC_BAD_ARGUMENT);
    UNIT_RC(front_create(front, KEYSTORE_SPEC_P256, 0, "k", &handle), RC_BAD_ARGUMENT);
    UNIT_RC(front_create(front, KEYSTORE_SPEC_P256, KEYSTORE_SIGN, "", &handle), RC_BAD_ARGUMENT);
    fixture_end();
}

static void keys_are_found_by_label_and_id_and_page_by_page(void)
{
    struct front *front = &fixture.front;
    char label[8];
    uint64_t handles[5];
    fixture_begin();
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(label, sizeof label, "k%u", i);
        handles[i] = make(i % 2 == 0 ? KEYSTORE_SPEC_AES_256 : KEYSTORE_SPEC_P256,
                          i % 2 == 0 ? KEYSTORE_ENCRYPT : KEYSTORE_SIGN, label);
    }
    UNIT_OK(front_find(front, "k3", BYTES_NONE, 0, 0));
    const Qhsm__KeystoreFindReply *found = front->reply.msg->keystore_find;
    CU_ASSERT_FATAL(found->n_keys == 1);
    CU_ASSERT_EQUAL(found->keys[0]->handle, handles[3]);
    CU_ASSERT(found->keys[0]->public_der.len > 0);
    UNIT_OK(front_find(front, "", bytes_of("k2\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0, 0));
    CU_ASSERT_FATAL(front->reply.msg->keystore_find->n_keys == 1);
    CU_ASSERT_EQUAL(front->reply.msg->keystore_find->keys[0]->handle, handles[2]);
    UNIT_OK(front_find(front, "", BYTES_NONE, 0, 3));
    found = front->reply.msg->keystore_find;
    CU_ASSERT_FATAL(found->n_keys == 3);
    CU_ASSERT(found->more);
    UNIT_OK(front_find(front, "", BYTES_NONE, found->keys[2]->handle, 3));
    found = front->reply.msg->keystore_find;
    CU_ASSERT_FATAL(found->n_keys == 2);
    CU_ASSERT(!found->more);
    CU_ASSERT_EQUAL(found->keys[1]->handle, handles[4]);
    fixture_end();
}

static void a_deleted_key_is_gone_with_its_public_half(void)
{
    struct front *front = &fixture.front;
    struct peer_client user;
    fixture_begin();
    client_open(&user, &fixture.harness);
    UNIT_OK(client_hello(&user));
    UNIT_OK(client_login(&user, CKU_USER, KEYSTORE_USER ":" KEYSTORE_PASSWORD));
    uint64_t pair = make(KEYSTORE_SPEC_P384, KEYSTORE_SIGN, "pair");
    uint64_t other = make(KEYSTORE_SPEC_P384, KEYSTORE_SIGN, "other");
    uint64_t secret = make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "secret");
    user.seen = rpc_seen_index(front->client);
    CU_ASSERT_EQUAL(client_find_label(&user, "pair"), 2);
    UNIT_OK(front_delete(front, pair));
    UNIT_RC(front_delete(front, pair), RC_OBJECT_HANDLE);
    UNIT_OK(front_delete(front, secret));
    CU_ASSERT_EQUAL(client_find_label(&user, "pair"), 0);
    CU_ASSERT_EQUAL(client_find_label(&user, "secret"), 0);
    CU_ASSERT_EQUAL(client_find_label(&user, "other"), 2);
    UNIT_RC(front_delete(front, other - 1), RC_OBJECT_HANDLE); /* a public half alone */
    client_close(&user);
    fixture_end();
}

/* CKA_TYPE of the object as the token's user sees it. */
static enum rc read_bool(struct peer_client *user, uint64_t handle, uint64_t type, bool *out)
{
    Qhsm__GetAttributesRequest get = QHSM__GET_ATTRIBUTES_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    get.handle = handle;
    get.types = &type;
    get.n_types = 1;
    request.body_case = QHSM__REQUEST__BODY_GET_ATTRIBUTES;
    request.get_attributes = &get;
    Qhsm__Response *response = client_call(user, &request);
    TRY(client_rc(response));
    const Qhsm__AttributeResult *result = response->attributes->results[0];
    if (result->rc == 0 && result->value.len == 1)
        *out = result->value.data[0] == 1;
    return rc_from_wire(result->rc);
}

static void keys_are_private_sensitive_and_of_one_use(void)
{
    static const struct {
        uint64_t type;
        bool expected;
    } rows[] = {{CKA_TOKEN, true},
                {CKA_PRIVATE, true},
                {CKA_SENSITIVE, true},
                {CKA_EXTRACTABLE, false},
                {CKA_ENCRYPT, true},
                {CKA_DECRYPT, true},
                {CKA_WRAP, false},
                {CKA_UNWRAP, false},
                {CKA_SIGN, false},
                {CKA_VERIFY, false},
                {CKA_DERIVE, false},
                {CKA_LOCAL, true},
                {CKA_NEVER_EXTRACTABLE, true}};
    struct peer_client user;
    fixture_begin();
    uint64_t key = make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    client_open(&user, &fixture.harness);
    UNIT_OK(client_hello(&user));
    bool value = false;
    UNIT_RC(read_bool(&user, key, CKA_TOKEN, &value), RC_OBJECT_HANDLE);
    UNIT_OK(client_login(&user, CKU_USER, KEYSTORE_USER ":" KEYSTORE_PASSWORD));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        UNIT_OK(read_bool(&user, key, rows[i].type, &value));
        CU_ASSERT_EQUAL(value, rows[i].expected);
    }
    UNIT_RC(read_bool(&user, key, CKA_VALUE, &value), RC_ATTRIBUTE_SENSITIVE);
    client_close(&user);
    fixture_end();
}

/* ---- documents */

static const Qhsm__KeystoreDocumentsReply *documents_of(struct front *front)
{
    CU_ASSERT_FATAL(front->reply.msg->body_case == QHSM__RESPONSE__BODY_KEYSTORE_DOCUMENTS);
    return front->reply.msg->keystore_documents;
}

static void put(const char *key, uint64_t version, const char *value)
{
    const struct front_change change = {key, version, value};
    UNIT_OK(front_change(&fixture.front, &change, 1));
}

static void documents_change_all_or_none_by_compare_and_swap(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    const struct front_change both[] = {{"key/a", 0, "{\"n\":1}"}, {"key/b", 0, "{}"}};
    UNIT_OK(front_change(front, both, 2));
    const struct front_change wrong[] = {{"key/a", 1, "{\"n\":2}"}, {"key/b", 7, "{}"}};
    UNIT_RC(front_change(front, wrong, 2), RC_CONFLICT);
    UNIT_RC(front_change(front, both, 1), RC_CONFLICT);
    UNIT_OK(front_documents(front, 0, ""));
    const Qhsm__KeystoreDocumentsReply *reply = documents_of(front);
    CU_ASSERT(reply->whole && !reply->more);
    CU_ASSERT_FATAL(reply->n_documents == 2);
    CU_ASSERT_STRING_EQUAL(reply->documents[0]->key, "key/a");
    CU_ASSERT_EQUAL(reply->documents[0]->version, 1);
    CU_ASSERT(bytes_equal(reply_bytes(reply->documents[0]->value), bytes_of_str("{\"n\":1}")));
    CU_ASSERT_STRING_EQUAL(reply->documents[1]->key, "key/b");
    fixture_end();
}

static void malformed_changes_are_refused(void)
{
    struct front *front = &fixture.front;
    char long_key[140];
    struct front_change many[9];
    fixture_begin();
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = 0;
    const struct front_change too_long = {long_key, 0, "{}"}, unnamed = {"", 0, "{}"};
    const struct front_change never_there = {"key/a", 0, NULL};
    const struct front_change twice[] = {{"key/a", 0, "{}"}, {"key/a", 0, "{}"}};
    for (size_t i = 0; i < 9; i++)
        many[i] = (struct front_change){long_key + 130 + i, 0, "{}"};
    UNIT_RC(front_change(front, &too_long, 1), RC_TOO_LARGE);
    UNIT_RC(front_change(front, &unnamed, 1), RC_BAD_ARGUMENT);
    UNIT_RC(front_change(front, &never_there, 1), RC_BAD_ARGUMENT);
    UNIT_RC(front_change(front, twice, 2), RC_BAD_ARGUMENT);
    UNIT_RC(front_change(front, many, 9), RC_BAD_ARGUMENT);
    UNIT_OK(front_change(front, many, 0)); /* binds them, and changes nothing */
    fixture_end();
}

static void changes_and_removals_since_an_index_are_told(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    put("key/a", 0, "1");
    put("key/b", 0, "1");
    put("key/c", 0, "1");
    UNIT_OK(front_documents(front, 0, ""));
    uint64_t since = documents_of(front)->index;
    UNIT_OK(front_documents(front, since, ""));
    CU_ASSERT_EQUAL(documents_of(front)->n_documents, 0);
    CU_ASSERT(!documents_of(front)->whole);
    put("key/c", 1, "2");
    put("key/a", 1, NULL);
    put("key/c", 2, "3");
    UNIT_OK(front_documents(front, since, ""));
    const Qhsm__KeystoreDocumentsReply *reply = documents_of(front);
    CU_ASSERT(!reply->whole && !reply->more);
    CU_ASSERT(reply->index > since);
    CU_ASSERT_FATAL(reply->n_documents == 2);
    CU_ASSERT_STRING_EQUAL(reply->documents[0]->key, "key/a");
    CU_ASSERT(reply->documents[0]->removed);
    CU_ASSERT_STRING_EQUAL(reply->documents[1]->key, "key/c");
    CU_ASSERT_EQUAL(reply->documents[1]->version, 3);
    UNIT_OK(front_documents(front, since, "key/a"));
    CU_ASSERT_EQUAL(documents_of(front)->n_documents, 1);
    fixture_end();
}

static void many_documents_come_page_by_page(void)
{
    struct front *front = &fixture.front;
    char key[32], after[32] = "";
    size_t count = 0, pages = 0;
    bool more = true;
    fixture_begin();
    char *value = calloc(1, 60001);
    memset(value, 'v', 60000);
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "key/%02u", i);
        put(key, 0, value);
    }
    free(value);
    while (more) {
        UNIT_OK(front_documents(front, 0, after));
        const Qhsm__KeystoreDocumentsReply *reply = documents_of(front);
        CU_ASSERT_FATAL(reply->n_documents > 0);
        CU_ASSERT(reply->n_documents <= 17);
        count += reply->n_documents;
        more = reply->more;
        pages++;
        (void)snprintf(after, sizeof after, "%s", reply->documents[reply->n_documents - 1]->key);
    }
    CU_ASSERT_EQUAL(count, 40);
    CU_ASSERT(pages >= 3);
    fixture_end();
}

/* Everything is told again once; then changes alone. */
static void documents_survive_a_restart(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    put("key/a", 0, "1");
    UNIT_OK(front_documents(front, 0, ""));
    uint64_t since = documents_of(front)->index;
    fixture_restart();
    UNIT_OK(front_documents(front, since, ""));
    if (documents_of(front)->whole)
        CU_ASSERT_EQUAL(documents_of(front)->n_documents, 1);
    put("key/b", 0, "1");
    UNIT_OK(front_documents(front, since, ""));
    CU_ASSERT(documents_of(front)->n_documents >= 1);
    UNIT_OK(front_documents(front, 0, ""));
    CU_ASSERT_EQUAL(documents_of(front)->n_documents, 2);
    fixture_end();
}

/* ---- the view */

static void a_request_that_rests_on_an_old_view_is_refused(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    uint64_t key = make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "k");
    const struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .plain = bytes_of_str("text")};
    AUTO_BUF out = BUF_INIT;
    put("key/a", 0, "1");
    UNIT_OK(front_documents(front, 0, ""));
    front->view = documents_of(front)->index;
    UNIT_OK(front_encrypt(front, &encrypt, &out));
    front->view = 0;
    put("key/a", 1, "disabled");
    UNIT_OK(front_documents(front, 0, ""));
    uint64_t now = documents_of(front)->index;
    front->view = now - 1;
    UNIT_RC(front_encrypt(front, &encrypt, &out), RC_VIEW_OLD);
    uint64_t handle = 0;
    UNIT_RC(front_create(front, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "l", &handle),
            RC_VIEW_OLD);
    front->view = now;
    UNIT_OK(front_encrypt(front, &encrypt, &out));
    fixture_end();
}

/* Who rests on what this HSM has not seen waits for it. */
static void a_view_ahead_of_the_state_is_waited_for(void)
{
    struct front *front = &fixture.front;
    AUTO_BUF out = BUF_INIT;
    fixture_begin();
    uint64_t key = make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "k");
    const struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .plain = bytes_of_str("text")};
    front->view = rpc_seen_index(front->client) + 1000;
    UNIT_RC(front_encrypt(front, &encrypt, &out), RC_DEADLINE);
    front->view = 0;
    UNIT_RC(front_documents(front, rpc_seen_index(front->client) + 1000, ""), RC_DEADLINE);
    fixture_end();
}

/* ---- health */

static void health_names_the_hsms_the_zones_and_the_authority(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    UNIT_OK(ask_health(front));
    const Qhsm__KeystoreHealthReply *reply = front->reply.msg->keystore_health;
    CU_ASSERT_EQUAL(reply->cluster.len, 16);
    CU_ASSERT(reply->has_quorum);
    CU_ASSERT(bytes_equal(reply_bytes(reply->ca_pem), buf_bytes(&fixture.ca)));
    CU_ASSERT_FATAL(reply->n_hsms == 1);
    CU_ASSERT_EQUAL(reply->hsms[0]->node, 1);
    CU_ASSERT(reply->hsms[0]->active);
    fixture_end();
}

/* ---- what a request is to the cluster */

static void the_table_knows_what_needs_a_majority(void)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    const struct request_row *sign = request_find(QHSM__REQUEST__BODY_KEYSTORE_SIGN);
    CU_ASSERT(request_may_move(sign));
    CU_ASSERT(!request_needs_majority(sign));
    CU_ASSERT(request_needs_majority(request_find(QHSM__REQUEST__BODY_KEYSTORE_CREATE)));
    CU_ASSERT(request_needs_majority(request_find(QHSM__REQUEST__BODY_KEYSTORE_CHANGE)));
    CU_ASSERT(request_needs_majority(request_find(QHSM__REQUEST__BODY_KEYSTORE_CONNECT)));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DECRYPT;
    CU_ASSERT(request_uses_keys(&request));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DOCUMENTS;
    CU_ASSERT(request_uses_keys(&request));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    CU_ASSERT(!request_uses_keys(&request));
}

static void rsa_is_made_on_the_pool(void)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreCreateRequest create = QHSM__KEYSTORE_CREATE_REQUEST__INIT;
    Qhsm__KeystoreEncryptRequest encrypt = QHSM__KEYSTORE_ENCRYPT_REQUEST__INIT;
    Qhsm__KeystoreImportRequest import = QHSM__KEYSTORE_IMPORT_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CREATE;
    request.keystore_create = &create;
    create.spec = KEYSTORE_SPEC_RSA_2048;
    CU_ASSERT(request_is_costly(&request));
    create.spec = KEYSTORE_SPEC_AES_256;
    CU_ASSERT(!request_is_costly(&request));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT;
    request.keystore_encrypt = &encrypt;
    CU_ASSERT(!request_is_costly(&request));
    encrypt.pair_spec = KEYSTORE_SPEC_RSA_4096;
    CU_ASSERT(request_is_costly(&request));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_IMPORT;
    request.keystore_import = &import;
    import.spec = KEYSTORE_SPEC_P256;
    CU_ASSERT(request_is_costly(&request));
    import.spec = KEYSTORE_SPEC_HMAC_256;
    CU_ASSERT(!request_is_costly(&request));
}

UNIT_SUITE("keystore", UNIT_CASE(only_a_key_stores_certificate_asks_the_service),
           UNIT_CASE(without_a_login_there_are_no_keys_and_no_documents),
           UNIT_CASE(what_is_wrong_with_a_login_is_told),
           UNIT_CASE(too_many_wrong_passwords_lock_the_user),
           UNIT_CASE(a_disabled_users_tickets_are_void),
           UNIT_CASE(a_rotated_password_voids_tickets_and_the_old_one),
           UNIT_CASE(a_repeated_rotation_is_no_wrong_try), UNIT_CASE(a_new_key_says_what_it_is),
           UNIT_CASE(a_spec_has_only_its_own_uses),
           UNIT_CASE(keys_are_found_by_label_and_id_and_page_by_page),
           UNIT_CASE(a_deleted_key_is_gone_with_its_public_half),
           UNIT_CASE(keys_are_private_sensitive_and_of_one_use),
           UNIT_CASE(documents_change_all_or_none_by_compare_and_swap),
           UNIT_CASE(malformed_changes_are_refused),
           UNIT_CASE(changes_and_removals_since_an_index_are_told),
           UNIT_CASE(many_documents_come_page_by_page), UNIT_CASE(documents_survive_a_restart),
           UNIT_CASE(a_request_that_rests_on_an_old_view_is_refused),
           UNIT_CASE(a_view_ahead_of_the_state_is_waited_for),
           UNIT_CASE(health_names_the_hsms_the_zones_and_the_authority),
           UNIT_CASE(the_table_knows_what_needs_a_majority), UNIT_CASE(rsa_is_made_on_the_pool));
