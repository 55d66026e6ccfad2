/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, users, PINs and logins. */
#include "tests/unit/token/hsm_fixture.h"

static struct fixture fixture;

static int init_token(struct caller *caller, uint64_t slot, const char *label, const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_init_token(fixture.hsm, caller, slot, label, bytes_of_str(pin), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int init_pin(struct caller *caller, const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_init_pin(fixture.hsm, caller, bytes_of_str(pin), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int set_pin(struct caller *caller, CK_USER_TYPE type, const char *old, const char *new)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc =
        hsm_set_pin(fixture.hsm, caller, 1, type, bytes_of_str(old), bytes_of_str(new), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int user_create(struct caller *caller, const char *name, const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_user_create(fixture.hsm, caller, name, bytes_of_str(pin), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int user_change(struct caller *caller, const char *name, enum user_change change,
                       const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_user_change(fixture.hsm, caller, name, change, bytes_of_str(pin), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int login(CK_USER_TYPE type, const char *name, const char *pin)
{
    struct caller caller = fixture.nobody;
    return fixture_login(&fixture, &caller, type, name, pin);
}

static int check(const struct caller *caller)
{
    return (int)ticket_check(fixture.hsm->state, &caller->ticket, caller->application,
                             caller->now_ms);
}

static void a_login_gives_a_ticket_of_user_and_token(void)
{
    fixture_open(&fixture);
    CU_ASSERT_EQUAL(fixture.user.ticket.token, 1);
    CU_ASSERT_EQUAL(fixture.user.ticket.role, ROLE_USER);
    CU_ASSERT_STRING_EQUAL(fixture.user.ticket.user, DEFAULT_USER_NAME);
    UNIT_OK(check(&fixture.user));
    UNIT_RC(check(&(struct caller){.ticket = fixture.user.ticket}), RC_TICKET_VOID);
    fixture_close(&fixture);
}

static void a_wrong_PIN_is_counted_before_it_is_answered(void)
{
    struct mutation made = MUTATION_INIT;
    struct user_row user;
    fixture_open(&fixture);
    UNIT_OK(
        hsm_login(fixture.hsm, &fixture.nobody, 1, CKU_USER, NULL, bytes_of_str("4321"), &made));
    CU_ASSERT_EQUAL(made.verdict, RC_PIN_INCORRECT);
    CU_ASSERT_TRUE(made.effect.len > 0);
    CU_ASSERT_EQUAL(made.reply.len, 0);
    UNIT_RC(fixture_settle(&fixture, &fixture.nobody, RC_OK, &made), RC_PIN_INCORRECT);
    mutation_clear(&made);
    UNIT_OK(state_user(fixture.hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, 1);
    UNIT_OK(login(CKU_USER, NULL, FIXTURE_USER_PIN));
    UNIT_OK(state_user(fixture.hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, 0);
    fixture_close(&fixture);
}

static void a_right_PIN_is_an_effect_too(void)
{
    struct mutation made = MUTATION_INIT;
    fixture_open(&fixture);
    UNIT_OK(hsm_login(fixture.hsm, &fixture.nobody, 1, CKU_USER, NULL,
                      bytes_of_str(FIXTURE_USER_PIN), &made));
    CU_ASSERT_TRUE(made.effect.len > 0);
    mutation_clear(&made);
    fixture_close(&fixture);
}

static void ten_wrong_PINs_lock_the_user_and_void_the_tickets(void)
{
    fixture_open(&fixture);
    for (unsigned i = 0; i < policy_default().pin_tries_max; i++)
        UNIT_RC(login(CKU_USER, NULL, "4321"), RC_PIN_INCORRECT);
    UNIT_RC(login(CKU_USER, NULL, FIXTURE_USER_PIN), RC_PIN_LOCKED);
    UNIT_RC(check(&fixture.user), RC_TICKET_VOID);
    UNIT_OK(user_change(&fixture.so, DEFAULT_USER_NAME, USER_CHANGE_UNLOCK, ""));
    UNIT_OK(login(CKU_USER, NULL, FIXTURE_USER_PIN));
    fixture_close(&fixture);
}

static void a_request_number_used_again_hides_no_try(void)
{
    struct user_row user;
    fixture_open(&fixture);
    struct caller guesser = fixture.nobody;
    guesser.sequence = 7;
    for (unsigned i = 0; i < policy_default().pin_tries_max; i++)
        UNIT_RC(fixture_login(&fixture, &guesser, CKU_USER, NULL, "4321"), RC_PIN_INCORRECT);
    UNIT_OK(state_user(fixture.hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, policy_default().pin_tries_max);
    UNIT_RC(fixture_login(&fixture, &guesser, CKU_USER, NULL, FIXTURE_USER_PIN), RC_PIN_LOCKED);
    fixture_close(&fixture);
}

/* The right PIN was seen before the wrong ones, the effect comes after them: on another HSM. */
static void a_lock_stops_an_initialisation_that_is_under_way(void)
{
    struct mutation made = MUTATION_INIT;
    fixture_open(&fixture);
    enum rc rc = hsm_init_token(fixture.hsm, &fixture.nobody, 1, "again",
                                bytes_of_str(FIXTURE_SO_PIN), &made);
    for (unsigned i = 0; i < policy_default().pin_tries_max; i++)
        UNIT_RC(login(CKU_SO, NULL, "wrong pin"), RC_PIN_INCORRECT);
    UNIT_RC(fixture_done(&fixture, &fixture.nobody, rc, &made, NULL), RC_PIN_LOCKED);
    fixture_close(&fixture);
}

static void InitPIN_unlocks(void)
{
    fixture_open(&fixture);
    for (unsigned i = 0; i < policy_default().pin_tries_max; i++)
        UNIT_RC(login(CKU_USER, NULL, "4321"), RC_PIN_INCORRECT);
    UNIT_OK(init_pin(&fixture.so, "5678"));
    UNIT_OK(login(CKU_USER, NULL, "5678"));
    fixture_close(&fixture);
}

static void a_named_user_logs_in_by_grammar_and_by_name(void)
{
    struct caller alice;
    fixture_open(&fixture);
    alice = fixture.nobody;
    UNIT_OK(user_create(&fixture.so, "alice", "secret"));
    UNIT_OK(fixture_login(&fixture, &alice, CKU_USER, NULL, "alice:secret"));
    CU_ASSERT_STRING_EQUAL(alice.ticket.user, "alice");
    UNIT_OK(login(CKU_USER, "alice", "secret"));
    UNIT_RC(login(CKU_USER, NULL, "alice:wrong"), RC_PIN_INCORRECT);
    UNIT_RC(login(CKU_USER, "nobody", "secret"), RC_PIN_INCORRECT);
    UNIT_RC(login(CKU_USER, NULL, "secret"), RC_PIN_INCORRECT);
    fixture_close(&fixture);
}

static void a_user_without_PIN_is_not_initialized(void)
{
    fixture_open(&fixture);
    UNIT_OK(init_token(&fixture.nobody, 2, "second", "so-pin-2"));
    fixture.slot = 2;
    UNIT_RC(login(CKU_USER, NULL, "1234"), RC_USER_PIN_NOT_INITIALIZED);
    fixture_close(&fixture);
}

static void a_user_changes_the_own_PIN_with_and_without_login(void)
{
    fixture_open(&fixture);
    UNIT_RC(set_pin(&fixture.nobody, CKU_USER, "0000", "2345"), RC_PIN_INCORRECT);
    UNIT_OK(set_pin(&fixture.nobody, CKU_USER, FIXTURE_USER_PIN, "2345"));
    UNIT_RC(check(&fixture.user), RC_TICKET_VOID);
    UNIT_RC(login(CKU_USER, NULL, FIXTURE_USER_PIN), RC_PIN_INCORRECT);
    UNIT_OK(login(CKU_USER, NULL, "2345"));
    UNIT_OK(set_pin(&fixture.so, CKU_SO, FIXTURE_SO_PIN, "so-pin-9"));
    UNIT_OK(login(CKU_SO, NULL, "so-pin-9"));
    fixture_close(&fixture);
}

static void a_named_user_changes_the_own_PIN(void)
{
    struct caller alice;
    fixture_open(&fixture);
    alice = fixture.nobody;
    UNIT_OK(user_create(&fixture.so, "alice", "secret"));
    UNIT_OK(set_pin(&fixture.nobody, CKU_USER, "alice:secret", "alice:second"));
    UNIT_OK(fixture_login(&fixture, &alice, CKU_USER, NULL, "alice:second"));
    UNIT_OK(set_pin(&alice, CKU_USER, "second", "third"));
    UNIT_OK(login(CKU_USER, NULL, "alice:third"));
    UNIT_OK(login(CKU_USER, NULL, FIXTURE_USER_PIN));
    fixture_close(&fixture);
}

static void a_PIN_outside_the_policy_is_refused(void)
{
    char longest[200];
    fixture_open(&fixture);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    UNIT_RC(init_pin(&fixture.so, "123"), RC_PIN_LEN);
    UNIT_RC(init_pin(&fixture.so, longest), RC_PIN_LEN);
    UNIT_RC(init_token(&fixture.nobody, 2, "second", "1"), RC_PIN_LEN);
    UNIT_RC(set_pin(&fixture.user, CKU_USER, FIXTURE_USER_PIN, "1"), RC_PIN_LEN);
    fixture_close(&fixture);
}

static void what_is_the_SOs_is_refused_to_others(void)
{
    fixture_open(&fixture);
    struct caller *others[] = {&fixture.nobody, &fixture.user};
    for (size_t i = 0; i < 2; i++) {
        UNIT_RC(init_pin(others[i], "1234"), RC_NOT_LOGGED_IN);
        UNIT_RC(user_create(others[i], "eve", "1234"), RC_NOT_LOGGED_IN);
        UNIT_RC(user_change(others[i], DEFAULT_USER_NAME, USER_CHANGE_DELETE, ""),
                RC_NOT_LOGGED_IN);
    }
    fixture_close(&fixture);
}

static void users_are_disabled_deleted_and_repassworded(void)
{
    fixture_open(&fixture);
    UNIT_OK(user_create(&fixture.so, "alice", "secret"));
    UNIT_RC(user_create(&fixture.so, "alice", "secret"), RC_EXISTS);
    UNIT_OK(user_change(&fixture.so, "alice", USER_CHANGE_DISABLE, ""));
    UNIT_RC(login(CKU_USER, NULL, "alice:secret"), RC_USER_DISABLED);
    UNIT_OK(user_change(&fixture.so, "alice", USER_CHANGE_UNLOCK, ""));
    UNIT_OK(user_change(&fixture.so, "alice", USER_CHANGE_PIN, "better"));
    UNIT_OK(login(CKU_USER, NULL, "alice:better"));
    UNIT_OK(user_change(&fixture.so, "alice", USER_CHANGE_DELETE, ""));
    UNIT_RC(user_change(&fixture.so, "alice", USER_CHANGE_DELETE, ""), RC_NOT_FOUND);
    UNIT_RC(user_change(&fixture.so, SO_USER_NAME, USER_CHANGE_DELETE, ""), RC_NOT_PERMITTED);
    UNIT_RC(user_change(&fixture.so, SO_USER_NAME, USER_CHANGE_PIN, "abcd"), RC_NOT_PERMITTED);
    fixture_close(&fixture);
}

static void a_name_that_would_break_the_grammar_is_refused(void)
{
    static const char *const bad[] = {
        "", "a:b", "a b", "\n", "so", "user", "0123456789012345678901234567890123456789"};
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_NOT_EQUAL(user_create(&fixture.so, bad[i], "secret"), RC_OK);
    fixture_close(&fixture);
}

static void initialising_again_needs_the_SOs_PIN_and_counts_wrong_ones(void)
{
    struct user_row so;
    struct token_row before, after;
    fixture_open(&fixture);
    (void)fixture_aes(&fixture, 16, NULL);
    UNIT_OK(state_token(fixture.hsm->state, 1, &before));
    UNIT_RC(init_token(&fixture.nobody, 1, "again", "wrong pin"), RC_PIN_INCORRECT);
    UNIT_OK(state_user(fixture.hsm->state, 1, SO_USER_NAME, &so));
    CU_ASSERT_EQUAL(so.tries, 1);
    UNIT_OK(init_token(&fixture.nobody, 1, "again", FIXTURE_SO_PIN));
    UNIT_OK(state_token(fixture.hsm->state, 1, &after));
    CU_ASSERT_STRING_EQUAL(after.label, "again");
    CU_ASSERT_STRING_EQUAL(after.serial, before.serial);
    UNIT_RC(check(&fixture.user), RC_TICKET_VOID);
    UNIT_RC(check(&fixture.so), RC_TICKET_VOID);
    UNIT_RC(login(CKU_USER, NULL, FIXTURE_USER_PIN), RC_USER_PIN_NOT_INITIALIZED);
    UNIT_OK(login(CKU_SO, NULL, FIXTURE_SO_PIN));
    fixture_close(&fixture);
}

static void a_slot_that_is_not_there_is_refused(void)
{
    fixture_open(&fixture);
    UNIT_RC(init_token(&fixture.nobody, 3, "third", "so-pin-3"), RC_SLOT_INVALID);
    UNIT_RC(init_token(&fixture.nobody, 0, "zero", "so-pin-3"), RC_SLOT_INVALID);
    fixture.slot = 2;
    UNIT_RC(login(CKU_USER, NULL, "1234"), RC_TOKEN_NOT_INITIALIZED);
    fixture_close(&fixture);
}

static void a_label_longer_than_32_bytes_or_not_UTF8_is_refused(void)
{
    fixture_open(&fixture);
    UNIT_RC(init_token(&fixture.nobody, 2, "012345678901234567890123456789012", "so-pin-3"),
            RC_BAD_ARGUMENT);
    UNIT_RC(init_token(&fixture.nobody, 2, "\xff", "so-pin-3"), RC_BAD_ARGUMENT);
    fixture_close(&fixture);
}

static void logging_out_drops_private_session_objects(void)
{
    fixture_open(&fixture);
    struct wanted open = {.used = 0};
    wanted_bool(&open, CKA_PRIVATE, false);
    uint64_t closed = fixture_aes(&fixture, 16, NULL);
    uint64_t kept = fixture_aes(&fixture, 16, &open);
    UNIT_OK(fixture_read(&fixture, &fixture.user, closed, CKA_LABEL, NULL));
    hsm_logout(fixture.hsm, &fixture.user);
    UNIT_RC(fixture_read(&fixture, &fixture.user, closed, CKA_LABEL, NULL), RC_SESSION_OBJECT_LOST);
    UNIT_OK(fixture_read(&fixture, &fixture.user, kept, CKA_LABEL, NULL));
    fixture_close(&fixture);
}

static void a_context_specific_login_tries_the_PIN_of_who_is_logged_in(void)
{
    struct user_row user;
    fixture_open(&fixture);
    UNIT_RC(login(CKU_CONTEXT_SPECIFIC, NULL, FIXTURE_USER_PIN), RC_NOT_LOGGED_IN);
    struct caller again = fixture.user;
    UNIT_RC(fixture_login(&fixture, &again, CKU_CONTEXT_SPECIFIC, NULL, "0000"), RC_PIN_INCORRECT);
    UNIT_OK(state_user(fixture.hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, 1);
    UNIT_OK(fixture_login(&fixture, &again, CKU_CONTEXT_SPECIFIC, NULL, FIXTURE_USER_PIN));
    CU_ASSERT_TRUE(again.ticket.is_context);
    UNIT_RC(check(&again), RC_TICKET_VOID); /* a proof is no login */
    UNIT_OK(check(&fixture.user));
    UNIT_RC(login(77, NULL, FIXTURE_USER_PIN), RC_USER_TYPE);
    fixture_close(&fixture);
}

static uint64_t epoch_now(void)
{
    struct token_row token = {.number = 0};
    UNIT_OK(state_token(fixture.hsm->state, 1, &token));
    return token.epoch;
}

static int policy_set_at(struct caller *caller, const struct policy *policy, uint64_t epoch)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_policy_set(fixture.hsm, caller, policy, epoch, &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static int policy_set(struct caller *caller, const struct policy *policy)
{
    return policy_set_at(caller, policy, epoch_now());
}

static void the_SO_sets_the_policy_and_that_voids_tickets(void)
{
    struct policy policy = policy_default();
    struct token_row token;
    fixture_open(&fixture);
    policy.strict = true;
    policy.pin_len_min = 6;
    UNIT_RC(policy_set(&fixture.user, &policy), RC_NOT_LOGGED_IN);
    UNIT_OK(policy_set(&fixture.so, &policy));
    UNIT_OK(state_token(fixture.hsm->state, 1, &token));
    CU_ASSERT_TRUE(token.policy.strict);
    UNIT_RC(check(&fixture.user), RC_TICKET_VOID);
    UNIT_OK(fixture_login(&fixture, &fixture.so, CKU_SO, NULL, FIXTURE_SO_PIN));
    UNIT_RC(init_pin(&fixture.so, "12345"), RC_PIN_LEN);
    policy.pin_tries_max = 0;
    UNIT_RC(policy_set(&fixture.so, &policy), RC_BAD_ARGUMENT);
    policy = policy_default();
    policy.pin_len_max = 1;
    UNIT_RC(policy_set(&fixture.so, &policy), RC_BAD_ARGUMENT);
    fixture_close(&fixture);
}

static void a_policy_that_was_read_before_another_change_is_a_conflict(void)
{
    struct policy policy = policy_default();
    struct mutation first = MUTATION_INIT, second = MUTATION_INIT;
    fixture_open(&fixture);
    uint64_t epoch = epoch_now();
    UNIT_RC(policy_set_at(&fixture.so, &policy, epoch + 1), RC_CONFLICT);
    UNIT_RC(policy_set_at(&fixture.so, &policy, 0), RC_CONFLICT);
    /* both on the way before either is applied */
    enum rc rc1 = hsm_policy_set(fixture.hsm, &fixture.so, &policy, epoch, &first);
    enum rc rc2 = hsm_policy_set(fixture.hsm, &fixture.so, &policy, epoch, &second);
    UNIT_OK(fixture_done(&fixture, &fixture.so, rc1, &first, NULL));
    UNIT_RC(fixture_done(&fixture, &fixture.so, rc2, &second, NULL), RC_CONFLICT);
    CU_ASSERT_EQUAL(epoch_now(), epoch + 1);
    fixture_close(&fixture);
}

static void each_setting_of_a_policy_is_held_to_its_row(void)
{
    fixture_open(&fixture);
    for (size_t i = 0; i < policy_setting_count(); i++) {
        const struct policy_setting_info *info = policy_setting_at(i);
        struct policy policy = policy_default();
        UNIT_OK(policy_change(&policy, (uint32_t)info->setting, info->max));
        CU_ASSERT_EQUAL(policy_value(&policy, info->setting), info->max);
        UNIT_RC(policy_change(&policy, (uint32_t)info->setting, info->max + 1), RC_BAD_ARGUMENT);
        if (info->min > 0)
            UNIT_RC(policy_change(&policy, (uint32_t)info->setting, info->min - 1),
                    RC_BAD_ARGUMENT);
        CU_ASSERT_PTR_EQUAL(policy_setting_by_name(info->name), info);
    }
    struct policy policy = policy_default();
    UNIT_OK(policy_check(&policy));
    UNIT_RC(policy_change(&policy, 0, 1), RC_BAD_ARGUMENT);
    UNIT_RC(policy_change(&policy, 99, 1), RC_BAD_ARGUMENT);
    UNIT_OK(policy_change(&policy, POLICY_PIN_LEN_MIN, 20));
    UNIT_OK(policy_change(&policy, POLICY_PIN_LEN_MAX, 19));
    UNIT_RC(policy_set(&fixture.so, &policy), RC_BAD_ARGUMENT);
    fixture_close(&fixture);
}

static void mechanisms_are_disabled_and_enabled_one_by_one(void)
{
    struct policy policy = policy_default();
    UNIT_OK(policy_disable(&policy, CKM_RSA_PKCS));
    UNIT_OK(policy_disable(&policy, CKM_AES_ECB));
    UNIT_OK(policy_disable(&policy, CKM_RSA_PKCS));
    CU_ASSERT_EQUAL(policy.disabled_count, 2);
    UNIT_RC(policy_disable(&policy, 0x7fffffff), RC_MECHANISM);
    policy_enable(&policy, CKM_RSA_PKCS);
    CU_ASSERT_TRUE(policy_allows_mechanism(&policy, CKM_RSA_PKCS));
    CU_ASSERT_FALSE(policy_allows_mechanism(&policy, CKM_AES_ECB));
    for (size_t i = 0; policy.disabled_count < POLICY_DISABLED_MAX; i++)
        UNIT_OK(policy_disable(&policy, mechanism_at(i)->type));
    UNIT_RC(policy_disable(&policy, mechanism_at(mechanism_count() - 1)->type), RC_LIMIT);
}

static int reset_token(struct caller *caller, uint64_t slot, const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_reset_token(fixture.hsm, caller, slot, "reset", bytes_of_str(pin), &made);
    return fixture_done(&fixture, caller, rc, &made, NULL);
}

static void an_administrator_initialises_a_token_whose_SO_is_locked(void)
{
    struct caller admin;
    struct token_row before, after;
    fixture_open(&fixture);
    admin = fixture.nobody;
    admin.is_admin = true;
    struct wanted on_token = {.used = 0};
    wanted_bool(&on_token, CKA_TOKEN, true);
    uint64_t key = fixture_aes(&fixture, 16, &on_token);
    UNIT_OK(state_token(fixture.hsm->state, 1, &before));
    for (unsigned i = 0; i < policy_default().pin_tries_max; i++)
        UNIT_RC(login(CKU_SO, NULL, "wrong pin"), RC_PIN_INCORRECT);
    UNIT_RC(init_token(&admin, 1, "again", FIXTURE_SO_PIN), RC_PIN_LOCKED);
    UNIT_RC(reset_token(&fixture.nobody, 1, "so-pin-2"), RC_NOT_PERMITTED);
    UNIT_RC(reset_token(&fixture.so, 1, "so-pin-2"), RC_NOT_PERMITTED);
    UNIT_RC(reset_token(&admin, 1, "so"), RC_PIN_LEN);
    UNIT_RC(reset_token(&admin, 2, "so-pin-2"), RC_TOKEN_NOT_INITIALIZED);
    UNIT_RC(reset_token(&admin, 3, "so-pin-2"), RC_SLOT_INVALID);
    UNIT_OK(reset_token(&admin, 1, "so-pin-2"));
    UNIT_OK(state_token(fixture.hsm->state, 1, &after));
    CU_ASSERT_STRING_EQUAL(after.label, "reset");
    CU_ASSERT_STRING_EQUAL(after.serial, before.serial);
    CU_ASSERT_EQUAL(state_object_count(fixture.hsm->state), 0);
    UNIT_RC(fixture_read(&fixture, &fixture.user, key, CKA_LABEL, NULL), RC_OBJECT_HANDLE);
    UNIT_RC(check(&fixture.user), RC_TICKET_VOID);
    UNIT_RC(login(CKU_SO, NULL, FIXTURE_SO_PIN), RC_PIN_INCORRECT);
    UNIT_OK(login(CKU_SO, NULL, "so-pin-2"));
    UNIT_RC(login(CKU_USER, NULL, FIXTURE_USER_PIN), RC_USER_PIN_NOT_INITIALIZED);
    fixture_close(&fixture);
}

UNIT_SUITE("token/hsm_users", UNIT_CASE(a_policy_that_was_read_before_another_change_is_a_conflict),
           UNIT_CASE(each_setting_of_a_policy_is_held_to_its_row),
           UNIT_CASE(mechanisms_are_disabled_and_enabled_one_by_one),
           UNIT_CASE(an_administrator_initialises_a_token_whose_SO_is_locked),
           UNIT_CASE(the_SO_sets_the_policy_and_that_voids_tickets),
           UNIT_CASE(a_login_gives_a_ticket_of_user_and_token),
           UNIT_CASE(a_wrong_PIN_is_counted_before_it_is_answered),
           UNIT_CASE(a_right_PIN_is_an_effect_too),
           UNIT_CASE(ten_wrong_PINs_lock_the_user_and_void_the_tickets),
           UNIT_CASE(a_request_number_used_again_hides_no_try),
           UNIT_CASE(a_lock_stops_an_initialisation_that_is_under_way), UNIT_CASE(InitPIN_unlocks),
           UNIT_CASE(a_named_user_logs_in_by_grammar_and_by_name),
           UNIT_CASE(a_user_without_PIN_is_not_initialized),
           UNIT_CASE(a_user_changes_the_own_PIN_with_and_without_login),
           UNIT_CASE(a_named_user_changes_the_own_PIN),
           UNIT_CASE(a_PIN_outside_the_policy_is_refused),
           UNIT_CASE(what_is_the_SOs_is_refused_to_others),
           UNIT_CASE(users_are_disabled_deleted_and_repassworded),
           UNIT_CASE(a_name_that_would_break_the_grammar_is_refused),
           UNIT_CASE(initialising_again_needs_the_SOs_PIN_and_counts_wrong_ones),
           UNIT_CASE(a_slot_that_is_not_there_is_refused),
           UNIT_CASE(a_label_longer_than_32_bytes_or_not_UTF8_is_refused),
           UNIT_CASE(logging_out_drops_private_session_objects),
           UNIT_CASE(a_context_specific_login_tries_the_PIN_of_who_is_logged_in));
