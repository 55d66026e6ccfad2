/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.18: making, wrapping, unwrapping and deriving keys. */
#include "p11/object_remote.h"

/* What all of them have: a mechanism, a template, a request under way. */
struct making {
    struct wire_mechanism mechanism;
    Qhsm__Mechanism mechanism_pb;
    struct wire_template wanted;
    struct object_template template;
};

static void making_clear(struct making *making)
{
    wire_mechanism_clear(&making->mechanism);
    wire_template_clear(&making->wanted);
}
#define AUTO_MAKING __attribute__((cleanup(making_clear))) struct making
#define MAKING_INIT                                                                       \
    {                                                                                     \
        .mechanism = {.mech = NULL, .param = BUF_INIT}, .wanted = {.store = SECRET_INIT } \
    }

static enum rc making_mechanism(struct call *call, struct making *making,
                                const CK_MECHANISM *mechanism, CK_FLAGS flag)
{
    TRY(codec_mechanism_in(mechanism, &making->mechanism));
    const struct mechanism *mech = making->mechanism.mech;
    if ((mech->flags & flag) == 0)
        return rc_fail(RC_MECHANISM, "%s is not for this function", mech->name);
    TRY(remote_check_mechanism(call, mech));
    making->mechanism_pb = (Qhsm__Mechanism)QHSM__MECHANISM__INIT;
    codec_mechanism_pb(&making->mechanism, &making->mechanism_pb);
    return RC_OK;
}

static enum rc making_template(struct call *call, struct making *making, const CK_ATTRIBUTE *items,
                               CK_ULONG count)
{
    TRY(codec_template_in(items, count, &making->wanted));
    TRY(object_check_writable(call, attrs_of(&making->wanted.list)));
    object_template_of(attrs_of(&making->wanted.list), &making->template);
    return RC_OK;
}

static bool makes_session_object(const struct making *making)
{
    return !object_is_token(attrs_of(&making->wanted.list), false);
}

/* Objects that a mechanism's parameter names (a salt key, the other half of a concatenation). */
static void how_add_param(const struct making *making, struct remote_how *how)
{
    struct mech_call decoded;
    if (codec_mechanism_call(&making->mechanism, &decoded) != RC_OK)
        return;
    CK_OBJECT_HANDLE named = CK_INVALID_HANDLE;
    if (decoded.mech->param == PARAM_OBJECT)
        named = decoded.u.object;
    else if (decoded.mech->param == PARAM_HKDF)
        named = decoded.u.hkdf.salt_key;
    if (named != CK_INVALID_HANDLE && how->handle_count < REMOTE_HANDLES_MAX)
        how->handles[how->handle_count++] = named;
}

static enum rc make(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                    size_t count, CK_OBJECT_HANDLE *out)
{
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_mutate(call, request, how, QHSM__RESPONSE__BODY_OBJECT, &reply));
    return remote_objects(call, &reply, count, out);
}

static enum rc generate(struct call *call, struct making *making, const CK_MECHANISM *mechanism,
                        const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *out)
{
    TRY(making_mechanism(call, making, mechanism, CKF_GENERATE));
    TRY(making_template(call, making, items, count));
    Qhsm__GenerateKeyRequest body = QHSM__GENERATE_KEY_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.mechanism = &making->mechanism_pb;
    body.n_attributes = making->template.count;
    body.attributes = making->template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY;
    request.generate_key = &body;
    const struct remote_how how = {.at_home = makes_session_object(making)};
    return make(call, &request, &how, 1, out);
}

/* The tail of every function that gives one handle. */
static CK_RV end_with_key(struct call *call, enum rc rc, CK_OBJECT_HANDLE key,
                          CK_OBJECT_HANDLE_PTR out)
{
    if (rc == RC_OK) {
        store_ulong(out, key);
        trace_handle(&call->trace, "new", key);
    }
    return call_end(call, rc);
}

static enum rc check_out(const void *pointer)
{
    return pointer != NULL ? RC_OK : rc_fail(RC_BAD_ARGUMENT, "NULL key pointer");
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                    CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phKey)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GenerateKey, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_template(&call.trace, "template", pTemplate, ulCount);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    AUTO_MAKING making = MAKING_INIT;
    if (rc == RC_OK)
        rc = check_out(phKey);
    if (rc == RC_OK)
        rc = generate(&call, &making, pMechanism, pTemplate, ulCount, &key);
    return end_with_key(&call, rc, key, phKey);
}

struct pair_templates {
    const CK_ATTRIBUTE *public_items;
    CK_ULONG public_count;
    const CK_ATTRIBUTE *private_items;
    CK_ULONG private_count;
};

