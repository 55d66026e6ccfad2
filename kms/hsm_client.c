/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's client: its login, kept alive, and how a request is sent. */
#include "kms/hsm_client.h"

#include <stdlib.h>
#include <sys/random.h>

#include "common/log.h"
#include "kms/hsm_client_internal.h"

#define LOGIN_PAUSE_MS 1000UL /* after a login that failed, before the next by itself */
#define TICKETS_MAX    4U     /* that become void one after the other under one call */

static const char client_name[] = "qhsm-kms " QHSM_VERSION;

/* ---- making and ending */

static enum rc fill_random(void *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len)
        return rc_fail(RC_RANDOM, "the kernel gave no random bytes");
    return RC_OK;
}

static enum rc start(struct hsm_client *client, const struct hsm_client_config *config)
{
    uint8_t application[16];
    client->token = strdup(config->token);
    client->user = strdup(config->user);
    if (client->token == NULL || client->user == NULL)
        return RC_NO_MEMORY;
    TRY(client_config_load(config->conf, &client->config));
    TRY(fill_random(application, sizeof application));
    return rpc_client_new(client->config, client_name, application, &client->rpc);
}

enum rc hsm_client_new(const struct hsm_client_config *config, struct hsm_client **out)
{
    struct hsm_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_init(&client->login, NULL);
    (void)pthread_rwlock_init(&client->lock, NULL);
    enum rc rc = start(client, config);
    if (rc != RC_OK) {
        hsm_client_free(client);
        return rc;
    }
    *out = client;
    return RC_OK;
}

void hsm_client_free(struct hsm_client *client)
{
    if (client == NULL)
        return;
    rpc_client_free(client->rpc);
    client_config_free(client->config);
    secret_clear(&client->password);
    secret_wipe(client->ticket, sizeof client->ticket);
    (void)pthread_rwlock_destroy(&client->lock);
    (void)pthread_mutex_destroy(&client->login);
    free(client->token);
    free(client->user);
    free(client);
}

/* ---- what messages are made of */

ProtobufCBinaryData hsm_client_binary(struct bytes data)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } ptr = {.in = data.ptr};
    return (ProtobufCBinaryData){.len = data.len, .data = ptr.out};
}

char *hsm_client_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } ptr = {.in = text == NULL ? "" : text};
    return ptr.out;
}

void hsm_answer_clear(struct hsm_answer *answer)
{
    if (answer->client != NULL)
        rpc_reply_clear(answer->client->rpc, &answer->reply);
    *answer = (struct hsm_answer)HSM_ANSWER_INIT;
}

static enum rc send(struct hsm_client *client, Qhsm__Request *request,
                    Qhsm__Response__BodyCase body, struct hsm_answer *out)
{
    hsm_answer_clear(out);
    out->client = client;
    TRY(rpc_call(client->rpc, request, RPC_REPEAT_SAFE, &out->reply));
    if (out->reply.msg->body_case != body && body != QHSM__RESPONSE__BODY__NOT_SET)
        return rc_fail(RC_PROTOCOL, "the HSM answered request %d with body %d instead of %d",
                       (int)request->body_case, (int)out->reply.msg->body_case, (int)body);
    return RC_OK;
}

enum rc hsm_client_ask(struct hsm_client *client, Qhsm__Request *request,
                       Qhsm__Response__BodyCase body, struct hsm_answer *out)
{
    return send(client, request, body, out);
}

/* ---- the login. The mutex `login` is held for all of these. */

static void set_ticket(struct hsm_client *client, struct bytes ticket)
{
    (void)pthread_rwlock_wrlock(&client->lock);
    secret_wipe(client->ticket, sizeof client->ticket);
    if (ticket.len > 0)
        memcpy(client->ticket, ticket.ptr, ticket.len);
    client->ticket_len = ticket.len;
    client->generation++;
    (void)pthread_rwlock_unlock(&client->lock);
}

static enum rc ask_login(struct hsm_client *client)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreConnectRequest body = QHSM__KEYSTORE_CONNECT_REQUEST__INIT;
    body.token = client->token;
    body.user = client->user;
    body.password = hsm_client_binary(secret_expose(&client->password));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CONNECT;
    request.keystore_connect = &body;
    request.sequence = rpc_sequence(client->rpc);
    TRY(send(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_CONNECT, &answer));
    struct bytes ticket = hsm_client_bytes(&answer.reply.msg->keystore_connect->ticket);
    if (ticket.len == 0 || ticket.len > sizeof client->ticket)
        return rc_fail(RC_PROTOCOL, "the HSM's ticket has %zu bytes", ticket.len);
    set_ticket(client, ticket);
    return RC_OK;
}

static enum rc login(struct hsm_client *client)
{
    enum rc rc = ask_login(client);
    client->refused = rc;
    client->refused_at = clock_now();
    if (rc != RC_OK)
        log_warn("hsm_login_failed", "token=%s user=%s error=%s detail=\"%s\"", client->token,
                 client->user, rc_info(rc)->name, rc_detail());
    return rc;
}

static void forget_password(struct hsm_client *client)
{
    secret_clear(&client->password);
    client->has_password = false;
}

/* A wrong password is not tried again: each try counts, and at last the user is locked. Anything
 * else may pass, but not in a hurry. */
