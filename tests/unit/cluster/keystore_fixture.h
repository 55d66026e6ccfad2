/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon over TLS with a token and its user, and a key store's front end that asks it. */
#ifndef QHSM_TESTS_UNIT_CLUSTER_KEYSTORE_FIXTURE_H
#define QHSM_TESTS_UNIT_CLUSTER_KEYSTORE_FIXTURE_H

#include "common/keystore.h"
#include "rpc/client.h"
#include "rpc/tls.h"
#include "tests/unit/cluster/harness.h"

#define KEYSTORE_TOKEN    "unit"
#define KEYSTORE_USER     "kmsuser"
#define KEYSTORE_PASSWORD "a password of kmsuser"

#define KEYSTORE_OTHER_SLOT 2U

struct front {
    struct client_config *config;
    struct rpc_client *client;
    struct rpc_reply reply;
    struct buf ticket;
    uint64_t view;     /* of the next requests */
    uint64_t sequence; /* of the last one */
};

struct keystore_fixture {
    struct harness harness;
    OSSL_LIB_CTX *lib;
    struct buf ca;
    struct secret ca_key;
    struct peer_client local; /* an administrator over the socket, logged in as SO */
    struct front front;       /* logged in as KEYSTORE_USER */
};
extern struct keystore_fixture fixture;

/* Daemon, token, user, front end logged in; and the end. */
void fixture_begin(void);
void fixture_end(void);
/* The daemon again, over the same state. */
void fixture_restart(void);
/* Another token, in KEYSTORE_OTHER_SLOT. */
enum rc fixture_other_token(const char *label);
/* A crypto user with KEYSTORE_PASSWORD of the token in that slot. `local` is the SO of the first
 * one again afterwards. */
void fixture_user(uint64_t slot, const char *name);
/* A peer of that role over TLS, without a login. */
void front_open(struct front *front, enum tls_role role, const char *name);
void front_close(struct front *front);

/* The answer's code; its message is front->reply.msg until the next call. Ticket, view and (for a
 * mutation) sequence are filled in. */
enum rc front_call(struct front *front, Qhsm__Request *request, bool is_mutation);
enum rc front_connect(struct front *front, const char *token, const char *user,
                      const char *password);
enum rc front_rotate(struct front *front, const char *password, const char *fresh);
/* ID is 16 bytes made of the label. Handle 0 when refused. */
enum rc front_create(struct front *front, enum keystore_spec spec, enum keystore_use use,
                     const char *label, uint64_t *out_handle);
/* The last reply's key. */
const Qhsm__KeystoreKey *front_key(const struct front *front);
enum rc front_find(struct front *front, const char *label, struct bytes id, uint64_t after,
                   uint32_t limit);
enum rc front_delete(struct front *front, uint64_t handle);

struct front_encrypt {
    uint64_t key;
    enum keystore_algorithm algorithm;
    struct bytes aad, plain;
    uint32_t random_len, pair_spec;
    bool reveal;
};
/* Ciphertext appended; plain and public key in the reply. */
enum rc front_encrypt(struct front *front, const struct front_encrypt *in, struct buf *out);
enum rc front_decrypt(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                      struct bytes aad, struct bytes ciphertext, struct buf *out);
struct front_sealed { /* by KEYSTORE_GCM */
    uint64_t key;
    struct bytes aad, ciphertext;
};
/* To the key, algorithm and associated data of `to`. */
enum rc front_reencrypt(struct front *front, const struct front_sealed *from,
                        const struct front_encrypt *to, struct buf *out);
enum rc front_sign(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                   struct bytes data, bool is_digest, struct buf *out);
enum rc front_verify(struct front *front, uint64_t key, enum keystore_algorithm algorithm,
                     struct bytes data, bool is_digest, struct bytes signature);
enum rc front_agree(struct front *front, uint64_t key, struct bytes peer, struct buf *out);

struct front_change {
    const char *key;
    uint64_t version;
    const char *value; /* NULL: removal */
};
enum rc front_change(struct front *front, const struct front_change *changes, size_t count);
enum rc front_documents(struct front *front, uint64_t since, const char *after);

ProtobufCBinaryData front_data(struct bytes data);

#endif
