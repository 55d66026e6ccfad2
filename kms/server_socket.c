/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the listeners, and addresses of callers. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/predecessor.h"
#include "kms/server_internal.h"

/* Of every address: IPv6, which takes IPv4 too. Of a name with both: IPv4. */
static int open_first(const struct addrinfo *list, bool every)
{
    for (int round = 0; round < 2; round++) {
        int family = (round == 0) == every ? AF_INET6 : AF_INET;
        for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
            int fd = one->ai_family == family ? predecessor_listen(one, false) : -1;
            if (fd >= 0)
                return fd;
        }
    }
    return -1;
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    memcpy(&v4, &address, sizeof v4);
    memcpy(&v6, &address, sizeof v6);
    return ntohs(address.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

enum rc server_socket_listen(const char *key, const char *address, int *out_fd, unsigned *out_port)
{
    char host[256];
    const char *port = NULL;
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    TRY(kms_config_address(key, address, host, &port));
    int rv = getaddrinfo(host[0] == 0 ? NULL : host, port, &hints, &list);
    if (rv != 0)
        return rc_fail(RC_CONFIG, "%s = %s: %s", key, address, gai_strerror(rv));
    int fd = open_first(list, host[0] == 0);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return rc_fail(RC_CONFIG, "%s = %s: %s", key, address, strerrordesc_np(saved));
    *out_fd = fd;
    *out_port = bound_port(fd);
    return RC_OK;
}

void server_socket_peer(int fd, char *out, size_t room)
{
    static const char mapped[] = "::ffff:";
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    char text[NI_MAXHOST];
    out[0] = 0;
    if (getpeername(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((const struct sockaddr *)&address, len, text, sizeof text, NULL, 0,
                    NI_NUMERICHOST) != 0)
        return;
    bool is_v4 = strncmp(text, mapped, sizeof mapped - 1) == 0;
    const char *start = is_v4 ? text + sizeof mapped - 1 : text;
    size_t count = strnlen(start, room - 1);
    memcpy(out, start, count);
    out[count] = 0;
}
