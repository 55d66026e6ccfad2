/* SPDX-License-Identifier: Apache-2.0 */
/* Forming a cluster and joining one: what `qhsm cluster` and `qhsm dev up` both do. */
#ifndef QHSM_TOOLS_FORMING_H
#define QHSM_TOOLS_FORMING_H

#include "rpc/pki.h"
#include "tools/connection.h"

/* The first HSM takes the CA over and makes the backup key. `out` holds the shares; clear it,
 * whatever comes back. */
enum rc forming_init(struct connection *connection, struct bytes ca_pem,
                     const struct secret *ca_key_pem, unsigned threshold, unsigned shares,
                     struct rpc_reply *out);
/* A join token for that key, as text. */
enum rc forming_token(struct connection *connection, struct bytes spki, bool approved,
                      unsigned life_s, struct buf *out_token);
/* A file or directory that root made for the daemon goes to the state directory's owner, or to the
 * user qhsm while there is none. */
enum rc forming_give(const char *state_dir, const char *path);
/* The state directory, made when there is none. */
enum rc forming_state_dir(const char *state_dir);
/* The private key in the file, made when there is none; its public half is appended. */
enum rc forming_key(OSSL_LIB_CTX *lib, const char *path, struct buf *out_spki);
/* Puts the token where the daemon looks for it. RC_EXISTS when the HSM has joined already. */
enum rc forming_ticket(const char *state_dir, const char *token);

#endif
