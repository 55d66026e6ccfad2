/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the place of a process that is on its way out. */
#include "common/predecessor.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct sockaddr_in address;
static const struct addrinfo info = {.ai_family = AF_INET,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_addr = (struct sockaddr *)&address,
                                     .ai_addrlen = sizeof address};

/* On a port that is free; the address has it then. */
static int listen_anywhere(void)
{
    socklen_t len = sizeof address;
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = predecessor_listen(&info, true);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return fd;
}

static void *leave_soon(void *context)
{
    const struct timespec rest = {.tv_nsec = 200L * 1000 * 1000};
    const int *fd = context;
    (void)nanosleep(&rest, NULL);
    (void)close(*fd);
    return NULL;
}

static void an_address_that_is_left_in_a_moment_is_taken(void)
{
    pthread_t leaving;
    int old = listen_anywhere();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&leaving, NULL, leave_soon, &old), 0);
    int fd = predecessor_listen(&info, true);
    CU_ASSERT(fd >= 0);
    (void)pthread_join(leaving, NULL);
    (void)close(fd);
}

static void an_address_that_is_not_left_is_refused(void)
{
    int old = listen_anywhere();
    errno = 0;
    CU_ASSERT_EQUAL(predecessor_listen(&info, true), -1);
    CU_ASSERT_EQUAL(errno, EADDRINUSE);
    (void)close(old);
}

/* Asked once: nobody leaves it. */
static void an_address_that_is_not_ours_is_refused_at_once(void)
{
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0xC0000201U)}; /* RFC 5737 */
    errno = 0;
    CU_ASSERT_EQUAL(predecessor_listen(&info, true), -1);
    CU_ASSERT_EQUAL(errno, EADDRNOTAVAIL);
}

static void waiting_has_an_end(void)
{
    unsigned tries = 0, waits = 0;
    while (predecessor_wait(&tries))
        waits++;
    CU_ASSERT_EQUAL(waits, 20);
    CU_ASSERT_FALSE(predecessor_wait(&tries));
}

UNIT_SUITE("predecessor", UNIT_CASE(an_address_that_is_left_in_a_moment_is_taken),
           UNIT_CASE(an_address_that_is_not_left_is_refused),
           UNIT_CASE(an_address_that_is_not_ours_is_refused_at_once),
           UNIT_CASE(waiting_has_an_end));
