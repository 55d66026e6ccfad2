/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated trouble on request, where qhsmd.conf has `chaos = yes`. */
#ifndef QHSM_CLUSTER_CHAOS_H
#define QHSM_CLUSTER_CHAOS_H

#include "cluster/peer_transport.h"
#include "common/buf.h"
#include "common/cluster.h"
#include "rpc/frame.h"

struct chaos;
struct service;

enum rc chaos_new(struct service *service, struct chaos **out);
void chaos_free(struct chaos *chaos);
/* Trouble with node `id`, for requests between HSMs. Any thread, cheap. */
struct peer_trouble chaos_link(const struct chaos *chaos, uint64_t id);
/* Clients over TCP are cut off. Any thread, cheap. */
bool chaos_cuts_clients(const struct chaos *chaos);

/* Makes it so. Blocks for CHAOS_TAMPER, after which the process ends: pool threads.
 * RC_BAD_ARGUMENT, RC_LIMIT. */
enum rc chaos_make(struct chaos *chaos, const Qhsm__ChaosRequest *request);
/* What is emulated, in words, one after the other until `tell` fails. */
typedef enum rc (*chaos_tell)(void *context, const char *text);
enum rc chaos_describe(struct chaos *chaos, chaos_tell tell, void *context);

#endif
