/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/crypt.h"

#include "p11/crypt_parts.h"

/* What a cipher may still hold back when an update asks for the length. */
#define HELD_BACK_MAX 16U

static struct operation *active(struct call *call, enum crypt_op op)
{
    struct operation *operation = call->session->operations[op];
    return operation != NULL && operation->stage != STAGE_NONE ? operation : NULL;
}

static void end(struct call *call, struct operation *operation)
{
    crypt_remote_abort(call, operation);
    operation_reset(operation);
}

bool crypt_cancel(struct call *call, enum crypt_op op)
{
    struct operation *operation = active(call, op);
    if (operation == NULL)
        return false;
    end(call, operation);
    return true;
}

static enum rc prepare(struct call *call, struct operation *operation, enum crypt_op op,
                       const CK_MECHANISM *mechanism)
{
    TRY(codec_mechanism_in(mechanism, &operation->mechanism));
    memcpy(&operation->caller_mechanism, (const void *)mechanism, sizeof *mechanism);
    TRY(crypt_check_mechanism(operation->mechanism.mech, op));
    TRY(remote_check_mechanism(call, operation->mechanism.mech));
    return crypt_key_load(call, operation, op);
}

enum rc crypt_init(struct call *call, enum crypt_op op, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key)
{
    if (mechanism == NULL)
        return crypt_cancel(call, op) ? RC_OK : rc_fail(RC_BAD_ARGUMENT, "NULL mechanism");
    struct operation *operation = session_operation(call->session, op);
    if (operation == NULL)
        return RC_NO_MEMORY;
    if (operation->stage != STAGE_NONE)
        return RC_OPERATION_ACTIVE;
    operation->key = key;
    enum rc rc = prepare(call, operation, op, mechanism);
    if (rc != RC_OK)
        operation_reset(operation);
    else
        operation->stage = STAGE_READY;
    return rc;
}

/* Gives a result, or keeps it for the call that comes with a larger buffer. */
static enum rc deliver(struct operation *operation, enum operation_stage kept_in,
                       struct bytes result, struct output out)
{
    enum rc rc = output_give(out, result);
    if (rc == RC_OK && out.ptr != NULL)
        return RC_OK;
    TRY(secret_from_bytes(&operation->result, result));
    operation->has_result = true;
    operation->stage = kept_in;
    return rc;
}

static enum rc give_kept(struct operation *operation, struct output out)
{
    enum rc rc = output_give(out, secret_expose(&operation->result));
    if (rc == RC_OK && out.ptr != NULL) {
        secret_clear(&operation->result);
        operation->has_result = false;
    }
    return rc;
}

/* A key with CKA_ALWAYS_AUTHENTICATE wants a C_Login of its own for each use. */
static enum rc check_context(const struct operation *operation)
{
    if (operation->facts->always_authenticate && operation->context == NULL)
        return rc_fail(RC_NOT_LOGGED_IN, "the key wants C_Login(CKU_CONTEXT_SPECIFIC) before use");
    return RC_OK;
}

/* True when the answer is known without doing anything: a length query, or a buffer that is
 * certainly too small. */
static enum rc answer_length(struct operation *operation, enum crypt_op op, size_t in_len,
                             struct output out, bool *done)
{
    size_t len = 0;
    bool exact = false;
    TRY(crypt_result_len(operation, op, in_len, &len, &exact));
    *done = out.ptr == NULL || (exact && output_room(out) < len);
    if (!*done)
        return RC_OK;
    store_ulong(out.len, len);
    return out.ptr == NULL ? RC_OK : RC_BUFFER_TOO_SMALL;
}

static enum rc once(struct call *call, struct operation *operation, enum crypt_op op,
                    const struct crypt_input *input, struct output out)
{
    bool done = false;
    enum rc rc = answer_length(operation, op, input->data.len, out, &done);
    if (rc != RC_OK || done)
        return rc;
    TRY(check_context(operation));
    AUTO_SECRET gathered = SECRET_INIT;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(crypt_parts_whole(call, operation, op, input, &gathered, &reply));
    struct bytes result = gathered.len > 0 ? secret_expose(&gathered) : crypt_reply_data(&reply);
    return deliver(operation, STAGE_DONE, result, out);
}

/* The operation stays after a length query and for a larger buffer, else it ends. */
static enum rc finish(struct call *call, struct operation *operation, enum rc rc, struct output out)
{
    bool asked = rc == RC_OK && out.ptr == NULL;
    if (!asked && rc != RC_BUFFER_TOO_SMALL)
        end(call, operation);
    return rc;
}

