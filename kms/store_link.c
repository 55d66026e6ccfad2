/* SPDX-License-Identifier: Apache-2.0 */
/* Links to connected stores: made when first used, one a version of the store's document. */
#include "kms/store_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/vault.h"

#define RETRY_MS 1000U

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- clusters */

enum rc store_link_client(const struct kms *kms, const char *cluster_id, struct hsm_client **out)
{
    const struct kms_cluster *cluster = kms_config_cluster(kms->config, cluster_id);
    if (cluster == NULL)
        return rc_fail(RC_NOT_FOUND, "no cluster %s in %s", cluster_id, kms->config->path);
    struct hsm_client_config config = {
        .conf = cluster->conf, .token = cluster->token, .user = "kmsuser"};
    return hsm_client_new(&config, out);
}

static enum rc login_with(const struct kms *kms, const struct store *store,
                          const struct buf *closed, struct hsm_client *client)
{
    char purpose[129];
    AUTO_SECRET password = SECRET_INIT;
    store_path(store, purpose);
    TRY(vault_open(kms->vault, purpose, buf_bytes(closed), &password));
    return hsm_client_connect(client, &password);
}

enum rc store_link_login(const struct kms *kms, const struct store *store,
                         struct hsm_client *client, bool *out_is_next)
{
    enum rc rc = login_with(kms, store, &store->password, client);
    *out_is_next = false;
    if (rc != RC_PIN_INCORRECT || store->password_next.len == 0)
        return rc;
    rc = login_with(kms, store, &store->password_next, client);
    *out_is_next = rc == RC_OK;
    return rc;
}

/* ---- opening */

static enum rc open_hsm(struct stores *stores, const struct store *store, struct store_link *link)
{
    struct hsm_client *client = NULL;
    bool is_next = false;
    TRY(store_link_client(stores->kms, store->cluster_id, &client));
    enum rc rc = store_link_login(stores->kms, store, client, &is_next);
    if (rc != RC_OK) {
        hsm_client_free(client);
        return rc;
    }
    (void)pthread_mutex_lock(&stores->lock); /* store_link_of() looks at links of others */
    link->client = client;
    (void)pthread_mutex_unlock(&stores->lock);
    return RC_OK;
}

static enum rc open_xks(struct stores *stores, const struct store *store, struct store_link *link)
{
    char purpose[129];
    store_path(store, purpose);
    return vault_open(stores->kms->vault, purpose, buf_bytes(&store->xks_secret), &link->secret);
}

static bool is_open(const struct store_link *link)
{
    return link->client != NULL || link->secret.len > 0;
}

/* A password that was wrong is not tried again before the document changes: each try counts. */
static bool may_open(const struct store_link *link)
{
    if (link->refused == RC_OK)
        return true;
    return link->refused != RC_PIN_INCORRECT && now_ms() >= link->refused_ms + RETRY_MS;
}

static enum rc open_locked(struct stores *stores, const struct store *store,
                           struct store_link *link)
{
    if (is_open(link))
        return RC_OK;
    if (!may_open(link))
        return rc_fail(link->refused, "key store %s: %s", store->id, rc_info(link->refused)->text);
    link->refused =
        store->type == STORE_XKS ? open_xks(stores, store, link) : open_hsm(stores, store, link);
    link->refused_ms = now_ms();
    if (link->refused == RC_OK)
        log_info("store_opened", "store=%s name=\"%s\"", store->id, store->name);
    return link->refused;
}

static enum rc open_link(struct stores *stores, const struct store *store, struct store_link *link)
{
    (void)pthread_mutex_lock(&link->opening);
    enum rc rc = open_locked(stores, store, link);
    (void)pthread_mutex_unlock(&link->opening);
    return rc;
}

/* ---- the list; stores->lock is held */

static void free_link(struct store_link *link)
{
    hsm_client_free(link->client);
    secret_clear(&link->secret);
    (void)pthread_mutex_destroy(&link->opening);
    free(link);
}

/* Takes what may be freed out of the list. */
static struct store_link *unlink_unused(struct stores *stores)
{
    struct store_link *unused = NULL;
    for (struct store_link **at = &stores->links; *at != NULL;) {
        struct store_link *link = *at;
        if (!link->is_old || link->refs > 0) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        link->next = unused;
        unused = link;
    }
    return unused;
}

