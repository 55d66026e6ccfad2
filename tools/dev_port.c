/* SPDX-License-Identifier: Apache-2.0 */
/* Free ports on this machine, for daemons of development clusters. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/dev.h"

/* Of loopback, below the range that the kernel gives to connections that go out: such a one could
 * take the port of an HSM that is down. */
#define PORT_FIRST 15000U
#define PORT_COUNT 10000U
#define PORT_TRIES 200U
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

/* What the file says, and the next into it. */
static enum rc count(int fd, unsigned *out)
{
    char text[16] = {0};
    if (flock(fd, LOCK_EX) != 0 || pread(fd, text, sizeof text - 1, 0) < 0)
        return rc_fail(RC_IO, "%s", strerror(errno));
    *out = (unsigned)(strtoul(text, NULL, 10) % PORT_COUNT);
    int len = snprintf(text, sizeof text, "%05u\n", (*out + 1) % PORT_COUNT);
    return pwrite(fd, text, (size_t)len, 0) == len ? RC_OK : rc_fail(RC_IO, "%s", strerror(errno));
}

/* In turn, over all clusters of a user: the port of a daemon that is down is not given to another
 * one a moment later. */
static enum rc next_in_turn(unsigned *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(dev_state_dir(&path));
    TRY(dev_dir_make(buf_str(&path), 0755));
    TRY(buf_printf(&path, "/next-port"));
    int fd = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", buf_str(&path), strerror(errno));
    enum rc rc = count(fd, out);
    (void)close(fd);
    return rc;
}

/* At random where nothing can be noted. */
static enum rc candidate(unsigned *out)
{
    uint16_t raw = 0;
    if (next_in_turn(out) == RC_OK)
        return RC_OK;
    if (getrandom(&raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return rc_fail(RC_RANDOM, "getrandom failed");
    *out = raw % PORT_COUNT;
    return RC_OK;
}

/* Free now; the daemon says so should somebody take it meanwhile. */
enum rc dev_port_take(unsigned *out_port)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        unsigned number = 0;
        TRY(candidate(&number));
        if (!reserve(PORT_FIRST + number) || !is_free(PORT_FIRST + number))
            continue;
        *out_port = PORT_FIRST + number;
        return RC_OK;
    }
    return rc_fail(RC_IO, "no free port on 127.0.0.1 from %u on", PORT_FIRST);
}
