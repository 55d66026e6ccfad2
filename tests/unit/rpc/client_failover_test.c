/* SPDX-License-Identifier: Apache-2.0 */
/* Broken connections and several daemons: reconnect, repeat, order, pins. */
#include <stdio.h>
#include <unistd.h>

#include "rpc/client.h"
#include "tests/unit/rpc/fake_hsm.h"
#include "tests/unit/unit.h"

static struct fake_hsm first;
static struct fake_hsm second;
static struct fake_client client;

static void begin(void)
{
    struct fake_hsm *const hsms[] = {&first, &second};
    fake_hsm_start(&first, 1);
    fake_hsm_start(&second, 2);
    fake_client_init(&client, hsms, 2);
}

static void begin_alone(void)
{
    struct fake_hsm *const hsms[] = {&first};
    fake_hsm_start(&first, 1);
    fake_client_init(&client, hsms, 1);
}

static void end_alone(void)
{
    fake_client_clear(&client);
    fake_hsm_stop(&first);
}

static void end(void)
{
    end_alone();
    fake_hsm_stop(&second);
}

static enum rc call(void)
{
    return fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 32);
}

static void idle_connection_that_went_stale_is_replaced_unnoticed(void)
{
    begin_alone();
    UNIT_OK(call());
    fake_hsm_cut(&first);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.accepted, 2);
    end_alone();
}

/* Of a client that takes turns, after all were restarted since it last spoke to each. */
static void stale_connections_to_many_are_no_breaks(void)
{
    enum { MANY = 6 };
    static struct fake_hsm hsms[MANY];
    struct fake_place places[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fake_hsm_start(&hsms[i], i + 1);
        places[i] = (struct fake_place){&hsms[i], "a"};
    }
    fake_client_init_zones(&client, places, MANY, "a");
    for (unsigned i = 0; i < MANY; i++)
        UNIT_OK(call());
    for (unsigned i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(hsms[i].served, 1);
        fake_hsm_cut(&hsms[i]);
    }
    UNIT_OK(call());
    fake_client_clear(&client);
    for (unsigned i = 0; i < MANY; i++)
        fake_hsm_stop(&hsms[i]);
}

static void idle_connection_that_went_stale_loses_no_part_of_an_operation(void)
{
    begin_alone();
    uint64_t pin = 0;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    CU_ASSERT_EQUAL(pin, 1);
    fake_hsm_cut(&first);
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_NEVER, &pin, 8));
    CU_ASSERT_EQUAL(first.accepted, 2);
    end_alone();
}

static void *restart(void *data)
{
    (void)usleep(100000);
    fake_hsm_restart(data);
    return NULL;
}

static void daemon_that_restarts_is_waited_for(void)
{
    begin_alone();
    UNIT_OK(call());
    fake_hsm_stop(&first);
    pthread_t later;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, restart, &first), 0);
    UNIT_OK(call());
    (void)pthread_join(later, NULL);
    end_alone();
}

static void daemon_that_is_gone_is_not_waited_for_to_say_farewell(void)
{
    begin_alone();
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_FAREWELL, NULL, 8));
    fake_hsm_cut(&first);
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_FAREWELL, NULL, 8));
    fake_hsm_stop(&first);
    uint64_t start = now_ms();
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_FAREWELL, NULL, 8), RC_UNAVAILABLE);
    fake_client_check_took(start, 0);
    fake_hsm_restart(&first);
    UNIT_OK(call());
    end_alone();
}

static void broken_call_is_repeated_when_it_may_be(void)
{
    begin_alone();
    UNIT_OK(call());
    first.manners = HSM_HANGS_UP_ONCE;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 3);
    end_alone();
}

static void broken_call_is_lost_when_it_may_not_be_repeated(void)
{
    begin();
    first.manners = HSM_HANGS_UP_ONCE;
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_NEVER, NULL, 8), RC_OPERATION_LOST);
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 0);
    end();
}

