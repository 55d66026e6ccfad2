/* SPDX-License-Identifier: Apache-2.0 */
/* The vault: one AES key in the HSM for all front ends, and a session key closed under it, both
 * named by the document "vault/session". */
#include "kms/vault.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/log.h"
#include "kms/base64.h"
#include "kms/vault_gcm.h"

#define LABEL        "qhsm-kms-vault"
#define DOCUMENT     "vault/session"
#define BEFORE_IT    "vault/sessio" /* no other document's key lies between */
#define VERSION      1U
#define KEY_LEN      32U
#define ATTEMPTS_MAX 5U

struct vault {
    struct hsm_client *hsm;
    uint8_t id[HSM_ID_LEN]; /* of the key in the HSM */
    _Atomic uint64_t handle;
    struct secret session;
};

/* ---- in the HSM */

static enum rc put_aad(const char *purpose, struct buf *out)
{
    TRY(buf_put_str(out, LABEL));
    return buf_put_str(out, purpose);
}

static bool take_first(void *context, const struct hsm_key *key)
{
    uint64_t *handle = context;
    *handle = key->handle;
    return false;
}

static enum rc find_key(struct vault *vault)
{
    uint64_t handle = 0;
    TRY(hsm_find(vault->hsm, LABEL, vault->id, take_first, &handle));
    if (handle == 0)
        return rc_fail(RC_OBJECT_HANDLE,
                       "the key " LABEL " is missing in the token: restore it from a backup");
    atomic_store(&vault->handle, handle);
    return RC_OK;
}

static enum rc try_close(struct vault *vault, struct bytes aad, struct bytes plain, struct buf *out)
{
    const struct hsm_encrypt in = {
        .key = atomic_load(&vault->handle), .algorithm = KEYSTORE_GCM, .aad = aad, .plain = plain};
    return hsm_encrypt(vault->hsm, &in, out, NULL, NULL);
}

enum rc vault_close(struct vault *vault, const char *purpose, struct bytes plain, struct buf *out)
{
    AUTO_BUF aad = BUF_INIT;
    AUTO_BUF closed = BUF_INIT;
    TRY(put_aad(purpose, &aad));
    TRY(buf_put_u8(&closed, VERSION));
    enum rc rc = try_close(vault, buf_bytes(&aad), plain, &closed);
    if (rc == RC_OBJECT_HANDLE || rc == RC_KEY_HANDLE) {
        TRY(find_key(vault));
        rc = try_close(vault, buf_bytes(&aad), plain, &closed);
    }
    TRY(rc);
    return buf_append(out, buf_bytes(&closed));
}

static enum rc try_open(struct vault *vault, struct bytes aad, struct bytes closed,
                        struct secret *out)
{
    const struct hsm_decrypt in = {.key = atomic_load(&vault->handle),
                                   .algorithm = KEYSTORE_GCM,
                                   .aad = aad,
                                   .ciphertext = closed};
    return hsm_decrypt(vault->hsm, &in, out);
}

static bool is_broken(enum rc rc)
{
    return rc == RC_ENCRYPTED_DATA || rc == RC_ENCRYPTED_DATA_LEN || rc == RC_AEAD_FAILED;
}

enum rc vault_open(struct vault *vault, const char *purpose, struct bytes closed,
                   struct secret *out)
{
    AUTO_BUF aad = BUF_INIT;
    if (closed.len < 1 || closed.ptr[0] != VERSION)
        return rc_fail(RC_TAMPERED, "what the vault closed for %s has another form", purpose);
    struct bytes body = bytes_slice(closed, 1, closed.len);
    TRY(put_aad(purpose, &aad));
    enum rc rc = try_open(vault, buf_bytes(&aad), body, out);
    if (rc == RC_OBJECT_HANDLE || rc == RC_KEY_HANDLE) {
        TRY(find_key(vault));
        rc = try_open(vault, buf_bytes(&aad), body, out);
    }
    return is_broken(rc)
               ? rc_fail(RC_TAMPERED, "what the vault closed for %s does not open", purpose)
               : rc;
}

/* ---- in this process */

enum rc vault_seal(const struct vault *vault, const char *purpose, struct bytes plain,
                   struct buf *out)
{
    return vault_gcm_seal(&vault->session, purpose, plain, out);
}

enum rc vault_unseal(const struct vault *vault, const char *purpose, struct bytes sealed,
                     struct secret *out)
{
    return vault_gcm_unseal(&vault->session, purpose, sealed, out);
}

/* ---- the document: {"key": id, "session": closed}, both in base64 */

static enum rc encode(struct vault *vault, struct bytes closed, char **out_text)
{
    AUTO_BUF id = BUF_INIT;
    AUTO_BUF session = BUF_INIT;
    TRY(base64_encode(bytes_of(vault->id, sizeof vault->id), &id));
    TRY(base64_encode(closed, &session));
    json_t *value = json_pack("{s:s, s:s}", "key", buf_str(&id), "session", buf_str(&session));
    *out_text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(value);
    return *out_text == NULL ? RC_NO_MEMORY : RC_OK;
}

