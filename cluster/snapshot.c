/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: header {format, cluster, index, length of the rest, MAC}, then the state's parts. */
#include "cluster/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define SNAPSHOT_FORMAT 0x31534851U /* "QHS1" */
#define HEADER_LEN      (4U + 16U + 8U + 8U)
#define MAC_LEN         32U

_Static_assert(HEADER_LEN == SNAPSHOT_PEEK_LEN, "what a peer's snapshot begins with");
#define NAME_MAX_LEN 128U

struct snapshot {
    struct state_snapshot *state;
    struct raft_buffer *buffers;
    unsigned count;
    struct buf header;
};

static enum rc header_mac(const struct seal_keys *keys, struct bytes header, uint8_t out[MAC_LEN])
{
    const struct bytes parts[] = {bytes_of_str("snapshot header"), header};
    return seal_mac(keys, SEAL_STATE, parts, 2, out);
}

static enum rc put_header(const struct seal_keys *keys, const uint8_t cluster[16], uint64_t index,
                          uint64_t len, struct buf *out)
{
    TRY(buf_put_u32(out, SNAPSHOT_FORMAT));
    TRY(buf_append(out, bytes_of(cluster, 16)));
    TRY(buf_put_u64(out, index));
    TRY(buf_put_u64(out, len));
    uint8_t mac[MAC_LEN];
    TRY(header_mac(keys, buf_bytes(out), mac));
    return buf_append(out, bytes_of(mac, sizeof mac));
}

static enum rc fill(struct snapshot *snapshot, const struct seal_keys *keys,
                    const uint8_t cluster[16], uint64_t index)
{
    size_t count = 0;
    const struct iovec *parts = state_snapshot_parts(snapshot->state, &count);
    snapshot->buffers = calloc(count + 1, sizeof *snapshot->buffers);
    if (snapshot->buffers == NULL)
        return RC_NO_MEMORY;
    uint64_t len = 0;
    for (size_t i = 0; i < count; i++) {
        snapshot->buffers[i + 1] =
            (struct raft_buffer){.base = parts[i].iov_base, .len = parts[i].iov_len};
        len += parts[i].iov_len;
    }
    TRY(put_header(keys, cluster, index, len, &snapshot->header));
    snapshot->buffers[0] =
        (struct raft_buffer){.base = snapshot->header.ptr, .len = snapshot->header.len};
    snapshot->count = (unsigned)count + 1;
    return RC_OK;
}

enum rc snapshot_take(const struct seal_keys *keys, const struct state *state,
                      const uint8_t cluster[16], uint64_t index, struct snapshot **out)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return RC_NO_MEMORY;
    snapshot->header = (struct buf)BUF_INIT;
    enum rc rc = state_snapshot_take(state, &snapshot->state);
    if (rc == RC_OK)
        rc = fill(snapshot, keys, cluster, index);
    if (rc != RC_OK) {
        snapshot_free(snapshot);
        return rc;
    }
    *out = snapshot;
    return RC_OK;
}

struct raft_buffer *snapshot_buffers(struct snapshot *snapshot, unsigned *out_count)
{
    *out_count = snapshot->count;
    return snapshot->buffers;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    state_snapshot_free(snapshot->state);
    free(snapshot->buffers);
    buf_clear(&snapshot->header);
    free(snapshot);
}

enum rc snapshot_peek(struct bytes head, const uint8_t cluster[16], uint64_t index, uint64_t len)
{
    struct reader in = reader_of(bytes_slice(head, 0, HEADER_LEN));
    uint8_t theirs[16];
    uint32_t format = reader_u32(&in);
    reader_copy(&in, theirs, sizeof theirs);
    uint64_t stamped = reader_u64(&in);
    uint64_t rest = reader_u64(&in);
    if (!reader_done(&in) || format != SNAPSHOT_FORMAT)
        return rc_fail(RC_TAMPERED, "the snapshot at %" PRIu64 " has no known format", index);
    if (!bytes_equal(bytes_of(theirs, 16), bytes_of(cluster, 16)))
        return rc_fail(RC_TAMPERED, "the snapshot at %" PRIu64 " is not of this cluster", index);
    if (stamped != index || len < HEADER_LEN + MAC_LEN || rest != len - HEADER_LEN - MAC_LEN)
        return rc_fail(RC_TAMPERED,
                       "the snapshot at %" PRIu64 " says index %" PRIu64 ", %" PRIu64
                       " bytes; it has %" PRIu64 " with its header",
                       index, stamped, rest, len);
    return RC_OK;
}

