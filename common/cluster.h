/* SPDX-License-Identifier: Apache-2.0 */
/* Words about the cluster that daemon, state and command line share; numbers are on the wire and in
 * the log, and never reused. */
#ifndef QHSM_COMMON_CLUSTER_H
#define QHSM_COMMON_CLUSTER_H

#define CLUSTER_NODES_MAX   64U
#define CLUSTER_VOTERS_MAX  5U
#define CLUSTER_ZONE_MAX    32U
#define CLUSTER_ADDRESS_MAX 255U

enum node_status {
    NODE_PENDING = 1,  /* has joined with a token; an officer has not approved */
    NODE_APPROVED = 2, /* may fetch certificate and master key */
    NODE_MEMBER = 3,   /* has been added to the engine's configuration */
    NODE_REMOVED = 4,  /* for good: its number is not used again */
    NODE_ZEROIZED = 5, /* tampered with; is to be removed */
    NODE_STATUS_END,
};

enum node_wanted {
    NODE_AUTO = 0, /* a voter while there are fewer than CLUSTER_VOTERS_MAX */
    NODE_VOTER = 1,
    NODE_STANDBY = 2, /* serves keys, does not vote */
    NODE_WANTED_END,
};

enum member_action {
    MEMBER_APPROVE = 1,
    MEMBER_PROMOTE = 2,
    MEMBER_DEMOTE = 3,
    MEMBER_REMOVE = 4,
    MEMBER_DRAIN = 5,
    MEMBER_UNDRAIN = 6,
    MEMBER_LEAD = 7, /* transfer-leader; id 0: to any */
    MEMBER_ACTION_END,
};

enum chaos_kind {
    CHAOS_HEAL = 1,      /* everything below */
    CHAOS_LINK = 2,      /* in, out, delay_ms, drop_permille of `peer` (0: all): engine and requests
                            between HSMs */
    CHAOS_CLOCK = 3,     /* clock_ms is added to the wall clock */
    CHAOS_DISK_FULL = 4, /* the disk counts as full */
    CHAOS_TAMPER = 5,    /* zeroizes this HSM */
    CHAOS_STATUS = 6,    /* changes nothing; as all of them tells what is emulated */
    CHAOS_KIND_END,
};

#endif
