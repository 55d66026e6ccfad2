/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to one daemon: deadlines, bad manners, the pool. */
#include "rpc/client.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc/client_clock.h"
#include "rpc/wire.h"
#include "tests/unit/rpc/fake_hsm.h"
#include "tests/unit/unit.h"

static struct fake_hsm hsm;
static struct fake_client client;

static void begin(enum manners manners)
{
    struct fake_hsm *const hsms[] = {&hsm};
    fake_hsm_start(&hsm, 7);
    hsm.manners = manners;
    fake_client_init(&client, hsms, 1);
}

static void end(void)
{
    fake_client_clear(&client);
    fake_hsm_stop(&hsm);
}

static enum rc call(void)
{
    return fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 32);
}

static void call_is_answered_and_the_connection_kept(void)
{
    begin(HSM_ANSWERS);
    for (unsigned i = 0; i < 100; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 1);
    CU_ASSERT_EQUAL(hsm.served, 100);
    CU_ASSERT(hsm.last_deadline_ms > FAKE_LONG_MS - FAKE_SOON_MS);
    CU_ASSERT(hsm.last_deadline_ms <= FAKE_LONG_MS);
    end();
}

static void large_data_goes_there_and_back(void)
{
    begin(HSM_ANSWERS);
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, WIRE_DATA_MAX));
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 1);
    end();
}

static void request_over_the_daemons_limit_is_refused_here_and_harms_nothing(void)
{
    begin(HSM_ANSWERS);
    UNIT_OK(call());
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, WIRE_FRAME_MAX), RC_TOO_LARGE);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 1);
    end();
}

static void answer_with_an_error_carries_its_code_and_detail(void)
{
    begin(HSM_ANSWERS);
    hsm.answer_rc = RC_KEY_HANDLE;
    UNIT_RC(call(), RC_KEY_HANDLE);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "as the test asked");
    hsm.answer_rc = 0;
    UNIT_OK(call());
    CU_ASSERT_STRING_EQUAL(rc_detail(), "");
    end();
}

static void unknown_error_number_becomes_internal(void)
{
    begin(HSM_ANSWERS);
    hsm.answer_rc = 99999;
    UNIT_RC(call(), RC_INTERNAL);
    end();
}

static void applied_index_is_remembered_and_sent_with_later_calls(void)
{
    begin(HSM_ANSWERS);
    hsm.applied_index = 41;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(rpc_seen_index(client.rpc), 41);
    hsm.applied_index = 7;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.last_seen_index, 41);
    CU_ASSERT_EQUAL(rpc_seen_index(client.rpc), 41);
    end();
}

static void sequences_are_never_zero_and_never_twice(void)
{
    begin(HSM_ANSWERS);
    uint64_t first = rpc_sequence(client.rpc);
    CU_ASSERT(first > 0);
    CU_ASSERT_EQUAL(rpc_sequence(client.rpc), first + 1);
    end();
}

static void mute_daemon_costs_the_call_timeout_and_no_more(void)
{
    begin(HSM_ANSWERS);
    UNIT_OK(call());
    hsm.manners = HSM_MUTE;
    client.config.call_timeout_ms = 600;
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_DEADLINE);
    fake_client_check_took(start, 600);
    client.config.call_timeout_ms = FAKE_LONG_MS;
    hsm.manners = HSM_ANSWERS;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 2);
    end();
}

/* It would take more than a minute for the whole answer. */
static void trickling_daemon_costs_the_call_timeout_and_no_more(void)
{
    begin(HSM_ANSWERS);
    UNIT_OK(call());
    hsm.manners = HSM_TRICKLES;
    client.config.call_timeout_ms = 600;
    uint64_t start = now_ms();
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 4000), RC_DEADLINE);
    fake_client_check_took(start, 600);
    end();
}

