/* SPDX-License-Identifier: Apache-2.0 */
/* What this front end holds of custom key stores: its logins at their clusters, opened secrets of
 * proxies, and each store's quota. */
#ifndef QHSM_KMS_STORE_LINK_H
#define QHSM_KMS_STORE_LINK_H

#include <pthread.h>

#include "kms/store.h"
#include "kms/xks_client.h"

/* Of one store as one version of its document has it: another version makes another link. */
struct store_link {
    struct store_link *next;
    char key[129];
    uint64_t version;
    unsigned refs;  /* under stores->lock, as are the quota and is_old */
    bool is_old;    /* freed with the last reference */
    double permits; /* quota: what may still be asked for */
    uint64_t permits_ms;
    pthread_mutex_t opening;   /* for all below */
    struct hsm_client *client; /* CloudHSM, logged in */
    struct secret secret;      /* of the proxy's credential */
    enum rc refused;           /* why the last attempt to open failed */
    uint64_t refused_ms;
};

struct stores {
    struct kms *kms;
    struct xks_client *xks;
    char holder[33]; /* this front end, while it runs */
    pthread_mutex_t lock;
    struct store_link *links;
    pthread_t worker; /* kms/store_connect.c */
    pthread_cond_t wake;
    bool has_worker;
    bool is_woken;
    bool is_stopping;
};

/* The store's link with a permit of its quota taken; it is opened when it is not. KMS_THROTTLING;
 * KMS_INVALID_STATE when the store is not connected or kmsuser's password is not the one we have;
 * KMS_DEPENDENCY_TIMEOUT. */
enum kms_error store_link_take(struct stores *stores, const struct record *record,
                               struct store_link **out);
void store_link_done(struct stores *stores, struct store_link *link);
/* That of a client that was handed out. */
struct store_link *store_link_of(struct stores *stores, const struct hsm_client *client);
/* Lets go of what belongs to stores that are not connected any more. */
void store_link_sweep(struct stores *stores);
void store_link_free_all(struct stores *stores);

/* A client of the cluster of that CloudHsmClusterId, not logged in. RC_NOT_FOUND: no such cluster
 * in the configuration. */
enum rc store_link_client(const struct kms *kms, const char *cluster_id, struct hsm_client **out);
/* Logs in with the store's password, or the one that it was to be rotated to. */
enum rc store_link_login(const struct kms *kms, const struct store *store,
                         struct hsm_client *client, bool *out_is_next);

/* ---- external key stores (kms/store_xks.c) */

/* Asks the proxy for its health: NULL, or the ConnectionErrorCode. */
const char *store_xks_connect(struct stores *stores, const struct record *record);
/* What `secret` and the settings of `store` do at the proxy: an error of CreateCustomKeyStore. */
enum kms_error store_xks_check(struct kms_request *request, const struct store *store,
                               const struct secret *secret);
/* CreateKey: is the external key one that AWS KMS can use? */
enum kms_error store_xks_admit(struct kms_request *request, const struct record *record,
                               const struct key *key);

#endif
