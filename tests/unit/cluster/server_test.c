/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon over its Unix socket: what it does for a client, and what it refuses to a bad one. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "common/policy_settings.h"
#include "tests/unit/cluster/harness.h"
#include "tests/unit/unit.h"

static struct harness harness;

static void begin(void)
{
    harness_init(&harness);
}

static void up(void)
{
    UNIT_OK(harness_start(&harness));
}

static void end(void)
{
    harness_clear(&harness);
}

static ProtobufCBinaryData data_of(const void *ptr, size_t len)
{
    union {
        const void *in;
        uint8_t *out;
    } p = {.in = ptr};
    return (ProtobufCBinaryData){.data = p.out, .len = len};
}

static Qhsm__Response *simple(struct peer_client *client, Qhsm__Request__BodyCase body)
{
    static Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = body;
    request.slots = &empty;
    return client_call(client, &request);
}

static Qhsm__Response *sign(struct peer_client *client, uint64_t key, const uint8_t digest[32])
{
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = CKM_ECDSA;
    Qhsm__CryptRequest crypt = QHSM__CRYPT_REQUEST__INIT;
    crypt.operation = CRYPT_SIGN;
    crypt.key = key;
    crypt.mechanism = &mechanism;
    crypt.data = data_of(digest, 32);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &crypt;
    return client_call(client, &request);
}

/* ---- a good client */

static void a_token_is_made_and_a_key_signs(void)
{
    struct peer_client client;
    uint8_t digest[32] = {1, 2, 3};
    begin();
    up();
    client_ready(&client, &harness);
    uint64_t key = client_generate_p256(&client);
    CU_ASSERT(key > 0);
    Qhsm__Response *response = sign(&client, key, digest);
    UNIT_OK(client_rc(response));
    CU_ASSERT(response != NULL && response->data->data.len == 64);
    client_close(&client);
    end();
}

static void slots_show_the_tokens_and_one_free_slot(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    Qhsm__Response *response = simple(&client, QHSM__REQUEST__BODY_SLOTS);
    UNIT_OK(client_rc(response));
    CU_ASSERT_FATAL(response != NULL && response->slots->n_slots == 2);
    CU_ASSERT(response->slots->slots[0]->initialized);
    CU_ASSERT((response->slots->slots[0]->flags & CKF_USER_PIN_INITIALIZED) != 0);
    CU_ASSERT(!response->slots->slots[1]->initialized);
    client_close(&client);
    end();
}

static void everything_is_there_after_a_restart(void)
{
    struct peer_client client;
    uint8_t digest[32] = {7};
    begin();
    up();
    client_ready(&client, &harness);
    uint64_t key = client_generate_p256(&client);
    client_close(&client);
    harness_stop(&harness);
    up();
    client_join(&client, &harness);
    UNIT_OK(client_rc(sign(&client, key, digest)));
    client_close(&client);
    end();
}

static void a_ticket_is_good_on_another_connection_of_the_application(void)
{
    struct peer_client first;
    struct peer_client second;
    uint8_t digest[32] = {7};
    begin();
    up();
    client_ready(&first, &harness);
    uint64_t key = client_generate_p256(&first);
    client_open(&second, &harness);
    memcpy(second.application, first.application, sizeof second.application);
    UNIT_OK(client_hello(&second));
    UNIT_RC(client_rc(sign(&second, key, digest)), RC_KEY_HANDLE);
    UNIT_OK(buf_append(&second.ticket, buf_bytes(&first.ticket)));
    UNIT_OK(client_rc(sign(&second, key, digest)));
    client_close(&first);
    client_close(&second);
    end();
}

static void a_ticket_is_void_for_another_application(void)
{
    struct peer_client first;
    struct peer_client second;
    begin();
    up();
    client_ready(&first, &harness);
    client_open(&second, &harness);
    UNIT_OK(client_hello(&second));
    UNIT_OK(buf_append(&second.ticket, buf_bytes(&first.ticket)));
    UNIT_RC(client_rc(simple(&second, QHSM__REQUEST__BODY_LOGOUT)), RC_TICKET_VOID);
    client_close(&first);
    client_close(&second);
    end();
}

