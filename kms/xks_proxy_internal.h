/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the external key store proxy: credentials, keys, health. */
#ifndef QHSM_KMS_XKS_PROXY_INTERNAL_H
#define QHSM_KMS_XKS_PROXY_INTERNAL_H

#include <pthread.h>

#include "common/secret.h"
#include "kms/hsm_client.h"
#include "kms/xks.h"
#include "kms/xks_proxy.h"

/* ---- credentials (kms/xks_proxy_credential.c) */

struct xks_credential {
    char access_key[XKS_ACCESS_KEY_MAX + 1];
    struct secret secret;
};
struct xks_credentials {
    struct xks_credential *list;
    size_t count;
};
/* All lines "ACCESS_KEY SECRET" of the files. RC_CONFIG names file and line, never what is in it.
 */
enum rc xks_credentials_load(const struct config_list *files, struct xks_credentials *out);
void xks_credentials_clear(struct xks_credentials *credentials);
/* NULL: not known. */
const struct secret *xks_credentials_find(const struct xks_credentials *credentials,
                                          const char *access_key);

/* ---- keys (kms/xks_proxy_key.c) */

#define XKS_MATERIALS_MAX 16U

/* One key of the token: an external key may have several, of which the youngest encrypts. */
struct xks_material {
    uint64_t handle;
    uint8_t id[HSM_ID_LEN];
};
struct xks_key {
    char id[XKS_KEY_ID_MAX + 1];
    char label[HSM_LABEL_MAX + 1];
    bool can_encrypt, can_decrypt, is_enabled;
    struct xks_material materials[XKS_MATERIALS_MAX]; /* youngest first */
    size_t material_count;
    uint64_t looked_ms; /* 0: not yet */
};
struct xks_keys {
    struct xks_key *list;
    size_t count;
};
/* "ID LABEL [encrypt-only|decrypt-only|no-use|disabled]". RC_CONFIG. */
enum rc xks_keys_read(const struct config_list *lines, struct xks_keys *out);
void xks_keys_clear(struct xks_keys *keys);

struct xks_proxy {
    struct kms *kms;
    pthread_rwlock_t lock; /* credentials and keys */
    struct xks_credentials credentials;
    struct xks_keys keys;
    pthread_mutex_t health_lock;
    bool is_healthy;
    uint64_t health_ms; /* 0: not asked yet */
    struct hsm_health health;
    double permits; /* under health_lock, as is the time */
    uint64_t permits_ms;
};

/* A copy of the key with its materials as the HSM has them, looked up again when they are old or
 * `is_fresh` demands it. RC_NOT_FOUND: no such external key, or the token has none of its label. */
enum rc xks_proxy_key(struct xks_proxy *proxy, const char *id, bool is_fresh, struct xks_key *out);

/* Monotonic. */
uint64_t xks_proxy_now_ms(void);

/* ---- health (kms/xks_proxy_health.c) */

void xks_proxy_health(struct xks_proxy *proxy, struct http_answer *answer);
/* Of the quota. */
bool xks_proxy_take_permit(struct xks_proxy *proxy);
/* What the HSM's error is to a client of the proxy. */
enum xks_error xks_proxy_error(enum rc rc);

#endif
