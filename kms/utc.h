/* SPDX-License-Identifier: Apache-2.0 */
/* Times as AWS writes them in XML and trail: "2026-11-22T13:40:00Z". Without the C library's time
 * zones and their lock. */
#ifndef QHSM_KMS_UTC_H
#define QHSM_KMS_UTC_H

#include <stdbool.h>
#include <stdint.h>

#define UTC_LEN 21U /* with its NUL */

void utc_print(uint64_t time_ms, char out[UTC_LEN]);
/* "20261122T134000Z". */
void utc_print_compact(uint64_t time_ms, char out[UTC_LEN]);
/* Either form. */
bool utc_parse(const char *text, uint64_t *out_ms);

#endif
