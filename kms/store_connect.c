/* SPDX-License-Identifier: Apache-2.0 */
/* Connects stores. For a CloudHSM store: log in as kmsuser and change its password to one that
 * nobody else knows. The new one is in the document, closed, before the HSM learns it, and stays
 * there until it has become the password; whoever comes after a crash tries both. Nothing else ever
 * replaces a new password that is noted down, so two front ends at it do each other no harm. */
#include "kms/store_connect.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"
#include "common/thread.h"
#include "kms/store_check.h"
#include "kms/store_link.h"
#include "kms/vault.h"

#define PASSWORD_LEN  32U
#define LEASE_MS      60000U
#define LEASE_FAST_MS 5000U
#define TRIES         5

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void store_connect_begin(const struct stores *stores, struct store *fresh, uint64_t now_ms)
{
    fresh->state = STORE_CONNECTING;
    fresh->error_code[0] = 0;
    fresh->since_ms = now_ms;
    (void)snprintf(fresh->holder, sizeof fresh->holder, "%s", stores->holder);
}

/* In the place of an error code: our own documents cannot be changed now, and the thread comes
 * again. */
static const char later[] = "later";

/* ---- what AWS calls an error of the HSM */

static const char *code_of(enum rc rc)
{
    switch ((int)rc) {
    case RC_PIN_INCORRECT:
    case RC_PIN_LEN:
    case RC_PIN_INVALID:
    case RC_PIN_EXPIRED:
        return "INVALID_CREDENTIALS";
    case RC_PIN_LOCKED:
    case RC_USER_DISABLED:
        return "USER_LOCKED_OUT";
    case RC_NOT_FOUND:
    case RC_SLOT_INVALID:
        return "USER_NOT_FOUND";
    case RC_NO_QUORUM:
    case RC_NO_LEADER:
        return "INSUFFICIENT_CLOUDHSM_HSMS";
    case RC_UNAVAILABLE:
    case RC_DEADLINE:
    case RC_TLS:
    case RC_DRAINING:
    case RC_OVERLOADED:
    case RC_OUTCOME_UNKNOWN:
        return "NETWORK_ERRORS";
    default:
        return "INTERNAL_ERROR";
    }
}

static const char *fail_with(const struct store *store, enum rc rc, const char *at)
{
    const char *code = code_of(rc);
    log_warn("store_connect_failed", "store=%s at=%s code=%s error=%s detail=\"%s\"", store->id, at,
             code, rc_info(rc)->name, rc_detail());
    return code;
}

/* ---- documents */

/* The store as it is now, if it is still this front end's to connect. */
static struct record *held(struct stores *stores, const char *key, uint64_t since_ms)
{
    struct record *record = view_get(stores->kms->view, key);
    const struct store *store = record == NULL ? NULL : store_of(record);
    if (store != NULL && store->state == STORE_CONNECTING && store->since_ms == since_ms &&
        strcmp(store->holder, stores->holder) == 0)
        return record;
    record_unref(record);
    return NULL;
}

typedef enum rc (*change)(void *context, struct store *fresh);

static enum rc change_once(struct stores *stores, const struct record *record, change apply,
                           void *context)
{
    struct store *fresh = NULL;
    TRY(store_copy(store_of(record), &fresh));
    enum rc rc = apply(context, fresh);
    if (rc == RC_OK)
        rc = store_commit(stores->kms->view, record, fresh);
    store_free(fresh);
    return rc;
}

/* RC_CANCELLED when the store is not ours to connect any more. */
static enum rc change_held(struct stores *stores, const struct record *record, change apply,
                           void *context)
{
    enum rc rc = RC_CONFLICT;
    for (int i = 0; i < TRIES && rc == RC_CONFLICT; i++) {
        AUTO_RECORD *now = held(stores, record->key, store_of(record)->since_ms);
        if (now == NULL)
            return rc_fail(RC_CANCELLED, "%s is not being connected here any more", record->key);
        rc = change_once(stores, now, apply, context);
        if (rc == RC_CONFLICT)
            TRY(view_refresh(stores->kms->view));
    }
    return rc;
}

static enum rc apply_next(void *context, struct store *fresh)
{
    const struct buf *closed = context;
    buf_clear(&fresh->password_next);
    return buf_append(&fresh->password_next, buf_bytes(closed));
}

static enum rc apply_connected(void *context, struct store *fresh)
{
    (void)context;
    fresh->state = STORE_CONNECTED;
    fresh->error_code[0] = 0;
    fresh->holder[0] = 0;
    fresh->since_ms = 0;
    if (fresh->password_next.len > 0) {
        buf_clear(&fresh->password);
        fresh->password = buf_take(&fresh->password_next);
    }
    return RC_OK;
}

