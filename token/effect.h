/* SPDX-License-Identifier: Apache-2.0 */
/* An effect taken apart: what state_apply() works on. */
#ifndef QHSM_TOKEN_EFFECT_H
#define QHSM_TOKEN_EFFECT_H

#include "token/state.h"

enum effect_kind { /* numbers are in the log: never reused */
                   EFFECT_TOKEN_INIT = 1,
                   EFFECT_USER_PUT = 2,
                   EFFECT_USER_DELETE = 3,
                   EFFECT_USER_TRIED = 4,
                   EFFECT_POLICY_PUT = 5,
                   EFFECT_OBJECTS_ADD = 6,
                   EFFECT_OBJECT_REPLACE = 7,
                   EFFECT_OBJECT_DESTROY = 8,
                   EFFECT_DOCUMENTS_CHANGE = 9,
                   EFFECT_RESTORE_ROWS = 10,
                   EFFECT_RESTORE_END = 11,
                   EFFECT_PAIR_DESTROY = 12,
                   EFFECT_OWNED_CHANGE = 13,
                   EFFECT_OWNED_RELEASE = 14,
                   EFFECT_KIND_END,
};

enum restore_table { /* numbers are in the log: never reused */
                     RESTORE_TOKENS = 1,
                     RESTORE_USERS = 2,
                     RESTORE_DOCUMENTS = 3,
                     RESTORE_OBJECTS = 4,
                     RESTORE_TABLE_END,
};
#define RESTORE_ROWS_MAX 512U

/* Rows as they stand in snapshots, of objects {u64 handle, record}, each behind its length. */
struct restore_rows {
    enum restore_table table;
    uint32_t count;
    struct bytes rows;
};
/* What there must be at the end, and how counting goes on. */
struct restore_end {
    uint64_t tokens, users, documents, objects;
    uint64_t next_handle, next_user;
};
/* What both begin with: which restore it is, and which of its effects, from 0. */
struct restore_part {
    uint8_t id[16];
    uint64_t number;
};
/* The one document that a restore may put into DOCUMENT_ORIGIN. */
#define RESTORE_PEPPER_KEY "pepper"

struct effect {
    enum effect_kind kind;
    struct effect_head head;
    uint64_t token;
    char label[TOKEN_LABEL_MAX + 1];
    char serial[17];
    char name[USER_NAME_MAX + 1];
    struct user_row user;
    uint64_t user_id;
    uint64_t expected_version; /* of the user; of a policy: the token's epoch */
    bool right;
    struct policy policy;
    uint64_t handle;
    uint64_t second_handle;                     /* of a pair */
    struct object *objects[EFFECT_HANDLES_MAX]; /* handle 0 until applied */
    size_t object_count;
    struct document_change documents[DOCUMENT_CHANGES_MAX]; /* views into the input */
    size_t document_count;
    struct bytes grounds; /* a view into the input: effect_ground_next() */
    bool erase;           /* of a release */
    struct restore_part part;
    struct restore_rows rows; /* a view into the input */
    struct restore_end end;
};

/* What every effect begins with. */
enum rc effect_head_encode(struct buf *out, enum effect_kind kind, const struct effect_head *head);
/* RC_PROTOCOL when malformed, RC_NO_MEMORY. effect_clear() the result. It borrows from the input.
 */
enum rc effect_decode(struct bytes input, struct effect *out);
/* The bodies of changes of documents and of a restore's effects. */
enum rc effect_documents_decode(struct reader *in, struct effect *out);
enum rc effect_owned_change_decode(struct reader *in, struct effect *out);
/* Takes the next one off. False: there is none, or it is malformed, and `grounds` not empty. */
bool effect_ground_next(struct reader *grounds, struct document_ground *out);
enum rc effect_owned_release_decode(struct reader *in, struct effect *out);
enum rc effect_restore_rows_decode(struct reader *in, struct effect *out);
enum rc effect_restore_end_decode(struct reader *in, struct effect *out);
enum rc effect_restore_rows(struct buf *out, const struct effect_head *head,
                            const struct restore_part *part, const struct restore_rows *rows);
enum rc effect_restore_end(struct buf *out, const struct effect_head *head,
                           const struct restore_part *part, const struct restore_end *end);
/* A row of RESTORE_OBJECTS taken apart. */
bool effect_restore_object(struct bytes row, uint64_t *out_handle, struct bytes *out_record);
void effect_clear(struct effect *effect);
static inline void effect_auto_clear(struct effect *effect)
{
    effect_clear(effect);
}
#define AUTO_EFFECT __attribute__((cleanup(effect_auto_clear))) struct effect

#endif
