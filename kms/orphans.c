/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and deletes backing keys that no KMS key names. */
#include "kms/orphans.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/store.h"
#include "kms/unreadable.h"

#define SETTLE_MS      5000U /* from a backing key's making to the document that names it */
#define SETTLE_FAST_MS 500U

struct orphan {
    uint64_t handle;
    char label[HSM_LABEL_MAX + 1]; /* the id of the KMS key that it was made for */
    uint8_t id[HSM_ID_LEN];
};
struct orphans {
    struct orphan *list; /* in the order of their handles */
    size_t count;
};

static void clear(struct orphans *orphans)
{
    free(orphans->list);
    *orphans = (struct orphans){.list = NULL};
}

/* ---- what is named */

struct ids {
    uint8_t (*list)[HSM_ID_LEN];
    size_t count, room;
    bool has_failed;
};

static bool add_id(struct ids *ids, const uint8_t id[HSM_ID_LEN])
{
    if (ids->count == ids->room) {
        size_t room = ids->room == 0 ? 1024 : 2 * ids->room;
        void *longer = reallocarray(ids->list, room, HSM_ID_LEN);
        if (longer == NULL)
            return false;
        ids->list = longer;
        ids->room = room;
    }
    memcpy(ids->list[ids->count++], id, HSM_ID_LEN);
    return true;
}

static bool visit_key(void *context, struct record *record)
{
    struct ids *ids = context;
    const struct key *key = key_of(record);
    for (size_t i = 0; i < key->material_count && !ids->has_failed; i++)
        ids->has_failed = !add_id(ids, key->materials[i].hsm_id);
    return !ids->has_failed;
}

static int compare_ids(const void *left, const void *right)
{
    return bytes_compare(bytes_of(left, HSM_ID_LEN), bytes_of(right, HSM_ID_LEN));
}

static enum rc collect_ids(struct kms *kms, struct ids *out)
{
    *out = (struct ids){.list = NULL};
    view_each(kms->view, "key/", "", visit_key, out);
    if (out->has_failed)
        return RC_NO_MEMORY;
    if (out->count > 0)
        qsort(out->list, out->count, HSM_ID_LEN, compare_ids);
    return RC_OK;
}

static bool has_id(const struct ids *ids, const uint8_t id[HSM_ID_LEN])
{
    return ids->count > 0 && bsearch(id, ids->list, ids->count, HSM_ID_LEN, compare_ids) != NULL;
}

/* ---- what is there */

