/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/release.h"

#include <stdlib.h>

/* QHSM_VERSION is "major.minor.patch". */
CK_VERSION release_version(void)
{
    char *rest = NULL;
    unsigned long major = strtoul(QHSM_VERSION, &rest, 10);
    unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    return (CK_VERSION){.major = (CK_BYTE)major, .minor = (CK_BYTE)minor};
}