static void a_request_told_twice_makes_one_object(void)
{
    struct peer_client client;
    enum rc rc = RC_OK;
    begin();
    up();
    client_ready(&client, &harness);
    uint64_t first = client_create_data(&client, "twice", &rc);
    UNIT_OK(rc);
    client.sequence--;
    uint64_t second = client_create_data(&client, "twice", &rc);
    UNIT_OK(rc);
    CU_ASSERT(first > 0 && first == second);
    CU_ASSERT_EQUAL(client_find_label(&client, "twice"), 1);
    client_close(&client);
    end();
}

/* It ends the login that it came with, and is answered all the same when it comes again. */
static void a_policy_told_twice_is_set_once(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    UNIT_OK(client_login(&client, CKU_SO, HARNESS_SO_PIN));
    uint64_t epoch = client_policy_epoch(&client);
    UNIT_OK(client_set_policy(&client, epoch, POLICY_PIN_TRIES_MAX, 7));
    client.sequence--;
    UNIT_OK(client_set_policy(&client, epoch, POLICY_PIN_TRIES_MAX, 7));
    UNIT_RC(client_set_policy(&client, epoch, POLICY_PIN_TRIES_MAX, 8), RC_TICKET_VOID);
    UNIT_OK(client_login(&client, CKU_SO, HARNESS_SO_PIN));
    CU_ASSERT_EQUAL(client_policy_epoch(&client), epoch + 1);
    client_close(&client);
    end();
}

static void pipelined_requests_are_all_answered(void)
{
    struct peer_client client;
    static Qhsm__Empty empty = QHSM__EMPTY__INIT;
    bool seen[201] = {false};
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    uint64_t first = client.id;
    for (unsigned i = 0; i < 200; i++) {
        Qhsm__Request request = QHSM__REQUEST__INIT;
        request.body_case = QHSM__REQUEST__BODY_SLOTS;
        request.slots = &empty;
        client_send(&client, &request);
    }
    for (unsigned i = 0; i < 200; i++) {
        Qhsm__Response *response = client_receive(&client);
        CU_ASSERT_FATAL(response != NULL && response->id > first && response->id <= first + 200);
        seen[response->id - first] = true;
    }
    for (unsigned i = 1; i <= 200; i++)
        CU_ASSERT(seen[i]);
    client_close(&client);
    end();
}

/* ---- PINs */

static void wrong_pins_in_parallel_do_not_overshoot_the_limit(void)
{
    struct peer_client clients[24];
    struct peer_client last;
    begin();
    up();
    client_ready(&last, &harness);
    for (unsigned i = 0; i < 24; i++) {
        client_open(&clients[i], &harness);
        UNIT_OK(client_hello(&clients[i]));
        char pin[] = "wrong:colon";
        pin[0] = (char)('a' + i);
        Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
        login.slot = HARNESS_SLOT;
        login.user_type = CKU_USER;
        login.pin = data_of(pin, sizeof pin - 1);
        Qhsm__Request request = QHSM__REQUEST__INIT;
        request.body_case = QHSM__REQUEST__BODY_LOGIN;
        request.login = &login;
        client_send(&clients[i], &request);
    }
    unsigned incorrect = 0;
    unsigned locked = 0;
    for (unsigned i = 0; i < 24; i++) {
        enum rc rc = client_rc(client_receive(&clients[i]));
        incorrect += rc == RC_PIN_INCORRECT ? 1 : 0;
        locked += rc == RC_PIN_LOCKED ? 1 : 0;
        client_close(&clients[i]);
    }
    CU_ASSERT_EQUAL(incorrect + locked, 24);
    CU_ASSERT(incorrect <= 10);
    UNIT_RC(client_login(&last, CKU_USER, HARNESS_USER_PIN), RC_PIN_LOCKED);
    client_close(&last);
    end();
}

