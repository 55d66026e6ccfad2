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
    _Atomic(enum manners) manners;
    atomic_uint answer_rc;
    atomic_ulong applied_index;
    atomic_uint delay_ms;
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
    unsigned thread_count;
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

/* A client for these endpoints, with short timeouts (connect 300 ms, call 600 ms). */
struct fake_client {
    struct client_config config;
    char *endpoints[8];
    struct rpc_client *rpc;
};
void fake_client_init(struct fake_client *client, struct fake_hsm *const *hsms, size_t count);
void fake_client_clear(struct fake_client *client);
/* A crypt request of len bytes; checks the echo when it is answered. */
enum rc fake_client_crypt(struct fake_client *client, enum rpc_repeat repeat, uint64_t *pin,
                          size_t len);
uint64_t now_ms(void);

#endif
