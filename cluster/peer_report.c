/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of peers: a change once, strangers at most once a second. The engine dials
 * five times a second. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/peer_link.h"
#include "common/log.h"

#define REFUSALS_MS 1000U

/* Each number has its place, and gives it up to another: those of removed HSMs are many. */
static const struct peer_report *find(const struct peer_transport *transport, uint64_t id)
{
    const struct peer_report *report = &transport->reports[id % PEER_MEMBERS_MAX];
    return report->id == id ? report : NULL;
}

static struct peer_report *find_or_add(struct peer_transport *transport, uint64_t id)
{
    struct peer_report *report = &transport->reports[id % PEER_MEMBERS_MAX];
    if (report->id != id)
        *report = (struct peer_report){.id = id};
    return report;
}

unsigned peer_report_failures(const struct peer_transport *transport, uint64_t id)
{
    const struct peer_report *report = find(transport, id);
    return report != NULL ? report->failures : 0;
}

void peer_report_up(struct peer_transport *transport, const struct peer_link *link)
{
    atomic_fetch_add_explicit(&transport->counters.connected, 1, memory_order_relaxed);
    log_info("peer_connected", "node=%" PRIu64 " peer=%" PRIu64 " direction=%s address=%s",
             transport->node, link->id, link->outbound ? "out" : "in", link->address);
    if (!link->outbound)
        return;
    struct peer_report *report = find_or_add(transport, link->id);
    report->failures = 0;
    report->text[0] = 0;
}

static void dial_failed(struct peer_transport *transport, const struct peer_link *link,
                        const char *reason)
{
    struct peer_report *report = find_or_add(transport, link->id);
    report->failures++;
    if (bytes_equal(bytes_of_str(report->text), bytes_of_str(reason)))
        return;
    (void)snprintf(report->text, sizeof report->text, "%s", reason);
    log_warn("peer_unreachable", "node=%" PRIu64 " peer=%" PRIu64 " address=%s reason=\"%s\"",
             transport->node, link->id, link->address, reason);
}

static void caller_failed(struct peer_transport *transport, const struct peer_link *link,
                          const char *reason)
{
    uint64_t now = uv_now(transport->loop);
    if (transport->refusal_logged_ms != 0 && now - transport->refusal_logged_ms < REFUSALS_MS) {
        transport->refusals_unlogged++;
        return;
    }
    log_warn("peer_refused", "node=%" PRIu64 " peer=%" PRIu64 " reason=\"%s\" unlogged=%u",
             transport->node, link->id, reason, transport->refusals_unlogged);
    transport->refusal_logged_ms = now;
    transport->refusals_unlogged = 0;
}

void peer_report_end(struct peer_transport *transport, const struct peer_link *link,
                     const char *reason)
{
    if (transport->closing)
        return;
    if (link->state == LINK_PUMP) {
        log_info("peer_lost", "node=%" PRIu64 " peer=%" PRIu64 " direction=%s reason=\"%s\"",
                 transport->node, link->id, link->outbound ? "out" : "in", reason);
        if (transport->lost != NULL)
            transport->lost(transport->context, link->id);
        return;
    }
    if (link->verdict != PEER_WELCOME)
        atomic_fetch_add_explicit(&transport->counters.refused, 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&transport->counters.failed, 1, memory_order_relaxed);
    if (link->outbound)
        dial_failed(transport, link, reason);
    else
        caller_failed(transport, link, reason);
}
