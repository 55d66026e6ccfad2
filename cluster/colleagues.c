/* SPDX-License-Identifier: Apache-2.0 */
/* Links to the other HSMs: a client for each node and kind of patience, made when first needed. */
#include "cluster/colleagues.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "cluster/chaos.h"
#include "cluster/keyfile.h"
#include "cluster/roll.h"
#include "cluster/service.h"

#define CONNECT_MS      500UL
#define CONNECTIONS_MAX 8UL
#define PERMILLE        1000U

/* A call takes the least that is enough: the patience is the client's, not the call's. */
static const unsigned patiences_ms[] = {250, 500, 1000, 2000, 3000, 5000, 10000, 30000, 120000};
#define PATIENCE_COUNT (sizeof patiences_ms / sizeof patiences_ms[0])

struct link {
    struct link *next;
    uint64_t id;
    unsigned patience_ms;
    char number[24]; /* of config.peer */
    char endpoint[CLUSTER_ADDRESS_MAX + 8];
    char *items[1]; /* of config.endpoints: the same */
    struct client_config config;
    struct rpc_client *client;
    unsigned users;  /* calls and replies */
    bool is_retired; /* freed by the last user */
};

struct held_reply {
    struct link *link;
    struct rpc_reply reply;
};

struct colleagues {
    struct service *service;
    pthread_mutex_t lock;
    uint8_t application[16];
    struct link *links;
    struct buf ca, cert;
    struct secret key;
};

/* ---- links; the lock is held */

static void link_free(struct link *link)
{
    rpc_client_free(link->client);
    buf_clear(&link->config.ca_pem);
    buf_clear(&link->config.cert_pem);
    secret_clear(&link->config.key_pem);
    free(link);
}

static enum rc link_fill(struct colleagues *colleagues, struct link *link)
{
    struct client_config *config = &link->config;
    link->items[0] = link->endpoint;
    config->endpoints.items = link->items;
    config->endpoints.count = 1;
    config->connect_timeout_ms = link->patience_ms < CONNECT_MS ? link->patience_ms : CONNECT_MS;
    config->call_timeout_ms = link->patience_ms;
    config->pool_max = CONNECTIONS_MAX;
    config->is_hasty = true; /* another one may lead by then */
    config->peer = link->number;
    config->ca_pem = config->cert_pem = (struct buf)BUF_INIT;
    config->key_pem = (struct secret)SECRET_INIT;
    TRY(buf_append(&config->ca_pem, buf_bytes(&colleagues->ca)));
    TRY(buf_append(&config->cert_pem, buf_bytes(&colleagues->cert)));
    TRY(secret_from_bytes(&config->key_pem, secret_expose(&colleagues->key)));
    return rpc_client_new(config, "qhsmd " QHSM_VERSION, colleagues->application, &link->client);
}

static enum rc link_new(struct colleagues *colleagues, uint64_t id, unsigned patience_ms,
                        const char *endpoint, struct link **out)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return RC_NO_MEMORY;
    link->id = id;
    link->patience_ms = patience_ms;
    (void)snprintf(link->number, sizeof link->number, "%" PRIu64, id);
    (void)snprintf(link->endpoint, sizeof link->endpoint, "%s", endpoint);
    enum rc rc = link_fill(colleagues, link);
    if (rc != RC_OK) {
        link_free(link);
        return rc;
    }
    link->next = colleagues->links;
    colleagues->links = link;
    *out = link;
    return RC_OK;
}

/* Of node `id`, or of all for 0; `but` is what a link may be to stay. */
static void retire(struct colleagues *colleagues, uint64_t id, const char *but)
{
    struct link **at = &colleagues->links;
    while (*at != NULL) {
        struct link *link = *at;
        bool stays =
            (id != 0 && link->id != id) || (but != NULL && strcmp(link->endpoint, but) == 0);
        if (stays) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        link->is_retired = true;
        if (link->users == 0)
            link_free(link);
    }
}

static unsigned patience_for(unsigned timeout_ms)
{
    for (size_t i = 0; i < PATIENCE_COUNT; i++)
        if (timeout_ms <= patiences_ms[i])
            return patiences_ms[i];
    return patiences_ms[PATIENCE_COUNT - 1];
}

static enum rc link_take(struct colleagues *colleagues, uint64_t id, unsigned patience_ms,
                         const char *endpoint, struct link **out)
{
    retire(colleagues, id, endpoint);
    struct link *link = colleagues->links;
    while (link != NULL && (link->id != id || link->patience_ms != patience_ms))
        link = link->next;
    if (link == NULL)
        TRY(link_new(colleagues, id, patience_ms, endpoint, &link));
    link->users++;
    *out = link;
    return RC_OK;
}

static void link_give(struct colleagues *colleagues, struct link *link)
{
    (void)pthread_mutex_lock(&colleagues->lock);
    bool is_last = --link->users == 0 && link->is_retired;
    (void)pthread_mutex_unlock(&colleagues->lock);
    if (is_last)
        link_free(link);
}

/* ---- emulated trouble */

static void sleep_ms(unsigned ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (ms > 0)
        (void)nanosleep(&time, NULL);
}

static enum rc suffer(const struct peer_trouble *trouble, uint64_t id)
{
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice)
        return rc_fail(RC_RANDOM, "getrandom failed");
    sleep_ms(trouble->delay_ms);
    if (trouble->cut_out)
        return rc_fail(RC_UNAVAILABLE, "emulated: the link to HSM %" PRIu64 " is cut", id);
    if (dice % PERMILLE < trouble->drop_permille)
        return rc_fail(RC_UNAVAILABLE, "emulated: a request to HSM %" PRIu64 " is lost", id);
    return RC_OK;
}