static enum rc apply_failed(void *context, struct store *fresh)
{
    const char *code = context;
    fresh->state = STORE_FAILED;
    fresh->holder[0] = 0;
    fresh->since_ms = 0;
    (void)snprintf(fresh->error_code, sizeof fresh->error_code, "%s", code);
    return RC_OK;
}

/* ---- the password */

static enum rc make_password(struct secret *out)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    TRY(secret_alloc(out, PASSWORD_LEN));
    if (getrandom(out->ptr, out->len, 0) != (ssize_t)out->len)
        return rc_fail(RC_RANDOM, "getrandom failed");
    for (size_t i = 0; i < out->len; i++)
        out->ptr[i] = (uint8_t)characters[out->ptr[i] & 63U];
    return RC_OK;
}

/* The password to come, which is in the document when this returns. */
static enum rc note_next(struct stores *stores, const struct record *record, struct secret *out)
{
    struct vault *vault = stores->kms->vault;
    const struct store *store = store_of(record);
    AUTO_BUF closed = BUF_INIT;
    if (store->password_next.len > 0)
        return vault_open(vault, record->key, buf_bytes(&store->password_next), out);
    TRY(make_password(out));
    TRY(vault_close(vault, record->key, secret_expose(out), &closed));
    return change_held(stores, record, apply_next, &closed);
}

static const char *rotate(struct stores *stores, const struct record *record,
                          struct hsm_client *client)
{
    AUTO_SECRET next = SECRET_INIT;
    const struct store *store = store_of(record);
    enum rc rc = note_next(stores, record, &next);
    if (rc != RC_OK) {
        const char *code = fail_with(store, rc, "documents");
        return rc == RC_TAMPERED ? code : later;
    }
    rc = hsm_client_rotate_to(client, &next);
    if (rc == RC_OK)
        return NULL;
    /* Did it happen after all, or by another who was at it? */
    return hsm_client_connect(client, &next) == RC_OK ? NULL : fail_with(store, rc, "rotation");
}

/* ---- CloudHSM: NULL, or the ConnectionErrorCode */

static const char *check_cluster(const struct kms_config *config, const struct store *store,
                                 struct hsm_client *client)
{
    struct hsm_health health = {.ca_pem = BUF_INIT};
    enum rc rc = hsm_health(client, &health);
    if (rc != RC_OK)
        return fail_with(store, rc, "health");
    const char *code = NULL;
    if (!store_check_related(config, store->cluster_id, store->trust_anchor,
                             buf_bytes(&health.ca_pem)))
        code = "CLUSTER_NOT_FOUND";
    else if (store_check_zones(&health) == 0 || !health.has_quorum)
        code = "INSUFFICIENT_CLOUDHSM_HSMS";
    hsm_health_clear(&health);
    if (code != NULL)
        log_warn("store_connect_failed", "store=%s at=health code=%s", store->id, code);
    return code;
}

/* AWS wants kmsuser for itself: a session that goes on would lose its login to the new password,
 * and whoever holds it had the old one. */
static const char *check_alone(const struct store *store, struct hsm_client *client)
{
    uint32_t logins = 0;
    enum rc rc = hsm_logins(client, &logins);
    if (rc != RC_OK)
        return fail_with(store, rc, "logins");
    if (logins == 0)
        return NULL;
    log_warn("store_connect_failed", "store=%s at=logins code=USER_LOGGED_IN connections=%u",
             store->id, logins);
    return "USER_LOGGED_IN";
}

static const char *connect_client(struct stores *stores, const struct record *record,
                                  struct hsm_client *client)
{
    const struct store *store = store_of(record);
    const char *code = check_cluster(stores->kms->config, store, client);
    if (code != NULL)
        return code;
    bool is_next = false;
    enum rc rc = store_link_login(stores->kms, store, client, &is_next);
    if (rc != RC_OK)
        return fail_with(store, rc, "login");
    code = check_alone(store, client);
    if (code != NULL)
        return code;
    return is_next ? NULL : rotate(stores, record, client);
}

static const char *connect_cluster(struct stores *stores, const struct record *record)
{
    struct hsm_client *client = NULL;
    const struct store *store = store_of(record);
    enum rc rc = store_link_client(stores->kms, store->cluster_id, &client);
    if (rc == RC_NOT_FOUND)
        return "CLUSTER_NOT_FOUND";
    if (rc != RC_OK)
        return fail_with(store, rc, "client");
    const char *code = connect_client(stores, record, client);
    hsm_client_free(client);
    return code;
}