enum rc crypt_once(struct call *call, enum crypt_op op, const void *data, CK_ULONG len,
                   struct output out)
{
    struct operation *operation = active(call, op);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    if (operation->stage == STAGE_PARTS)
        return RC_OPERATION_ACTIVE;
    struct crypt_input input = {.prehashed = false};
    enum rc rc = input_of(data, len, &input.data);
    if (rc == RC_OK && out.len == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    if (rc == RC_OK)
        rc = operation->has_result ? give_kept(operation, out)
                                   : once(call, operation, op, &input, out);
    return finish(call, operation, rc, out);
}

static enum rc begin_parts(struct call *call, struct operation *operation, enum crypt_op op)
{
    if (operation->stage == STAGE_PARTS)
        return RC_OK;
    TRY(check_context(operation));
    TRY(crypt_parts_begin(call, operation, op));
    operation->stage = STAGE_PARTS;
    return RC_OK;
}

static enum rc update(struct call *call, struct operation *operation, enum crypt_op op,
                      struct bytes part, struct output out)
{
    if (operation->has_result)
        return give_kept(operation, out);
    if (crypt_parts_give(op) && out.ptr == NULL) {
        store_ulong(out.len, part.len + HELD_BACK_MAX);
        return RC_OK;
    }
    TRY(begin_parts(call, operation, op));
    AUTO_SECRET given = SECRET_INIT;
    TRY(crypt_parts_add(call, operation, op, part, &given));
    if (!crypt_parts_give(op))
        return RC_OK;
    return deliver(operation, STAGE_PARTS, secret_expose(&given), out);
}

enum rc crypt_update(struct call *call, enum crypt_op op, const void *part, CK_ULONG len,
                     struct output out)
{
    struct operation *operation = active(call, op);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    if (operation->stage == STAGE_DONE)
        return RC_OPERATION_ACTIVE;
    struct bytes data = BYTES_NONE;
    enum rc rc = input_of(part, len, &data);
    if (rc == RC_OK && crypt_parts_give(op) && out.len == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    if (rc == RC_OK)
        rc = update(call, operation, op, data, out);
    if (rc != RC_OK && rc != RC_BUFFER_TOO_SMALL)
        end(call, operation);
    return rc;
}

/* A signature's length is known, so asking for it costs nothing; what a cipher has left is known
 * only when it is ended, and is kept. */
static enum rc final(struct call *call, struct operation *operation, enum crypt_op op,
                     struct output out)
{
    bool done = false;
    if (!crypt_parts_give(op)) {
        enum rc rc = answer_length(operation, op, 0, out, &done);
        if (rc != RC_OK || done)
            return rc;
    }
    TRY(begin_parts(call, operation, op));
    AUTO_SECRET given = SECRET_INIT;
    TRY(crypt_parts_end(call, operation, op, BYTES_NONE, &given));
    return deliver(operation, STAGE_DONE, secret_expose(&given), out);
}

enum rc crypt_final(struct call *call, enum crypt_op op, struct output out)
{
    struct operation *operation = active(call, op);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    enum rc rc = RC_OK;
    if (out.len == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    else if (operation->has_result && operation->stage == STAGE_PARTS)
        return rc_fail(RC_OPERATION_ACTIVE, "the output of an update waits for a larger buffer");
    else
        rc = operation->has_result ? give_kept(operation, out) : final(call, operation, op, out);
    return finish(call, operation, rc, out);
}

static enum rc signature_of(const struct operation *operation,
                            const struct crypt_signature *signature, struct bytes *out)
{
    if (operation->has_signature != signature->given)
        return rc_fail(RC_OPERATION_NOT_INITIALIZED, "begun by the other kind of Init");
    if (signature->given) {
        *out = buf_bytes(&operation->signature);
        return RC_OK;
    }
    if (signature->ptr == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL signature");
    return input_of(signature->ptr, signature->len, out);
}

static enum rc verify(struct call *call, struct operation *operation, struct bytes data,
                      const struct crypt_signature *signature)
{
    struct crypt_input input = {.data = data};
    TRY(signature_of(operation, signature, &input.signature));
    TRY(check_context(operation));
    AUTO_SECRET nothing = SECRET_INIT;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    return crypt_parts_whole(call, operation, CRYPT_VERIFY, &input, &nothing, &reply);
}

enum rc crypt_verify(struct call *call, const void *data, CK_ULONG len,
                     const struct crypt_signature *signature)
{
    struct operation *operation = active(call, CRYPT_VERIFY);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    if (operation->stage == STAGE_PARTS)
        return RC_OPERATION_ACTIVE;
    struct bytes input = BYTES_NONE;
    enum rc rc = input_of(data, len, &input);
    if (rc == RC_OK)
        rc = verify(call, operation, input, signature);
    end(call, operation);
    return rc;
}

static enum rc verify_final(struct call *call, struct operation *operation,
                            const struct crypt_signature *signature)
{
    struct bytes given = BYTES_NONE;
    TRY(signature_of(operation, signature, &given));
    TRY(begin_parts(call, operation, CRYPT_VERIFY));
    AUTO_SECRET nothing = SECRET_INIT;
    return crypt_parts_end(call, operation, CRYPT_VERIFY, given, &nothing);
}

enum rc crypt_verify_final(struct call *call, const struct crypt_signature *signature)
{
    struct operation *operation = active(call, CRYPT_VERIFY);
    if (operation == NULL)
        return RC_OPERATION_NOT_INITIALIZED;
    enum rc rc = verify_final(call, operation, signature);
    end(call, operation);
    return rc;
}
