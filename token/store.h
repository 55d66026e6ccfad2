/* SPDX-License-Identifier: Apache-2.0 */
/* Objects by handle, and indexes on what people search by. Sharded: readers take one shard's read
 * lock for a moment; one writer at a time changes it. */
#ifndef QHSM_TOKEN_STORE_H
#define QHSM_TOKEN_STORE_H

#include "token/object.h"
#include "token/state.h"

struct store;

/* `shards` is a power of two. `like` NULL: a seed of its own; else that one's, for store_swap(). */
enum rc store_new(unsigned shards, const struct store *like, struct store **out);
void store_free(struct store *store);

/* Any thread. */
struct object *store_get(const struct store *store, uint64_t handle); /* new reference or NULL */
size_t store_count(const struct store *store);
/* As state_find(); no lock is held while `visit` runs. */
enum rc store_find(const struct store *store, uint64_t token, struct attrs wanted, bool see_private,
                   uint64_t after, state_visit visit, void *context);

/* The writer. Each takes a reference of its own to the object. RC_NO_MEMORY leaves the store as it
 * was. */
enum rc store_add(struct store *store, struct object *object); /* a new handle */
/* New handles, ascending and above all others, on several threads, without locks: into a store that
 * nobody reads yet. RC_NO_MEMORY leaves it in disorder. */
enum rc store_fill(struct store *store, struct object *const *objects, size_t count);
enum rc store_replace(struct store *store, struct object *object); /* a handle that is there */
void store_remove(struct store *store, uint64_t handle);
/* Exchanges the content of both, shard by shard, while readers of `live` go on. Same number of
 * shards, same seed. */
void store_swap(struct store *live, struct store *fresh);

#endif
