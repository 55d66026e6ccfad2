/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of an emulated distance: a list of chunks, each with its time. */
#include "cluster/peer_delay.h"

#include <stdlib.h>

#define DELAYED_LEN_MAX ((size_t)4 * 1024 * 1024)

struct delayed_chunk {
    struct delayed_chunk *next;
    uint64_t due_ms;
    size_t len;
    uint8_t bytes[];
};

bool peer_delay_is_full(const struct peer_link *link)
{
    return link->delayed_len >= DELAYED_LEN_MAX;
}

static enum rc push(struct peer_link *link, uint64_t due_ms, size_t len)
{
    struct delayed_chunk *chunk = calloc(1, sizeof *chunk + len);
    if (chunk == NULL)
        return RC_NO_MEMORY;
    chunk->due_ms = due_ms;
    chunk->len = len;
    memcpy(chunk->bytes, link->buffer, len);
    *link->delayed_last = chunk;
    link->delayed_last = &chunk->next;
    link->delayed_len += len;
    return RC_OK;
}

static struct delayed_chunk *pop(struct peer_link *link)
{
    struct delayed_chunk *chunk = link->delayed;
    if (chunk == NULL)
        return NULL;
    link->delayed = chunk->next;
    if (link->delayed == NULL)
        link->delayed_last = &link->delayed;
    link->delayed_len -= chunk->len;
    return chunk;
}

static enum rc take_in(struct peer_link *link, uint64_t due_ms)
{
    size_t len = 0;
    while (!peer_delay_is_full(link)) {
        TRY(peer_pump_read_pair(link, link->buffer, PEER_BUFFER_LEN, &len));
        if (len == 0)
            return RC_OK;
        TRY(push(link, due_ms, len));
    }
    return RC_OK;
}

enum rc peer_delay_refill(struct peer_link *link, unsigned delay_ms, size_t *out_len)
{
    uint64_t now = uv_now(link->transport->loop);
    TRY(take_in(link, now + delay_ms));
    *out_len = 0;
    if (link->delayed == NULL)
        return RC_OK;
    if (link->delayed->due_ms > now) {
        peer_link_timer(link, (unsigned)(link->delayed->due_ms - now));
        return RC_OK;
    }
    struct delayed_chunk *chunk = pop(link);
    memcpy(link->buffer, chunk->bytes, chunk->len);
    *out_len = chunk->len;
    free(chunk);
    return RC_OK;
}

void peer_delay_clear(struct peer_link *link)
{
    for (struct delayed_chunk *chunk = pop(link); chunk != NULL; chunk = pop(link))
        free(chunk);
}
