/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the roll. Every value begins with a format byte; little-endian (common/buf.h). */
#include "cluster/roll.h"

#include <inttypes.h>

#include "cluster/roll_internal.h"

static const char *const status_names[] = {
    [NODE_PENDING] = "pending", [NODE_APPROVED] = "approved", [NODE_MEMBER] = "member",
    [NODE_REMOVED] = "removed", [NODE_ZEROIZED] = "zeroized",
};

const char *roll_status_name(enum node_status status)
{
    bool is_known = status >= NODE_PENDING && status < NODE_STATUS_END;
    return is_known ? status_names[status] : "unknown";
}

/* Big-endian, so that keys ascend as numbers do. */
struct bytes roll_key_of(uint64_t id, uint8_t out[ROLL_NODE_KEY_LEN])
{
    for (size_t i = 0; i < ROLL_NODE_KEY_LEN; i++)
        out[i] = (uint8_t)(id >> (8 * (ROLL_NODE_KEY_LEN - 1 - i)));
    return bytes_of(out, ROLL_NODE_KEY_LEN);
}

static uint64_t id_of(struct bytes key)
{
    uint64_t id = 0;
    for (size_t i = 0; i < key.len; i++)
        id = id << 8 | key.ptr[i];
    return key.len == ROLL_NODE_KEY_LEN ? id : 0;
}

static enum rc check_format(struct reader *r, const char *what)
{
    unsigned format = reader_u8(r);
    if (format == ROLL_FORMAT)
        return RC_OK;
    return rc_fail(RC_VERSION, "the %s is of format %u, this release knows %u", what, format,
                   ROLL_FORMAT);
}

static enum rc malformed(const char *what)
{
    return rc_fail(RC_TAMPERED, "the %s in the replicated state is malformed", what);
}

static void read_text(struct reader *r, char *out, size_t max)
{
    struct bytes text = reader_bytes(r);
    if (text.len > max || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)) {
        r->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

/* ---- members */

static enum rc node_decode(uint64_t id, struct bytes value, uint64_t version, struct roll_node *out)
{
    struct reader r = reader_of(value);
    struct roll_node node = {.id = id, .version = version};
    TRY(check_format(&r, "member"));
    unsigned status = reader_u8(&r);
    unsigned wanted = reader_u8(&r);
    node.draining = reader_u8(&r) != 0;
    read_text(&r, node.zone, CLUSTER_ZONE_MAX);
    read_text(&r, node.address, CLUSTER_ADDRESS_MAX);
    read_text(&r, node.endpoint, CLUSTER_ADDRESS_MAX);
    reader_copy(&r, node.key_hash, sizeof node.key_hash);
    reader_copy(&r, node.point, sizeof node.point);
    if (!reader_done(&r) || id == 0 || status < NODE_PENDING || status >= NODE_STATUS_END ||
        wanted >= NODE_WANTED_END)
        return malformed("member");
    node.status = (enum node_status)status;
    node.wanted = (enum node_wanted)wanted;
    *out = node;
    return RC_OK;
}

enum rc roll_node(const struct state *state, uint64_t id, struct roll_node *out)
{
    AUTO_BUF value = BUF_INIT;
    uint8_t key[ROLL_NODE_KEY_LEN];
    uint64_t version = 0;
    if (state_document(state, DOCUMENT_NODE, roll_key_of(id, key), &value, &version) != RC_OK)
        return rc_fail(RC_NOT_FOUND, "no HSM has number %" PRIu64, id);
    return node_decode(id, buf_bytes(&value), version, out);
}

struct node_list {
    struct roll_node *out;
    size_t max, count;
};

static bool visit_node(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct node_list *list = context;
    if (list->count == list->max)
        return false;
    if (node_decode(id_of(key), value, version, &list->out[list->count]) == RC_OK)
        list->count++;
    return true;
}

size_t roll_nodes(const struct state *state, struct roll_node *out, size_t max)
{
    struct node_list list = {.out = out, .max = max};
    state_documents(state, DOCUMENT_NODE, visit_node, &list);
    return list.count;
}

bool roll_is_formed(const struct state *state)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    return state_document(state, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_AUTHORITY), &value,
                          &version) == RC_OK;
}

