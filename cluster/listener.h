/* SPDX-License-Identifier: Apache-2.0 */
/* The acceptor: listens on the Unix socket and on TCP, gives each connection to the worker with the
 * fewest, and keeps the daemon's clock of small chores. */
#ifndef QHSM_CLUSTER_LISTENER_H
#define QHSM_CLUSTER_LISTENER_H

#include <openssl/ssl.h>

#include "cluster/worker.h"

struct listener;

/* Binds and listens; serves from listener_start() on. RC_CONFIG names address and reason. `tls`
 * (its own reference) is needed for TCP. */
enum rc listener_new(struct service *service, struct worker *const *workers, size_t worker_count,
                     SSL_CTX *tls, struct listener **out);
enum rc listener_start(struct listener *listener);
/* New connections use these certificates. Takes the reference. Any thread. */
void listener_set_tls(struct listener *listener, SSL_CTX *tls);
/* The port that was bound (for port 0 in tests); 0 without TCP. */
unsigned listener_port(const struct listener *listener);
/* Closes the sockets, removes the Unix socket's name, joins. */
void listener_free(struct listener *listener);

#endif
