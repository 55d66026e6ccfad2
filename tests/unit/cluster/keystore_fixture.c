/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/keystore_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "rpc/pki.h"
#include "tests/unit/unit.h"

#define CALL_MS 60000U /* RSA keys, beside other tests */

struct keystore_fixture fixture = {.ca = BUF_INIT, .ca_key = SECRET_INIT};

ProtobufCBinaryData front_data(struct bytes data)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data.ptr, .len = data.len};
}

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- files */

static void path_of(char out[128], const char *name)
{
    (void)snprintf(out, 128, "%s/%s", fixture.harness.dir, name);
}

static void write_file(const char *name, struct bytes data)
{
    char path[128];
    path_of(path, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT_EQUAL(fwrite(data.ptr, 1, data.len, file), data.len);
    (void)fclose(file);
}

static void issue(enum tls_role role, const char *name)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const struct pki_subject subject = {.role = role,
                                        .cluster = HARNESS_CLUSTER,
                                        .name = name,
                                        .hosts = hosts,
                                        .host_count = role == TLS_ROLE_NODE ? 1 : 0,
                                        .days = 2};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    char file[80];
    UNIT_OK(pki_issue(fixture.lib, buf_bytes(&fixture.ca), &fixture.ca_key, &subject, &cert, &key));
    (void)snprintf(file, sizeof file, "%s.pem", name);
    write_file(file, buf_bytes(&cert));
    (void)snprintf(file, sizeof file, "%s.key", name);
    write_file(file, secret_expose(&key));
}

static void set_path(char **field, const char *name)
{
    char path[128];
    path_of(path, name);
    harness_set(field, path);
}

/* ---- the daemon */

static void start(void)
{
    UNIT_OK(server_config_check(&fixture.harness.config));
    UNIT_OK(harness_start(&fixture.harness));
    CU_ASSERT_FATAL(fixture.harness.server != NULL);
}

enum rc fixture_other_token(const char *label)
{
    Qhsm__InitTokenRequest init = QHSM__INIT_TOKEN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    init.slot = KEYSTORE_OTHER_SLOT;
    init.label = text_of(label);
    init.so_pin = front_data(bytes_of_str(HARNESS_SO_PIN));
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &init;
    request.sequence = 1;
    return client_rc(client_call(&fixture.local, &request));
}

void fixture_user(uint64_t slot, const char *name)
{
    struct peer_client *local = &fixture.local;
    Qhsm__UserCreateRequest create = QHSM__USER_CREATE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    UNIT_OK(client_login_at(local, slot, CKU_SO, HARNESS_SO_PIN));
    create.name = text_of(name);
    create.pin = front_data(bytes_of_str(KEYSTORE_PASSWORD));
    request.body_case = QHSM__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    request.sequence = 1;
    UNIT_OK(client_rc(client_call(local, &request)));
    UNIT_OK(client_login(local, CKU_SO, HARNESS_SO_PIN));
}

static void open_local(void)
{
    client_open(&fixture.local, &fixture.harness);
    UNIT_OK(client_hello(&fixture.local));
}

void fixture_begin(void)
{
    struct harness *harness = &fixture.harness;
    harness_init(harness);
    UNIT_OK(tls_library_new(&fixture.lib));
    UNIT_OK(pki_ca_new(fixture.lib, HARNESS_CLUSTER, 30, &fixture.ca, &fixture.ca_key));
    write_file("ca.pem", buf_bytes(&fixture.ca));
    issue(TLS_ROLE_NODE, "1");
    harness_set(&harness->config.listen_tcp, "127.0.0.1:0");
    set_path(&harness->config.ca, "ca.pem");
    set_path(&harness->config.cert, "1.pem");
    set_path(&harness->config.key, "1.key");
    start();
    open_local();
    UNIT_OK(client_init_token(&fixture.local));
    fixture_user(HARNESS_SLOT, KEYSTORE_USER);
    front_open(&fixture.front, TLS_ROLE_KEYSTORE, "kms");
    UNIT_OK(front_connect(&fixture.front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD));
}

void fixture_restart(void)
{
    front_close(&fixture.front);
    client_close(&fixture.local);
    harness_stop(&fixture.harness);
    start();
    open_local();
    UNIT_OK(client_login(&fixture.local, CKU_SO, HARNESS_SO_PIN));
    front_open(&fixture.front, TLS_ROLE_KEYSTORE, "kms");
    UNIT_OK(front_connect(&fixture.front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD));
}

void fixture_end(void)
{
    front_close(&fixture.front);
    client_close(&fixture.local);
    harness_clear(&fixture.harness);
    buf_clear(&fixture.ca);
    secret_clear(&fixture.ca_key);
    tls_library_free(fixture.lib);
}

/* ---- the front end */

