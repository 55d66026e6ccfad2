/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of the cluster in memory. */
#include "tests/unit/kms/fake_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void fake_cluster_init(struct fake_cluster *cluster)
{
    memset(cluster, 0, sizeof *cluster);
    (void)pthread_mutex_init(&cluster->lock, NULL);
    cluster->id[0] = 1;
    cluster->index = 10;
    cluster->page_max = 64;
    cluster->next_handle = 100;
    cluster->changes_left = -1;
}

void fake_cluster_clear(struct fake_cluster *cluster)
{
    for (size_t i = 0; i < cluster->document_count; i++)
        free(cluster->documents[i].value);
    for (size_t i = 0; i < cluster->key_count; i++)
        hsm_key_clear(&cluster->keys[i]);
    (void)pthread_mutex_destroy(&cluster->lock);
}

static struct fake_document *find(struct fake_cluster *cluster, const char *key)
{
    for (size_t i = 0; i < cluster->document_count; i++)
        if (strcmp(cluster->documents[i].key, key) == 0)
            return &cluster->documents[i];
    return NULL;
}

static struct fake_document *insert(struct fake_cluster *cluster, const char *key)
{
    size_t at = cluster->document_count;
    if (at == FAKE_DOCUMENTS_MAX)
        abort();
    while (at > 0 && strcmp(cluster->documents[at - 1].key, key) > 0) {
        cluster->documents[at] = cluster->documents[at - 1];
        at--;
    }
    cluster->document_count++;
    cluster->documents[at] = (struct fake_document){.version = 0};
    (void)snprintf(cluster->documents[at].key, sizeof cluster->documents[at].key, "%s", key);
    return &cluster->documents[at];
}

static void put(struct fake_cluster *cluster, const char *key, const char *value)
{
    struct fake_document *document = find(cluster, key);
    if (document == NULL)
        document = insert(cluster, key);
    free(document->value);
    document->value = value == NULL ? NULL : strdup(value);
    document->version = value == NULL ? 0 : document->version + 1;
    document->changed = cluster->index;
}

void fake_cluster_put(struct fake_cluster *cluster, const char *key, const char *value)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->index++;
    put(cluster, key, value);
    (void)pthread_mutex_unlock(&cluster->lock);
}

void fake_cluster_forget(struct fake_cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->forgotten = cluster->index;
    (void)pthread_mutex_unlock(&cluster->lock);
}

void fake_cluster_restore(struct fake_cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->id[0]++;
    cluster->index = 1;
    for (size_t i = 0; i < cluster->document_count; i++)
        cluster->documents[i].changed = 1;
    (void)pthread_mutex_unlock(&cluster->lock);
}

const struct fake_document *fake_cluster_document(struct fake_cluster *cluster, const char *key)
{
    const struct fake_document *document = find(cluster, key);
    return document == NULL || document->version == 0 ? NULL : document;
}

/* ---- kms/hsm_client.h */

void hsm_client_cluster(const struct hsm_client *client, uint8_t out[16])
{
    (void)pthread_mutex_lock(&client->cluster->lock);
    memcpy(out, client->cluster->id, 16);
    (void)pthread_mutex_unlock(&client->cluster->lock);
}

static void answer(struct fake_cluster *cluster, uint64_t since, const char *after,
                   Qhsm__KeystoreDocumentsReply *reply, Qhsm__KeystoreDocument *documents)
{
    reply->whole = since == 0 || since < cluster->forgotten;
    for (size_t i = 0; i < cluster->document_count && !reply->more; i++) {
        struct fake_document *document = &cluster->documents[i];
        bool is_news = reply->whole ? document->version != 0 : document->changed > since;
        if (!is_news || strcmp(document->key, after) <= 0)
            continue;
        reply->more = reply->n_documents == cluster->page_max;
        if (reply->more)
            break;
        Qhsm__KeystoreDocument *out = &documents[reply->n_documents];
        qhsm__keystore_document__init(out);
        out->key = document->key;
        out->version = document->version;
        out->removed = document->version == 0;
        out->value.data = (uint8_t *)document->value;
        out->value.len = document->value == NULL ? 0 : strlen(document->value);
        reply->documents[reply->n_documents++] = out;
    }
}

