/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.20: random numbers of the HSM. */
#include "p11/remote.h"

#define RANDOM_CHUNK 65536UL

static enum rc seed(struct call *call, const void *data, CK_ULONG len)
{
    struct bytes input = BYTES_NONE;
    TRY(input_of(data, len, &input));
    if (input.len == 0)
        return rc_fail(RC_BAD_ARGUMENT, "an empty seed");
    Qhsm__SeedRequest body = QHSM__SEED_REQUEST__INIT;
    body.seed = remote_binary(bytes_slice(input, 0, RANDOM_CHUNK));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SEED;
    request.seed = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    return remote_call(call, &request, NULL, QHSM__RESPONSE__BODY__NOT_SET, &reply);
}

CK_RV C_SeedRandom(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSeed, CK_ULONG ulSeedLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_SeedRandom, hSession);
    trace_note(&call.trace, " len=%lu", ulSeedLen);
    if (rc == RC_OK)
        rc = seed(&call, pSeed, ulSeedLen);
    return call_end(&call, rc);
}

static enum rc random_chunk(struct call *call, CK_BYTE_PTR out, CK_ULONG len)
{
    Qhsm__RandomRequest body = QHSM__RANDOM_REQUEST__INIT;
    body.len = (uint32_t)len;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_RANDOM;
    request.random = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_call(call, &request, NULL, QHSM__RESPONSE__BODY_DATA, &reply));
    const ProtobufCBinaryData *data = &reply.reply.msg->data->data;
    if (!bytes_copy_exact(bytes_of(data->data, data->len), out, len))
        return rc_fail(RC_PROTOCOL, "the HSM gave %zu random bytes instead of %lu", data->len, len);
    return RC_OK;
}

static enum rc generate(struct call *call, CK_BYTE_PTR out, CK_ULONG len)
{
    if (out == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL buffer");
    for (CK_ULONG done = 0; done < len;) {
        CK_ULONG chunk = len - done < RANDOM_CHUNK ? len - done : RANDOM_CHUNK;
        TRY(random_chunk(call, out + done, chunk));
        done += chunk;
    }
    return RC_OK;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pRandomData, CK_ULONG ulRandomLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GenerateRandom, hSession);
    trace_note(&call.trace, " len=%lu", ulRandomLen);
    if (rc == RC_OK)
        rc = generate(&call, pRandomData, ulRandomLen);
    return call_end(&call, rc);
}
