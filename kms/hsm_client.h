/* SPDX-License-Identifier: Apache-2.0 */
/* The key store service of one cluster (rpc/keystore.proto): login as the front end's user, backing
 * keys and their use, documents. Logs in again by itself when its ticket has run out. Any thread.
 */
#ifndef QHSM_KMS_HSM_CLIENT_H
#define QHSM_KMS_HSM_CLIENT_H

#include "common/keystore.h"
#include "common/secret.h"
#include "rpc/client.h"

struct hsm_client;

struct hsm_client_config {
    const char *conf;  /* a client.conf with a certificate of role keystore */
    const char *token; /* label */
    const char *user;  /* "kmsuser" */
};

enum rc hsm_client_new(const struct hsm_client_config *config, struct hsm_client **out);
void hsm_client_free(struct hsm_client *client);
/* Sets the password and logs in. RC_NOT_FOUND (token or user), RC_PIN_INCORRECT, RC_PIN_LOCKED,
 * RC_USER_DISABLED, RC_UNAVAILABLE ... */
enum rc hsm_client_connect(struct hsm_client *client, const struct secret *password);
/* A new password for the user, which the caller has noted down before: a crash at any moment then
 * loses neither. Stays connected. */
enum rc hsm_client_rotate_to(struct hsm_client *client, const struct secret *fresh);
void hsm_client_disconnect(struct hsm_client *client);
/* The cluster that answered last; zero: not known yet. */
void hsm_client_cluster(const struct hsm_client *client, uint8_t out[16]);

#define HSM_LABEL_MAX 64U
#define HSM_ID_LEN    16U
struct hsm_key {
    uint64_t handle;
    enum keystore_spec spec;
    enum keystore_use use;
    char label[HSM_LABEL_MAX + 1];
    uint8_t id[HSM_ID_LEN];
    uint8_t material[32];
    struct buf public_der;
};
void hsm_key_clear(struct hsm_key *key);

/* `view`: index of the view that the decision rests on, 0: none; RC_VIEW_OLD. `key`: a handle;
 * RC_OBJECT_HANDLE when it is gone. */
enum rc hsm_create(struct hsm_client *client, enum keystore_spec spec, enum keystore_use use,
                   const char *label, const uint8_t id[HSM_ID_LEN], struct hsm_key *out);
typedef bool (*hsm_key_visit)(void *context, const struct hsm_key *key);
/* label "" and id NULL: all. */
enum rc hsm_find(struct hsm_client *client, const char *label, const uint8_t *id,
                 hsm_key_visit visit, void *context);
enum rc hsm_delete(struct hsm_client *client, uint64_t handle);

struct hsm_encrypt {
    uint64_t view;
    uint64_t key;
    enum keystore_algorithm algorithm;
    struct bytes aad;
    struct bytes plain;  /* or else: */
    uint32_t random_len; /* a data key, or else: */
    uint32_t pair_spec;  /* a data key pair, enum keystore_spec */
    bool reveal;
};
/* out_plain and out_public_der may be NULL where nothing comes. Appends. */
enum rc hsm_encrypt(struct hsm_client *client, const struct hsm_encrypt *in, struct buf *out,
                    struct secret *out_plain, struct buf *out_public_der);
struct hsm_decrypt {
    uint64_t view;
    uint64_t key;
    enum keystore_algorithm algorithm;
    struct bytes aad;
    struct bytes ciphertext;
};
/* RC_ENCRYPTED_DATA for what does not open. */
enum rc hsm_decrypt(struct hsm_client *client, const struct hsm_decrypt *in, struct secret *out);
/* `to`: plain and what is fresh are not looked at. */
enum rc hsm_reencrypt(struct hsm_client *client, const struct hsm_decrypt *from,
                      const struct hsm_encrypt *to, struct buf *out);
struct hsm_sign {
    uint64_t view;
    uint64_t key;
    enum keystore_algorithm algorithm; /* of signing, or MAC */
    struct bytes data;
    bool is_digest;
};
enum rc hsm_sign(struct hsm_client *client, const struct hsm_sign *in, struct buf *out);
/* RC_SIGNATURE_INVALID, RC_SIGNATURE_LEN for one that is not right. */
enum rc hsm_verify(struct hsm_client *client, const struct hsm_sign *in, struct bytes signature);
enum rc hsm_agree(struct hsm_client *client, uint64_t view, uint64_t key, struct bytes peer_der,
                  struct secret *out);
struct hsm_import {
    uint64_t wrapping;
    enum keystore_algorithm algorithm;
    struct bytes wrapped;
    enum keystore_spec spec;
    enum keystore_use use;
    const char *label;
    const uint8_t *id;
    struct bytes material; /* not empty: RC_CONFLICT for another value */
};
enum rc hsm_import(struct hsm_client *client, const struct hsm_import *in, struct hsm_key *out);
enum rc hsm_random(struct hsm_client *client, uint64_t view, size_t len, struct secret *out);

#define HSM_ZONES_MAX 64U
struct hsm_health {
    uint8_t cluster[16];
    struct buf ca_pem;
    bool has_quorum;
    size_t count;
    struct {
        uint64_t node;
        char zone[33];
        bool active;
    } hsms[HSM_ZONES_MAX];
};
void hsm_health_clear(struct hsm_health *health);
/* Needs no login. */
enum rc hsm_health(struct hsm_client *client, struct hsm_health *out);

/* On how many client connections, at all HSMs that answer, somebody is logged in as the user: the
 * key stores' front ends are not counted. Needs no login. */
enum rc hsm_logins(struct hsm_client *client, uint32_t *out);

/* Binds the documents to this login's token and user, if they are nobody's. RC_NOT_OWNER: they are
 * another's. */
enum rc hsm_claim(struct hsm_client *client);
/* Of the view. Ownership of the reply: rpc_reply_clear() by hsm_client_done(). */
enum rc hsm_documents(struct hsm_client *client, uint64_t since, const char *after,
                      struct rpc_reply *out);
/* RC_CONFLICT, RC_VIEW_OLD (what it rests on is another by now), RC_LIMIT. */
enum rc hsm_change(struct hsm_client *client, Qhsm__KeystoreChangeRequest *change,
                   uint64_t *out_index);
void hsm_client_done(struct hsm_client *client, struct rpc_reply *reply);

#endif
