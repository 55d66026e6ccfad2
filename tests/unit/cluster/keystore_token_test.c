/* SPDX-License-Identifier: Apache-2.0 */
/* A key store login and the other tokens of the cluster: their keys, and their labels. */
#include <string.h>

#include "tests/unit/cluster/keystore_fixture.h"
#include "tests/unit/unit.h"

#define ATTRIBUTES 8U
#define TEXT_16    "sixteen bytes..."

/* A public AES key of the other token. */
static uint64_t public_key_of_other(void)
{
    static uint8_t yes = 1, no = 0, len[8] = {32};
    const struct {
        uint64_t type;
        struct bytes value;
    } rows[] = {{CKA_TOKEN, bytes_of(&yes, 1)},
                {CKA_PRIVATE, bytes_of(&no, 1)},
                {CKA_ENCRYPT, bytes_of(&yes, 1)},
                {CKA_DECRYPT, bytes_of(&yes, 1)},
                {CKA_VALUE_LEN, bytes_of(len, 8)}};
    Qhsm__Attribute items[ATTRIBUTES], *list[ATTRIBUTES];
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    Qhsm__GenerateKeyRequest generate = QHSM__GENERATE_KEY_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    mechanism.type = CKM_AES_KEY_GEN;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        qhsm__attribute__init(&items[i]);
        items[i].type = rows[i].type;
        items[i].value = front_data(rows[i].value);
        list[i] = &items[i];
    }
    generate.slot = KEYSTORE_OTHER_SLOT;
    generate.mechanism = &mechanism;
    generate.attributes = list;
    generate.n_attributes = sizeof rows / sizeof rows[0];
    request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY;
    request.generate_key = &generate;
    request.sequence = 1;
    Qhsm__Response *response = client_call(&fixture.local, &request);
    UNIT_OK(client_rc(response));
    CU_ASSERT_FATAL(response->body_case == QHSM__RESPONSE__BODY_OBJECT);
    return response->object->objects[0]->handle;
}

static enum rc reencrypt(uint64_t from, struct bytes ciphertext, uint64_t to)
{
    const struct front_sealed source = {.key = from, .ciphertext = ciphertext};
    const struct front_encrypt target = {.key = to, .algorithm = KEYSTORE_GCM};
    AUTO_BUF out = BUF_INIT;
    return front_reencrypt(&fixture.front, &source, &target, &out);
}

static enum rc import_with(uint64_t wrapping)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreImportRequest body = QHSM__KEYSTORE_IMPORT_REQUEST__INIT;
    char label[] = "imported";
    body.wrapping = wrapping;
    body.algorithm = KEYSTORE_WRAP_OAEP_SHA256;
    body.wrapped = front_data(bytes_of_str(TEXT_16));
    body.spec = KEYSTORE_SPEC_AES_256;
    body.use = KEYSTORE_ENCRYPT;
    body.label = label;
    body.id = front_data(bytes_of_str(TEXT_16));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_IMPORT;
    request.keystore_import = &body;
    return front_call(&fixture.front, &request, true);
}

static void public_keys_of_other_tokens_neither_unwrap_nor_agree(void)
{
    struct front *front = &fixture.front;
    uint64_t own = 0;
    AUTO_BUF out = BUF_INIT, peer = BUF_INIT;
    fixture_begin();
    UNIT_OK(fixture_other_token("other"));
    uint64_t key = public_key_of_other();
    UNIT_RC(import_with(key), RC_OBJECT_HANDLE);
    UNIT_OK(front_create(front, KEYSTORE_SPEC_P256, KEYSTORE_AGREE, "own", &own));
    ProtobufCBinaryData der = front_key(front)->public_der;
    UNIT_OK(buf_append(&peer, bytes_of(der.data, der.len)));
    UNIT_RC(front_agree(front, key, buf_bytes(&peer), &out), RC_OBJECT_HANDLE);
    UNIT_OK(front_agree(front, own, buf_bytes(&peer), &out));
    fixture_end();
}

static void public_keys_of_other_tokens_are_out_of_reach(void)
{
    struct front *front = &fixture.front;
    uint64_t own = 0;
    AUTO_BUF out = BUF_INIT, sealed = BUF_INIT;
    fixture_begin();
    UNIT_OK(fixture_other_token("other"));
    uint64_t key = public_key_of_other();
    struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .plain = bytes_of_str("text")};
    UNIT_OK(front_create(front, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "own", &own));
    UNIT_RC(front_encrypt(front, &encrypt, &out), RC_OBJECT_HANDLE);
    encrypt.key = own;
    UNIT_OK(front_encrypt(front, &encrypt, &sealed));
    UNIT_RC(front_decrypt(front, key, KEYSTORE_GCM, BYTES_NONE, buf_bytes(&sealed), &out),
            RC_OBJECT_HANDLE);
    UNIT_RC(reencrypt(own, buf_bytes(&sealed), key), RC_OBJECT_HANDLE);
    UNIT_RC(reencrypt(key, buf_bytes(&sealed), own), RC_OBJECT_HANDLE);
    UNIT_RC(front_sign(front, key, KEYSTORE_HMAC_SHA256, bytes_of_str("m"), false, &out),
            RC_OBJECT_HANDLE);
    UNIT_RC(front_verify(front, key, KEYSTORE_HMAC_SHA256, bytes_of_str("m"), false,
                         bytes_of_str(TEXT_16 TEXT_16)),
            RC_OBJECT_HANDLE);
    UNIT_RC(front_delete(front, key), RC_OBJECT_HANDLE);
    UNIT_OK(reencrypt(own, buf_bytes(&sealed), own));
    fixture_end();
}

static void a_label_of_two_tokens_names_none(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    UNIT_OK(fixture_other_token(KEYSTORE_TOKEN));
    UNIT_RC(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD), RC_CONFLICT);
    UNIT_RC(front_rotate(front, KEYSTORE_PASSWORD, "a fresh password"), RC_CONFLICT);
    fixture_end();
}

/* Last uses are written while requests are in flight; nobody decides by them. */
static void notes_of_last_use_void_no_request(void)
{
    struct front *front = &fixture.front;
    const struct front_change use = {"used/r/k", 0, "1"}, key = {"key/r/k", 0, "1"};
    fixture_begin();
    UNIT_OK(front_change(front, &key, 1));
    UNIT_OK(front_documents(front, 0, ""));
    front->view = front->reply.msg->keystore_documents->index;
    uint64_t view = front->view;
    UNIT_OK(front_change(front, &use, 1));
    front->view = view;
    UNIT_OK(front_find(front, "", BYTES_NONE, 0, 0));
    const struct front_change disabled = {"key/r/k", 1, "2"};
    UNIT_OK(front_change(front, &disabled, 1));
    UNIT_RC(front_find(front, "", BYTES_NONE, 0, 0), RC_VIEW_OLD);
    fixture_end();
}

UNIT_SUITE("keystore_token", UNIT_CASE(public_keys_of_other_tokens_are_out_of_reach),
           UNIT_CASE(public_keys_of_other_tokens_neither_unwrap_nor_agree),
           UNIT_CASE(a_label_of_two_tokens_names_none),
           UNIT_CASE(notes_of_last_use_void_no_request));
