/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/crypt_remote.h"

static enum rc facts_load(struct call *call, struct operation *operation)
{
    struct facts *facts = NULL;
    enum rc rc = remote_facts(call, operation->key, &facts);
    if (rc == RC_OBJECT_HANDLE || rc == RC_SESSION_OBJECT_LOST || rc == RC_NOT_FOUND)
        return rc_fail(
            RC_KEY_HANDLE, "no key%s has the handle 0x%lx",
            slot_role(call->session->slot) == ROLE_NONE ? " that may be seen without a login" : "",
            operation->key);
    TRY(rc);
    facts_unref(operation->facts);
    operation->facts = facts;
    return RC_OK;
}

enum rc crypt_key_load(struct call *call, struct operation *operation, enum crypt_op op)
{
    const struct mechanism *mech = operation->mechanism.mech;
    TRY(facts_load(call, operation));
    if (crypt_check_key(operation->facts, mech, op) == RC_OK)
        return RC_OK;
    /* another application may have changed the key since its facts were learnt */
    facts_cache_drop(&call->library->facts, operation->key);
    TRY(facts_load(call, operation));
    return crypt_check_key(operation->facts, mech, op);
}

/* The proof of C_Login(CKU_CONTEXT_SPECIFIC), if there was one. */
static ProtobufCBinaryData proof_of(const struct operation *operation)
{
    const struct ticket *proof = operation->context;
    return remote_binary(proof == NULL ? BYTES_NONE : secret_expose(&proof->content));
}

static struct remote_how how_of(const struct operation *operation)
{
    return (struct remote_how){
        .repeat = RPC_REPEAT_SAFE, .handles = {operation->key}, .handle_count = 1};
}

static struct remote_how how_pinned(struct operation *operation)
{
    return (struct remote_how){.repeat = RPC_REPEAT_NEVER, .pin = &operation->pin};
}

static enum rc take_iv(const struct operation *operation, const ProtobufCBinaryData *iv)
{
    if (iv->len == 0)
        return RC_OK;
    return codec_mechanism_iv_back(&operation->caller_mechanism, bytes_of(iv->data, iv->len));
}

/* The object has another version than the facts say: reads them again. */
static enum rc refresh(struct call *call, struct operation *operation, enum crypt_op op)
{
    facts_cache_drop(&call->library->facts, operation->key);
    return crypt_key_load(call, operation, op);
}

enum rc crypt_remote_once(struct call *call, struct operation *operation, enum crypt_op op,
                          const struct crypt_input *input, struct remote_reply *out)
{
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    codec_mechanism_pb(&operation->mechanism, &mechanism);
    Qhsm__CryptRequest body = QHSM__CRYPT_REQUEST__INIT;
    body.operation = (uint32_t)op;
    body.key = operation->key;
    body.version = operation->facts->version;
    body.mechanism = &mechanism;
    body.prehashed = input->prehashed;
    body.data = remote_binary(input->data);
    body.signature = remote_binary(input->signature);
    body.context = proof_of(operation);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &body;
    struct remote_how how = how_of(operation);
    enum rc rc = remote_call(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, out);
    if (rc == RC_STALE_VERSION) {
        TRY(refresh(call, operation, op));
        body.version = operation->facts->version;
        rc = remote_call(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, out);
    }
    if (rc == RC_KEY_HANDLE)
        facts_cache_drop(&call->library->facts, operation->key);
    TRY(rc);
    if (out->reply.msg->body_case != QHSM__RESPONSE__BODY_DATA)
        return RC_OK;
    return take_iv(operation, &out->reply.msg->data->iv);
}

static enum rc begin_once(struct call *call, struct operation *operation, enum crypt_op op)
{
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    codec_mechanism_pb(&operation->mechanism, &mechanism);
    Qhsm__OperationBeginRequest body = QHSM__OPERATION_BEGIN_REQUEST__INIT;
    body.operation = (uint32_t)op;
    body.key = operation->key;
    body.version = operation->facts->version;
    body.mechanism = &mechanism;
    body.context = proof_of(operation);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_OPERATION_BEGIN;
    request.operation_begin = &body;
    operation->pin = 0;
    struct remote_how how = how_of(operation);
    how.pin = &operation->pin;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_call(call, &request, &how, QHSM__RESPONSE__BODY_OPERATION, &reply));
    operation->number = reply.reply.msg->operation->number;
    return take_iv(operation, &reply.reply.msg->operation->iv);
}

enum rc crypt_remote_begin(struct call *call, struct operation *operation, enum crypt_op op)
{
    enum rc rc = begin_once(call, operation, op);
    if (rc == RC_STALE_VERSION) {
        TRY(refresh(call, operation, op));
        rc = begin_once(call, operation, op);
    }
    return rc;
}

enum rc crypt_remote_update(struct call *call, struct operation *operation, struct bytes data,
                            struct remote_reply *out)
{
    Qhsm__OperationUpdateRequest body = QHSM__OPERATION_UPDATE_REQUEST__INIT;
    body.number = operation->number;
    body.data = remote_binary(data);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_OPERATION_UPDATE;
    request.operation_update = &body;
    struct remote_how how = how_pinned(operation);
    enum rc rc = remote_call(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, out);
    if (rc != RC_OK)
        operation->number = 0; /* the daemon has ended it, or is gone */
    return rc;
}

enum rc crypt_remote_final(struct call *call, struct operation *operation, struct bytes data,
                           struct bytes signature, struct remote_reply *out)
{
    Qhsm__OperationFinalRequest body = QHSM__OPERATION_FINAL_REQUEST__INIT;
    body.number = operation->number;
    body.data = remote_binary(data);
    body.signature = remote_binary(signature);
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_OPERATION_FINAL;
    request.operation_final = &body;
    struct remote_how how = how_pinned(operation);
    operation->number = 0;
    return remote_call(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, out);
}

void crypt_remote_abort(struct call *call, struct operation *operation)
{
    if (operation->number == 0)
        return;
    Qhsm__OperationAbortRequest body = QHSM__OPERATION_ABORT_REQUEST__INIT;
    body.number = operation->number;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_OPERATION_ABORT;
    request.operation_abort = &body;
    struct remote_how how = how_pinned(operation);
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    (void)remote_call(call, &request, &how, QHSM__RESPONSE__BODY__NOT_SET, &reply);
    operation->number = 0;
}

struct bytes crypt_reply_data(const struct remote_reply *reply)
{
    const Qhsm__Response *msg = reply->reply.msg;
    if (msg == NULL || msg->body_case != QHSM__RESPONSE__BODY_DATA)
        return BYTES_NONE;
    return bytes_of(msg->data->data.data, msg->data->data.len);
}
