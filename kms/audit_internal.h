/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the trail share. A record goes: audit_record() formats it into a shard of the
 * queue; the writer thread moves it into its stream (account and Region), a file in the trail's
 * directory or memory; complete files get a digest by a thread of its own, since that asks the HSM.
 */
#ifndef QHSM_KMS_AUDIT_INTERNAL_H
#define QHSM_KMS_AUDIT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "kms/audit.h"
#include "kms/kms.h"

#define AUDIT_SHARDS    32U
#define AUDIT_SHARD_MAX ((size_t)1024 * 1024)
#define AUDIT_NAME_MAX  160U

/* Before each record's text in a shard. */
struct audit_frame {
    uint64_t number; /* order of records */
    uint64_t time_ms;
    uint32_t len;
    char account[KMS_ACCOUNT_LEN + 1];
    char region[KMS_REGION_MAX + 1];
};

struct audit_shard {
    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t room;
    struct buf waiting;
};

struct audit_files;
struct audit_digests;

struct audit {
    struct kms *kms;
    struct audit_shard shards[AUDIT_SHARDS];
    _Atomic uint64_t next_number;
    atomic_bool is_refusing; /* told once */
    struct audit_files *files;
    struct audit_digests *digests; /* NULL: memory alone */
    pthread_t writer;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake, written;
    bool is_kicked, is_stopping;
    uint64_t flush_wanted, flush_done;
};

/* ---- audit.c */

void audit_deadline(unsigned ms, struct timespec *out);

/* The writer is to come now: a shard is filling. */
void audit_kick(struct audit *audit);
/* Until all that was recorded before is in its stream. */
void audit_flush(struct audit *audit);

/* ---- audit_record.c */

/* One record as JSON, appended: an object without a line's end. */
enum rc audit_format(const struct kms *kms, const struct audit_event *event, struct buf *out);

/* ---- audit_json.c: appends JSON; the first failure sticks */

struct audit_json {
    struct buf *out;
    bool has_failed;
};
void audit_json_raw(struct audit_json *json, const char *text);
/* With its quotes; what is no UTF-8 becomes U+FFFD. */
void audit_json_string(struct audit_json *json, const char *text);
/* Names begin in lower case, as CloudTrail has them, but those of encryption contexts. NULL: null.
 */
void audit_json_value(struct audit_json *json, const json_t *value);

/* ---- audit_file.c. A file: {"Records":[ on the first line, then a record a line, from the second
 * one on after a comma, then ]}. What is not complete yet is NAME.part. */

#define AUDIT_PART ".part"

/* dir NULL: the last records in memory. RC_IO; RC_CONFLICT when another program writes there. */
enum rc audit_files_new(const char *dir, unsigned long roll_s, struct audit_files **out);
void audit_files_free(struct audit_files *files);
struct audit_line {
    const struct audit_frame *frame;
    const uint8_t *text;
};
/* Adds a record to its stream. RC_NO_MEMORY. */
enum rc audit_files_add(struct audit_files *files, const struct audit_line *line);
/* Writes what was added. RC_IO: call again, nothing is lost. */
enum rc audit_files_flush(struct audit_files *files);
/* At the end, when that failed: writes as many records as there is room for. How many are lost. */
size_t audit_files_salvage(struct audit_files *files);
/* Completes files that are due, or all. True: some were. */
bool audit_files_roll(struct audit_files *files, bool all);
/* Names of the stream's files that hold records, newest first, the unfinished one too; *out is for
 * the caller to free, with its items. */
enum rc audit_files_list(struct audit_files *files, const char *account, const char *region,
                         char ***out, size_t *out_count);
struct audit_place {
    const char *account, *region;
    const char *name; /* of the list */
};
/* Content of one of them, appended. RC_NOT_FOUND. */
enum rc audit_files_read(struct audit_files *files, const struct audit_place *place,
                         struct buf *out);

/* ---- audit_name.c: the trail's directory */

/* "ACCOUNT_CloudTrail_REGION_TIME_UNIQUE.json", with `what` "CloudTrail" or "CloudTrail-Digest";
 * names of one stream sort by time. */
void audit_name(const char *what, const char *account, const char *region, uint64_t time_ms,
                char out[AUDIT_NAME_MAX]);
/* Splits such a name. */
bool audit_name_split(const char *name, const char *what, char account[KMS_ACCOUNT_LEN + 1],
                      char region[KMS_REGION_MAX + 1], uint64_t *out_time_ms);
/* Every name in dir, sorted; for the caller to free. */
enum rc audit_names(const char *dir, char ***out, size_t *out_count);
void audit_names_free(char **names, size_t count);
enum rc audit_read_file(const char *dir, const char *name, size_t max, struct buf *out);
/* By way of another name, and on disk when it returns. */
enum rc audit_write_file(const char *dir, const char *name, struct bytes data);

/* ---- audit_digest.c */

enum rc audit_digests_new(struct kms *kms, const char *dir, struct audit_digests **out);
/* Signs what is complete, if the HSM lets it. */
void audit_digests_free(struct audit_digests *digests);
/* There are complete files. */
void audit_digests_kick(struct audit_digests *digests);

#endif
