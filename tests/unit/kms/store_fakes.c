/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/kms/store_fakes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kms/vault.h"
#include "tests/unit/unit.h"

#define RECORDS_MAX 64U
#define TRIES_MAX   5U
#define REGION      "us-east-1"
#define ACCOUNT     "111122223333"

struct view {
    struct record *records[RECORDS_MAX];
    size_t count;
    uint64_t version;
};
struct hsm_client {
    struct fake_cluster *cluster;
};

static struct {
    pthread_mutex_t lock;
    struct kms kms;
    struct kms_config config;
    struct kms_cluster known[FAKE_CLUSTERS];
    struct fake_cluster clusters[FAKE_CLUSTERS];
    struct view view;
    unsigned failing;
    enum rc failure;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lock(void)
{
    (void)pthread_mutex_lock(&world.lock);
}
static void unlock(void)
{
    (void)pthread_mutex_unlock(&world.lock);
}

/* ---- view */

static struct record *find(const char *key)
{
    for (size_t i = 0; i < world.view.count; i++) {
        if (strcmp(world.view.records[i]->key, key) == 0)
            return world.view.records[i];
    }
    return NULL;
}

void record_unref(struct record *record)
{
    if (record == NULL || atomic_fetch_sub(&record->refs, 1) != 1)
        return;
    if (record->kind != NULL)
        record->kind->free(record->data);
    else
        key_free(record->data);
    json_decref(record->json);
    free(record);
}

struct record *view_get(struct view *view, const char *key)
{
    (void)view;
    lock();
    struct record *record = find(key);
    if (record != NULL)
        atomic_fetch_add(&record->refs, 1);
    unlock();
    return record;
}

void view_each(struct view *view, const char *prefix, const char *after, view_visit visit,
               void *context)
{
    lock();
    for (size_t i = 0; i < view->count; i++) {
        struct record *record = view->records[i];
        if (strncmp(record->key, prefix, strlen(prefix)) == 0 && strcmp(record->key, after) > 0 &&
            !visit(context, record))
            break;
    }
    unlock();
}

uint64_t view_index(const struct view *view)
{
    return view->version;
}

enum rc view_refresh(struct view *view)
{
    (void)view;
    return RC_OK;
}

void view_decide(void) {}

void view_decided(void) {}

enum rc view_confirm(struct view *view, uint64_t index)
{
    (void)view;
    (void)index;
    return RC_OK;
}

static const struct view_kind store_kind = {
    .prefix = "store/", .decode = store_decode, .free = store_free};
static const struct view_kind guard_kind = {
    .prefix = "storeguard/", .decode = store_guard_decode, .free = store_guard_free};

static void insert(struct record *fresh)
{
    size_t at = world.view.count++;
    for (; at > 0 && strcmp(world.view.records[at - 1]->key, fresh->key) > 0; at--)
        world.view.records[at] = world.view.records[at - 1];
    world.view.records[at] = fresh;
}

static void remove_record(struct record *old)
{
    size_t at = 0;
    while (world.view.records[at] != old)
        at++;
    for (world.view.count--; at < world.view.count; at++)
        world.view.records[at] = world.view.records[at + 1];
    record_unref(old);
}

static struct record *record_new(const char *key)
{
    struct record *fresh = calloc(1, sizeof *fresh);
    atomic_store(&fresh->refs, 1);
    fresh->version = ++world.view.version;
    (void)snprintf(fresh->key, sizeof fresh->key, "%s", key);
    return fresh;
}

static void apply(const struct view_change *change)
{
    struct record *old = find(change->key);
    if (old != NULL)
        remove_record(old);
    if (change->value == NULL)
        return;
    struct record *fresh = record_new(change->key);
    fresh->kind = strncmp(change->key, "store/", 6) == 0 ? &store_kind : &guard_kind;
    fresh->json = json_deep_copy(change->value);
    UNIT_OK(fresh->kind->decode(fresh->key, fresh->json, &fresh->data));
    insert(fresh);
}

static enum rc commit(const struct view_changes *changes)
{
    if (world.failing > 0) {
        world.failing--;
        return world.failure;
    }
    for (size_t i = 0; i < changes->count; i++) {
        const struct record *old = find(changes->list[i].key);
        if ((old == NULL ? 0 : old->version) != changes->list[i].version)
            return RC_CONFLICT;
    }
    for (size_t i = 0; i < changes->count; i++)
        apply(&changes->list[i]);
    return RC_OK;
}

enum rc view_commit(struct view *view, struct view_changes *changes)
{
    (void)view;
    lock();
    enum rc rc = commit(changes);
    unlock();
    return rc;
}

/* ---- vault */

enum rc vault_close(struct vault *vault, const char *purpose, struct bytes plain, struct buf *out)
{
    (void)vault;
    TRY(buf_printf(out, "%s|", purpose));
    for (size_t i = 0; i < plain.len; i++)
        TRY(buf_put_u8(out, plain.ptr[i] ^ 0x5a));
    return RC_OK;
}

enum rc vault_open(struct vault *vault, const char *purpose, struct bytes closed,
                   struct secret *out)
{
    (void)vault;
    size_t len = strlen(purpose) + 1;
    if (closed.len < len || !bytes_equal(bytes_slice(closed, 0, len - 1), bytes_of_str(purpose)))
        return RC_TAMPERED;
    TRY(secret_alloc(out, closed.len - len));
    for (size_t i = 0; i < out->len; i++)
        out->ptr[i] = closed.ptr[len + i] ^ 0x5a;
    return RC_OK;
}

enum rc vault_seal(const struct vault *vault, const char *purpose, struct bytes plain,
                   struct buf *out)
{
    (void)vault;
    return vault_close(NULL, purpose, plain, out);
}

enum rc vault_unseal(const struct vault *vault, const char *purpose, struct bytes sealed,
                     struct secret *out)
{
    (void)vault;
    return vault_open(NULL, purpose, sealed, out);
}

/* ---- clients */

enum rc hsm_client_new(const struct hsm_client_config *config, struct hsm_client **out)
{
    for (unsigned i = 0; i < FAKE_CLUSTERS; i++) {
        if (strcmp(world.clusters[i].id, config->conf) != 0)
            continue;
        *out = calloc(1, sizeof **out);
        (*out)->cluster = &world.clusters[i];
        return RC_OK;
    }
    return RC_CONFIG;
}

void hsm_client_free(struct hsm_client *client)
{
    free(client);
}

static enum rc login(struct fake_cluster *cluster, const struct secret *password)
{
    if (cluster->is_down)
        return RC_UNAVAILABLE;
    if (!cluster->has_user)
        return RC_NOT_FOUND;
    if (cluster->is_locked)
        return RC_PIN_LOCKED;
    if (secret_equal(password, bytes_of_str(cluster->password))) {
        cluster->wrong = 0;
        cluster->logins++;
        return RC_OK;
    }
    cluster->is_locked = ++cluster->wrong >= TRIES_MAX;
    return RC_PIN_INCORRECT;
}

enum rc hsm_client_connect(struct hsm_client *client, const struct secret *password)
{
    lock();
    enum rc rc = login(client->cluster, password);
    unlock();
    return rc;
}

static enum rc rotate(struct fake_cluster *cluster, struct bytes fresh)
{
    if (cluster->has_no_quorum)
        return RC_NO_QUORUM;
    enum fake_rotation how = cluster->rotation;
    cluster->rotation = FAKE_ROTATES;
    if (how != FAKE_LOSES_REQUEST)
        (void)snprintf(cluster->password, sizeof cluster->password, "%.*s", (int)fresh.len,
                       (const char *)fresh.ptr);
    return how == FAKE_ROTATES ? RC_OK : RC_OUTCOME_UNKNOWN;
}

enum rc hsm_client_rotate_to(struct hsm_client *client, const struct secret *fresh)
{
    lock();
    enum rc rc = rotate(client->cluster, secret_expose(fresh));
    unlock();
    return rc;
}

void hsm_client_cluster(const struct hsm_client *client, uint8_t out[16])
{
    (void)client;
    memset(out, 0xee, 16);
}

void hsm_health_clear(struct hsm_health *health)
{
    buf_clear(&health->ca_pem);
}

enum rc hsm_health(struct hsm_client *client, struct hsm_health *out)
{
    lock();
    const struct fake_cluster *cluster = client->cluster;
    enum rc rc = cluster->is_down ? RC_UNAVAILABLE : RC_OK;
    if (rc == RC_OK) {
        *out = (struct hsm_health){.ca_pem = BUF_INIT, .has_quorum = true};
        rc = buf_append(&out->ca_pem, bytes_of_str(cluster->ca));
        for (unsigned i = 0; i < cluster->zones + cluster->same_zone; i++) {
            out->hsms[i].node = i + 1;
            out->hsms[i].active = true;
            (void)snprintf(out->hsms[i].zone, sizeof out->hsms[i].zone, "%c",
                           i < cluster->zones ? 'a' + (int)i : 'a');
        }
        out->count = cluster->zones + cluster->same_zone;
    }
    unlock();
    return rc;
}

enum rc hsm_logins(struct hsm_client *client, uint32_t *out)
{
    lock();
    *out = client->cluster->sessions;
    unlock();
    return RC_OK;
}

/* ---- the world */

static char text_token[] = "custom";
static char text_own[] = "kms";

struct kms *fake_kms(void)
{
    static const char *const ids[] = {"cluster-aaaaaaaaaaa", "cluster-bbbbbbbbbbb"};
    for (unsigned i = 0; i < FAKE_CLUSTERS; i++) {
        world.clusters[i] = (struct fake_cluster){.id = ids[i],
                                                  .ca = FAKE_CA,
                                                  .has_user = true,
                                                  .zones = 2,
                                                  .password = "first-password"};
        world.known[i] =
            (struct kms_cluster){.id = strdup(ids[i]), .conf = strdup(ids[i]), .token = text_token};
    }
    world.config = (struct kms_config){.fast_time = true,
                                       .throttle = true,
                                       .quota_store = 1800,
                                       .hsm_token = text_own,
                                       .clusters = world.known,
                                       .cluster_count = FAKE_CLUSTERS,
                                       .path = text_own};
    world.view = (struct view){.count = 0};
    world.failing = 0;
    world.kms = (struct kms){.config = &world.config, .view = &world.view};
    UNIT_OK(stores_new(&world.kms, &world.kms.stores));
    return &world.kms;
}

struct kms *fake_kms_get(void)
{
    return &world.kms;
}

struct kms_config *fake_config(void)
{
    return &world.config;
}

void fake_end(void)
{
    stores_free(world.kms.stores);
    while (world.view.count > 0)
        remove_record(world.view.records[0]);
    for (unsigned i = 0; i < FAKE_CLUSTERS; i++) {
        free(world.known[i].id);
        free(world.known[i].conf);
    }
}

struct fake_cluster *fake_cluster(unsigned index)
{
    return &world.clusters[index];
}

struct stores *fake_other_stores(void)
{
    struct stores *other = NULL;
    UNIT_OK(stores_new(&world.kms, &other));
    return other;
}

void fake_commits_fail(unsigned count, enum rc rc)
{
    lock();
    world.failing = count;
    world.failure = rc;
    unlock();
}

struct record *fake_store(const char *id)
{
    char path[129];
    (void)snprintf(path, sizeof path, "store/" REGION "/" ACCOUNT "/%s", id);
    return view_get(&world.view, path);
}

void fake_change(const char *id, void (*change)(struct store *store))
{
    enum rc rc = RC_CONFLICT;
    while (rc == RC_CONFLICT) {
        AUTO_RECORD *record = fake_store(id);
        struct store *fresh = NULL;
        UNIT_OK(store_copy(store_of(record), &fresh));
        change(fresh);
        rc = store_commit(&world.view, record, fresh);
        store_free(fresh);
    }
    UNIT_OK(rc);
}

void fake_key(const char *id, const char *store_id, const char *xks_key_id)
{
    char path[129];
    struct key *key = calloc(1, sizeof *key);
    (void)snprintf(key->id, sizeof key->id, "%s", id);
    (void)snprintf(key->store_id, sizeof key->store_id, "%s", store_id);
    (void)snprintf(key->xks_key_id, sizeof key->xks_key_id, "%s", xks_key_id);
    (void)snprintf(path, sizeof path, "key/" REGION "/%s", id);
    lock();
    struct record *record = record_new(path);
    record->data = key;
    insert(record);
    unlock();
}

char *fake_documents(void)
{
    json_t *all = json_array();
    lock();
    for (size_t i = 0; i < world.view.count; i++)
        (void)json_array_append(all, world.view.records[i]->json);
    unlock();
    char *text = json_dumps(all, 0);
    json_decref(all);
    return text;
}

static bool is_in(const char *id, enum store_state state)
{
    AUTO_RECORD *record = fake_store(id);
    return record != NULL && store_of(record)->state == state;
}

bool fake_wait(const char *id, enum store_state state)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 12000 && !is_in(id, state); i++)
        (void)nanosleep(&pause, NULL);
    return is_in(id, state);
}

