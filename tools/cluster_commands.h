/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `qhsm cluster`, a file each for the longer ones; cmd_cluster.c has their table. */
#ifndef QHSM_TOOLS_CLUSTER_COMMANDS_H
#define QHSM_TOOLS_CLUSTER_COMMANDS_H

#include "tools/cli.h"

/* All options of all verbs: keys are CLI_OPTION and up, values here. */
struct cluster_options {
    const char *daemon_config; /* qhsmd.conf */
    const char *shares, *threshold;
    const char *out;
    const char *key;
    const char *life;
    const char *token;
    const char *role;
    const char *days;
    bool approve, yes, watch;
};

enum rc cluster_init(struct cli *cli, const struct cluster_options *options);
enum rc cluster_status(struct cli *cli, const struct cluster_options *options);
enum rc cluster_token_create(struct cli *cli, const struct cluster_options *options);
enum rc cluster_join(struct cli *cli, const struct cluster_options *options);
enum rc cluster_recover(struct cli *cli, const struct cluster_options *options);
enum rc cluster_certificate(struct cli *cli, const struct cluster_options *options);

#endif
