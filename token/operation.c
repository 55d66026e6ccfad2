/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-part operations: the order of begin, updates and final; the family does the work. */
#include <stdlib.h>

#include "token/mech_internal.h"

enum rc operation_begin(const struct mech_call *call, enum crypt_op op, struct key *key,
                        size_t hold_max, struct buf *out_iv, struct operation **out)
{
    const struct mech_methods *methods = mech_methods_of(call->mech);
    TRY(mech_check(call, op, key));
    if (methods->begin == NULL || methods->final == NULL)
        return rc_fail(RC_MECHANISM, "%s is not for multi-part operations", call->mech->name);
    struct operation *operation = calloc(1, sizeof *operation);
    if (operation == NULL)
        return RC_NO_MEMORY;
    operation->methods = methods;
    operation->op = op;
    operation->mech = call->mech;
    operation->key = key;
    operation->hold_max = hold_max;
    enum rc rc = methods->begin(call, out_iv, operation);
    if (rc != RC_OK) {
        operation_free(operation);
        return rc;
    }
    *out = operation;
    return RC_OK;
}

/* An error ends the operation (PKCS#11 3.1 5.2), and its output is taken back. */
static enum rc settle(struct operation *operation, enum rc rc, struct buf *out, size_t start)
{
    if (rc == RC_OK)
        return RC_OK;
    operation->over = true;
    if (out->len > start)
        TRY(buf_resize(out, start));
    return rc;
}

enum rc operation_update(struct operation *operation, struct bytes data, struct buf *out)
{
    if (operation->over)
        return rc_fail(RC_OPERATION_NOT_INITIALIZED, "the operation has ended");
    if (operation->methods->update == NULL)
        return rc_fail(RC_MECHANISM, "%s takes its data in one part", operation->mech->name);
    if (data.len == 0)
        return RC_OK;
    size_t start = out->len;
    return settle(operation, operation->methods->update(operation, data, out), out, start);
}

enum rc operation_final(struct operation *operation, struct bytes data, struct bytes signature,
                        struct buf *out)
{
    if (operation->over)
        return rc_fail(RC_OPERATION_NOT_INITIALIZED, "the operation has ended");
    size_t start = out->len;
    enum rc rc = operation->methods->final(operation, data, signature, out);
    operation->over = true;
    return settle(operation, rc, out, start);
}

void operation_hold(struct operation *operation, struct object *object)
{
    operation->held = object_ref(object);
}

size_t operation_held(const struct operation *operation)
{
    return operation->held_len;
}

void operation_free(struct operation *operation)
{
    if (operation == NULL)
        return;
    if (operation->state_free != NULL && operation->state != NULL)
        operation->state_free(operation->state);
    object_unref(operation->held);
    free(operation);
}
