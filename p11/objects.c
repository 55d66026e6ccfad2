/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.7: objects. */
#include "p11/object_remote.h"

static enum rc create(struct call *call, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                      CK_OBJECT_HANDLE_PTR out)
{
    if (out == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL object pointer");
    struct wire_template wanted;
    TRY(codec_template_in(items, count, &wanted));
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    enum rc rc = object_check_writable(call, attrs_of(&wanted.list));
    if (rc == RC_OK)
        rc = object_remote_create(call, attrs_of(&wanted.list), &handle);
    wire_template_clear(&wanted);
    if (rc == RC_OK)
        store_ulong(out, handle);
    return rc;
}

CK_RV C_CreateObject(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount,
                     CK_OBJECT_HANDLE_PTR phObject)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_CreateObject, hSession);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    if (rc == RC_OK)
        rc = create(&call, pTemplate, ulCount, phObject);
    if (rc == RC_OK)
        trace_handle(&call.trace, "object", load_ulong(phObject));
    return call_end(&call, rc);
}

/* In a read-only session the object itself decides. */
static enum rc check_object_writable(struct call *call, CK_OBJECT_HANDLE handle)
{
    if (!session_is_read_only(call->session))
        return RC_OK;
    struct facts *facts = NULL;
    TRY(remote_facts(call, handle, &facts));
    bool is_token = facts->is_token;
    facts_unref(facts);
    if (is_token)
        return rc_fail(RC_SESSION_READ_ONLY, "object 0x%lx is a token object", handle);
    return RC_OK;
}

/* A copy is a token object when the template says so, or else when the source is one. */
static enum rc check_copy_writable(struct call *call, CK_OBJECT_HANDLE source, struct attrs wanted)
{
    if (attrs_find(wanted, CKA_TOKEN) != NULL)
        return object_check_writable(call, wanted);
    return check_object_writable(call, source);
}

static enum rc copy(struct call *call, CK_OBJECT_HANDLE source, CK_ATTRIBUTE_PTR items,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR out)
{
    if (out == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL object pointer");
    struct wire_template wanted;
    TRY(codec_template_in(items, count, &wanted));
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    enum rc rc = check_copy_writable(call, source, attrs_of(&wanted.list));
    if (rc == RC_OK)
        rc = object_remote_copy(call, source, attrs_of(&wanted.list), &handle);
    wire_template_clear(&wanted);
    if (rc == RC_OK)
        store_ulong(out, handle);
    return rc;
}

CK_RV C_CopyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE_PTR pTemplate,
                   CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phNewObject)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_CopyObject, hSession);
    trace_handle(&call.trace, "object", hObject);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    if (rc == RC_OK)
        rc = copy(&call, hObject, pTemplate, ulCount, phNewObject);
    if (rc == RC_OK)
        trace_handle(&call.trace, "new", load_ulong(phNewObject));
    return call_end(&call, rc);
}

/* A session object is gone with its HSM, once its sealed form is forgotten here. */
static enum rc destroy_owned(struct call *call, CK_OBJECT_HANDLE handle)
{
    enum rc rc = object_remote_forget(call, handle);
    if (rc != RC_SESSION_OBJECT_LOST && !remote_is_trouble(rc))
        return rc;
    rc_detail_clear();
    return RC_OK;
}

static enum rc destroy(struct call *call, CK_OBJECT_HANDLE handle)
{
    TRY(check_object_writable(call, handle));
    if (owned_has(&call->library->owned, handle))
        TRY(destroy_owned(call, handle));
    else
        TRY(object_remote_destroy(call, handle));
    owned_remove(&call->library->owned, handle);
    facts_cache_drop(&call->library->facts, handle);
    return RC_OK;
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DestroyObject, hSession);
    trace_handle(&call.trace, "object", hObject);
    if (rc == RC_OK)
        rc = destroy(&call, hObject);
    return call_end(&call, rc);
}

