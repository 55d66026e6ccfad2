/* SPDX-License-Identifier: Apache-2.0 */
/* The thread, and what every HSM does: where the others are found, who was refused. */
#include "cluster/membership.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cluster/colleagues.h"
#include "cluster/commit.h"
#include "cluster/keyfile.h"
#include "cluster/members.h"
#include "cluster/membership_internal.h"
#include "cluster/position.h"
#include "common/log.h"
#include "common/thread.h"

#define TICK_MS 25U  /* to look whether the roll changed */
#define LOOK_MS 250U /* to look at everything */
#define BUSY_MS 50U  /* the same while somebody is being compared */
#define TURNS   64U  /* changes without a pause */
#define TELL_MS 2000U

/* ---- every HSM */

static const struct roll_node *own_row(const struct membership *membership)
{
    for (size_t i = 0; i < membership->node_count; i++)
        if (membership->nodes[i].id == membership->service->config->node)
            return &membership->nodes[i];
    return NULL;
}

static bool is_listed(const struct membership *membership, uint64_t id)
{
    for (size_t i = 0; i < membership->node_count; i++)
        if (membership->nodes[i].id == id)
            return true;
    return false;
}

static struct known_node *known_slot(struct membership *membership, uint64_t id)
{
    for (size_t i = 0; i < CLUSTER_NODES_MAX; i++)
        if (membership->known[i].id == id || membership->known[i].id == 0)
            return &membership->known[i];
    for (size_t i = 0; i < CLUSTER_NODES_MAX; i++) /* of one that is not on the roll any more */
        if (!is_listed(membership, membership->known[i].id))
            return &membership->known[i];
    return NULL;
}

static bool is_in(const struct roll_node *node)
{
    return node->status == NODE_APPROVED || node->status == NODE_MEMBER;
}

/* The engine's configuration keeps the address that a member was added with; the roll's is the
 * present one. What is found there first may be older than what the member said itself. */
static void relocate(struct service *service, const struct roll_node *node, bool is_first)
{
    enum rc rc = RC_OK;
    if (!is_in(node) || node->address[0] == 0)
        rc = consensus_locate(service->consensus, node->id, NULL);
    else if (is_first)
        rc = consensus_suggest(service->consensus, node->id, node->address);
    else
        rc = consensus_locate(service->consensus, node->id, node->address);
    if (rc != RC_OK && rc != RC_UNSUPPORTED)
        log_warn("member_not_located", "node=%llu error=%s detail=\"%s\"",
                 (unsigned long long)node->id, rc_info(rc)->name, rc_detail());
}

static void locate(struct membership *membership, const struct roll_node *node)
{
    struct service *service = membership->service;
    struct known_node *known = known_slot(membership, node->id);
    if (known == NULL || node->id == service->config->node)
        return;
    bool is_first = known->id != node->id;
    bool is_there =
        !is_first && known->is_in == is_in(node) && strcmp(known->address, node->address) == 0;
    if (is_there && strcmp(known->endpoint, node->endpoint) == 0 && known->status == node->status)
        return;
    known->id = node->id;
    known->status = node->status;
    known->is_in = is_in(node);
    memcpy(known->address, node->address, sizeof known->address);
    memcpy(known->endpoint, node->endpoint, sizeof known->endpoint);
    if (!is_there)
        relocate(service, node, is_first);
    if (service->colleagues != NULL)
        colleagues_forget(service->colleagues, node->id);
    membership->has_peers = false;
}

static void keep_peers(struct membership *membership)
{
    if (membership->has_peers || membership->node_count == 0) /* the log may not be applied yet */
        return;
    membership->has_peers = true; /* a disk that is full is not tried all the time */
    if (position_keep_peers(membership->service->config, membership->nodes,
                            membership->node_count) != RC_OK)
        log_warn("peers_not_kept", "detail=\"%s\"", rc_detail());
    const struct service *service = membership->service;
    if (position_keep_removed(service->config, &service->removed, membership->nodes,
                              membership->node_count) != RC_OK)
        log_warn("removed_not_kept", "detail=\"%s\"", rc_detail());
}

