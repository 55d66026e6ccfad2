/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of three daemons for tests. */
#include "tests/unit/cluster/trio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cluster/keyfile.h"
#include "common/cluster.h"
#include "tests/unit/cluster/peer_fixture.h"

#define STEP_US             10000U
#define PATIENT_ELECTION_MS 60000U /* longer than TRIO_WAIT_MS */
#define HASTY_ELECTION_MS   500U

static void must(enum rc rc, const char *what)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "trio: %s: %s: %s\n", what, rc_info(rc)->name, rc_detail());
    abort();
}

static void must_answer(const Qhsm__Response *response, const char *what)
{
    if (client_rc(response) == RC_OK)
        return;
    (void)fprintf(stderr, "trio: %s: %s: %s\n", what, rc_info(client_rc(response))->name,
                  response == NULL ? "" : response->detail);
    abort();
}

uint64_t trio_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static ProtobufCBinaryData data_of(struct bytes bytes)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } ptr = {.in = bytes.ptr};
    return (ProtobufCBinaryData){.data = ptr.out, .len = bytes.len};
}

/* ---- before they run */

static void set_path(struct harness *harness, char **field, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", harness->dir, name);
    harness_set(field, path);
}

static void set_port(char **field)
{
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", peer_free_port());
    harness_set(field, address);
}

static void place(struct server_config *config)
{
    set_port(&config->listen_tcp);
    set_port(&config->listen_peer);
    harness_set(&config->endpoint, config->listen_tcp);
    harness_set(&config->address, config->listen_peer);
}

static void configure(struct harness *harness, unsigned i, unsigned election_ms)
{
    struct server_config *config = &harness->config;
    const char zone[] = {(char)('a' + i), 0};
    harness_init(harness);
    harness->has_peers = true;
    harness_set(&config->zone, zone);
    place(config);
    set_path(harness, &config->ca, "ca.pem");
    set_path(harness, &config->cert, "cert.pem");
    set_path(harness, &config->key, "key.pem");
    config->node = i + 1;
    config->bootstrap = i == 0;
    config->chaos = true;
    config->heartbeat_ms = 50;
    config->election_ms = election_ms;
    must(server_config_check(config), "configuration");
}

static void issue(struct trio *trio, enum tls_role role, const char *name, struct buf *cert,
                  struct secret *key)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const struct pki_subject subject = {.role = role,
                                        .cluster = HARNESS_CLUSTER,
                                        .name = name,
                                        .hosts = hosts,
                                        .host_count = role == TLS_ROLE_NODE ? 1 : 0,
                                        .days = 2};
    must(pki_issue(trio->lib, buf_bytes(&trio->ca), &trio->ca_key, &subject, cert, key), "issue");
}

static void certify_first(struct trio *trio)
{
    const struct server_config *config = &trio->node[0].config;
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    issue(trio, TLS_ROLE_NODE, "1", &cert, &key);
    must(keyfile_write(config->ca, buf_bytes(&trio->ca)), "ca");
    must(keyfile_write(config->cert, buf_bytes(&cert)), "cert");
    must(keyfile_write(config->key, secret_expose(&key)), "key");
}

/* ---- forming */

static void open_admin(struct trio *trio, unsigned i)
{
    client_open(&trio->admin[i], &trio->node[i]);
    must(client_hello(&trio->admin[i]), "hello");
}

static void form(struct trio *trio)
{
    Qhsm__ClusterInitRequest init = QHSM__CLUSTER_INIT_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    init.ca_cert_pem = data_of(buf_bytes(&trio->ca));
    init.ca_key_pem = data_of(secret_expose(&trio->ca_key));
    init.threshold = 1;
    init.shares = 1;
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_INIT;
    request.cluster_init = &init;
    request.sequence = 1;
    must_answer(client_call(&trio->admin[0], &request), "cluster init");
}

