/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the front end's documents: all or none, then seen by who made them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/view_internal.h"

#define VALUE_MAX    ((size_t)64 * 1024) /* DOCUMENT_VALUE_MAX of token/state.h */
#define GROUNDS_MAX  256U                /* DOCUMENT_GROUNDS_MAX */
#define ATTEMPTS_MAX 5U
#define PAUSE_MS     20L

/* ---- what a decision rests on */

static _Thread_local struct {
    bool is_on;
    bool is_full; /* there were more */
    size_t count;
    struct record *list[GROUNDS_MAX];
} grounds;

void view_decided(void)
{
    while (grounds.count > 0)
        record_unref(grounds.list[--grounds.count]);
    grounds.is_on = false;
    grounds.is_full = false;
}

void view_decide(void)
{
    view_decided();
    grounds.is_on = true;
}

/* Nobody decides by last uses. */
void view_grounds_note(struct record *record)
{
    if (!grounds.is_on || strncmp(record->key, "used/", 5) == 0)
        return;
    for (size_t i = 0; i < grounds.count; i++)
        if (grounds.list[i] == record)
            return;
    grounds.is_full = grounds.count == GROUNDS_MAX;
    if (!grounds.is_full)
        grounds.list[grounds.count++] = record_ref(record);
}

/* ---- sending */

/* What is sent, with its texts. */
struct sending {
    Qhsm__KeystoreGround grounds[GROUNDS_MAX];
    Qhsm__KeystoreGround *ground_list[GROUNDS_MAX];
    Qhsm__KeystoreDocument documents[VIEW_CHANGES_MAX];
    Qhsm__KeystoreDocument *list[VIEW_CHANGES_MAX];
    char *texts[VIEW_CHANGES_MAX];
};

/* No operation writes what no front end could read. */
static enum rc check_readable(const struct view_change *change, const char *text)
{
    AUTO_RECORD *record = NULL;
    enum rc rc = view_record_new(change->key, change->version + 1, bytes_of_str(text), &record);
    if (rc != RC_TAMPERED)
        return rc;
    log_error("document_not_written", "key=%s detail=\"%s\"", change->key, rc_detail());
    return rc_fail(RC_INTERNAL, "document %s could not be read afterwards", change->key);
}

static enum rc fill(struct view_changes *changes, struct sending *out)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct view_change *change = &changes->list[i];
        Qhsm__KeystoreDocument *document = &out->documents[i];
        qhsm__keystore_document__init(document);
        out->list[i] = document;
        document->key = change->key;
        document->version = change->version;
        document->removed = change->value == NULL;
        if (change->value == NULL)
            continue;
        out->texts[i] = json_dumps(change->value, JSON_COMPACT | JSON_SORT_KEYS);
        if (out->texts[i] == NULL)
            return RC_NO_MEMORY;
        document->value.data = (uint8_t *)out->texts[i];
        document->value.len = strlen(out->texts[i]);
        if (document->value.len > VALUE_MAX)
            return rc_fail(RC_LIMIT, "document %s has %zu bytes, over %zu", change->key,
                           document->value.len, VALUE_MAX);
        TRY(check_readable(change, out->texts[i]));
    }
    return RC_OK;
}

static enum rc fill_grounds(struct sending *out)
{
    if (grounds.is_full)
        return rc_fail(RC_LIMIT, "a decision rests on over %u documents", GROUNDS_MAX);
    for (size_t i = 0; i < grounds.count; i++) {
        qhsm__keystore_ground__init(&out->grounds[i]);
        out->grounds[i].key = grounds.list[i]->key;
        out->grounds[i].version = grounds.list[i]->version;
        out->ground_list[i] = &out->grounds[i];
    }
    return RC_OK;
}

static enum rc send(struct view *view, struct view_changes *changes, struct sending *sending,
                    uint64_t *out_index)
{
    Qhsm__KeystoreChangeRequest change = QHSM__KEYSTORE_CHANGE_REQUEST__INIT;
    TRY(fill(changes, sending));
    TRY(fill_grounds(sending));
    change.changes = sending->list;
    change.n_changes = changes->count;
    change.grounds = sending->ground_list;
    change.n_grounds = grounds.count;
    return hsm_change(view->hsm, &change, out_index);
}

/* The change is made; what is left is to see it. Nobody is told of a failure of that: the follower
 * sees it later. */
static void catch_up(struct view *view, uint64_t index)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    enum rc rc = view_refresh(view);
    for (unsigned i = 1; i < ATTEMPTS_MAX && (rc != RC_OK || view_index(view) < index); i++) {
        (void)nanosleep(&pause, NULL);
        rc = view_refresh(view);
    }
    if (rc != RC_OK)
        log_warn("view_behind_own_change", "index=%llu error=%s detail=\"%s\"",
                 (unsigned long long)index, rc_info(rc)->name, rc_detail());
}

/* Who decides again is to see what has come between. */
static enum rc conflict(struct view *view)
{
    char detail[200];
    (void)snprintf(detail, sizeof detail, "%s", rc_detail());
    TRY(view_refresh(view));
    return rc_fail(RC_CONFLICT, "%s", detail);
}

enum rc view_commit(struct view *view, struct view_changes *changes)
{
    struct sending sending;
    uint64_t index = 0;
    if (changes->count == 0)
        return RC_OK;
    memset(sending.texts, 0, sizeof sending.texts);
    enum rc rc = send(view, changes, &sending, &index);
    if (rc == RC_OK) {
        view_decided();
        catch_up(view, index);
    } else if (rc == RC_CONFLICT || rc == RC_VIEW_OLD) {
        rc = conflict(view);
    }
    for (size_t i = 0; i < changes->count; i++)
        free(sending.texts[i]);
    return rc;
}
