/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: parsing, resolving, connecting within a deadline. */
#include "rpc/client_endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *skip_prefix(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static enum rc malformed(const char *text, const char *why)
{
    return rc_fail(RC_CONFIG, "endpoint `%s`: %s (unix:/path or tcp:host:port, then ?zone=NAME)",
                   text, why);
}

/* `at` is "host:port" or "[v6]:port", `end` its end. */
static enum rc parse_tcp(const char *text, const char *at, const char *end, struct endpoint *out)
{
    const char *colon = memrchr(at, ':', (size_t)(end - at));
    if (colon == NULL || colon == at || colon + 1 == end)
        return malformed(text, "host and port are needed");
    if (strspn(colon + 1, "0123456789") < (size_t)(end - colon - 1))
        return malformed(text, "the port is not a number");
    const char *host_end = colon;
    if (*at == '[') {
        if (colon[-1] != ']')
            return malformed(text, "] is missing");
        at++;
        host_end--;
    }
    if (host_end <= at)
        return malformed(text, "the host is empty");
    out->port = strndup(colon + 1, (size_t)(end - colon - 1));
    out->address = strndup(at, (size_t)(host_end - at));
    return RC_OK;
}

static enum rc parse_unix(const char *text, const char *at, const char *end, struct endpoint *out)
{
    if (*at != '/')
        return malformed(text, "the path is not absolute");
    if ((size_t)(end - at) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return malformed(text, "the path is too long for a socket (107 bytes)");
    out->address = strndup(at, (size_t)(end - at));
    return RC_OK;
}

static enum rc parse_parts(const char *text, struct endpoint *out)
{
    const char *end = strchrnul(text, '?');
    if (*end == '?') {
        const char *zone = skip_prefix(end, "?zone=");
        if (zone == NULL || *zone == 0)
            return malformed(text, "?zone=NAME is the only option");
        out->zone = strdup(zone);
    }
    const char *tcp = skip_prefix(text, "tcp:");
    const char *local = skip_prefix(text, "unix:");
    out->is_tcp = tcp != NULL;
    if (tcp != NULL)
        return parse_tcp(text, tcp, end, out);
    if (local != NULL)
        return parse_unix(text, local, end, out);
    return malformed(text, "unknown kind");
}

enum rc endpoint_parse(const char *text, struct endpoint *out)
{
    struct endpoint endpoint = {.text = strdup(text)};
    enum rc rc = parse_parts(text, &endpoint);
    if (rc == RC_OK && (endpoint.text == NULL || endpoint.address == NULL ||
                        (endpoint.is_tcp && endpoint.port == NULL)))
        rc = RC_NO_MEMORY;
    if (rc != RC_OK) {
        endpoint_clear(&endpoint);
        return rc;
    }
    *out = endpoint;
    return RC_OK;
}

void endpoint_clear(struct endpoint *endpoint)
{
    free(endpoint->text);
    free(endpoint->address);
    free(endpoint->port);
    free(endpoint->zone);
    *endpoint = (struct endpoint){0};
}

void endpoint_close(atomic_int *fd)
{
    int open = atomic_exchange(fd, -1);
    if (open >= 0)
        (void)close(open);
}

/* A host that has closed its standard descriptors would print into our connection. */
static int socket_new(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(fd);
    return high;
}

static bool set_timeout(int fd, int option, instant ns)
{
    /* Zero would mean for ever. */
    struct timeval tv = {.tv_sec = ns / 1000000000LL, .tv_usec = ns % 1000000000LL / 1000};
    if (tv.tv_sec <= 0 && tv.tv_usec <= 0)
        tv = (struct timeval){.tv_sec = 0, .tv_usec = 1};
    return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv) == 0;
}

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* A zone that is cut off must show within `dead_ms`, not after the kernel's quarter of an hour:
 * TCP_USER_TIMEOUT for what was sent, keep-alive while an answer is awaited. */
static bool set_tcp_options(int fd, unsigned long dead_ms)
{
    return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) && set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 2) &&
           set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1) && set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3) &&
           set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)dead_ms);
}

/* After a signal the connect goes on by itself. */
static int await_connect(int fd, instant deadline)
{
    for (;;) {
        instant left = deadline - clock_now();
        struct timespec wait = clock_timespec(left > 0 ? left : 0);
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        int ready = ppoll(&poll_fd, 1, &wait, NULL);
        if (ready == 0)
            return ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready > 0)
            break;
    }
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

/* 0 or an errno. A blocking connect() obeys SO_SNDTIMEO, on Unix sockets with a full backlog too;
 * there a signal ends it, and it is begun again. */
static int connect_within(int fd, const struct sockaddr *address, socklen_t len, instant deadline)
{
    for (;;) {
        instant left = deadline - clock_now();
        if (left <= 0)
            return ETIMEDOUT;
        if (!set_timeout(fd, SO_SNDTIMEO, left))
            return errno;
        if (connect(fd, address, len) == 0)
            return 0;
        if (errno != EINTR)
            return errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
        if (address->sa_family != AF_UNIX)
            return await_connect(fd, deadline);
    }
}

static int open_address(const struct sockaddr *address, socklen_t len,
                        const struct endpoint_options *options, atomic_int *out_fd)
{
    int fd = socket_new(address->sa_family);
    if (fd < 0)
        return errno;
    atomic_store(out_fd, fd);
    int error = connect_within(fd, address, len, options->deadline);
    if (error == 0 && address->sa_family != AF_UNIX && !set_tcp_options(fd, options->dead_ms))
        error = errno;
    if (error == 0 && !set_timeout(fd, SO_RCVTIMEO, (instant)options->receive_ms * CLOCK_MS_NS))
        error = errno;
    if (error != 0)
        endpoint_close(out_fd);
    return error;
}

static enum rc connect_unix(const struct endpoint *endpoint, const struct endpoint_options *options,
                            atomic_int *out_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, endpoint->address, strlen(endpoint->address));
    int error = open_address((const struct sockaddr *)&address, sizeof address, options, out_fd);
    return error == 0 ? RC_OK : rc_fail(RC_UNAVAILABLE, "%s", strerrordesc_np(error));
}

static enum rc connect_tcp(const struct endpoint *endpoint, const struct endpoint_options *options,
                           atomic_int *out_fd)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_NUMERICSERV;
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(endpoint->address, endpoint->port, &hints, &found);
    if (failed != 0)
        return rc_fail(RC_UNAVAILABLE, "%s", gai_strerror(failed));
    int error = EADDRNOTAVAIL;
    instant left = 0;
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next)
        left++;
    /* Each address has its share of the time, so that a dead one does not use up that of the rest.
     */
    for (const struct addrinfo *one = found; one != NULL && error != 0; one = one->ai_next) {
        struct endpoint_options share = *options;
        instant now = clock_now();
        share.deadline = now + (options->deadline - now) / left--;
        error = open_address(one->ai_addr, one->ai_addrlen, &share, out_fd);
    }
    freeaddrinfo(found);
    return error == 0 ? RC_OK : rc_fail(RC_UNAVAILABLE, "%s", strerrordesc_np(error));
}

enum rc endpoint_connect(const struct endpoint *endpoint, const struct endpoint_options *options,
                         atomic_int *out_fd)
{
    return endpoint->is_tcp ? connect_tcp(endpoint, options, out_fd)
                            : connect_unix(endpoint, options, out_fd);
}
