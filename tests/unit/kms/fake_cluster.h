/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster in memory behind kms/hsm_client.h, for tests of what stands on it: documents with
 * versions, and backing keys whose encryption only looks like one. */
#ifndef QHSM_TESTS_KMS_FAKE_CLUSTER_H
#define QHSM_TESTS_KMS_FAKE_CLUSTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "kms/hsm_client.h"

#define FAKE_DOCUMENTS_MAX 512U
#define FAKE_KEYS_MAX      128U

struct fake_document {
    char key[129];
    char *value;
    uint64_t version; /* 0: removed */
    uint64_t changed; /* index */
};

struct fake_cluster {
    pthread_mutex_t lock;
    uint8_t id[16];
    uint64_t index;
    struct fake_document documents[FAKE_DOCUMENTS_MAX]; /* keys ascending */
    size_t document_count;
    _Atomic size_t page_max;
    uint64_t forgotten; /* removals up to here are not known */
    struct hsm_key keys[FAKE_KEYS_MAX];
    size_t key_count;
    uint64_t next_handle;
    /* trouble */
    _Atomic uint64_t behind; /* one reply is as of an index so much earlier, and without news */
    _Atomic(enum rc) fail;   /* of every call */
    _Atomic(enum rc) fail_change; /* of the next change */
    _Atomic(enum rc) fail_delete; /* of a backing key */
    atomic_int changes_left;      /* then they fail; negative: no end */
    atomic_uint delay_ms;         /* of a reading of documents */
    atomic_bool is_view_old;      /* uses of keys with a view are refused */
    /* what was seen */
    atomic_uint asked; /* for documents */
    uint64_t last_view;
    size_t last_grounds; /* of a change */
    uint64_t last_key;
};

/* Two clients of one cluster are two front ends. */
struct hsm_client {
    struct fake_cluster *cluster;
};

void fake_cluster_init(struct fake_cluster *cluster);
void fake_cluster_clear(struct fake_cluster *cluster);
/* Somebody else changes a document; value NULL: removes it. */
void fake_cluster_put(struct fake_cluster *cluster, const char *key, const char *value);
/* All removals so far are forgotten. */
void fake_cluster_forget(struct fake_cluster *cluster);
/* Another cluster with the same documents, whose index begins at 1. */
void fake_cluster_restore(struct fake_cluster *cluster);
/* The backing keys get other numbers. */
void fake_cluster_renumber(struct fake_cluster *cluster);
/* NULL when there is none. Under no lock: for tests with one thread. */
const struct fake_document *fake_cluster_document(struct fake_cluster *cluster, const char *key);

#endif
