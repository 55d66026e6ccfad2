/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.7.7 to 5.7.9: searching. The first request brings the first page with the key facts
 * that C_SignInit will want; more pages are fetched when they are asked for. Pages continue after
 * the last handle, so nothing is returned twice. */
#include <stdlib.h>

#include "p11/object_remote.h"
#include "p11/remote_home.h"

static enum rc keep_facts(struct call *call, const Qhsm__FindReply *reply)
{
    for (size_t i = 0; i < reply->n_facts; i++)
        TRY(facts_cache_put(&call->library->facts, reply->facts[i], NULL));
    return RC_OK;
}

static enum rc keep_page(struct call *call, const Qhsm__FindReply *reply)
{
    struct session_find *find = &call->session->find;
    size_t count = 0;
    CK_OBJECT_HANDLE *page = NULL;
    if (reply->n_handles > 0) {
        page = calloc(reply->n_handles, sizeof *page);
        if (page == NULL)
            return RC_NO_MEMORY;
        for (size_t i = 0; i < reply->n_handles; i++)
            if (remote_home_shows(call, reply->handles[i]))
                page[count++] = reply->handles[i];
        find->last = reply->handles[reply->n_handles - 1];
    }
    free(find->page);
    find->page = page;
    find->count = count;
    find->next = 0;
    find->more = reply->more && reply->n_handles > 0;
    return RC_OK;
}

static enum rc fetch(struct call *call, struct attrs wanted, bool first)
{
    struct session_find *find = &call->session->find;
    struct object_template template;
    object_template_of(wanted, &template);
    Qhsm__FindRequest body = QHSM__FIND_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.n_attributes = template.count;
    body.attributes = template.pointers;
    body.after = first ? 0 : find->last;
    body.limit = first ? FIND_PAGE_FIRST : FIND_PAGE_NEXT;
    body.with_facts = first;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FIND;
    request.find = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    const struct remote_how how = {.at_home = true};
    TRY(remote_call(call, &request, &how, QHSM__RESPONSE__BODY_FIND, &reply));
    TRY(keep_facts(call, reply.reply.msg->find));
    return keep_page(call, reply.reply.msg->find);
}

/* Again when the home of the session objects was lost in the middle. */
static enum rc find_first(struct call *call, struct attrs wanted)
{
    uint64_t before = 0;
    for (unsigned tries = 0; tries < 2; tries++) {
        TRY(remote_home_gather(call));
        before = owned_home(&call->library->owned);
        TRY(fetch(call, wanted, true));
        if (owned_home(&call->library->owned) == before)
            break;
    }
    return RC_OK;
}

static enum rc find_init(struct call *call, CK_ATTRIBUTE_PTR items, CK_ULONG count)
{
    struct session_find *find = &call->session->find;
    if (find->active)
        return RC_OPERATION_ACTIVE;
    struct wire_template *wanted = calloc(1, sizeof *wanted);
    if (wanted == NULL)
        return RC_NO_MEMORY;
    find->wanted = wanted;
    enum rc rc = codec_template_in(items, count, wanted);
    if (rc == RC_OK)
        rc = find_first(call, attrs_of(&wanted->list));
    if (rc == RC_OK)
        find->active = true;
    else
        session_find_end(call->session);
    return rc;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_FindObjectsInit, hSession);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    if (rc == RC_OK)
        rc = find_init(&call, pTemplate, ulCount);
    return call_end(&call, rc);
}

static enum rc find_next(struct call *call, CK_OBJECT_HANDLE_PTR out, CK_ULONG room,
                         CK_ULONG_PTR out_count)
{
    struct session_find *find = &call->session->find;
    if (!find->active)
        return RC_OPERATION_NOT_INITIALIZED;
    if (out_count == NULL || (out == NULL && room > 0))
        return rc_fail(RC_BAD_ARGUMENT, "NULL pointer");
    CK_ULONG given = 0;
    while (given < room) {
        enum rc rc = RC_OK;
        while (rc == RC_OK && find->next == find->count && find->more)
            rc = fetch(call, attrs_of(&find->wanted->list), false);
        if (given == 0)
            TRY(rc);
        /* What was found is given; the next call asks for the page again. */
        if (rc != RC_OK)
            rc_detail_clear();
        if (find->next == find->count)
            break;
        store_ulong((CK_BYTE_PTR)(void *)out + given * sizeof(CK_OBJECT_HANDLE),
                    find->page[find->next++]);
        given++;
    }
    store_ulong(out_count, given);
    return RC_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE_PTR phObject,
                    CK_ULONG ulMaxObjectCount, CK_ULONG_PTR pulObjectCount)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_FindObjects, hSession);
    trace_note(&call.trace, " max=%lu", ulMaxObjectCount);
    if (rc == RC_OK)
        rc = find_next(&call, phObject, ulMaxObjectCount, pulObjectCount);
    if (rc == RC_OK)
        trace_note(&call.trace, " count=%lu", load_ulong(pulObjectCount));
    return call_end(&call, rc);
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE hSession)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_FindObjectsFinal, hSession);
    if (rc == RC_OK && !call.session->find.active)
        rc = RC_OPERATION_NOT_INITIALIZED;
    if (rc == RC_OK)
        session_find_end(call.session);
    return call_end(&call, rc);
}
