/* SPDX-License-Identifier: Apache-2.0 */
/* Custom key stores: "store/REGION/ACCOUNT/ID", and the connections that this front end has to
 * them. Whether a store is connected is in its document; each front end then connects by itself. */
#ifndef QHSM_KMS_STORE_H
#define QHSM_KMS_STORE_H

#include "kms/hsm_client.h"
#include "kms/request.h"

#define STORE_NAME_MAX 256U /* characters */

enum store_type { STORE_CLOUDHSM, STORE_XKS };
enum store_state {
    STORE_DISCONNECTED,
    STORE_CONNECTING,
    STORE_CONNECTED,
    STORE_DISCONNECTING,
    STORE_FAILED
};

struct store {
    char id[KMS_STORE_ID_MAX + 1]; /* "cks-" and 17 hex digits */
    char region[KMS_REGION_MAX + 1];
    char account[KMS_ACCOUNT_LEN + 1];
    char name[4 * STORE_NAME_MAX + 1]; /* UTF-8 */
    enum store_type type;
    enum store_state state;
    char error_code[65]; /* ConnectionErrorCode; "" */
    uint64_t created_ms;
    /* CloudHSM */
    char cluster_id[65];
    char *trust_anchor;
    struct buf password;      /* encrypted under the front end's own key (kms/vault.h) */
    struct buf password_next; /* while it is being rotated: either may be the one */
    /* external key store */
    char xks_endpoint[129]; /* "https://host" */
    char xks_path[129];     /* "/prefix/kms/xks/v1" */
    char xks_connectivity[32];
    char xks_vpc_name[65];
    char xks_vpc_owner[13];
    char xks_access_key[31];
    struct buf xks_secret; /* encrypted likewise */
    /* while CONNECTING: which front end does it, since when; another takes over from a lost one */
    char holder[33];
    uint64_t since_ms;
};
/* "store/REGION/ACCOUNT/ID" into out[129]. */
void store_path(const struct store *store, char out[129]);
enum rc store_decode(const char *path, const json_t *value, void **out);
void store_free(void *store);
/* A new reference. */
enum rc store_encode(const struct store *store, json_t **out);
/* Deep. RC_NO_MEMORY. */
enum rc store_copy(const struct store *store, struct store **out);
enum rc store_new(struct store **out);
const char *store_state_name(enum store_state state); /* "CONNECTED" */
const char *store_type_name(enum store_type type);    /* "AWS_CLOUDHSM" */
static inline const struct store *store_of(const struct record *record)
{
    return record->data;
}
/* Compares and swaps. RC_CONFLICT. */
enum rc store_commit(struct view *view, const struct record *old, const struct store *fresh);
/* The one document that each change of the set of stores and each new key in one replaces, so that
 * names, clusters and external keys stay unique and no key is made in a store that goes, whoever
 * else is at it at the same time: "storeguard/all". */
enum rc store_guard_decode(const char *path, const json_t *value, void **out);
void store_guard_free(void *guard);

enum rc stores_new(struct kms *kms, struct stores **out);
void stores_free(struct stores *stores);
/* The cluster of a connected CloudHSM store, for the call. KMS_INVALID_STATE when the store is not
 * connected, KMS_DEPENDENCY_TIMEOUT when it does not answer. */
enum kms_error stores_hsm(struct stores *stores, const struct record *store,
                          struct hsm_client **out);
void stores_hsm_done(struct stores *stores, struct hsm_client *client);
/* What `rc` of a CloudHSM store's cluster means to the caller: KMS_INVALID_STATE where kmsuser's
 * password or the cluster is no longer what it was at the connection, else as kms_from_rc(). */
enum kms_error stores_from_rc(const struct record *store, enum rc rc);
/* By the external key at its proxy: the outer layer. `plain` is what KMS's own material has
 * encrypted before (kms/backing.c); the ciphertext's form is xks_client_encrypt()'s. */
enum kms_error stores_xks_encrypt(struct kms_request *request, const struct record *store,
                                  const struct key *key, struct bytes aad, struct bytes plain,
                                  struct buf *out);
enum kms_error stores_xks_decrypt(struct kms_request *request, const struct record *store,
                                  const struct key *key, struct bytes aad, struct bytes ciphertext,
                                  struct secret *out);
/* Is the store of this key connected? Any store that is not known: no. */
bool stores_is_connected(const struct kms *kms, const struct key *key);
/* CreateKey in a store: KMS_CUSTOM_STORE_INVALID_STATE and its kin, the XKS key's check. */
enum kms_error stores_admit_key(struct kms_request *request, const struct record *store,
                                struct key *key);
/* The store's record by id: new reference, or KMS_CUSTOM_STORE_NOT_FOUND. */
enum kms_error stores_find(const struct kms_request *request, const char *id, struct record **out);

#endif
