/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting: signals in the middle, and names with several addresses of which one is dead. */
#include "rpc/client_endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define LATE_MS 300L

/* Each has its share of the time: a twentieth of a second at first, for the dead one. */
#define ADDRESSES  600U
#define CONNECT_MS 30000U

static struct sockaddr_in addresses[2];
static struct addrinfo infos[ADDRESSES];

/* Takes the place of the resolver's: every name has the first address once and the second often. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)node;
    (void)service;
    (void)hints;
    for (size_t i = 0; i < ADDRESSES; i++) {
        infos[i] = (struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
        infos[i].ai_addrlen = sizeof addresses[0];
        infos[i].ai_addr = (struct sockaddr *)&addresses[i == 0 ? 0 : 1];
        infos[i].ai_next = i + 1 < ADDRESSES ? &infos[i + 1] : NULL;
    }
    *out = infos;
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    (void)info;
}

static int listen_tcp(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)address, len), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 0), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

/* Connections that nobody accepts, so that the next one waits. */
static void fill(int fds[4], const struct sockaddr *address, socklen_t len)
{
    for (size_t i = 0; i < 4; i++) {
        fds[i] = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], address, len);
    }
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

static void dead_address_leaves_time_for_the_next(void)
{
    struct endpoint endpoint;
    UNIT_OK(endpoint_parse("tcp:hsm.example:7761", &endpoint));
    int listeners[2] = {listen_tcp(&addresses[0]), listen_tcp(&addresses[1])};
    int fds[4];
    fill(fds, (struct sockaddr *)&addresses[0], sizeof addresses[0]);
    const struct endpoint_options options = {
        .deadline = clock_after_ms(clock_now(), CONNECT_MS), .receive_ms = 100, .dead_ms = 600};
    atomic_int fd = -1;
    UNIT_OK(endpoint_connect(&endpoint, &options, &fd));
    CU_ASSERT(clock_now() < options.deadline);
    endpoint_close(&fd);
    close_all(fds, 4);
    close_all(listeners, 2);
    endpoint_clear(&endpoint);
}

static void on_alarm(int number)
{
    (void)number;
}

static void alarms(long every_us)
{
    const struct sigaction catch = {.sa_handler = on_alarm};
    (void)sigaction(SIGALRM, &catch, NULL);
    const struct itimerval timer = {.it_interval.tv_usec = every_us, .it_value.tv_usec = every_us};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void *accept_late(void *arg)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    const struct timespec late = {.tv_nsec = LATE_MS * 1000000L};
    (void)nanosleep(&late, NULL);
    (void)accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
    return NULL;
}

static void signal_does_not_pass_for_a_connection(void)
{
    char directory[96]; /* a Unix socket's path is short */
    unit_directory(directory, sizeof directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[128];
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    (void)snprintf(text, sizeof text, "unix:%s", address.sun_path);
    struct endpoint endpoint;
    UNIT_OK(endpoint_parse(text, &endpoint));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 0), 0);
    int fds[4];
    fill(fds, (struct sockaddr *)&address, sizeof address);
    pthread_t thread;
    (void)pthread_create(&thread, NULL, accept_late, &listener);
    alarms(20000);
    const struct endpoint_options options = {
        .deadline = clock_after_ms(clock_now(), CONNECT_MS), .receive_ms = 100, .dead_ms = 5000};
    atomic_int fd = -1;
    UNIT_OK(endpoint_connect(&endpoint, &options, &fd));
    alarms(0);
    struct sockaddr_un peer;
    socklen_t len = sizeof peer;
    CU_ASSERT_EQUAL(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    endpoint_close(&fd);
    (void)pthread_join(thread, NULL);
    close_all(fds, 4);
    (void)close(listener);
    (void)unlink(address.sun_path);
    (void)rmdir(directory);
    endpoint_clear(&endpoint);
}

UNIT_SUITE("rpc/client_endpoint", UNIT_CASE(dead_address_leaves_time_for_the_next),
           UNIT_CASE(signal_does_not_pass_for_a_connection));
