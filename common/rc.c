/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rc.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/cryptoki.h"

#define DETAIL_MAX 256

static const struct rc_info table[] = {
#define RC(name_, wire_, ckr_, http_, exit_, text_, next_) \
    {.rc = RC_##name_,                                     \
     .name = #name_,                                       \
     .ckr = (ckr_),                                        \
     .http = (http_),                                      \
     .exit_code = (exit_),                                 \
     .text = (text_),                                      \
     .next = (next_)},
#include "common/rc.def"
#undef RC
};

static _Thread_local char detail[DETAIL_MAX];

static const struct rc_info *find(uint32_t number)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((uint32_t)table[i].rc == number)
            return &table[i];
    return NULL;
}

const struct rc_info *rc_info(enum rc rc)
{
    const struct rc_info *row = find((uint32_t)rc);
    return row != NULL ? row : find(RC_INTERNAL);
}

enum rc rc_from_wire(uint32_t number)
{
    const struct rc_info *row = find(number);
    return row != NULL ? row->rc : RC_INTERNAL;
}

#undef rc_fail
enum rc rc_fail(enum rc rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return rc;
}

const char *rc_detail(void)
{
    return detail;
}

void rc_detail_clear(void)
{
    detail[0] = 0;
}
