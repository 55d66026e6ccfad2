/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon as a whole: everything started in order, reloaded, drained. main.c and tests start it.
 */
#ifndef QHSM_CLUSTER_SERVER_H
#define QHSM_CLUSTER_SERVER_H

#include "cluster/service.h"

struct server;

/* Self-tests, unlock, state, consensus, workers, listeners. Borrows the configuration. When it
 * returns RC_OK, clients are served. */
enum rc server_start(const struct server_config *config, bool memory_locked, struct server **out);
/* Certificates and limits of a newly read configuration; what cannot change while running is named
 * in the log. On failure the old ones stay. */
enum rc server_reload(struct server *server, const struct server_config *config);
/* Stops accepting, finishes what is in flight (at most 5 s), stops. */
void server_stop(struct server *server);
/* The TCP port that was bound; 0: none. */
unsigned server_port(const struct server *server);
struct service *server_service(struct server *server);

#endif