bool roll_admits(const struct state *state, uint64_t id)
{
    struct roll_node node;
    if (roll_node(state, id, &node) == RC_OK)
        return node.status == NODE_APPROVED || node.status == NODE_MEMBER;
    return !roll_is_formed(state);
}

/* A number is given away together with its row, and never again: one below the next without a row
 * is of a removed member that was forgotten, however old the roll here is. */
static bool is_forgotten(const struct state *state, uint64_t id)
{
    uint64_t next = 0;
    uint64_t version = 0;
    return roll_next_node(state, &next, &version) == RC_OK && id < next;
}

bool roll_is_removed(const struct state *state, uint64_t id)
{
    struct roll_node node;
    enum rc rc = roll_node(state, id, &node);
    if (rc == RC_NOT_FOUND)
        return is_forgotten(state, id);
    return rc == RC_OK && (node.status == NODE_REMOVED || node.status == NODE_ZEROIZED);
}

/* ---- the authority */

static enum rc authority_decode(struct bytes value, const struct seal_keys *keys,
                                struct roll_authority *out)
{
    struct reader r = reader_of(value);
    TRY(check_format(&r, "authority"));
    struct bytes ca = reader_bytes(&r);
    struct bytes sealed = reader_bytes(&r);
    reader_copy(&r, out->backup_point, sizeof out->backup_point);
    out->threshold = reader_u8(&r);
    out->shares = reader_u8(&r);
    if (!reader_done(&r))
        return malformed("authority");
    TRY(buf_append(&out->ca_pem, ca));
    if (keys == NULL)
        return RC_OK;
    return unseal(keys, SEAL_CLUSTER, bytes_of_str(ROLL_KEY_AUTHORITY), sealed, &out->ca_key_pem);
}

enum rc roll_authority(const struct state *state, const struct seal_keys *keys,
                       struct roll_authority *out)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    if (state_document(state, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_AUTHORITY), &value,
                       &version) != RC_OK)
        return rc_fail(RC_NOT_FORMED, "this HSM knows of no authority yet");
    enum rc rc = authority_decode(buf_bytes(&value), keys, &authority);
    if (rc != RC_OK) {
        roll_authority_clear(&authority);
        return rc;
    }
    *out = authority;
    return RC_OK;
}

void roll_authority_clear(struct roll_authority *authority)
{
    buf_clear(&authority->ca_pem);
    secret_clear(&authority->ca_key_pem);
}

/* ---- tokens */

static const char digits[] = "0123456789abcdef";

void roll_token_name(const uint8_t id[ROLL_TOKEN_ID_LEN], char out[ROLL_TOKEN_NAME_LEN + 1])
{
    for (size_t i = 0; i < ROLL_TOKEN_ID_LEN; i++) {
        out[2 * i] = digits[id[i] >> 4];
        out[2 * i + 1] = digits[id[i] & 15];
    }
    out[ROLL_TOKEN_NAME_LEN] = 0;
}

