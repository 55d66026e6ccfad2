/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon over TCP with TLS: who gets in, who does not, and new certificates while it runs. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/pki.h"
#include "tests/unit/cluster/harness.h"
#include "tests/unit/unit.h"

#define OTHER_CLUSTER "00000000-0000-4000-8000-000000000000"

struct authority {
    struct buf cert;
    struct secret key;
};

static struct harness harness;
static OSSL_LIB_CTX *lib;
static struct authority ours = {.cert = BUF_INIT, .key = SECRET_INIT};
static struct authority theirs = {.cert = BUF_INIT, .key = SECRET_INIT};

static void write_file(const char *name, struct bytes data)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", harness.dir, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT_EQUAL(fwrite(data.ptr, 1, data.len, file), data.len);
    (void)fclose(file);
}

/* NAME.pem and NAME.key. */
static void issue(const struct authority *by, const char *file, enum tls_role role,
                  const char *cluster, const char *name, int64_t not_before_s)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const struct pki_subject subject = {.role = role,
                                        .cluster = cluster,
                                        .name = name,
                                        .hosts = hosts,
                                        .host_count = role == TLS_ROLE_NODE ? 1 : 0,
                                        .not_before_s = not_before_s,
                                        .days = 2};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    char path[32];
    UNIT_OK(pki_issue(lib, buf_bytes(&by->cert), &by->key, &subject, &cert, &key));
    (void)snprintf(path, sizeof path, "%s.pem", file);
    write_file(path, buf_bytes(&cert));
    (void)snprintf(path, sizeof path, "%s.key", file);
    write_file(path, secret_expose(&key));
}

static void set_path(char **field, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", harness.dir, name);
    harness_set(field, path);
}

static void begin(void)
{
    harness_init(&harness);
    UNIT_OK(tls_library_new(&lib));
    UNIT_OK(pki_ca_new(lib, HARNESS_CLUSTER, 30, &ours.cert, &ours.key));
    UNIT_OK(pki_ca_new(lib, HARNESS_CLUSTER, 30, &theirs.cert, &theirs.key));
    write_file("ca.pem", buf_bytes(&ours.cert));
    issue(&ours, "node", TLS_ROLE_NODE, HARNESS_CLUSTER, "1", 0);
    harness_set(&harness.config.listen_tcp, "127.0.0.1:0");
    set_path(&harness.config.ca, "ca.pem");
    set_path(&harness.config.cert, "node.pem");
    set_path(&harness.config.key, "node.key");
}

static void up(void)
{
    UNIT_OK(server_config_check(&harness.config));
    UNIT_OK(harness_start(&harness));
    CU_ASSERT_FATAL(harness.server != NULL);
    CU_ASSERT_FATAL(server_port(harness.server) != 0);
}

static void end(void)
{
    harness_clear(&harness);
    buf_clear(&ours.cert);
    buf_clear(&theirs.cert);
    secret_clear(&ours.key);
    secret_clear(&theirs.key);
    tls_library_free(lib);
}

/* client.conf with NAME's certificate. */
static void config_as(const char *name, const char *endpoint, struct client_config **out)
{
    char text[512];
    char path[128];
    (void)snprintf(text, sizeof text,
                   "endpoint = %s\nca = ca.pem\ncert = %s.pem\nkey = %s.key\n"
                   "connect_timeout_ms = 60000\ncall_timeout_ms = 60000\n",
                   endpoint, name, name);
    write_file("client.conf", bytes_of_str(text));
    (void)snprintf(path, sizeof path, "%s/client.conf", harness.dir);
    UNIT_OK(client_config_load(path, out));
}

static void endpoint_of(char out[64])
{
    (void)snprintf(out, 64, "tcp:127.0.0.1:%u", server_port(harness.server));
}

/* The code of a hello and a round trip with NAME's certificate. */
static enum rc probe_as(const char *name)
{
    char endpoint[64];
    struct client_config *config = NULL;
    struct rpc_probe probe;
    endpoint_of(endpoint);
    config_as(name, endpoint, &config);
    memset(&probe, 0, sizeof probe);
    rpc_probe(config, endpoint, &probe);
    client_config_free(config);
    return probe.rc;
}

/* Initialises the token with NAME's certificate. */
static enum rc init_as(const char *name, const char *so_pin, bool force)
{
    char endpoint[64], label[] = "tls", pin[16];
    uint8_t application[16] = {7};
    struct client_config *config = NULL;
    struct rpc_client *client = NULL;
    struct rpc_reply reply = {0};
    endpoint_of(endpoint);
    config_as(name, endpoint, &config);
    UNIT_OK(rpc_client_new(config, "unit test", application, &client));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitTokenRequest init = QHSM__INIT_TOKEN_REQUEST__INIT;
    (void)snprintf(pin, sizeof pin, "%s", so_pin);
    init.slot = HARNESS_SLOT;
    init.label = label;
    init.so_pin = (ProtobufCBinaryData){.data = (uint8_t *)pin, .len = strlen(pin)};
    init.force = force;
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &init;
    enum rc rc = rpc_call(client, &request, RPC_REPEAT_SAFE, &reply);
    rpc_reply_clear(client, &reply);
    rpc_client_free(client);
    client_config_free(config);
    return rc;
}

