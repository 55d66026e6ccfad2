/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the front ends' documents: what changed, and changes by compare-and-swap. */
#include <inttypes.h>
#include <string.h>

#include "cluster/handlers.h"
#include "common/log.h"

#define PAGE_LEN     ((size_t)1024 * 1024)
#define PAGE_COUNT   2048U
#define DOCUMENT_ROW 64U /* its numbers and tags on the wire, at most */

/* ---- whose they are */

/* Of a login that is none of a crypto user no document is. */
static enum rc check_owner(const struct call *call)
{
    const struct ticket *login = &call->caller.ticket;
    struct documents_owner owner;
    if (login->role != ROLE_USER)
        return rc_fail(RC_NOT_LOGGED_IN, "documents are a crypto user's");
    if (!state_documents_owner(call->service->hsm->state, &owner) ||
        (owner.token == login->token && strcmp(owner.user, login->user) == 0))
        return RC_OK;
    return rc_fail(RC_NOT_OWNER,
                   "they are of %s of the token in slot %" PRIu64 ", this login is %s of the token "
                   "in slot %" PRIu64,
                   owner.user, owner.token, login->user, login->token);
}

/* ---- reading */

/* Keys and values are gathered in call->data, which may move while it grows: places first,
 * pointers last. */
struct place {
    size_t start, key_len, value_len;
    uint64_t version;
};

struct page {
    struct call *call;
    struct place *places;
    size_t count, cap;
    size_t len, len_max; /* of the answer */
    bool more;
    enum rc rc;
};

static enum rc page_grow(struct page *page)
{
    size_t cap = page->cap == 0 ? 64 : page->cap * 4;
    struct place *places = call_alloc(page->call, cap, sizeof *places);
    if (places == NULL)
        return RC_NO_MEMORY;
    if (page->count > 0)
        memcpy(places, page->places, page->count * sizeof *places);
    page->places = places;
    page->cap = cap;
    return RC_OK;
}

/* The key with a NUL, for protobuf-c. */
static enum rc page_add(struct page *page, struct bytes key, struct bytes value, uint64_t version)
{
    struct buf *data = &page->call->data;
    if (page->count == page->cap)
        TRY(page_grow(page));
    page->places[page->count++] = (struct place){
        .start = data->len, .key_len = key.len, .value_len = value.len, .version = version};
    TRY(buf_append(data, key));
    TRY(buf_put_u8(data, 0));
    return buf_append(data, value);
}

/* A page has one document at least. */
static bool visit(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct page *page = context;
    page->len += key.len + value.len + DOCUMENT_ROW;
    page->more = page->count == PAGE_COUNT || (page->count > 0 && page->len > page->len_max);
    if (page->more)
        return false;
    page->rc = page_add(page, key, value, version);
    return page->rc == RC_OK;
}

static enum rc put_documents(struct call *call, const struct page *page,
                             Qhsm__KeystoreDocumentsReply *reply)
{
    Qhsm__KeystoreDocument *documents = call_alloc(call, page->count + 1, sizeof *documents);
    reply->documents = call_alloc(call, page->count + 1, sizeof(Qhsm__KeystoreDocument *));
    if (documents == NULL || reply->documents == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < page->count; i++) {
        const struct place *place = &page->places[i];
        Qhsm__KeystoreDocument *document = &documents[i];
        uint8_t *start = call->data.ptr + place->start;
        qhsm__keystore_document__init(document);
        document->key = (char *)start;
        document->version = place->version;
        document->removed = place->version == 0;
        document->value = handlers_data(bytes_of(start + place->key_len + 1, place->value_len));
        reply->documents[i] = document;
    }
    reply->n_documents = page->count;
    reply->more = page->more;
    return RC_OK;
}