/* ---- requests */

static const struct http_request http = {.id = "11111111-2222-3333-4444-555555555555"};

void fake_request(struct kms_request *request, const char *name, const char *json)
{
    char *text = strdup(json);
    for (char *at = text; *at != 0; at++)
        *at = *at == '\'' ? '"' : *at;
    struct operation *operation = calloc(1, sizeof *operation);
    operation->name = name;
    *request = (struct kms_request){.kms = &world.kms,
                                    .http = &http,
                                    .operation = operation,
                                    .region = REGION,
                                    .in = json_loads(text, 0, NULL),
                                    .out = json_object()};
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    request->now_ms = (uint64_t)now.tv_sec * 1000;
    (void)snprintf(request->identity.account, sizeof request->identity.account, ACCOUNT);
    (void)snprintf(request->identity.arn, sizeof request->identity.arn,
                   "arn:aws:iam::" ACCOUNT ":user/alice");
    CU_ASSERT_PTR_NOT_NULL_FATAL(request->in);
    free(text);
}

void fake_request_end(struct kms_request *request)
{
    union {
        const struct operation *in;
        void *out;
    } operation = {.in = request->operation};
    free(operation.out);
    json_decref(request->in);
    json_decref(request->out);
}

enum kms_error fake_run(enum kms_error (*operation)(struct kms_request *), const char *name,
                        const char *json, json_t **out)
{
    struct kms_request request;
    fake_request(&request, name, json);
    enum kms_error error = operation(&request);
    if (out != NULL)
        *out = json_incref(request.out);
    fake_request_end(&request);
    return error;
}
