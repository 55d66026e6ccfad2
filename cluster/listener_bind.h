/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that the acceptor listens on. */
#ifndef QHSM_CLUSTER_LISTENER_BIND_H
#define QHSM_CLUSTER_LISTENER_BIND_H

#include "cluster/server_config.h"

#define LISTENER_SOCKETS_MAX 4U /* addresses of one host name */
#define LISTENER_HOST_MAX    256U

struct listener_sockets {
    int unix_fd; /* -1: none */
    int fds[LISTENER_SOCKETS_MAX];
    size_t count;
};

/* Binds listen_unix (replacing the name that a dead daemon left) and listen_tcp. RC_CONFIG. */
enum rc listener_bind(const struct server_config *config, struct listener_sockets *out);
/* Closes, and removes the Unix socket's name. */
void listener_unbind(const struct server_config *config, const struct listener_sockets *sockets);
unsigned listener_bound_port(int fd);

/* Takes host:port, [v6]:port or :port apart; `key` names it in the error. RC_CONFIG. */
enum rc listener_split(const char *key, const char *text, char host[LISTENER_HOST_MAX],
                       const char **out_port);
/* Listens on all addresses of a host:port, beside those that `out` has already. RC_CONFIG. */
enum rc listener_bind_tcp(const char *key, const char *text, struct listener_sockets *out);

#endif