/* ---- calls */

/* The client's words for what became of the request. */
static enum rc outcome_of(enum rc rc, const struct rpc_reply *reply)
{
    char detail[200];
    if (rc == RC_OK || reply->msg != NULL)
        return rc;
    bool is_broken = rc == RC_OPERATION_LOST || rc == RC_DEADLINE || rc == RC_PROTOCOL;
    (void)snprintf(detail, sizeof detail, "%s", rc_detail());
    return rc_fail(is_broken ? RC_OUTCOME_UNKNOWN : RC_UNAVAILABLE, "%s", detail);
}

static enum rc call_link(struct link *link, const struct peer_trouble *trouble,
                         Qhsm__Request *request, struct rpc_reply *out)
{
    enum rc rc = outcome_of(rpc_call(link->client, request, RPC_REPEAT_NEVER, out), out);
    if (!trouble->cut_in || rc == RC_UNAVAILABLE)
        return rc;
    rpc_reply_clear(link->client, out);
    return rc_fail(RC_OUTCOME_UNKNOWN, "emulated: the answer of HSM %" PRIu64 " is cut off",
                   link->id);
}

static enum rc find(const struct colleagues *colleagues, uint64_t id, char *out, size_t len)
{
    struct roll_node node;
    TRY(roll_node(colleagues->service->hsm->state, id, &node));
    (void)snprintf(out, len, "tcp:%s", node.endpoint);
    return RC_OK;
}

static enum rc open_link(struct colleagues *colleagues, uint64_t id, unsigned timeout_ms,
                         struct link **out)
{
    char endpoint[CLUSTER_ADDRESS_MAX + 8];
    TRY(find(colleagues, id, endpoint, sizeof endpoint));
    (void)pthread_mutex_lock(&colleagues->lock);
    enum rc rc = link_take(colleagues, id, patience_for(timeout_ms), endpoint, out);
    (void)pthread_mutex_unlock(&colleagues->lock);
    return rc;
}

enum rc colleagues_call(struct colleagues *colleagues, uint64_t id, Qhsm__Request *request,
                        unsigned timeout_ms, struct colleague_reply *out)
{
    const struct chaos *chaos = colleagues->service->chaos;
    struct peer_trouble trouble = {.cut_in = false};
    *out = (struct colleague_reply){.msg = NULL};
    if (chaos != NULL) {
        trouble = chaos_link(chaos, id);
        TRY(suffer(&trouble, id));
    }
    struct link *link = NULL;
    TRY(open_link(colleagues, id, timeout_ms, &link));
    struct held_reply *held = calloc(1, sizeof *held);
    enum rc rc = held == NULL ? RC_NO_MEMORY : call_link(link, &trouble, request, &held->reply);
    if (held != NULL && held->reply.msg != NULL) {
        held->link = link;
        out->msg = held->reply.msg;
        out->memory = held;
        return rc;
    }
    free(held);
    link_give(colleagues, link);
    return rc;
}

void colleague_reply_clear(struct colleagues *colleagues, struct colleague_reply *reply)
{
    struct held_reply *held = reply->memory;
    if (held == NULL)
        return;
    rpc_reply_clear(held->link->client, &held->reply);
    link_give(colleagues, held->link);
    free(held);
    *reply = (struct colleague_reply){.msg = NULL};
}

/* ---- life */

void colleagues_forget(struct colleagues *colleagues, uint64_t id)
{
    (void)pthread_mutex_lock(&colleagues->lock);
    retire(colleagues, id, NULL);
    (void)pthread_mutex_unlock(&colleagues->lock);
}

enum rc colleagues_reload(struct colleagues *colleagues, const struct server_config *config)
{
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    TRY(keyfile_read(config->ca, &ca));
    TRY(keyfile_read(config->cert, &cert));
    TRY(keyfile_read_secret(config->key, &key));
    (void)pthread_mutex_lock(&colleagues->lock);
    buf_clear(&colleagues->ca);
    buf_clear(&colleagues->cert);
    secret_clear(&colleagues->key);
    colleagues->ca = buf_take(&ca);
    colleagues->cert = buf_take(&cert);
    enum rc rc = secret_from_bytes(&colleagues->key, secret_expose(&key));
    retire(colleagues, 0, NULL);
    (void)pthread_mutex_unlock(&colleagues->lock);
    return rc;
}

enum rc colleagues_new(struct service *service, struct colleagues **out)
{
    struct colleagues *colleagues = calloc(1, sizeof *colleagues);
    if (colleagues == NULL)
        return RC_NO_MEMORY;
    colleagues->service = service;
    colleagues->ca = colleagues->cert = (struct buf)BUF_INIT;
    colleagues->key = (struct secret)SECRET_INIT;
    (void)pthread_mutex_init(&colleagues->lock, NULL);
    enum rc rc = colleagues_reload(colleagues, service->config);
    if (rc == RC_OK && getrandom(colleagues->application, sizeof colleagues->application, 0) < 0)
        rc = rc_fail(RC_RANDOM, "application id");
    if (rc != RC_OK) {
        colleagues_free(colleagues);
        return rc;
    }
    *out = colleagues;
    return RC_OK;
}

void colleagues_free(struct colleagues *colleagues)
{
    if (colleagues == NULL)
        return;
    retire(colleagues, 0, NULL);
    buf_clear(&colleagues->ca);
    buf_clear(&colleagues->cert);
    secret_clear(&colleagues->key);
    (void)pthread_mutex_destroy(&colleagues->lock);
    free(colleagues);
}
