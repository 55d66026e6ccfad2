/* SPDX-License-Identifier: Apache-2.0 */
/* Forming: the authority, join tokens, certificates. On the pool: each waits for its changes. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/commit.h"
#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/keyfile.h"
#include "cluster/members.h"
#include "common/log.h"
#include "token/crypto_lib.h"
#include "token/shamir.h"

#define COMMIT_MS          10000U
#define TOKEN_LIFE_S       600U
#define TOKEN_LIFE_MAX_S   86400U
#define TOKENS_MAX         64U
#define TOKEN_DAYS         1U
#define TOKEN_KEEP_MS      ((uint64_t)24 * 3600 * 1000)
#define TOKENS_DROPPED_MAX (DOCUMENT_CHANGES_MAX - 2)
#define DAYS_DEFAULT       365U
#define DAYS_MAX           3650U

uint64_t handlers_cluster_deadline(const struct call *call)
{
    uint64_t limit = clock_steady_ms() + COMMIT_MS;
    return call->expires_ms < limit ? call->expires_ms : limit;
}

enum rc handlers_cluster_enter(struct service *service)
{
    unsigned limit = (unsigned)service->config->pool_threads - 1;
    if (atomic_fetch_add(&service->waiting, 1) < limit)
        return RC_OK;
    handlers_cluster_leave(service);
    return rc_fail(RC_OVERLOADED, "%u requests wait for other HSMs already", limit);
}

void handlers_cluster_leave(struct service *service)
{
    (void)atomic_fetch_sub(&service->waiting, 1);
}

void handlers_cluster_done(struct call *call)
{
    call->applied_index = state_applied(call->service->hsm->state);
}

const char *handlers_cluster_hex(struct bytes data, char *out, size_t cap)
{
    out[0] = 0;
    for (size_t i = 0; i < data.len && 2 * i + 3 <= cap; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", data.ptr[i]);
    return out;
}

/* ---- cluster init */

struct forming {
    struct service *service;
    struct roll_authority authority;
    struct roll_node node;
};

/* The first member's row, from this daemon's own configuration and certificate. */
static enum rc put_self(struct service *service, struct roll_node *out)
{
    const struct server_config *config = service->config;
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF spki = BUF_INIT;
    *out = (struct roll_node){.id = config->node, .status = NODE_MEMBER, .wanted = NODE_AUTO};
    TRY(members_check_zone(config->zone));
    (void)snprintf(out->zone, sizeof out->zone, "%s", config->zone);
    if (config->listen_peer != NULL) {
        TRY(members_check_address("address", config->address));
        TRY(members_check_address("endpoint", config->endpoint));
        (void)snprintf(out->address, sizeof out->address, "%s", config->address);
    }
    if (config->endpoint != NULL)
        (void)snprintf(out->endpoint, sizeof out->endpoint, "%s", config->endpoint);
    if (config->cert == NULL)
        return RC_OK;
    TRY(keyfile_read(config->cert, &cert));
    TRY(pki_key_of_cert(crypto_lib(), buf_bytes(&cert), &spki));
    TRY(pki_key_point(crypto_lib(), buf_bytes(&spki), out->point));
    return pki_key_hash(crypto_lib(), buf_bytes(&spki), out->key_hash);
}

static enum rc form_once(void *context, struct roll_changes *changes)
{
    struct forming *forming = context;
    const struct hsm *hsm = forming->service->hsm;
    if (roll_is_formed(hsm->state))
        return rc_fail(RC_EXISTS, "the cluster was formed before: its shares are with those who "
                                  "were given them then");
    TRY(roll_changes_authority(changes, hsm->keys, &forming->authority));
    TRY(roll_changes_next_node(changes, forming->node.id + 1, 0));
    return roll_changes_node(changes, &forming->node);
}

/* The scalar is in the shares from here on, and nowhere else. */
static enum rc make_shares(struct roll_authority *authority, struct shamir_share *out)
{
    AUTO_SECRET scalar = SECRET_INIT;
    TRY(envelope_key_new(&scalar, authority->backup_point));
    return shamir_split(&scalar, authority->threshold, authority->shares, out);
}

