/* SPDX-License-Identifier: Apache-2.0 */
/* HSMs in several zones: which one is asked, when it is left, when it is returned to. */
#include <stdio.h>
#include <unistd.h>

#include "rpc/client.h"
#include "tests/unit/rpc/fake_hsm.h"
#include "tests/unit/unit.h"

static struct fake_hsm near1;
static struct fake_hsm near2;
static struct fake_hsm far;
static struct fake_client client;

/* Two HSMs in our zone, one elsewhere. */
static void begin(void)
{
    fake_hsm_start(&far, 3);
    fake_hsm_start(&near1, 1);
    fake_hsm_start(&near2, 2);
    const struct fake_place places[] = {{&far, "b"}, {&near1, "a"}, {&near2, "a"}};
    fake_client_init_zones(&client, places, 3, "a");
}

static void end(void)
{
    fake_client_clear(&client);
    fake_hsm_stop(&near1);
    fake_hsm_stop(&near2);
    fake_hsm_stop(&far);
}

/* How much was sent to the HSMs of our zone: what they have not read yet they read at their end. */
static unsigned served_near(void)
{
    fake_hsm_stop(&near1);
    fake_hsm_stop(&near2);
    fake_hsm_restart(&near1);
    fake_hsm_restart(&near2);
    return near1.served + near2.served;
}

static enum rc call(void)
{
    return fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 32);
}

static void calls(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        UNIT_OK(call());
}

/* Makes a connection while there is time. */
static void meet(const struct fake_hsm *hsm)
{
    uint64_t pin = hsm->node;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
}

/* From here on a silent HSM costs little time. One that is to answer has to be connected to, and to
 * be the last that a call tries: then it has all the time of the call. */
static void hurry(void)
{
    client.config.attempt_timeout_ms = 300;
    client.config.connect_timeout_ms = 300;
}

static void do_not_hurry(void)
{
    client.config.attempt_timeout_ms = 0;
    client.config.connect_timeout_ms = FAKE_LONG_MS;
}

/* Calls now and then, until the HSM has served one more. */
static bool is_found_again(const struct fake_hsm *hsm)
{
    unsigned before = hsm->served;
    for (uint64_t start = now_ms(); hsm->served == before && now_ms() - start < FAKE_LONG_MS;) {
        UNIT_OK(call());
        (void)usleep(10000);
    }
    return hsm->served > before;
}

static void calls_take_turns_in_the_own_zone(void)
{
    begin();
    calls(20);
    CU_ASSERT_EQUAL(near1.served, 10);
    CU_ASSERT_EQUAL(near2.served, 10);
    CU_ASSERT_EQUAL(far.served, 0);
    end();
}

static void *call_once(void *data)
{
    (void)data;
    UNIT_OK(call());
    return NULL;
}

static void least_busy_one_is_asked(void)
{
    begin();
    near1.delay_ms = FAKE_LONG_MS;
    pthread_t busy;
    CU_ASSERT_EQUAL(pthread_create(&busy, NULL, call_once, NULL), 0);
    CU_ASSERT(fake_hsm_comes_to(&near1.served, 1));
    calls(10);
    CU_ASSERT_EQUAL(near1.served, 1);
    CU_ASSERT_EQUAL(near2.served, 10);
    near1.delay_ms = 0;
    (void)pthread_join(busy, NULL);
    calls(10);
    CU_ASSERT(near1.served > 1);
    end();
}

static void without_a_zone_the_order_is_that_of_the_file(void)
{
    fake_hsm_start(&near1, 1);
    fake_hsm_start(&near2, 2);
    fake_hsm_start(&far, 3);
    const struct fake_place places[] = {{&far, "b"}, {&near1, "a"}, {&near2, "a"}};
    fake_client_init_zones(&client, places, 3, NULL);
    calls(10);
    CU_ASSERT_EQUAL(far.served, 10);
    end();
}

