/* SPDX-License-Identifier: Apache-2.0 */
/* Custom key stores as the other parts of the front end see them. */
#include "kms/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/log.h"
#include "kms/store_connect.h"
#include "kms/store_link.h"

static enum rc make_holder(char out[33])
{
    uint8_t raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return rc_fail(RC_RANDOM, "getrandom failed");
    for (size_t i = 0; i < sizeof raw; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return RC_OK;
}

enum rc stores_new(struct kms *kms, struct stores **out)
{
    struct stores *stores = calloc(1, sizeof *stores);
    if (stores == NULL)
        return RC_NO_MEMORY;
    stores->kms = kms;
    (void)pthread_mutex_init(&stores->lock, NULL);
    enum rc rc = make_holder(stores->holder);
    if (rc == RC_OK)
        rc = xks_client_new(kms->config, &stores->xks);
    if (rc == RC_OK)
        rc = store_connect_start(stores);
    if (rc != RC_OK) {
        stores_free(stores);
        return rc;
    }
    *out = stores;
    return RC_OK;
}

void stores_free(struct stores *stores)
{
    if (stores == NULL)
        return;
    store_connect_stop(stores);
    store_link_free_all(stores);
    xks_client_free(stores->xks);
    (void)pthread_mutex_destroy(&stores->lock);
    free(stores);
}

enum rc store_commit(struct view *view, const struct record *old, const struct store *fresh)
{
    json_t *value = NULL;
    TRY(store_encode(fresh, &value));
    return view_commit_one(view, old->key, old->version, value);
}

static struct record *get(const struct kms *kms, const char *region, const char *account,
                          const char *id)
{
    char path[129];
    int len = snprintf(path, sizeof path, "store/%s/%s/%s", region, account, id);
    return len < (int)sizeof path ? view_get(kms->view, path) : NULL;
}

enum kms_error stores_find(const struct kms_request *request, const char *id, struct record **out)
{
    struct record *record = strchr(id, '/') == NULL
                                ? get(request->kms, request->region, request->identity.account, id)
                                : NULL;
    if (record == NULL)
        return kms_fail(KMS_CUSTOM_STORE_NOT_FOUND,
                        "AWS KMS cannot find a custom key store with the specified key store "
                        "name or ID: %.64s",
                        id);
    *out = record;
    return KMS_OK;
}

bool stores_is_connected(const struct kms *kms, const struct key *key)
{
    AUTO_RECORD *record = get(kms, key->region, key->account, key->store_id);
    return record != NULL && store_of(record)->state == STORE_CONNECTED;
}

enum kms_error stores_hsm(struct stores *stores, const struct record *record,
                          struct hsm_client **out)
{
    struct store_link *link = NULL;
    if (store_of(record)->type != STORE_CLOUDHSM)
        return kms_fail(KMS_UNSUPPORTED, "The custom key store %s has no AWS CloudHSM cluster.",
                        store_of(record)->id);
    KMS_TRY(store_link_take(stores, record, &link));
    *out = link->client;
    return KMS_OK;
}

void stores_hsm_done(struct stores *stores, struct hsm_client *client)
{
    struct store_link *link = store_link_of(stores, client);
    if (link != NULL)
        store_link_done(stores, link);
}

/* What the operator can set right, and the caller cannot: said in AWS's words for a key that
 * cannot be used now. */
static enum kms_error fail_store(const struct store *store, const char *why)
{
    return kms_fail(KMS_INVALID_STATE,
                    "The KMS key is in the custom key store %s, whose AWS CloudHSM cluster refuses "
                    "AWS KMS: %s. Disconnect the key store, set it right, and connect it again.",
                    store->id, why);
}

enum kms_error stores_from_rc(const struct record *record, enum rc rc)
{
    const struct store *store = store_of(record);
    switch ((int)rc) {
    case RC_PIN_INCORRECT:
    case RC_TICKET_VOID:
    case RC_NOT_LOGGED_IN:
        log_warn("store_login_refused", "store=%s error=%s", store->id, rc_info(rc)->name);
        return fail_store(store, "the password of kmsuser is another");
    case RC_PIN_LOCKED:
    case RC_USER_DISABLED:
        log_warn("store_login_refused", "store=%s error=%s", store->id, rc_info(rc)->name);
        return fail_store(store, "kmsuser is locked");
    case RC_NOT_FOUND:
        return fail_store(store, "the cluster, its token or kmsuser is not there");
    case RC_UNAVAILABLE:
    case RC_DEADLINE:
    case RC_TLS:
    case RC_NO_QUORUM:
    case RC_NO_LEADER:
        log_warn("store_unavailable", "store=%s error=%s detail=\"%s\"", store->id,
                 rc_info(rc)->name, rc_detail());
        return kms_fail_plain(KMS_DEPENDENCY_TIMEOUT);
    default:
        return kms_from_rc(rc);
    }
}
