/* SPDX-License-Identifier: Apache-2.0 */
/* Forming, joining and members by requests, on three daemons. All cases share one cluster; the last
 * one takes members away. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/join.h"
#include "common/cluster.h"
#include "tests/unit/cluster/trio.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"
#include "token/envelope.h"

#define STEP_US   10000U
#define SLOW_US   3000000U
#define TOKENS    64U                /* that are remembered */
#define QUESTIONS 40U                /* half a second each */
#define LOGIN_MS  (500U * QUESTIONS) /* after them all */

static struct trio trio;
static bool is_up;

static void begin(void)
{
    if (!is_up)
        trio_begin(&trio);
    is_up = true;
    (void)trio_leader(&trio);
}

static ProtobufCBinaryData data_of(const struct buf *buf)
{
    return (ProtobufCBinaryData){.data = buf->ptr, .len = buf->len};
}

/* ---- asking */

static const Qhsm__ClusterStatusReply *cluster_status(unsigned i)
{
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &empty;
    const Qhsm__Response *response = client_call(&trio.admin[i], &request);
    CU_ASSERT_EQUAL_FATAL(client_rc(response), RC_OK);
    return response->cluster_status;
}

static const Qhsm__NodeView *view_of(const Qhsm__ClusterStatusReply *status, uint64_t id)
{
    for (size_t i = 0; i < status->n_nodes; i++)
        if (status->nodes[i]->node->id == id)
            return status->nodes[i];
    return NULL;
}

static bool wait_role(unsigned asked, uint64_t id, const char *role)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (trio_now_ms() < end) {
        const Qhsm__NodeView *view = view_of(cluster_status(asked), id);
        if (view != NULL && strcmp(view->role, role) == 0)
            return true;
        (void)usleep(STEP_US);
    }
    return false;
}

static const Qhsm__Response *ask_token(unsigned i, const struct buf *spki, uint32_t life_s)
{
    Qhsm__JoinTokenRequest token = QHSM__JOIN_TOKEN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    token.key = data_of(spki);
    token.life_s = life_s;
    request.body_case = QHSM__REQUEST__BODY_JOIN_TOKEN;
    request.join_token = &token;
    request.sequence = 1;
    return client_call(&trio.admin[i], &request);
}

static const Qhsm__Response *ask_certificate(unsigned i, uint32_t role, const struct buf *spki)
{
    Qhsm__CertificateRequest certificate = QHSM__CERTIFICATE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    char name[] = "web";
    certificate.role = role;
    certificate.name = name;
    certificate.key = data_of(spki);
    request.body_case = QHSM__REQUEST__BODY_CERTIFICATE;
    request.certificate = &certificate;
    return client_call(&trio.admin[i], &request);
}

static void new_key(struct secret *out_key, struct buf *out_spki)
{
    *out_key = (struct secret)SECRET_INIT;
    *out_spki = (struct buf)BUF_INIT;
    UNIT_OK(pki_key_new(trio.lib, out_key));
    UNIT_OK(pki_key_public(trio.lib, out_key, out_spki));
}

/* ---- somebody with a ticket */

struct joiner {
    struct secret key;
    struct buf spki;
    struct client_config config;
    struct rpc_client *client;
    struct rpc_reply reply;
    char address[32];
};

/* The ticket is made by node i, which is asked alone. */
static void joiner_open(struct joiner *joiner, unsigned i)
{
    const uint8_t application[16] = {7};
    memset(joiner, 0, sizeof *joiner);
    new_key(&joiner->key, &joiner->spki);
    const Qhsm__Response *response = ask_token(i, &joiner->spki, 0);
    CU_ASSERT_EQUAL_FATAL(client_rc(response), RC_OK);
    Qhsm__JoinTicket *ticket = qhsm__join_ticket__unpack(NULL, response->join_token->ticket.len,
                                                         response->join_token->ticket.data);
    CU_ASSERT_FATAL(ticket != NULL);
    CU_ASSERT_EQUAL(ticket->n_endpoints, TRIO_COUNT);
    CU_ASSERT_STRING_EQUAL(ticket->endpoints[0], trio.node[i].config.endpoint);
    trio_client_config(&trio, i, TLS_ROLE_CLIENT, "ignored", &joiner->config);
    buf_clear(&joiner->config.cert_pem);
    UNIT_OK(buf_append(&joiner->config.cert_pem,
                       bytes_of(ticket->cert_pem.data, ticket->cert_pem.len)));
    UNIT_OK(secret_from_bytes(&joiner->config.key_pem, secret_expose(&joiner->key)));
    qhsm__join_ticket__free_unpacked(ticket, NULL);
    (void)snprintf(joiner->address, sizeof joiner->address, "127.0.0.1:%u", 20000 + i);
    UNIT_OK(rpc_client_new(&joiner->config, "test", application, &joiner->client));
}