enum rc snapshot_check(const struct seal_keys *keys, const uint8_t cluster[16], uint64_t index,
                       struct bytes stored)
{
    uint8_t expected[MAC_LEN];
    struct bytes header = bytes_slice(stored, 0, HEADER_LEN);
    TRY(header_mac(keys, header, expected));
    if (stored.len >= HEADER_LEN + MAC_LEN &&
        !bytes_equal(bytes_slice(stored, HEADER_LEN, MAC_LEN), bytes_of(expected, MAC_LEN)))
        return rc_fail(RC_TAMPERED, "the snapshot at %" PRIu64 " is not of this cluster", index);
    return snapshot_peek(header, cluster, index, stored.len);
}

enum rc snapshot_restore(const struct seal_keys *keys, struct state *state,
                         const uint8_t cluster[16], uint64_t index, struct bytes stored)
{
    TRY(snapshot_check(keys, cluster, index, stored));
    return state_restore(state, bytes_slice(stored, HEADER_LEN + MAC_LEN, stored.len));
}

/* ---- the engine's files: snapshot-TERM-INDEX-TIME and snapshot-TERM-INDEX-TIME.meta */

struct snapshot_name {
    uint64_t term, index, time;
};

/* Digits up to `end`, which it steps over. */
static bool take_number(const char **text, char end, uint64_t *out)
{
    char *after = NULL;
    errno = 0;
    *out = strtoull(*text, &after, 10);
    bool is_number = **text >= '0' && **text <= '9' && errno == 0 && *after == end;
    *text = is_number ? after + 1 : *text;
    return is_number;
}

static bool parse_name(const char *name, struct snapshot_name *out)
{
    static const char prefix[] = "snapshot-";
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    name += strlen(prefix);
    return take_number(&name, '-', &out->term) && take_number(&name, '-', &out->index) &&
           take_number(&name, 0, &out->time);
}

static bool is_newer(const struct snapshot_name *a, const struct snapshot_name *b)
{
    if (a->term != b->term)
        return a->term > b->term;
    if (a->index != b->index)
        return a->index > b->index;
    return a->time > b->time;
}

static bool newest(DIR *dir, struct snapshot_name *out)
{
    bool found = false;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct snapshot_name name;
        if (parse_name(entry->d_name, &name) && (!found || is_newer(&name, out))) {
            *out = name;
            found = true;
        }
    }
    return found;
}

static enum rc set_aside(int dir, const struct snapshot_name *name, const char *suffix)
{
    char from[NAME_MAX_LEN];
    char to[NAME_MAX_LEN + sizeof "corrupt-"];
    (void)snprintf(from, sizeof from, "snapshot-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "%s", name->term,
                   name->index, name->time, suffix);
    (void)snprintf(to, sizeof to, "corrupt-%s", from);
    if (renameat(dir, from, dir, to) != 0)
        return rc_fail(RC_IO, "rename %s: %s", from, strerror(errno));
    log_warn("snapshot_set_aside", "file=%s as=%s", from, to);
    return RC_OK;
}

enum rc snapshot_set_aside(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    struct snapshot_name name = {.term = 0};
    enum rc rc = RC_NOT_FOUND;
    if (newest(dir, &name)) {
        rc = set_aside(dirfd(dir), &name, ".meta");
        if (rc == RC_OK)
            rc = set_aside(dirfd(dir), &name, "");
    }
    (void)closedir(dir);
    return rc;
}
