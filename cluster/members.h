/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the cluster's requests share: addresses, certificates by the cluster's
 * authority, who can be spared. */
#ifndef QHSM_CLUSTER_MEMBERS_H
#define QHSM_CLUSTER_MEMBERS_H

#include "cluster/roll.h"
#include "cluster/service.h"
#include "rpc/pki.h"

#define MEMBERS_CERTIFICATE_DAYS 825U

/* host:port as somebody else can use it: RC_BAD_ARGUMENT names `what`. */
enum rc members_check_address(const char *what, const char *text);
/* That its address is not another's on the roll. RC_EXISTS. */
enum rc members_check_place(const struct roll_node *nodes, size_t count,
                            const struct roll_node *node);
/* Letters, digits, dots, dashes and underscores. RC_BAD_ARGUMENT. */
enum rc members_check_zone(const char *zone);
/* A certificate by the cluster's authority for somebody else's key. RC_NOT_FORMED. */
enum rc members_certify(struct service *service, const struct pki_subject *subject,
                        struct bytes spki, struct buf *out_cert, struct buf *out_ca);
/* Of a member: its number is the name, its addresses are the hosts. */
enum rc members_certify_node(struct service *service, const struct roll_node *node,
                             struct buf *out_cert, struct buf *out_ca);
/* May that member stop voting: does a majority of the rest answer? Blocks for two seconds when
 * one of them does not. RC_CONFLICT says what to do. */
enum rc members_check_leave(struct service *service, uint64_t id);
/* How many voters the engine's configuration has. */
size_t members_voters(struct service *service);

#endif
