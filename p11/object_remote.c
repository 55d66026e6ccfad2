/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/object_remote.h"

void object_template_of(struct attrs attrs, struct object_template *out)
{
    out->count = codec_template_pb(attrs, out->storage, out->pointers);
}

bool object_is_token(struct attrs wanted, bool otherwise)
{
    bool token = otherwise;
    (void)attrs_get_bool(wanted, CKA_TOKEN, &token);
    return token;
}

enum rc object_check_writable(const struct call *call, struct attrs wanted)
{
    if (object_is_token(wanted, false) && session_is_read_only(call->session))
        return rc_fail(RC_SESSION_READ_ONLY, "CKA_TOKEN is true in a read-only session");
    return RC_OK;
}

/* Sends a mutation whose answer has one new object. */
static enum rc make_one(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                        CK_OBJECT_HANDLE *out)
{
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_mutate(call, request, how, QHSM__RESPONSE__BODY_OBJECT, &reply));
    return remote_objects(call, &reply, 1, out);
}

enum rc object_remote_create(struct call *call, struct attrs wanted, CK_OBJECT_HANDLE *out)
{
    struct object_template template;
    object_template_of(wanted, &template);
    Qhsm__CreateObjectRequest body = QHSM__CREATE_OBJECT_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.n_attributes = template.count;
    body.attributes = template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CREATE_OBJECT;
    request.create_object = &body;
    const struct remote_how how = {.at_home = !object_is_token(wanted, false)};
    return make_one(call, &request, &how, out);
}

static struct remote_how how_of(CK_OBJECT_HANDLE handle)
{
    return (struct remote_how){.repeat = RPC_REPEAT_SAFE, .handles = {handle}, .handle_count = 1};
}

enum rc object_remote_copy(struct call *call, CK_OBJECT_HANDLE source, struct attrs wanted,
                           CK_OBJECT_HANDLE *out)
{
    struct object_template template;
    object_template_of(wanted, &template);
    Qhsm__CopyObjectRequest body = QHSM__COPY_OBJECT_REQUEST__INIT;
    body.handle = source;
    body.n_attributes = template.count;
    body.attributes = template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_COPY_OBJECT;
    request.copy_object = &body;
    struct remote_how how = how_of(source);
    how.at_home = !object_is_token(wanted, true);
    return make_one(call, &request, &how, out);
}

static enum rc destroy(struct call *call, CK_OBJECT_HANDLE handle, const struct remote_how *how)
{
    Qhsm__DestroyObjectRequest body = QHSM__DESTROY_OBJECT_REQUEST__INIT;
    body.handle = handle;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_DESTROY_OBJECT;
    request.destroy_object = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    return remote_mutate(call, &request, how, QHSM__RESPONSE__BODY__NOT_SET, &reply);
}

enum rc object_remote_destroy(struct call *call, CK_OBJECT_HANDLE handle)
{
    const struct remote_how how = how_of(handle);
    return destroy(call, handle, &how);
}

enum rc object_remote_forget(struct call *call, CK_OBJECT_HANDLE handle)
{
    uint64_t at = owned_at(&call->library->owned, handle);
    const struct remote_how how = {.repeat = RPC_REPEAT_FAREWELL, .pin = &at};
    return at == 0 ? RC_OK : destroy(call, handle, &how);
}

/* A changed session object comes back sealed anew. */
static enum rc take_changed(struct call *call, CK_OBJECT_HANDLE handle,
                            const struct remote_reply *reply)
{
    facts_cache_drop(&call->library->facts, handle);
    if (reply->reply.msg->body_case != QHSM__RESPONSE__BODY_OBJECT)
        return RC_OK;
    CK_OBJECT_HANDLE same;
    return remote_objects(call, reply, 1, &same);
}

enum rc object_remote_set(struct call *call, CK_OBJECT_HANDLE handle, struct attrs wanted)
{
    struct object_template template;
    object_template_of(wanted, &template);
    Qhsm__SetAttributesRequest body = QHSM__SET_ATTRIBUTES_REQUEST__INIT;
    body.handle = handle;
    body.n_attributes = template.count;
    body.attributes = template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SET_ATTRIBUTES;
    request.set_attributes = &body;
    struct remote_how how = how_of(handle);
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_mutate(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, &reply));
    return take_changed(call, handle, &reply);
}

enum rc object_remote_get(struct call *call, CK_OBJECT_HANDLE handle, uint64_t *types, size_t count,
                          struct remote_reply *out)
{
    Qhsm__GetAttributesRequest body = QHSM__GET_ATTRIBUTES_REQUEST__INIT;
    body.handle = handle;
    body.n_types = count;
    body.types = types;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GET_ATTRIBUTES;
    request.get_attributes = &body;
    struct remote_how how = how_of(handle);
    TRY(remote_call(call, &request, &how, QHSM__RESPONSE__BODY_ATTRIBUTES, out));
    const Qhsm__GetAttributesReply *reply = out->reply.msg->attributes;
    if (reply->facts != NULL)
        TRY(facts_cache_put(&call->library->facts, reply->facts, NULL));
    return RC_OK;
}