static Qhsm__Response *copy(const Qhsm__Response *response)
{
    size_t len = qhsm__response__get_packed_size(response);
    uint8_t *packed = calloc(len + 1, 1);
    (void)qhsm__response__pack(response, packed);
    Qhsm__Response *made = qhsm__response__unpack(NULL, len, packed);
    free(packed);
    return made;
}

enum rc hsm_documents(struct hsm_client *client, uint64_t since, const char *after,
                      struct rpc_reply *out)
{
    struct fake_cluster *cluster = client->cluster;
    Qhsm__KeystoreDocument documents[FAKE_DOCUMENTS_MAX];
    Qhsm__KeystoreDocument *list[FAKE_DOCUMENTS_MAX];
    Qhsm__KeystoreDocumentsReply reply = QHSM__KEYSTORE_DOCUMENTS_REPLY__INIT;
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    const struct timespec delay = {.tv_sec = cluster->delay_ms / 1000,
                                   .tv_nsec = cluster->delay_ms % 1000 * 1000000L};
    atomic_fetch_add(&cluster->asked, 1);
    (void)nanosleep(&delay, NULL);
    enum rc fail = atomic_load(&cluster->fail);
    if (fail != RC_OK)
        return rc_fail(fail, "the cluster is in trouble");
    (void)pthread_mutex_lock(&cluster->lock);
    reply.documents = list;
    reply.index = cluster->index - cluster->behind;
    if (cluster->behind == 0)
        answer(cluster, since, after, &reply, documents);
    cluster->behind = 0;
    response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_DOCUMENTS;
    response.keystore_documents = &reply;
    *out = (struct rpc_reply){.msg = copy(&response)};
    (void)pthread_mutex_unlock(&cluster->lock);
    return RC_OK;
}

void hsm_client_done(struct hsm_client *client, struct rpc_reply *reply)
{
    (void)client;
    qhsm__response__free_unpacked(reply->msg, NULL);
    *reply = (struct rpc_reply){.msg = NULL};
}

static uint64_t version_of(struct fake_cluster *cluster, const char *key)
{
    const struct fake_document *document = find(cluster, key);
    return document == NULL ? 0 : document->version;
}

static enum rc change_locked(struct fake_cluster *cluster,
                             const Qhsm__KeystoreChangeRequest *change)
{
    Qhsm__KeystoreDocument **changes = change->changes;
    enum rc fail = atomic_exchange(&cluster->fail_change, RC_OK);
    if (cluster->changes_left == 0)
        return rc_fail(RC_UNAVAILABLE, "no further change");
    cluster->last_grounds = change->n_grounds;
    for (size_t i = 0; i < change->n_grounds && fail == RC_OK; i++)
        if (version_of(cluster, change->grounds[i]->key) != change->grounds[i]->version)
            fail = rc_fail(RC_VIEW_OLD, "%s is another", change->grounds[i]->key);
    for (size_t i = 0; i < change->n_changes && fail == RC_OK; i++) {
        uint64_t version = version_of(cluster, changes[i]->key);
        if (version != changes[i]->version)
            fail = rc_fail(RC_CONFLICT, "%s has version %llu", changes[i]->key,
                           (unsigned long long)version);
    }
    if (fail != RC_OK)
        return fail;
    cluster->index++;
    cluster->changes_left -= cluster->changes_left > 0 ? 1 : 0;
    for (size_t i = 0; i < change->n_changes; i++) {
        char *value = changes[i]->removed
                          ? NULL
                          : strndup((const char *)changes[i]->value.data, changes[i]->value.len);
        put(cluster, changes[i]->key, value);
        free(value);
    }
    return RC_OK;
}

enum rc hsm_change(struct hsm_client *client, Qhsm__KeystoreChangeRequest *change,
                   uint64_t *out_index)
{
    enum rc rc = atomic_load(&client->cluster->fail);
    (void)pthread_mutex_lock(&client->cluster->lock);
    if (rc == RC_OK)
        rc = change_locked(client->cluster, change);
    *out_index = client->cluster->index;
    (void)pthread_mutex_unlock(&client->cluster->lock);
    return rc;
}
