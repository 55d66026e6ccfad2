/* SPDX-License-Identifier: Apache-2.0 */
/* The front end as a whole: what its parts share. */
#ifndef QHSM_KMS_KMS_H
#define QHSM_KMS_KMS_H

#include "kms/config.h"
#include "kms/error.h"

struct view;
struct hsm_client;
struct audit;
struct throttle;
struct stores;
struct chores;
struct xks_proxy;
struct vault;
struct backing_handles;

struct kms {
    const struct kms_config *config;
    struct hsm_client *hsm; /* of the cluster that keeps the documents and the keys of KMS itself */
    struct view *view;
    struct vault *vault;
    struct backing_handles *handles; /* of backing keys; NULL: each is asked for when needed */
    struct stores *stores;           /* custom key stores: connections */
    struct audit *audit;             /* CloudTrail */
    struct throttle *throttle;       /* quotas */
    struct chores *chores;           /* deletions, rotations, expiries that are due */
    struct xks_proxy *xks;           /* NULL: not configured */
};

/* Connects, reads the documents, starts the threads. No listener: see kms/server.h. */
enum rc kms_new(const struct kms_config *config, struct kms **out);
void kms_free(struct kms *kms);
/* Again from the files: logging, certificates, proxy credentials. */
enum rc kms_reload(struct kms *kms, const struct kms_config *config);

#endif