/* It need not be told by the others, who refuse it from now on. */
static void note_own_end(struct membership *membership)
{
    const struct roll_node *own = own_row(membership);
    bool is_out = own != NULL && (own->status == NODE_REMOVED || own->status == NODE_ZEROIZED);
    if (is_out && !membership->is_out)
        log_error("this_hsm_is_out",
                  "node=%llu status=%s next=\"erase its state directory, or let "
                  "it join with an empty one\"",
                  (unsigned long long)own->id, roll_status_name(own->status));
    membership->is_out = is_out;
}

static void obey(struct membership *membership)
{
    for (size_t i = 0; i < membership->node_count; i++)
        locate(membership, &membership->nodes[i]);
    keep_peers(membership);
    note_own_end(membership);
}

/* ---- refusals */

void membership_note_refusal(struct membership *membership, uint64_t id, const char *reason)
{
    struct refusal *slot = NULL;
    (void)pthread_mutex_lock(&membership->lock);
    for (size_t i = 0; i < CLUSTER_NODES_MAX && slot == NULL; i++)
        if (membership->refusals[i].id == id || membership->refusals[i].id == 0)
            slot = &membership->refusals[i];
    if (slot != NULL) {
        slot->id = id;
        (void)snprintf(slot->reason, sizeof slot->reason, "%s", reason);
    }
    (void)pthread_mutex_unlock(&membership->lock);
}

bool membership_refusal(struct membership *membership, uint64_t id, char out[MEMBERSHIP_REASON_LEN])
{
    bool is_found = false;
    (void)pthread_mutex_lock(&membership->lock);
    for (size_t i = 0; i < CLUSTER_NODES_MAX && !is_found; i++) {
        is_found = id != 0 && membership->refusals[i].id == id;
        if (is_found)
            memcpy(out, membership->refusals[i].reason, MEMBERSHIP_REASON_LEN);
    }
    (void)pthread_mutex_unlock(&membership->lock);
    return is_found;
}

/* A directory without a log is taken once: from the moment on that this HSM is in the log, one
 * without would be a loss. */
static void note_joined(struct membership *membership, const struct consensus_status *status)
{
    if (membership->has_joined || strcmp(status->membership, "none") == 0)
        return;
    enum rc rc = keyfile_joined(membership->service->config->state_dir);
    membership->has_joined = rc == RC_OK;
    if (rc != RC_OK)
        log_warn("mark_not_removed", "detail=\"%s\"", rc_detail());
}

static enum rc commit_address(struct membership *membership, struct roll_node node)
{
    const struct server_config *config = membership->service->config;
    TRY(members_check_address("address", config->address));
    TRY(members_check_address("endpoint", config->endpoint));
    (void)snprintf(node.address, sizeof node.address, "%s", config->address);
    (void)snprintf(node.endpoint, sizeof node.endpoint, "%s", config->endpoint);
    TRY(members_check_place(membership->nodes, membership->node_count, &node));
    return commit_node(membership->service, &node, clock_steady_ms() + TELL_MS);
}

/* An HSM that was given other addresses and started again tells the roll, and by it the others,
 * those who join later and clients. */
static bool tell_address(struct membership *membership, const struct consensus_status *status)
{
    const struct server_config *config = membership->service->config;
    const struct roll_node *own = own_row(membership);
    if (own == NULL || own->status != NODE_MEMBER || status->leader == 0 ||
        config->listen_peer == NULL ||
        (strcmp(own->address, config->address) == 0 &&
         strcmp(own->endpoint, config->endpoint) == 0))
        return false;
    enum rc rc = commit_address(membership, *own);
    if (rc == RC_OK)
        log_info("address_told", "node=%lu address=%s endpoint=%s", config->node, config->address,
                 config->endpoint);
    else if (rc != membership->address_rc)
        log_warn("address_not_told", "node=%lu address=%s endpoint=%s error=%s detail=\"%s\"",
                 config->node, config->address, config->endpoint, rc_info(rc)->name, rc_detail());
    membership->address_rc = rc;
    return rc == RC_OK;
}

