/* SPDX-License-Identifier: Apache-2.0 */
/* Binding: Unix socket and TCP addresses. */
#include "cluster/listener_bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/predecessor.h"

#define BACKLOG 512

/* ---- Unix */

static void unix_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, strlen(path)); /* its length was checked with the configuration */
}

/* A name that nobody answers on was left by a daemon that died. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat info;
    if (stat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    int rv = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool stale = rv != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return stale;
}

static int bind_address(int fd, const struct sockaddr_un *address)
{
    unsigned tries = 0;
    for (;;) {
        int rv = bind(fd, (const struct sockaddr *)address, sizeof *address);
        if (rv == 0 || errno != EADDRINUSE)
            return rv;
        if (is_stale(address) && unlink(address->sun_path) == 0)
            continue;
        if (!predecessor_wait(&tries)) {
            errno = EADDRINUSE;
            return rv;
        }
    }
}

/* Nobody can connect before listen(), so the mode is right from the first moment. */
static enum rc bind_unix(const struct server_config *config, int *out)
{
    struct sockaddr_un address;
    unix_address(config->listen_unix, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return rc_fail(RC_IO, "socket: %s", strerror(errno));
    if (bind_address(fd, &address) != 0 ||
        chmod(config->listen_unix, config->unix_mode_bits) != 0 || listen(fd, BACKLOG) != 0) {
        enum rc rc =
            rc_fail(RC_CONFIG, "listen_unix %s: %s%s", config->listen_unix, strerror(errno),
                    errno == EADDRINUSE ? " (another daemon answers there)" : "");
        (void)close(fd);
        return rc;
    }
    *out = fd;
    return RC_OK;
}

/* ---- TCP */

enum rc listener_split(const char *key, const char *text, char host[LISTENER_HOST_MAX],
                       const char **out_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == 0)
        return rc_fail(RC_CONFIG, "%s %s: write it as host:port", key, text);
    const char *start = text;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        start = text + 1;
        len -= 2;
    }
    if (len >= LISTENER_HOST_MAX)
        return rc_fail(RC_CONFIG, "%s: the host name is too long", key);
    memcpy(host, start, len);
    host[len] = 0;
    *out_port = colon + 1;
    return RC_OK;
}

enum rc listener_bind_tcp(const char *key, const char *text, struct listener_sockets *out)
{
    char host[LISTENER_HOST_MAX];
    const char *port = NULL;
    TRY(listener_split(key, text, host, &port));
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rv = getaddrinfo(host[0] == 0 ? NULL : host, port, &hints, &list);
    if (rv != 0)
        return rc_fail(RC_CONFIG, "%s %s: %s", key, text, gai_strerror(rv));
    int error = 0;
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
        int fd = out->count < LISTENER_SOCKETS_MAX ? predecessor_listen(info, true) : -1;
        if (fd >= 0)
            out->fds[out->count++] = fd;
        else
            error = errno;
    }
    freeaddrinfo(list);
    if (out->count == 0)
        return rc_fail(RC_CONFIG, "%s %s: %s", key, text, strerror(error));
    return RC_OK;
}

/* ---- both */

enum rc listener_bind(const struct server_config *config, struct listener_sockets *out)
{
    *out = (struct listener_sockets){.unix_fd = -1};
    enum rc rc = RC_OK;
    if (config->listen_unix != NULL)
        rc = bind_unix(config, &out->unix_fd);
    if (rc == RC_OK && config->listen_tcp != NULL)
        rc = listener_bind_tcp("listen_tcp", config->listen_tcp, out);
    if (rc != RC_OK)
        listener_unbind(config, out);
    return rc;
}

void listener_unbind(const struct server_config *config, const struct listener_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        (void)close(sockets->fds[i]);
    if (sockets->unix_fd < 0 || config->listen_unix == NULL)
        return;
    (void)unlink(config->listen_unix);
    (void)close(sockets->unix_fd);
}

unsigned listener_bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {.sin6_port = 0}};
    socklen_t len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}