static enum rc reply_shares(struct call *call, struct shamir_share *shares, size_t count)
{
    Qhsm__ClusterInitReply *reply = &call->body.cluster_init;
    qhsm__cluster_init_reply__init(reply);
    reply->shares = call_alloc(call, count, sizeof *reply->shares);
    if (reply->shares == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        reply->shares[i] = shares[i].text;
    reply->n_shares = count;
    call->response.body_case = QHSM__RESPONSE__BODY_CLUSTER_INIT;
    call->response.cluster_init = reply;
    return RC_OK;
}

static enum rc check_authority(const Qhsm__ClusterInitRequest *in, struct roll_authority *authority)
{
    if (in->threshold == 0 || in->threshold > in->shares || in->shares > SHAMIR_SHARES_MAX)
        return rc_fail(RC_BAD_ARGUMENT,
                       "%u of %u shares: 1 to %u shares, and no more needed than "
                       "there are",
                       in->threshold, in->shares, SHAMIR_SHARES_MAX);
    authority->threshold = in->threshold;
    authority->shares = in->shares;
    TRY(buf_append(&authority->ca_pem, handlers_bytes(in->ca_cert_pem)));
    TRY(secret_from_bytes(&authority->ca_key_pem, handlers_bytes(in->ca_key_pem)));
    return pki_ca_check(crypto_lib(), buf_bytes(&authority->ca_pem), &authority->ca_key_pem);
}

static enum rc form(struct call *call, struct forming *forming)
{
    struct shamir_share *shares = call_alloc(call, SHAMIR_SHARES_MAX, sizeof *shares);
    if (shares == NULL)
        return RC_NO_MEMORY;
    if (roll_is_formed(call->service->hsm->state)) /* before any work */
        return rc_fail(RC_EXISTS, "the cluster was formed before");
    TRY(check_authority(call->request->cluster_init, &forming->authority));
    TRY(put_self(call->service, &forming->node));
    TRY(make_shares(&forming->authority, shares));
    TRY(commit_retry(call->service, form_once, forming, handlers_cluster_deadline(call)));
    return reply_shares(call, shares, forming->authority.shares);
}

enum rc handlers_cluster_init(struct call *call)
{
    struct forming forming = {.service = call->service, .authority = ROLL_AUTHORITY_INIT};
    enum rc rc = form(call, &forming);
    unsigned threshold = forming.authority.threshold;
    unsigned count = forming.authority.shares;
    roll_authority_clear(&forming.authority);
    TRY(rc);
    log_info("cluster_formed", "node=%" PRIu64 " backup_shares=%u needed=%u by=%s/%s",
             forming.node.id, count, threshold, tls_role_name(call->peer->role), call->peer->name);
    handlers_cluster_done(call);
    return RC_OK;
}

/* ---- join tokens */

struct tokening {
    struct service *service;
    struct roll_token token;
    uint64_t now_ms;
};

/* Used up, or not used in time. */
static bool is_over(const struct state *state, const struct roll_token *token, uint64_t now_ms)
{
    struct roll_node node;
    if (token->node == 0)
        return now_ms >= token->expires_ms;
    return roll_node(state, token->node, &node) != RC_OK || node.status >= NODE_MEMBER;
}

/* One that is over is remembered for a while to say why it is refused, if there is room. */
static bool is_stale(const struct state *state, const struct roll_token *token, uint64_t now_ms,
                     bool has_room)
{
    bool is_fresh = now_ms < token->expires_ms + TOKEN_KEEP_MS;
    return is_over(state, token, now_ms) && !(is_fresh && has_room);
}

static enum rc check_key_is_free(const struct state *state, const struct roll_token *token)
{
    struct roll_node nodes[CLUSTER_NODES_MAX];
    size_t count = roll_nodes(state, nodes, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count; i++)
        if (nodes[i].status != NODE_REMOVED &&
            bytes_equal(bytes_of(nodes[i].key_hash, 32), bytes_of(token->key_hash, 32)))
            return rc_fail(RC_EXISTS, "that key is HSM %" PRIu64 "'s (%s)", nodes[i].id,
                           roll_status_name(nodes[i].status));
    return RC_OK;
}

static enum rc token_once(void *context, struct roll_changes *changes)
{
    struct tokening *tokening = context;
    const struct state *state = tokening->service->hsm->state;
    struct roll_token present[TOKENS_MAX];
    size_t count = roll_tokens(state, present, TOKENS_MAX);
    size_t stale = 0;
    TRY(check_key_is_free(state, &tokening->token));
    for (size_t i = 0; i < count && i < TOKENS_MAX && stale < TOKENS_DROPPED_MAX; i++) {
        if (!is_stale(state, &present[i], tokening->now_ms, count < TOKENS_MAX))
            continue;
        TRY(roll_changes_drop_token(changes, &present[i]));
        stale++;
    }
    if (count - stale >= TOKENS_MAX)
        return rc_fail(RC_LIMIT, "%zu join tokens can still be used: wait until one expires",
                       count - stale);
    return roll_changes_token(changes, &tokening->token);
}

static enum rc certify_joiner(struct call *call, const struct roll_token *token,
                              struct buf *out_cert, struct buf *out_ca)
{
    char name[ROLL_TOKEN_NAME_LEN + 1];
    roll_token_name(token->id, name);
    const struct pki_subject subject = {.role = TLS_ROLE_JOINER,
                                        .cluster = call->service->config->cluster,
                                        .name = name,
                                        .days = TOKEN_DAYS};
    return members_certify(call->service, &subject, handlers_bytes(call->request->join_token->key),
                           out_cert, out_ca);
}

/* Where a joiner may ask: every member that has a door for it, this one first. */
static enum rc list_endpoints(struct call *call, Qhsm__JoinTicket *ticket)
{
    struct roll_node *nodes = call_alloc(call, CLUSTER_NODES_MAX, sizeof *nodes);
    ticket->endpoints = call_alloc(call, CLUSTER_NODES_MAX, sizeof *ticket->endpoints);
    if (nodes == NULL || ticket->endpoints == NULL)
        return RC_NO_MEMORY;
    size_t count = roll_nodes(call->service->hsm->state, nodes, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].status != NODE_MEMBER || nodes[i].endpoint[0] == 0 || nodes[i].address[0] == 0)
            continue;
        size_t last = ticket->n_endpoints++;
        ticket->endpoints[last] = nodes[i].endpoint;
        if (nodes[i].id == call->service->config->node) {
            ticket->endpoints[last] = ticket->endpoints[0];
            ticket->endpoints[0] = nodes[i].endpoint;
        }
    }
    return ticket->n_endpoints > 0
               ? RC_OK
               : rc_fail(RC_CONFIG, "no member can be joined: set listen_peer and listen_tcp in "
                                    "qhsmd.conf before cluster init");
}

