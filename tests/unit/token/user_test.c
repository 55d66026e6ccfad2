/* SPDX-License-Identifier: Apache-2.0 */
/* PINs and tickets. */
#include "token/user.h"

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

static void a_pin_verifies_and_another_does_not(void)
{
    struct replica r;
    struct seal_keys *keys = fixture_keys(2);
    struct state *others = NULL;
    replica_open(&r);
    UNIT_OK(state_new(keys, &others));
    struct user_row user = {.name = "anna"};
    UNIT_RC(user_verify_pin(r.state, &user, bytes_of_str("1234")), RC_USER_PIN_NOT_INITIALIZED);
    UNIT_OK(user_set_pin(r.state, &user, bytes_of_str("1234")));
    CU_ASSERT_TRUE(user.has_pin);
    CU_ASSERT_EQUAL(user.iterations, 20000);
    UNIT_OK(user_verify_pin(r.state, &user, bytes_of_str("1234")));
    UNIT_RC(user_verify_pin(r.state, &user, bytes_of_str("1235")), RC_PIN_INCORRECT);
    UNIT_RC(user_verify_pin(r.state, &user, bytes_of_str("123")), RC_PIN_INCORRECT);
    UNIT_RC(user_verify_pin(r.state, &user, BYTES_NONE), RC_PIN_INCORRECT);
    UNIT_RC(user_verify_pin(others, &user, bytes_of_str("1234")), RC_PIN_INCORRECT);
    state_free(others);
    seal_keys_free(keys);
    replica_close(&r);
}

static void one_pin_has_two_verifiers(void)
{
    struct replica r;
    replica_open(&r);
    struct user_row first = {.name = "anna"};
    struct user_row second = {.name = "bert"};
    UNIT_OK(user_set_pin(r.state, &first, bytes_of_str("1234")));
    UNIT_OK(user_set_pin(r.state, &second, bytes_of_str("1234")));
    CU_ASSERT_FALSE(bytes_equal(bytes_of(first.verifier, PIN_HASH_LEN),
                                bytes_of(second.verifier, PIN_HASH_LEN)));
    replica_close(&r);
}

static void a_pin_is_checked_against_the_policy(void)
{
    struct policy policy = policy_default();
    UNIT_OK(pin_check(&policy, bytes_of_str("1234")));
    UNIT_RC(pin_check(&policy, bytes_of_str("123")), RC_PIN_LEN);
    policy.pin_len_max = 5;
    UNIT_RC(pin_check(&policy, bytes_of_str("123456")), RC_PIN_LEN);
    UNIT_RC(pin_check(&policy, bytes_of("12\0004", 4)), RC_PIN_INVALID);
    UNIT_RC(pin_check(&policy, bytes_of_str("12\n4")), RC_PIN_INVALID);
    UNIT_OK(pin_check(&policy, bytes_of_str("p\xc3\xa4ss")));
}

static void pick(const struct replica *r, const char *pin, const char *name, const char *user,
                 const char *password)
{
    struct user_row picked = {.id = 0};
    struct bytes rest = BYTES_NONE;
    UNIT_OK(user_pick(r->state, 1, ROLE_USER, bytes_of_str(pin), name, &picked, &rest));
    CU_ASSERT_STRING_EQUAL(picked.name, user);
    CU_ASSERT_TRUE(bytes_equal(rest, bytes_of_str(password)));
}

static void a_pin_names_its_user_before_the_first_colon(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    (void)replica_user(&r, 1, DEFAULT_USER_NAME);
    (void)replica_user(&r, 1, "anna");
    pick(&r, "1234", NULL, "user", "1234");
    pick(&r, "anna:se:cret", NULL, "anna", "se:cret");
    pick(&r, "user:1234", NULL, "user", "1234");
    pick(&r, "nobody:1234", NULL, "user", "nobody:1234");
    pick(&r, "so:1234", NULL, "user", "so:1234");
    pick(&r, ":1234", NULL, "user", ":1234");
    pick(&r, "anna:1234", "", "anna", "1234");
    pick(&r, "anna:1234", "user", "user", "anna:1234");
    replica_close(&r);
}