/* What its readable attributes take up. */
static enum rc object_size(struct call *call, CK_OBJECT_HANDLE handle, CK_ULONG_PTR out)
{
    if (out == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL size pointer");
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(object_remote_get(call, handle, NULL, 0, &reply));
    const Qhsm__GetAttributesReply *msg = reply.reply.msg->attributes;
    CK_ULONG size = 0;
    for (size_t i = 0; i < msg->n_results; i++)
        size += sizeof(CK_ATTRIBUTE_TYPE) + msg->results[i]->value.len;
    store_ulong(out, size);
    return RC_OK;
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG_PTR pulSize)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GetObjectSize, hSession);
    trace_handle(&call.trace, "object", hObject);
    if (rc == RC_OK)
        rc = object_size(&call, hObject, pulSize);
    return call_end(&call, rc);
}

static enum rc set(struct call *call, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_PTR items,
                   CK_ULONG count)
{
    TRY(check_object_writable(call, handle));
    struct wire_template wanted;
    TRY(codec_template_in(items, count, &wanted));
    enum rc rc = object_remote_set(call, handle, attrs_of(&wanted.list));
    wire_template_clear(&wanted);
    return rc;
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject,
                          CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_SetAttributeValue, hSession);
    trace_handle(&call.trace, "object", hObject);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    if (rc == RC_OK)
        rc = set(&call, hObject, pTemplate, ulCount);
    return call_end(&call, rc);
}

/* The caller's array may be misaligned: each item is worked on in a copy. */
static CK_ATTRIBUTE item_load(CK_ATTRIBUTE_PTR items, size_t index)
{
    CK_ATTRIBUTE item;
    memcpy(&item, (const char *)(void *)items + index * sizeof item, sizeof item);
    return item;
}

static void item_store(CK_ATTRIBUTE_PTR items, size_t index, const CK_ATTRIBUTE *item)
{
    memcpy((char *)(void *)items + index * sizeof *item, item, sizeof *item);
}

/* One item; its own error, with the length marked unavailable (PKCS#11 3.1 5.7.5). */
static enum rc item_fill(CK_ATTRIBUTE *item, const Qhsm__AttributeResult *result)
{
    enum rc rc = rc_from_wire(result->rc);
    if (rc == RC_OK)
        rc = codec_attribute_out(item, bytes_of(result->value.data, result->value.len));
    if (rc != RC_OK)
        item->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rc;
}

/* All that can be filled is; of several errors the one that says most. */
static enum rc items_fill(CK_ATTRIBUTE_PTR items, size_t count, const Qhsm__GetAttributesReply *msg)
{
    static const enum rc order[] = {RC_ATTRIBUTE_SENSITIVE, RC_ATTRIBUTE_TYPE, RC_BUFFER_TOO_SMALL};
    bool seen[3] = {false, false, false};
    enum rc other = RC_OK;
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE item = item_load(items, i);
        enum rc rc = item_fill(&item, msg->results[i]);
        item_store(items, i, &item);
        size_t known = 0;
        while (known < 3 && order[known] != rc)
            known++;
        if (known < 3)
            seen[known] = true;
        else if (rc != RC_OK)
            other = rc;
    }
    for (size_t k = 0; k < 3; k++)
        if (seen[k])
            return order[k];
    return other;
}

static enum rc get(struct call *call, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_PTR items,
                   CK_ULONG count)
{
    if (items == NULL || count == 0)
        return rc_fail(RC_BAD_ARGUMENT, "no attributes are asked for");
    if (count > ATTRS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%lu attributes, at most %d at once", count, ATTRS_MAX);
    uint64_t types[ATTRS_MAX];
    for (size_t i = 0; i < count; i++)
        types[i] = item_load(items, i).type;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(object_remote_get(call, handle, types, count, &reply));
    const Qhsm__GetAttributesReply *msg = reply.reply.msg->attributes;
    if (msg->n_results != count)
        return rc_fail(RC_PROTOCOL, "the HSM answered with %zu attributes instead of %lu",
                       msg->n_results, count);
    return items_fill(items, count, msg);
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject,
                          CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GetAttributeValue, hSession);
    trace_handle(&call.trace, "object", hObject);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    if (rc == RC_OK)
        rc = get(&call, hObject, pTemplate, ulCount);
    return call_end(&call, rc);
}
