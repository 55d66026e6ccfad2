/* SPDX-License-Identifier: Apache-2.0 */
/* An HSM: its parts, what a caller sees of it, and how new objects are put away. */
#include "token/hsm.h"

#include <stdlib.h>

#include "token/hsm_internal.h"

#define SESSION_OBJECTS_PER_APPLICATION 16384U
#define SESSION_OBJECTS_MAX             131072U

static enum rc open_parts(struct hsm *hsm, const struct secret *master, const uint8_t cluster[16])
{
    TRY(seal_keys_new(master, cluster, &hsm->keys));
    TRY(state_new(hsm->keys, &hsm->state));
    TRY(session_objects_new(hsm->keys, hsm->node, SESSION_OBJECTS_PER_APPLICATION,
                            SESSION_OBJECTS_MAX, &hsm->sessions));
    return hsm_builtins_new(hsm);
}

enum rc hsm_new(const struct secret *master, const uint8_t cluster[16], uint64_t node,
                struct hsm **out)
{
    struct hsm *hsm = calloc(1, sizeof *hsm);
    if (hsm == NULL)
        return rc_fail(RC_NO_MEMORY, "an HSM");
    hsm->node = node;
    enum rc rc = open_parts(hsm, master, cluster);
    if (rc != RC_OK) {
        hsm_free(hsm);
        return rc;
    }
    *out = hsm;
    return RC_OK;
}

void hsm_free(struct hsm *hsm)
{
    if (hsm == NULL)
        return;
    hsm_builtins_free(hsm);
    if (hsm->sessions != NULL)
        session_objects_free(hsm->sessions);
    if (hsm->state != NULL)
        state_free(hsm->state);
    if (hsm->keys != NULL)
        seal_keys_free(hsm->keys);
    free(hsm);
}

void mutation_clear(struct mutation *mutation)
{
    buf_clear(&mutation->effect);
    buf_clear(&mutation->reply);
    for (size_t i = 0; i < EFFECT_HANDLES_MAX; i++)
        buf_clear(&mutation->sealed[i]);
}

struct effect_head hsm_head(const struct caller *caller)
{
    struct effect_head head = {.sequence = caller->sequence, .time_ms = caller->now_ms};
    memcpy(head.application, caller->application, sizeof head.application);
    return head;
}

enum user_role hsm_role(const struct caller *caller, uint64_t token)
{
    return caller->logged_in && caller->ticket.token == token ? caller->ticket.role : ROLE_NONE;
}

enum rc hsm_token(const struct hsm *hsm, uint64_t slot, struct token_row *out)
{
    if (slot == state_next_token(hsm->state))
        return rc_fail(RC_TOKEN_NOT_INITIALIZED, "slot %lu", (unsigned long)slot);
    return state_token(hsm->state, slot, out);
}

static struct object *lookup(struct hsm *hsm, const struct caller *caller, uint64_t handle)
{
    if ((handle & SESSION_HANDLE_BIT) != 0)
        return session_objects_get(hsm->sessions, caller->application, handle);
    if ((handle & BUILTIN_HANDLE_BIT) != 0)
        return hsm_builtin(hsm, handle);
    return state_object(hsm->state, handle);
}

enum rc hsm_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                   struct object **out)
{
    struct object *object = lookup(hsm, caller, handle);
    if (object == NULL && (handle & SESSION_HANDLE_BIT) != 0)
        return rc_fail(RC_SESSION_OBJECT_LOST, "session object 0x%lx", (unsigned long)handle);
    if (object == NULL)
        return rc_fail(RC_OBJECT_HANDLE, "no object 0x%lx", (unsigned long)handle);
    if ((object->flags & OBJECT_PRIVATE) != 0 && hsm_role(caller, object->token) != ROLE_USER) {
        object_unref(object);
        return rc_fail(RC_OBJECT_HANDLE, "no object 0x%lx that can be seen without a login",
                       (unsigned long)handle);
    }
    *out = object;
    return RC_OK;
}

