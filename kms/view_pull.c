/* SPDX-License-Identifier: Apache-2.0 */
/* A refresh of the view: pages of what has changed, decoded, then put into the list at one stroke.
 */
#include <stdlib.h>

#include "common/log.h"
#include "kms/view_internal.h"

#define ATTEMPTS_MAX 8U

/* One document as a page has it. */
struct step {
    char key[VIEW_KEY_MAX + 1];
    struct record *record; /* NULL: it is gone */
};

struct pull {
    struct view *view;
    uint64_t since;
    bool is_whole;  /* what is not named is gone */
    uint64_t index; /* of the page that was read first */
    bool has_page;
    struct step *steps;
    size_t count, cap;
};

static void forget(struct pull *pull)
{
    for (size_t i = 0; i < pull->count; i++)
        record_unref(pull->steps[i].record);
    pull->count = 0;
    pull->has_page = false;
}

static enum rc grow(struct pull *pull)
{
    if (pull->count < pull->cap)
        return RC_OK;
    size_t cap = pull->cap == 0 ? 16 : pull->cap * 2;
    struct step *steps = reallocarray(pull->steps, cap, sizeof *steps);
    if (steps == NULL)
        return RC_NO_MEMORY;
    pull->steps = steps;
    pull->cap = cap;
    return RC_OK;
}

static enum rc check_key(const struct pull *pull, const char *key)
{
    if (key[0] == 0 || strlen(key) > VIEW_KEY_MAX)
        return rc_fail(RC_PROTOCOL, "a document's key has %zu bytes", strlen(key));
    if (pull->count > 0 && strcmp(pull->steps[pull->count - 1].key, key) >= 0)
        return rc_fail(RC_PROTOCOL, "document %s is out of order", key);
    return RC_OK;
}

/* One that cannot be read does not keep the others from being served. */
static enum rc make_record(const char *key, const Qhsm__KeystoreDocument *document,
                           struct record **out)
{
    struct bytes value = bytes_of(document->value.data, document->value.len);
    enum rc rc = view_record_new(key, document->version, value, out);
    if (rc != RC_TAMPERED)
        return rc;
    log_error("document_unreadable",
              "key=%s version=%llu detail=\"%s\" next=\"it is passed over: qhsm keystore "
              "documents\"",
              key, (unsigned long long)document->version, rc_detail());
    return view_record_unreadable(key, document->version, out);
}

static enum rc read_document(struct pull *pull, const Qhsm__KeystoreDocument *document)
{
    TRY(check_key(pull, document->key));
    TRY(grow(pull));
    struct step *step = &pull->steps[pull->count];
    *step = (struct step){.record = NULL};
    memcpy(step->key, document->key, strlen(document->key) + 1);
    if (!document->removed)
        TRY(make_record(step->key, document, &step->record));
    pull->count++;
    return RC_OK;
}

static void begin_anew(struct pull *pull, uint64_t since, bool *out_more)
{
    forget(pull);
    pull->since = since;
    *out_more = true;
}

/* Another cluster answers than the index is of: one that was restored counts from the beginning. */
static bool is_other_cluster(struct pull *pull)
{
    static const uint8_t unknown[16];
    struct view *view = pull->view;
    uint8_t now[16];
    hsm_client_cluster(view->hsm, now);
    if (bytes_equal(bytes_of(now, sizeof now), bytes_of(view->cluster, sizeof now)))
        return false;
    bool was_known =
        !bytes_equal(bytes_of(view->cluster, sizeof unknown), bytes_of(unknown, sizeof unknown));
    memcpy(view->cluster, now, sizeof view->cluster);
    return was_known;
}

