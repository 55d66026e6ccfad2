/* SPDX-License-Identifier: Apache-2.0 */
/* The format of a backup: a header in the clear, the content key closed to the backup key, the
 * master key and a snapshot of the state under the content key. Members of the cluster can check
 * every byte by its MACs; only the holders of the backup key can read it. docs/security.md has the
 * layout. */
#ifndef QHSM_TOKEN_BACKUP_FILE_H
#define QHSM_TOKEN_BACKUP_FILE_H

#include <sys/uio.h>

#include "token/envelope.h"
#include "token/seal.h"

#define BACKUP_FORMAT      1U
#define BACKUP_CHUNK_LEN   ((size_t)1024 * 1024)
#define BACKUP_HEADER_MAX  4096U
#define BACKUP_RELEASE_MAX 31U
#define BACKUP_REASON_MAX  15U

/* What the header tells to everybody. */
struct backup_facts {
    uint8_t cluster[16];
    uint8_t id[16]; /* of this backup, random */
    uint64_t time_ms, index;
    uint64_t tokens, users, objects;
    uint64_t snapshot_len;
    uint8_t threshold, shares;
    uint8_t point[ENVELOPE_POINT_LEN]; /* of the backup key */
    char release[BACKUP_RELEASE_MAX + 1];
    char reason[BACKUP_REASON_MAX + 1];
};

/* Bytes of the snapshot so far and in all; false ends the work with RC_CANCELLED. May be NULL. */
struct backup_progress {
    bool (*report)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/* ---- writing */

struct backup_output {
    enum rc (*write)(void *context, struct bytes data);
    void *context;
};
struct backup_plan {
    struct backup_facts facts; /* snapshot_len is filled in here */
    const struct seal_keys *keys;
    const struct secret *master;
};
/* `parts`: the snapshot, state_snapshot_parts(). RC_BAD_ARGUMENT for a backup key that is none. */
enum rc backup_file_write(struct backup_plan *plan, const struct iovec *parts, size_t count,
                          const struct backup_output *output,
                          const struct backup_progress *progress);

/* ---- reading */

struct backup_input {
    /* Exactly `len` bytes from `offset`; never asked beyond `len` of the input. RC_IO. */
    enum rc (*read)(void *context, uint64_t offset, uint8_t *out, size_t len);
    void *context;
    uint64_t len;
};
struct backup_file {
    struct backup_input input;
    struct backup_facts facts;
    struct buf header;
    struct bytes bound; /* what the envelope is bound to: the facts as they stand in the header */
    struct bytes envelope; /* views into header */
    struct bytes master;
    uint8_t header_hash[32]; /* what all chunks are bound to */
    struct secret key;       /* after backup_file_unlock() */
};
/* The header, and whether the file has the length that it says. RC_BAD_ARGUMENT: no backup;
 * RC_VERSION: of a later release; RC_TAMPERED: damaged or cut short. */
enum rc backup_file_open(const struct backup_input *input, struct backup_file *out);
void backup_file_clear(struct backup_file *file);
static inline void backup_file_auto_clear(struct backup_file *file)
{
    backup_file_clear(file);
}
#define AUTO_BACKUP_FILE __attribute__((cleanup(backup_file_auto_clear))) struct backup_file

/* Every byte, by the keys of the cluster that made it. RC_FOREIGN: made by another cluster;
 * RC_TAMPERED says where. */
enum rc backup_file_check(const struct backup_file *file, const uint8_t cluster[16],
                          const struct seal_keys *keys, const struct backup_progress *progress);
/* By the backup key. RC_BAD_ARGUMENT: it is another one; RC_TAMPERED. */
enum rc backup_file_unlock(struct backup_file *file, const struct secret *scalar,
                           struct secret *out_master);
/* After the unlock: the snapshot, appended. `out` must have room for facts.snapshot_len by its max.
 * RC_TAMPERED says where. */
enum rc backup_file_read(const struct backup_file *file, struct buf *out,
                         const struct backup_progress *progress);

#endif
