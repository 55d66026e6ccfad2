/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of the tables, each compiled once in the life of the process. */
#ifndef QHSM_KMS_PATTERN_H
#define QHSM_KMS_PATTERN_H

#include <stdbool.h>

/* POSIX extended, against the whole of `text`, byte by byte. `pattern` is a string that lives as
 * long as the process. One that does not compile matches nothing. Any thread. */
bool pattern_matches(const char *pattern, const char *text);

#endif
