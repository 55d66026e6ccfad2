/* SPDX-License-Identifier: Apache-2.0 */
/* replicationAppend() in libraft 0.22.1 takes each change of the members in a message for one at
 * the index of the message's first new entry. It is then never known as committed: a leader with it
 * refuses each further change, a snapshot names the members of before, and a change that is taken
 * out of the log again stays in force. And of several changes that a follower has before it hears
 * that they are committed, only the last ever becomes so, which is what it falls back to. */
#include "cluster/raft_members.h"

#include <string.h>

static unsigned next_change(const struct raft_append_entries *args)
{
    unsigned i = 1;
    while (i < args->n_entries && args->entries[i].type != RAFT_CHANGE)
        i++;
    return i;
}

/* With memory of their own, in one piece as the engine wants it. */
static struct raft_entry *copy_entries(const struct raft_entry *from, unsigned count)
{
    size_t len = 1;
    for (unsigned i = 0; i < count; i++)
        len += from[i].buf.len;
    struct raft_entry *entries = raft_calloc(count, sizeof *entries);
    uint8_t *batch = raft_malloc(len);
    if (entries == NULL || batch == NULL) {
        raft_free(entries);
        raft_free(batch);
        return NULL;
    }
    uint8_t *at = batch;
    for (unsigned i = 0; i < count; i++) {
        entries[i] = from[i];
        entries[i].batch = batch;
        entries[i].buf.base = at;
        if (from[i].buf.len > 0)
            memcpy(at, from[i].buf.base, from[i].buf.len);
        at += from[i].buf.len;
    }
    return entries;
}

bool raft_members_divide(struct raft_message *message, struct raft_message *rest)
{
    struct raft_append_entries *args = &message->append_entries;
    struct raft_append_entries *later = &rest->append_entries;
    unsigned first = next_change(args);
    if (first >= args->n_entries)
        return false;
    *rest = *message;
    later->prev_log_index += first;
    later->prev_log_term = args->entries[first - 1].term;
    later->n_entries -= first;
    later->entries = copy_entries(args->entries + first, later->n_entries);
    args->n_entries = first;
    return later->entries != NULL; /* without memory they are lost: the leader sends them again */
}

int raft_members_copy(const struct raft_configuration *from, struct raft_configuration *to)
{
    int rv = 0;
    for (unsigned i = 0; i < from->n && rv == 0; i++)
        rv = raft_configuration_add(to, from->servers[i].id, from->servers[i].address,
                                    from->servers[i].role);
    return rv;
}

/* Without memory it stays for the next time. */
static void commit_last_change(struct raft *raft)
{
    struct raft_configuration members;
    raft_configuration_init(&members);
    if (raft_members_copy(&raft->configuration, &members) != 0) {
        raft_configuration_close(&members);
        return;
    }
    raft_configuration_close(&raft->configuration_committed);
    raft->configuration_committed = members;
    raft->configuration_committed_index = raft->configuration_uncommitted_index;
    raft->configuration_uncommitted_index = 0;
}

raft_term raft_members_term(const struct raft *raft, raft_index index)
{
    const struct raft_trail *trail = &raft->trail;
    if (index == trail->snapshot.index)
        return trail->snapshot.term;
    if (index <= trail->offset)
        return 0;
    for (unsigned i = trail->front; i != trail->back; i = (i + 1) % trail->size)
        if (trail->records[i].index >= index)
            return trail->records[i].term;
    return 0;
}

/* Nobody begins a change before the one before it is committed. */
void raft_members_confirm(struct raft *raft, const struct raft_append_entries *args)
{
    raft_index last = raft->configuration_uncommitted_index;
    if (last == 0 || args->n_entries == 0 || args->entries[0].type != RAFT_CHANGE ||
        args->prev_log_index < last || args->prev_log_term == 0)
        return;
    if (raft_members_term(raft, args->prev_log_index) == args->prev_log_term)
        commit_last_change(raft);
}

void raft_members_settle(struct raft *raft)
{
    if (raft->configuration_uncommitted_index != 0 &&
        raft->configuration_uncommitted_index <= raft->commit_index)
        commit_last_change(raft);
}
