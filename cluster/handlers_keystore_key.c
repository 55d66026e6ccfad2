/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the key store's keys: made, imported, found, deleted. */
#include <string.h>

#include "cluster/handlers.h"
#include "token/hsm_keystore.h"

#define FIND_LIMIT   256U /* in one answer: each is looked into */
#define KEY_NAME_MAX 256U /* of a label or id: what names a key for ever is kept short */

/* ---- a key as it is told */

static struct bytes copy_of(struct call *call, struct bytes data)
{
    uint8_t *copy = call_alloc(call, data.len + 1, 1); /* and a NUL */
    if (copy != NULL && data.len > 0)
        memcpy(copy, data.ptr, data.len);
    return bytes_of(copy, data.len);
}

/* A label that a key of another maker has may hold a NUL, where text ends. */
static char *text_of(struct call *call, struct bytes label)
{
    return handlers_text((const char *)copy_of(call, label).ptr);
}

static enum rc put_key(struct call *call, struct object *object, Qhsm__KeystoreKey *out)
{
    struct hsm_keystore_facts facts = {.public_der = BUF_INIT};
    qhsm__keystore_key__init(out);
    enum rc rc = hsm_keystore_facts(call->service->hsm, object, &facts);
    out->handle = object->handle;
    out->spec = facts.spec;
    out->use = facts.use;
    out->label = text_of(call, facts.label);
    out->id = handlers_data(copy_of(call, facts.id));
    out->public_der = handlers_data(copy_of(call, buf_bytes(&facts.public_der)));
    out->material = handlers_data(copy_of(call, bytes_of(facts.material, sizeof facts.material)));
    bool copied = out->label != NULL && out->id.data != NULL && out->public_der.data != NULL &&
                  out->material.data != NULL;
    buf_clear(&facts.public_der);
    return rc == RC_OK && !copied ? RC_NO_MEMORY : rc;
}

enum rc handlers_keystore_key_reply(struct call *call)
{
    const struct effect_result *result = &call->mutation.result;
    Qhsm__KeystoreKeyReply *reply = &call->body.keystore_key;
    AUTO_OBJECT *object = NULL;
    if (result->handle_count == 0)
        return rc_fail(RC_INTERNAL, "no handle of the new key");
    TRY(hsm_object(call->service->hsm, &call->caller, result->handles[result->handle_count - 1],
                   &object));
    qhsm__keystore_key_reply__init(reply);
    reply->key = call_alloc(call, 1, sizeof *reply->key);
    if (reply->key == NULL)
        return RC_NO_MEMORY;
    TRY(put_key(call, object, reply->key));
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_KEY;
    call->response.keystore_key = reply;
    return RC_OK;
}

/* ---- made and gone */

static enum rc check_names(const struct hsm_keystore_wanted *wanted)
{
    if (wanted->label.len == 0 || wanted->label.len > KEY_NAME_MAX || wanted->id.len == 0 ||
        wanted->id.len > KEY_NAME_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "label and id have 1 to %u bytes", KEY_NAME_MAX);
    return RC_OK;
}

enum rc handlers_keystore_create(struct call *call)
{
    const Qhsm__KeystoreCreateRequest *in = call->request->keystore_create;
    const struct hsm_keystore_wanted wanted = {.spec = in->spec,
                                               .use = in->use,
                                               .label = bytes_of_str(in->label),
                                               .id = handlers_bytes(in->id)};
    TRY(check_names(&wanted));
    return hsm_keystore_create(call->service->hsm, &call->caller, &wanted, &call->mutation);
}

enum rc handlers_keystore_import(struct call *call)
{
    const Qhsm__KeystoreImportRequest *in = call->request->keystore_import;
    const struct hsm_keystore_wanted wanted = {.spec = in->spec,
                                               .use = in->use,
                                               .label = bytes_of_str(in->label),
                                               .id = handlers_bytes(in->id)};
    const struct hsm_keystore_import import = {.wrapping = in->wrapping,
                                               .algorithm = in->algorithm,
                                               .wrapped = handlers_bytes(in->wrapped),
                                               .material = handlers_bytes(in->material)};
    TRY(check_names(&wanted));
    return hsm_keystore_import(call->service->hsm, &call->caller, &import, &wanted,
                               &call->mutation);
}

enum rc handlers_keystore_delete(struct call *call)
{
    return hsm_keystore_delete(call->service->hsm, &call->caller,
                               call->request->keystore_delete->handle, &call->mutation);
}

/* ---- search */

struct found {
    struct object *objects[FIND_LIMIT];
    size_t count, limit;
    bool more;
};

static void found_clear(struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        object_unref(found->objects[i]);
}
#define AUTO_FOUND __attribute__((cleanup(found_clear))) struct found

/* Looked into afterwards, without the search's locks. */
static bool visit(struct object *object, void *context)
{
    struct found *found = context;
    if ((object->object_class != CKO_SECRET_KEY && object->object_class != CKO_PRIVATE_KEY) ||
        (object->flags & OBJECT_TOKEN) == 0)
        return true;
    found->more = found->count == found->limit;
    if (found->more)
        return false;
    found->objects[found->count++] = object_ref(object);
    return true;
}

static enum rc find(struct call *call, const Qhsm__KeystoreFindRequest *in, struct found *found)
{
    struct attr_list wanted = {.count = 0};
    if (in->label[0] != 0)
        TRY(attr_list_add(&wanted, CKA_LABEL, bytes_of_str(in->label)));
    if (in->id.len > 0)
        TRY(attr_list_add(&wanted, CKA_ID, handlers_bytes(in->id)));
    return hsm_find(call->service->hsm, &call->caller, call->caller.ticket.token, attrs_of(&wanted),
                    in->after, visit, found);
}

enum rc handlers_keystore_find(struct call *call)
{
    const Qhsm__KeystoreFindRequest *in = call->request->keystore_find;
    Qhsm__KeystoreFindReply *reply = &call->body.keystore_find;
    AUTO_FOUND found = {.limit = in->limit == 0 || in->limit > FIND_LIMIT ? FIND_LIMIT : in->limit};
    TRY(find(call, in, &found));
    qhsm__keystore_find_reply__init(reply);
    Qhsm__KeystoreKey *keys = call_alloc(call, found.count + 1, sizeof *keys);
    reply->keys = call_alloc(call, found.count + 1, sizeof(Qhsm__KeystoreKey *));
    if (keys == NULL || reply->keys == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < found.count; i++) {
        TRY(put_key(call, found.objects[i], &keys[i]));
        reply->keys[i] = &keys[i];
    }
    reply->n_keys = found.count;
    reply->more = found.more;
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_FIND;
    call->response.keystore_find = reply;
    return RC_OK;
}
