/* SPDX-License-Identifier: Apache-2.0 */
/* A raft_io that only remembers what it was asked, and the guards round it. */
#ifndef QHSM_TESTS_RAFT_GUARD_FAKE_H
#define QHSM_TESTS_RAFT_GUARD_FAKE_H

#include <raft.h>

#include "cluster/raft_guard.h"

struct guard_fake {
    unsigned members; /* of the snapshot that was put */
    raft_index members_index;
    unsigned gets, puts, sends, receives;
    struct raft_io_snapshot_get *get;
    raft_io_snapshot_get_cb got;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_done;
    struct raft_io_send *send;
    raft_io_send_cb sent;
    raft_term sent_term;  /* of an InstallSnapshot */
    raft_index sent_last; /* of an answer to entries */
    raft_term sent_vote;  /* of a vote that is asked for */
    char sent_address[16];
    int send_result;
    raft_io_recv_cb recv;
    raft_io_tick_cb tick;
    int store_result;
    int append_result;
    unsigned truncates;
    unsigned stores;
    raft_id vote;
    unsigned callbacks;
    int status; /* of the last of them */
    unsigned closes;
    raft_time now;
};
extern struct guard_fake fake;

/* Everything is forgotten. */
void guard_fake_begin(struct raft_guard *guard);
/* Callbacks: one more in fake.receives, or in fake.callbacks. */
void guard_fake_received(struct raft_io *io, struct raft_message *message);
void guard_fake_sent(struct raft_io_send *request, int status);

#endif
