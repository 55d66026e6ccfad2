/* SPDX-License-Identifier: Apache-2.0 */
/* The table of errors and the detail that travels with one. */
#include "common/rc.h"

#include <stdlib.h>
#include <string.h>

#include "common/cryptoki.h"
#include "common/report.h"
#include "tests/unit/unit.h"

static const enum rc all[] = {
#define RC(name, wire, ckr, http, exit_code, text, next) RC_##name,
#include "common/rc.def"
#undef RC
};
#define ALL_COUNT (sizeof all / sizeof all[0])

static void no_number_is_used_twice(void)
{
    for (size_t i = 0; i < ALL_COUNT; i++)
        for (size_t k = 0; k < i; k++)
            CU_ASSERT(all[i] != all[k]);
}

static void every_row_is_found_and_has_a_text(void)
{
    for (size_t i = 0; i < ALL_COUNT; i++) {
        const struct rc_info *info = rc_info(all[i]);
        CU_ASSERT_EQUAL(info->rc, all[i]);
        CU_ASSERT(info->text[0] != 0);
        CU_ASSERT_EQUAL(info->ckr == CKR_OK, all[i] == RC_OK);
        CU_ASSERT_EQUAL(info->exit_code == 0, info->http < 300);
        CU_ASSERT_EQUAL(rc_from_wire((uint32_t)all[i]), all[i]);
    }
}

static void unknown_number_of_a_peer_is_an_internal_error(void)
{
    UNIT_RC(rc_from_wire(999999), RC_INTERNAL);
    CU_ASSERT_EQUAL(rc_info((enum rc)999999)->rc, RC_INTERNAL);
}

static void latest_detail_wins_until_it_is_cleared(void)
{
    rc_detail_clear();
    CU_ASSERT_STRING_EQUAL(rc_detail(), "");
    UNIT_RC(rc_fail(RC_LIMIT, "inner"), RC_LIMIT);
    UNIT_RC(rc_fail(RC_LIMIT, "outer %d", 2), RC_LIMIT);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "outer 2");
    rc_detail_clear();
    UNIT_RC(rc_fail(RC_LIMIT, "next"), RC_LIMIT);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "next");
    rc_detail_clear();
}

static void long_detail_is_cut(void)
{
    UNIT_RC(rc_fail(RC_LIMIT, "%600d", 1), RC_LIMIT);
    CU_ASSERT(strlen(rc_detail()) <= 255);
    rc_detail_clear();
}

static void check_report(enum rc rc, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL(report_error(out, "program", rc), rc_info(rc)->exit_code);
    (void)fclose(out);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

static void a_command_tells_what_and_why(void)
{
    rc_detail_clear();
    check_report(RC_NOT_FOUND, "program: not found (NOT_FOUND)\n");
    check_report(rc_fail(RC_NOT_FOUND, "no key x"),
                 "program: not found (NOT_FOUND)\n  why:  no key x\n");
    rc_detail_clear();
}

UNIT_SUITE("rc", UNIT_CASE(no_number_is_used_twice), UNIT_CASE(every_row_is_found_and_has_a_text),
           UNIT_CASE(unknown_number_of_a_peer_is_an_internal_error),
           UNIT_CASE(latest_detail_wins_until_it_is_cleared), UNIT_CASE(long_detail_is_cut),
           UNIT_CASE(a_command_tells_what_and_why));
