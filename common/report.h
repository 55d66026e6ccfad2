/* SPDX-License-Identifier: Apache-2.0 */
/* How commands tell errors to who typed them: what, why, and what to do next. */
#ifndef QHSM_COMMON_REPORT_H
#define QHSM_COMMON_REPORT_H

#include <stdio.h>

#include "common/rc.h"

/* With this thread's detail. The exit code of the command. */
int report_error(FILE *out, const char *program, enum rc rc);

#endif