static void what_is_the_officers_is_refused_to_a_user(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    Qhsm__UserCreateRequest create = QHSM__USER_CREATE_REQUEST__INIT;
    char name[] = "eve";
    create.name = name;
    create.pin = data_of("password", 8);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    UNIT_RC(client_rc(client_call(&client, &request)), RC_NOT_LOGGED_IN);
    client_close(&client);
    end();
}

/* ---- bad clients */

static void hello_comes_first(void)
{
    struct peer_client client;
    begin();
    up();
    client_open(&client, &harness);
    UNIT_RC(client_rc(simple(&client, QHSM__REQUEST__BODY_SLOTS)), RC_PROTOCOL);
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static void an_empty_frame_ends_the_connection(void)
{
    struct peer_client client;
    const uint8_t nothing[4] = {0};
    begin();
    up();
    client_open(&client, &harness);
    client_send_raw(&client, bytes_of(nothing, sizeof nothing));
    UNIT_RC(client_rc(client_receive(&client)), RC_PROTOCOL);
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static void a_malformed_message_is_refused_by_its_id(void)
{
    struct peer_client client;
    const uint8_t frame[] = {0, 0, 0, 6, 0x08, 0x63, 0xFF, 0xFF, 0xFF, 0xFF};
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    client_send_raw(&client, bytes_of(frame, sizeof frame));
    Qhsm__Response *response = client_receive(&client);
    UNIT_RC(client_rc(response), RC_PROTOCOL);
    CU_ASSERT(response != NULL && response->id == 0x63);
    UNIT_OK(client_rc(simple(&client, QHSM__REQUEST__BODY_SLOTS)));
    client_close(&client);
    end();
}

static void who_breaks_the_protocol_again_and_again_is_cut_off(void)
{
    struct peer_client client;
    const uint8_t frame[] = {0, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF};
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    for (unsigned i = 0; i < 20; i++)
        client_send_raw(&client, bytes_of(frame, sizeof frame));
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static Qhsm__Response *send_large(struct peer_client *client, size_t len)
{
    uint8_t *seed = calloc(1, len);
    CU_ASSERT_FATAL(seed != NULL);
    Qhsm__SeedRequest body = QHSM__SEED_REQUEST__INIT;
    body.seed = data_of(seed, len);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SEED;
    request.seed = &body;
    Qhsm__Response *response = client_call(client, &request);
    free(seed);
    return response;
}

static void a_large_frame_before_login_is_refused_and_the_connection_goes_on(void)
{
    struct peer_client client;
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    Qhsm__Response *response = send_large(&client, 300000);
    UNIT_RC(client_rc(response), RC_TOO_LARGE);
    CU_ASSERT(response != NULL && response->id == client.id);
    CU_ASSERT(response != NULL && strstr(response->detail, "before login") != NULL);
    UNIT_OK(client_rc(simple(&client, QHSM__REQUEST__BODY_SLOTS)));
    client_close(&client);
    end();
}

/* The handler's own limit answers: the frame came through. */
static void a_good_ticket_at_its_head_lets_a_large_frame_in(void)
{
    struct peer_client first;
    struct peer_client second;
    begin();
    up();
    client_ready(&first, &harness);
    client_open(&second, &harness);
    memcpy(second.application, first.application, sizeof second.application);
    UNIT_OK(client_hello(&second));
    UNIT_OK(buf_append(&second.ticket, buf_bytes(&first.ticket)));
    Qhsm__Response *response = send_large(&second, 300000);
    UNIT_RC(client_rc(response), RC_TOO_LARGE);
    CU_ASSERT(response != NULL && strstr(response->detail, "seed") != NULL);
    client_close(&first);
    client_close(&second);
    end();
}

static void a_frame_over_the_limit_is_refused_after_login(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    UNIT_RC(client_rc(send_large(&client, harness.config.frame_max + 1)), RC_TOO_LARGE);
    UNIT_OK(client_rc(simple(&client, QHSM__REQUEST__BODY_SLOTS)));
    client_close(&client);
    end();
}

/* For those who were greeted in time, however slow the machine is. */
static void shorten_limits(unsigned deadline_ms, unsigned idle_s)
{
    struct server_config fresh = harness.config;
    fresh.login_deadline_ms = deadline_ms;
    fresh.idle_timeout_s = idle_s;
    UNIT_OK(server_reload(harness.server, &fresh));
}

static void half_a_frame_is_cut_off_at_the_deadline(void)
{
    struct peer_client client;
    const uint8_t half[] = {0, 0, 1, 0, 0x08};
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    shorten_limits(300, 3600);
    client_send_raw(&client, bytes_of(half, sizeof half));
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static void silence_before_hello_is_cut_off_at_the_deadline(void)
{
    struct peer_client client;
    begin();
    harness.config.login_deadline_ms = 300;
    up();
    client_open(&client, &harness);
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static void an_idle_connection_is_closed(void)
{
    struct peer_client client;
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    shorten_limits(10000, 1);
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static size_t connections(void)
{
    return atomic_load(&server_service(harness.server)->connections);
}

static uint64_t requests(void)
{
    return atomic_load(&server_service(harness.server)->requests);
}

static size_t session_objects(void)
{
    return session_objects_count(server_service(harness.server)->hsm->sessions);
}

static bool become(size_t (*count)(void), size_t wanted)
{
    uint64_t end = clock_steady_ms() + 60000;
    while (count() != wanted && clock_steady_ms() < end)
        (void)usleep(10000);
    return count() == wanted;
}

/* Asks for much and reads nothing: the daemon stops reading, then cuts. */
static void a_slow_reader_is_cut_off(void)
{
    struct peer_client client;
    begin();
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    shorten_limits(500, 3600);
    for (unsigned i = 0; i < 60; i++) {
        Qhsm__RandomRequest random = QHSM__RANDOM_REQUEST__INIT;
        random.len = 65536;
        Qhsm__Request request = QHSM__REQUEST__INIT;
        request.body_case = QHSM__REQUEST__BODY_RANDOM;
        request.random = &random;
        client_send(&client, &request);
    }
    CU_ASSERT(become(connections, 0));
    client_close(&client);
    end();
}

static void connections_over_the_limit_are_told_so(void)
{
    struct peer_client clients[3];
    begin();
    harness.config.connections_max = 2;
    up();
    for (unsigned i = 0; i < 2; i++) {
        client_open(&clients[i], &harness);
        UNIT_OK(client_hello(&clients[i]));
    }
    client_open(&clients[2], &harness);
    UNIT_RC(client_hello(&clients[2]), RC_OVERLOADED);
    CU_ASSERT(client_is_closed(&clients[2]));
    UNIT_OK(client_rc(simple(&clients[0], QHSM__REQUEST__BODY_SLOTS)));
    for (unsigned i = 0; i < 3; i++)
        client_close(&clients[i]);
    end();
}

static void a_state_from_the_future_is_waited_for_and_then_refused(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    client.seen += 1000;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__FactsRequest facts = QHSM__FACTS_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FACTS;
    request.facts = &facts;
    request.deadline_ms = 100;
    UNIT_RC(client_rc(client_call(&client, &request)), RC_DEADLINE);
    client_close(&client);
    end();
}

/* ---- start and end */

static void what_is_in_flight_at_the_end_is_answered(void)
{
    struct peer_client client;
    begin();
    up();
    client_ready(&client, &harness);
    Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
    login.slot = HARNESS_SLOT;
    login.user_type = CKU_USER;
    login.pin = data_of(HARNESS_USER_PIN, strlen(HARNESS_USER_PIN));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &login;
    uint64_t before = requests();
    for (unsigned i = 0; i < 4; i++)
        client_send(&client, &request);
    while (requests() == before) /* or none would be in flight */
        (void)usleep(500);
    harness_stop(&harness);
    unsigned answered = 0;
    while (client_rc(client_receive(&client)) == RC_OK)
        answered++;
    CU_ASSERT(answered >= 1);
    CU_ASSERT(client_is_closed(&client));
    client_close(&client);
    end();
}

static void a_second_daemon_on_the_directory_is_refused(void)
{
    struct server *second = NULL;
    begin();
    up();
    UNIT_RC(server_start(&harness.config, false, &second), RC_CONFIG);
    end();
}

static void a_stale_socket_is_replaced(void)
{
    struct peer_client client;
    begin();
    harness_fork(&harness);
    harness_kill(&harness);
    CU_ASSERT(access(harness.config.listen_unix, F_OK) == 0);
    up();
    client_open(&client, &harness);
    UNIT_OK(client_hello(&client));
    client_close(&client);
    end();
}

static void limits_change_on_reload(void)
{
    struct peer_client clients[2];
    begin();
    up();
    struct server_config fresh = harness.config;
    fresh.connections_max = 1;
    UNIT_OK(server_reload(harness.server, &fresh));
    for (unsigned i = 0; i < 2; i++)
        client_open(&clients[i], &harness);
    UNIT_OK(client_hello(&clients[0]));
    UNIT_RC(client_hello(&clients[1]), RC_OVERLOADED);
    for (unsigned i = 0; i < 2; i++)
        client_close(&clients[i]);
    end();
}

static void session_objects_outlive_their_connection_but_not_the_grace(void)
{
    struct peer_client first;
    struct peer_client second;
    begin();
    harness.config.session_grace_s = 1;
    up();
    client_ready(&first, &harness);
    CU_ASSERT(client_generate_aes(&first, false) >= SESSION_HANDLE_BIT);
    client_open(&second, &harness);
    CU_ASSERT_EQUAL(session_objects(), 1);
    uint64_t closed_ms = clock_steady_ms();
    client_close(&first);
    CU_ASSERT(become(session_objects, 0));
    CU_ASSERT(clock_steady_ms() >= closed_ms + 1000 * harness.config.session_grace_s);
    client_close(&second);
    end();
}

UNIT_SUITE("server", UNIT_CASE(a_stale_socket_is_replaced),
           UNIT_CASE(a_token_is_made_and_a_key_signs),
           UNIT_CASE(slots_show_the_tokens_and_one_free_slot),
           UNIT_CASE(everything_is_there_after_a_restart),
           UNIT_CASE(a_ticket_is_good_on_another_connection_of_the_application),
           UNIT_CASE(a_ticket_is_void_for_another_application),
           UNIT_CASE(a_request_told_twice_makes_one_object),
           UNIT_CASE(a_policy_told_twice_is_set_once),
           UNIT_CASE(pipelined_requests_are_all_answered),
           UNIT_CASE(wrong_pins_in_parallel_do_not_overshoot_the_limit),
           UNIT_CASE(what_is_the_officers_is_refused_to_a_user), UNIT_CASE(hello_comes_first),
           UNIT_CASE(an_empty_frame_ends_the_connection),
           UNIT_CASE(a_malformed_message_is_refused_by_its_id),
           UNIT_CASE(who_breaks_the_protocol_again_and_again_is_cut_off),
           UNIT_CASE(a_large_frame_before_login_is_refused_and_the_connection_goes_on),
           UNIT_CASE(a_good_ticket_at_its_head_lets_a_large_frame_in),
           UNIT_CASE(a_frame_over_the_limit_is_refused_after_login),
           UNIT_CASE(half_a_frame_is_cut_off_at_the_deadline),
           UNIT_CASE(silence_before_hello_is_cut_off_at_the_deadline),
           UNIT_CASE(an_idle_connection_is_closed), UNIT_CASE(a_slow_reader_is_cut_off),
           UNIT_CASE(connections_over_the_limit_are_told_so),
           UNIT_CASE(a_state_from_the_future_is_waited_for_and_then_refused),
           UNIT_CASE(what_is_in_flight_at_the_end_is_answered),
           UNIT_CASE(a_second_daemon_on_the_directory_is_refused),
           UNIT_CASE(limits_change_on_reload),
           UNIT_CASE(session_objects_outlive_their_connection_but_not_the_grace));
