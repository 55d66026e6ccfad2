/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's client over calls that a table in this test answers: its logins above all. */
#include "kms/hsm_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "kms/config.h"
#include "kms/hsm_client_internal.h"
#include "kms/kms.h"
#include "rpc/client_clock.h"
#include "tests/unit/unit.h"

/* ---- the HSM: one user, whose tickets are the number of the login */

static struct {
    pthread_mutex_t lock;
    char password[64];
    uint64_t good_from; /* tickets from this number on are good */
    uint64_t logins, refused, calls;
    uint64_t sequence, last_sequence;
    uint64_t last_view;
    enum rc login_rc; /* instead of looking at the password */
    enum rc call_rc;
    bool has_other_body;
    bool is_random_free; /* random bytes are for every holder of a certificate */
} hsm = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct rpc_client {
    int unused;
};
static struct rpc_client rpc;
static struct client_config config;

enum rc client_config_load(const char *path, struct client_config **out)
{
    if (strcmp(path, "absent") == 0)
        return RC_CONFIG;
    *out = &config;
    return RC_OK;
}

void client_config_free(struct client_config *unused)
{
    (void)unused;
}

enum rc rpc_client_new(const struct client_config *unused, const char *client_name,
                       const uint8_t application[16], struct rpc_client **out)
{
    (void)unused;
    (void)client_name;
    (void)application;
    *out = &rpc;
    return RC_OK;
}

void rpc_client_free(struct rpc_client *client)
{
    (void)client;
}

uint64_t rpc_sequence(struct rpc_client *client)
{
    (void)client;
    (void)pthread_mutex_lock(&hsm.lock);
    uint64_t next = ++hsm.sequence;
    (void)pthread_mutex_unlock(&hsm.lock);
    return next;
}

void rpc_client_seen(const struct rpc_client *client, struct rpc_seen *out)
{
    (void)client;
    *out = (struct rpc_seen){.index = 1, .cluster = {9}};
}

void rpc_reply_clear(struct rpc_client *client, struct rpc_reply *reply)
{
    (void)client;
    if (reply->msg != NULL)
        qhsm__response__free_unpacked(reply->msg, NULL);
    *reply = (struct rpc_reply){.msg = NULL};
}

static bool is_password(const ProtobufCBinaryData *given)
{
    return bytes_equal(bytes_of(given->data, given->len), bytes_of_str(hsm.password));
}

static uint64_t ticket_of(const Qhsm__Request *request)
{
    uint64_t ticket = 0;
    (void)bytes_copy_exact(bytes_of(request->ticket.data, request->ticket.len), &ticket,
                           sizeof ticket);
    return ticket;
}

static enum rc answer_login(const Qhsm__Request *request, Qhsm__Response *response,
                            Qhsm__KeystoreConnectReply *body)
{
    static uint64_t ticket;
    if (hsm.login_rc != RC_OK || !is_password(&request->keystore_connect->password)) {
        hsm.refused++;
        return hsm.login_rc != RC_OK ? hsm.login_rc : RC_PIN_INCORRECT;
    }
    ticket = ++hsm.logins;
    body->ticket.data = (uint8_t *)&ticket;
    body->ticket.len = sizeof ticket;
    response->body_case = QHSM__RESPONSE__BODY_KEYSTORE_CONNECT;
    response->keystore_connect = body;
    return RC_OK;
}

static enum rc answer_rotate(const Qhsm__Request *request)
{
    if (!is_password(&request->keystore_rotate->password))
        return RC_PIN_INCORRECT;
    (void)snprintf(hsm.password, sizeof hsm.password, "%.*s",
                   (int)request->keystore_rotate->new_password.len,
                   (const char *)request->keystore_rotate->new_password.data);
    hsm.good_from = hsm.logins + 1;
    return RC_OK;
}

static enum rc answer_data(const Qhsm__Request *request, Qhsm__Response *response,
                           Qhsm__DataReply *body, uint8_t *data)
{
    hsm.calls++;
    hsm.last_sequence = request->sequence;
    hsm.last_view = request->view;
    bool is_free = hsm.is_random_free && request->body_case == QHSM__REQUEST__BODY_KEYSTORE_RANDOM;
    if ((ticket_of(request) < hsm.good_from && !is_free) || request->ticket.len == 0)
        return request->ticket.len == 0 ? RC_NOT_LOGGED_IN : RC_TICKET_VOID;
    if (hsm.call_rc != RC_OK)
        return hsm.call_rc;
    body->data.data = data;
    body->data.len = request->body_case == QHSM__REQUEST__BODY_KEYSTORE_RANDOM
                         ? request->keystore_random->len
                         : 4;
    response->data = body;
    response->body_case =
        hsm.has_other_body ? QHSM__RESPONSE__BODY__NOT_SET : QHSM__RESPONSE__BODY_DATA;
    return RC_OK;
}

