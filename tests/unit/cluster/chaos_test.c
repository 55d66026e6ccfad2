/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated trouble, without an engine to hand it to. */
#include "cluster/chaos.h"

#include <string.h>

#include "cluster/peer_trouble.h"
#include "cluster/service.h"
#include "tests/unit/unit.h"

struct fixture {
    struct service service;
    struct chaos *chaos;
};

static void fixture_open(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    UNIT_OK(chaos_new(&fixture->service, &fixture->chaos));
}

static Qhsm__ChaosRequest of_kind(enum chaos_kind kind)
{
    Qhsm__ChaosRequest request = QHSM__CHAOS_REQUEST__INIT;
    request.kind = (uint32_t)kind;
    return request;
}

static enum rc join_text(void *context, const char *text)
{
    struct buf *out = context;
    return buf_printf(out, "%s;", text);
}

static void expect_told(struct fixture *fixture, const char *expected)
{
    AUTO_BUF told = BUF_INIT;
    UNIT_OK(chaos_describe(fixture->chaos, join_text, &told));
    CU_ASSERT_STRING_EQUAL(buf_str(&told), expected);
}

static void links_are_in_trouble_one_by_one_or_all(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    expect_told(&fixture, "");
    Qhsm__ChaosRequest cut = of_kind(CHAOS_LINK);
    cut.in = cut.out = true;
    UNIT_OK(chaos_make(fixture.chaos, &cut));
    Qhsm__ChaosRequest slow = of_kind(CHAOS_LINK);
    slow.peer = 2;
    slow.delay_ms = 50;
    slow.drop_permille = 10;
    UNIT_OK(chaos_make(fixture.chaos, &slow));
    CU_ASSERT_TRUE(chaos_link(fixture.chaos, 3).cut_in);
    CU_ASSERT_TRUE(chaos_link(fixture.chaos, 3).cut_out);
    CU_ASSERT_FALSE(chaos_link(fixture.chaos, 2).cut_in);
    CU_ASSERT_EQUAL(chaos_link(fixture.chaos, 2).delay_ms, 50);
    CU_ASSERT_FALSE(chaos_cuts_clients(fixture.chaos));
    expect_told(&fixture, "links cut;link with HSM 2 slow by 50 ms losing 10 of 1000;");
    chaos_free(fixture.chaos);
}

static void one_direction_is_cut_alone(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    Qhsm__ChaosRequest cut = of_kind(CHAOS_LINK);
    cut.in = true;
    cut.clients = true;
    UNIT_OK(chaos_make(fixture.chaos, &cut));
    CU_ASSERT_TRUE(chaos_link(fixture.chaos, 3).cut_in);
    CU_ASSERT_FALSE(chaos_link(fixture.chaos, 3).cut_out);
    CU_ASSERT_TRUE(chaos_cuts_clients(fixture.chaos));
    expect_told(&fixture, "links cut inwards;clients over TCP cut off;");
    chaos_free(fixture.chaos);
}

static void the_wall_clock_is_off_and_the_steady_one_is_not(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    uint64_t wall = clock_wall_ms();
    uint64_t steady = clock_steady_ms();
    Qhsm__ChaosRequest clock = of_kind(CHAOS_CLOCK);
    clock.clock_ms = 3600000;
    UNIT_OK(chaos_make(fixture.chaos, &clock));
    CU_ASSERT_TRUE(clock_wall_ms() >= wall + 3600000);
    CU_ASSERT_TRUE(clock_steady_ms() < steady + 3600000);
    expect_told(&fixture, "clock off by 3600000 ms;");
    chaos_free(fixture.chaos);
    CU_ASSERT_TRUE(clock_wall_ms() < wall + 3600000);
}