static void users_without_pin_or_of_another_role_are_not_picked(void)
{
    struct replica r;
    struct user_row user;
    struct bytes rest = BYTES_NONE;
    const struct bytes pin = bytes_of_str("1234");
    replica_open(&r);
    UNIT_RC(user_pick(r.state, 1, ROLE_SO, pin, NULL, &user, &rest), RC_SLOT_INVALID);
    replica_token(&r, 1);
    UNIT_RC(user_pick(r.state, 1, ROLE_USER, pin, NULL, &user, &rest), RC_USER_PIN_NOT_INITIALIZED);
    UNIT_RC(user_pick(r.state, 1, ROLE_USER, pin, "nobody", &user, &rest), RC_PIN_INCORRECT);
    UNIT_RC(user_pick(r.state, 1, ROLE_USER, pin, SO_USER_NAME, &user, &rest), RC_PIN_INCORRECT);
    UNIT_RC(user_pick(r.state, 1, ROLE_NONE, pin, NULL, &user, &rest), RC_USER_TYPE);
    UNIT_OK(user_pick(r.state, 1, ROLE_SO, pin, NULL, &user, &rest));
    CU_ASSERT_STRING_EQUAL(user.name, SO_USER_NAME);
    replica_close(&r);
}

static struct ticket login(const struct replica *r, uint64_t user_id)
{
    struct ticket ticket = {.token = 1, .user_id = user_id, .role = ROLE_USER, .user = "anna"};
    struct user_row user;
    struct token_row token;
    UNIT_OK(state_user_by_id(r->state, user_id, &user));
    UNIT_OK(state_token(r->state, 1, &token));
    ticket.user_version = user.version;
    ticket.token_epoch = token.epoch;
    ticket.expires_ms = 5000;
    ticket.application[0] = 9;
    return ticket;
}

static void a_ticket_comes_back_and_cannot_be_forged(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    struct ticket ticket = login(&r, replica_user(&r, 1, "anna"));
    struct ticket back;
    AUTO_BUF sealed = BUF_INIT;
    UNIT_OK(ticket_seal(r.keys, &ticket, &sealed));
    UNIT_OK(ticket_open(r.keys, buf_bytes(&sealed), &back));
    CU_ASSERT_EQUAL(back.user_id, ticket.user_id);
    CU_ASSERT_EQUAL(back.role, ROLE_USER);
    CU_ASSERT_EQUAL(back.expires_ms, 5000);
    CU_ASSERT_STRING_EQUAL(back.user, "anna");
    UNIT_OK(ticket_check(r.state, &back, ticket.application, 4999));
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] ^= 1;
        UNIT_RC(ticket_open(r.keys, buf_bytes(&sealed), &back), RC_TICKET_VOID);
        sealed.ptr[i] ^= 1;
    }
    UNIT_RC(ticket_open(r.keys, BYTES_NONE, &back), RC_TICKET_VOID);
    replica_close(&r);
}

static void a_ticket_is_void_for_others_and_after_its_time(void)
{
    struct replica r;
    const uint8_t other[16] = {8};
    replica_open(&r);
    replica_token(&r, 1);
    struct ticket ticket = login(&r, replica_user(&r, 1, "anna"));
    UNIT_RC(ticket_check(r.state, &ticket, other, 1), RC_TICKET_VOID);
    UNIT_RC(ticket_check(r.state, &ticket, ticket.application, 5000), RC_TICKET_VOID);
    ticket.expires_ms = 0;
    UNIT_OK(ticket_check(r.state, &ticket, ticket.application, UINT64_MAX));
    replica_close(&r);
}

static void a_ticket_is_void_after_a_change_of_user_or_token(void)
{
    struct replica r;
    struct user_row user;
    struct policy policy = policy_default();
    AUTO_BUF effect = BUF_INIT;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t id = replica_user(&r, 1, "anna");
    struct ticket first = login(&r, id);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    UNIT_OK(effect_user_put(&effect, &r.head, &user, user.version));
    UNIT_OK(replica_apply(&r, &effect).rc);
    UNIT_RC(ticket_check(r.state, &first, first.application, 1), RC_TICKET_VOID);
    struct ticket second = login(&r, id);
    UNIT_OK(ticket_check(r.state, &second, second.application, 1));
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    UNIT_RC(ticket_check(r.state, &second, second.application, 1), RC_TICKET_VOID);
    replica_close(&r);
}

UNIT_SUITE("token/user", UNIT_CASE(a_pin_verifies_and_another_does_not),
           UNIT_CASE(one_pin_has_two_verifiers), UNIT_CASE(a_pin_is_checked_against_the_policy),
           UNIT_CASE(a_pin_names_its_user_before_the_first_colon),
           UNIT_CASE(users_without_pin_or_of_another_role_are_not_picked),
           UNIT_CASE(a_ticket_comes_back_and_cannot_be_forged),
           UNIT_CASE(a_ticket_is_void_for_others_and_after_its_time),
           UNIT_CASE(a_ticket_is_void_after_a_change_of_user_or_token));