static void joiner_close(struct joiner *joiner)
{
    rpc_reply_clear(joiner->client, &joiner->reply);
    rpc_client_free(joiner->client);
    trio_client_config_clear(&joiner->config);
    secret_clear(&joiner->key);
    buf_clear(&joiner->spki);
}

static enum rc joiner_ask(struct joiner *joiner, char *address)
{
    Qhsm__JoinRequest join = QHSM__JOIN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    char zone[] = "d";
    join.zone = zone;
    join.address = join.endpoint = address;
    request.body_case = QHSM__REQUEST__BODY_JOIN;
    request.join = &join;
    rpc_reply_clear(joiner->client, &joiner->reply);
    return rpc_call(joiner->client, &request, RPC_REPEAT_SAFE, &joiner->reply);
}

/* ---- forming */

static void a_cluster_is_formed_once(void)
{
    Qhsm__ClusterInitRequest init = QHSM__CLUSTER_INIT_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    begin();
    struct bytes key = secret_expose(&trio.ca_key);
    struct buf copy = BUF_INIT;
    UNIT_OK(buf_append(&copy, key));
    init.ca_cert_pem = data_of(&trio.ca);
    init.ca_key_pem = data_of(&copy);
    init.threshold = init.shares = 1;
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_INIT;
    request.cluster_init = &init;
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        UNIT_RC(client_rc(client_call(&trio.admin[i], &request)), RC_EXISTS);
    buf_clear(&copy);
}

static bool all_answer(const Qhsm__ClusterStatusReply *status)
{
    for (size_t i = 0; i < status->n_nodes; i++)
        if (status->nodes[i]->status == NULL)
            return false;
    return true;
}

/* A machine under load may take longer than a member is given. */
static const Qhsm__ClusterStatusReply *whole_status(unsigned i)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    const Qhsm__ClusterStatusReply *status = cluster_status(i);
    while (!all_answer(status) && trio_now_ms() < end)
        status = cluster_status(i);
    return status;
}

static void everybody_sees_everybody(void)
{
    static const char *const zones[] = {"a", "b", "c"};
    begin();
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        const Qhsm__ClusterStatusReply *status = whole_status(i);
        CU_ASSERT(status->formed && status->has_quorum);
        CU_ASSERT_EQUAL(status->asked, i + 1);
        CU_ASSERT_EQUAL(status->backup_shares, 1);
        CU_ASSERT_EQUAL_FATAL(status->n_nodes, TRIO_COUNT);
        for (unsigned k = 0; k < TRIO_COUNT; k++) {
            const Qhsm__NodeView *view = status->nodes[k];
            CU_ASSERT_EQUAL(view->node->id, k + 1);
            CU_ASSERT_STRING_EQUAL(view->node->zone, zones[k]);
            CU_ASSERT_PTR_NOT_NULL(view->status);
            CU_ASSERT_EQUAL(view->node->key_hash.len, 32);
        }
    }
}

/* ---- tokens and certificates */

static void token_is_refused_for_a_key_that_is_none_or_a_members(void)
{
    struct secret key;
    struct buf spki;
    struct buf members = BUF_INIT;
    struct buf cert = BUF_INIT;
    begin();
    new_key(&key, &spki);
    UNIT_RC(client_rc(ask_token(1, &spki, 100000)), RC_BAD_ARGUMENT);
    spki.ptr[40] ^= 1;
    UNIT_RC(client_rc(ask_token(1, &spki, 0)), RC_BAD_ARGUMENT);
    UNIT_RC(client_rc(ask_token(1, &members, 0)), RC_BAD_ARGUMENT);
    FILE *file = fopen(trio.node[2].config.cert, "re");
    char pem[4096] = "";
    CU_ASSERT_FATAL(file != NULL);
    UNIT_OK(buf_append(&cert, bytes_of(pem, fread(pem, 1, sizeof pem, file))));
    (void)fclose(file);
    UNIT_OK(pki_key_of_cert(trio.lib, buf_bytes(&cert), &members));
    UNIT_RC(client_rc(ask_token(0, &members, 0)), RC_EXISTS);
    buf_clear(&members);
    buf_clear(&cert);
    buf_clear(&spki);
    secret_clear(&key);
}

