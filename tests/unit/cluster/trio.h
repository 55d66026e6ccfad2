/* SPDX-License-Identifier: Apache-2.0 */
/* Three daemons in processes of their own, which joined as people would have them join. */
#ifndef QHSM_TESTS_TRIO_H
#define QHSM_TESTS_TRIO_H

#include "rpc/client.h"
#include "rpc/pki.h"
#include "tests/unit/cluster/harness.h"

#define TRIO_COUNT   3U
#define TRIO_WAIT_MS 40000U

struct trio {
    OSSL_LIB_CTX *lib;
    struct buf ca;
    struct secret ca_key;
    struct harness node[TRIO_COUNT]; /* number i + 1, zone a, b, c */
    struct peer_client admin[TRIO_COUNT];
};

/* Runs, with a token that has a user (HARNESS_SLOT), as soon as all three vote. No pause of a busy
 * machine costs the leader its lead. */
void trio_begin(struct trio *trio);
/* The same, but a leader that is lost is replaced soon. */
void trio_begin_hasty(struct trio *trio);
/* All are stopped; false when one did not end well. */
bool trio_end(struct trio *trio);
/* SIGTERM; the exit status. */
int trio_stop(struct trio *trio, unsigned i);
/* SIGKILL. */
void trio_kill(struct trio *trio, unsigned i);
/* Again, on the directory that it had. */
void trio_restart(struct trio *trio, unsigned i);
/* Other addresses for one that is down. */
void trio_move(struct trio *trio, unsigned i);
/* The node that all running ones follow. */
unsigned trio_leader(struct trio *trio);
/* Waits until all that run have applied the same and have the same hash. */
bool trio_settle(struct trio *trio);
/* Of a running node. Valid until the next. NULL: not reached. */
const Qhsm__StatusReply *trio_status(struct trio *trio, unsigned i);
enum rc trio_member(struct trio *trio, unsigned i, uint64_t id, uint32_t action);
/* Node i from the two others, both ways. */
enum rc trio_cut(struct trio *trio, unsigned i, bool cut);
/* A client over TLS with a new certificate, of node i alone. */
void trio_client_config(struct trio *trio, unsigned i, enum tls_role role, const char *name,
                        struct client_config *out);
void trio_client_config_clear(struct client_config *config);
uint64_t trio_now_ms(void);

#endif
