/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the roll, several in one effect. */
#include "cluster/roll_internal.h"

void roll_changes_init(struct roll_changes *changes)
{
    changes->count = 0;
    for (size_t i = 0; i < DOCUMENT_CHANGES_MAX; i++)
        changes->values[i] = (struct buf)BUF_INIT_MAX(DOCUMENT_VALUE_MAX);
}

void roll_changes_clear(struct roll_changes *changes)
{
    for (size_t i = 0; i < DOCUMENT_CHANGES_MAX; i++)
        buf_clear(&changes->values[i]);
    changes->count = 0;
}

/* *out_value: where the new value is written; it counts once that is done (commit()). */
static enum rc begin(struct roll_changes *changes, enum document_space space, struct bytes key,
                     uint64_t version, struct buf **out_value)
{
    size_t i = changes->count;
    if (i == DOCUMENT_CHANGES_MAX)
        return rc_fail(RC_LIMIT, "more than %u changes at once", DOCUMENT_CHANGES_MAX);
    if (key.len > sizeof changes->keys[i])
        return rc_fail(RC_INTERNAL, "a key of the roll has %zu bytes", key.len);
    memcpy(changes->keys[i], key.ptr, key.len);
    buf_clear(&changes->values[i]);
    changes->list[i] = (struct document_change){
        .space = space, .key = bytes_of(changes->keys[i], key.len), .expected_version = version};
    *out_value = &changes->values[i];
    return buf_put_u8(*out_value, ROLL_FORMAT);
}

static void commit(struct roll_changes *changes)
{
    size_t i = changes->count++;
    changes->list[i].value = buf_bytes(&changes->values[i]);
}

static enum rc drop(struct roll_changes *changes, enum document_space space, struct bytes key,
                    uint64_t version)
{
    struct buf *value = NULL;
    TRY(begin(changes, space, key, version, &value));
    buf_clear(value);
    changes->list[changes->count].is_removal = true;
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_node(struct roll_changes *changes, const struct roll_node *node)
{
    struct buf *value = NULL;
    uint8_t key[ROLL_NODE_KEY_LEN];
    TRY(begin(changes, DOCUMENT_NODE, roll_key_of(node->id, key), node->version, &value));
    TRY(buf_put_u8(value, (uint8_t)node->status));
    TRY(buf_put_u8(value, (uint8_t)node->wanted));
    TRY(buf_put_u8(value, node->draining ? 1 : 0));
    TRY(buf_put_str(value, node->zone));
    TRY(buf_put_str(value, node->address));
    TRY(buf_put_str(value, node->endpoint));
    TRY(buf_append(value, bytes_of(node->key_hash, sizeof node->key_hash)));
    TRY(buf_append(value, bytes_of(node->point, sizeof node->point)));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_drop_node(struct roll_changes *changes, const struct state *state,
                               const struct roll_node *node)
{
    uint8_t key[ROLL_NODE_KEY_LEN];
    uint8_t position_key[ROLL_KEY_POSITION_LEN];
    struct roll_position position;
    TRY(drop(changes, DOCUMENT_NODE, roll_key_of(node->id, key), node->version));
    if (roll_position(state, node->id, &position) != RC_OK)
        return RC_OK;
    return drop(changes, DOCUMENT_CLUSTER, roll_position_key(node->id, position_key),
                position.version);
}

enum rc roll_changes_token(struct roll_changes *changes, const struct roll_token *token)
{
    struct buf *value = NULL;
    TRY(begin(changes, DOCUMENT_JOIN, bytes_of(token->id, sizeof token->id), token->version,
              &value));
    TRY(buf_put_u8(value, token->approved ? 1 : 0));
    TRY(buf_put_u64(value, token->expires_ms));
    TRY(buf_put_u64(value, token->node));
    TRY(buf_append(value, bytes_of(token->key_hash, sizeof token->key_hash)));
    TRY(buf_append(value, bytes_of(token->point, sizeof token->point)));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_drop_token(struct roll_changes *changes, const struct roll_token *token)
{
    return drop(changes, DOCUMENT_JOIN, bytes_of(token->id, sizeof token->id), token->version);
}

enum rc roll_changes_next_node(struct roll_changes *changes, uint64_t id, uint64_t version)
{
    struct buf *value = NULL;
    TRY(begin(changes, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_COUNTER), version, &value));
    TRY(buf_put_u64(value, id));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_authority(struct roll_changes *changes, const struct seal_keys *keys,
                               const struct roll_authority *authority)
{
    struct buf *value = NULL;
    struct bytes key = bytes_of_str(ROLL_KEY_AUTHORITY);
    AUTO_BUF sealed = BUF_INIT;
    TRY(seal(keys, SEAL_CLUSTER, key, secret_expose(&authority->ca_key_pem), &sealed));
    TRY(begin(changes, DOCUMENT_CLUSTER, key, 0, &value));
    TRY(buf_put_bytes(value, buf_bytes(&authority->ca_pem)));
    TRY(buf_put_bytes(value, buf_bytes(&sealed)));
    TRY(buf_append(value, bytes_of(authority->backup_point, sizeof authority->backup_point)));
    TRY(buf_put_u8(value, (uint8_t)authority->threshold));
    TRY(buf_put_u8(value, (uint8_t)authority->shares));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_wish(struct roll_changes *changes, const struct roll_wish *wish)
{
    struct buf *value = NULL;
    TRY(begin(changes, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_WISH), wish->version, &value));
    TRY(buf_put_u64(value, wish->leader));
    TRY(buf_put_u64(value, wish->time_ms));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_drop_wish(struct roll_changes *changes, const struct roll_wish *wish)
{
    return drop(changes, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_WISH), wish->version);
}

enum rc roll_changes_position(struct roll_changes *changes, const struct roll_position *position)
{
    struct buf *value = NULL;
    uint8_t key[ROLL_KEY_POSITION_LEN];
    TRY(begin(changes, DOCUMENT_CLUSTER, roll_position_key(position->id, key), position->version,
              &value));
    TRY(buf_put_u64(value, position->index));
    commit(changes);
    return RC_OK;
}

enum rc roll_changes_effect(const struct roll_changes *changes, const struct effect_head *head,
                            struct buf *out)
{
    return effect_documents_change(out, head, changes->list, changes->count);
}
