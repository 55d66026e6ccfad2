/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking client: connections to HSM daemons in a pool, deadlines, reconnect and failover; no
 * thread of its own, no signal touched, nothing of the host's OpenSSL used. */
#ifndef QHSM_RPC_CLIENT_H
#define QHSM_RPC_CLIENT_H

#include "common/config.h"
#include "common/rc.h"
#include "common/secret.h"
#include "rpc/frame.h"

/* What a child of fork finds (docs/client.md). In the order of the choices of the key `fork`. */
enum client_fork { CLIENT_FORK_REINITIALIZE, CLIENT_FORK_INHERIT };
/* What a read sees, in the order of the choices of the key `read`: what this client has seen or
 * made before, or every change acknowledged anywhere. */
enum client_read { CLIENT_READ_SEEN, CLIENT_READ_LINEARIZABLE };

/* client.conf as read; certificates and key are held by content, so that a forked child under
 * lesser rights can use them. Keys of the file: rpc/client_config.c's table (also the man page). */
struct client_config {
    struct config_list endpoints; /* "unix:/path" or "tcp:host:port" with optional "?zone=a"; in
                                     order of preference, unless `zone` is given */
    char *zone;
    char *ca; /* PEM files, for tcp */
    char *cert;
    char *key;
    char *token;                      /* label, for the command line's default */
    unsigned long connect_timeout_ms; /* 2000 */
    unsigned long call_timeout_ms;    /* 10000 */
    unsigned long attempt_timeout_ms; /* 1000; at most a third of the call's */
    unsigned long hedge_ms;           /* 0: off */
    unsigned long pool_max;           /* 64 connections */
    int fork_policy;                  /* enum client_fork */
    int read;                         /* enum client_read */
    char *trace;
    bool hash_locally; /* the module digests long data itself; yes */
    bool is_hasty;     /* not in the file: a daemon that is not there is not waited for */
    const char *peer;  /* nor this: number of the HSM that is to answer over TLS; NULL: any */
    /* contents, filled by client_config_load */
    struct buf ca_pem;
    struct buf cert_pem;
    struct secret key_pem;
    char *path; /* where it was read */
};

/* `path` NULL: QHSM_CONF, then ~/.config/qhsm/client.conf, then /etc/qhsm/client.conf; RC_CONFIG
 * names what was tried, a malformed endpoint, or a file that cannot be read. */
enum rc client_config_load(const char *path, struct client_config **out);
void client_config_free(struct client_config *config);
/* The table of keys, for --help and the man page. */
const struct config_key *client_config_keys(size_t *out_count);

struct rpc_client;

/* Borrows config for its whole life. `application`: 16 random bytes. Opens no connection and calls
 * no libcrypto yet. */
enum rc rpc_client_new(const struct client_config *config, const char *client_name,
                       const uint8_t application[16], struct rpc_client **out);
/* Closes every connection, politely where that cannot block. No call may be under way. Leaves
 * libcrypto's memory alone when OPENSSL_cleanup() has run before. */
void rpc_client_free(struct rpc_client *client);
/* In a child after fork: closes the inherited descriptors without a byte sent (the parent's TLS
 * sessions go on). Takes no lock and frees nothing, since a thread of the parent may have been
 * anywhere in it; what remains is kept on a list, out of use. */
void rpc_client_abandon(struct rpc_client *client);

/* Closes idle connections to other HSMs than `node` (0: to all): after a logout there, so that none
 * of them takes this client for logged in. */
void rpc_client_keep(struct rpc_client *client, uint64_t node);

/* Starts with what another client of the same configuration knows: the highest index seen, of which
 * cluster, that there are HSMs to wait for, and which endpoints are in trouble. `from` may be one
 * of the process that forked us. */
void rpc_client_learn(struct rpc_client *client, const struct rpc_client *from);

/* A decoded answer with its memory. */
struct rpc_reply {
    Qhsm__Response *msg;
    struct arena *arena;
};
/* Returns the arena to the client's pool. Safe on an empty reply. */
void rpc_reply_clear(struct rpc_client *client, struct rpc_reply *reply);

/* How a call may be repeated when its connection breaks after it was sent. */
enum rpc_repeat {
    RPC_REPEAT_SAFE,     /* reads, signatures, and mutations with a sequence */
    RPC_REPEAT_FAREWELL, /* as SAFE, but a daemon that is not there is not waited for */
    RPC_REPEAT_NEVER,    /* parts of multi-part operations: RC_OPERATION_LOST when the connection
                            breaks */
};

/* Sends request (id, seen_index, deadline_ms are filled in) and waits. Returns the transport's
 * error or, when an answer came, rc_from_wire(answer) with the answer's detail as rc_detail().
 * `out` holds the message in both of these cases and is empty after a transport error. Any thread;
 * concurrent calls use connections of their own.
 */
enum rc rpc_call(struct rpc_client *client, Qhsm__Request *request, enum rpc_repeat repeat,
                 struct rpc_reply *out);
/* As rpc_call, always on the daemon that *pin names (0: any, and *pin is set). Operation numbers
 * are the daemon's, valid on each of its connections of the same application. */
enum rc rpc_call_pinned(struct rpc_client *client, Qhsm__Request *request, enum rpc_repeat repeat,
                        uint64_t *pin, struct rpc_reply *out);
/* Next sequence for a mutation. */
uint64_t rpc_sequence(struct rpc_client *client);
/* Highest applied index seen. */
uint64_t rpc_seen_index(const struct rpc_client *client);
/* What has been seen, to outlive a client: a new one of the same process goes on from there. */
struct rpc_seen {
    uint64_t index;
    uint8_t cluster[16]; /* zero: not known */
};
void rpc_client_seen(const struct rpc_client *client, struct rpc_seen *out);
void rpc_client_see(struct rpc_client *client, const struct rpc_seen *seen);

/* What `qhsm doctor` wants to know of one endpoint: connects, says hello, measures. */
struct rpc_probe {
    enum rc rc;
    char detail[256];
    char release[64];
    uint64_t node;
    uint64_t connect_us;
    uint64_t round_trip_us;
    int64_t certificate_expires_s; /* of the server; 0 for unix */
};
void rpc_probe(const struct client_config *config, const char *endpoint, struct rpc_probe *out);
/* When the configuration's own certificate ends, in seconds of the epoch. RC_TLS tells why it is
 * none, or does not fit its key. */
enum rc rpc_own_certificate(const struct client_config *config, int64_t *out_expires_s);

#endif