static void answer_cut_in_the_middle_is_asked_for_elsewhere(void)
{
    begin();
    first.manners = HSM_BREAKS_OFF;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void request_that_kills_every_daemon_is_not_carried_on_for_ever(void)
{
    begin();
    first.manners = second.manners = HSM_HANGS_UP;
    UNIT_RC(call(), RC_UNAVAILABLE);
    CU_ASSERT(first.served + second.served <= 4);
    end();
}

static void first_endpoint_is_used_while_it_answers(void)
{
    begin();
    for (unsigned i = 0; i < 10; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 10);
    CU_ASSERT_EQUAL(second.accepted, 0);
    end();
}

static void own_zone_comes_first(void)
{
    begin();
    rpc_client_free(client.rpc);
    char far[200];
    char near[200];
    char zone[] = "b";
    (void)snprintf(far, sizeof far, "%s?zone=a", first.endpoint);
    (void)snprintf(near, sizeof near, "%s?zone=b", second.endpoint);
    client.endpoints[0] = far;
    client.endpoints[1] = near;
    client.config.zone = zone;
    static const uint8_t application[16];
    UNIT_OK(rpc_client_new(&client.config, "test", application, &client.rpc));
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 0);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void lost_daemon_costs_no_call_and_is_found_again(void)
{
    begin();
    UNIT_OK(call());
    fake_hsm_stop(&first);
    for (unsigned i = 0; i < 20; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(second.served, 20);
    fake_hsm_restart(&first);
    unsigned before = first.served;
    for (uint64_t start = now_ms(); first.served == before && now_ms() - start < FAKE_LONG_MS;) {
        UNIT_OK(call());
        (void)usleep(10000);
    }
    CU_ASSERT(first.served > before);
    end();
}

static void mute_daemon_is_given_a_third_of_the_time(void)
{
    begin();
    UNIT_OK(call());
    CU_ASSERT(first.last_deadline_ms > FAKE_SOON_MS / 2);
    CU_ASSERT(first.last_deadline_ms <= FAKE_LONG_MS / 3);
    first.manners = HSM_MUTE;
    client.config.attempt_timeout_ms = 200; /* a lesser share of as long a call */
    uint64_t start = now_ms();
    UNIT_OK(call());
    fake_client_check_took(start, 200);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void mute_daemon_keeps_a_mutation_to_the_end(void)
{
    begin();
    UNIT_OK(call());
    first.manners = HSM_MUTE;
    client.config.call_timeout_ms = 600;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.sequence = rpc_sequence(client.rpc);
    request.body_case = QHSM__REQUEST__BODY_LOGOUT;
    request.logout = &empty;
    struct rpc_reply reply;
    uint64_t start = now_ms();
    UNIT_RC(rpc_call(client.rpc, &request, RPC_REPEAT_SAFE, &reply), RC_OUTCOME_UNKNOWN);
    fake_client_check_took(start, 600);
    CU_ASSERT_EQUAL(second.served, 0);
    rpc_reply_clear(client.rpc, &reply);
    end();
}

static void all_endpoints_and_their_reasons_are_named(void)
{
    begin();
    fake_hsm_stop(&first);
    fake_hsm_stop(&second);
    UNIT_RC(call(), RC_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), first.endpoint));
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), second.endpoint));
    fake_hsm_restart(&first);
    fake_hsm_restart(&second);
    end();
}

static void trouble_of_one_daemon_sends_the_call_to_the_next(void)
{
    begin();
    first.answer_rc = RC_SEALED;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void trouble_of_all_daemons_is_told_with_their_own_code(void)
{
    begin();
    first.answer_rc = second.answer_rc = RC_NO_QUORUM;
    UNIT_RC(call(), RC_NO_QUORUM);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "as the test asked");
    CU_ASSERT_EQUAL(first.served + second.served, 2);
    end();
}

static void refusal_by_law_is_final(void)
{
    begin();
    first.answer_rc = RC_PIN_INCORRECT;
    UNIT_RC(call(), RC_PIN_INCORRECT);
    CU_ASSERT_EQUAL(second.served, 0);
    end();
}

