/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of an operation: one-shot, or begun, updated and ended at the daemon that keeps its
 * state. */
#ifndef QHSM_P11_CRYPT_REMOTE_H
#define QHSM_P11_CRYPT_REMOTE_H

#include "p11/crypt_rules.h"
#include "p11/remote.h"

/* The key's facts into operation->facts, and the checks of Init. RC_KEY_HANDLE for no such key. */
enum rc crypt_key_load(struct call *call, struct operation *operation, enum crypt_op op);

struct crypt_input {
    struct bytes data;
    struct bytes signature; /* to verify */
    bool prehashed;
};
/* One round trip; when the key has changed meanwhile, its facts are fetched and checked again and
 * the request is repeated. An IV that the HSM made is written back to the caller. */
enum rc crypt_remote_once(struct call *call, struct operation *operation, enum crypt_op op,
                          const struct crypt_input *input, struct remote_reply *out);

enum rc crypt_remote_begin(struct call *call, struct operation *operation, enum crypt_op op);
/* At most WIRE_DATA_MAX bytes. */
enum rc crypt_remote_update(struct call *call, struct operation *operation, struct bytes data,
                            struct remote_reply *out);
enum rc crypt_remote_final(struct call *call, struct operation *operation, struct bytes data,
                           struct bytes signature, struct remote_reply *out);
/* Lets the daemon forget the state, if it has any. Errors do not matter. */
void crypt_remote_abort(struct call *call, struct operation *operation);

/* The data of an answer; empty when it has none. */
struct bytes crypt_reply_data(const struct remote_reply *reply);

#endif
