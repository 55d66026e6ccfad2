/* SPDX-License-Identifier: Apache-2.0 */
/* The front end's documents (keys, aliases, grants, key stores, principals), as records in memory,
 * kept in step with the cluster: each change is a compare-and-swap there, and requests that decide
 * on records carry the index of the view they decided on. Document keys are paths: "key/REGION/ID".
 */
#ifndef QHSM_KMS_VIEW_H
#define QHSM_KMS_VIEW_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kms/error.h"

struct view;
struct hsm_client;

/* One kind of document. Its decoder is the only reader of its JSON. */
struct view_kind {
    const char *prefix; /* "key/" */
    /* RC_TAMPERED for what this release cannot read. */
    enum rc (*decode)(const char *key, const json_t *value, void **out);
    void (*free)(void *data);
};
/* All kinds: kms/view_kinds.c lists them. NULL after the last. */
const struct view_kind *view_kind_at(size_t index);

/* Immutable; shared by reference. */
struct record {
    _Atomic unsigned refs;
    uint64_t version;
    const struct view_kind *kind;
    void *data;         /* as decoded: struct key, struct alias ... */
    json_t *json;       /* as stored; read only */
    bool is_unreadable; /* no data, no JSON: only view_each_unreadable() shows it */
    char key[129];
};
void record_unref(struct record *record); /* NULL is fine */
/* Another reference to one that is held or lent. */
static inline struct record *record_ref(struct record *record)
{
    (void)atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    return record;
}
static inline void record_auto_unref(struct record **record)
{
    record_unref(*record);
}
#define AUTO_RECORD __attribute__((cleanup(record_auto_unref))) struct record

/* A document that its decoder cannot read is logged, and as if it were not there: nobody has a
 * right by it, and who lives by a policy that is not there has none at all (kms/identity.c). Its
 * name is not free, since the cluster compares versions. */

/* Reads everything, then follows the cluster's changes in a thread of its own. Borrows hsm. */
enum rc view_new(struct hsm_client *hsm, struct view **out);
void view_free(struct view *view);

/* A new reference or NULL. */
struct record *view_get(struct view *view, const char *key);
/* Records whose key begins with prefix, keys ascending after `after` ("": from the first), until
 * `visit` returns false. Borrowed for the call, under a read lock: visit must not call the view. */
typedef bool (*view_visit)(void *context, struct record *record);
void view_each(struct view *view, const char *prefix, const char *after, view_visit visit,
               void *context);
/* Those that cannot be read. */
void view_each_unreadable(struct view *view, const char *prefix, view_visit visit, void *context);
bool view_has_unreadable(struct view *view, const char *prefix);
/* The cluster's index that the records are as of: for Request.view, read before the first record
 * that a decision rests on. */
uint64_t view_index(const struct view *view);
/* Catches up with the cluster now: after RC_VIEW_OLD. */
enum rc view_refresh(struct view *view);
/* A refresh, and RC_VIEW_OLD when records (but those of "used/") have changed since that index: for
 * decisions about keys that are in another cluster, which cannot tell. */
enum rc view_confirm(struct view *view, uint64_t index);

/* ---- changes */

/* From here on, until view_decided(), the records that this thread gets are what its decision rests
 * on: its next commit is refused when one of them is another by the time that the cluster makes the
 * change. What it commits after that completes what was decided. */
void view_decide(void);
void view_decided(void);

#define VIEW_CHANGES_MAX 8U
struct view_change {
    char key[129];
    uint64_t version; /* of the record that is replaced; 0: there must be none */
    json_t *value;    /* NULL: removal. Stolen. */
};
struct view_changes {
    struct view_change list[VIEW_CHANGES_MAX];
    size_t count;
};
/* Takes `value`'s reference. */
enum rc view_changes_add(struct view_changes *changes, const char *key, uint64_t version,
                         json_t *value);
void view_changes_clear(struct view_changes *changes);
/* All or none; the view has them when it returns. RC_CONFLICT when a version is another, of what is
 * changed or what the decision rests on: decide again; RC_LIMIT; RC_INTERNAL, and nothing is
 * written, for what could not be read; else as rpc_call(). */
enum rc view_commit(struct view *view, struct view_changes *changes);
/* A single change, as view_changes_add() takes it. */
enum rc view_commit_one(struct view *view, const char *key, uint64_t version, json_t *value);

#endif
