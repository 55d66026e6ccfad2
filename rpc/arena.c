/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator for unpacking: one block reused from message to message, more blocks for the rare
 * large ones. */
#include "rpc/arena.h"

#include <stdlib.h>

#include "common/secret.h"

#define BLOCK_FIRST ((size_t)16 * 1024)
#define BLOCK_MORE  ((size_t)64 * 1024)

struct block {
    struct block *next;
    size_t cap;
    size_t used;
    size_t reserved; /* keeps data[] at a multiple of 16 */
    uint8_t data[];
};

struct arena {
    ProtobufCAllocator allocator;
    struct block *first; /* kept until arena_free() */
    struct block *current;
    size_t budget; /* what may still be allocated until the next reset */
};

static struct block *block_new(size_t cap)
{
    struct block *block = calloc(1, sizeof *block + cap);
    if (block != NULL)
        block->cap = cap;
    return block;
}

void *arena_alloc(struct arena *arena, size_t len)
{
    size_t need = (len + 7) & ~(size_t)7;
    if (need < len || need > arena->budget)
        return NULL;
    struct block *block = arena->current;
    if (need > block->cap - block->used) {
        struct block *more = block_new(need > BLOCK_MORE ? need : BLOCK_MORE);
        if (more == NULL)
            return NULL;
        block->next = more;
        arena->current = block = more;
    }
    void *out = block->data + block->used;
    block->used += need;
    arena->budget -= need;
    return out;
}

static void *allocator_alloc(void *data, size_t len)
{
    struct arena *arena = data;
    return arena_alloc(arena, len);
}

static void allocator_free(void *data, void *ptr)
{
    (void)data;
    (void)ptr;
}

enum rc arena_new(struct arena **out)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        return RC_NO_MEMORY;
    arena->first = block_new(BLOCK_FIRST);
    if (arena->first == NULL) {
        free(arena);
        return RC_NO_MEMORY;
    }
    arena->allocator = (ProtobufCAllocator){
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = arena};
    arena->current = arena->first;
    arena->budget = ARENA_BASE;
    *out = arena;
    return RC_OK;
}

void arena_reset(struct arena *arena)
{
    struct block *more = arena->first->next;
    while (more != NULL) {
        struct block *next = more->next;
        secret_wipe(more->data, more->used);
        free(more);
        more = next;
    }
    secret_wipe(arena->first->data, arena->first->used);
    arena->first->used = 0;
    arena->first->next = NULL;
    arena->current = arena->first;
    arena->budget = ARENA_BASE;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    free(arena->first);
    free(arena);
}

void arena_budget_for(struct arena *arena, size_t message_len)
{
    arena->budget = ARENA_BASE + ARENA_FACTOR * message_len;
}

ProtobufCAllocator *arena_allocator(struct arena *arena)
{
    return &arena->allocator;
}