static enum rc decode(struct vault *vault, const json_t *value, struct buf *out_closed)
{
    AUTO_BUF id = BUF_INIT;
    struct bytes key = bytes_of_str(json_string_value(json_object_get(value, "key")));
    struct bytes session = bytes_of_str(json_string_value(json_object_get(value, "session")));
    if (base64_decode(key, &id) != RC_OK || base64_decode(session, out_closed) != RC_OK ||
        !bytes_copy_exact(buf_bytes(&id), vault->id, sizeof vault->id))
        return rc_fail(RC_TAMPERED, "document " DOCUMENT " cannot be read");
    return RC_OK;
}

static enum rc read_document(struct vault *vault, struct buf *out_closed, bool *out_is_there)
{
    struct rpc_reply reply = {.msg = NULL};
    TRY(hsm_documents(vault->hsm, 0, BEFORE_IT, &reply));
    const Qhsm__KeystoreDocumentsReply *page = reply.msg->keystore_documents;
    enum rc rc = RC_OK;
    *out_is_there = page->n_documents > 0 && strcmp(page->documents[0]->key, DOCUMENT) == 0;
    if (*out_is_there) {
        const ProtobufCBinaryData *text = &page->documents[0]->value;
        json_t *value = json_loadb((const char *)text->data, text->len, 0, NULL);
        rc = decode(vault, value, out_closed);
        json_decref(value);
    }
    hsm_client_done(vault->hsm, &reply);
    return rc;
}

static enum rc write_document(struct vault *vault, struct bytes closed)
{
    char name[] = DOCUMENT;
    char *text = NULL;
    uint64_t index = 0;
    TRY(encode(vault, closed, &text));
    Qhsm__KeystoreDocument document = QHSM__KEYSTORE_DOCUMENT__INIT;
    Qhsm__KeystoreDocument *list[] = {&document};
    document.key = name;
    document.value.data = (uint8_t *)text;
    document.value.len = strlen(text);
    Qhsm__KeystoreChangeRequest change = QHSM__KEYSTORE_CHANGE_REQUEST__INIT;
    change.changes = list;
    change.n_changes = 1;
    enum rc rc = hsm_change(vault->hsm, &change, &index);
    free(text);
    return rc;
}

/* ---- making and finding */

static enum rc make_session(struct vault *vault, struct buf *out_closed)
{
    secret_clear(&vault->session);
    TRY(hsm_random(vault->hsm, 0, KEY_LEN, &vault->session));
    return vault_close(vault, DOCUMENT, secret_expose(&vault->session), out_closed);
}

/* Front ends that start together each make a key; the document says whose is used. */
static enum rc make(struct vault *vault)
{
    AUTO_BUF closed = BUF_INIT;
    struct hsm_key key = {.handle = 0};
    if (getrandom(vault->id, sizeof vault->id, 0) != (ssize_t)sizeof vault->id)
        return rc_fail(RC_RANDOM, "the kernel gave no random bytes");
    TRY(hsm_create(vault->hsm, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, LABEL, vault->id, &key));
    atomic_store(&vault->handle, key.handle);
    enum rc rc = make_session(vault, &closed);
    if (rc == RC_OK)
        rc = write_document(vault, buf_bytes(&closed));
    if (rc != RC_OK && rc != RC_OUTCOME_UNKNOWN && hsm_delete(vault->hsm, key.handle) != RC_OK)
        log_warn("backing_key_left", "key=" LABEL " handle=%llu", (unsigned long long)key.handle);
    hsm_key_clear(&key);
    return rc;
}

static enum rc open_session(struct vault *vault, struct bytes closed)
{
    secret_clear(&vault->session);
    TRY(find_key(vault));
    TRY(vault_open(vault, DOCUMENT, closed, &vault->session));
    if (vault->session.len != KEY_LEN)
        return rc_fail(RC_TAMPERED, "the session key has %zu bytes", vault->session.len);
    return RC_OK;
}

static enum rc find_or_make(struct vault *vault)
{
    enum rc rc = RC_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS_MAX && rc == RC_CONFLICT; i++) {
        AUTO_BUF closed = BUF_INIT;
        bool is_there = false;
        TRY(read_document(vault, &closed, &is_there));
        rc = is_there ? open_session(vault, buf_bytes(&closed)) : make(vault);
    }
    return rc;
}

enum rc vault_new(struct hsm_client *hsm, struct vault **out)
{
    struct vault *vault = calloc(1, sizeof *vault);
    if (vault == NULL)
        return RC_NO_MEMORY;
    vault->hsm = hsm;
    enum rc rc = find_or_make(vault);
    if (rc != RC_OK) {
        vault_free(vault);
        return rc;
    }
    *out = vault;
    return RC_OK;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL)
        return;
    secret_clear(&vault->session);
    free(vault);
}
