/* SPDX-License-Identifier: Apache-2.0 */
/* What qhsm-kms does beside serving: `qhsm-kms VERB --config FILE ARGUMENT...`, for administrators
 * of the machine (qhsm passes `kms explain`, `trail verify` and `keystore orphans`, `documents`
 * on). Each prints its result to standard output; its error goes to standard error and the exit
 * code. */
#ifndef QHSM_KMS_VERBS_H
#define QHSM_KMS_VERBS_H

#include "kms/kms.h"

struct verb {
    const char *name;
    const char *arguments; /* for --help */
    const char *help;
    int least, most; /* arguments */
    bool needs_hsm;  /* `kms` is a front end without trail and listeners; else NULL */
    enum rc (*run)(const struct kms_config *config, struct kms *kms, int count, char **arguments);
};
/* NULL after the last: kms/verbs.c lists them. */
const struct verb *verb_at(size_t index);

#endif