static enum rc answer(const Qhsm__Request *request, struct rpc_reply *out)
{
    static uint8_t data[64] = {1, 2, 3, 4};
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    Qhsm__KeystoreConnectReply login = QHSM__KEYSTORE_CONNECT_REPLY__INIT;
    Qhsm__DataReply body = QHSM__DATA_REPLY__INIT;
    enum rc rc = RC_OK;
    if (request->body_case == QHSM__REQUEST__BODY_KEYSTORE_CONNECT)
        rc = answer_login(request, &response, &login);
    else if (request->body_case == QHSM__REQUEST__BODY_KEYSTORE_ROTATE)
        rc = answer_rotate(request);
    else
        rc = answer_data(request, &response, &body, data);
    response.rc = rc;
    size_t len = qhsm__response__get_packed_size(&response);
    uint8_t *packed = calloc(len + 1, 1);
    (void)qhsm__response__pack(&response, packed);
    *out = (struct rpc_reply){.msg = qhsm__response__unpack(NULL, len, packed)};
    free(packed);
    return rc;
}

enum rc rpc_call(struct rpc_client *client, Qhsm__Request *request, enum rpc_repeat repeat,
                 struct rpc_reply *out)
{
    (void)client;
    (void)repeat;
    (void)pthread_mutex_lock(&hsm.lock);
    enum rc rc = answer(request, out);
    (void)pthread_mutex_unlock(&hsm.lock);
    return rc;
}

/* ---- the client */

static struct hsm_client *client;

static enum rc connect_as(const char *text)
{
    AUTO_SECRET password = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&password, bytes_of_str(text)));
    return hsm_client_connect(client, &password);
}

static void begin(void)
{
    const struct hsm_client_config settings = {.conf = "conf", .token = "kms", .user = "kmsuser"};
    (void)snprintf(hsm.password, sizeof hsm.password, "right");
    hsm.good_from = 1;
    hsm.logins = hsm.refused = hsm.calls = 0;
    hsm.login_rc = hsm.call_rc = RC_OK;
    hsm.has_other_body = hsm.is_random_free = false;
    UNIT_OK(hsm_client_new(&settings, &client));
}

static void begin_connected(void)
{
    begin();
    UNIT_OK(connect_as("right"));
}

static void end(void)
{
    hsm_client_free(client);
    client = NULL;
}

static void void_tickets(void)
{
    (void)pthread_mutex_lock(&hsm.lock);
    hsm.good_from = hsm.logins + 1;
    (void)pthread_mutex_unlock(&hsm.lock);
}

static enum rc call(void)
{
    AUTO_SECRET random = SECRET_INIT;
    return hsm_random(client, 0, 16, &random);
}

/* ---- cases */

static void missing_configuration_is_told(void)
{
    const struct hsm_client_config settings = {.conf = "absent", .token = "kms", .user = "u"};
    struct hsm_client *none = NULL;
    UNIT_RC(hsm_client_new(&settings, &none), RC_CONFIG);
}

static void nothing_is_asked_before_the_login(void)
{
    begin();
    UNIT_RC(call(), RC_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(hsm.calls, 0);
    UNIT_OK(connect_as("right"));
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.logins, 1);
    end();
}

static void wrong_password_is_told_and_not_kept(void)
{
    begin();
    UNIT_RC(connect_as("wrong"), RC_PIN_INCORRECT);
    UNIT_RC(call(), RC_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(hsm.refused, 1);
    end();
}

static void void_ticket_is_replaced_without_a_word(void)
{
    begin_connected();
    void_tickets();
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.logins, 2);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.logins, 2);
    end();
}

static void password_that_was_changed_elsewhere_is_tried_once(void)
{
    begin_connected();
    (void)snprintf(hsm.password, sizeof hsm.password, "changed");
    void_tickets();
    for (unsigned i = 0; i < 10; i++)
        UNIT_RC(call(), RC_PIN_INCORRECT);
    CU_ASSERT_EQUAL(hsm.refused, 1);
    UNIT_OK(connect_as("changed"));
    UNIT_OK(call());
    end();
}

static void write_password(const char *path, const char *password)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fprintf(file, "%s\n", password);
    (void)fclose(file);
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
}

static void reloading_reads_a_password_that_was_changed_elsewhere(void)
{
    char path[] = "/tmp/qhsm-password-XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    (void)close(fd);
    begin_connected();
    struct kms kms = {.hsm = client};
    struct kms_config settings = {.hsm_password_file = path, .log_level = LOG_LEVEL_WARN};
    hsm.is_random_free = true;
    (void)snprintf(hsm.password, sizeof hsm.password, "changed");
    void_tickets();
    write_password(path, "changed");
    UNIT_OK(kms_reload(&kms, &settings));
    CU_ASSERT_EQUAL(hsm.refused, 1);
    hsm.is_random_free = false;
    UNIT_OK(call());
    write_password(path, "not looked at");
    UNIT_OK(kms_reload(&kms, &settings));
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.refused, 1);
    (void)unlink(path);
    end();
}