/* Tokens that are over are remembered for a day, but not at the cost of a new one. */
static void tokens_that_are_over_make_room(void)
{
    begin();
    for (unsigned i = 0; i < TOKENS + 5; i++) {
        struct secret key;
        struct buf spki;
        if (i == TOKENS)
            (void)usleep(1100000);
        new_key(&key, &spki);
        UNIT_OK(client_rc(ask_token(i % TRIO_COUNT, &spki, 1)));
        buf_clear(&spki);
        secret_clear(&key);
    }
}

static void certificates_are_issued_for_all_but_nodes(void)
{
    struct secret key;
    struct buf spki;
    struct buf got = BUF_INIT;
    begin();
    new_key(&key, &spki);
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        UNIT_RC(client_rc(ask_certificate(i, TLS_ROLE_NODE, &spki)), RC_BAD_ARGUMENT);
        UNIT_RC(client_rc(ask_certificate(i, TLS_ROLE_JOINER, &spki)), RC_BAD_ARGUMENT);
        UNIT_RC(client_rc(ask_certificate(i, 99, &spki)), RC_BAD_ARGUMENT);
        const Qhsm__Response *response = ask_certificate(i, TLS_ROLE_CLIENT, &spki);
        UNIT_RC(client_rc(response), RC_OK);
        const ProtobufCBinaryData *pem = &response->certificate->cert_pem;
        UNIT_OK(pki_key_of_cert(trio.lib, bytes_of(pem->data, pem->len), &got));
        CU_ASSERT(bytes_equal(buf_bytes(&got), buf_bytes(&spki)));
        buf_clear(&got);
    }
    buf_clear(&spki);
    secret_clear(&key);
}

/* ---- joining */

static void check_papers(const struct joiner *joiner)
{
    const Qhsm__JoinReply *join = joiner->reply.msg->join;
    struct secret scalar = SECRET_INIT;
    struct secret other = SECRET_INIT;
    struct secret master = SECRET_INIT;
    struct buf context = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    struct bytes closed = bytes_of(join->master.data, join->master.len);
    UNIT_OK(crypto_lib_init());
    UNIT_OK(pki_key_scalar(trio.lib, &joiner->key, &scalar));
    UNIT_OK(join_master_context(trio.node[0].config.cluster_id, join->node, &context));
    UNIT_OK(envelope_open(&scalar, buf_bytes(&context), closed, &master));
    CU_ASSERT_EQUAL(master.len, MASTER_KEY_LEN);
    UNIT_OK(envelope_key_new(&other, point));
    UNIT_RC(envelope_open(&other, buf_bytes(&context), closed, &master), RC_TAMPERED);
    buf_clear(&context);
    UNIT_OK(join_master_context(trio.node[0].config.cluster_id, join->node + 1, &context));
    UNIT_RC(envelope_open(&scalar, buf_bytes(&context), closed, &master), RC_TAMPERED);
    buf_clear(&context);
    secret_clear(&scalar);
    secret_clear(&other);
    secret_clear(&master);
}