void front_open(struct front *front, enum tls_role role, const char *name)
{
    char text[512], path[128];
    uint8_t application[16];
    *front = (struct front){.ticket = BUF_INIT};
    issue(role, name);
    (void)snprintf(text, sizeof text,
                   "endpoint = tcp:127.0.0.1:%u\nca = ca.pem\ncert = %s.pem\nkey = %s.key\n"
                   "connect_timeout_ms = %u\ncall_timeout_ms = %u\n",
                   server_port(fixture.harness.server), name, name, CALL_MS, CALL_MS);
    write_file("client.conf", bytes_of_str(text));
    path_of(path, "client.conf");
    CU_ASSERT(getrandom(application, sizeof application, 0) == sizeof application);
    UNIT_OK(client_config_load(path, &front->config));
    UNIT_OK(rpc_client_new(front->config, "unit test", application, &front->client));
}

void front_close(struct front *front)
{
    rpc_reply_clear(front->client, &front->reply);
    rpc_client_free(front->client);
    client_config_free(front->config);
    buf_clear(&front->ticket);
}

enum rc front_call(struct front *front, Qhsm__Request *request, bool is_mutation)
{
    rpc_reply_clear(front->client, &front->reply);
    request->ticket = front_data(buf_bytes(&front->ticket));
    request->view = front->view;
    if (is_mutation && request->sequence == 0)
        request->sequence = rpc_sequence(front->client);
    front->sequence = request->sequence;
    return rpc_call(front->client, request, RPC_REPEAT_SAFE, &front->reply);
}

enum rc front_connect(struct front *front, const char *token, const char *user,
                      const char *password)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreConnectRequest connect = QHSM__KEYSTORE_CONNECT_REQUEST__INIT;
    connect.token = text_of(token);
    connect.user = text_of(user);
    connect.password = front_data(bytes_of_str(password));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CONNECT;
    request.keystore_connect = &connect;
    TRY(front_call(front, &request, true));
    CU_ASSERT_FATAL(front->reply.msg->body_case == QHSM__RESPONSE__BODY_KEYSTORE_CONNECT);
    CU_ASSERT_EQUAL(front->reply.msg->keystore_connect->slot,
                    strcmp(token, KEYSTORE_TOKEN) == 0 ? HARNESS_SLOT : KEYSTORE_OTHER_SLOT);
    ProtobufCBinaryData ticket = front->reply.msg->keystore_connect->ticket;
    buf_clear(&front->ticket);
    return buf_append(&front->ticket, bytes_of(ticket.data, ticket.len));
}

enum rc front_rotate(struct front *front, const char *password, const char *fresh)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreRotateRequest rotate = QHSM__KEYSTORE_ROTATE_REQUEST__INIT;
    rotate.token = text_of(KEYSTORE_TOKEN);
    rotate.user = text_of(KEYSTORE_USER);
    rotate.password = front_data(bytes_of_str(password));
    rotate.new_password = front_data(bytes_of_str(fresh));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ROTATE;
    request.keystore_rotate = &rotate;
    return front_call(front, &request, true);
}

enum rc front_create(struct front *front, enum keystore_spec spec, enum keystore_use use,
                     const char *label, uint64_t *out_handle)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreCreateRequest create = QHSM__KEYSTORE_CREATE_REQUEST__INIT;
    uint8_t id[16] = {0};
    (void)snprintf((char *)id, sizeof id, "%s", label);
    *out_handle = 0;
    create.spec = (uint32_t)spec;
    create.use = (uint32_t)use;
    create.label = text_of(label);
    create.id = front_data(bytes_of(id, sizeof id));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CREATE;
    request.keystore_create = &create;
    TRY(front_call(front, &request, true));
    *out_handle = front_key(front)->handle;
    return RC_OK;
}

const Qhsm__KeystoreKey *front_key(const struct front *front)
{
    CU_ASSERT_FATAL(front->reply.msg != NULL &&
                    front->reply.msg->body_case == QHSM__RESPONSE__BODY_KEYSTORE_KEY);
    return front->reply.msg->keystore_key->key;
}

enum rc front_find(struct front *front, const char *label, struct bytes id, uint64_t after,
                   uint32_t limit)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreFindRequest find = QHSM__KEYSTORE_FIND_REQUEST__INIT;
    find.label = text_of(label);
    find.id = front_data(id);
    find.after = after;
    find.limit = limit;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_FIND;
    request.keystore_find = &find;
    return front_call(front, &request, false);
}

enum rc front_delete(struct front *front, uint64_t handle)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDeleteRequest body = QHSM__KEYSTORE_DELETE_REQUEST__INIT;
    body.handle = handle;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DELETE;
    request.keystore_delete = &body;
    return front_call(front, &request, true);
}