static void another_zone_serves_while_the_own_one_is_down(void)
{
    begin();
    calls(2);
    fake_hsm_stop(&near1);
    fake_hsm_stop(&near2);
    calls(20);
    CU_ASSERT_EQUAL(far.served, 20);
    fake_hsm_restart(&near2);
    CU_ASSERT(is_found_again(&near2));
    unsigned served = far.served;
    calls(5);
    CU_ASSERT_EQUAL(far.served, served);
    fake_hsm_restart(&near1);
    CU_ASSERT(is_found_again(&near1));
    end();
}

static void drained_hsm_hands_its_clients_over(void)
{
    begin();
    calls(2);
    near1.answer_rc = RC_DRAINING;
    unsigned before = near1.served;
    uint64_t start = now_ms();
    calls(50);
    CU_ASSERT(near1.served - before <= 1 + fake_client_tries_in(now_ms() - start));
    CU_ASSERT_EQUAL(far.served, 0);
    near2.answer_rc = RC_DRAINING;
    calls(10);
    CU_ASSERT(far.served >= 10);
    near1.answer_rc = near2.answer_rc = 0;
    CU_ASSERT(is_found_again(&near1));
    end();
}

static void drained_hsm_ends_the_operations_that_it_began(void)
{
    begin();
    uint64_t pin = 0;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    struct fake_hsm *keeper = pin == 1 ? &near1 : &near2;
    keeper->answer_rc = RC_DRAINING;
    calls(10);
    keeper->answer_rc = 0; /* to the parts of what runs */
    unsigned before = keeper->accepted;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_NEVER, &pin, 8));
    CU_ASSERT_EQUAL(keeper->accepted, before);
    end();
}

static void hsm_that_is_cut_off_is_left_for_one_that_is_not(void)
{
    static const enum rc troubles[] = {RC_NO_LEADER, RC_NO_QUORUM, RC_ZEROIZED, RC_DISK,
                                       RC_UNAVAILABLE};
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        begin();
        uint64_t sequence = 0;
        near1.answer_rc = near2.answer_rc = (unsigned)troubles[i];
        UNIT_OK(call());
        UNIT_OK(fake_client_mutate(&client, &sequence));
        CU_ASSERT_EQUAL(far.last_sequence, sequence);
        CU_ASSERT_EQUAL(far.served, 2);
        end();
    }
}

static void trouble_of_the_whole_cluster_is_told_at_once(void)
{
    begin();
    uint64_t sequence = 0;
    uint64_t start = now_ms();
    near1.answer_rc = near2.answer_rc = far.answer_rc = RC_NO_QUORUM;
    UNIT_RC(fake_client_mutate(&client, &sequence), RC_NO_QUORUM);
    fake_client_check_took(start, 0);
    end();
}

/* Once it has refused, and was asked again. */
static void *undrain_then(void *data)
{
    struct fake_hsm *hsm = data;
    CU_ASSERT(fake_hsm_comes_to(&hsm->served, 2));
    hsm->answer_rc = 0;
    return NULL;
}

static void what_passes_is_waited_for(void)
{
    begin();
    calls(3);
    fake_hsm_stop(&near1);
    fake_hsm_stop(&near2);
    far.answer_rc = RC_DRAINING;
    pthread_t later;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, undrain_then, &far), 0);
    UNIT_OK(call());
    (void)pthread_join(later, NULL);
    fake_hsm_restart(&near1);
    fake_hsm_restart(&near2);
    end();
}

/* What may still wait for near1 are looks whether it is back. */
static void paused_hsm_costs_the_first_call_only(void)
{
    begin();
    calls(4);
    meet(&far);
    unsigned served = near1.served;
    unsigned accepted = near1.accepted;
    near1.manners = HSM_PAUSED;
    hurry();
    uint64_t start = now_ms();
    calls(1);
    client.config.attempt_timeout_ms = 0;
    calls(40);
    CU_ASSERT(fake_hsm_comes_to(&near1.served, served + 1));
    CU_ASSERT_EQUAL(near1.served, served + 1);
    CU_ASSERT(near1.accepted - accepted <= 1 + fake_client_tries_in(now_ms() - start));
    near1.manners = HSM_ANSWERS;
    do_not_hurry();
    CU_ASSERT(is_found_again(&near1));
    end();
}