static bool may_login(const struct hsm_client *client)
{
    if (client->refused == RC_OK)
        return true;
    return client->refused != RC_PIN_INCORRECT &&
           clock_now() >= clock_after_ms(client->refused_at, LOGIN_PAUSE_MS);
}

/* With the ticket of that generation void. */
static enum rc login_anew(struct hsm_client *client, uint64_t generation)
{
    if (client->generation != generation)
        return RC_OK; /* another thread has done it meanwhile */
    if (!client->has_password)
        return rc_fail(RC_NOT_LOGGED_IN, "not connected to token %s", client->token);
    if (!may_login(client))
        return rc_fail(client->refused, "the last login as %s failed: %s", client->user,
                       rc_info(client->refused)->text);
    return login(client);
}

static enum rc connect_with(struct hsm_client *client, const struct secret *password)
{
    forget_password(client);
    TRY(secret_from_bytes(&client->password, secret_expose(password)));
    client->has_password = true;
    set_ticket(client, BYTES_NONE);
    enum rc rc = login(client);
    if (rc != RC_OK)
        forget_password(client);
    return rc;
}

enum rc hsm_client_connect(struct hsm_client *client, const struct secret *password)
{
    (void)pthread_mutex_lock(&client->login);
    enum rc rc = connect_with(client, password);
    (void)pthread_mutex_unlock(&client->login);
    return rc;
}

void hsm_client_disconnect(struct hsm_client *client)
{
    (void)pthread_mutex_lock(&client->login);
    forget_password(client);
    client->refused = RC_OK;
    set_ticket(client, BYTES_NONE);
    (void)pthread_mutex_unlock(&client->login);
}

static enum rc ask_rotate(struct hsm_client *client, const struct secret *fresh)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreRotateRequest body = QHSM__KEYSTORE_ROTATE_REQUEST__INIT;
    if (!client->has_password)
        return rc_fail(RC_NOT_LOGGED_IN, "not connected to token %s", client->token);
    body.token = client->token;
    body.user = client->user;
    body.password = hsm_client_binary(secret_expose(&client->password));
    body.new_password = hsm_client_binary(secret_expose(fresh));
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ROTATE;
    request.keystore_rotate = &body;
    request.ticket = hsm_client_binary(bytes_of(client->ticket, client->ticket_len));
    request.sequence = rpc_sequence(client->rpc);
    return send(client, &request, QHSM__RESPONSE__BODY__NOT_SET, &answer);
}

enum rc hsm_client_rotate_to(struct hsm_client *client, const struct secret *fresh)
{
    (void)pthread_mutex_lock(&client->login);
    enum rc rc = ask_rotate(client, fresh);
    if (rc == RC_OK)
        rc = connect_with(client, fresh);
    (void)pthread_mutex_unlock(&client->login);
    return rc;
}

/* ---- requests */

struct ticket_copy {
    uint64_t generation;
    size_t len;
    uint8_t ticket[WIRE_TICKET_MAX];
};

static void copy_ticket(struct hsm_client *client, struct ticket_copy *out)
{
    (void)pthread_rwlock_rdlock(&client->lock);
    out->generation = client->generation;
    out->len = client->ticket_len;
    if (out->len > 0)
        memcpy(out->ticket, client->ticket, out->len);
    (void)pthread_rwlock_unlock(&client->lock);
}

static enum rc renew(struct hsm_client *client, uint64_t generation)
{
    (void)pthread_mutex_lock(&client->login);
    enum rc rc = login_anew(client, generation);
    (void)pthread_mutex_unlock(&client->login);
    return rc;
}

static bool is_void(enum rc rc)
{
    return rc == RC_TICKET_VOID || rc == RC_NOT_LOGGED_IN;
}

/* A void ticket may be the answer to the repetition of a change that was done the first time. */
static enum rc renewed(struct hsm_client *client, const Qhsm__Request *request, uint64_t generation,
                       bool is_first)
{
    enum rc rc = renew(client, generation);
    if (rc == RC_OK || is_first || request->sequence == 0)
        return rc;
    return rc_fail(RC_OUTCOME_UNKNOWN, "the login as %s was lost meanwhile: %s", client->user,
                   rc_info(rc)->text);
}

enum rc hsm_client_call(struct hsm_client *client, Qhsm__Request *request,
                        Qhsm__Response__BodyCase body, struct hsm_answer *out)
{
    struct ticket_copy copy;
    enum rc rc = RC_NOT_LOGGED_IN;
    copy_ticket(client, &copy);
    for (unsigned i = 0; i < TICKETS_MAX && is_void(rc); i++) {
        if (i > 0 || copy.len == 0) {
            rc = renewed(client, request, copy.generation, i == 0);
            if (rc != RC_OK)
                break;
            copy_ticket(client, &copy);
        }
        request->ticket = hsm_client_binary(bytes_of(copy.ticket, copy.len));
        rc = send(client, request, body, out);
    }
    secret_wipe(copy.ticket, copy.len);
    return rc;
}

enum rc hsm_client_change(struct hsm_client *client, Qhsm__Request *request,
                          Qhsm__Response__BodyCase body, struct hsm_answer *out)
{
    request->sequence = rpc_sequence(client->rpc);
    return hsm_client_call(client, request, body, out);
}
