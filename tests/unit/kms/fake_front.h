/* SPDX-License-Identifier: Apache-2.0 */
/* A front end over two clusters in memory: its own, and that of the custom key store "cks-1".
 * Records, view and backing are the real ones. */
#ifndef QHSM_TESTS_KMS_FAKE_FRONT_H
#define QHSM_TESTS_KMS_FAKE_FRONT_H

#include "kms/backing.h"
#include "tests/unit/kms/fake_cluster.h"

#define FRONT_REGION  "us-east-1"
#define FRONT_ACCOUNT "111122223333"
#define FRONT_TIME_MS UINT64_C(1763818859123)

struct front {
    struct fake_cluster own, foreign;
    struct hsm_client own_client, foreign_client;
    struct kms kms;
    struct kms_config config;
    struct kms_request request; /* with the view's index as it was when front_look() was called */
    bool is_connected;          /* the store */
    atomic_uint handed_out;     /* clients of the store that were not given back */
    unsigned at_proxy;          /* calls of the external key store's proxy */
    /* the trail */
    atomic_uint events;
    char event[64];
};
extern struct front front;

void front_begin(void);
void front_end(void);
/* A request begins: view and time. */
void front_look(void);
/* A key with material, put into its document; id "k1" and so on. */
struct key *front_key(const char *id, enum key_origin origin, enum keystore_spec spec,
                      enum keystore_use use);
/* Commits a new key or a changed one, and frees it. */
void front_put(struct key *key);
/* New references; NULL. */
struct record *front_get(const char *id);
struct record *front_get_in(const char *region, const char *id);
/* A copy to change. */
struct key *front_copy(const char *id);
void front_document(const char *path, const char *json);
bool front_has(const char *path);

#endif
