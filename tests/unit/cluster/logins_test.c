/* SPDX-License-Identifier: Apache-2.0 */
/* The list of connections that are logged in. */
#include "cluster/logins.h"

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

struct world {
    struct replica r;
    struct logins *logins;
    uint64_t anna, bob;
};

static void begin(struct world *w)
{
    replica_open(&w->r);
    replica_token(&w->r, 1);
    w->anna = replica_user(&w->r, 1, "anna");
    w->bob = replica_user(&w->r, 1, "bob");
    UNIT_OK(logins_new(&w->logins));
}

static void end(struct world *w)
{
    logins_free(w->logins);
    replica_close(&w->r);
}

static struct ticket ticket_of(const struct world *w, uint64_t user_id, uint8_t application)
{
    struct token_row token;
    struct user_row user;
    UNIT_OK(state_token(w->r.state, 1, &token));
    UNIT_OK(state_user_by_id(w->r.state, user_id, &user));
    return (struct ticket){.token = 1,
                           .user_id = user_id,
                           .role = ROLE_USER,
                           .user_version = user.version,
                           .token_epoch = token.epoch,
                           .expires_ms = 1000,
                           .application = {application}};
}

static void note(const struct world *w, struct login_note *out, uint64_t user, uint8_t application)
{
    struct ticket ticket = ticket_of(w, user, application);
    logins_note(w->logins, out, &ticket, "peer", 0);
}

static uint32_t count(const struct world *w, uint64_t user)
{
    return logins_count(w->logins, w->r.state, user, 999);
}

static void a_connection_is_one_users_alone(void)
{
    struct world w;
    struct login_note one = {.next = NULL};
    begin(&w);
    CU_ASSERT_EQUAL(count(&w, w.anna), 0);
    note(&w, &one, w.anna, 1);
    note(&w, &one, w.anna, 1);
    CU_ASSERT(count(&w, w.anna) == 1 && count(&w, w.bob) == 0);
    note(&w, &one, w.bob, 1);
    CU_ASSERT(count(&w, w.anna) == 0 && count(&w, w.bob) == 1);
    logins_forget(w.logins, &one);
    logins_forget(w.logins, &one);
    CU_ASSERT_EQUAL(count(&w, w.bob), 0);
    end(&w);
}

static void connections_leave_from_every_place_of_the_list(void)
{
    struct world w;
    struct login_note notes[5] = {{.next = NULL}};
    static const unsigned order[] = {2, 0, 4, 3, 1};
    begin(&w);
    for (unsigned i = 0; i < 5; i++)
        note(&w, &notes[i], w.anna, (uint8_t)i);
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(count(&w, w.anna), 5 - i);
        logins_forget(w.logins, &notes[order[i]]);
    }
    note(&w, &notes[3], w.anna, 3);
    CU_ASSERT_EQUAL(count(&w, w.anna), 1);
    logins_forget(w.logins, &notes[3]);
    end(&w);
}

static void a_logout_is_of_one_application_and_user(void)
{
    struct world w;
    struct login_note notes[4] = {{.next = NULL}};
    begin(&w);
    note(&w, &notes[0], w.anna, 1);
    note(&w, &notes[1], w.anna, 1);
    note(&w, &notes[2], w.anna, 2);
    note(&w, &notes[3], w.bob, 1);
    struct ticket ticket = ticket_of(&w, w.anna, 1);
    logins_end(w.logins, &ticket);
    CU_ASSERT(count(&w, w.anna) == 1 && count(&w, w.bob) == 1);
    CU_ASSERT_FALSE(atomic_load(&notes[0].is_noted));
    CU_ASSERT_TRUE(atomic_load(&notes[2].is_noted));
    for (unsigned i = 0; i < 4; i++)
        logins_forget(w.logins, &notes[i]);
    end(&w);
}

static void a_login_that_does_not_hold_is_none(void)
{
    struct world w;
    struct login_note one = {.next = NULL};
    begin(&w);
    note(&w, &one, w.anna, 1);
    CU_ASSERT_EQUAL(logins_count(w.logins, w.r.state, w.anna, 1000), 0);
    CU_ASSERT_EQUAL(count(&w, w.anna), 1);
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_user_delete(&effect, &w.r.head, 1, "anna"));
    UNIT_OK(replica_apply(&w.r, &effect).rc);
    CU_ASSERT_EQUAL(count(&w, w.anna), 0);
    logins_forget(w.logins, &one);
    end(&w);
}

UNIT_SUITE("logins", UNIT_CASE(a_connection_is_one_users_alone),
           UNIT_CASE(connections_leave_from_every_place_of_the_list),
           UNIT_CASE(a_logout_is_of_one_application_and_user),
           UNIT_CASE(a_login_that_does_not_hold_is_none));
