/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the arena for frame.c; users see frame.h only. */
#ifndef QHSM_RPC_ARENA_H
#define QHSM_RPC_ARENA_H

#include "rpc/frame.h"

/* The greediest message that frame_scan() lets through is a list of empty nested messages: two
 * bytes become a pointer, a message struct and the unpacker's own note of the field. */
#define ARENA_FACTOR 64U
#define ARENA_BASE   ((size_t)64 * 1024)

/* NULL beyond the budget or without memory. Aligned to 8. */
void *arena_alloc(struct arena *arena, size_t len);
/* Sets what may be allocated until the next reset. */
void arena_budget_for(struct arena *arena, size_t message_len);
ProtobufCAllocator *arena_allocator(struct arena *arena);

#endif