static void joiner_gets_its_papers_when_it_is_approved_and_not_before(void)
{
    struct joiner joiner;
    char bad[] = "0.0.0.0:7";
    begin();
    joiner_open(&joiner, 1);
    UNIT_RC(joiner_ask(&joiner, bad), RC_BAD_ARGUMENT);
    UNIT_RC(joiner_ask(&joiner, trio.node[0].config.address), RC_EXISTS);
    UNIT_OK(joiner_ask(&joiner, joiner.address));
    uint64_t id = joiner.reply.msg->join->node;
    CU_ASSERT(id > TRIO_COUNT);
    CU_ASSERT_EQUAL(joiner.reply.msg->join->status, NODE_PENDING);
    CU_ASSERT_EQUAL(joiner.reply.msg->join->master.len, 0);
    UNIT_OK(joiner_ask(&joiner, joiner.address)); /* again: the same */
    CU_ASSERT_EQUAL(joiner.reply.msg->join->node, id);
    CU_ASSERT(trio_settle(&trio));
    const Qhsm__NodeView *view = view_of(cluster_status(0), id);
    CU_ASSERT(view != NULL && strstr(view->trouble, "approve") != NULL);
    UNIT_RC(trio_member(&trio, 0, id, MEMBER_PROMOTE), RC_CONFLICT);
    UNIT_OK(trio_member(&trio, 2, id, MEMBER_APPROVE));
    UNIT_OK(trio_member(&trio, 0, id, MEMBER_APPROVE));
    CU_ASSERT(trio_settle(&trio)); /* the joiner asks an HSM that may be behind */
    UNIT_OK(joiner_ask(&joiner, joiner.address));
    CU_ASSERT_EQUAL(joiner.reply.msg->join->status, NODE_APPROVED);
    check_papers(&joiner);
    UNIT_OK(trio_member(&trio, 0, id, MEMBER_REMOVE));
    CU_ASSERT(trio_settle(&trio));
    UNIT_RC(joiner_ask(&joiner, joiner.address), RC_NOT_PERMITTED);
    UNIT_RC(trio_member(&trio, 0, id, MEMBER_APPROVE), RC_CONFLICT);
    joiner_close(&joiner);
}

static void joiner_may_ask_nothing_else(void)
{
    struct joiner joiner;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    begin();
    joiner_open(&joiner, 0);
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &empty;
    UNIT_RC(rpc_call(joiner.client, &request, RPC_REPEAT_SAFE, &joiner.reply), RC_NOT_PERMITTED);
    joiner_close(&joiner);
}

static void joiner_that_moves_about_is_held_back(void)
{
    struct joiner joiner;
    char elsewhere[] = "127.0.0.1:1001"; /* nobody's */
    begin();
    joiner_open(&joiner, 1);
    UNIT_OK(joiner_ask(&joiner, joiner.address));
    uint64_t id = joiner.reply.msg->join->node;
    UNIT_OK(joiner_ask(&joiner, elsewhere));
    UNIT_RC(joiner_ask(&joiner, joiner.address), RC_OVERLOADED);
    UNIT_OK(joiner_ask(&joiner, elsewhere)); /* where it is */
    UNIT_OK(trio_member(&trio, 0, id, MEMBER_REMOVE));
    joiner_close(&joiner);
}

/* One HSM is silent: each status waits for it, and there are many of them. */
static void status_requests_do_not_keep_logins_waiting(void)
{
    struct peer_client curious;
    struct peer_client user;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    unsigned refused = 0;
    begin();
    UNIT_OK(trio_member(&trio, 0, 1, MEMBER_LEAD));
    client_open(&curious, &trio.node[0]);
    UNIT_OK(client_hello(&curious));
    (void)kill(trio.node[2].child, SIGSTOP);
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &empty;
    for (unsigned i = 0; i < QUESTIONS; i++)
        client_send(&curious, &request);
    uint64_t began_ms = trio_now_ms();
    client_join(&user, &trio.node[0]);
    CU_ASSERT(trio_now_ms() < began_ms + LOGIN_MS);
    for (unsigned i = 0; i < QUESTIONS; i++)
        refused += client_rc(client_receive(&curious)) == RC_OVERLOADED ? 1 : 0;
    CU_ASSERT(refused > 0 && refused < QUESTIONS);
    (void)kill(trio.node[2].child, SIGCONT);
    client_close(&user);
    client_close(&curious);
    CU_ASSERT(trio_settle(&trio));
}

/* ---- members */

static void decision_that_makes_no_sense_is_refused(void)
{
    begin();
    UNIT_RC(trio_member(&trio, 0, 77, MEMBER_APPROVE), RC_NOT_FOUND);
    UNIT_RC(trio_member(&trio, 0, 1, MEMBER_ACTION_END), RC_PROTOCOL);
    UNIT_RC(trio_member(&trio, 0, 1, 0), RC_PROTOCOL);
    UNIT_RC(trio_member(&trio, 0, 77, MEMBER_LEAD), RC_CONFLICT);
}

