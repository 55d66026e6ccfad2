/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that take effects to the leader, many in one message. */
#include <inttypes.h>

#include "cluster/colleagues.h"
#include "cluster/handlers.h"
#include "cluster/proposer_internal.h"
#include "common/log.h"

#define BATCH_LEN_MAX ((size_t)256 * 1024)
/* What the leader does not answer in time is asked again, of whoever leads then; but for an effect
 * that cannot be repeated its answer is worth more patience. */
#define ANSWER_MS      1000U
#define ANSWER_ONCE_MS 3000U

struct send_batch {
    struct proposer *proposer;
    size_t count;
    bool was_tried, is_repeatable;
    struct proposal_item *items[PROPOSER_BATCH_MAX];
    ProtobufCBinaryData effects[PROPOSER_BATCH_MAX];
};

/* ---- what waits; the lock is held */

static struct proposal_item *pop(struct proposer *proposer)
{
    struct proposal_item *item = proposer->first;
    proposer->first = item->next;
    if (proposer->first == NULL)
        proposer->last = &proposer->first;
    item->next = NULL;
    return item;
}

static void take(struct proposer *proposer, struct send_batch *batch)
{
    size_t len = 0;
    *batch = (struct send_batch){.proposer = proposer, .is_repeatable = true};
    while (proposer->first != NULL && batch->count < PROPOSER_BATCH_MAX) {
        len += proposer->first->effect.len;
        if (batch->count > 0 && len > BATCH_LEN_MAX)
            break;
        struct proposal_item *item = pop(proposer);
        batch->was_tried = batch->was_tried || item->was_tried;
        batch->is_repeatable = batch->is_repeatable && item->repeatable;
        batch->items[batch->count++] = item;
    }
}

/* Those whose time is over, or all when there is nobody to wait for; a list of them. */
static struct proposal_item *weed(struct proposer *proposer, bool all, uint64_t now_ms)
{
    struct proposal_item *weeds = NULL;
    struct proposal_item **link = &proposer->first;
    while (*link != NULL) {
        struct proposal_item *item = *link;
        if (!all && now_ms < item->expires_ms) {
            link = &item->next;
            continue;
        }
        *link = item->next;
        item->next = weeds;
        weeds = item;
    }
    proposer->last = link;
    return weeds;
}

/* ---- without a leader */

static void give_up_all(struct proposal_item *list, enum rc rc)
{
    char detail[160];
    (void)snprintf(detail, sizeof detail, "%s", rc_detail());
    while (list != NULL) {
        struct proposal_item *item = list;
        list = item->next;
        proposer_finish(item, proposer_give_up(item, rc_fail(rc, "%s", detail)));
    }
}

/* Ends what is over; the lock is given up meanwhile. */
static void clean(struct proposer *proposer)
{
    (void)pthread_mutex_unlock(&proposer->lock);
    enum rc rc = proposer_check(proposer);
    (void)pthread_mutex_lock(&proposer->lock);
    struct proposal_item *weeds = weed(proposer, rc != RC_OK, clock_steady_ms());
    (void)pthread_mutex_unlock(&proposer->lock);
    if (rc == RC_OK)
        rc = rc_fail(RC_DEADLINE, "no leader took it in time");
    give_up_all(weeds, rc);
    (void)pthread_mutex_lock(&proposer->lock);
}

/* ---- to the leader */

/* On the consensus thread, or at once. The leader has answered: whatever ends the waiting for this
 * HSM is no refusal. */
static void caught_up(void *context, enum rc rc, uint64_t applied)
{
    struct proposal_item *item = context;
    if (rc != RC_OK)
        rc = rc_fail(RC_OUTCOME_UNKNOWN,
                     "the cluster has answered (index %" PRIu64 "), but this HSM is still at "
                     "%" PRIu64,
                     item->index, applied);
    proposer_finish(item, rc);
}

static void made(struct proposal_item *item, const Qhsm__ProposeResult *result)
{
    struct effect_result *out = &item->result;
    *out = (struct effect_result){.rc = rc_from_wire(result->result)};
    for (size_t i = 0; i < result->n_handles && i < EFFECT_HANDLES_MAX; i++)
        out->handles[out->handle_count++] = result->handles[i];
    item->index = result->index;
    enum rc rc = consensus_when_applied(item->proposer->service->consensus, item->index,
                                        item->expires_ms, caught_up, item);
    if (rc != RC_OK)
        caught_up(item, rc, state_applied(item->proposer->service->hsm->state));
}