static void only_an_administrator_initialises_without_the_SOs_PIN(void)
{
    begin();
    up();
    issue(&ours, "web", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    issue(&ours, "alice", TLS_ROLE_ADMIN, HARNESS_CLUSTER, "alice", 0);
    UNIT_OK(init_as("web", HARNESS_SO_PIN, false));
    UNIT_RC(init_as("web", "another-pin", false), RC_PIN_INCORRECT);
    UNIT_RC(init_as("web", "another-pin", true), RC_NOT_PERMITTED);
    UNIT_RC(init_as("alice", "another-pin", false), RC_PIN_INCORRECT);
    UNIT_OK(init_as("alice", "another-pin", true));
    UNIT_OK(init_as("web", "another-pin", false));
    end();
}

static void clients_and_administrators_get_in(void)
{
    begin();
    up();
    issue(&ours, "web", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    issue(&ours, "alice", TLS_ROLE_ADMIN, HARNESS_CLUSTER, "alice", 0);
    UNIT_OK(probe_as("web"));
    UNIT_OK(probe_as("alice"));
    end();
}

static void certificates_of_another_authority_are_refused(void)
{
    begin();
    up();
    issue(&theirs, "eve", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "eve", 0);
    CU_ASSERT(probe_as("eve") != RC_OK);
    end();
}

static void certificates_of_another_cluster_are_refused(void)
{
    begin();
    up();
    issue(&ours, "web", TLS_ROLE_CLIENT, OTHER_CLUSTER, "web", 0);
    CU_ASSERT(probe_as("web") != RC_OK);
    end();
}

static void expired_certificates_are_refused(void)
{
    begin();
    up();
    issue(&ours, "old", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "old", (int64_t)time(NULL) - 5 * 86400);
    CU_ASSERT(probe_as("old") != RC_OK);
    end();
}

static void a_daemon_does_not_start_with_a_client_certificate(void)
{
    begin();
    issue(&ours, "node", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    UNIT_RC(harness_start(&harness), RC_CONFIG);
    end();
}

static int connect_raw(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server_port(harness.server)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static bool is_cut(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char chunk[512];
    for (unsigned i = 0; i < 8; i++) {
        if (poll(&wait, 1, 60000) <= 0)
            return false;
        if (recv(fd, chunk, sizeof chunk, 0) <= 0)
            return true;
    }
    return false;
}

static void a_peer_that_never_shakes_hands_is_cut_off(void)
{
    begin();
    harness.config.login_deadline_ms = 300;
    up();
    int fd = connect_raw();
    CU_ASSERT(is_cut(fd));
    (void)close(fd);
    harness.config.login_deadline_ms = 10000; /* the others have their time */
    UNIT_OK(server_reload(harness.server, &harness.config));
    issue(&ours, "web", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    UNIT_OK(probe_as("web"));
    end();
}

static void bytes_that_are_not_tls_are_cut_off(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: hsm\r\n\r\n";
    begin();
    up();
    int fd = connect_raw();
    CU_ASSERT(send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0);
    CU_ASSERT(is_cut(fd));
    (void)close(fd);
    end();
}

static void new_certificates_are_taken_while_it_runs(void)
{
    begin();
    up();
    issue(&theirs, "web", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    CU_ASSERT(probe_as("web") != RC_OK);
    write_file("ca.pem", buf_bytes(&theirs.cert));
    issue(&theirs, "node", TLS_ROLE_NODE, HARNESS_CLUSTER, "1", 0);
    UNIT_OK(server_reload(harness.server, &harness.config));
    UNIT_OK(probe_as("web"));
    end();
}

static void bad_certificates_on_reload_leave_the_old_ones(void)
{
    begin();
    up();
    issue(&ours, "web", TLS_ROLE_CLIENT, HARNESS_CLUSTER, "web", 0);
    write_file("node.pem", bytes_of_str("rubbish"));
    CU_ASSERT(server_reload(harness.server, &harness.config) != RC_OK);
    UNIT_OK(probe_as("web"));
    end();
}

UNIT_SUITE("tls", UNIT_CASE(clients_and_administrators_get_in),
           UNIT_CASE(only_an_administrator_initialises_without_the_SOs_PIN),
           UNIT_CASE(certificates_of_another_authority_are_refused),
           UNIT_CASE(certificates_of_another_cluster_are_refused),
           UNIT_CASE(expired_certificates_are_refused),
           UNIT_CASE(a_daemon_does_not_start_with_a_client_certificate),
           UNIT_CASE(a_peer_that_never_shakes_hands_is_cut_off),
           UNIT_CASE(bytes_that_are_not_tls_are_cut_off),
           UNIT_CASE(new_certificates_are_taken_while_it_runs),
           UNIT_CASE(bad_certificates_on_reload_leave_the_old_ones));
