/* SPDX-License-Identifier: Apache-2.0 */
/* A process that was killed a moment ago may still be on its way out: its locks and addresses are
 * free within milliseconds. Who takes its place asks again until a second is over. */
#ifndef QHSM_COMMON_PREDECESSOR_H
#define QHSM_COMMON_PREDECESSOR_H

#include <stdbool.h>

struct addrinfo;

/* Waits 50 ms; false: a second is over. `tries` starts at 0. */
bool predecessor_wait(unsigned *tries);
/* A listening socket on that address, not blocking, for that family alone when `one_family` (IPv6
 * takes IPv4 too otherwise). -1 with errno; EADDRINUSE after a second of trying. */
int predecessor_listen(const struct addrinfo *info, bool one_family);

#endif
