/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a compiled policy: taken piece by piece, freed at once. */
#include <stdlib.h>
#include <string.h>

#include "kms/policy_tree.h"

#define CHUNK_LEN ((size_t)2000)
#define ALIGNMENT ((size_t)16)

struct policy_chunk {
    struct policy_chunk *next;
    size_t used, len;
    _Alignas(16) uint8_t data[];
};

static struct policy_chunk *chunk_new(struct policy_arena *arena, size_t need)
{
    size_t len = need > CHUNK_LEN ? need : CHUNK_LEN;
    struct policy_chunk *chunk = calloc(1, sizeof *chunk + len);
    if (chunk == NULL)
        return NULL;
    chunk->len = len;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *policy_arena_take(struct policy_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX / 2) / size)
        return NULL;
    size_t need = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct policy_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->len - chunk->used < need)
        chunk = chunk_new(arena, need);
    if (chunk == NULL)
        return NULL;
    void *out = chunk->data + chunk->used;
    chunk->used += need;
    return out;
}

const char *policy_arena_text(struct policy_arena *arena, const char *text, size_t len)
{
    char *copy = policy_arena_take(arena, len + 1, 1);
    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}

void policy_arena_clear(struct policy_arena *arena)
{
    while (arena->chunks != NULL) {
        struct policy_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}