bool roll_token_id(const char *name, uint8_t out[ROLL_TOKEN_ID_LEN])
{
    if (strlen(name) != ROLL_TOKEN_NAME_LEN || strspn(name, digits) != ROLL_TOKEN_NAME_LEN)
        return false;
    for (size_t i = 0; i < ROLL_TOKEN_ID_LEN; i++) {
        const char *high = strchr(digits, name[2 * i]);
        const char *low = strchr(digits, name[2 * i + 1]);
        out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

static enum rc token_decode(struct bytes key, struct bytes value, uint64_t version,
                            struct roll_token *out)
{
    struct reader r = reader_of(value);
    struct roll_token token = {.version = version};
    TRY(check_format(&r, "join token"));
    token.approved = reader_u8(&r) != 0;
    token.expires_ms = reader_u64(&r);
    token.node = reader_u64(&r);
    reader_copy(&r, token.key_hash, sizeof token.key_hash);
    reader_copy(&r, token.point, sizeof token.point);
    if (!reader_done(&r) || !bytes_copy_exact(key, token.id, sizeof token.id))
        return malformed("join token");
    *out = token;
    return RC_OK;
}

enum rc roll_token(const struct state *state, const uint8_t id[ROLL_TOKEN_ID_LEN],
                   struct roll_token *out)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    struct bytes key = bytes_of(id, ROLL_TOKEN_ID_LEN);
    if (state_document(state, DOCUMENT_JOIN, key, &value, &version) != RC_OK)
        return rc_fail(RC_NOT_FOUND, "no such join token");
    return token_decode(key, buf_bytes(&value), version, out);
}

struct token_list {
    struct roll_token *out;
    size_t max, count;
};

static bool visit_token(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct token_list *list = context;
    struct roll_token token;
    if (token_decode(key, value, version, &token) != RC_OK)
        return true;
    if (list->count < list->max)
        list->out[list->count] = token;
    list->count++;
    return true;
}

size_t roll_tokens(const struct state *state, struct roll_token *out, size_t max)
{
    struct token_list list = {.out = out, .max = max};
    state_documents(state, DOCUMENT_JOIN, visit_token, &list);
    return list.count;
}

/* ---- single values */

enum rc roll_next_node(const struct state *state, uint64_t *out_id, uint64_t *out_version)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    if (state_document(state, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_COUNTER), &value, &version) !=
        RC_OK)
        return rc_fail(RC_NOT_FORMED, "no HSM was ever numbered");
    struct reader r = reader_of(buf_bytes(&value));
    TRY(check_format(&r, "counter of HSMs"));
    uint64_t id = reader_u64(&r);
    if (!reader_done(&r) || id == 0)
        return malformed("counter of HSMs");
    *out_id = id;
    *out_version = version;
    return RC_OK;
}

enum rc roll_wish(const struct state *state, struct roll_wish *out)
{
    AUTO_BUF value = BUF_INIT;
    struct roll_wish wish = {.leader = 0};
    if (state_document(state, DOCUMENT_CLUSTER, bytes_of_str(ROLL_KEY_WISH), &value,
                       &wish.version) != RC_OK)
        return rc_fail(RC_NOT_FOUND, "nobody asked for another leader");
    struct reader r = reader_of(buf_bytes(&value));
    TRY(check_format(&r, "wish for a leader"));
    wish.leader = reader_u64(&r);
    wish.time_ms = reader_u64(&r);
    if (!reader_done(&r))
        return malformed("wish for a leader");
    *out = wish;
    return RC_OK;
}

struct bytes roll_position_key(uint64_t id, uint8_t out[ROLL_KEY_POSITION_LEN])
{
    memcpy(out, ROLL_KEY_POSITION, sizeof ROLL_KEY_POSITION - 1);
    (void)roll_key_of(id, out + sizeof ROLL_KEY_POSITION - 1);
    return bytes_of(out, ROLL_KEY_POSITION_LEN);
}

enum rc roll_position(const struct state *state, uint64_t id, struct roll_position *out)
{
    AUTO_BUF value = BUF_INIT;
    uint8_t key[ROLL_KEY_POSITION_LEN];
    struct roll_position position = {.id = id};
    if (state_document(state, DOCUMENT_CLUSTER, roll_position_key(id, key), &value,
                       &position.version) != RC_OK)
        return rc_fail(RC_NOT_FOUND, "HSM %" PRIu64 " was not missed yet", id);
    struct reader r = reader_of(buf_bytes(&value));
    TRY(check_format(&r, "position of a member"));
    position.index = reader_u64(&r);
    if (!reader_done(&r))
        return malformed("position of a member");
    *out = position;
    return RC_OK;
}
