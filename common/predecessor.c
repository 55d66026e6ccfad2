/* SPDX-License-Identifier: Apache-2.0 */
#include "common/predecessor.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 512
#define TRIES   20U
#define STEP_NS (50L * 1000 * 1000)

bool predecessor_wait(unsigned *tries)
{
    const struct timespec step = {.tv_nsec = STEP_NS};
    if (*tries >= TRIES)
        return false;
    (*tries)++;
    (void)nanosleep(&step, NULL);
    return true;
}

static int listen_once(const struct addrinfo *info, bool one_family)
{
    const int on = 1;
    const int only = one_family ? 1 : 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

int predecessor_listen(const struct addrinfo *info, bool one_family)
{
    unsigned tries = 0;
    for (;;) {
        int fd = listen_once(info, one_family);
        if (fd >= 0 || errno != EADDRINUSE || !predecessor_wait(&tries))
            return fd;
    }
}
