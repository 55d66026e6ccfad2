/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.18.3: C_WrapKey. Its length query wraps for good and keeps the result, so that the
 * call that follows gives what was measured, without doing the work again. */
#include "p11/remote.h"

static bool is_kept(const struct session_wrapped *kept, const struct wire_mechanism *mechanism,
                    CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key)
{
    return kept->kept && kept->wrapping_key == wrapping_key && kept->key == key &&
           kept->mechanism.mech == mechanism->mech &&
           kept->mechanism.has_param == mechanism->has_param &&
           bytes_equal(buf_bytes(&kept->mechanism.param), buf_bytes(&mechanism->param));
}

static enum rc ask(struct call *call, const struct wire_mechanism *mechanism,
                   CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, struct remote_reply *reply)
{
    Qhsm__Mechanism mechanism_pb = QHSM__MECHANISM__INIT;
    codec_mechanism_pb(mechanism, &mechanism_pb);
    Qhsm__WrapRequest body = QHSM__WRAP_REQUEST__INIT;
    body.wrapping_key = wrapping_key;
    body.key = key;
    body.mechanism = &mechanism_pb;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_WRAP;
    request.wrap = &body;
    const struct remote_how how = {.handles = {wrapping_key, key}, .handle_count = 2};
    return remote_call(call, &request, &how, QHSM__RESPONSE__BODY_DATA, reply);
}

/* Wraps into session->wrapped. Takes the mechanism over. */
static enum rc wrap(struct call *call, struct wire_mechanism *mechanism,
                    CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key)
{
    struct session_wrapped *kept = &call->session->wrapped;
    session_wrapped_forget(call->session);
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(ask(call, mechanism, wrapping_key, key, &reply));
    const Qhsm__DataReply *msg = reply.reply.msg->data;
    TRY(buf_append(&kept->result, bytes_of(msg->data.data, msg->data.len)));
    TRY(buf_append(&kept->iv, bytes_of(msg->iv.data, msg->iv.len)));
    kept->mechanism = *mechanism;
    *mechanism = (struct wire_mechanism){.mech = NULL, .param = BUF_INIT};
    kept->wrapping_key = wrapping_key;
    kept->key = key;
    kept->kept = true;
    return RC_OK;
}

static enum rc give(struct call *call, const CK_MECHANISM *mechanism, struct output out)
{
    struct session_wrapped *kept = &call->session->wrapped;
    enum rc rc = output_give(out, buf_bytes(&kept->result));
    if (rc != RC_OK || out.ptr == NULL)
        return rc;
    if (kept->iv.len > 0)
        rc = codec_mechanism_iv_back(mechanism, buf_bytes(&kept->iv));
    session_wrapped_forget(call->session);
    return rc;
}

static enum rc wrap_key(struct call *call, const CK_MECHANISM *mechanism,
                        CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, struct output out)
{
    if (out.len == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "NULL length pointer");
    struct wire_mechanism decoded = {.mech = NULL, .param = BUF_INIT};
    enum rc rc = codec_mechanism_in(mechanism, &decoded);
    if (rc == RC_OK && (decoded.mech->flags & CKF_WRAP) == 0)
        rc = rc_fail(RC_MECHANISM, "%s is not for wrapping", decoded.mech->name);
    if (rc == RC_OK)
        rc = remote_check_mechanism(call, decoded.mech);
    if (rc == RC_OK && !is_kept(&call->session->wrapped, &decoded, wrapping_key, key))
        rc = wrap(call, &decoded, wrapping_key, key);
    wire_mechanism_clear(&decoded);
    return rc != RC_OK ? rc : give(call, mechanism, out);
}

CK_RV C_WrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                CK_OBJECT_HANDLE hWrappingKey, CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pWrappedKey,
                CK_ULONG_PTR pulWrappedKeyLen)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_WrapKey, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_handle(&call.trace, "wrapping_key", hWrappingKey);
    trace_handle(&call.trace, "key", hKey);
    if (rc == RC_OK)
        rc = wrap_key(&call, pMechanism, hWrappingKey, hKey,
                      output_of(pWrappedKey, pulWrappedKeyLen));
    return call_end(&call, rc);
}