static enum rc read_page(struct pull *pull, const Qhsm__KeystoreDocumentsReply *page,
                         bool *out_more)
{
    bool is_whole = page->whole || pull->since == 0;
    *out_more = page->more && page->n_documents > 0;
    if (is_other_cluster(pull)) {
        pull->view->is_anew = true;
        begin_anew(pull, 0, out_more);
        return RC_OK;
    }
    if (pull->has_page && is_whole != pull->is_whole) { /* another HSM, which knows less */
        begin_anew(pull, 0, out_more);
        return RC_OK;
    }
    if (!pull->has_page || page->index < pull->index)
        pull->index = page->index;
    pull->is_whole = is_whole;
    pull->has_page = true;
    for (size_t i = 0; i < page->n_documents; i++)
        TRY(read_document(pull, page->documents[i]));
    return RC_OK;
}

static enum rc ask(struct pull *pull, bool *out_more)
{
    struct hsm_client *hsm = pull->view->hsm;
    struct rpc_reply reply = {.msg = NULL};
    const char *after = pull->count == 0 ? "" : pull->steps[pull->count - 1].key;
    TRY(hsm_documents(hsm, pull->since, after, &reply));
    enum rc rc = read_page(pull, reply.msg->keystore_documents, out_more);
    hsm_client_done(hsm, &reply);
    return rc;
}

/* ---- into the list */

static void copy_up_to(const struct view_list *from, size_t *at, size_t end, bool is_gone,
                       struct view_list *out)
{
    for (; *at < end && !is_gone; ++*at)
        out->items[out->count++] = record_ref(from->items[*at]);
    *at = end;
}

static enum rc merge(struct pull *pull, const struct view_list *old, struct view_list *out)
{
    size_t at = 0;
    TRY(view_list_reserve(out, old->count + pull->count));
    for (size_t i = 0; i < pull->count; i++) {
        struct step *step = &pull->steps[i];
        size_t place = view_list_find(old, step->key);
        bool was_there = view_list_has(old, place, step->key);
        copy_up_to(old, &at, place, pull->is_whole, out);
        if (was_there)
            at = place + 1;
        if (step->record != NULL)
            out->items[out->count++] = step->record;
        step->record = NULL; /* the list's now */
    }
    copy_up_to(old, &at, old->count, pull->is_whole, out);
    return RC_OK;
}

static bool matters(const struct pull *pull)
{
    for (size_t i = 0; i < pull->count; i++)
        if (strncmp(pull->steps[i].key, "used/", 5) != 0)
            return true;
    return pull->is_whole;
}

static enum rc apply(struct pull *pull)
{
    struct view *view = pull->view;
    if (pull->count > 0 || pull->is_whole) {
        struct view_list fresh = {.items = NULL};
        enum rc rc = merge(pull, &view->list, &fresh);
        if (rc == RC_OK) {
            (void)pthread_rwlock_wrlock(&view->lock);
            struct view_list old = view->list;
            view->list = fresh;
            (void)pthread_rwlock_unlock(&view->lock);
            fresh = old;
        }
        view_list_clear(&fresh);
        TRY(rc);
        if (matters(pull))
            atomic_store(&view->changed, pull->index);
    }
    atomic_store(&view->index, pull->index);
    view->is_anew = false;
    return RC_OK;
}

static bool is_behind(const struct pull *pull)
{
    return !pull->view->is_anew && pull->index < view_index(pull->view);
}

/* *out_again: it took several pages, so that what came late may lie behind what was read first; or
 * the HSM that answered was behind. */
static enum rc pull_once(struct pull *pull, bool *out_again)
{
    unsigned pages = 0;
    bool more = true;
    pull->since = pull->view->is_anew ? 0 : view_index(pull->view);
    for (; more; pages++)
        TRY(ask(pull, &more));
    *out_again = pages > 1 || is_behind(pull);
    return is_behind(pull) ? RC_OK : apply(pull);
}

enum rc view_pull(struct view *view)
{
    struct pull pull = {.view = view};
    bool again = true;
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < ATTEMPTS_MAX && again && rc == RC_OK; i++) {
        rc = pull_once(&pull, &again);
        forget(&pull);
    }
    free(pull.steps);
    if (rc == RC_OK && again)
        return rc_fail(RC_UNAVAILABLE, "the HSM's documents are behind index %llu",
                       (unsigned long long)view_index(view));
    return rc;
}