static void mute_daemon_at_hello_costs_the_connect_timeout(void)
{
    begin(HSM_MUTE_AT_HELLO);
    client.config.connect_timeout_ms = 300;
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_UNAVAILABLE);
    fake_client_check_took(start, 300);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), hsm.path));
    /* the latter: where all of that time passed before the socket was asked to connect */
    CU_ASSERT(strstr(rc_detail(), "no answer in time") != NULL ||
              strstr(rc_detail(), "timed out") != NULL);
    end();
}

/* A daemon that is stopped, not dead: its backlog is full and nobody accepts. */
static void full_backlog_costs_the_connect_timeout(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/tmp/qhsm-test-%d-full.sock",
                   (int)getpid());
    const struct sockaddr *at = (const struct sockaddr *)&address;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(bind(listener, at, sizeof address), 0);
    CU_ASSERT_EQUAL(listen(listener, 0), 0);
    int first = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(connect(first, at, sizeof address), 0);
    (void)snprintf(hsm.endpoint, sizeof hsm.endpoint, "unix:%s", address.sun_path);
    struct fake_hsm *const hsms[] = {&hsm};
    fake_client_init(&client, hsms, 1);
    client.config.connect_timeout_ms = 300;
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_UNAVAILABLE);
    fake_client_check_took(start, 300);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "timed out"));
    fake_client_clear(&client);
    (void)close(first);
    (void)close(listener);
    (void)unlink(address.sun_path);
}

static void daemon_that_is_not_there_is_named_with_the_reason(void)
{
    begin(HSM_ANSWERS);
    fake_hsm_stop(&hsm);
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_UNAVAILABLE);
    fake_client_check_took(start, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), hsm.endpoint));
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "No such file or directory"));
    fake_hsm_restart(&hsm);
    UNIT_OK(call());
    end();
}

static void daemon_that_refuses_the_hello_says_why(void)
{
    begin(HSM_REFUSES_HELLO);
    UNIT_RC(call(), RC_OVERLOADED);
    end();
}

static void daemon_of_another_version_is_refused(void)
{
    begin(HSM_OTHER_VERSION);
    UNIT_RC(call(), RC_VERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "version 9"));
    end();
}

static void something_else_that_listens_there_is_refused(void)
{
    begin(HSM_GARBAGE_AT_HELLO);
    UNIT_RC(call(), RC_TOO_LARGE);
    end();
}

static void broken_answers_are_errors_and_cost_the_connection(void)
{
    static const struct {
        enum manners manners;
        enum rc rc;
    } cases[] = {
        {HSM_ANNOUNCES_MORE, RC_TOO_LARGE},
        {HSM_WRONG_ID, RC_PROTOCOL},
        {HSM_TALKS_TWICE, RC_PROTOCOL},
        {HSM_SAYS_NOTHING_NEW, RC_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].manners);
        UNIT_RC(call(), cases[i].rc);
        hsm.manners = HSM_ANSWERS;
        UNIT_OK(call());
        CU_ASSERT_EQUAL(hsm.accepted, 2);
        end();
    }
}

static void refusal_of_an_unreadable_request_is_an_answer(void)
{
    begin(HSM_REFUSES_UNREAD);
    UNIT_RC(call(), RC_TOO_LARGE);
    end();
}

struct caller {
    pthread_t thread;
    enum rc rc;
};

static void *caller_main(void *data)
{
    struct caller *caller = data;
    for (unsigned i = 0; i < 50 && caller->rc == RC_OK; i++)
        caller->rc = call();
    return NULL;
}

static void run_callers(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        callers[i].rc = RC_OK;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]),
                              0);
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(callers[i].thread, NULL);
}

static void concurrent_calls_use_connections_of_their_own_up_to_the_limit(void)
{
    begin(HSM_ANSWERS);
    struct caller callers[24];
    run_callers(callers, 24);
    for (size_t i = 0; i < 24; i++)
        UNIT_OK(callers[i].rc);
    CU_ASSERT_EQUAL(hsm.served, 24 * 50);
    CU_ASSERT(hsm.accepted <= 8);
    CU_ASSERT(hsm.at_once <= 8);
    end();
}

