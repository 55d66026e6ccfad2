/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the listeners share: callers and what watches them, TLS, sockets. */
#ifndef QHSM_KMS_SERVER_INTERNAL_H
#define QHSM_KMS_SERVER_INTERNAL_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kms/http.h"
#include "kms/server.h"

#define SERVER_SUBJECT_MAX 256U

/* ---- server_tls.c: what is read from the files of the configuration; shared by reference. */

struct server_tls;
enum rc server_tls_new(const struct kms_config *config, struct server_tls **out);
struct server_tls *server_tls_ref(struct server_tls *tls);
void server_tls_unref(struct server_tls *tls);

struct caller;
/* Before the handshake: certificates, and the check of the caller's. */
void server_tls_attach(struct caller *caller, gnutls_session_t session);
/* After it: version, cipher and the caller's common name, for its requests. */
void server_tls_describe(struct caller *caller, gnutls_session_t session);
/* TLS versions and ciphers, for GnuTLS. */
extern const char server_tls_priorities[];

/* ---- server_socket.c */

/* RC_CONFIG. */
enum rc server_socket_listen(const char *key, const char *address, int *out_fd, unsigned *out_port);
/* Numeric, an IPv4 address as such. */
void server_socket_peer(int fd, char *out, size_t room);

/* ---- server_watch.c: connections, and the thread that ends those that take too long. */

enum caller_state {
    CALLER_WAITING, /* for the first byte of a request, or for the rest of its first line */
    CALLER_READING,
    CALLER_WORKING,
    CALLER_ANSWERING,
};

/* A connection. Its own thread alone uses it, but for what is atomic. */
struct caller {
    struct caller *previous, *next;
    struct server_tls *tls; /* NULL: HTTP */
    int fd;
    _Atomic int state;
    _Atomic uint64_t since_ms;
    _Atomic uint64_t accepted_ms; /* when its last request was accepted, or it came */
    bool is_ended;                /* by the watch, and gone soon */
    char peer[64];
    bool is_described;
    char tls_version[16];
    char tls_cipher[64];
    char subject[SERVER_SUBJECT_MAX];
    /* of the request */
    struct buf target; /* as sent, NUL-terminated */
    struct buf body;
    size_t dropped; /* bytes of a body that is too large */
    bool is_begun;
    struct http_answer answer;
};

struct server_watch;
enum rc server_watch_new(const struct kms_config *config, struct server_watch **out);
/* When no caller is left. */
void server_watch_free(struct server_watch *watch);
/* When there is no room, the one that waits or reads and has had no request accepted for the
 * longest time gives way. */
void server_watch_add(struct server_watch *watch, struct caller *caller);
void server_watch_remove(struct server_watch *watch, struct caller *caller);
void server_watch_state(struct caller *caller, enum caller_state state);
void server_watch_accepted(struct caller *caller);
/* How many have a request under way. */
size_t server_watch_busy(struct server_watch *watch);

#endif
