/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold after each step, and of the whole history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"
#include "tests/simulation/world.h"

#define TERMS_MAX 4096U
#define STEPS_MAX ((size_t)2 * 1000 * 1000)

/* The state after each change, as the first node had it that came there. */
struct past {
    bool known;
    uint8_t hash[32];
    enum rc rc;
    uint64_t handle;
};

static struct past *pasts;
static size_t past_count;
static raft_id leaders[TERMS_MAX];

static struct past *past_at(uint64_t index)
{
    if (index >= past_count) {
        size_t count = (size_t)index * 2 + 256;
        pasts = realloc(pasts, count * sizeof *pasts);
        if (pasts == NULL)
            exit(2);
        memset(pasts + past_count, 0, (count - past_count) * sizeof *pasts);
        past_count = count;
    }
    return &pasts[index];
}

static void compare_hash(const struct node *node, uint64_t index, const struct state *state)
{
    struct past *past = past_at(index);
    uint8_t hash[32];
    state_hash(state, hash);
    if (past->known && !bytes_equal(bytes_of(hash, 32), bytes_of(past->hash, 32)))
        sim_fail("node %llu has another state than others after change %llu", node->id,
                 (unsigned long long)index);
    memcpy(past->hash, hash, sizeof hash);
    past->known = true;
}

static void check_pins(const struct node *node, const struct state *state)
{
    for (unsigned i = 0; i < WORLD_PIN_USERS; i++) {
        char name[16];
        struct user_row row;
        (void)snprintf(name, sizeof name, "p%u", i);
        if (state_user(state, 1, name, &row) == RC_OK && row.tries > WORLD_PIN_LIMIT)
            sim_fail("node %llu has counted %u wrong PINs of %s, limit %u", node->id, row.tries,
                     name, WORLD_PIN_LIMIT);
    }
    rc_detail_clear();
}

void checks_applied(const struct node *node, uint64_t index, const struct state *state,
                    const struct effect_result *result)
{
    struct past *past = past_at(index);
    uint64_t handle = result->handle_count > 0 ? result->handles[0] : 0;
    if (past->known && (past->rc != result->rc || past->handle != handle))
        sim_fail("change %llu was answered %s (handle %llu) on node %llu, %s (%llu) elsewhere",
                 (unsigned long long)index, rc_info(result->rc)->name, (unsigned long long)handle,
                 node->id, rc_info(past->rc)->name, (unsigned long long)past->handle);
    past->rc = result->rc;
    past->handle = handle;
    compare_hash(node, index, state);
    check_pins(node, state);
    if (index > sim.stats.applied)
        sim.stats.applied = index;
}

/* Raft 5.2: one leader in a term. */
static void check_leader(const struct node *node)
{
    const struct raft *raft = &node->consensus->raft;
    if (!node_leads(node) || raft->current_term >= TERMS_MAX)
        return;
    raft_id *leader = &leaders[raft->current_term];
    if (*leader == 0) {
        sim.stats.elections++;
        trace("node %llu leads in term %llu", node->id, raft->current_term);
    } else if (*leader != node->id) {
        sim_fail("nodes %llu and %llu lead in term %llu", *leader, node->id, raft->current_term);
    }
    *leader = node->id;
}

void checks_node(struct node *node)
{
    const struct raft *raft = &node->consensus->raft;
    uint64_t applied = node_applied(node);
    check_leader(node);
    if (raft->current_term < node->term_seen)
        sim_fail("node %llu went from term %llu back to %llu", node->id, node->term_seen,
                 raft->current_term);
    if (raft->commit_index < node->commit_seen)
        sim_fail("node %llu went from commit %llu back to %llu", node->id, node->commit_seen,
                 raft->commit_index);
    if (raft->last_applied > raft->commit_index)
        sim_fail("node %llu applied %llu, committed is %llu", node->id, raft->last_applied,
                 raft->commit_index);
    if (applied < node->applied_seen)
        sim_fail("node %llu went from change %llu back to %llu", node->id,
                 (unsigned long long)node->applied_seen, (unsigned long long)applied);
    if (applied != node->applied_seen && applied > 0)
        compare_hash(node, applied, node->consensus->state);
    node->term_seen = raft->current_term;
    node->commit_seen = raft->commit_index;
    node->applied_seen = applied;
}

/* All who are there have the same. */
void checks_end(void)
{
    uint8_t first[32];
    const struct node *with = NULL;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        const struct node *node = &sim.nodes[i];
        uint8_t hash[32];
        if (!node->up || node->removed || node_applied(node) == 0)
            continue;
        state_hash(node->consensus->state, hash);
        if (with != NULL && !bytes_equal(bytes_of(hash, 32), bytes_of(first, 32)))
            sim_fail("nodes %llu and %llu end with different states", with->id, node->id);
        memcpy(first, hash, sizeof first);
        with = node;
    }
}

enum lin_verdict checks_histories(void)
{
    enum lin_verdict worst = LIN_LINEARIZABLE;
    for (size_t i = 0; i < sim.histories.count; i++) {
        const struct lin_history *history = &sim.histories.items[i];
        struct lin_report report;
        enum lin_verdict verdict = lin_check(history, STEPS_MAX, &report);
        sim.stats.histories += verdict == LIN_LINEARIZABLE ? 1 : 0;
        worst = verdict == LIN_VIOLATION ? verdict : worst;
        if (verdict == LIN_VIOLATION)
            sim_fail("the history of %s %s is not linearizable: client %llu, %s at %llu ms",
                     lin_model_name(history->model), history->key,
                     (unsigned long long)report.stuck->process,
                     lin_function_name(report.stuck->function),
                     (unsigned long long)(report.stuck->called / MS));
    }
    return worst;
}
