/* SPDX-License-Identifier: Apache-2.0 */
/* A request at an HSM: catch up with what the client has seen, ask the leader for an index where it
 * matters, make the effect, propose it here or forward it, repeat what has no known outcome under
 * the same id, wait until it is applied here, answer. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"

#define TASK_MS    2500U
#define FORWARD_MS 400U
#define RETRY_MS   40U

enum stage {
    STAGE_CATCH_UP, /* until `need` is applied: then prepare */
    STAGE_ASKED,    /* the leader, for an index */
    STAGE_SEND,     /* the effect, at `timer` */
    STAGE_SENT,
    STAGE_APPLY, /* until `need` is applied: then answer */
    STAGE_OVER
};

struct task {
    struct task *next;
    struct node *node;
    struct request request;
    unsigned attempt; /* the client's */
    enum stage stage;
    uint64_t deadline, timer, need;
    bool confirmed; /* the leader was asked */
    bool maybe;     /* an effect may be in a log */
    unsigned turn;  /* of asking and sending: for answers that come late */
    struct bytes effect;
    struct answer answer;
};

/* ---- answering */

struct reply {
    struct request request;
    unsigned attempt;
    struct answer answer;
};

static void reply_arrives(struct node *node, void *context)
{
    (void)node;
    const struct reply *reply = context;
    clients_answered(&reply->request, reply->attempt, &reply->answer);
}

static void finish(struct task *task, enum rc rc)
{
    struct reply *reply = sim_alloc(sizeof *reply);
    trace("node %llu answers client %u %s", task->node->id, task->request.client,
          rc_info(rc)->name);
    task->stage = STAGE_OVER;
    task->answer.rc = rc;
    *reply =
        (struct reply){.request = task->request, .attempt = task->attempt, .answer = task->answer};
    if (!random_chance(10))
        event_after(random_between(50, 400), NULL, reply_arrives, reply);
}

static void nothing(struct node *node, void *context)
{
    (void)node; /* what follows each event is the point */
    (void)context;
}

static void wake_later(uint64_t delay_us, struct task *task)
{
    task->timer = sim.now + delay_us;
    event_after(delay_us, task->node, nothing, NULL);
}

/* ---- results, from here or from the leader */

static void send_again(struct task *task)
{
    task->stage = STAGE_SEND;
    wake_later(RETRY_MS * MS, task);
}

static void effect_ended(struct task *task, enum rc rc, const struct effect_result *result,
                         uint64_t index)
{
    trace("node %llu: %s %s: %s, %s at %llu", task->node->id, request_name(task->request.kind),
          task->request.name, rc_info(rc)->name, rc_info(result->rc)->name,
          (unsigned long long)index);
    if (rc == RC_OUTCOME_UNKNOWN)
        task->maybe = true;
    if (rc != RC_OK) {
        send_again(task);
        return;
    }
    task->need = index;
    task->answer.index = index;
    if (result->rc == RC_OUTCOME_UNKNOWN)
        task->maybe = true;
    task->answer.rc = result->rc;
    task->stage = STAGE_APPLY;
}

static void index_came(struct task *task, enum rc rc, uint64_t index)
{
    task->stage = STAGE_CATCH_UP;
    if (rc != RC_OK) {
        task->need = 0;
        task->timer = sim.now + RETRY_MS * MS;
        event_after(RETRY_MS * MS, task->node, nothing, NULL);
        return;
    }
    task->confirmed = true;
    task->timer = 0;
    task->need = index;
}

/* ---- asking the leader: over the network unless it is this node */

struct question {
    struct task *task;
    struct node *from, *at;
    unsigned incarnation, turn;
    bool is_read;
    enum rc rc;
    struct effect_result result;
    uint64_t index;
};

static void deliver_answer(struct node *node, void *context)
{
    struct question *question = context;
    struct task *task = question->task;
    if (node->incarnation != question->incarnation || task->turn != question->turn)
        return;
    if (question->is_read && task->stage == STAGE_ASKED)
        index_came(task, question->rc, question->index);
    else if (!question->is_read && task->stage == STAGE_SENT)
        effect_ended(task, question->rc, &question->result, question->index);
}

static void answer_question(struct question *question)
{
    if (question->at == question->from)
        deliver_answer(question->from, question);
    else
        (void)network_carry(question->at, question->from, deliver_answer, question);
}

static void proposed(void *context, enum rc rc, const struct effect_result *result, uint64_t index)
{
    struct question *question = context;
    trace("node %llu: proposed %s", question->at->id, rc_info(rc)->name);
    question->rc = rc;
    question->result = *result;
    question->index = index;
    answer_question(question);
}

