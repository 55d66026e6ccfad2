/* SPDX-License-Identifier: Apache-2.0 */
/* The messages' headers, one row a type. */
#include "cluster/peer_message.h"

#include <inttypes.h>
#include <raft.h>

#include "cluster/entry.h"
#include "cluster/peer_inspect.h"
#include "cluster/snapshot.h"
#include "common/buf.h"

/* Terms and indexes beyond it would be the end of counting for everybody. */
#define NUMBER_MAX           ((uint64_t)1 << 48)
#define APPEND_FIXED_LEN     (4U * 8U)
#define APPEND_LEN_MIN       (APPEND_FIXED_LEN + 8U + 8U)
#define ENTRY_ROW_LEN        16U
#define INSTALL_FIXED_LEN    (5U * 8U)
#define INSTALL_LEN_MIN      (INSTALL_FIXED_LEN + 16U)
#define BARRIER_LEN          8U
#define CONFIGURATION_FORMAT 1U

static enum rc bad(const char *what)
{
    return rc_fail(RC_PROTOCOL, "a peer's message is refused: %s", what);
}

static enum rc check_number(uint64_t value, const char *what)
{
    return value <= NUMBER_MAX ? RC_OK : bad(what);
}

/* ---- configuration: format (1 byte), count, then {id, address and NUL, role (1 byte)}, zeros up
 * to a multiple of 8 */

struct seen_members {
    uint64_t ids[PEER_MEMBERS_MAX];
    struct bytes addresses[PEER_MEMBERS_MAX];
    size_t count;
};

static enum rc check_member(struct reader *in, struct seen_members *seen)
{
    uint64_t id = reader_u64(in);
    const uint8_t *end = in->rest.len > 0 ? memchr(in->rest.ptr, 0, in->rest.len) : NULL;
    if (!reader_ok(in) || id == 0 || end == NULL)
        return bad("a member without number or address");
    struct bytes address = reader_raw(in, (size_t)(end - in->rest.ptr));
    (void)reader_u8(in);
    unsigned role = reader_u8(in);
    if (!reader_ok(in) || address.len == 0 || address.len > PEER_ADDRESS_MAX || role > RAFT_SPARE)
        return bad("a member's address or role");
    for (size_t i = 0; i < seen->count; i++)
        if (seen->ids[i] == id || bytes_equal(seen->addresses[i], address))
            return bad("a member named twice");
    seen->ids[seen->count] = id;
    seen->addresses[seen->count] = address;
    seen->count++;
    return RC_OK;
}

enum rc peer_configuration_check(struct bytes encoded)
{
    struct reader in = reader_of(encoded);
    struct seen_members seen = {.count = 0};
    uint8_t format = reader_u8(&in);
    uint64_t count = reader_u64(&in);
    if (!reader_ok(&in) || format != CONFIGURATION_FORMAT || count == 0 || count > PEER_MEMBERS_MAX)
        return bad("a configuration's format or count of members");
    for (uint64_t i = 0; i < count; i++)
        TRY(check_member(&in, &seen));
    if (encoded.len % 8 != 0 || in.rest.len >= 8)
        return bad("a configuration's length");
    return RC_OK;
}

/* ---- headers */

static enum rc check_vote(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)message;
    TRY(check_number(reader_u64(in), "term"));
    if (reader_u64(in) != peer)
        return bad("a candidate that is not the sender");
    TRY(check_number(reader_u64(in), "last index"));
    TRY(check_number(reader_u64(in), "last term"));
    return reader_u64(in) <= 3 ? RC_OK : bad("flags of a vote");
}

static enum rc check_vote_result(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)peer;
    (void)message;
    TRY(check_number(reader_u64(in), "term"));
    if (reader_u64(in) > 2)
        return bad("result of a vote");
    (void)reader_u64(in); /* flags, features, capacity */
    return RC_OK;
}

static enum rc check_append_result(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)peer;
    (void)message;
    TRY(check_number(reader_u64(in), "term"));
    TRY(check_number(reader_u64(in), "rejected index"));
    TRY(check_number(reader_u64(in), "last index"));
    (void)reader_u64(in); /* features, capacity */
    return RC_OK;
}

static enum rc check_timeout_now(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)peer;
    (void)message;
    TRY(check_number(reader_u64(in), "term"));
    TRY(check_number(reader_u64(in), "last index"));
    return check_number(reader_u64(in), "last term");
}

static struct peer_entry read_entry(struct reader *in)
{
    struct peer_entry entry = {.term = reader_u64(in)};
    entry.type = reader_u32(in); /* three unused bytes follow the type: zero */
    entry.len = reader_u32(in);
    return entry;
}

static enum rc check_entry(const struct peer_entry *entry)
{
    switch (entry->type) {
    case RAFT_COMMAND:
        if (entry->len <= ENTRY_HEADER_LEN || entry->len > ENTRY_LEN_MAX || entry->len % 8 != 0)
            return bad("length of an entry");
        return RC_OK;
    case RAFT_BARRIER:
        return entry->len == BARRIER_LEN ? RC_OK : bad("length of a barrier");
    case RAFT_CHANGE:
        if (entry->len < 16 || entry->len > PEER_CONFIG_LEN_MAX || entry->len % 8 != 0)
            return bad("length of a configuration");
        return RC_OK;
    default:
        return bad("type of an entry");
    }
}