static void free_list(struct store_link *list)
{
    while (list != NULL) {
        struct store_link *next = list->next;
        free_link(list);
        list = next;
    }
}

static struct store_link *add_link(struct stores *stores, const struct record *record,
                                   const struct store_link *before)
{
    struct store_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    (void)pthread_mutex_init(&link->opening, NULL);
    (void)snprintf(link->key, sizeof link->key, "%s", record->key);
    link->version = record->version;
    link->permits = before != NULL ? before->permits : (double)stores->kms->config->quota_store;
    link->permits_ms = before != NULL ? before->permits_ms : now_ms();
    link->next = stores->links;
    stores->links = link;
    return link;
}

static struct store_link *find_link(struct stores *stores, const struct record *record)
{
    struct store_link *before = NULL;
    for (struct store_link *link = stores->links; link != NULL; link = link->next) {
        if (link->is_old || strcmp(link->key, record->key) != 0)
            continue;
        if (link->version == record->version)
            return link;
        before = link;
    }
    struct store_link *link = add_link(stores, record, before);
    if (before != NULL && link != NULL)
        before->is_old = true;
    return link;
}

/* AWS: 1,800 a second for all keys of a store. */
static bool take_permit(const struct kms_config *config, struct store_link *link)
{
    if (!config->throttle || config->quota_store == 0)
        return true;
    uint64_t now = now_ms();
    double quota = (double)config->quota_store;
    link->permits += (double)(now - link->permits_ms) * quota / 1000.0;
    link->permits_ms = now;
    if (link->permits > quota)
        link->permits = quota;
    if (link->permits < 1.0)
        return false;
    link->permits -= 1.0;
    return true;
}

static enum kms_error find_and_count(struct stores *stores, const struct record *record,
                                     struct store_link **out)
{
    struct store_link *link = find_link(stores, record);
    if (link == NULL)
        return kms_fail_plain(KMS_INTERNAL); /* no memory */
    if (!take_permit(stores->kms->config, link))
        return kms_fail_plain(KMS_THROTTLING);
    link->refs++;
    *out = link;
    return KMS_OK;
}

/* ---- to callers */

enum kms_error store_link_take(struct stores *stores, const struct record *record,
                               struct store_link **out)
{
    const struct store *store = store_of(record);
    struct store_link *link = NULL;
    if (store->state != STORE_CONNECTED)
        return kms_fail(KMS_INVALID_STATE, "The custom key store %s is not connected.", store->id);
    (void)pthread_mutex_lock(&stores->lock);
    enum kms_error error = find_and_count(stores, record, &link);
    (void)pthread_mutex_unlock(&stores->lock);
    KMS_TRY(error);
    enum rc rc = open_link(stores, store, link);
    if (rc != RC_OK) {
        store_link_done(stores, link);
        return stores_from_rc(record, rc);
    }
    *out = link;
    return KMS_OK;
}

void store_link_done(struct stores *stores, struct store_link *link)
{
    (void)pthread_mutex_lock(&stores->lock);
    link->refs--;
    struct store_link *unused = unlink_unused(stores);
    (void)pthread_mutex_unlock(&stores->lock);
    free_list(unused);
}

struct store_link *store_link_of(struct stores *stores, const struct hsm_client *client)
{
    (void)pthread_mutex_lock(&stores->lock);
    struct store_link *link = stores->links;
    while (link != NULL && link->client != client)
        link = link->next;
    (void)pthread_mutex_unlock(&stores->lock);
    return link;
}

static bool is_current(struct view *view, const struct store_link *link)
{
    AUTO_RECORD *record = view_get(view, link->key);
    return record != NULL && record->version == link->version &&
           store_of(record)->state == STORE_CONNECTED;
}

void store_link_sweep(struct stores *stores)
{
    (void)pthread_mutex_lock(&stores->lock);
    for (struct store_link *link = stores->links; link != NULL; link = link->next)
        link->is_old = link->is_old || !is_current(stores->kms->view, link);
    struct store_link *unused = unlink_unused(stores);
    (void)pthread_mutex_unlock(&stores->lock);
    free_list(unused);
}

void store_link_free_all(struct stores *stores)
{
    free_list(stores->links);
    stores->links = NULL;
}