enum rc front_encrypt(struct front *front, const struct front_encrypt *in, struct buf *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreEncryptRequest encrypt = QHSM__KEYSTORE_ENCRYPT_REQUEST__INIT;
    encrypt.key = in->key;
    encrypt.algorithm = (uint32_t)in->algorithm;
    encrypt.aad = front_data(in->aad);
    encrypt.plain = front_data(in->plain);
    encrypt.random_len = in->random_len;
    encrypt.pair_spec = in->pair_spec;
    encrypt.reveal = in->reveal;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT;
    request.keystore_encrypt = &encrypt;
    TRY(front_call(front, &request, false));
    CU_ASSERT_FATAL(front->reply.msg->body_case == QHSM__RESPONSE__BODY_KEYSTORE_ENCRYPT);
    ProtobufCBinaryData data = front->reply.msg->keystore_encrypt->ciphertext;
    return buf_append(out, bytes_of(data.data, data.len));
}

static enum rc take_data(const struct front *front, struct buf *out)
{
    CU_ASSERT_FATAL(front->reply.msg->body_case == QHSM__RESPONSE__BODY_DATA);
    ProtobufCBinaryData data = front->reply.msg->data->data;
    return buf_append(out, bytes_of(data.data, data.len));
}

enum rc front_decrypt(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                      struct bytes aad, struct bytes ciphertext, struct buf *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDecryptRequest decrypt = QHSM__KEYSTORE_DECRYPT_REQUEST__INIT;
    decrypt.key = key;
    decrypt.algorithm = (uint32_t)algorithm;
    decrypt.aad = front_data(aad);
    decrypt.ciphertext = front_data(ciphertext);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DECRYPT;
    request.keystore_decrypt = &decrypt;
    TRY(front_call(front, &request, false));
    return take_data(front, out);
}

enum rc front_reencrypt(struct front *front, const struct front_sealed *from,
                        const struct front_encrypt *to, struct buf *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDecryptRequest source = QHSM__KEYSTORE_DECRYPT_REQUEST__INIT;
    Qhsm__KeystoreReencryptRequest body = QHSM__KEYSTORE_REENCRYPT_REQUEST__INIT;
    source.key = from->key;
    source.algorithm = KEYSTORE_GCM;
    source.aad = front_data(from->aad);
    source.ciphertext = front_data(from->ciphertext);
    body.source = &source;
    body.key = to->key;
    body.algorithm = (uint32_t)to->algorithm;
    body.aad = front_data(to->aad);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_REENCRYPT;
    request.keystore_reencrypt = &body;
    TRY(front_call(front, &request, false));
    return take_data(front, out);
}

enum rc front_sign(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                   struct bytes data, bool is_digest, struct buf *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreSignRequest sign = QHSM__KEYSTORE_SIGN_REQUEST__INIT;
    sign.key = key;
    sign.algorithm = (uint32_t)algorithm;
    sign.data = front_data(data);
    sign.is_digest = is_digest;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_SIGN;
    request.keystore_sign = &sign;
    TRY(front_call(front, &request, false));
    return take_data(front, out);
}

enum rc front_verify(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                     struct bytes data, bool is_digest, struct bytes signature)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreVerifyRequest verify = QHSM__KEYSTORE_VERIFY_REQUEST__INIT;
    verify.key = key;
    verify.algorithm = (uint32_t)algorithm;
    verify.data = front_data(data);
    verify.is_digest = is_digest;
    verify.signature = front_data(signature);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_VERIFY;
    request.keystore_verify = &verify;
    return front_call(front, &request, false);
}

enum rc front_agree(struct front *front, uint64_t key, struct bytes peer, struct buf *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreAgreeRequest agree = QHSM__KEYSTORE_AGREE_REQUEST__INIT;
    agree.key = key;
    agree.peer_der = front_data(peer);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_AGREE;
    request.keystore_agree = &agree;
    TRY(front_call(front, &request, false));
    return take_data(front, out);
}

enum rc front_change(struct front *front, const struct front_change *changes, size_t count)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreChangeRequest change = QHSM__KEYSTORE_CHANGE_REQUEST__INIT;
    Qhsm__KeystoreDocument documents[16], *list[16];
    for (size_t i = 0; i < count; i++) {
        qhsm__keystore_document__init(&documents[i]);
        documents[i].key = text_of(changes[i].key);
        documents[i].version = changes[i].version;
        documents[i].removed = changes[i].value == NULL;
        documents[i].value = front_data(bytes_of_str(changes[i].value));
        list[i] = &documents[i];
    }
    change.changes = list;
    change.n_changes = count;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CHANGE;
    request.keystore_change = &change;
    return front_call(front, &request, true);
}

enum rc front_documents(struct front *front, uint64_t since, const char *after)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDocumentsRequest documents = QHSM__KEYSTORE_DOCUMENTS_REQUEST__INIT;
    documents.since = since;
    documents.after = text_of(after);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DOCUMENTS;
    request.keystore_documents = &documents;
    return front_call(front, &request, false);
}
