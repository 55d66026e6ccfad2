/* SPDX-License-Identifier: Apache-2.0 */
/* Backing keys at the key store: made, found, imported, deleted. */
#include "kms/hsm_client_internal.h"

#define FIND_LIMIT 256U

void hsm_key_clear(struct hsm_key *key)
{
    buf_clear(&key->public_der);
    *key = (struct hsm_key){.handle = 0};
}

/* public_der stays the message's. */
static enum rc read_key(const Qhsm__KeystoreKey *in, struct hsm_key *out)
{
    struct bytes label = bytes_of_str(in->label);
    *out = (struct hsm_key){.handle = in->handle,
                            .spec = (enum keystore_spec)in->spec,
                            .use = (enum keystore_use)in->use};
    if (label.len > HSM_LABEL_MAX || in->id.len > HSM_ID_LEN ||
        in->material.len > sizeof out->material)
        return rc_fail(RC_PROTOCOL, "label, id or fingerprint of object %llu is too long",
                       (unsigned long long)in->handle);
    memcpy(out->label, in->label, label.len);
    if (in->id.len > 0)
        memcpy(out->id, in->id.data, in->id.len);
    if (in->material.len > 0)
        memcpy(out->material, in->material.data, in->material.len);
    return RC_OK;
}

static enum rc take_key(const struct hsm_answer *answer, struct hsm_key *out)
{
    const Qhsm__KeystoreKey *key = answer->reply.msg->keystore_key->key;
    struct hsm_key fresh;
    struct buf der = BUF_INIT;
    if (key == NULL)
        return rc_fail(RC_PROTOCOL, "the HSM's answer names no key");
    TRY(read_key(key, &fresh));
    TRY(buf_append(&der, hsm_client_bytes(&key->public_der)));
    fresh.public_der = der;
    *out = fresh;
    return RC_OK;
}

enum rc hsm_create(struct hsm_client *client, enum keystore_spec spec, enum keystore_use use,
                   const char *label, const uint8_t id[HSM_ID_LEN], struct hsm_key *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreCreateRequest body = QHSM__KEYSTORE_CREATE_REQUEST__INIT;
    body.spec = spec;
    body.use = use;
    body.label = hsm_client_text(label);
    body.id = hsm_client_binary(bytes_of(id, HSM_ID_LEN));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CREATE;
    request.keystore_create = &body;
    TRY(hsm_client_change(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_KEY, &answer));
    return take_key(&answer, out);
}

enum rc hsm_import(struct hsm_client *client, const struct hsm_import *in, struct hsm_key *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreImportRequest body = QHSM__KEYSTORE_IMPORT_REQUEST__INIT;
    body.wrapping = in->wrapping;
    body.algorithm = in->algorithm;
    body.wrapped = hsm_client_binary(in->wrapped);
    body.spec = in->spec;
    body.use = in->use;
    body.label = hsm_client_text(in->label);
    body.id = hsm_client_binary(bytes_of(in->id, HSM_ID_LEN));
    body.material = hsm_client_binary(in->material);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_IMPORT;
    request.keystore_import = &body;
    TRY(hsm_client_change(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_KEY, &answer));
    return take_key(&answer, out);
}

enum rc hsm_delete(struct hsm_client *client, uint64_t handle)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDeleteRequest body = QHSM__KEYSTORE_DELETE_REQUEST__INIT;
    body.handle = handle;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DELETE;
    request.keystore_delete = &body;
    return hsm_client_change(client, &request, QHSM__RESPONSE__BODY__NOT_SET, &answer);
}

/* The token's other users name their keys as they like. */
static bool has_our_names(const Qhsm__KeystoreKey *key)
{
    return strlen(key->label) <= HSM_LABEL_MAX && key->id.len <= HSM_ID_LEN;
}

/* *out_more false when `visit` has had enough too. */
static enum rc visit_page(const Qhsm__KeystoreFindReply *page, hsm_key_visit visit, void *context,
                          bool *out_more)
{
    *out_more = page->more && page->n_keys > 0;
    for (size_t i = 0; i < page->n_keys; i++) {
        struct hsm_key key;
        const ProtobufCBinaryData *der = &page->keys[i]->public_der;
        if (!has_our_names(page->keys[i]))
            continue;
        TRY(read_key(page->keys[i], &key));
        key.public_der =
            (struct buf){.ptr = der->data, .len = der->len, .cap = der->len, .max = der->len};
        if (!visit(context, &key)) {
            *out_more = false;
            break;
        }
    }
    return RC_OK;
}

enum rc hsm_find(struct hsm_client *client, const char *label, const uint8_t *id,
                 hsm_key_visit visit, void *context)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__KeystoreFindRequest body = QHSM__KEYSTORE_FIND_REQUEST__INIT;
    body.label = hsm_client_text(label);
    body.id = hsm_client_binary(bytes_of(id, id == NULL ? 0 : HSM_ID_LEN));
    body.limit = FIND_LIMIT;
    bool more = true;
    while (more) {
        Qhsm__Request request = QHSM__REQUEST__INIT;
        request.body_case = QHSM__REQUEST__BODY_KEYSTORE_FIND;
        request.keystore_find = &body;
        TRY(hsm_client_call(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_FIND, &answer));
        const Qhsm__KeystoreFindReply *page = answer.reply.msg->keystore_find;
        TRY(visit_page(page, visit, context, &more));
        if (more)
            body.after = page->keys[page->n_keys - 1]->handle;
    }
    return RC_OK;
}