static void answered(struct proposal_item *item, const Qhsm__ProposeResult *result)
{
    enum rc rc = rc_from_wire(result->rc);
    bool is_undone = rc == RC_NO_QUORUM || rc == RC_UNAVAILABLE;
    if (rc == RC_OK)
        made(item, result);
    else if (is_undone || (rc == RC_OUTCOME_UNKNOWN && item->repeatable))
        proposer_again(item, rc);
    else
        proposer_finish(item, proposer_give_up(item, rc_fail(rc, "%s", result->detail)));
}

/* Was the message as a whole certainly not acted on, so that it may be sent again? */
static bool is_untouched(enum rc rc, bool has_answer)
{
    return rc == RC_UNAVAILABLE || rc == RC_NOT_FOUND || (has_answer && rc == RC_OVERLOADED) ||
           (has_answer && rc == RC_NO_QUORUM);
}

static void unanswered(const struct send_batch *batch, enum rc rc, bool has_answer)
{
    char detail[160];
    (void)snprintf(detail, sizeof detail, "%s", rc_detail());
    for (size_t i = 0; i < batch->count; i++) {
        struct proposal_item *item = batch->items[i];
        if (is_untouched(rc, has_answer) || (!has_answer && item->repeatable))
            proposer_again(item, is_untouched(rc, has_answer) ? rc : RC_OUTCOME_UNKNOWN);
        else
            proposer_finish(item,
                            proposer_give_up(item, rc_fail(has_answer ? rc : RC_OUTCOME_UNKNOWN,
                                                           "the HSM that leads: %s", detail)));
    }
}

static void forward(struct send_batch *batch, uint64_t leader)
{
    struct colleagues *colleagues = batch->proposer->service->colleagues;
    Qhsm__ProposeRequest propose = QHSM__PROPOSE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    struct colleague_reply reply = {.msg = NULL};
    for (size_t i = 0; i < batch->count; i++)
        batch->effects[i] = handlers_data(buf_bytes(&batch->items[i]->effect));
    propose.n_effects = batch->count;
    propose.effects = batch->effects;
    request.body_case = QHSM__REQUEST__BODY_PROPOSE;
    request.propose = &propose;
    enum rc rc = colleagues_call(colleagues, leader, &request,
                                 batch->is_repeatable ? ANSWER_MS : ANSWER_ONCE_MS, &reply);
    const Qhsm__Response *msg = reply.msg;
    bool fits = rc == RC_OK && msg->body_case == QHSM__RESPONSE__BODY_PROPOSE &&
                msg->propose->n_results == batch->count;
    if (rc == RC_OK && !fits)
        rc = rc_fail(RC_PROTOCOL, "HSM %" PRIu64 " answered something else", leader);
    if (rc != RC_OK) {
        log_debug("forward_failed", "leader=%" PRIu64 " count=%zu error=%s detail=\"%s\"", leader,
                  batch->count, rc_info(rc)->name, rc_detail());
        unanswered(batch, proposer_refusal(batch->proposer, rc), msg != NULL && rc != RC_PROTOCOL);
    } else {
        atomic_fetch_add(&batch->proposer->forwarded, batch->count);
        for (size_t i = 0; i < batch->count; i++)
            answered(batch->items[i], msg->propose->results[i]);
    }
    colleague_reply_clear(colleagues, &reply);
}

static void send_to(struct send_batch *batch, const struct consensus_leader *leader)
{
    if (leader->self) {
        for (size_t i = 0; i < batch->count; i++)
            proposer_append(batch->items[i]);
    } else {
        forward(batch, leader->leader);
    }
}

static void pause_a_little(void)
{
    const struct timespec time = {.tv_nsec = PROPOSER_PAUSE_MS * 1000L * 1000};
    (void)nanosleep(&time, NULL);
}

/* What was tried lately waits a little. The lock is given up meanwhile. */
static void send_some(struct proposer *proposer)
{
    struct send_batch batch;
    struct consensus_leader leader = proposer->leader;
    take(proposer, &batch);
    (void)pthread_mutex_unlock(&proposer->lock);
    if (batch.was_tried)
        pause_a_little();
    if (batch.count > 0)
        send_to(&batch, &leader);
    (void)pthread_mutex_lock(&proposer->lock);
}

void *proposer_send_run(void *context)
{
    struct proposer *proposer = context;
    (void)pthread_mutex_lock(&proposer->lock);
    while (!proposer->stopping) {
        if (proposer->first == NULL) {
            (void)pthread_cond_wait(&proposer->changed, &proposer->lock);
        } else if (proposer->leader.leader == 0) {
            clean(proposer);
            if (proposer->first != NULL && !proposer->stopping)
                proposer_look(proposer, &proposer->changed);
        } else {
            send_some(proposer);
        }
    }
    (void)pthread_mutex_unlock(&proposer->lock);
    return NULL;
}
