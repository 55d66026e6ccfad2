/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that use keys: one shot (the hot path), in parts, and random numbers. */
#include <openssl/rand.h>

#include "cluster/handlers.h"
#include "cluster/operations.h"
#include "rpc/codec.h"
#include "token/crypto_lib.h"

#define RANDOM_MAX 65536U
/* GCM and CCM decryption hold their output back until the tag is checked. */
#define HOLD_MAX ((size_t)16 * 1024 * 1024)

void handlers_crypt_reply(struct call *call, struct bytes data)
{
    Qhsm__DataReply *reply = &call->body.data;
    qhsm__data_reply__init(reply);
    reply->data = handlers_data(data);
    call->response.body_case = QHSM__RESPONSE__BODY_DATA;
    call->response.data = reply;
}

static void reply_data(struct call *call)
{
    handlers_crypt_reply(call, buf_bytes(&call->data));
    call->body.data.iv = handlers_data(buf_bytes(&call->iv));
}

enum rc handlers_crypt_check_data(ProtobufCBinaryData data)
{
    if (data.len > WIRE_DATA_MAX)
        return rc_fail(RC_TOO_LARGE, "%zu bytes of data in one request, limit %u", data.len,
                       WIRE_DATA_MAX);
    return RC_OK;
}

static enum rc operation_of(uint32_t number, enum crypt_op *out)
{
    if (number < CRYPT_SIGN || number > CRYPT_VERIFY_RECOVER)
        return rc_fail(RC_PROTOCOL, "operation %u is not known", number);
    *out = (enum crypt_op)number;
    return RC_OK;
}

enum rc handlers_crypt_once(struct call *call)
{
    const Qhsm__CryptRequest *in = call->request->crypt;
    struct mech_call mech;
    enum crypt_op op = CRYPT_SIGN;
    TRY(operation_of(in->operation, &op));
    TRY(handlers_crypt_check_data(in->data));
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    call->caller.context = handlers_bytes(in->context);
    TRY(hsm_crypt(call->service->hsm, &call->caller, op, in->key, in->version, &mech, in->prehashed,
                  handlers_bytes(in->data), handlers_bytes(in->signature), &call->data, &call->iv));
    reply_data(call);
    return RC_OK;
}

/* ---- in parts */

enum rc handlers_crypt_begin(struct call *call)
{
    const Qhsm__OperationBeginRequest *in = call->request->operation_begin;
    struct service *service = call->service;
    struct mech_call mech;
    enum crypt_op op = CRYPT_SIGN;
    TRY(operation_of(in->operation, &op));
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    call->caller.context = handlers_bytes(in->context);
    struct operation *operation = NULL;
    TRY(hsm_operation_begin(service->hsm, &call->caller, op, in->key, in->version, &mech, HOLD_MAX,
                            &call->iv, &operation));
    Qhsm__OperationReply *reply = &call->body.operation;
    qhsm__operation_reply__init(reply);
    enum rc rc =
        operations_add(service->operations, call->caller.application, call->caller.logged_in,
                       operation, clock_steady_ms(), &reply->number);
    if (rc != RC_OK) {
        operation_free(operation);
        return rc;
    }
    reply->iv = handlers_data(buf_bytes(&call->iv));
    call->response.body_case = QHSM__RESPONSE__BODY_OPERATION;
    call->response.operation = reply;
    return RC_OK;
}

/* An error ends the operation, as PKCS#11 has it (3.1 5.2). */
enum rc handlers_crypt_update(struct call *call)
{
    const Qhsm__OperationUpdateRequest *in = call->request->operation_update;
    struct operations *operations = call->service->operations;
    struct operation *operation = NULL;
    TRY(handlers_crypt_check_data(in->data));
    TRY(operations_take(operations, call->caller.application, in->number, &operation));
    enum rc rc = operation_update(operation, handlers_bytes(in->data), &call->data);
    if (rc == RC_OK)
        rc = operations_weigh(operations, call->caller.application, in->number);
    operations_return(operations, call->caller.application, in->number, rc == RC_OK,
                      clock_steady_ms());
    TRY(rc);
    reply_data(call);
    return RC_OK;
}

enum rc handlers_crypt_final(struct call *call)
{
    const Qhsm__OperationFinalRequest *in = call->request->operation_final;
    struct operations *operations = call->service->operations;
    struct operation *operation = NULL;
    TRY(handlers_crypt_check_data(in->data));
    TRY(operations_take(operations, call->caller.application, in->number, &operation));
    enum rc rc = operation_final(operation, handlers_bytes(in->data), handlers_bytes(in->signature),
                                 &call->data);
    operations_return(operations, call->caller.application, in->number, false, clock_steady_ms());
    TRY(rc);
    reply_data(call);
    return RC_OK;
}

enum rc handlers_crypt_abort(struct call *call)
{
    operations_abort(call->service->operations, call->caller.application,
                     call->request->operation_abort->number);
    return RC_OK;
}

/* ---- random numbers */

enum rc handlers_crypt_random_bytes(struct call *call, uint32_t len)
{
    if (len > RANDOM_MAX)
        return rc_fail(RC_TOO_LARGE, "%u random bytes in one request, limit %u", len, RANDOM_MAX);
    TRY(buf_resize(&call->data, len));
    TRY(random_bytes(call->data.ptr, len));
    handlers_crypt_reply(call, buf_bytes(&call->data));
    return RC_OK;
}

enum rc handlers_crypt_random(struct call *call)
{
    return handlers_crypt_random_bytes(call, call->request->random->len);
}

/* The generator seeds itself (SP 800-90A 8.6); what a client offers is additional input at best,
 * and taken as such. */
enum rc handlers_crypt_seed(struct call *call)
{
    const Qhsm__SeedRequest *in = call->request->seed;
    if (in->seed.len > RANDOM_MAX)
        return rc_fail(RC_TOO_LARGE, "a seed of %zu bytes, limit %u", in->seed.len, RANDOM_MAX);
    struct bytes seed = handlers_bytes(in->seed);
    if (EVP_RAND_reseed(RAND_get0_private(crypto_lib()), 0, NULL, 0, seed.ptr, seed.len) != 1)
        return rc_fail(RC_RANDOM, "the generator took no additional input");
    return RC_OK;
}
