/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/ticket.h"

#include <stdlib.h>

enum rc ticket_new(struct bytes content, struct ticket **out)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return RC_NO_MEMORY;
    enum rc rc = secret_from_bytes(&ticket->content, content);
    if (rc != RC_OK) {
        free(ticket);
        return rc;
    }
    atomic_init(&ticket->references, 1);
    *out = ticket;
    return RC_OK;
}

struct ticket *ticket_ref(struct ticket *ticket)
{
    if (ticket != NULL)
        atomic_fetch_add_explicit(&ticket->references, 1, memory_order_relaxed);
    return ticket;
}

void ticket_unref(struct ticket *ticket)
{
    if (ticket == NULL || atomic_fetch_sub(&ticket->references, 1) != 1)
        return;
    secret_clear(&ticket->content);
    free(ticket);
}
