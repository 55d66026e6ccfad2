/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an operation: gathered in the module, hashed in the module, or streamed through the
 * daemon. */
#ifndef QHSM_P11_CRYPT_PARTS_H
#define QHSM_P11_CRYPT_PARTS_H

#include "p11/crypt_remote.h"

/* True for operations whose updates give output. */
bool crypt_parts_give(enum crypt_op op);
/* First part: chooses the path. */
enum rc crypt_parts_begin(struct call *call, struct operation *operation, enum crypt_op op);
/* Any length; what comes out is appended to `out`. */
enum rc crypt_parts_add(struct call *call, struct operation *operation, enum crypt_op op,
                        struct bytes part, struct secret *out);
/* The end: what comes out is appended to `out`; `signature` is to be verified. */
enum rc crypt_parts_end(struct call *call, struct operation *operation, enum crypt_op op,
                        struct bytes signature, struct secret *out);
/* One-shot: the digest alone when that is less to send, in parts when it is too long for one
 * request. */
enum rc crypt_parts_whole(struct call *call, struct operation *operation, enum crypt_op op,
                          const struct crypt_input *input, struct secret *out,
                          struct remote_reply *reply);

#endif
