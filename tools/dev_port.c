/* SPDX-License-Identifier: Apache-2.0 */
/* Free ports on this machine, for daemons of development clusters. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tools/dev.h"

/* Of loopback, below the range that the kernel gives to connections that go out: such a one could
 * take the port of an HSM that is down. */
#define PORT_FIRST 15000U
#define PORT_COUNT 16000U
#define PORT_TRIES 200U
/* Ports are gone through in the course of five minutes: one of a daemon that is down is not given
 * to another cluster a moment later. Who asks at the same time begins elsewhere. */
#define TURN_MS 20U
#define SPREAD  16U

/* For as long as this process runs, by an abstract name: another `dev up` at the same time takes
 * another port. */
static bool reserve(unsigned port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "qhsm-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1U + (unsigned)len);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0)
        return true;
    if (fd >= 0)
        (void)close(fd);
    return false;
}

static bool is_free(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return bound;
}

static unsigned candidate(uint16_t random, unsigned tries)
{
    struct timespec now = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t turn = ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) / TURN_MS;
    return PORT_FIRST + (unsigned)((turn + random % SPREAD + tries) % PORT_COUNT);
}

/* Free now; the daemon says so should somebody take it meanwhile. */
enum rc dev_port_take(unsigned *out_port)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t raw = 0;
        if (getrandom(&raw, sizeof raw, 0) != (ssize_t)sizeof raw)
            return rc_fail(RC_RANDOM, "getrandom failed");
        unsigned port = candidate(raw, i);
        if (!reserve(port) || !is_free(port))
            continue;
        *out_port = port;
        return RC_OK;
    }
    return rc_fail(RC_IO, "no free port on 127.0.0.1 from %u on", PORT_FIRST);
}
