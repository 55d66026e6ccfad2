/* SPDX-License-Identifier: Apache-2.0 */
/* Ready contexts by lane: each thread has its own copy of the key, so that signing takes no lock,
 * fetches nothing and touches no shared reference count. */
#include <stdlib.h>

#include "token/key_internal.h"

static enum rc lane_new(const struct key *key, struct key_lane **out)
{
    struct key_lane *made = calloc(1, sizeof *made);
    if (made == NULL)
        return rc_fail(RC_NO_MEMORY, "a key's lane");
    if (key->pkey != NULL) {
        made->pkey = EVP_PKEY_dup(key->pkey);
        if (made->pkey == NULL) {
            free(made);
            return crypto_fail(RC_NO_MEMORY, "copy of a key for a lane");
        }
    }
    *out = made;
    return RC_OK;
}

enum rc key_lane(struct key *key, unsigned lane, struct key_lane **out)
{
    if (lane >= LANES_MAX)
        return rc_fail(RC_INTERNAL, "lane %u of %u", lane, LANES_MAX);
    if (key->lanes[lane] == NULL)
        TRY(lane_new(key, &key->lanes[lane]));
    *out = key->lanes[lane];
    return RC_OK;
}

void *key_ready_get(const struct key_lane *lane, uint64_t tag)
{
    for (unsigned i = 0; i < KEY_READY_MAX; i++)
        if (lane->ready[i].tag == tag)
            return lane->ready[i].context;
    return NULL;
}

static void ready_clear(struct key_ready *ready)
{
    if (ready->context != NULL)
        ready->release(ready->context);
    *ready = (struct key_ready){.tag = 0};
}

void key_ready_put(struct key_lane *lane, uint64_t tag, void *context, void (*release)(void *))
{
    struct key_ready *slot = &lane->ready[lane->next];
    lane->next = (lane->next + 1) % KEY_READY_MAX;
    ready_clear(slot);
    *slot = (struct key_ready){.tag = tag, .context = context, .release = release};
}

void key_lanes_clear(struct key *key)
{
    for (unsigned i = 0; i < LANES_MAX; i++) {
        struct key_lane *lane = key->lanes[i];
        if (lane == NULL)
            continue;
        for (unsigned r = 0; r < KEY_READY_MAX; r++)
            ready_clear(&lane->ready[r]);
        EVP_PKEY_free(lane->pkey);
        free(lane);
        key->lanes[i] = NULL;
    }
}
