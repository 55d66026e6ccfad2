/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: create, copy, destroy, change, read, find. */
#include "token/hsm_internal.h"

enum rc hsm_create_object(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                          struct attrs wanted, struct mutation *out)
{
    struct token_row token = {.number = 0};
    TRY(hsm_token(hsm, slot, &token));
    struct template_request request = {
        .use = TEMPLATE_CREATE,
        .wanted = wanted,
        .object_class = CK_UNAVAILABLE_INFORMATION,
        .key_type = CK_UNAVAILABLE_INFORMATION,
        .mechanism = CK_UNAVAILABLE_INFORMATION,
        .role = hsm_role(caller, slot),
        .policy = &token.policy,
    };
    return hsm_make(hsm, caller, slot, &request, out);
}

/* The object whose attributes change or are copied, with its secrets opened. */
struct opened {
    struct object *object;
    struct secret store;
    struct attr_list secrets;
    struct token_row token;
};

static void opened_clear(struct opened *opened)
{
    object_unref(opened->object);
    secret_clear(&opened->store);
}
#define AUTO_OPENED __attribute__((cleanup(opened_clear))) struct opened
#define OPENED_INIT                          \
    {                                        \
        .object = NULL, .store = SECRET_INIT \
    }

static enum rc open_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           enum object_flag may, const char *attribute, struct opened *out)
{
    TRY(hsm_object(hsm, caller, handle, &out->object));
    if ((out->object->flags & (uint32_t)may) == 0)
        return rc_fail(RC_ACTION_PROHIBITED, "%s of the object is FALSE", attribute);
    TRY(hsm_token(hsm, out->object->token, &out->token));
    return out->object->sealed.len == 0
               ? RC_OK
               : object_secrets(hsm->keys, out->object, &out->store, &out->secrets);
}

static struct template_request change_request(const struct caller *caller, enum template_use use,
                                              const struct opened *opened, struct attrs wanted)
{
    return (struct template_request){
        .use = use,
        .wanted = wanted,
        .object_class = CK_UNAVAILABLE_INFORMATION,
        .key_type = CK_UNAVAILABLE_INFORMATION,
        .mechanism = CK_UNAVAILABLE_INFORMATION,
        .source = opened->object,
        .source_secrets = attrs_of(&opened->secrets),
        .role = hsm_role(caller, opened->object->token),
        .policy = &opened->token.policy,
    };
}

enum rc hsm_copy_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                        struct attrs wanted, struct mutation *out)
{
    AUTO_OPENED opened = OPENED_INIT;
    TRY(open_object(hsm, caller, handle, OBJECT_COPYABLE, "CKA_COPYABLE", &opened));
    struct template_request request = change_request(caller, TEMPLATE_COPY, &opened, wanted);
    return hsm_make(hsm, caller, opened.object->token, &request, out);
}

enum rc hsm_set_attributes(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           struct attrs wanted, struct mutation *out)
{
    AUTO_OPENED opened = OPENED_INIT;
    AUTO_SECRET store = SECRET_INIT;
    AUTO_BUF record = BUF_INIT;
    struct object_parts parts = {.version = 1};
    TRY(open_object(hsm, caller, handle, OBJECT_MODIFIABLE, "CKA_MODIFIABLE", &opened));
    struct template_request request = change_request(caller, TEMPLATE_SET, &opened, wanted);
    TRY(template_apply(&request, &store, &parts));
    parts.token = opened.object->token;
    parts.owner = opened.object->owner;
    TRY(object_build(hsm->keys, &parts, &record));
    if ((handle & SESSION_HANDLE_BIT) == 0) {
        struct effect_head head = hsm_head(caller);
        return effect_object_replace(&out->effect, &head, handle, buf_bytes(&record));
    }
    TRY(session_objects_replace(hsm->sessions, caller->application, handle, buf_bytes(&record),
                                &out->sealed[0]));
    out->result = (struct effect_result){.rc = RC_OK, .handle_count = 1, .handles = {handle}};
    return RC_OK;
}

enum rc hsm_destroy_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           struct mutation *out)
{
    AUTO_OBJECT *object = NULL;
    TRY(hsm_object(hsm, caller, handle, &object));
    if ((object->flags & OBJECT_DESTROYABLE) == 0)
        return rc_fail(RC_ACTION_PROHIBITED, "CKA_DESTROYABLE of the object is FALSE");
    if ((handle & SESSION_HANDLE_BIT) != 0)
        return session_objects_destroy(hsm->sessions, caller->application, handle);
    struct effect_head head = hsm_head(caller);
    return effect_object_destroy(&out->effect, &head, handle);
}

enum rc hsm_get_attribute(struct hsm *hsm, const struct object *object, CK_ATTRIBUTE_TYPE type,
                          struct secret *out)
{
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list secrets;
    struct bytes value;
    if (object_attr(object, type, &value)) /* the public half is for whoever sees the object */
        return secret_append(out, value);
    TRY(template_readable(object, type));
    TRY(object_secrets(hsm->keys, object, &store, &secrets));
    const struct attr *attr = attrs_find(attrs_of(&secrets), type);
    if (attr == NULL)
        return rc_fail(RC_ATTRIBUTE_TYPE, "the object has no attribute 0x%lx", type);
    return secret_append(out, attr->value);
}

/* Remembers that the caller has enough, so that the next place is not searched. */
struct finder {
    state_visit visit;
    void *context;
    bool stopped;
};

static bool pass_on(struct object *object, void *context)
{
    struct finder *finder = context;
    finder->stopped = !finder->visit(object, finder->context);
    return !finder->stopped;
}

/* Handles ascend from token objects to built-in ones to session objects. */
enum rc hsm_find(struct hsm *hsm, const struct caller *caller, uint64_t slot, struct attrs wanted,
                 uint64_t after, state_visit visit, void *context)
{
    struct finder finder = {.visit = visit, .context = context};
    bool see_private = hsm_role(caller, slot) == ROLE_USER;
    if (after < BUILTIN_HANDLE_BIT)
        TRY(state_find(hsm->state, slot, wanted, see_private, after, pass_on, &finder));
    if (!finder.stopped && after < SESSION_HANDLE_BIT)
        (void)hsm_builtins_find(hsm, wanted, after, pass_on, &finder);
    if (finder.stopped)
        return RC_OK;
    return session_objects_find(hsm->sessions, caller->application, slot, wanted, see_private,
                                after, pass_on, &finder);
}