/* An approved ticket for a new key, where the daemon looks for them. */
static void invite(struct trio *trio, unsigned i)
{
    const struct server_config *config = &trio->node[i].config;
    Qhsm__JoinTokenRequest token = QHSM__JOIN_TOKEN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    AUTO_SECRET key = SECRET_INIT;
    AUTO_BUF spki = BUF_INIT;
    char path[160];
    must(pki_key_new(trio->lib, &key), "key");
    must(pki_key_public(trio->lib, &key, &spki), "public key");
    token.key = data_of(buf_bytes(&spki));
    token.approved = true;
    request.body_case = QHSM__REQUEST__BODY_JOIN_TOKEN;
    request.join_token = &token;
    request.sequence = 1;
    const Qhsm__Response *response = client_call(&trio->admin[0], &request);
    must_answer(response, "join token");
    (void)mkdir(config->state_dir, 0700);
    (void)snprintf(path, sizeof path, "%s/node.key", config->state_dir);
    must(keyfile_write(path, secret_expose(&key)), "node.key");
    (void)snprintf(path, sizeof path, "%s/join.ticket", config->state_dir);
    const ProtobufCBinaryData *ticket = &response->join_token->ticket;
    must(keyfile_write(path, bytes_of(ticket->data, ticket->len)), "join.ticket");
}

static bool is_voter(struct trio *trio, unsigned i)
{
    const Qhsm__StatusReply *status = trio_status(trio, i);
    return status != NULL && strcmp(status->membership, "voter") == 0;
}

static void wait_voter(struct trio *trio, unsigned i)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (!is_voter(trio, i)) {
        if (trio_now_ms() > end)
            must(RC_DEADLINE, "no voter");
        (void)usleep(STEP_US);
    }
}

static void begin(struct trio *trio, unsigned election_ms)
{
    struct peer_client user;
    memset(trio, 0, sizeof *trio);
    trio->ca = (struct buf)BUF_INIT;
    trio->ca_key = (struct secret)SECRET_INIT;
    must(tls_program_init(), "tls");
    must(tls_library_new(&trio->lib), "tls");
    must(pki_ca_new(trio->lib, HARNESS_CLUSTER, 30, &trio->ca, &trio->ca_key), "ca");
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        configure(&trio->node[i], i, election_ms);
    certify_first(trio);
    harness_fork(&trio->node[0]);
    open_admin(trio, 0);
    form(trio);
    for (unsigned i = 1; i < TRIO_COUNT; i++) {
        invite(trio, i);
        harness_fork(&trio->node[i]);
        open_admin(trio, i);
    }
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        wait_voter(trio, i);
    client_ready(&user, &trio->node[0]);
    client_close(&user);
    if (!trio_settle(trio))
        must(RC_DEADLINE, "not settled");
}

void trio_begin(struct trio *trio)
{
    begin(trio, PATIENT_ELECTION_MS);
}

void trio_begin_hasty(struct trio *trio)
{
    begin(trio, HASTY_ELECTION_MS);
}

bool trio_end(struct trio *trio)
{
    bool is_clean = true;
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        if (trio->node[i].child != 0 && trio_stop(trio, i) != 0)
            is_clean = false;
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        harness_clear(&trio->node[i]);
    buf_clear(&trio->ca);
    secret_clear(&trio->ca_key);
    tls_library_free(trio->lib);
    return is_clean;
}

int trio_stop(struct trio *trio, unsigned i)
{
    int status = harness_end(&trio->node[i]);
    client_close(&trio->admin[i]);
    return status;
}

void trio_kill(struct trio *trio, unsigned i)
{
    harness_kill(&trio->node[i]);
    client_close(&trio->admin[i]);
}

void trio_restart(struct trio *trio, unsigned i)
{
    harness_fork(&trio->node[i]);
    open_admin(trio, i);
}

void trio_move(struct trio *trio, unsigned i)
{
    place(&trio->node[i].config);
}

/* ---- looking */

