/* SPDX-License-Identifier: Apache-2.0 */
/* The halves of the proposer: what waits (proposer.c), the threads that send it (proposer_send.c),
 * linearizable reads (proposer_read.c). */
#ifndef QHSM_CLUSTER_PROPOSER_INTERNAL_H
#define QHSM_CLUSTER_PROPOSER_INTERNAL_H

#include <pthread.h>

#include "cluster/entry.h"
#include "cluster/proposer.h"
#include "cluster/service.h"

#define PROPOSER_SENDERS   4U
#define PROPOSER_BATCH_MAX ENTRY_EFFECTS_MAX
#define PROPOSER_PAUSE_MS  10U /* before something is tried again */
#define PROPOSER_LOOK_MS   20U /* while there is no leader */

/* An effect on its way. */
struct proposal_item {
    struct proposal_item *next;
    struct proposer *proposer;
    struct buf effect;
    bool repeatable; /* it has a sequence: told twice, it is done once */
    bool was_tried;
    bool is_unknown; /* may have been made by a leader that did not say */
    uint64_t expires_ms;
    consensus_done done;
    void *context;
    struct effect_result result; /* as the leader answered; its index here is waited for */
    uint64_t index;
};

struct index_reader {
    struct index_reader *next;
    struct proposer *proposer;
    uint64_t expires_ms;
    consensus_read done;
    void *context;
};

struct proposer {
    struct service *service;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the senders; a signal for one of them must not wake a reader */
    pthread_cond_t asked;   /* for the reader */
    bool stopping;
    struct consensus_leader leader;
    struct proposal_item *first, **last; /* wait for a leader, or for a sender */
    struct index_reader *readers;
    _Atomic size_t under_way; /* items, wherever they are */
    _Atomic uint64_t forwarded;
    unsigned thread_count;
    pthread_t threads[PROPOSER_SENDERS + 1];
};

/* proposer.c */

/* Tells its owner and frees it; `rc` with this thread's rc_detail(). */
void proposer_finish(struct proposal_item *item, enum rc rc);
/* Back among those that wait, after `rc` of a try; finished when stopping, or when time is over. */
void proposer_again(struct proposal_item *item, enum rc rc);
/* What the leader's answer to a whole message is to those who asked us: an HSM that it does not
 * admit was removed, and another serves them. */
enum rc proposer_refusal(const struct proposer *proposer, enum rc rc);
/* What to say of one that is given up for `rc`. */
enum rc proposer_give_up(const struct proposal_item *item, enum rc rc);
/* Into this HSM's own log. */
void proposer_append(struct proposal_item *item);
/* Until the condition, or PROPOSER_LOOK_MS; the lock is held. */
void proposer_look(struct proposer *proposer, pthread_cond_t *condition);

/* proposer_send.c */
void *proposer_send_run(void *proposer);

/* proposer_read.c */
void *proposer_read_run(void *proposer);
void proposer_read_finish(struct index_reader *reader, enum rc rc, uint64_t index);

#endif
