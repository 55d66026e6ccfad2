/* SPDX-License-Identifier: Apache-2.0 */
/* Backing keys of the cluster in memory. A ciphertext is the key's id, a sum of the associated
 * data, and the plaintext with its bits turned: enough to tell a wrong key or context. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kms/fake_cluster.h"

#define HEAD_LEN (HSM_ID_LEN + 4U)

static struct hsm_key *find(struct fake_cluster *cluster, uint64_t handle)
{
    for (size_t i = 0; i < cluster->key_count; i++)
        if (cluster->keys[i].handle == handle && handle != 0)
            return &cluster->keys[i];
    return NULL;
}

void fake_cluster_renumber(struct fake_cluster *cluster)
{
    for (size_t i = 0; i < cluster->key_count; i++)
        if (cluster->keys[i].handle != 0)
            cluster->keys[i].handle = cluster->next_handle++;
}

void hsm_key_clear(struct hsm_key *key)
{
    buf_clear(&key->public_der);
    *key = (struct hsm_key){.handle = 0};
}

enum rc hsm_create(struct hsm_client *client, enum keystore_spec spec, enum keystore_use use,
                   const char *label, const uint8_t id[HSM_ID_LEN], struct hsm_key *out)
{
    struct fake_cluster *cluster = client->cluster;
    enum rc fail = atomic_load(&cluster->fail);
    if (fail != RC_OK || cluster->key_count == FAKE_KEYS_MAX)
        return fail != RC_OK ? fail : RC_LIMIT;
    (void)pthread_mutex_lock(&cluster->lock);
    struct hsm_key *key = &cluster->keys[cluster->key_count++];
    *key = (struct hsm_key){.handle = cluster->next_handle++, .spec = spec, .use = use};
    (void)snprintf(key->label, sizeof key->label, "%s", label);
    memcpy(key->id, id, HSM_ID_LEN);
    key->material[0] = (uint8_t)key->handle;
    *out = *key;
    (void)pthread_mutex_unlock(&cluster->lock);
    return RC_OK;
}

enum rc hsm_find(struct hsm_client *client, const char *label, const uint8_t *id,
                 hsm_key_visit visit, void *context)
{
    struct fake_cluster *cluster = client->cluster;
    bool goes_on = true;
    enum rc fail = atomic_load(&cluster->fail);
    if (fail != RC_OK)
        return fail;
    (void)pthread_mutex_lock(&cluster->lock);
    for (size_t i = 0; i < cluster->key_count && goes_on; i++) {
        const struct hsm_key *key = &cluster->keys[i];
        bool is_one =
            key->handle != 0 && (label[0] == 0 || strcmp(label, key->label) == 0) &&
            (id == NULL || bytes_equal(bytes_of(id, HSM_ID_LEN), bytes_of(key->id, HSM_ID_LEN)));
        if (is_one)
            goes_on = visit(context, key);
    }
    (void)pthread_mutex_unlock(&cluster->lock);
    return RC_OK;
}

enum rc hsm_delete(struct hsm_client *client, uint64_t handle)
{
    struct fake_cluster *cluster = client->cluster;
    enum rc rc = atomic_load(&cluster->fail);
    (void)pthread_mutex_lock(&cluster->lock);
    struct hsm_key *key = find(cluster, handle);
    if (rc == RC_OK)
        rc = atomic_load(&cluster->fail_delete);
    if (key == NULL && rc == RC_OK)
        rc = RC_OBJECT_HANDLE;
    if (rc == RC_OK)
        key->handle = 0;
    (void)pthread_mutex_unlock(&cluster->lock);
    return rc;
}

static enum rc use(struct fake_cluster *cluster, uint64_t view, uint64_t handle,
                   const struct hsm_key **out)
{
    enum rc fail = atomic_load(&cluster->fail);
    if (fail != RC_OK)
        return fail;
    if (cluster->is_view_old && view != 0)
        return RC_VIEW_OLD;
    cluster->last_view = view;
    cluster->last_key = handle;
    *out = find(cluster, handle);
    return *out == NULL ? RC_OBJECT_HANDLE : RC_OK;
}

static uint32_t sum(struct bytes data)
{
    uint32_t total = 7;
    for (size_t i = 0; i < data.len; i++)
        total = total * 31 + data.ptr[i];
    return total;
}

static enum rc put_turned(struct bytes in, struct secret *out)
{
    for (size_t i = 0; i < in.len; i++)
        TRY(secret_put_u8(out, (uint8_t)~in.ptr[i]));
    return RC_OK;
}

enum rc hsm_encrypt(struct hsm_client *client, const struct hsm_encrypt *in, struct buf *out,
                    struct secret *out_plain, struct buf *out_public_der)
{
    const struct hsm_key *key = NULL;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_SECRET turned = SECRET_INIT;
    (void)out_public_der;
    TRY(use(client->cluster, in->view, in->key, &key));
    TRY(secret_append(&plain, in->plain));
    for (uint32_t i = 0; i < in->random_len; i++)
        TRY(secret_put_u8(&plain, (uint8_t)(i + 1)));
    TRY(put_turned(secret_expose(&plain), &turned));
    if (out_plain != NULL && in->reveal)
        TRY(secret_append(out_plain, secret_expose(&plain)));
    TRY(buf_append(out, bytes_of(key->id, HSM_ID_LEN)));
    TRY(buf_put_u32(out, sum(in->aad)));
    return buf_append(out, secret_expose(&turned));
}

enum rc hsm_decrypt(struct hsm_client *client, const struct hsm_decrypt *in, struct secret *out)
{
    const struct hsm_key *key = NULL;
    TRY(use(client->cluster, in->view, in->key, &key));
    struct reader reader = reader_of(in->ciphertext);
    struct bytes id = reader_raw(&reader, HSM_ID_LEN);
    uint32_t context = reader_u32(&reader);
    if (!reader_ok(&reader) || !bytes_equal(id, bytes_of(key->id, HSM_ID_LEN)) ||
        context != sum(in->aad))
        return RC_ENCRYPTED_DATA;
    return put_turned(bytes_slice(in->ciphertext, HEAD_LEN, in->ciphertext.len), out);
}

enum rc hsm_reencrypt(struct hsm_client *client, const struct hsm_decrypt *from,
                      const struct hsm_encrypt *to, struct buf *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    struct hsm_encrypt own = *to;
    TRY(hsm_decrypt(client, from, &plain));
    own.plain = secret_expose(&plain);
    return hsm_encrypt(client, &own, out, NULL, NULL);
}

enum rc hsm_sign(struct hsm_client *client, const struct hsm_sign *in, struct buf *out)
{
    const struct hsm_key *key = NULL;
    TRY(use(client->cluster, in->view, in->key, &key));
    TRY(buf_append(out, bytes_of(key->id, HSM_ID_LEN)));
    return buf_put_u32(out, sum(in->data));
}

enum rc hsm_verify(struct hsm_client *client, const struct hsm_sign *in, struct bytes signature)
{
    AUTO_BUF right = BUF_INIT;
    TRY(hsm_sign(client, in, &right));
    if (signature.len != right.len)
        return RC_SIGNATURE_LEN;
    return bytes_equal(signature, buf_bytes(&right)) ? RC_OK : RC_SIGNATURE_INVALID;
}

enum rc hsm_agree(struct hsm_client *client, uint64_t view, uint64_t key, struct bytes peer_der,
                  struct secret *out)
{
    const struct hsm_key *own = NULL;
    TRY(use(client->cluster, view, key, &own));
    if (peer_der.len == 0)
        return RC_PUBLIC_KEY;
    return secret_put_u32(out, sum(peer_der));
}

enum rc hsm_random(struct hsm_client *client, uint64_t view, size_t len, struct secret *out)
{
    enum rc fail = atomic_load(&client->cluster->fail);
    if (fail == RC_OK && view != 0 && atomic_load(&client->cluster->is_view_old))
        fail = RC_VIEW_OLD;
    for (size_t i = 0; i < len && fail == RC_OK; i++)
        fail = secret_put_u8(out, (uint8_t)rand());
    return fail;
}
