/* SPDX-License-Identifier: Apache-2.0 */
/* A KMS front end beside a development cluster: what it needs in DIR/kms, and its process. */
#ifndef QHSM_TOOLS_KMS_DEV_H
#define QHSM_TOOLS_KMS_DEV_H

#include "tools/dev.h"
#include "tools/process.h"

#define KMS_DEV_TOKEN "kms"
#define KMS_DEV_USER  "kmsuser"

struct kms_dev {
    const struct dev *dev;
    const char *name;   /* of this front end: DIR/kms/NAME.conf, .log, .pid, .ports */
    const char *listen; /* address; NULL: 127.0.0.1 */
    bool fast_time;
    bool no_throttle; /* without AWS's quotas */
};

/* Token, user, certificates, the administrator's access key, the configuration: what is not there
 * yet. RC_CONFLICT when the cluster has a token of that name and DIR/kms no password for it. */
enum rc kms_dev_setup(const struct kms_dev *kms);
enum rc kms_dev_process(const struct kms_dev *kms, struct process *out);
/* Waits until it answers. RC_UNAVAILABLE with the last line of its log. */
enum rc kms_dev_wait(const struct kms_dev *kms, unsigned timeout_ms);
/* "http://127.0.0.1:1234"; appends. */
enum rc kms_dev_endpoint(const struct kms_dev *kms, bool https, struct buf *out);
/* The administrator's access key and what else programs want, into DIR/env. */
enum rc kms_dev_env(const struct kms_dev *kms);
/* DIR/kms/FILE; appends. */
enum rc kms_dev_path(const struct kms_dev *kms, const char *file, struct buf *out);
/* kms_dev_token.c: the token and its user, when they are not there yet. */
enum rc kms_dev_token(const struct kms_dev *kms);
/* All front ends of the cluster that run are stopped. */
enum rc kms_dev_stop_all(const struct dev *dev, unsigned timeout_ms);

#endif