static void barrier_passed(void *context, enum rc rc, uint64_t applied)
{
    struct question *question = context;
    question->rc = rc;
    question->index = applied;
    answer_question(question);
}

static void at_leader(struct node *node, void *context)
{
    struct question *question = context;
    AUTO_BUF effect = BUF_INIT;
    if (question->at != node)
        return;
    if (question->is_read) {
        question->rc = consensus_barrier(node->consensus, barrier_passed, question);
    } else {
        if (buf_append(&effect, question->task->effect) != RC_OK)
            exit(2);
        question->rc = consensus_propose(node->consensus, &effect, proposed, question);
    }
    if (question->rc != RC_OK)
        answer_question(question);
}

static struct node *leader_seen(const struct node *node)
{
    raft_id id = 0;
    const char *address = NULL;
    raft_leader(&node->consensus->raft, &id, &address);
    return node_of_id(id);
}

/* False: no leader is known. */
static bool ask(struct task *task, bool is_read)
{
    struct node *leader = leader_seen(task->node);
    if (leader == NULL)
        return false;
    struct question *question = sim_alloc(sizeof *question);
    *question = (struct question){.task = task,
                                  .from = task->node,
                                  .at = leader,
                                  .incarnation = task->node->incarnation,
                                  .turn = ++task->turn,
                                  .is_read = is_read};
    wake_later(FORWARD_MS * MS, task);
    if (leader == task->node) {
        task->timer = UINT64_MAX;
        at_leader(leader, question);
        return true;
    }
    sim.stats.forwards++;
    (void)network_carry(task->node, leader, at_leader, question);
    return true;
}

/* ---- stages */

static void send_effect(struct task *task)
{
    struct node *node = task->node;
    bool here = node_leads(node);
    task->stage = STAGE_SENT;
    if (!ask(task, false)) {
        send_again(task);
        return;
    }
    if (sim.mutation == MUTATION_EARLY && here && task->stage == STAGE_SENT) {
        task->answer.index = node_applied(node);
        finish(task, RC_OK);
    }
}

static void prepare(struct task *task)
{
    AUTO_BUF effect = BUF_INIT;
    bool is_read = request_is_read(task->request.kind);
    bool stale = sim.mutation == MUTATION_STALE;
    enum prepared prepared = effects_prepare(task->node, &task->request, &effect, &task->answer);
    if (!task->confirmed && !stale && (is_read || prepared == PREPARED_DOUBT)) {
        task->stage = STAGE_ASKED;
        if (!ask(task, true))
            index_came(task, RC_NO_QUORUM, 0);
        return;
    }
    if (is_read) {
        finish(task, task->answer.rc);
        return;
    }
    uint8_t *kept = sim_alloc(effect.len + 1);
    memcpy(kept, effect.ptr, effect.len);
    task->effect = bytes_of(kept, effect.len);
    send_effect(task);
}

static bool is_due(const struct task *task)
{
    return sim.now >= task->timer;
}

/* True when something changed. */
static bool advance(struct task *task)
{
    bool applied = node_applied(task->node) >= task->need;
    enum stage before = task->stage;
    unsigned turn = task->turn;
    if (sim.now >= task->deadline) {
        bool maybe = task->maybe || task->stage == STAGE_SENT || task->stage == STAGE_APPLY;
        finish(task, maybe ? RC_OUTCOME_UNKNOWN : RC_NO_QUORUM);
    } else if (task->stage == STAGE_CATCH_UP && applied && is_due(task)) {
        prepare(task);
    } else if (task->stage == STAGE_SEND && is_due(task)) {
        send_effect(task);
    } else if (task->stage == STAGE_SENT && is_due(task)) { /* no answer */
        task->maybe = true;
        send_again(task);
    } else if (task->stage == STAGE_ASKED && is_due(task)) {
        index_came(task, RC_NO_QUORUM, 0);
    } else if (task->stage == STAGE_APPLY && applied) {
        finish(task, task->answer.rc);
    }
    return task->stage != before || task->turn != turn;
}

void tasks_pump(struct node *node)
{
    for (struct task **link = &node->tasks; *link != NULL;) {
        struct task *task = *link;
        while (task->stage != STAGE_OVER && advance(task))
            ;
        if (task->stage == STAGE_OVER)
            *link = task->next;
        else
            link = &task->next;
    }
}

void task_begin(struct node *node, const struct request *request, unsigned attempt)
{
    struct task *task = sim_alloc(sizeof *task);
    *task = (struct task){.next = node->tasks,
                          .node = node,
                          .request = *request,
                          .attempt = attempt,
                          .stage = STAGE_CATCH_UP,
                          .need = request->seen,
                          .deadline = sim.now + TASK_MS * MS};
    node->tasks = task;
    event_after(TASK_MS * MS, node, nothing, NULL);
}