static void paused_hsm_that_is_connected_to_for_the_first_time_is_left(void)
{
    begin();
    near1.manners = near2.manners = HSM_PAUSED;
    client.config.attempt_timeout_ms = 300;
    uint64_t start = now_ms();
    UNIT_OK(call());
    fake_client_check_took(start, 0);
    CU_ASSERT_EQUAL(far.served, 1);
    client.config.attempt_timeout_ms = 0;
    client.config.connect_timeout_ms = 300;
    calls(20);
    CU_ASSERT_EQUAL(far.served, 21);
    unsigned tries = 1 + fake_client_tries_in(now_ms() - start);
    CU_ASSERT(near1.accepted <= tries && near2.accepted <= tries);
    end();
}

static void silent_hsm_is_not_asked_again_by_its_other_address(void)
{
    begin();
    near2.node = 1;
    calls(4);
    meet(&far);
    near1.manners = near2.manners = HSM_PAUSED;
    hurry();
    unsigned before = near1.served + near2.served;
    calls(1);
    CU_ASSERT_EQUAL(far.served, 2);
    CU_ASSERT_EQUAL(served_near(), before + 1);
    end();
}

static void hsm_that_is_slow_again_and_again_is_left_with_its_other_address(void)
{
    begin();
    near2.node = 1;
    calls(4);
    meet(&far);
    client.config.hedge_ms = 50;
    client.config.connect_timeout_ms = 300;
    near1.manners = near2.manners = HSM_PAUSED;
    unsigned before = near1.served + near2.served;
    calls(6);
    CU_ASSERT_EQUAL(far.served, 7);
    CU_ASSERT_EQUAL(served_near(), before + 3);
    end();
}

static void mutation_at_a_paused_hsm_goes_on_elsewhere_under_its_sequence(void)
{
    begin();
    uint64_t sequence = 0;
    calls(2);
    meet(&far);
    near1.manners = near2.manners = HSM_PAUSED;
    hurry();
    uint64_t start = now_ms();
    UNIT_OK(fake_client_mutate(&client, &sequence));
    fake_client_check_took(start, 0);
    CU_ASSERT_EQUAL(far.last_sequence, sequence);
    end();
}

static void mutation_that_takes_long_is_waited_for(void)
{
    begin();
    uint64_t sequence = 0;
    near1.delay_ms = near2.delay_ms = far.delay_ms = 1200;
    client.config.attempt_timeout_ms = 300;
    UNIT_OK(fake_client_mutate(&client, &sequence));
    CU_ASSERT_EQUAL(near1.served + near2.served + far.served, 1);
    end();
}

static void operation_at_a_paused_hsm_is_lost_in_time(void)
{
    begin();
    uint64_t pin = 0;
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    near1.manners = near2.manners = HSM_PAUSED;
    hurry();
    uint64_t start = now_ms();
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_NEVER, &pin, 8), RC_OPERATION_LOST);
    fake_client_check_took(start, 0);
    near1.manners = near2.manners = HSM_ANSWERS;
    do_not_hurry();
    UNIT_OK(call());
    end();
}

static void index_seen_at_one_hsm_is_told_to_the_others(void)
{
    begin();
    near1.applied_index = near2.applied_index = 41;
    calls(2);
    fake_hsm_stop(&near1);
    fake_hsm_stop(&near2);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(far.last_seen_index, 41);
    fake_hsm_restart(&near1);
    fake_hsm_restart(&near2);
    end();
}

/* A cluster restored from a backup counts anew. */
static void index_of_another_cluster_is_forgotten(void)
{
    begin();
    near1.cluster = near2.cluster = 7;
    near1.applied_index = near2.applied_index = 1000;
    calls(4);
    CU_ASSERT_EQUAL(rpc_seen_index(client.rpc), 1000);
    fake_hsm_cut(&near1);
    fake_hsm_cut(&near2);
    near1.cluster = near2.cluster = 8;
    near1.applied_index = near2.applied_index = 3;
    calls(1);
    CU_ASSERT_EQUAL(near1.last_seen_index == 0 || near2.last_seen_index == 0, true);
    CU_ASSERT_EQUAL(rpc_seen_index(client.rpc), 3);
    end();
}

