/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of objects: create, copy, destroy, attributes, search. */
#include <string.h>

#include "cluster/facts.h"
#include "cluster/handlers.h"
#include "rpc/codec.h"

#define TYPES_MAX 256U

/* ---- replies */

static enum rc put_facts(struct call *call, const uint64_t *handles, size_t count)
{
    Qhsm__ObjectReply *reply = &call->body.object;
    Qhsm__KeyFacts *facts = call_alloc(call, count, sizeof *facts);
    reply->objects = call_alloc(call, count, sizeof(Qhsm__KeyFacts *));
    if (facts == NULL || reply->objects == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        AUTO_OBJECT *object = NULL;
        enum rc rc = hsm_object(call->service->hsm, &call->caller, handles[i], &object);
        qhsm__key_facts__init(&facts[i]);
        facts[i].handle = handles[i]; /* all there is to say when it was destroyed meanwhile */
        if (rc == RC_OK)
            TRY(facts_of(call, object, &facts[i]));
        rc_detail_clear();
        reply->objects[i] = &facts[i];
    }
    reply->n_objects = count;
    return RC_OK;
}

static enum rc put_sealed(struct call *call, size_t count)
{
    Qhsm__ObjectReply *reply = &call->body.object;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || call->mutation.sealed[i].len > 0;
    if (!any)
        return RC_OK;
    reply->sealed = call_alloc(call, count, sizeof(ProtobufCBinaryData));
    if (reply->sealed == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        reply->sealed[i] = handlers_data(buf_bytes(&call->mutation.sealed[i]));
    reply->n_sealed = count;
    return RC_OK;
}

static enum rc reply_objects(struct call *call, const uint64_t *handles, size_t count)
{
    Qhsm__ObjectReply *reply = &call->body.object;
    qhsm__object_reply__init(reply);
    call->response.body_case = QHSM__RESPONSE__BODY_OBJECT;
    call->response.object = reply;
    reply->iv = handlers_data(buf_bytes(&call->mutation.reply));
    if (count == 0)
        return RC_OK;
    TRY(put_facts(call, handles, count));
    return put_sealed(call, count);
}

enum rc handlers_object_reply(struct call *call)
{
    const struct effect_result *result = &call->mutation.result;
    return reply_objects(call, result->handles, result->handle_count);
}

enum rc handlers_object_set_reply(struct call *call)
{
    return reply_objects(call, &call->request->set_attributes->handle, 1);
}

/* ---- making and changing */

enum rc handlers_object_create(struct call *call)
{
    const Qhsm__CreateObjectRequest *in = call->request->create_object;
    struct attr_list wanted;
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_create_object(call->service->hsm, &call->caller, in->slot, attrs_of(&wanted),
                             &call->mutation);
}

enum rc handlers_object_copy(struct call *call)
{
    const Qhsm__CopyObjectRequest *in = call->request->copy_object;
    struct attr_list wanted;
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_copy_object(call->service->hsm, &call->caller, in->handle, attrs_of(&wanted),
                           &call->mutation);
}

enum rc handlers_object_destroy(struct call *call)
{
    return hsm_destroy_object(call->service->hsm, &call->caller,
                              call->request->destroy_object->handle, &call->mutation);
}

enum rc handlers_object_set(struct call *call)
{
    const Qhsm__SetAttributesRequest *in = call->request->set_attributes;
    struct attr_list wanted;
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_set_attributes(call->service->hsm, &call->caller, in->handle, attrs_of(&wanted),
                              &call->mutation);
}

enum rc handlers_object_restore(struct call *call)
{
    const Qhsm__RestoreObjectRequest *in = call->request->restore_object;
    return session_objects_restore(call->service->hsm->sessions, call->caller.application,
                                   in->handle, handlers_bytes(in->sealed));
}

/* ---- reading attributes */

struct value_place {
    size_t start, len;
};

/* Values are gathered in one secret, which may move while it grows: places first, pointers last. */
static enum rc gather(struct call *call, const struct object *object, const uint64_t *types,
                      size_t count)
{
    Qhsm__GetAttributesReply *reply = &call->body.attributes;
    Qhsm__AttributeResult *results = call_alloc(call, count, sizeof *results);
    struct value_place *places = call_alloc(call, count, sizeof *places);
    reply->results = call_alloc(call, count, sizeof(Qhsm__AttributeResult *));
    if (results == NULL || places == NULL || reply->results == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        qhsm__attribute_result__init(&results[i]);
        places[i].start = call->values.len;
        enum rc rc = hsm_get_attribute(call->service->hsm, object, types[i], &call->values);
        if (rc == RC_NO_MEMORY || rc == RC_TOO_LARGE || rc == RC_TAMPERED)
            return rc;
        places[i].len = call->values.len - places[i].start;
        results[i].type = types[i];
        results[i].rc = (uint32_t)rc;
        reply->results[i] = &results[i];
    }
    struct bytes values = secret_expose(&call->values);
    for (size_t i = 0; i < count; i++)
        results[i].value = handlers_data(bytes_slice(values, places[i].start, places[i].len));
    reply->n_results = count;
    rc_detail_clear();
    return RC_OK;
}

static enum rc gather_public(struct call *call, const struct object *object)
{
    struct attr_list attrs;
    object_attrs(object, &attrs);
    uint64_t *types = call_alloc(call, attrs.count, sizeof *types);
    if (types == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < attrs.count; i++)
        types[i] = attrs.items[i].type;
    return gather(call, object, types, attrs.count);
}

enum rc handlers_object_get(struct call *call)
{
    const Qhsm__GetAttributesRequest *in = call->request->get_attributes;
    Qhsm__GetAttributesReply *reply = &call->body.attributes;
    if (in->n_types > TYPES_MAX)
        return rc_fail(RC_TOO_LARGE, "%zu attributes asked, limit %u", in->n_types, TYPES_MAX);
    AUTO_OBJECT *object = NULL;
    TRY(hsm_object(call->service->hsm, &call->caller, in->handle, &object));
    qhsm__get_attributes_reply__init(reply);
    TRY(in->n_types == 0 ? gather_public(call, object)
                         : gather(call, object, in->types, in->n_types));
    reply->facts = call_alloc(call, 1, sizeof *reply->facts);
    if (reply->facts == NULL)
        return RC_NO_MEMORY;
    TRY(facts_of(call, object, reply->facts));
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_ATTRIBUTES;
    call->response.attributes = reply;
    return RC_OK;
}

enum rc handlers_object_facts(struct call *call)
{
    AUTO_OBJECT *object = NULL;
    TRY(hsm_object(call->service->hsm, &call->caller, call->request->facts->handle, &object));
    Qhsm__KeyFacts *facts = call_alloc(call, 1, sizeof *facts);
    if (facts == NULL)
        return RC_NO_MEMORY;
    TRY(facts_of(call, object, facts));
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_FACTS;
    call->response.facts = facts;
    return RC_OK;
}

/* ---- search */

struct found {
    struct call *call;
    size_t limit;
    bool with_facts;
    bool more;
    size_t cap;
    uint64_t *handles;
    Qhsm__KeyFacts **facts;
    size_t count;
    enum rc rc;
};

/* Most searches find one object: the lists grow as they are needed. */
static enum rc found_grow(struct found *found)
{
    size_t cap = found->cap == 0 ? 16 : found->cap * 4;
    if (cap > found->limit)
        cap = found->limit;
    uint64_t *handles = call_alloc(found->call, cap, sizeof *handles);
    Qhsm__KeyFacts **facts = call_alloc(found->call, cap, sizeof *facts);
    if (handles == NULL || facts == NULL)
        return RC_NO_MEMORY;
    if (found->count > 0) {
        memcpy(handles, found->handles, found->count * sizeof *handles);
        memcpy(facts, found->facts, found->count * sizeof *facts);
    }
    found->handles = handles;
    found->facts = facts;
    found->cap = cap;
    return RC_OK;
}

static enum rc found_add(struct found *found, const struct object *object)
{
    if (found->count == found->cap)
        TRY(found_grow(found));
    if (found->with_facts) {
        Qhsm__KeyFacts *facts = call_alloc(found->call, 1, sizeof *facts);
        if (facts == NULL)
            return RC_NO_MEMORY;
        TRY(facts_of(found->call, object, facts));
        found->facts[found->count] = facts;
    }
    found->handles[found->count++] = object->handle;
    return RC_OK;
}

static bool visit(struct object *object, void *context)
{
    struct found *found = context;
    if (found->count == found->limit) {
        found->more = true;
        return false;
    }
    found->rc = found_add(found, object);
    return found->rc == RC_OK;
}

enum rc handlers_object_find(struct call *call)
{
    const Qhsm__FindRequest *in = call->request->find;
    struct attr_list wanted;
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    struct found found = {.call = call, .limit = in->limit, .with_facts = in->with_facts};
    if (found.limit == 0 || found.limit > WIRE_FIND_LIMIT)
        found.limit = WIRE_FIND_LIMIT;
    TRY(hsm_find(call->service->hsm, &call->caller, in->slot, attrs_of(&wanted), in->after, visit,
                 &found));
    TRY(found.rc);
    Qhsm__FindReply *reply = &call->body.find;
    qhsm__find_reply__init(reply);
    reply->handles = found.handles;
    reply->n_handles = found.count;
    reply->facts = found.facts;
    reply->n_facts = found.with_facts ? found.count : 0;
    reply->more = found.more;
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_FIND;
    call->response.find = reply;
    return RC_OK;
}
