/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of client.conf, and a connected socket to one within a deadline. */
#ifndef QHSM_RPC_CLIENT_ENDPOINT_H
#define QHSM_RPC_CLIENT_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/rc.h"
#include "rpc/client_clock.h"

struct endpoint {
    char *text; /* as configured, for messages */
    bool is_tcp;
    char *address; /* path, or host name or IP address */
    char *port;    /* tcp only */
    char *zone;    /* or NULL */
};

/* "unix:/path" or "tcp:host:port" ("tcp:[::1]:port"), optional "?zone=NAME". RC_CONFIG. */
enum rc endpoint_parse(const char *text, struct endpoint *out);
void endpoint_clear(struct endpoint *endpoint);

struct endpoint_options {
    instant deadline;         /* for connecting */
    unsigned long receive_ms; /* SO_RCVTIMEO afterwards */
    unsigned long dead_ms;    /* TCP_USER_TIMEOUT: a peer that acknowledges nothing that long */
};
/* A blocking socket, close-on-exec, never 0 to 2. The descriptor is in *out_fd from its first
 * moment, so that a fork in the middle leaves none unknown; on failure *out_fd is -1 again.
 * RC_UNAVAILABLE with the reason (without the endpoint's name). Host names are looked up by the
 * resolver of the system, whose own timeouts apply. */
enum rc endpoint_connect(const struct endpoint *endpoint, const struct endpoint_options *options,
                         atomic_int *out_fd);
/* Closes what is there. */
void endpoint_close(atomic_int *fd);

#endif
