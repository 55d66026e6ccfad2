/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon for tests of the client: real sockets, a thread a connection, and bad manners on demand.
 */
#ifndef QHSM_TESTS_RPC_FAKE_HSM_H
#define QHSM_TESTS_RPC_FAKE_HSM_H

#include <pthread.h>
#include <stdatomic.h>

#include "rpc/client.h"
#include "tests/unit/rpc/credentials.h"

/* What happens to a request other than hello (or to the hello itself, for the first group). */
enum manners {
    /* to the hello */
    HSM_MUTE_AT_HELLO, /* reads and never answers */
    HSM_REFUSES_HELLO, /* RC_OVERLOADED */
    HSM_OTHER_VERSION,
    HSM_GARBAGE_AT_HELLO,
    HSM_PAUSED, /* connections are taken, nothing is answered */
    /* to the rest */
    HSM_ANSWERS, /* crypt: echoes the data; others: no body; with rc `answer_rc` */
    HSM_MUTE,
    HSM_HANGS_UP,       /* without an answer */
    HSM_HANGS_UP_ONCE,  /* the same for the first request only */
    HSM_BREAKS_OFF,     /* in the middle of an answer */
    HSM_TRICKLES,       /* a byte every 20 ms */
    HSM_ANNOUNCES_MORE, /* a frame larger than any limit */
    HSM_WRONG_ID,
    HSM_TALKS_TWICE,
    HSM_SAYS_NOTHING_NEW, /* bytes that are no protobuf */
    HSM_REFUSES_UNREAD,   /* an answer with id 0 */
};

#define FAKE_CONNS_MAX 64

struct fake_hsm {
    uint64_t node;
    uint8_t cluster; /* its id begins with this and is zero otherwise; 0: the hello has none */
    _Atomic(enum manners) manners;
    atomic_uint answer_rc;
    atomic_ulong applied_index;
    atomic_uint delay_ms; /* ends at once for who is in hand, too, when it is taken back */
    atomic_bool forgets_tls;
    /* what was seen */
    atomic_uint accepted;
    atomic_uint served;
    atomic_uint at_once; /* most requests in hand at one time */
    atomic_ulong last_sequence;
    atomic_ulong last_seen_index;
    atomic_uint last_deadline_ms;
    atomic_uint goodbyes; /* connections that ended with TLS's close_notify */
    /* inside */
    char endpoint[160];
    char path[108];
    atomic_int listener;
    atomic_bool stopping;
    SSL_CTX *tls;
    pthread_t thread;
    atomic_uint in_hand;
    atomic_int fds[FAKE_CONNS_MAX];
    pthread_t threads[FAKE_CONNS_MAX];
    atomic_uint thread_count;
};

/* On a Unix socket of its own in a temporary directory. Can be started again after a stop, on the
 * same path. */
void fake_hsm_start(struct fake_hsm *hsm, uint64_t node);
/* On TCP with TLS. */
void fake_hsm_start_tls(struct fake_hsm *hsm, uint64_t node, struct test_ca *ca,
                        const struct credentials *credentials);
/* Cuts every connection. */
void fake_hsm_stop(struct fake_hsm *hsm);
void fake_hsm_restart(struct fake_hsm *hsm);
/* Cuts the connections and goes on listening. */
void fake_hsm_cut(struct fake_hsm *hsm);

/* A machine may pause for seconds, between any two lines of a test. So what must not happen takes
 * much longer than what happens soon: a call ends after FAKE_LONG_MS, an HSM is left after a third
 * of that, and one that is down is waited for half of it. */
#define FAKE_LONG_MS 90000U
#define FAKE_SOON_MS 20000U

/* A client for these endpoints, all of whose timeouts are long. */
struct fake_client {
    struct client_config config;
    char *endpoints[8];
    char texts[8][200];
    struct rpc_client *rpc;
};
/* An HSM and its zone, NULL: none is told. */
struct fake_place {
    struct fake_hsm *hsm;
    const char *zone;
};
/* The same in zones; `zone` is the client's own. */
void fake_client_init_zones(struct fake_client *client, const struct fake_place *places,
                            size_t count, const char *zone);
void fake_client_init(struct fake_client *client, struct fake_hsm *const *hsms, size_t count);
void fake_client_clear(struct fake_client *client);
/* A crypt request of len bytes; checks the echo when it is answered. */
enum rc fake_client_crypt(struct fake_client *client, enum rpc_repeat repeat, uint64_t *pin,
                          size_t len);
/* A mutation under a sequence of its own, which it returns. */
enum rc fake_client_mutate(struct fake_client *client, uint64_t *out_sequence);
uint64_t now_ms(void);
/* Waits for long, if need be, until so many were counted. */
bool fake_hsm_comes_to(const atomic_uint *counter, unsigned least);
/* From `since_ms` on it took that long, or a little less by rounding, and no long timeout. */
void fake_client_check_took(uint64_t since_ms, uint64_t least_ms);
/* How often a client that rests twice as long each time tries again within `ms`. */
unsigned fake_client_tries_in(uint64_t ms);

#endif
