/* SPDX-License-Identifier: Apache-2.0 */
/* Admission by the state of the cluster. */
#include "cluster/admission.h"

#include <inttypes.h>

#include "cluster/proposer.h"
#include "cluster/requests.h"
#include "cluster/roll.h"
#include "common/log.h"

#define TOKENS_MAX           256U
#define LEADERLESS_ELECTIONS 2U /* shorter silences are the engine's ordinary ones */

/* ---- draining */

void admission_refresh(struct service *service)
{
    struct roll_node self;
    bool draining = roll_node(service->hsm->state, service->config->node, &self) == RC_OK &&
                    (self.draining || self.status >= NODE_REMOVED);
    rc_detail_clear();
    if (atomic_exchange(&service->draining, draining) == draining)
        return;
    log_info(draining ? "draining" : "undrained", "node=%lu", service->config->node);
}

enum rc admission_place(const struct call *call)
{
    const struct service *service = call->service;
    const struct request_row *row = call->row;
    bool draining = atomic_load_explicit(&service->draining, memory_order_relaxed);
    bool stopping = atomic_load_explicit(&service->stopping, memory_order_relaxed);
    if (!draining && !stopping)
        return RC_OK;
    /* The others take no change from one that was removed: its administrators go elsewhere too. */
    bool is_removed = roll_is_removed(service->hsm->state, service->config->node);
    bool is_refused = is_removed && row->changes == CHANGES_STATE && (row->may & MAY_ADMIN) != 0;
    if (!request_may_move(row) && !is_refused)
        return RC_OK;
    return rc_fail(RC_DRAINING, "HSM %lu (zone %s) is %s", service->config->node,
                   service->config->zone,
                   is_removed ? "removed"
                   : stopping ? "stopping"
                              : "drained");
}

/* ---- without a leader */

/* A public session's keys may be of any token: the most careful one's policy holds. */
static uint32_t least_patience_s(const struct state *state)
{
    uint64_t numbers[TOKENS_MAX];
    size_t count = state_tokens(state, numbers, TOKENS_MAX);
    uint32_t least = policy_default().serve_without_leader_s;
    for (size_t i = 0; i < count && i < TOKENS_MAX; i++) {
        struct token_row token;
        if (state_token(state, numbers[i], &token) == RC_OK &&
            token.policy.serve_without_leader_s < least)
            least = token.policy.serve_without_leader_s;
    }
    return least;
}

static uint32_t patience_s(const struct call *call)
{
    const struct state *state = call->service->hsm->state;
    struct token_row token;
    if (call->caller.logged_in && state_token(state, call->caller.ticket.token, &token) == RC_OK)
        return token.policy.serve_without_leader_s;
    return least_patience_s(state);
}

/* The policy bounds how old the state is that keys are used on: before this HSM has heard a leader
 * that is as old as its disk. */
static enum rc check_use(const struct call *call, uint64_t silence_ms)
{
    if (!consensus_has_heard_leader(call->service->consensus))
        return rc_fail(RC_NO_LEADER, "no leader since this HSM was started");
    uint32_t patience = patience_s(call);
    if (silence_ms <= (uint64_t)patience * 1000)
        return RC_OK;
    return rc_fail(RC_NO_LEADER,
                   "no leader for %" PRIu64 ".%" PRIu64 " s, serve_without_leader_s is %" PRIu32,
                   silence_ms / 1000, silence_ms % 1000 / 100, patience);
}

enum rc admission_leader(const struct call *call)
{
    const struct service *service = call->service;
    if (service->colleagues == NULL) /* a cluster of one */
        return RC_OK;
    uint64_t silence_ms = consensus_leader_silence_ms(service->consensus);
    if (silence_ms <= (uint64_t)service->config->election_ms * LEADERLESS_ELECTIONS &&
        consensus_has_heard_leader(service->consensus))
        return RC_OK;
    if (request_uses_keys(call->request))
        return check_use(call, silence_ms);
    return request_needs_majority(call->row) ? proposer_check(service->proposer) : RC_OK;
}
