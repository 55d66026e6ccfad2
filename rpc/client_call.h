/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the client on its way: what rpc/client_call.c and rpc/client_await.c share. */
#ifndef QHSM_RPC_CLIENT_CALL_H
#define QHSM_RPC_CLIENT_CALL_H

#include <stdatomic.h>

#include "rpc/client_pool.h"

struct rpc_client {
    const struct client_config *config;
    char *name;
    uint8_t application[16];
    _Atomic(struct client_tls *) tls; /* made for the first tcp endpoint */
    atomic_uint_fast64_t sequence;
    atomic_uint_fast64_t seen_index;
    uint8_t cluster[16]; /* whose index that is; under the pool's mutex */
    atomic_bool has_connected;
    struct client_pool pool;
    struct rpc_client *next_abandoned;
};

struct call {
    struct rpc_client *client;
    Qhsm__Request *request;
    enum rpc_repeat repeat;
    instant started;
    struct pool_wish wish;
    unsigned breaks;
    bool is_doubtful; /* a mutation that may have been done: who refuses it later does not know */
    uint64_t answered_by;
    struct rpc_reply reply;   /* memory for the next answer */
    struct rpc_reply refusal; /* an answer that another HSM might better */
};

/* ---- client.c */

/* The context for tcp endpoints, made when it is first needed. */
enum rc rpc_client_tls(struct rpc_client *client, struct client_tls **out);
/* Was connected to: another cluster's index means nothing any more. */
void rpc_client_met(struct rpc_client *client, const struct client_conn *conn);

/* ---- client_call.c */

/* Repeats until there is an answer, in call->reply, or nothing left to try. */
enum rc call_run(struct call *call);
/* Changes nothing, keeps nothing: may be done twice, or given up half-way. */
bool call_is_free(const struct call *call);
/* Is there an endpoint of another HSM that this call has not tried? */
bool call_has_other(const struct call *call, unsigned endpoint);
/* How long one HSM may take while there is another to ask. */
unsigned long call_share_ms(const struct rpc_client *client);
/* Time to connect to an endpoint that another one can stand in for. */
unsigned long call_probe_ms(const struct rpc_client *client);
/* Time for an HSM to say hello while it works on a call. */
unsigned long call_alive_ms(const struct rpc_client *client);
/* Connects `conn` to its endpoint within `ms` and the call's deadline. */
enum rc call_open(struct call *call, struct client_conn *conn, unsigned long ms);
/* The endpoint failed this call. */
void call_endpoint_failed(struct call *call, unsigned endpoint, enum rc rc);
/* The answer in call->reply is trouble of that HSM, and another may do better. */
bool call_is_refused(const struct call *call);
/* Keeps that answer in case no other HSM does better. */
enum rc call_keep_refusal(struct call *call, unsigned endpoint);

/* ---- client_await.c */

/* A request on its way. */
struct call_exchange {
    struct client_conn *conn;
    unsigned endpoint;
    uint64_t node;
    bool was_reused; /* the connection had answered before */
};
/* Sends the request on `exchange->conn` and gets its answer, or that of another HSM that was asked
 * too: then *exchange is that one. Gives back the connections. */
enum rc call_exchange(struct call *call, struct call_exchange *exchange);

#endif