static void lead_goes_to_whom_it_was_asked_for_from_any(void)
{
    begin();
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        unsigned next = (trio_leader(&trio) + 1) % TRIO_COUNT;
        UNIT_OK(trio_member(&trio, i, next + 1, MEMBER_LEAD));
        CU_ASSERT_EQUAL(trio_leader(&trio), next);
    }
    unsigned before = trio_leader(&trio);
    UNIT_OK(trio_member(&trio, 0, 0, MEMBER_LEAD));
    CU_ASSERT(trio_leader(&trio) != before);
}

static void demoted_leader_hands_over_and_serves_on(void)
{
    begin();
    unsigned leader = trio_leader(&trio);
    UNIT_OK(trio_member(&trio, leader, leader + 1, MEMBER_DEMOTE));
    CU_ASSERT(wait_role((leader + 1) % TRIO_COUNT, leader + 1, "stand-by"));
    UNIT_RC(trio_member(&trio, (leader + 1) % TRIO_COUNT, leader + 1, MEMBER_LEAD), RC_CONFLICT);
    UNIT_OK(trio_member(&trio, (leader + 1) % TRIO_COUNT, leader + 1, MEMBER_PROMOTE));
    CU_ASSERT(wait_role((leader + 1) % TRIO_COUNT, leader + 1, "voter"));
    CU_ASSERT(trio_settle(&trio));
}

/* ---- a disk that went back in time */

/* Files of node 3's log: "raft" and "raft.mark", and copies of them. */
static void log_file(const char *name, const char *suffix, char out[256])
{
    (void)snprintf(out, 256, "%s/%s%s", trio.node[2].config.state_dir, name, suffix);
}

static void log_move(const char *from, const char *to)
{
    static const char *const names[] = {"raft", "raft.mark"};
    for (size_t i = 0; i < 2; i++) {
        char source[256], target[256];
        log_file(names[i], from, source);
        log_file(names[i], to, target);
        CU_ASSERT_EQUAL(rename(source, target), 0);
    }
}

static void log_copy(const char *to)
{
    char raft[256], raft_copy[256], mark[256], mark_copy[256], command[2048];
    log_file("raft", "", raft);
    log_file("raft", to, raft_copy);
    log_file("raft.mark", "", mark);
    log_file("raft.mark", to, mark_copy);
    (void)snprintf(command, sizeof command, "cp -a '%s' '%s' && cp -a '%s' '%s'", raft, raft_copy,
                   mark, mark_copy);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void signal_others(int number)
{
    (void)kill(trio.node[0].child, number);
    (void)kill(trio.node[1].child, number);
}

static void *wake_others(void *context)
{
    (void)context;
    (void)usleep(SLOW_US);
    signal_others(SIGCONT);
    return NULL;
}

/* Nobody answers for longer than a quick machine ever takes; then they know better. */
static void an_hsm_with_an_old_log_waits_for_others_that_are_slow(void)
{
    pthread_t thread;
    begin();
    UNIT_OK(trio_member(&trio, 0, 1, MEMBER_LEAD));
    CU_ASSERT(trio_settle(&trio));
    CU_ASSERT_EQUAL(trio_stop(&trio, 2), 0);
    log_copy(".old");
    trio_restart(&trio, 2);
    UNIT_OK(trio_member(&trio, 0, 2, MEMBER_LEAD));
    UNIT_OK(trio_member(&trio, 0, 1, MEMBER_LEAD));
    CU_ASSERT(trio_settle(&trio)); /* it has these changes too */
    CU_ASSERT_EQUAL(trio_stop(&trio, 2), 0);
    log_move("", ".new");
    log_move(".old", "");
    signal_others(SIGSTOP);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wake_others, NULL), 0);
    CU_ASSERT_EQUAL(harness_run_to_end(&trio.node[2]), rc_info(RC_TAMPERED)->exit_code);
    (void)pthread_join(thread, NULL);
    const Qhsm__NodeView *view = view_of(cluster_status(0), 3); /* it was told, and told it */
    CU_ASSERT(view != NULL && strstr(view->trouble, "went back in time") != NULL);
    log_move("", ".old");
    log_move(".new", "");
    trio_restart(&trio, 2);
    CU_ASSERT(trio_settle(&trio));
}

/* ---- leaving */