static void heal_ends_all_of_it(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    Qhsm__ChaosRequest cut = of_kind(CHAOS_LINK);
    cut.in = cut.out = cut.clients = true;
    Qhsm__ChaosRequest other = cut;
    other.peer = 7;
    Qhsm__ChaosRequest clock = of_kind(CHAOS_CLOCK);
    clock.clock_ms = -5;
    const Qhsm__ChaosRequest full = of_kind(CHAOS_DISK_FULL);
    UNIT_OK(chaos_make(fixture.chaos, &cut));
    UNIT_OK(chaos_make(fixture.chaos, &other));
    UNIT_OK(chaos_make(fixture.chaos, &clock));
    UNIT_OK(chaos_make(fixture.chaos, &full));
    expect_told(&fixture, "links cut;link with HSM 7 cut;clients over TCP cut off;disk full;clock "
                          "off by -5 ms;");
    const Qhsm__ChaosRequest status = of_kind(CHAOS_STATUS);
    UNIT_OK(chaos_make(fixture.chaos, &status));
    CU_ASSERT_TRUE(chaos_cuts_clients(fixture.chaos));
    const Qhsm__ChaosRequest heal = of_kind(CHAOS_HEAL);
    UNIT_OK(chaos_make(fixture.chaos, &heal));
    expect_told(&fixture, "");
    CU_ASSERT_FALSE(chaos_link(fixture.chaos, 7).cut_in);
    CU_ASSERT_FALSE(chaos_cuts_clients(fixture.chaos));
    chaos_free(fixture.chaos);
}

static void nonsense_is_refused_and_changes_nothing(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    Qhsm__ChaosRequest request = of_kind(CHAOS_KIND_END);
    UNIT_RC(chaos_make(fixture.chaos, &request), RC_BAD_ARGUMENT);
    request = of_kind(CHAOS_LINK);
    request.drop_permille = 1001;
    UNIT_RC(chaos_make(fixture.chaos, &request), RC_BAD_ARGUMENT);
    request.drop_permille = 0;
    request.delay_ms = 60001;
    UNIT_RC(chaos_make(fixture.chaos, &request), RC_BAD_ARGUMENT);
    request = of_kind(CHAOS_CLOCK);
    request.clock_ms = INT64_MAX;
    UNIT_RC(chaos_make(fixture.chaos, &request), RC_BAD_ARGUMENT);
    request.clock_ms = INT64_MIN;
    UNIT_RC(chaos_make(fixture.chaos, &request), RC_BAD_ARGUMENT);
    expect_told(&fixture, "");
    chaos_free(fixture.chaos);
}

/* Of HSMs that were removed nothing is left to note, and there may have been any number of them. */
static void peers_come_and_go_without_end(void)
{
    static struct peer_notes notes;
    static const struct peer_trouble none = {.cut_in = false};
    static const struct peer_trouble cut = {.cut_in = true};
    char address[PEER_ADDRESS_MAX + 1];
    peer_notes_init(&notes);
    for (uint64_t id = 1; id < 4 * (uint64_t)PEER_MEMBERS_MAX; id++) {
        UNIT_OK(peer_notes_locate(&notes, id, NULL)); /* never was a member here */
        UNIT_OK(peer_notes_locate(&notes, id, "127.0.0.1:1"));
        UNIT_OK(peer_notes_trouble(&notes, id, &cut));
        UNIT_OK(peer_notes_locate(&notes, id, NULL));
        CU_ASSERT_TRUE(peer_notes_trouble_of(&notes, id).cut_in);
        UNIT_OK(peer_notes_trouble(&notes, id, &none));
    }
    for (uint64_t id = 1; id <= PEER_MEMBERS_MAX; id++)
        UNIT_OK(peer_notes_locate(&notes, id, "127.0.0.1:1"));
    UNIT_RC(peer_notes_locate(&notes, PEER_MEMBERS_MAX + 1, "127.0.0.1:1"), RC_LIMIT);
    UNIT_OK(peer_notes_trouble(&notes, 0, &none));
    UNIT_OK(peer_notes_locate(&notes, 7, NULL));
    UNIT_OK(peer_notes_trouble(&notes, 0, &cut));
    CU_ASSERT_TRUE(peer_notes_trouble_of(&notes, 8).cut_in);
    CU_ASSERT_TRUE(peer_notes_address_of(&notes, 8, address));
    CU_ASSERT_FALSE(peer_notes_address_of(&notes, 7, address));
    peer_notes_clear(&notes);
}

UNIT_SUITE("cluster/chaos", UNIT_CASE(links_are_in_trouble_one_by_one_or_all),
           UNIT_CASE(one_direction_is_cut_alone),
           UNIT_CASE(the_wall_clock_is_off_and_the_steady_one_is_not),
           UNIT_CASE(peers_come_and_go_without_end), UNIT_CASE(heal_ends_all_of_it),
           UNIT_CASE(nonsense_is_refused_and_changes_nothing));