static enum rc reply_ticket(struct call *call, const struct roll_token *token, Qhsm__JoinTicket *in)
{
    Qhsm__JoinTokenReply *reply = &call->body.join_token;
    in->cluster = handlers_data(bytes_of(call->service->config->cluster_id, 16));
    in->id = handlers_data(bytes_of(token->id, sizeof token->id));
    size_t len = qhsm__join_ticket__get_packed_size(in);
    uint8_t *packed = call_alloc(call, len, 1);
    if (packed == NULL)
        return RC_NO_MEMORY;
    (void)qhsm__join_ticket__pack(in, packed);
    qhsm__join_token_reply__init(reply);
    reply->ticket = handlers_data(bytes_of(packed, len));
    reply->expires_ms = token->expires_ms;
    call->response.body_case = QHSM__RESPONSE__BODY_JOIN_TOKEN;
    call->response.join_token = reply;
    return RC_OK;
}

static enum rc fill_token(struct call *call, struct roll_token *token)
{
    const Qhsm__JoinTokenRequest *in = call->request->join_token;
    unsigned life_s = in->life_s == 0 ? TOKEN_LIFE_S : in->life_s;
    if (life_s > TOKEN_LIFE_MAX_S)
        return rc_fail(RC_BAD_ARGUMENT, "a join token lives at most a day");
    token->approved = in->approved;
    token->expires_ms = call->caller.now_ms + (uint64_t)life_s * 1000;
    TRY(random_bytes(token->id, sizeof token->id));
    TRY(pki_key_point(crypto_lib(), handlers_bytes(in->key), token->point));
    return pki_key_hash(crypto_lib(), handlers_bytes(in->key), token->key_hash);
}