/* A UUID, or mrk- and 32 hex digits. */
static bool is_key_id(const char *label)
{
    static const char uuid[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    static const char multi[] = "mrk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const char *form = strncmp(label, "mrk-", 4) == 0 ? multi : uuid;
    size_t len = strlen(form);
    if (strlen(label) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool good =
            form[i] == 'x' ? strchr("0123456789abcdef", label[i]) != NULL : label[i] == form[i];
        if (!good)
            return false;
    }
    return true;
}

struct search {
    const struct ids *ids;
    struct orphans found;
    bool has_failed;
};

static bool visit_backing(void *context, const struct hsm_key *key)
{
    struct search *search = context;
    /* The key of an import is named by its token, which its caller holds. */
    if (!is_key_id(key->label) || key->use == KEYSTORE_UNWRAP || has_id(search->ids, key->id))
        return true;
    struct orphan *longer =
        reallocarray(search->found.list, search->found.count + 1, sizeof *longer);
    search->has_failed = longer == NULL;
    if (longer == NULL)
        return false;
    search->found.list = longer;
    struct orphan *orphan = &longer[search->found.count++];
    *orphan = (struct orphan){.handle = key->handle};
    (void)snprintf(orphan->label, sizeof orphan->label, "%s", key->label);
    memcpy(orphan->id, key->id, HSM_ID_LEN);
    return true;
}

/* Keys of `hsm` whose label is a KMS key's id and whose CKA_ID no document names. Keys of any other
 * label are somebody else's. RC_CONFLICT while a key's document cannot be read. */
static enum rc find(struct kms *kms, struct hsm_client *hsm, struct orphans *out)
{
    struct ids ids;
    TRY(view_refresh(kms->view));
    TRY(unreadable_check_keys(kms->view));
    enum rc rc = collect_ids(kms, &ids);
    struct search search = {.ids = &ids};
    if (rc == RC_OK)
        rc = hsm_find(hsm, "", NULL, visit_backing, &search);
    free(ids.list);
    if (rc == RC_OK && search.has_failed)
        rc = RC_NO_MEMORY;
    if (rc != RC_OK) {
        clear(&search.found);
        return rc;
    }
    *out = search.found;
    return RC_OK;
}

/* ---- deleting */

static bool is_among(const struct orphans *orphans, const struct orphan *wanted)
{
    for (size_t i = 0; i < orphans->count; i++) {
        if (orphans->list[i].handle == wanted->handle &&
            compare_ids(orphans->list[i].id, wanted->id) == 0)
            return true;
    }
    return false;
}

static enum rc delete_both(struct hsm_client *hsm, const struct orphans *before,
                           const struct orphans *after, struct orphans *out)
{
    struct orphans gone = {.list = calloc(after->count + 1, sizeof *gone.list)};
    enum rc rc = gone.list == NULL ? RC_NO_MEMORY : RC_OK;
    for (size_t i = 0; i < after->count && rc == RC_OK; i++) {
        if (!is_among(before, &after->list[i]))
            continue;
        rc = hsm_delete(hsm, after->list[i].handle);
        if (rc == RC_OK)
            gone.list[gone.count++] = after->list[i];
    }
    *out = gone;
    return rc;
}

/* Those that are orphans now and still are when keys in the making have had time to be named.
 * out: what was deleted. */
static enum rc find_and_delete(struct kms *kms, struct hsm_client *hsm, struct orphans *out)
{
    struct orphans before = {.list = NULL};
    struct orphans after = {.list = NULL};
    unsigned ms = kms->config->fast_time ? SETTLE_FAST_MS : SETTLE_MS;
    const struct timespec settle = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    TRY(find(kms, hsm, &before));
    (void)nanosleep(&settle, NULL);
    enum rc rc = before.count == 0 ? RC_OK : find(kms, hsm, &after);
    if (rc == RC_OK)
        rc = delete_both(hsm, &before, &after, out);
    clear(&before);
    clear(&after);
    return rc;
}

/* ---- verbs */

struct wanted {
    const char *id;
    char key[129];
};

static bool visit_store(void *context, struct record *record)
{
    struct wanted *wanted = context;
    if (strcmp(store_of(record)->id, wanted->id) != 0)
        return true;
    (void)snprintf(wanted->key, sizeof wanted->key, "%s", record->key);
    return false;
}

/* The store's client, to be given back; NULL for KMS's own. */
static enum rc open_store(struct kms *kms, const char *id, struct hsm_client **out)
{
    struct wanted wanted = {.id = id};
    view_each(kms->view, "store/", "", visit_store, &wanted);
    AUTO_RECORD *record = wanted.key[0] == 0 ? NULL : view_get(kms->view, wanted.key);
    if (record == NULL)
        return rc_fail(RC_NOT_FOUND, "no custom key store %s", id);
    return stores_hsm(kms->stores, record, out) == KMS_OK
               ? RC_OK
               : rc_fail(RC_CONFLICT, "%s", kms_error_text());
}

static void print(const struct orphans *orphans)
{
    for (size_t i = 0; i < orphans->count; i++) {
        const struct orphan *orphan = &orphans->list[i];
        (void)printf("%s ", orphan->label);
        for (size_t k = 0; k < HSM_ID_LEN; k++)
            (void)printf("%02x", orphan->id[k]);
        (void)printf(" %llu\n", (unsigned long long)orphan->handle);
    }
}

typedef enum rc (*work)(struct kms *kms, struct hsm_client *hsm, struct orphans *out);

static enum rc run(struct kms *kms, const char *store, work what)
{
    struct hsm_client *foreign = NULL;
    struct orphans found = {.list = NULL};
    if (store != NULL)
        TRY(open_store(kms, store, &foreign));
    enum rc rc = what(kms, foreign != NULL ? foreign : kms->hsm, &found);
    if (foreign != NULL)
        stores_hsm_done(kms->stores, foreign);
    print(&found);
    if (what == find_and_delete && found.count > 0)
        log_info("orphans_deleted", "store=%s count=%zu", store == NULL ? "none" : store,
                 found.count);
    clear(&found);
    return rc;
}

enum rc orphans_run_list(const struct kms_config *config, struct kms *kms, int count,
                         char **arguments)
{
    (void)config;
    return run(kms, count > 0 ? arguments[0] : NULL, find);
}

enum rc orphans_run_delete(const struct kms_config *config, struct kms *kms, int count,
                           char **arguments)
{
    (void)config;
    return run(kms, count > 0 ? arguments[0] : NULL, find_and_delete);
}