enum rc hsm_key(struct hsm *hsm, const struct caller *caller, uint64_t handle, enum rc missing,
                struct object **out)
{
    struct object *object = NULL;
    enum rc rc = hsm_object(hsm, caller, handle, &object);
    if (object == NULL)
        return rc == RC_OBJECT_HANDLE ? missing : rc;
    if (object->key_type == CK_UNAVAILABLE_INFORMATION) {
        object_unref(object);
        return rc_fail(missing, "object 0x%lx is no key", (unsigned long)handle);
    }
    *out = object;
    return RC_OK;
}

/* ---- new objects ---- */

static bool is_token_object(const struct object_parts *parts)
{
    bool token = false;
    (void)attrs_get_bool(attrs_of(&parts->public_attrs), CKA_TOKEN, &token);
    return token;
}

static void drop_session_objects(struct hsm *hsm, const struct caller *caller,
                                 struct effect_result *result)
{
    for (size_t i = 0; i < result->handle_count; i++)
        if (result->handles[i] != 0)
            (void)session_objects_destroy(hsm->sessions, caller->application, result->handles[i]);
    result->handle_count = 0;
}

static enum rc add_session_objects(struct hsm *hsm, const struct caller *caller,
                                   const struct buf *records, const bool *on_token, size_t count,
                                   struct mutation *out)
{
    out->result = (struct effect_result){.rc = RC_OK};
    for (size_t i = 0; i < count; i++) {
        uint64_t handle = 0; /* of a token object: known when the effect was applied */
        enum rc rc = on_token[i]
                         ? RC_OK
                         : session_objects_add(hsm->sessions, caller->application,
                                               buf_bytes(&records[i]), &handle, &out->sealed[i]);
        if (rc != RC_OK) {
            drop_session_objects(hsm, caller, &out->result);
            return rc;
        }
        out->result.handles[out->result.handle_count++] = handle;
    }
    return RC_OK;
}

enum rc hsm_add(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                struct object_parts *parts, size_t count, struct mutation *out)
{
    struct buf records[EFFECT_HANDLES_MAX] = {BUF_INIT, BUF_INIT};
    struct bytes for_token[EFFECT_HANDLES_MAX];
    bool on_token[EFFECT_HANDLES_MAX];
    size_t token_count = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < count && rc == RC_OK; i++) {
        parts[i].token = slot;
        parts[i].owner = hsm_role(caller, slot) == ROLE_USER ? caller->ticket.user_id : 0;
        on_token[i] = is_token_object(&parts[i]);
        rc = object_build(hsm->keys, &parts[i], &records[i]);
        if (rc == RC_OK && on_token[i])
            for_token[token_count++] = buf_bytes(&records[i]);
    }
    if (rc == RC_OK)
        rc = add_session_objects(hsm, caller, records, on_token, count, out);
    if (rc == RC_OK && token_count > 0) {
        struct effect_head head = hsm_head(caller);
        rc = effect_objects_add(&out->effect, &head, slot, for_token, token_count);
        if (rc != RC_OK)
            drop_session_objects(hsm, caller, &out->result);
    }
    for (size_t i = 0; i < EFFECT_HANDLES_MAX; i++)
        buf_clear(&records[i]);
    return rc;
}

enum rc hsm_make(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                 const struct template_request *request, struct mutation *out)
{
    AUTO_SECRET store = SECRET_INIT;
    struct object_parts parts = {.version = 1};
    TRY(template_apply(request, &store, &parts));
    return hsm_add(hsm, caller, slot, &parts, 1, out);
}

void hsm_settle(struct hsm *hsm, const struct caller *caller, struct mutation *mutation,
                const struct effect_result *applied)
{
    struct effect_result *result = &mutation->result;
    size_t next = 0;
    if (applied->rc != RC_OK)
        drop_session_objects(hsm, caller, result);
    result->rc = applied->rc;
    for (size_t i = 0; i < result->handle_count; i++)
        if (result->handles[i] == 0 && next < applied->handle_count)
            result->handles[i] = applied->handles[next++];
    if (result->handle_count == 0)
        *result = *applied;
}
