/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority in memory. */
#include "tests/unit/cluster/peer_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_FIRST 25000U
#define PORT_COUNT 7000U

static void must(enum rc rc)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "peer fixture: %s\n", rc_detail());
    abort();
}

void peer_fixture_init(struct peer_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    must(tls_program_init());
    must(tls_library_new(&fixture->lib));
    for (size_t i = 0; i < 2; i++) {
        fixture->authorities[i].cert = (struct buf)BUF_INIT;
        fixture->authorities[i].key = (struct secret)SECRET_INIT;
        must(pki_ca_new(fixture->lib, FIXTURE_CLUSTER, 30, &fixture->authorities[i].cert,
                        &fixture->authorities[i].key));
    }
}

void peer_fixture_clear(struct peer_fixture *fixture)
{
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&fixture->authorities[i].cert);
        secret_clear(&fixture->authorities[i].key);
    }
    tls_library_free(fixture->lib);
}

struct peer_identity peer_fixture_issue(const struct peer_fixture *fixture, unsigned authority,
                                        enum tls_role role, const char *cluster, const char *name)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const struct pki_subject subject = {.role = role,
                                        .cluster = cluster,
                                        .name = name,
                                        .hosts = hosts,
                                        .host_count = role == TLS_ROLE_NODE ? 1 : 0,
                                        .days = 2};
    struct peer_identity identity = {.server = NULL};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    must(pki_issue(fixture->lib, buf_bytes(&fixture->authorities[authority].cert),
                   &fixture->authorities[authority].key, &subject, &cert, &key));
    const struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&fixture->authorities[authority].cert),
        .cert_pem = buf_bytes(&cert),
        .key_pem = &key};
    must(tls_server_new(fixture->lib, &credentials, &identity.server));
    must(tls_client_new(fixture->lib, &credentials, &identity.client));
    return identity;
}

struct peer_identity peer_fixture_node(const struct peer_fixture *fixture, uint64_t node)
{
    char name[24];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)node);
    return peer_fixture_issue(fixture, OURS, TLS_ROLE_NODE, FIXTURE_CLUSTER, name);
}

void peer_identity_clear(struct peer_identity *identity)
{
    SSL_CTX_free(identity->server);
    SSL_CTX_free(identity->client);
    *identity = (struct peer_identity){.server = NULL};
}

static bool can_bind(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* An abstract name, held to the end of the process: suites and development clusters that run side
 * by side do not take each other's ports, nor that of an HSM that is down. */
static bool can_reserve(unsigned port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "qhsm-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1U + (unsigned)len);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&name, size) == 0)
        return true;
    if (fd >= 0)
        (void)close(fd);
    return false;
}

unsigned peer_free_port(void)
{
    static unsigned next;
    if (next == 0)
        next = (unsigned)getpid() * 37;
    for (unsigned tries = 0; tries < PORT_COUNT; tries++) {
        unsigned port = PORT_FIRST + next++ % PORT_COUNT;
        if (can_reserve(port) && can_bind(port))
            return port;
    }
    abort();
}

int peer_fixture_connect(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        abort();
    return fd;
}

unsigned peer_fixture_open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}
