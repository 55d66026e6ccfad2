/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of tokens and users as they stand in effects, snapshots and the state hash. */
#ifndef QHSM_TOKEN_ROWS_H
#define QHSM_TOKEN_ROWS_H

#include "token/state.h"

/* RC_BAD_ARGUMENT when a name or label is too long. The number of objects is not part of it. */
enum rc token_row_encode(struct buf *out, const struct token_row *row);
bool token_row_decode(struct reader *in, struct token_row *out);
enum rc user_row_encode(struct buf *out, const struct user_row *row);
bool user_row_decode(struct reader *in, struct user_row *out);
/* u32 length and text into an array of `cap` bytes; marks the reader failed when it does not fit or
 * holds a NUL. */
void reader_text(struct reader *in, char *out, size_t cap);

#endif