static void change_whose_answer_met_a_lost_login_has_an_unknown_outcome(void)
{
    begin_connected();
    (void)snprintf(hsm.password, sizeof hsm.password, "changed");
    void_tickets();
    UNIT_RC(hsm_delete(client, 5), RC_OUTCOME_UNKNOWN);
    UNIT_RC(call(), RC_PIN_INCORRECT);
    hsm_client_disconnect(client);
    UNIT_RC(hsm_delete(client, 5), RC_NOT_LOGGED_IN); /* which was never sent */
    end();
}

static void trouble_of_a_login_passes_but_is_not_asked_for_in_a_hurry(void)
{
    const struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000L};
    begin_connected();
    hsm.login_rc = RC_UNAVAILABLE;
    void_tickets();
    instant start = clock_now();
    for (unsigned i = 0; i < 10; i++)
        UNIT_RC(call(), RC_UNAVAILABLE);
    instant took = clock_now() - start;
    CU_ASSERT(hsm.refused >= 1);
    CU_ASSERT((instant)hsm.refused <= 1 + took / (1000 * CLOCK_MS_NS)); /* one a second */
    hsm.login_rc = RC_OK;
    (void)nanosleep(&pause, NULL);
    UNIT_OK(call());
    end();
}

static void after_disconnecting_nothing_is_asked(void)
{
    begin_connected();
    hsm_client_disconnect(client);
    uint64_t calls = hsm.calls;
    UNIT_RC(call(), RC_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(hsm.calls, calls);
    end();
}

static void rotation_needs_a_connection_and_leaves_it(void)
{
    begin();
    AUTO_SECRET fresh = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&fresh, bytes_of_str("noted down")));
    UNIT_RC(hsm_client_rotate_to(client, &fresh), RC_NOT_LOGGED_IN);
    UNIT_OK(connect_as("right"));
    UNIT_OK(hsm_client_rotate_to(client, &fresh));
    CU_ASSERT_STRING_EQUAL(hsm.password, "noted down");
    UNIT_OK(call());
    void_tickets();
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.refused, 0);
    end();
}

static void changes_have_numbers_and_uses_have_views(void)
{
    begin_connected();
    UNIT_OK(hsm_delete(client, 5));
    CU_ASSERT(hsm.last_sequence != 0);
    AUTO_BUF out = BUF_INIT;
    const struct hsm_sign in = {.view = 77, .key = 5, .algorithm = KEYSTORE_ECDSA_SHA256};
    UNIT_OK(hsm_sign(client, &in, &out));
    CU_ASSERT_EQUAL(hsm.last_sequence, 0);
    CU_ASSERT_EQUAL(hsm.last_view, 77);
    CU_ASSERT_EQUAL(out.len, 4);
    end();
}

static void refusals_come_through_and_odd_answers_are_refused(void)
{
    begin_connected();
    hsm.call_rc = RC_VIEW_OLD;
    UNIT_RC(call(), RC_VIEW_OLD);
    hsm.call_rc = RC_OK;
    hsm.has_other_body = true;
    UNIT_RC(call(), RC_PROTOCOL);
    end();
}

#define THREADS 16

static void *call_often(void *context)
{
    atomic_int *wrong = context;
    for (unsigned i = 0; i < 200; i++)
        if (call() != RC_OK)
            (void)atomic_fetch_add(wrong, 1);
    return NULL;
}

static void one_thread_logs_in_and_the_others_wait(void)
{
    pthread_t threads[THREADS];
    atomic_int wrong = 0;
    begin_connected();
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_create(&threads[i], NULL, call_often, &wrong);
    for (unsigned i = 0; i < 3; i++) {
        const struct timespec pause = {.tv_nsec = 1000000L};
        (void)nanosleep(&pause, NULL);
        void_tickets();
    }
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT(hsm.logins <= 4);
    CU_ASSERT_EQUAL(hsm.refused, 0);
    CU_ASSERT_EQUAL(wrong, 0);
    end();
}

UNIT_SUITE("kms/hsm_client", UNIT_CASE(missing_configuration_is_told),
           UNIT_CASE(nothing_is_asked_before_the_login),
           UNIT_CASE(wrong_password_is_told_and_not_kept),
           UNIT_CASE(void_ticket_is_replaced_without_a_word),
           UNIT_CASE(password_that_was_changed_elsewhere_is_tried_once),
           UNIT_CASE(reloading_reads_a_password_that_was_changed_elsewhere),
           UNIT_CASE(change_whose_answer_met_a_lost_login_has_an_unknown_outcome),
           UNIT_CASE(trouble_of_a_login_passes_but_is_not_asked_for_in_a_hurry),
           UNIT_CASE(after_disconnecting_nothing_is_asked),
           UNIT_CASE(rotation_needs_a_connection_and_leaves_it),
           UNIT_CASE(changes_have_numbers_and_uses_have_views),
           UNIT_CASE(refusals_come_through_and_odd_answers_are_refused),
           UNIT_CASE(one_thread_logs_in_and_the_others_wait));
