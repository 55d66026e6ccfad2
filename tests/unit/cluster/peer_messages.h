/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as the engine sends them, made by hand. */
#ifndef QHSM_TESTS_PEER_MESSAGES_H
#define QHSM_TESTS_PEER_MESSAGES_H

#include "common/buf.h"

/* Each appends a whole message; all of cluster {1, 2, 3}. Aborts without memory. */
void message_begin(struct buf *out, unsigned type, unsigned version, uint64_t header_len);
void message_vote(struct buf *out, uint64_t candidate);
void message_vote_result(struct buf *out);
void message_append_result(struct buf *out);
void message_timeout_now(struct buf *out);
/* Commands of `len` bytes each, the first at `index`. */
void message_append(struct buf *out, uint64_t index, uint32_t count, uint32_t len);
/* A barrier and a configuration of `members`. */
void message_append_others(struct buf *out, uint64_t index, uint64_t members);
void message_install(struct buf *out, uint64_t index, uint64_t members, uint64_t len);
void message_configuration(struct buf *out, uint64_t members);
/* One of each. */
void message_all(struct buf *out, uint64_t peer);
/* What a node says first, with the length that its address is said to be padded to. */
void message_hello(struct buf *out, uint64_t node, const char *address, uint64_t padded);
/* A new buffer of `count` messages of 200 KB. */
void message_stream(struct buf *out, unsigned count);

#endif