/* Once it was asked again, and so has answered before. */
static void *refuse_then(void *data)
{
    struct fake_hsm *hsm = data;
    CU_ASSERT(fake_hsm_comes_to(&hsm->served, 2));
    hsm->answer_rc = RC_NO_QUORUM;
    return NULL;
}

static void *decide_then(void *data)
{
    struct fake_hsm *hsm = data;
    CU_ASSERT(fake_hsm_comes_to(&hsm->served, 2));
    hsm->answer_rc = 0;
    return NULL;
}

/* The first may have done it before it broke off. */
static void refusal_elsewhere_does_not_hide_that_a_mutation_broke_off(void)
{
    static const enum rc refusals[] = {RC_NO_QUORUM, RC_UNAVAILABLE, RC_OVERLOADED, RC_DRAINING,
                                       RC_DEADLINE,  RC_DISK,        RC_SEALED,     RC_NO_LEADER};
    for (unsigned i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        uint64_t sequence = 0;
        begin();
        client.config.is_hasty = true;
        first.manners = HSM_HANGS_UP_ONCE;
        first.answer_rc = second.answer_rc = refusals[i];
        UNIT_RC(fake_client_mutate(&client, &sequence), RC_OUTCOME_UNKNOWN);
        CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "as the test asked"));
        CU_ASSERT(second.served >= 1);
        end();
    }
}

static void unknown_outcome_is_not_hidden_by_a_refusal_elsewhere(void)
{
    uint64_t sequence = 0;
    begin();
    first.answer_rc = RC_OUTCOME_UNKNOWN;
    second.answer_rc = RC_NO_QUORUM;
    pthread_t later;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, refuse_then, &first), 0);
    UNIT_RC(fake_client_mutate(&client, &sequence), RC_OUTCOME_UNKNOWN);
    (void)pthread_join(later, NULL);
    end();
}

/* What the law says is said by the whole cluster, which knows the request by its number. */
static void answer_after_a_break_is_believed(void)
{
    uint64_t sequence = 0;
    begin();
    first.manners = HSM_HANGS_UP_ONCE;
    second.answer_rc = RC_EXISTS;
    UNIT_RC(fake_client_mutate(&client, &sequence), RC_EXISTS);
    end();
}

static void mutation_that_reached_nobody_is_in_no_doubt(void)
{
    uint64_t sequence = 0;
    begin();
    UNIT_OK(fake_client_mutate(&client, &sequence));
    client.config.is_hasty = true;
    fake_hsm_stop(&first);
    fake_hsm_stop(&second);
    UNIT_RC(fake_client_mutate(&client, &sequence), RC_UNAVAILABLE);
    fake_hsm_restart(&first);
    fake_hsm_restart(&second);
    end();
}

/* The daemon counts each of them: one wrong PIN must not lock a user. */
static void login_is_not_asked_again_and_again(void)
{
    begin_alone();
    first.answer_rc = RC_OUTCOME_UNKNOWN;
    Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.sequence = rpc_sequence(client.rpc);
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &login;
    struct rpc_reply reply;
    UNIT_RC(rpc_call(client.rpc, &request, RPC_REPEAT_SAFE, &reply), RC_OUTCOME_UNKNOWN);
    rpc_reply_clear(client.rpc, &reply);
    CU_ASSERT(first.served <= 4);
    end_alone();
}

static void unknown_outcome_is_asked_again_under_the_same_sequence(void)
{
    begin_alone();
    first.answer_rc = RC_OUTCOME_UNKNOWN;
    pthread_t later;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, decide_then, &first), 0);
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.sequence = rpc_sequence(client.rpc);
    request.body_case = QHSM__REQUEST__BODY_LOGOUT;
    request.logout = &empty;
    struct rpc_reply reply;
    UNIT_OK(rpc_call(client.rpc, &request, RPC_REPEAT_SAFE, &reply));
    rpc_reply_clear(client.rpc, &reply);
    CU_ASSERT(first.served >= 2);
    CU_ASSERT_EQUAL(first.last_sequence, request.sequence);
    (void)pthread_join(later, NULL);
    end_alone();
}