enum rc handlers_keystore_documents(struct call *call)
{
    const Qhsm__KeystoreDocumentsRequest *in = call->request->keystore_documents;
    Qhsm__KeystoreDocumentsReply *reply = &call->body.keystore_documents;
    size_t half = atomic_load_explicit(&call->service->limits.frame_max, memory_order_relaxed) / 2;
    struct page page = {.call = call, .len_max = half < PAGE_LEN ? half : PAGE_LEN};
    bool whole = false;
    qhsm__keystore_documents_reply__init(reply);
    TRY(state_documents_since(call->service->hsm->state, DOCUMENT_KMS, in->since,
                              bytes_of_str(in->after), visit, &page, &reply->index, &whole));
    TRY(page.rc);
    TRY(check_owner(call)); /* now: of what was read, none was bound later */
    TRY(put_documents(call, &page, reply));
    reply->whole = whole;
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_DOCUMENTS;
    call->response.keystore_documents = reply;
    return RC_OK;
}

/* ---- changing */

static struct effect_head head_of(const struct call *call)
{
    struct effect_head head = {.sequence = call->caller.sequence, .time_ms = call->caller.now_ms};
    memcpy(head.application, call->caller.application, sizeof head.application);
    return head;
}

static enum rc read_change(const Qhsm__KeystoreDocument *in, struct document_change *out)
{
    *out = (struct document_change){.space = DOCUMENT_KMS,
                                    .key = bytes_of_str(in->key),
                                    .expected_version = in->version,
                                    .is_removal = in->removed,
                                    .value = handlers_bytes(in->value)};
    if (out->key.len > DOCUMENT_KEY_MAX || out->value.len > DOCUMENT_VALUE_MAX)
        return rc_fail(RC_TOO_LARGE, "document of %zu bytes, key of %zu; limits %zu and %u",
                       out->value.len, out->key.len, DOCUMENT_VALUE_MAX, DOCUMENT_KEY_MAX);
    return RC_OK;
}

static enum rc read_grounds(const Qhsm__KeystoreChangeRequest *in,
                            struct document_ground out[DOCUMENT_GROUNDS_MAX])
{
    if (in->n_grounds > DOCUMENT_GROUNDS_MAX)
        return rc_fail(RC_LIMIT, "a change rests on %zu documents, at most %u", in->n_grounds,
                       DOCUMENT_GROUNDS_MAX);
    for (size_t i = 0; i < in->n_grounds; i++)
        out[i] = (struct document_ground){.key = bytes_of_str(in->grounds[i]->key),
                                          .version = in->grounds[i]->version};
    return RC_OK;
}

/* state_apply() has the last word on whose they are, and on what the change rests on: another one
 * may come first. */
enum rc handlers_keystore_change(struct call *call)
{
    const Qhsm__KeystoreChangeRequest *in = call->request->keystore_change;
    struct document_change changes[DOCUMENT_CHANGES_MAX];
    struct document_ground grounds[DOCUMENT_GROUNDS_MAX];
    const struct effect_head head = head_of(call);
    const struct owned_change change = {.user_id = call->caller.ticket.user_id,
                                        .changes = changes,
                                        .count = in->n_changes,
                                        .grounds = grounds,
                                        .ground_count = in->n_grounds};
    TRY(check_owner(call));
    if (in->n_changes > DOCUMENT_CHANGES_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu documents in one change, at most %u", in->n_changes,
                       DOCUMENT_CHANGES_MAX);
    for (size_t i = 0; i < in->n_changes; i++)
        TRY(read_change(in->changes[i], &changes[i]));
    TRY(read_grounds(in, grounds));
    return effect_owned_change(&call->mutation.effect, &head, &change);
}

/* ---- giving them up */

enum rc handlers_keystore_release(struct call *call)
{
    bool erase = call->request->keystore_release->erase;
    const struct effect_head head = head_of(call);
    struct documents_owner owner;
    if (!erase && !state_documents_owner(call->service->hsm->state, &owner))
        return rc_fail(RC_NOT_FOUND,
                       "the KMS's documents are nobody's: the next change binds them");
    return effect_owned_release(&call->mutation.effect, &head, erase);
}

enum rc handlers_keystore_release_reply(struct call *call)
{
    log_warn("kms_documents_released", "erased=%s peer=%s/%s",
             call->request->keystore_release->erase ? "yes" : "no", tls_role_name(call->peer->role),
             call->peer->name);
    return RC_OK;
}
