/* SPDX-License-Identifier: Apache-2.0 */
/* In how many client connections a front end's user is logged in, as the front end is told. */
#include <time.h>

#include "tests/unit/cluster/keystore_fixture.h"
#include "tests/unit/unit.h"

#define USER_PIN KEYSTORE_USER ":" KEYSTORE_PASSWORD

static uint32_t logins_of(const char *token, const char *user)
{
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    body.token = (char *)(uintptr_t)token;
    body.user = (char *)(uintptr_t)user;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    UNIT_OK(front_call(&fixture.front, &request, false));
    const Qhsm__KeystoreHealthReply *reply = fixture.front.reply.msg->keystore_health;
    CU_ASSERT_EQUAL_FATAL(reply->n_hsms, 1);
    return reply->hsms[0]->logins;
}

static uint32_t logins(void)
{
    return logins_of(KEYSTORE_TOKEN, KEYSTORE_USER);
}

/* The daemon hears of a closed connection by its loop. */
static bool become(uint32_t wanted)
{
    for (unsigned i = 0; i < 6000 && logins() != wanted; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return logins() == wanted;
}

static void open_client(struct peer_client *client)
{
    client_open(client, &fixture.harness);
    UNIT_OK(client_hello(client));
}

/* Its second connection, by the same application and ticket. */
static void open_twin(struct peer_client *twin, const struct peer_client *first)
{
    client_open(twin, &fixture.harness);
    memcpy(twin->application, first->application, sizeof twin->application);
    UNIT_OK(client_hello(twin));
    buf_clear(&twin->ticket);
    UNIT_OK(buf_append(&twin->ticket, buf_bytes(&first->ticket)));
    CU_ASSERT_EQUAL(client_find_label(twin, "nothing"), 0);
}

static enum rc logout(struct peer_client *client)
{
    Qhsm__Empty body = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_LOGOUT;
    request.logout = &body;
    return client_rc(client_call(client, &request));
}

static void a_clients_login_counts_until_it_logs_out(void)
{
    struct peer_client client;
    fixture_begin();
    CU_ASSERT_EQUAL(logins(), 0); /* the front end's own does not */
    open_client(&client);
    CU_ASSERT_EQUAL(logins(), 0);
    UNIT_OK(client_login(&client, CKU_USER, USER_PIN));
    CU_ASSERT_EQUAL(logins(), 1);
    UNIT_OK(logout(&client));
    CU_ASSERT_EQUAL(logins(), 0);
    UNIT_OK(client_login(&client, CKU_USER, USER_PIN));
    CU_ASSERT_EQUAL(logins(), 1);
    client_close(&client);
    CU_ASSERT(become(0));
    fixture_end();
}

static void each_connection_counts_and_one_logout_is_for_all(void)
{
    struct peer_client first, twin;
    fixture_begin();
    open_client(&first);
    UNIT_OK(client_login(&first, CKU_USER, USER_PIN));
    open_twin(&twin, &first);
    CU_ASSERT_EQUAL(logins(), 2);
    UNIT_OK(logout(&first));
    CU_ASSERT_EQUAL(logins(), 0);
    client_close(&twin);
    client_close(&first);
    fixture_end();
}

static void other_users_and_void_logins_do_not_count(void)
{
    struct peer_client client;
    fixture_begin();
    fixture_user(HARNESS_SLOT, "another");
    open_client(&client);
    UNIT_OK(client_login(&client, CKU_USER, "another:" KEYSTORE_PASSWORD));
    CU_ASSERT_EQUAL(logins(), 0);
    CU_ASSERT_EQUAL(logins_of(KEYSTORE_TOKEN, "another"), 1);
    CU_ASSERT_EQUAL(logins_of(KEYSTORE_TOKEN, "nobody"), 0);
    CU_ASSERT_EQUAL(logins_of("nowhere", KEYSTORE_USER), 0);
    UNIT_OK(client_login(&client, CKU_USER, USER_PIN)); /* the last one */
    CU_ASSERT_EQUAL(logins(), 1);
    CU_ASSERT_EQUAL(logins_of(KEYSTORE_TOKEN, "another"), 0);
    UNIT_OK(front_rotate(&fixture.front, KEYSTORE_PASSWORD, "a fresh password"));
    CU_ASSERT_EQUAL(logins(), 0);
    client_close(&client);
    fixture_end();
}

static void a_client_is_not_told_who_is_logged_in(void)
{
    struct peer_client client;
    Qhsm__StatusRequest body = QHSM__STATUS_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    fixture_begin();
    open_client(&client);
    UNIT_OK(client_login(&client, CKU_USER, USER_PIN));
    body.login_of = 2; /* the first user after the security officer */
    request.body_case = QHSM__REQUEST__BODY_STATUS;
    request.status = &body;
    Qhsm__Response *response = client_call(&client, &request);
    UNIT_OK(client_rc(response));
    CU_ASSERT_EQUAL(response->status->logins, 0);
    client_close(&client);
    fixture_end();
}

UNIT_SUITE("keystore_logins", UNIT_CASE(a_clients_login_counts_until_it_logs_out),
           UNIT_CASE(each_connection_counts_and_one_logout_is_for_all),
           UNIT_CASE(other_users_and_void_logins_do_not_count),
           UNIT_CASE(a_client_is_not_told_who_is_logged_in));
