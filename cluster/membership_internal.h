/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the membership thread: membership.c is what every HSM does, membership_lead.c what the
 * one that leads does, membership_change.c how it asks the engine. */
#ifndef QHSM_CLUSTER_MEMBERSHIP_INTERNAL_H
#define QHSM_CLUSTER_MEMBERSHIP_INTERNAL_H

#include <pthread.h>

#include "cluster/membership.h"
#include "cluster/roll.h"
#include "cluster/service.h"

/* A stand-by on its way to voting. */
struct candidate {
    uint64_t id;      /* 0: none */
    uint64_t applied; /* state's index when it was to be compared */
    uint64_t asked_ms;
};

/* What was last made of a member, so that only changes are acted upon. */
struct known_node {
    uint64_t id;
    enum node_status status;
    bool is_in;
    char address[CLUSTER_ADDRESS_MAX + 1];
    char endpoint[CLUSTER_ADDRESS_MAX + 1];
};

struct refusal {
    uint64_t id; /* 0: free */
    char reason[MEMBERSHIP_REASON_LEN];
};

struct membership {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_woken;
    struct refusal refusals[CLUSTER_NODES_MAX]; /* under the lock, as the above */
    _Atomic bool stopping;

    /* the thread's own */
    uint64_t epochs;    /* of the roll, when it was last looked at */
    uint64_t seen_ms;   /* when that was */
    bool has_joined;    /* the mark of a first start is gone */
    bool has_peers;     /* they are noted for the next start */
    bool is_out;        /* this HSM */
    enum rc address_rc; /* of telling the roll that it moved */
    struct known_node known[CLUSTER_NODES_MAX];
    struct candidate candidate;
    uint64_t saved_for; /* what the last backup before a change was for */
    uint64_t told_id, told_ms;
    enum rc told_rc;
    struct roll_node nodes[CLUSTER_NODES_MAX];
    size_t node_count;
    struct consensus_member members[CLUSTER_NODES_MAX];
    size_t member_count;
};

/* One step towards what the roll says. True: something was done, look again at once. */
bool membership_lead(struct membership *membership, const struct consensus_status *status);
/* What the leader had begun and another one now has to. */
void membership_forget(struct membership *membership);

/* Each waits for its outcome, or for the membership's end (RC_CANCELLED). */
enum rc membership_add(struct membership *membership, const struct roll_node *node);
enum rc membership_assign(struct membership *membership, uint64_t id, enum consensus_role role);
enum rc membership_drop(struct membership *membership, uint64_t id);
enum rc membership_transfer(struct membership *membership, uint64_t id);

#endif
