/* SPDX-License-Identifier: Apache-2.0 */
/* Documents in memory: by space and key, each version immutable and counted, so that a snapshot
 * shares them. The caller locks: readers share, the one writer excludes them. */
#ifndef QHSM_TOKEN_DOCUMENTS_H
#define QHSM_TOKEN_DOCUMENTS_H

#include <sys/uio.h>

#include "token/state.h"

struct document; /* immutable */

/* {u32 len, row}: one piece of memory, its place in a snapshot. Row: {u8 format, u8 space, u64
 * version, key, value}. */
struct bytes document_frame(const struct document *document);
/* What is part of the state hash. */
struct bytes document_row(const struct document *document);
uint64_t document_version(const struct document *document);
struct document_name document_name(const struct document *document);
struct bytes document_value(const struct document *document);
void document_unref(struct document *document); /* NULL is fine */
/* What a document takes, in a snapshot as in the account of memory. */
#define DOCUMENT_FRAME_LEN(key_len, value_len) \
    (4U + 1U + 1U + 8U + 4U + (key_len) + 4U + (value_len))

/* RC_BAD_ARGUMENT outside the limits of state.h, RC_NO_MEMORY. refs = 1. */
enum rc document_new(enum document_space space, struct bytes key, uint64_t version,
                     struct bytes value, struct document **out);
/* The document whose row this is. RC_TAMPERED when malformed. */
enum rc document_from_row(struct bytes row, struct document **out);
/* What a well-formed row is called; a view into it. */
struct document_name {
    enum document_space space;
    struct bytes key;
};
struct document_name document_name_of(struct bytes row);
/* Space, key and value within the limits. */
bool document_fits(enum document_space space, struct bytes key, struct bytes value);

struct document_shelf {
    struct document **items; /* by key */
    size_t count;
    size_t cap;
};
struct documents {
    struct document_shelf shelves[DOCUMENT_SPACE_END];
    size_t count;
    size_t bytes; /* of all frames */
};

/* Borrowed; NULL when absent. */
struct document *documents_find(const struct documents *documents, enum document_space space,
                                struct bytes key);
/* Those with keys after `after`. */
void documents_each(const struct documents *documents, enum document_space space,
                    struct bytes after, document_visit visit, void *context);

/* Takes the place of the one of the same key, if any; owns `document` then. RC_NO_MEMORY. */
enum rc documents_put(struct documents *documents, struct document *document);
void documents_remove(struct documents *documents, enum document_space space, struct bytes key);
/* All of a space. */
void documents_drop(struct documents *documents, enum document_space space);
void documents_clear(struct documents *documents);

/* A frozen copy that shares all rows. RC_NO_MEMORY. */
enum rc documents_share(const struct documents *documents, struct documents *out);
/* document_frame() of each, `documents->count` of them, by space and key. */
void documents_frames(const struct documents *documents, struct iovec *out);

#endif