/* One is dead: of the two others none can go. It itself can. */
static bool wait_address(unsigned asked, unsigned of)
{
    const struct server_config *config = &trio.node[of].config;
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (trio_now_ms() < end) {
        const Qhsm__NodeView *view = view_of(cluster_status(asked), of + 1);
        if (view != NULL && strcmp(view->node->address, config->address) == 0 &&
            strcmp(view->node->endpoint, config->endpoint) == 0)
            return true;
        (void)usleep(STEP_US);
    }
    return false;
}

/* Restarted one after the other, each at other addresses; nobody has to wait for an election. */
static void hsms_that_moved_are_found_and_tell_the_roll(void)
{
    begin();
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        CU_ASSERT_EQUAL(trio_stop(&trio, i), 0);
        trio_move(&trio, i);
        trio_restart(&trio, i);
        CU_ASSERT(wait_address((i + 1) % TRIO_COUNT, i));
        CU_ASSERT(trio_settle(&trio));
    }
}

static void removal_that_loses_the_majority_is_refused(void)
{
    begin();
    UNIT_OK(trio_member(&trio, 0, 1, MEMBER_LEAD));
    trio_kill(&trio, 2);
    UNIT_RC(trio_member(&trio, 0, 2, MEMBER_REMOVE), RC_CONFLICT);
    UNIT_RC(trio_member(&trio, 0, 2, MEMBER_DEMOTE), RC_CONFLICT);
    const Qhsm__NodeView *view = view_of(cluster_status(0), 3);
    CU_ASSERT(view != NULL && view->status == NULL &&
              strstr(view->trouble, "does not answer") != NULL);
    UNIT_OK(trio_member(&trio, 1, 3, MEMBER_REMOVE));
    CU_ASSERT(wait_role(0, 3, "none"));
    CU_ASSERT_NOT_EQUAL(harness_run_to_end(&trio.node[2]), 0); /* and does not come back */
    UNIT_OK(trio_member(&trio, 0, 2, MEMBER_REMOVE));
    CU_ASSERT(wait_role(0, 2, "none"));
    UNIT_RC(trio_member(&trio, 0, 1, MEMBER_REMOVE), RC_CONFLICT); /* the only one */
    trio_end(&trio);
    is_up = false;
}

/* Each may go by itself; that another one is on its way already counts. */
static void members_that_are_all_told_to_go_do_not_all_go(void)
{
    begin();
    UNIT_OK(trio_member(&trio, 0, 1, MEMBER_LEAD));
    UNIT_OK(trio_member(&trio, 0, 2, MEMBER_REMOVE));
    UNIT_OK(trio_member(&trio, 0, 3, MEMBER_REMOVE));
    UNIT_RC(trio_member(&trio, 0, 1, MEMBER_REMOVE), RC_CONFLICT);
    CU_ASSERT(wait_role(0, 2, "none"));
    CU_ASSERT(wait_role(0, 3, "none"));
    CU_ASSERT(cluster_status(0)->has_quorum);
    trio_end(&trio);
    is_up = false;
}

UNIT_SUITE("membership", UNIT_CASE(a_cluster_is_formed_once), UNIT_CASE(everybody_sees_everybody),
           UNIT_CASE(token_is_refused_for_a_key_that_is_none_or_a_members),
           UNIT_CASE(tokens_that_are_over_make_room),
           UNIT_CASE(certificates_are_issued_for_all_but_nodes),
           UNIT_CASE(joiner_gets_its_papers_when_it_is_approved_and_not_before),
           UNIT_CASE(joiner_may_ask_nothing_else), UNIT_CASE(joiner_that_moves_about_is_held_back),
           UNIT_CASE(status_requests_do_not_keep_logins_waiting),
           UNIT_CASE(decision_that_makes_no_sense_is_refused),
           UNIT_CASE(lead_goes_to_whom_it_was_asked_for_from_any),
           UNIT_CASE(demoted_leader_hands_over_and_serves_on),
           UNIT_CASE(an_hsm_with_an_old_log_waits_for_others_that_are_slow),
           UNIT_CASE(hsms_that_moved_are_found_and_tell_the_roll),
           UNIT_CASE(removal_that_loses_the_majority_is_refused),
           UNIT_CASE(members_that_are_all_told_to_go_do_not_all_go));