static enum rc check_entries(struct reader *in, uint64_t least_term, uint64_t most_term,
                             struct peer_message *message)
{
    for (uint32_t i = 0; i < message->entry_count; i++) {
        struct peer_entry entry = read_entry(in);
        if (!reader_ok(in) || entry.term < least_term || entry.term > most_term || entry.term == 0)
            return bad("term of an entry");
        TRY(check_entry(&entry));
        least_term = entry.term;
        message->payload_len += entry.len;
    }
    return RC_OK;
}

static enum rc check_append(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)peer;
    uint64_t term = reader_u64(in);
    uint64_t previous_index = reader_u64(in);
    uint64_t previous_term = reader_u64(in);
    TRY(check_number(term, "term"));
    TRY(check_number(previous_index, "previous index"));
    TRY(check_number(reader_u64(in), "commit index"));
    uint64_t count = reader_u64(in);
    if (previous_term > term)
        return bad("previous term");
    if (count > PEER_ENTRIES_MAX || message->header_len != APPEND_LEN_MIN + count * ENTRY_ROW_LEN)
        return bad("count of entries");
    message->entry_count = (uint32_t)count;
    message->first_index = previous_index + 1;
    TRY(check_entries(in, previous_term, term, message));
    (void)reader_u64(in); /* unused */
    return RC_OK;
}

static enum rc check_install(struct reader *in, uint64_t peer, struct peer_message *message)
{
    (void)peer;
    uint64_t term = reader_u64(in);
    message->snapshot_index = reader_u64(in);
    uint64_t last_term = reader_u64(in);
    uint64_t configuration_index = reader_u64(in);
    uint64_t configuration_len = reader_u64(in);
    TRY(check_number(term, "term"));
    TRY(check_number(message->snapshot_index, "index of a snapshot"));
    if (last_term > term || configuration_index > message->snapshot_index)
        return bad("term or configuration of a snapshot");
    if (configuration_len > PEER_CONFIG_LEN_MAX ||
        message->header_len != INSTALL_LEN_MIN + configuration_len)
        return bad("length of a snapshot's configuration");
    TRY(peer_configuration_check(reader_raw(in, (size_t)configuration_len)));
    uint64_t len = reader_u64(in);
    (void)reader_u64(in); /* unused */
    if (len < SNAPSHOT_PEEK_LEN || len > PEER_SNAPSHOT_MAX)
        return bad("length of a snapshot");
    message->payload_len = (size_t)len;
    message->entry_count = 1;
    return RC_OK;
}

/* ---- types */

struct message_kind {
    const char *name;
    uint8_t version;
    size_t len_min, len_max;
    enum rc (*check)(struct reader *in, uint64_t peer, struct peer_message *message);
};

static const struct message_kind kinds[] = {
    [RAFT_APPEND_ENTRIES] = {"append entries", 0, APPEND_LEN_MIN,
                             APPEND_LEN_MIN + PEER_ENTRIES_MAX *ENTRY_ROW_LEN, check_append},
    [RAFT_APPEND_ENTRIES_RESULT] = {"append entries result", 2, 32, 32, check_append_result},
    [RAFT_REQUEST_VOTE] = {"request vote", 2, 40, 40, check_vote},
    [RAFT_REQUEST_VOTE_RESULT] = {"request vote result", 2, 24, 24, check_vote_result},
    [RAFT_INSTALL_SNAPSHOT] = {"install snapshot", 0, INSTALL_LEN_MIN + 16,
                               INSTALL_LEN_MIN + PEER_CONFIG_LEN_MAX, check_install},
    [RAFT_TIMEOUT_NOW] = {"timeout now", 0, 24, 24, check_timeout_now},
};

_Static_assert(APPEND_LEN_MIN + PEER_ENTRIES_MAX * ENTRY_ROW_LEN <= PEER_HEADER_MAX &&
                   INSTALL_LEN_MIN + PEER_CONFIG_LEN_MAX <= PEER_HEADER_MAX,
               "a header fits its buffer");

enum rc peer_message_begin(struct bytes preamble, struct peer_message *out)
{
    struct reader in = reader_of(preamble);
    uint64_t word = reader_u64(&in);
    uint64_t len = reader_u64(&in);
    uint64_t type = word & 0xff;
    uint64_t version = (word >> 16) & 0xff;
    if (!reader_done(&in) || type >= sizeof kinds / sizeof kinds[0] || kinds[type].check == NULL)
        return bad("type");
    if (version != kinds[type].version || word != (type | version << 16))
        return bad("version");
    if (len < kinds[type].len_min || len > kinds[type].len_max)
        return rc_fail(RC_PROTOCOL, "a peer's message is refused: %s with a header of %" PRIu64,
                       kinds[type].name, len);
    *out = (struct peer_message){.type = (unsigned)type, .header_len = (size_t)len};
    return RC_OK;
}

enum rc peer_message_check(struct bytes header, uint64_t peer, struct peer_message *message)
{
    struct reader in = reader_of(header);
    TRY(kinds[message->type].check(&in, peer, message));
    return reader_done(&in) ? RC_OK : bad("length of a header");
}

struct peer_entry peer_message_entry(struct bytes header, uint32_t i)
{
    size_t at = APPEND_FIXED_LEN + 8 + (size_t)i * ENTRY_ROW_LEN;
    struct reader in = reader_of(bytes_slice(header, at, ENTRY_ROW_LEN));
    return read_entry(&in);
}
