/* SPDX-License-Identifier: Apache-2.0 */
/* Asks several HSMs at once how they are. */
#ifndef QHSM_CLUSTER_SURVEY_H
#define QHSM_CLUSTER_SURVEY_H

#include "cluster/colleagues.h"
#include "common/cluster.h"

struct survey_answer {
    uint64_t id; /* set by the caller */
    enum rc rc;
    char detail[200];
    const Qhsm__StatusReply *status; /* NULL: it did not answer, and `detail` says why */
    struct colleague_reply reply;
};

/* At most CLUSTER_NODES_MAX; blocks for timeout_ms and a little. This HSM itself is not asked.
 * `login_of`: a user whose logins are counted, or 0. Clear the answers afterwards. */
void survey_ask(struct service *service, struct survey_answer *answers, size_t count,
                uint64_t login_of, unsigned timeout_ms);
void survey_clear(struct service *service, struct survey_answer *answers, size_t count);

#endif