static void *slow_main(void *data)
{
    struct caller *caller = data;
    caller->rc = call();
    return NULL;
}

static void caller_waits_for_a_connection_no_longer_than_its_deadline(void)
{
    begin(HSM_MUTE);
    struct caller holders[8];
    for (size_t i = 0; i < 8; i++)
        (void)pthread_create(&holders[i].thread, NULL, slow_main, &holders[i]);
    CU_ASSERT(fake_hsm_comes_to(&hsm.served, 8));
    client.config.call_timeout_ms = 200;
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_DEADLINE);
    fake_client_check_took(start, 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "pool_max"));
    hsm.manners = HSM_ANSWERS; /* to those who come again */
    fake_hsm_cut(&hsm);
    for (size_t i = 0; i < 8; i++)
        (void)pthread_join(holders[i].thread, NULL);
    end();
}

static void child_abandons_and_starts_afresh_while_the_parent_goes_on(void)
{
    begin(HSM_ANSWERS);
    UNIT_OK(call());
    pid_t child = fork();
    if (child == 0) {
        static const uint8_t other[16] = {2};
        rpc_client_abandon(client.rpc);
        if (rpc_client_new(&client.config, "child", other, &client.rpc) != RC_OK)
            _exit(2);
        enum rc rc = call();
        rpc_client_free(client.rpc);
        _exit(rc == RC_OK ? 0 : 1);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 2);
    end();
}

static void probe_tells_the_release_and_the_times(void)
{
    begin(HSM_ANSWERS);
    struct rpc_probe probe;
    rpc_probe(&client.config, hsm.endpoint, &probe);
    UNIT_OK(probe.rc);
    CU_ASSERT_EQUAL(probe.node, 7);
    CU_ASSERT_STRING_EQUAL(probe.release, "0.0-fake");
    CU_ASSERT_EQUAL(probe.certificate_expires_s, 0);
    rpc_probe(&client.config, "unix:/nowhere/at/all", &probe);
    UNIT_RC(probe.rc, RC_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(probe.detail, "No such file"));
    rpc_probe(&client.config, "smoke:signals", &probe);
    UNIT_RC(probe.rc, RC_CONFIG);
    end();
}

UNIT_SUITE("client", UNIT_CASE(call_is_answered_and_the_connection_kept),
           UNIT_CASE(large_data_goes_there_and_back),
           UNIT_CASE(request_over_the_daemons_limit_is_refused_here_and_harms_nothing),
           UNIT_CASE(answer_with_an_error_carries_its_code_and_detail),
           UNIT_CASE(unknown_error_number_becomes_internal),
           UNIT_CASE(applied_index_is_remembered_and_sent_with_later_calls),
           UNIT_CASE(sequences_are_never_zero_and_never_twice),
           UNIT_CASE(mute_daemon_costs_the_call_timeout_and_no_more),
           UNIT_CASE(trickling_daemon_costs_the_call_timeout_and_no_more),
           UNIT_CASE(mute_daemon_at_hello_costs_the_connect_timeout),
           UNIT_CASE(full_backlog_costs_the_connect_timeout),
           UNIT_CASE(daemon_that_is_not_there_is_named_with_the_reason),
           UNIT_CASE(daemon_that_refuses_the_hello_says_why),
           UNIT_CASE(daemon_of_another_version_is_refused),
           UNIT_CASE(something_else_that_listens_there_is_refused),
           UNIT_CASE(broken_answers_are_errors_and_cost_the_connection),
           UNIT_CASE(refusal_of_an_unreadable_request_is_an_answer),
           UNIT_CASE(concurrent_calls_use_connections_of_their_own_up_to_the_limit),
           UNIT_CASE(caller_waits_for_a_connection_no_longer_than_its_deadline),
           UNIT_CASE(child_abandons_and_starts_afresh_while_the_parent_goes_on),
           UNIT_CASE(probe_tells_the_release_and_the_times));
