/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the key store's client share: its state, and calls that log in again. */
#ifndef QHSM_KMS_HSM_CLIENT_INTERNAL_H
#define QHSM_KMS_HSM_CLIENT_INTERNAL_H

#include <pthread.h>

#include "kms/hsm_client.h"
#include "rpc/client_clock.h"
#include "rpc/wire.h"

struct hsm_client {
    struct client_config *config;
    struct rpc_client *rpc;
    char *token;
    char *user;
    pthread_mutex_t login; /* one thread logs in, the others wait; guards the next four */
    bool has_password;
    struct secret password;
    enum rc refused; /* why the last login failed; RC_OK: it did not */
    instant refused_at;
    pthread_rwlock_t lock; /* guards the rest */
    uint64_t generation;   /* of the ticket: another number after each login */
    size_t ticket_len;     /* 0: none */
    uint8_t ticket[WIRE_TICKET_MAX];
};

/* An answer that clears itself. */
struct hsm_answer {
    struct hsm_client *client;
    struct rpc_reply reply;
};
void hsm_answer_clear(struct hsm_answer *answer);
#define AUTO_ANSWER __attribute__((cleanup(hsm_answer_clear))) struct hsm_answer
#define HSM_ANSWER_INIT                               \
    {                                                 \
        .client = NULL, .reply = {.msg = NULL, NULL } \
    }

/* A view for packing, which only reads. */
ProtobufCBinaryData hsm_client_binary(struct bytes data);
/* The same for text; NULL becomes "". */
char *hsm_client_text(const char *text);
static inline struct bytes hsm_client_bytes(const ProtobufCBinaryData *data)
{
    return bytes_of(data->data, data->len);
}

/* Sends with the login's ticket and waits; logs in anew when the ticket is void. RC_PROTOCOL when
 * an answer without error has another body than `body`. */
enum rc hsm_client_call(struct hsm_client *client, Qhsm__Request *request,
                        Qhsm__Response__BodyCase body, struct hsm_answer *out);
/* Without a login: what every holder of a keystore certificate may ask. */
enum rc hsm_client_ask(struct hsm_client *client, Qhsm__Request *request,
                       Qhsm__Response__BodyCase body, struct hsm_answer *out);
/* The same as the first for what changes the cluster's state: under a number of its own, so that it
 * is done once. */
enum rc hsm_client_change(struct hsm_client *client, Qhsm__Request *request,
                          Qhsm__Response__BodyCase body, struct hsm_answer *out);

#endif