const Qhsm__StatusReply *trio_status(struct trio *trio, unsigned i)
{
    Qhsm__StatusRequest body = QHSM__STATUS_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_STATUS;
    request.status = &body;
    const Qhsm__Response *response = client_call(&trio->admin[i], &request);
    return client_rc(response) == RC_OK ? response->status : NULL;
}

/* TRIO_COUNT: they do not agree. */
static unsigned find_leader(struct trio *trio)
{
    uint64_t leader = 0;
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        if (trio->node[i].child == 0)
            continue;
        const Qhsm__StatusReply *status = trio_status(trio, i);
        if (status == NULL || status->leader == 0 || (leader != 0 && status->leader != leader))
            return TRIO_COUNT;
        leader = status->leader;
    }
    unsigned index = (unsigned)leader - 1;
    return index < TRIO_COUNT && trio->node[index].child != 0 ? index : TRIO_COUNT;
}

unsigned trio_leader(struct trio *trio)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    for (;;) {
        unsigned leader = find_leader(trio);
        if (leader < TRIO_COUNT)
            return leader;
        if (trio_now_ms() > end)
            must(RC_DEADLINE, "no leader");
        (void)usleep(STEP_US);
    }
}

static bool is_settled(struct trio *trio)
{
    uint8_t hash[32];
    bool any = false;
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        if (trio->node[i].child == 0)
            continue;
        const Qhsm__StatusReply *status = trio_status(trio, i);
        if (status == NULL || status->state_hash.len != sizeof hash ||
            (any && memcmp(hash, status->state_hash.data, sizeof hash) != 0))
            return false;
        memcpy(hash, status->state_hash.data, sizeof hash);
        any = true;
    }
    return true;
}

bool trio_settle(struct trio *trio)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (trio_now_ms() < end) {
        if (is_settled(trio))
            return true;
        (void)usleep(STEP_US);
    }
    return false;
}

enum rc trio_member(struct trio *trio, unsigned i, uint64_t id, uint32_t action)
{
    Qhsm__MemberRequest member = QHSM__MEMBER_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    member.id = id;
    member.action = action;
    request.body_case = QHSM__REQUEST__BODY_MEMBER;
    request.member = &member;
    request.sequence = 1;
    return client_rc(client_call(&trio->admin[i], &request));
}

enum rc trio_cut(struct trio *trio, unsigned i, bool cut)
{
    Qhsm__ChaosRequest chaos = QHSM__CHAOS_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    chaos.kind = cut ? CHAOS_LINK : CHAOS_HEAL;
    chaos.in = chaos.out = cut;
    request.body_case = QHSM__REQUEST__BODY_CHAOS;
    request.chaos = &chaos;
    return client_rc(client_call(&trio->admin[i], &request));
}

void trio_client_config(struct trio *trio, unsigned i, enum tls_role role, const char *name,
                        struct client_config *out)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    char endpoint[64];
    memset(out, 0, sizeof *out);
    must(config_defaults(keys, count, out), "client's configuration");
    out->connect_timeout_ms = out->call_timeout_ms = TRIO_WAIT_MS;
    out->ca_pem = out->cert_pem = (struct buf)BUF_INIT;
    out->key_pem = (struct secret)SECRET_INIT;
    (void)snprintf(endpoint, sizeof endpoint, "tcp:%s", trio->node[i].config.listen_tcp);
    out->endpoints.items = calloc(1, sizeof(char *));
    out->endpoints.items[0] = strdup(endpoint);
    out->endpoints.count = 1;
    must(buf_append(&out->ca_pem, buf_bytes(&trio->ca)), "ca");
    issue(trio, role, name, &out->cert_pem, &out->key_pem);
}

void trio_client_config_clear(struct client_config *config)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    config_clear(keys, count, config);
    buf_clear(&config->ca_pem);
    buf_clear(&config->cert_pem);
    secret_clear(&config->key_pem);
}
