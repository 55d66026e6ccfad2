/* SPDX-License-Identifier: Apache-2.0 */
/* Linearizable reads: the leader is asked how far it has applied, one question for all who wait. */
#include <inttypes.h>
#include <stdlib.h>

#include "cluster/colleagues.h"
#include "cluster/proposer_internal.h"

#define ANSWER_MS 1000U

void proposer_read_finish(struct index_reader *reader, enum rc rc, uint64_t index)
{
    reader->done(reader->context, rc, index);
    free(reader);
}

static void push(struct index_reader *reader)
{
    struct proposer *proposer = reader->proposer;
    reader->next = proposer->readers;
    proposer->readers = reader;
    (void)pthread_cond_signal(&proposer->asked);
}

static void again(struct index_reader *reader, enum rc rc)
{
    struct proposer *proposer = reader->proposer;
    (void)pthread_mutex_lock(&proposer->lock);
    bool goes_on = !proposer->stopping && clock_steady_ms() < reader->expires_ms;
    if (goes_on)
        push(reader);
    (void)pthread_mutex_unlock(&proposer->lock);
    if (!goes_on)
        proposer_read_finish(reader, rc, 0);
}

/* The lead may have gone to somebody else, who can be asked. */
static void confirmed(void *context, enum rc rc, uint64_t applied)
{
    struct index_reader *reader = context;
    if (rc == RC_NO_QUORUM)
        again(reader, rc);
    else
        proposer_read_finish(reader, rc, applied);
}

static enum rc ask_here(struct index_reader *reader)
{
    return consensus_barrier(reader->proposer->service->consensus, confirmed, reader);
}

enum rc proposer_read_index(struct proposer *proposer, uint64_t expires_ms, consensus_read done,
                            void *context)
{
    TRY(proposer_check(proposer));
    struct index_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return RC_NO_MEMORY;
    *reader = (struct index_reader){
        .proposer = proposer, .expires_ms = expires_ms, .done = done, .context = context};
    (void)pthread_mutex_lock(&proposer->lock);
    enum rc rc = proposer->stopping ? rc_fail(RC_UNAVAILABLE, "the HSM is stopping") : RC_OK;
    bool is_here = proposer->leader.self;
    if (rc == RC_OK && !is_here)
        push(reader);
    (void)pthread_mutex_unlock(&proposer->lock);
    if (rc == RC_OK && is_here)
        rc = ask_here(reader);
    if (rc != RC_OK)
        free(reader);
    return rc;
}

/* ---- the thread that asks */

static enum rc ask_leader(struct proposer *proposer, uint64_t leader, uint64_t *out)
{
    struct colleagues *colleagues = proposer->service->colleagues;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    struct colleague_reply reply = {.msg = NULL};
    request.body_case = QHSM__REQUEST__BODY_READ_INDEX;
    request.read_index = &empty;
    enum rc rc = colleagues_call(colleagues, leader, &request, ANSWER_MS, &reply);
    if (rc == RC_OK && reply.msg->body_case == QHSM__RESPONSE__BODY_READ_INDEX)
        *out = reply.msg->read_index->index;
    else if (rc == RC_OK)
        rc = rc_fail(RC_PROTOCOL, "HSM %" PRIu64 " answered something else", leader);
    colleague_reply_clear(colleagues, &reply);
    return proposer_refusal(proposer, rc);
}

/* All who wait now; the lock is held. */
static struct index_reader *take_all(struct proposer *proposer)
{
    struct index_reader *list = proposer->readers;
    proposer->readers = NULL;
    return list;
}

static void settle(struct index_reader *list, const struct consensus_leader *leader, enum rc rc,
                   uint64_t index)
{
    while (list != NULL) {
        struct index_reader *reader = list;
        list = reader->next;
        if (leader->self && rc == RC_OK) {
            rc = ask_here(reader);
            if (rc != RC_OK)
                proposer_read_finish(reader, rc, 0);
        } else if (rc == RC_OK || rc == RC_DRAINING || rc == RC_DISK ||
                   (rc == RC_NO_QUORUM && leader->leader == 0)) {
            proposer_read_finish(reader, rc, index);
        } else {
            again(reader, rc);
        }
    }
}

/* Without a leader for long, those that wait are told so. */
static enum rc ask(struct proposer *proposer, const struct consensus_leader *leader,
                   uint64_t *out_index)
{
    *out_index = 0;
    if (leader->self)
        return RC_OK;
    if (leader->leader == 0)
        TRY(proposer_check(proposer));
    if (leader->leader == 0)
        return rc_fail(RC_DEADLINE, "no leader came in time");
    return ask_leader(proposer, leader->leader, out_index);
}

void *proposer_read_run(void *context)
{
    struct proposer *proposer = context;
    (void)pthread_mutex_lock(&proposer->lock);
    while (!proposer->stopping) {
        if (proposer->readers == NULL) {
            (void)pthread_cond_wait(&proposer->asked, &proposer->lock);
            continue;
        }
        struct consensus_leader leader = proposer->leader;
        struct index_reader *list = take_all(proposer);
        (void)pthread_mutex_unlock(&proposer->lock);
        uint64_t index = 0;
        enum rc rc = ask(proposer, &leader, &index);
        settle(list, &leader, rc, index);
        (void)pthread_mutex_lock(&proposer->lock);
        if (rc != RC_OK && !proposer->stopping)
            proposer_look(proposer, &proposer->asked);
    }
    (void)pthread_mutex_unlock(&proposer->lock);
    return NULL;
}
