/* SPDX-License-Identifier: Apache-2.0 */
/* Which documents of a space changed last, in this process's memory: who follows the documents asks
 * for what changed since, and is not sent all of them. The caller locks as for the documents. */
#ifndef QHSM_TOKEN_DOCUMENT_LOG_H
#define QHSM_TOKEN_DOCUMENT_LOG_H

#include <stdatomic.h>

#include "token/state.h"

#define DOCUMENT_LOG_MAX 8192U

struct document_log_entry {
    uint64_t index; /* of the state */
    uint8_t key_len;
    uint8_t key[DOCUMENT_KEY_MAX];
};

/* A ring; no change is known at or before `floor`. All zero at the beginning of a state. */
struct document_log {
    struct document_log_entry *entries; /* DOCUMENT_LOG_MAX, from the first change on */
    size_t first, count;
    uint64_t floor;
    _Atomic uint64_t last;    /* index of the last change; read without lock */
    _Atomic uint64_t decided; /* of the last whose key does not begin with DOCUMENT_NOTE */
};

void document_log_clear(struct document_log *log);
/* Forgets all: everything changed at that index. */
void document_log_renew(struct document_log *log, uint64_t index);
/* RC_NO_MEMORY. */
enum rc document_log_add(struct document_log *log, uint64_t index, struct bytes key);
/* The keys, each once, ascending after `after`, that changed after `since` (at or above the floor);
 * views into the log, in an array that the caller frees. RC_NO_MEMORY. */
enum rc document_log_since(const struct document_log *log, uint64_t since, struct bytes after,
                           struct bytes **out_keys, size_t *out_count);

#endif