static enum rc generate_pair(struct call *call, const CK_MECHANISM *mechanism,
                             const struct pair_templates *templates, CK_OBJECT_HANDLE out[2])
{
    AUTO_MAKING public_half = MAKING_INIT;
    AUTO_MAKING private_half = MAKING_INIT;
    TRY(making_mechanism(call, &public_half, mechanism, CKF_GENERATE_KEY_PAIR));
    TRY(making_template(call, &public_half, templates->public_items, templates->public_count));
    TRY(making_template(call, &private_half, templates->private_items, templates->private_count));
    Qhsm__GenerateKeyPairRequest body = QHSM__GENERATE_KEY_PAIR_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.mechanism = &public_half.mechanism_pb;
    body.n_public_attributes = public_half.template.count;
    body.public_attributes = public_half.template.pointers;
    body.n_private_attributes = private_half.template.count;
    body.private_attributes = private_half.template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY_PAIR;
    request.generate_key_pair = &body;
    const struct remote_how how = {.at_home = makes_session_object(&public_half) ||
                                              makes_session_object(&private_half)};
    return make(call, &request, &how, 2, out);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                        CK_ATTRIBUTE_PTR pPublicKeyTemplate, CK_ULONG ulPublicKeyAttributeCount,
                        CK_ATTRIBUTE_PTR pPrivateKeyTemplate, CK_ULONG ulPrivateKeyAttributeCount,
                        CK_OBJECT_HANDLE_PTR phPublicKey, CK_OBJECT_HANDLE_PTR phPrivateKey)
{
    const struct pair_templates templates = {.public_items = pPublicKeyTemplate,
                                             .public_count = ulPublicKeyAttributeCount,
                                             .private_items = pPrivateKeyTemplate,
                                             .private_count = ulPrivateKeyAttributeCount};
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_GenerateKeyPair, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_template(&call.trace, "public", pPublicKeyTemplate, ulPublicKeyAttributeCount);
    trace_template(&call.trace, "private", pPrivateKeyTemplate, ulPrivateKeyAttributeCount);
    CK_OBJECT_HANDLE keys[2] = {CK_INVALID_HANDLE, CK_INVALID_HANDLE};
    if (rc == RC_OK)
        rc = check_out(phPublicKey);
    if (rc == RC_OK)
        rc = check_out(phPrivateKey);
    if (rc == RC_OK)
        rc = generate_pair(&call, pMechanism, &templates, keys);
    if (rc == RC_OK)
        store_ulong(phPublicKey, keys[0]);
    return end_with_key(&call, rc, keys[1], phPrivateKey);
}

/* The other end of a handle error: which of the handles it was is told by the detail. */
static enum rc unwrap(struct call *call, struct making *making, CK_OBJECT_HANDLE key,
                      struct bytes wrapped, CK_OBJECT_HANDLE *out)
{
    Qhsm__UnwrapRequest body = QHSM__UNWRAP_REQUEST__INIT;
    body.unwrapping_key = key;
    body.mechanism = &making->mechanism_pb;
    body.wrapped = remote_binary(wrapped);
    body.n_attributes = making->template.count;
    body.attributes = making->template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_UNWRAP;
    request.unwrap = &body;
    const struct remote_how how = {
        .handles = {key}, .handle_count = 1, .at_home = makes_session_object(making)};
    return make(call, &request, &how, 1, out);
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                  CK_OBJECT_HANDLE hUnwrappingKey, CK_BYTE_PTR pWrappedKey,
                  CK_ULONG ulWrappedKeyLen, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount,
                  CK_OBJECT_HANDLE_PTR phKey)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_UnwrapKey, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_handle(&call.trace, "key", hUnwrappingKey);
    trace_note(&call.trace, " wrapped=%lu", ulWrappedKeyLen);
    trace_template(&call.trace, "template", pTemplate, ulAttributeCount);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct bytes wrapped = BYTES_NONE;
    AUTO_MAKING making = MAKING_INIT;
    if (rc == RC_OK)
        rc = check_out(phKey);
    if (rc == RC_OK)
        rc = input_of(pWrappedKey, ulWrappedKeyLen, &wrapped);
    if (rc == RC_OK)
        rc = making_mechanism(&call, &making, pMechanism, CKF_UNWRAP);
    if (rc == RC_OK)
        rc = making_template(&call, &making, pTemplate, ulAttributeCount);
    if (rc == RC_OK)
        rc = unwrap(&call, &making, hUnwrappingKey, wrapped, &key);
    return end_with_key(&call, rc, key, phKey);
}

static enum rc derive(struct call *call, struct making *making, CK_OBJECT_HANDLE base,
                      CK_OBJECT_HANDLE *out)
{
    Qhsm__DeriveRequest body = QHSM__DERIVE_REQUEST__INIT;
    body.slot = call->session->slot->id;
    body.base_key = base;
    body.mechanism = &making->mechanism_pb;
    body.n_attributes = making->template.count;
    body.attributes = making->template.pointers;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_DERIVE;
    request.derive = &body;
    struct remote_how how = {
        .handles = {base}, .handle_count = 1, .at_home = makes_session_object(making)};
    how_add_param(making, &how);
    return make(call, &request, &how, 1, out);
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                  CK_OBJECT_HANDLE hBaseKey, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount,
                  CK_OBJECT_HANDLE_PTR phKey)
{
    struct call call;
    enum rc rc = call_begin_session(&call, FN_C_DeriveKey, hSession);
    trace_mechanism(&call.trace, pMechanism);
    trace_handle(&call.trace, "key", hBaseKey);
    trace_template(&call.trace, "template", pTemplate, ulAttributeCount);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    AUTO_MAKING making = MAKING_INIT;
    if (rc == RC_OK)
        rc = check_out(phKey);
    if (rc == RC_OK)
        rc = making_mechanism(&call, &making, pMechanism, CKF_DERIVE);
    if (rc == RC_OK)
        rc = making_template(&call, &making, pTemplate, ulAttributeCount);
    if (rc == RC_OK)
        rc = derive(&call, &making, hBaseKey, &key);
    return end_with_key(&call, rc, key, phKey);
}
