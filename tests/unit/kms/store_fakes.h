/* SPDX-License-Identifier: Apache-2.0 */
/* A front end without cluster: documents in a list, clusters with a user, a vault that only
 * disguises. What is linked with it finds these in the place of view, vault and client. */
#ifndef QHSM_TESTS_KMS_STORE_FAKES_H
#define QHSM_TESTS_KMS_STORE_FAKES_H

#include "kms/request.h"
#include "kms/store.h"

enum fake_rotation {
    FAKE_ROTATES,
    FAKE_LOSES_ANSWER,  /* it happens, and nobody hears of it */
    FAKE_LOSES_REQUEST, /* it does not happen */
};

#define FAKE_CLUSTERS 2U
#define FAKE_CA       "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n"
#define FAKE_OTHER_CA "-----BEGIN CERTIFICATE-----\nR0hJ\n-----END CERTIFICATE-----\n"

struct fake_cluster {
    const char *id; /* CloudHsmClusterId, and the path of its client.conf */
    const char *ca;
    char password[65];
    bool has_user, is_locked, is_down, has_no_quorum;
    unsigned wrong, logins;
    uint32_t sessions; /* of kmsuser, somebody else's */
    enum fake_rotation rotation;
    unsigned zones;     /* active HSMs, each in a zone of its own */
    unsigned same_zone; /* further ones in the first's */
};

/* Makes the world: clusters "cluster-aaaaaaaaaaa" and "cluster-bbbbbbbbbbb" with user kmsuser of
 * password "first-password", certificate FAKE_CA, two zones. */
struct kms *fake_kms(void);
struct kms *fake_kms_get(void);
struct kms_config *fake_config(void);
void fake_end(void);
struct fake_cluster *fake_cluster(unsigned index);
/* Another front end of the same documents: its stores, to be freed by stores_free(). */
struct stores *fake_other_stores(void);
/* The next so many commits answer this. */
void fake_commits_fail(unsigned count, enum rc rc);
/* Changes a store's document, as another front end would. */
void fake_change(const char *id, void (*change)(struct store *store));
/* A KMS key of that store. */
void fake_key(const char *id, const char *store_id, const char *xks_key_id);
/* The stored JSON of all documents, as one text; to be freed. */
char *fake_documents(void);
/* Reference to the record of a store of us-east-1 and account 111122223333. */
struct record *fake_store(const char *id);
/* Waits until it is in that state. */
bool fake_wait(const char *id, enum store_state state);

/* Runs an operation on JSON ('single quotes') and gives its output in *out (NULL: not wanted). */
enum kms_error fake_run(enum kms_error (*operation)(struct kms_request *), const char *name,
                        const char *json, json_t **out);
void fake_request(struct kms_request *request, const char *name, const char *json);
void fake_request_end(struct kms_request *request);

#endif
