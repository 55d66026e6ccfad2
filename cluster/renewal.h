/* SPDX-License-Identifier: Apache-2.0 */
/* The HSM's own certificate, renewed before it ends: any member can open the cluster's authority,
 * so it certifies its own key again, without a word to the others. */
#ifndef QHSM_CLUSTER_RENEWAL_H
#define QHSM_CLUSTER_RENEWAL_H

#include "cluster/service.h"

struct renewal;

/* Looks now and once an hour. A new certificate lies in the file `cert` of the configuration; this
 * process is then told by SIGHUP to take it. */
enum rc renewal_start(struct service *service, struct renewal **out);
/* Looks again: the certificate in use may be another one. */
void renewal_look(struct renewal *renewal);
/* NULL is nothing. */
void renewal_stop(struct renewal *renewal);

#endif