static void connect_store(struct stores *stores, const struct record *record)
{
    const struct store *store = store_of(record);
    const char *code = store->type == STORE_XKS ? store_xks_connect(stores, record)
                                                : connect_cluster(stores, record);
    if (code == later)
        return;
    union {
        const char *in;
        void *out;
    } context = {.in = code};
    enum rc rc =
        change_held(stores, record, code == NULL ? apply_connected : apply_failed, context.out);
    if (rc != RC_OK)
        log_warn("store_connect_lost", "store=%s error=%s detail=\"%s\"", store->id,
                 rc_info(rc)->name, rc_detail());
    else
        log_info(code == NULL ? "store_connected" : "store_failed", "store=%s name=\"%s\" code=%s",
                 store->id, store->name, code == NULL ? "none" : code);
}

/* ---- the thread */

struct found {
    const char *holder;
    uint64_t lost_before_ms;
    char key[129]; /* "": none */
    uint64_t since_ms;
    bool is_ours;
};

static bool look(void *context, struct record *record)
{
    struct found *found = context;
    const struct store *store = store_of(record);
    if (store->state != STORE_CONNECTING)
        return true;
    found->is_ours = strcmp(store->holder, found->holder) == 0;
    if (!found->is_ours && store->since_ms > found->lost_before_ms)
        return true;
    (void)snprintf(found->key, sizeof found->key, "%s", record->key);
    found->since_ms = store->since_ms;
    return false;
}

static enum rc take_over(struct stores *stores, const struct record *record)
{
    struct store *fresh = NULL;
    TRY(store_copy(store_of(record), &fresh));
    store_connect_begin(stores, fresh, wall_ms());
    enum rc rc = store_commit(stores->kms->view, record, fresh);
    store_free(fresh);
    if (rc == RC_OK)
        log_info("store_taken_over", "store=%s", store_of(record)->id);
    return rc;
}

static void visit(struct stores *stores, const struct found *found)
{
    AUTO_RECORD *record = view_get(stores->kms->view, found->key);
    if (record == NULL || store_of(record)->state != STORE_CONNECTING)
        return;
    if (found->is_ours)
        connect_store(stores, record);
    else
        (void)take_over(stores, record); /* another has, or the next round sees to it */
}

static void look_once(struct stores *stores)
{
    uint64_t lease = stores->kms->config->fast_time ? LEASE_FAST_MS : LEASE_MS;
    struct found found = {.holder = stores->holder, .lost_before_ms = wall_ms() - lease};
    view_each(stores->kms->view, "store/", "", look, &found);
    if (found.key[0] != 0)
        visit(stores, &found);
    store_link_sweep(stores);
}

static void wait_locked(struct stores *stores)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    if (stores->kms->config->fast_time)
        until.tv_nsec += 100000000;
    else
        until.tv_sec += 1;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!stores->is_stopping && !stores->is_woken)
        (void)pthread_cond_timedwait(&stores->wake, &stores->lock, &until);
    stores->is_woken = false;
}

static void *work(void *context)
{
    struct stores *stores = context;
    (void)pthread_mutex_lock(&stores->lock);
    while (!stores->is_stopping) {
        (void)pthread_mutex_unlock(&stores->lock);
        look_once(stores);
        (void)pthread_mutex_lock(&stores->lock);
        wait_locked(stores);
    }
    (void)pthread_mutex_unlock(&stores->lock);
    return NULL;
}

enum rc store_connect_start(struct stores *stores)
{
    thread_cond_init(&stores->wake);
    int failed = pthread_create(&stores->worker, NULL, work, stores);
    stores->has_worker = failed == 0;
    return failed == 0 ? RC_OK : rc_fail(RC_NO_MEMORY, "no thread: %s", strerror(failed));
}

void store_connect_stop(struct stores *stores)
{
    if (!stores->has_worker)
        return;
    (void)pthread_mutex_lock(&stores->lock);
    stores->is_stopping = true;
    (void)pthread_cond_signal(&stores->wake);
    (void)pthread_mutex_unlock(&stores->lock);
    (void)pthread_join(stores->worker, NULL);
    (void)pthread_cond_destroy(&stores->wake);
}

void store_connect_wake(struct stores *stores)
{
    (void)pthread_mutex_lock(&stores->lock);
    stores->is_woken = true;
    (void)pthread_cond_signal(&stores->wake);
    (void)pthread_mutex_unlock(&stores->lock);
}
