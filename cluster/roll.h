/* SPDX-License-Identifier: Apache-2.0 */
/* The roll: members of the cluster as the replicated state has them, its authority and its join
 * tokens. Documents of the state (token/state.h), their encoding, and the changes to propose. */
#ifndef QHSM_CLUSTER_ROLL_H
#define QHSM_CLUSTER_ROLL_H

#include "common/cluster.h"
#include "token/envelope.h"
#include "token/state.h"

struct roll_node {
    uint64_t id;
    char zone[CLUSTER_ZONE_MAX + 1];
    char address[CLUSTER_ADDRESS_MAX + 1];  /* host:port for the other HSMs */
    char endpoint[CLUSTER_ADDRESS_MAX + 1]; /* host:port for clients */
    enum node_status status;
    enum node_wanted wanted;
    bool draining;
    uint8_t key_hash[32];              /* SHA-256 of its SubjectPublicKeyInfo */
    uint8_t point[ENVELOPE_POINT_LEN]; /* its public key */
    uint64_t version;                  /* of the document; 0: new */
};

/* "pending", "approved", "member", "removed", "zeroized". */
const char *roll_status_name(enum node_status status);
/* RC_NOT_FOUND. */
enum rc roll_node(const struct state *state, uint64_t id, struct roll_node *out);
/* Ascending ids; at most `max`; returns how many. */
size_t roll_nodes(const struct state *state, struct roll_node *out, size_t max);
/* Was `cluster init` done? Any thread. */
bool roll_is_formed(const struct state *state);
/* May it speak as a node of the cluster: approved or member, or not on the roll while the cluster
 * is not formed. Cheap. Any thread. */
bool roll_admits(const struct state *state, uint64_t id);
/* Is it known to be removed or zeroized, or removed and forgotten? Of a number that the roll here
 * has not come to: no, it may be old. Cheap. Any thread. */
bool roll_is_removed(const struct state *state, uint64_t id);

struct roll_authority {
    struct buf ca_pem;
    struct secret ca_key_pem;
    uint8_t backup_point[ENVELOPE_POINT_LEN]; /* public half of the backup key */
    unsigned threshold, shares;
};
#define ROLL_AUTHORITY_INIT                                                         \
    {                                                                               \
        .ca_pem = BUF_INIT, .threshold = 0, .ca_key_pem = SECRET_INIT, .shares = 0, \
    }
/* RC_NOT_FORMED. Without `keys` the CA's key stays closed, and ca_key_pem empty. */
enum rc roll_authority(const struct state *state, const struct seal_keys *keys,
                       struct roll_authority *out);
void roll_authority_clear(struct roll_authority *authority);

#define ROLL_TOKEN_ID_LEN 16U

/* A join token, as long as it is remembered. */
struct roll_token {
    uint8_t id[ROLL_TOKEN_ID_LEN];
    uint8_t key_hash[32];
    uint8_t point[ENVELOPE_POINT_LEN];
    uint64_t expires_ms;
    bool approved; /* whoever uses it is approved at once */
    uint64_t node; /* that it made; 0: not used yet */
    uint64_t version;
};
/* Its id as the name of a joiner's certificate, and back; false when it is none. */
#define ROLL_TOKEN_NAME_LEN (2 * ROLL_TOKEN_ID_LEN)
void roll_token_name(const uint8_t id[ROLL_TOKEN_ID_LEN], char out[ROLL_TOKEN_NAME_LEN + 1]);
bool roll_token_id(const char *name, uint8_t out[ROLL_TOKEN_ID_LEN]);
/* RC_NOT_FOUND. */
enum rc roll_token(const struct state *state, const uint8_t id[ROLL_TOKEN_ID_LEN],
                   struct roll_token *out);
/* At most `max`; returns how many there are. */
size_t roll_tokens(const struct state *state, struct roll_token *out, size_t max);

/* A number of the next member, and the version of its document (0: none yet). */
enum rc roll_next_node(const struct state *state, uint64_t *out_id, uint64_t *out_version);

/* Somebody asked that another HSM lead; the one that leads sees to it. */
struct roll_wish {
    uint64_t leader; /* 0: any other */
    uint64_t time_ms;
    uint64_t version;
};
/* RC_NOT_FOUND. */
enum rc roll_wish(const struct state *state, struct roll_wish *out);

/* How far a member's log was known to reach when it fell silent: entries that it had stored and
 * that were committed, which no leader can have taken from it. */
struct roll_position {
    uint64_t id;
    uint64_t index; /* of the log */
    uint64_t version;
};
/* RC_NOT_FOUND. */
enum rc roll_position(const struct state *state, uint64_t id, struct roll_position *out);

/* ---- several changes in one effect, all or none */

struct roll_changes {
    struct document_change list[DOCUMENT_CHANGES_MAX];
    uint8_t keys[DOCUMENT_CHANGES_MAX][16];
    struct buf values[DOCUMENT_CHANGES_MAX];
    size_t count;
};
void roll_changes_init(struct roll_changes *changes);
void roll_changes_clear(struct roll_changes *changes);
static inline void roll_changes_auto_clear(struct roll_changes *changes)
{
    roll_changes_clear(changes);
}
#define AUTO_ROLL_CHANGES __attribute__((cleanup(roll_changes_auto_clear))) struct roll_changes

/* Each RC_LIMIT when there are too many. `version` in what is given: that which is replaced. */
enum rc roll_changes_node(struct roll_changes *changes, const struct roll_node *node);
/* A removed one makes room for another; its position goes too. */
enum rc roll_changes_drop_node(struct roll_changes *changes, const struct state *state,
                               const struct roll_node *node);
enum rc roll_changes_token(struct roll_changes *changes, const struct roll_token *token);
enum rc roll_changes_drop_token(struct roll_changes *changes, const struct roll_token *token);
enum rc roll_changes_next_node(struct roll_changes *changes, uint64_t id, uint64_t version);
/* A new one. */
enum rc roll_changes_authority(struct roll_changes *changes, const struct seal_keys *keys,
                               const struct roll_authority *authority);
enum rc roll_changes_wish(struct roll_changes *changes, const struct roll_wish *wish);
enum rc roll_changes_drop_wish(struct roll_changes *changes, const struct roll_wish *wish);
enum rc roll_changes_position(struct roll_changes *changes, const struct roll_position *position);
enum rc roll_changes_effect(const struct roll_changes *changes, const struct effect_head *head,
                            struct buf *out);

#endif
