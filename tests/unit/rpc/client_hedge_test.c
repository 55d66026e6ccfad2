/* SPDX-License-Identifier: Apache-2.0 */
/* A second HSM is asked when the first takes long: who wins, and what becomes of the other answer.
 */
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
    client.config.hedge_ms = 50;
}

/* Connections to both, without a race. */
static void meet(void)
{
    client.config.hedge_ms = 0;
    for (uint64_t pin = 1; pin <= 2; pin++)
        UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, &pin, 8));
    client.config.hedge_ms = 50;
}

/* Ends the delay of the first a while after the second has been asked. */
static void *second_goes_ahead(void *data)
{
    (void)data;
    CU_ASSERT(fake_hsm_comes_to(&second.served, 1));
    (void)usleep(100000);
    first.delay_ms = 0;
    return NULL;
}

static void end(void)
{
    fake_client_clear(&client);
    fake_hsm_stop(&first);
    fake_hsm_stop(&second);
}

static enum rc call(void)
{
    return fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 32);
}

static void quick_answer_asks_nobody_else(void)
{
    begin();
    client.config.hedge_ms = FAKE_SOON_MS;
    for (unsigned i = 0; i < 10; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 10);
    CU_ASSERT_EQUAL(second.accepted, 0);
    end();
}

static void slow_hsm_does_not_hold_a_read_up(void)
{
    begin();
    first.delay_ms = FAKE_LONG_MS;
    uint64_t start = now_ms();
    UNIT_OK(call());
    fake_client_check_took(start, 50);
    CU_ASSERT(fake_hsm_comes_to(&first.served, 1));
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void slow_hsm_does_not_hold_a_key_stores_use_up(void)
{
    Qhsm__KeystoreEncryptRequest encrypt = QHSM__KEYSTORE_ENCRYPT_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    struct rpc_reply reply = {.msg = NULL};
    begin();
    first.delay_ms = FAKE_LONG_MS;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT;
    request.keystore_encrypt = &encrypt;
    uint64_t start = now_ms();
    UNIT_OK(rpc_call(client.rpc, &request, RPC_REPEAT_SAFE, &reply));
    fake_client_check_took(start, 50);
    rpc_reply_clear(client.rpc, &reply);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void late_answer_is_dropped_and_its_connection_used_on(void)
{
    begin();
    client.config.hedge_ms = FAKE_SOON_MS;
    UNIT_OK(call());
    first.delay_ms = FAKE_LONG_MS;
    client.config.hedge_ms = 50;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(second.served, 1);
    first.delay_ms = 0;
    client.config.hedge_ms = FAKE_SOON_MS;
    for (unsigned i = 0; i < 5; i++)
        UNIT_OK(
            fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 100 + i)); /* tells answers apart */
    CU_ASSERT_EQUAL(first.served, 7);
    CU_ASSERT_EQUAL(first.accepted, 1);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void mutation_is_never_asked_twice(void)
{
    begin();
    uint64_t sequence = 0;
    first.delay_ms = 300;
    UNIT_OK(fake_client_mutate(&client, &sequence));
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 0);
    end();
}

static void check_first_answers(void)
{
    pthread_t later;
    first.delay_ms = FAKE_LONG_MS;
    CU_ASSERT_EQUAL(pthread_create(&later, NULL, second_goes_ahead, NULL), 0);
    UNIT_OK(call());
    (void)pthread_join(later, NULL);
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 1);
}

static void refusal_of_the_second_leaves_the_first_to_answer(void)
{
    begin();
    second.answer_rc = RC_DRAINING;
    check_first_answers();
    end();
}

static void second_that_hangs_up_leaves_the_first_to_answer(void)
{
    begin();
    second.manners = HSM_HANGS_UP;
    check_first_answers();
    end();
}

static void first_that_hangs_up_leaves_the_second_to_answer(void)
{
    begin();
    first.delay_ms = 150;
    first.manners = HSM_HANGS_UP;
    second.delay_ms = 400;
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 1);
    CU_ASSERT_EQUAL(second.served, 1);
    end();
}

static void second_that_cannot_be_reached_is_done_without(void)
{
    begin();
    fake_hsm_stop(&second);
    first.delay_ms = 200;
    UNIT_OK(call());
    UNIT_OK(call());
    CU_ASSERT_EQUAL(first.served, 2);
    fake_hsm_restart(&second);
    end();
}

static void hsm_that_is_slow_again_and_again_is_left(void)
{
    begin();
    meet();
    client.config.connect_timeout_ms = 300;
    first.manners = HSM_PAUSED; /* its connections stay open and silent */
    for (unsigned i = 0; i < 30; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(second.served, 31);
    fake_hsm_stop(&first); /* which reads what was sent */
    CU_ASSERT_EQUAL(first.served, 4);
    fake_hsm_restart(&first);
    end();
}

static void two_that_are_silent_end_with_the_deadline(void)
{
    begin();
    meet();
    client.config.call_timeout_ms = 600;
    first.manners = second.manners = HSM_MUTE;
    uint64_t start = now_ms();
    enum rc rc = call();
    CU_ASSERT(rc == RC_DEADLINE || rc == RC_UNAVAILABLE);
    fake_client_check_took(start, 0);
    end();
}

UNIT_SUITE("client_hedge", UNIT_CASE(quick_answer_asks_nobody_else),
           UNIT_CASE(slow_hsm_does_not_hold_a_read_up),
           UNIT_CASE(slow_hsm_does_not_hold_a_key_stores_use_up),
           UNIT_CASE(late_answer_is_dropped_and_its_connection_used_on),
           UNIT_CASE(mutation_is_never_asked_twice),
           UNIT_CASE(refusal_of_the_second_leaves_the_first_to_answer),
           UNIT_CASE(second_that_hangs_up_leaves_the_first_to_answer),
           UNIT_CASE(first_that_hangs_up_leaves_the_second_to_answer),
           UNIT_CASE(second_that_cannot_be_reached_is_done_without),
           UNIT_CASE(hsm_that_is_slow_again_and_again_is_left),
           UNIT_CASE(two_that_are_silent_end_with_the_deadline));