static void pinned_call_stays_with_its_daemon(void)
{
    begin();
    first.answer_rc = RC_SEALED;
    uint64_t pin = 0;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    CU_ASSERT_EQUAL(pin, 2);
    first.answer_rc = 0;
    for (unsigned i = 0; i < 5; i++)
        UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_NEVER, &pin, 8));
    CU_ASSERT_EQUAL(second.served, 6);
    second.answer_rc = RC_OVERLOADED;
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8), RC_OVERLOADED);
    CU_ASSERT_EQUAL(first.served, 1);
    end();
}

static void connections_to_other_daemons_are_closed_on_request(void)
{
    begin();
    uint64_t one = 1, two = 2;
    for (unsigned i = 0; i < 2; i++) {
        UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &one, 8));
        UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &two, 8));
        rpc_client_keep(client.rpc, 1);
    }
    CU_ASSERT(first.accepted == 1 && second.accepted == 2);
    rpc_client_keep(client.rpc, 0);
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &one, 8));
    CU_ASSERT_EQUAL(first.accepted, 2);
    end();
}

static void pinned_call_finds_a_daemon_it_never_met(void)
{
    begin();
    uint64_t pin = 2;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void operation_is_lost_with_its_daemon(void)
{
    begin();
    uint64_t pin = 2;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    fake_hsm_stop(&second);
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_NEVER, &pin, 8), RC_OPERATION_LOST);
    client.config.is_hasty = true;
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8), RC_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "HSM 2"));
    fake_hsm_restart(&second);
    end();
}

UNIT_SUITE("client_failover", UNIT_CASE(idle_connection_that_went_stale_is_replaced_unnoticed),
           UNIT_CASE(stale_connections_to_many_are_no_breaks),
           UNIT_CASE(idle_connection_that_went_stale_loses_no_part_of_an_operation),
           UNIT_CASE(daemon_that_restarts_is_waited_for),
           UNIT_CASE(daemon_that_is_gone_is_not_waited_for_to_say_farewell),
           UNIT_CASE(broken_call_is_repeated_when_it_may_be),
           UNIT_CASE(broken_call_is_lost_when_it_may_not_be_repeated),
           UNIT_CASE(answer_cut_in_the_middle_is_asked_for_elsewhere),
           UNIT_CASE(request_that_kills_every_daemon_is_not_carried_on_for_ever),
           UNIT_CASE(first_endpoint_is_used_while_it_answers), UNIT_CASE(own_zone_comes_first),
           UNIT_CASE(lost_daemon_costs_no_call_and_is_found_again),
           UNIT_CASE(mute_daemon_is_given_a_third_of_the_time),
           UNIT_CASE(mute_daemon_keeps_a_mutation_to_the_end),
           UNIT_CASE(all_endpoints_and_their_reasons_are_named),
           UNIT_CASE(trouble_of_one_daemon_sends_the_call_to_the_next),
           UNIT_CASE(trouble_of_all_daemons_is_told_with_their_own_code),
           UNIT_CASE(refusal_by_law_is_final),
           UNIT_CASE(refusal_elsewhere_does_not_hide_that_a_mutation_broke_off),
           UNIT_CASE(unknown_outcome_is_not_hidden_by_a_refusal_elsewhere),
           UNIT_CASE(answer_after_a_break_is_believed),
           UNIT_CASE(mutation_that_reached_nobody_is_in_no_doubt),
           UNIT_CASE(login_is_not_asked_again_and_again),
           UNIT_CASE(unknown_outcome_is_asked_again_under_the_same_sequence),
           UNIT_CASE(pinned_call_stays_with_its_daemon),
           UNIT_CASE(connections_to_other_daemons_are_closed_on_request),
           UNIT_CASE(pinned_call_finds_a_daemon_it_never_met),
           UNIT_CASE(operation_is_lost_with_its_daemon));
