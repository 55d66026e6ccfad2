/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon in a directory of its own, in this process or a forked one, and a client that can send
 * anything. */
#ifndef QHSM_TESTS_UNIT_CLUSTER_HARNESS_H
#define QHSM_TESTS_UNIT_CLUSTER_HARNESS_H

#include <sys/types.h>

#include "cluster/server.h"
#include "rpc/frame.h"
#include "rpc/wire.h"

#define HARNESS_CLUSTER  "6f1d2c3a-0000-4000-8000-0000000000e1"
#define HARNESS_SO_PIN   "12345678"
#define HARNESS_USER_PIN "87654321"
#define HARNESS_SLOT     1U

struct harness {
    char dir[64];
    struct server_config config;
    struct server *server; /* in this process */
    pid_t child;           /* or in this one */
    bool has_peers;        /* its clients ask again what it refuses for want of a leader */
};

/* Makes directory, unlock key and configuration; nothing runs yet. */
void harness_init(struct harness *harness);
void harness_clear(struct harness *harness);
/* Sets a string of the configuration (which owns it). */
void harness_set(char **field, const char *value);

/* Joins first, when its state directory has a ticket. */
enum rc harness_start(struct harness *harness);
void harness_stop(struct harness *harness);
/* In a child process; returns when it serves. */
void harness_fork(struct harness *harness);
/* SIGKILL, and waits for the end. */
void harness_kill(struct harness *harness);
/* SIGTERM; its exit status, or 128 + signal. */
int harness_end(struct harness *harness);
/* In a process of its own: an ended daemon's exit status, or 128 + signal. */
int harness_run_to_end(struct harness *harness);

struct peer_client {
    int fd;
    struct arena *arena;
    struct buf in;
    size_t consumed; /* of `in`, by the last answer */
    uint8_t application[16];
    struct buf ticket;
    uint64_t id;
    uint64_t sequence;
    uint64_t seen;
    bool linearizable; /* its reads */
    bool insists;      /* asks again while there is no leader, which a busy machine may lose */
};

/* Connects to the Unix socket; no hello yet. */
void client_open(struct peer_client *client, const struct harness *harness);
void client_close(struct peer_client *client);
void client_send_raw(struct peer_client *client, struct bytes data);
/* Fills in id, ticket, seen_index and (when `sequence` is set to 1 by the caller) the next
 * sequence. */
void client_send(struct peer_client *client, Qhsm__Request *request);
/* NULL when the daemon closed. Valid until the next. */
Qhsm__Response *client_receive(struct peer_client *client);
Qhsm__Response *client_call(struct peer_client *client, Qhsm__Request *request);
/* The answer's code; RC_UNAVAILABLE when the daemon closed. */
enum rc client_rc(const Qhsm__Response *response);
/* True as soon as the daemon closes. */
bool client_is_closed(struct peer_client *client);

enum rc client_hello(struct peer_client *client);
enum rc client_init_token(struct peer_client *client);
enum rc client_login(struct peer_client *client, CK_USER_TYPE type, const char *pin);
enum rc client_login_at(struct peer_client *client, uint64_t slot, CK_USER_TYPE type,
                        const char *pin);
/* Token with a user; the client is logged in as that user. */
void client_ready(struct peer_client *client, const struct harness *harness);
/* As another client of a token that client_ready() made. */
void client_join(struct peer_client *client, const struct harness *harness);
/* A data object of the token; its handle, or 0. */
uint64_t client_create_data(struct peer_client *client, const char *label, enum rc *out_rc);
/* Handles of objects with that label. */
size_t client_find_label(struct peer_client *client, const char *label);
/* AES-256 key of the token; its handle, or 0. */
uint64_t client_generate_aes(struct peer_client *client, bool token_object);
/* Of the token's policy; 0: it was refused. */
uint64_t client_policy_epoch(struct peer_client *client);
/* One setting of it (common/policy_settings.h), as security officer. */
enum rc client_set_policy(struct peer_client *client, uint64_t epoch, uint32_t setting,
                          uint64_t value);
/* EC key pair P-256; the private key's handle. */
uint64_t client_generate_p256(struct peer_client *client);

#endif