/* ---- the thread */

static void look(struct membership *membership)
{
    struct service *service = membership->service;
    membership->node_count = roll_nodes(service->hsm->state, membership->nodes, CLUSTER_NODES_MAX);
    size_t count = consensus_members(service->consensus, membership->members, CLUSTER_NODES_MAX);
    membership->member_count = count < CLUSTER_NODES_MAX ? count : CLUSTER_NODES_MAX;
}

static bool turn(struct membership *membership)
{
    struct service *service = membership->service;
    struct consensus_status status;
    look(membership);
    consensus_status(service->consensus, &status);
    obey(membership);
    note_joined(membership, &status);
    if (tell_address(membership, &status))
        return true;
    if (status.leader == service->config->node && status.leader != 0 && membership->node_count > 0)
        return membership_lead(membership, &status);
    membership_forget(membership);
    return false;
}

static uint64_t epochs_of(const struct membership *membership)
{
    const struct state *state = membership->service->hsm->state;
    return state_documents_epoch(state, DOCUMENT_NODE) * 0x9E3779B97F4A7C15U +
           state_documents_epoch(state, DOCUMENT_CLUSTER);
}

/* Was it woken, or is it time, or is there news on the roll? */
static bool wait_for_work(struct membership *membership)
{
    uint64_t at = clock_steady_ms() + TICK_MS;
    const struct timespec until = {.tv_sec = (time_t)(at / 1000),
                                   .tv_nsec = (long)(at % 1000) * 1000 * 1000};
    (void)pthread_mutex_lock(&membership->lock);
    if (!membership->is_woken && !membership->stopping)
        (void)pthread_cond_timedwait(&membership->changed, &membership->lock, &until);
    bool is_woken = membership->is_woken;
    membership->is_woken = false;
    (void)pthread_mutex_unlock(&membership->lock);
    uint64_t epochs = epochs_of(membership);
    uint64_t now = clock_steady_ms();
    unsigned pause_ms = membership->candidate.id != 0 ? BUSY_MS : LOOK_MS;
    if (!is_woken && epochs == membership->epochs && now < membership->seen_ms + pause_ms)
        return false;
    membership->epochs = epochs;
    membership->seen_ms = now;
    return true;
}

static void *run(void *context)
{
    struct membership *membership = context;
    while (!membership->stopping) {
        if (!wait_for_work(membership))
            continue;
        for (unsigned i = 0; i < TURNS && !membership->stopping; i++)
            if (!turn(membership))
                break;
    }
    return NULL;
}

enum rc membership_start(struct service *service, struct membership **out)
{
    struct membership *membership = calloc(1, sizeof *membership);
    if (membership == NULL)
        return RC_NO_MEMORY;
    membership->service = service;
    (void)pthread_mutex_init(&membership->lock, NULL);
    thread_cond_init(&membership->changed);
    enum rc rc = thread_start(&membership->thread, "membership", run, membership);
    if (rc != RC_OK) {
        free(membership);
        return rc;
    }
    *out = membership;
    return RC_OK;
}

void membership_wake(struct membership *membership)
{
    (void)pthread_mutex_lock(&membership->lock);
    membership->is_woken = true;
    (void)pthread_cond_signal(&membership->changed);
    (void)pthread_mutex_unlock(&membership->lock);
}

void membership_stop(struct membership *membership)
{
    if (membership == NULL)
        return;
    membership->stopping = true;
    membership_wake(membership);
}

void membership_free(struct membership *membership)
{
    if (membership == NULL)
        return;
    membership_stop(membership);
    (void)pthread_join(membership->thread, NULL);
    (void)pthread_cond_destroy(&membership->changed);
    (void)pthread_mutex_destroy(&membership->lock);
    free(membership);
}
