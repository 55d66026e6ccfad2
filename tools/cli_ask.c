/* SPDX-License-Identifier: Apache-2.0 */
/* What commands ask and read besides PINs: a person's yes, numbers. */
#include <string.h>
#include <unistd.h>

#include <inttypes.h>
#include <stdlib.h>

#include "tools/cli.h"

enum rc cli_confirm(bool yes, const char *what)
{
    if (yes)
        return RC_OK;
    if (isatty(STDIN_FILENO) == 0)
        return rc_fail(RC_USAGE, "%s No terminal to ask on: --yes does it unasked", what);
    char line[64] = "";
    printf("%s Type yes to go on: ", what);
    (void)fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        line[0] = 0;
    line[strcspn(line, "\n")] = 0;
    return strcmp(line, "yes") == 0 ? RC_OK
                                    : rc_fail(RC_CANCELLED, "not confirmed: nothing was done");
}

enum rc cli_number(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < least || value > most)
        return rc_fail(RC_USAGE, "%s is a number from %" PRIu64 " to %" PRIu64 ", not %s", what,
                       least, most, text);
    *out = value;
    return RC_OK;
}
