/* SPDX-License-Identifier: Apache-2.0 */
/* Work in parts: each is done once, and together they are all rows. */
#include "token/crew.h"

#include <stdatomic.h>

#include "tests/unit/unit.h"

static void parts_follow_each_other_without_gap(void)
{
    static const size_t counts[] = {0, 1, 7, 8, 9, 2049, 65536};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (unsigned parts = 1; parts <= CREW_MAX; parts++) {
            CU_ASSERT_EQUAL(crew_first(counts[i], parts, 0), 0);
            CU_ASSERT_EQUAL(crew_first(counts[i], parts, parts), counts[i]);
            for (unsigned part = 0; part < parts; part++)
                CU_ASSERT_TRUE(crew_first(counts[i], parts, part) <=
                               crew_first(counts[i], parts, part + 1));
        }
    }
}

static void few_rows_are_one_part(void)
{
    CU_ASSERT_EQUAL(crew_size(0), 1);
    CU_ASSERT_EQUAL(crew_size(100), 1);
    CU_ASSERT_TRUE(crew_size(1000000) >= 1 && crew_size(1000000) <= CREW_MAX);
}

static void count_part(void *context, unsigned part)
{
    atomic_uint *done = context;
    atomic_fetch_add(&done[part], 1);
}

static void each_part_is_done_once(void)
{
    for (unsigned parts = 1; parts <= CREW_MAX; parts++) {
        atomic_uint done[CREW_MAX] = {0};
        crew_run(parts, count_part, done);
        for (unsigned part = 0; part < CREW_MAX; part++)
            CU_ASSERT_EQUAL(done[part], part < parts ? 1 : 0);
    }
}

UNIT_SUITE("crew", UNIT_CASE(parts_follow_each_other_without_gap), UNIT_CASE(few_rows_are_one_part),
           UNIT_CASE(each_part_is_done_once));
