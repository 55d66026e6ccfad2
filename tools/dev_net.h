/* SPDX-License-Identifier: Apache-2.0 */
/* Zones of a development cluster in network namespaces of their own, joined by a bridge to this
 * machine's: what is cut there vanishes without a word, as on a network that broke. By ip(8), as
 * root. Without `dev up --netns` a directory has none of it, and the zones are on 127.0.0.1. */
#ifndef QHSM_TOOLS_DEV_NET_H
#define QHSM_TOOLS_DEV_NET_H

#include "tools/dev.h"

#define DEV_NET_FILE "network" /* in the cluster's directory: names and addresses */

bool dev_net_exists(const struct dev *dev);
/* Chooses names and addresses, and writes them down before anything is made. RC_NOT_PERMITTED for
 * others than root. */
enum rc dev_net_choose(const struct dev *dev);
/* Makes what is missing of bridge and namespaces. */
enum rc dev_net_up(const struct dev *dev);
/* Removes them, whatever is left of them; daemons have ended. */
enum rc dev_net_down(const struct dev *dev);

/* Where the zone's daemon listens. Appends. */
enum rc dev_net_host(const struct dev *dev, unsigned zone, struct buf *out);
/* The namespace's file, for setns(2); nothing when there is none. Appends. */
enum rc dev_net_namespace(const struct dev *dev, unsigned zone, struct buf *out);

/* One zone's packets. */
struct dev_cut {
    unsigned zone;
    const unsigned *peer; /* NULL: all other zones */
    bool in, out;         /* what comes to it, what it sends */
    bool clients;         /* those on this machine, too */
};
enum rc dev_net_cut(const struct dev *dev, const struct dev_cut *cut);
/* To and from the zone. */
enum rc dev_net_heal(const struct dev *dev, unsigned zone);
/* "packets to zone b vanish, packets from ...": nothing when none do. Appends. */
enum rc dev_net_describe(const struct dev *dev, unsigned zone, struct buf *out);

#endif
