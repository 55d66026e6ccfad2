/* SPDX-License-Identifier: Apache-2.0 */
#include "common/report.h"

int report_error(FILE *out, const char *program, enum rc rc)
{
    const struct rc_info *info = rc_info(rc);
    (void)fprintf(out, "%s: %s (%s)\n", program, info->text, info->name);
    if (rc_detail()[0] != 0)
        (void)fprintf(out, "  why:  %s\n", rc_detail());
    if (info->next[0] != 0)
        (void)fprintf(out, "  next: %s\n", info->next);
    return info->exit_code;
}
