/* SPDX-License-Identifier: Apache-2.0 */
/* One piece of work in several parts, on as many threads as there are processors. */
#ifndef QHSM_TOKEN_CREW_H
#define QHSM_TOKEN_CREW_H

#include <stddef.h>

#define CREW_MAX 8U

/* In how many parts `count` rows are worth being done: 1 when they are few; at most CREW_MAX. */
unsigned crew_size(size_t count);
/* The first of the rows of a part; crew_first(count, parts, parts) is their end. */
size_t crew_first(size_t count, unsigned parts, unsigned part);
/* Does each part and returns when all are done. The caller does one, and those for which there is
 * no thread. */
void crew_run(unsigned parts, void (*job)(void *context, unsigned part), void *context);

#endif