static void new_client_starts_with_what_another_knows(void)
{
    static const uint8_t application[16] = {9};
    begin();
    near1.applied_index = near2.applied_index = 12;
    calls(2);
    fake_hsm_stop(&near1);
    calls(3);
    struct fake_client child = client;
    UNIT_OK(rpc_client_new(&client.config, "child", application, &child.rpc));
    rpc_client_learn(child.rpc, client.rpc);
    near2.last_seen_index = 0;
    UNIT_OK(fake_client_crypt(&child, RPC_REPEAT_SAFE, NULL, 8));
    CU_ASSERT_EQUAL(near2.last_seen_index, 12);
    CU_ASSERT_EQUAL(rpc_seen_index(child.rpc), 12);
    fake_client_clear(&child);
    fake_hsm_restart(&near1);
    end();
}

static void *restart_soon(void *data)
{
    (void)usleep(200000);
    fake_hsm_restart(data);
    return NULL;
}

/* A worker forked while its HSM is down: what its library does once must not fail. */
static void new_client_waits_for_hsms_that_another_knew(void)
{
    static const uint8_t application[16] = {9};
    fake_hsm_start(&near1, 1);
    const struct fake_place places[] = {{&near1, NULL}};
    fake_client_init_zones(&client, places, 1, NULL);
    calls(1);
    fake_hsm_stop(&near1);
    struct fake_client child = client;
    UNIT_OK(rpc_client_new(&client.config, "child", application, &child.rpc));
    UNIT_RC(fake_client_crypt(&child, RPC_REPEAT_SAFE, NULL, 8), RC_UNAVAILABLE);
    rpc_client_learn(child.rpc, client.rpc);
    pthread_t later;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, restart_soon, &near1), 0);
    UNIT_OK(fake_client_crypt(&child, RPC_REPEAT_SAFE, NULL, 8));
    (void)pthread_join(later, NULL);
    fake_client_clear(&child);
    fake_client_clear(&client);
    fake_hsm_stop(&near1);
}

UNIT_SUITE("client_zones", UNIT_CASE(calls_take_turns_in_the_own_zone),
           UNIT_CASE(least_busy_one_is_asked),
           UNIT_CASE(without_a_zone_the_order_is_that_of_the_file),
           UNIT_CASE(another_zone_serves_while_the_own_one_is_down),
           UNIT_CASE(drained_hsm_hands_its_clients_over),
           UNIT_CASE(drained_hsm_ends_the_operations_that_it_began),
           UNIT_CASE(hsm_that_is_cut_off_is_left_for_one_that_is_not),
           UNIT_CASE(trouble_of_the_whole_cluster_is_told_at_once),
           UNIT_CASE(what_passes_is_waited_for), UNIT_CASE(paused_hsm_costs_the_first_call_only),
           UNIT_CASE(paused_hsm_that_is_connected_to_for_the_first_time_is_left),
           UNIT_CASE(silent_hsm_is_not_asked_again_by_its_other_address),
           UNIT_CASE(hsm_that_is_slow_again_and_again_is_left_with_its_other_address),
           UNIT_CASE(mutation_at_a_paused_hsm_goes_on_elsewhere_under_its_sequence),
           UNIT_CASE(mutation_that_takes_long_is_waited_for),
           UNIT_CASE(operation_at_a_paused_hsm_is_lost_in_time),
           UNIT_CASE(index_seen_at_one_hsm_is_told_to_the_others),
           UNIT_CASE(index_of_another_cluster_is_forgotten),
           UNIT_CASE(new_client_starts_with_what_another_knows),
           UNIT_CASE(new_client_waits_for_hsms_that_another_knew));
