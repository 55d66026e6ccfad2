/* SPDX-License-Identifier: Apache-2.0 */
/* Asking all the others at once, before there is a roll to read: with this HSM's certificate, where
 * they were found last. */
#ifndef QHSM_CLUSTER_POSITION_ASK_H
#define QHSM_CLUSTER_POSITION_ASK_H

#include "cluster/server_config.h"
#include "common/buf.h"
#include "common/cluster.h"
#include "common/secret.h"

struct position_question {
    char endpoint[CLUSTER_ADDRESS_MAX + 8];
    enum rc rc;
    char detail[200];
    uint64_t known;
};

struct position_ask {
    bool is_open;
    unsigned long limit_ms;
    char *address; /* the configuration's */
    struct buf ca, cert;
    struct secret key;
    size_t count;
    struct position_question questions[CLUSTER_NODES_MAX];
};

enum rc position_ask_open(struct position_ask *ask, const struct server_config *config);
void position_ask_close(struct position_ask *ask);
/* Two elections' time at most; the answers are in the questions. */
enum rc position_ask_all(struct position_ask *ask, uint64_t index, bool gave_up);

#endif