enum rc handlers_cluster_join_token(struct call *call)
{
    struct tokening tokening = {.service = call->service, .now_ms = call->caller.now_ms};
    struct roll_token *token = &tokening.token;
    Qhsm__JoinTicket ticket = QHSM__JOIN_TICKET__INIT;
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    char hash[65];
    TRY(fill_token(call, token));
    TRY(certify_joiner(call, token, &cert, &ca));
    TRY(list_endpoints(call, &ticket));
    TRY(commit_retry(call->service, token_once, &tokening, handlers_cluster_deadline(call)));
    ticket.cert_pem = handlers_data(buf_bytes(&cert));
    ticket.ca_pem = handlers_data(buf_bytes(&ca));
    TRY(reply_ticket(call, token, &ticket));
    log_info("join_token_made", "key=%s approved=%s by=%s/%s",
             handlers_cluster_hex(bytes_of(token->key_hash, 32), hash, sizeof hash),
             token->approved ? "yes" : "no", tls_role_name(call->peer->role), call->peer->name);
    handlers_cluster_done(call);
    return RC_OK;
}

/* ---- certificates for clients and administrators */

static enum rc check_role(uint32_t role)
{
    if (role == TLS_ROLE_CLIENT || role == TLS_ROLE_ADMIN || role == TLS_ROLE_KEYSTORE)
        return RC_OK;
    return rc_fail(RC_BAD_ARGUMENT, "certificates are issued for client, admin and keystore; an "
                                    "HSM joins (qhsm cluster join)");
}

/* A copy that lives until the answer is packed. */
enum rc handlers_cluster_keep(struct call *call, struct bytes data, ProtobufCBinaryData *out)
{
    uint8_t *copy = call_alloc(call, data.len + 1, 1);
    if (copy == NULL)
        return RC_NO_MEMORY;
    if (data.len > 0)
        memcpy(copy, data.ptr, data.len);
    *out = (ProtobufCBinaryData){.data = copy, .len = data.len};
    return RC_OK;
}

enum rc handlers_cluster_certificate(struct call *call)
{
    const Qhsm__CertificateRequest *in = call->request->certificate;
    Qhsm__CertificateReply *reply = &call->body.certificate;
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    TRY(check_role(in->role));
    const struct pki_subject subject = {.role = (enum tls_role)in->role,
                                        .cluster = call->service->config->cluster,
                                        .name = in->name,
                                        .days = in->days == 0 ? DAYS_DEFAULT : in->days};
    if (subject.days > DAYS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%u days of validity, at most %u", in->days, DAYS_MAX);
    TRY(members_certify(call->service, &subject, handlers_bytes(in->key), &cert, &ca));
    qhsm__certificate_reply__init(reply);
    TRY(handlers_cluster_keep(call, buf_bytes(&cert), &reply->cert_pem));
    TRY(handlers_cluster_keep(call, buf_bytes(&ca), &reply->ca_pem));
    call->response.body_case = QHSM__RESPONSE__BODY_CERTIFICATE;
    call->response.certificate = reply;
    log_info("certificate_issued", "role=%s name=%s days=%u by=%s/%s", tls_role_name(subject.role),
             in->name, subject.days, tls_role_name(call->peer->role), call->peer->name);
    return RC_OK;
}
