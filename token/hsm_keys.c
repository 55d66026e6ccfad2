/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that come to be: generated, unwrapped, derived; and keys that leave, wrapped. */
#include "token/hsm_internal.h"

static struct template_request key_request(const struct caller *caller, enum template_use use,
                                           uint64_t slot, const struct token_row *token,
                                           struct attrs wanted)
{
    return (struct template_request){
        .use = use,
        .wanted = wanted,
        .object_class = CK_UNAVAILABLE_INFORMATION,
        .key_type = CK_UNAVAILABLE_INFORMATION,
        .mechanism = CK_UNAVAILABLE_INFORMATION,
        .role = hsm_role(caller, slot),
        .policy = &token->policy,
    };
}

enum rc hsm_generate_key(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                         const struct mech_call *call, struct attrs wanted, struct mutation *out)
{
    struct token_row token = {.number = 0};
    AUTO_MATERIAL material = MATERIAL_INIT;
    TRY(hsm_token(hsm, slot, &token));
    TRY(law_mechanism(&token.policy, call->mech, CKF_GENERATE));
    struct template_request request = key_request(caller, TEMPLATE_GENERATE, slot, &token, wanted);
    request.object_class = CKO_SECRET_KEY;
    request.key_type = call->mech->key_type;
    request.mechanism = call->mech->type;
    TRY(template_check(&request, NULL, NULL));
    TRY(mech_generate(call, wanted, &material));
    request.material = &material;
    return hsm_make(hsm, caller, slot, &request, out);
}

enum rc hsm_generate_key_pair(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                              const struct mech_call *call, struct attrs wanted_public,
                              struct attrs wanted_private, struct mutation *out)
{
    struct token_row token = {.number = 0};
    AUTO_MATERIAL material_public = MATERIAL_INIT, material_private = MATERIAL_INIT;
    AUTO_SECRET store_public = SECRET_INIT, store_private = SECRET_INIT;
    struct object_parts parts[2] = {{.version = 1}, {.version = 1}};
    TRY(hsm_token(hsm, slot, &token));
    TRY(law_mechanism(&token.policy, call->mech, CKF_GENERATE_KEY_PAIR));
    struct template_request request[2] = {
        key_request(caller, TEMPLATE_GENERATE, slot, &token, wanted_public),
        key_request(caller, TEMPLATE_GENERATE, slot, &token, wanted_private),
    };
    for (size_t i = 0; i < 2; i++) {
        request[i].object_class = i == 0 ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY;
        request[i].key_type = call->mech->key_type;
        request[i].mechanism = call->mech->type;
        TRY(template_check(&request[i], NULL, NULL));
    }
    TRY(mech_generate_pair(call, wanted_public, wanted_private, &material_public,
                           &material_private));
    request[0].material = &material_public;
    request[1].material = &material_private;
    TRY(template_apply(&request[0], &store_public, &parts[0]));
    TRY(template_apply(&request[1], &store_private, &parts[1]));
    return hsm_add(hsm, caller, slot, parts, 2, out);
}

/* C_WrapKey and C_UnwrapKey have codes of their own for what is wrong with the key that they use.
 */
struct key_codes {
    enum rc handle, type, size;
};
static const struct key_codes wrapping_codes = {RC_WRAPPING_KEY_HANDLE, RC_WRAPPING_KEY_TYPE,
                                                RC_WRAPPING_KEY_SIZE};
static const struct key_codes unwrapping_codes = {RC_UNWRAPPING_KEY_HANDLE, RC_UNWRAPPING_KEY_TYPE,
                                                  RC_UNWRAPPING_KEY_SIZE};

static enum rc recoded(enum rc rc, const struct key_codes *codes)
{
    if (rc == RC_KEY_TYPE)
        return codes->type;
    return rc == RC_KEY_SIZE ? codes->size : rc;
}

struct used_key {
    struct object *object;
    struct key *key;
    struct token_row token;
};

static void used_key_clear(struct used_key *used)
{
    object_unref(used->object);
}
#define AUTO_USED_KEY __attribute__((cleanup(used_key_clear))) struct used_key

/* No PIN goes with C_UnwrapKey and C_DeriveKey, and unwrapping would be decrypting by another name.
 */
static enum rc check_unattended(const struct object *key)
{
    if ((key->flags & OBJECT_ALWAYS_AUTHENTICATE) == 0)
        return RC_OK;
    return rc_fail(RC_KEY_FUNCTION, "a key with CKA_ALWAYS_AUTHENTICATE signs and decrypts only");
}

/* Finds, judges and parses the key that wraps, unwraps or derives. */
static enum rc use_key(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                       const struct mech_call *call, enum law_use use, enum rc missing,
                       struct used_key *out)
{
    TRY(hsm_key(hsm, caller, handle, missing, &out->object));
    TRY(hsm_token(hsm, out->object->token, &out->token));
    TRY(law_key_use(&out->token.policy, out->object, call->mech, use, caller->now_ms));
    TRY(law_parameter(&out->token.policy, call, use));
    TRY(check_unattended(out->object));
    return key_get(hsm->keys, out->object, &out->key);
}

enum rc hsm_wrap(struct hsm *hsm, const struct caller *caller, uint64_t wrapping, uint64_t target,
                 const struct mech_call *call, struct buf *out)
{
    AUTO_USED_KEY used = {.object = NULL};
    AUTO_OBJECT *object = NULL;
    AUTO_SECRET plain = SECRET_INIT;
    struct key *key = NULL;
    TRY(hsm_key(hsm, caller, target, RC_KEY_HANDLE, &object));
    TRY(recoded(use_key(hsm, caller, wrapping, call, LAW_WRAP, wrapping_codes.handle, &used),
                &wrapping_codes));
    if (object->token != used.object->token)
        return rc_fail(RC_KEY_HANDLE, "the key is of another token than the wrapping key");
    TRY(key_get(hsm->keys, object, &key));
    struct law_wrap wrap = {
        .wrapping = used.object,
        .target = object,
        .wrapping_strength = key_strength(used.key),
        .target_strength = key_strength(key),
        .mech = call->mech,
    };
    TRY(law_wrap(&used.token.policy, &wrap));
    TRY(key_export(key, &plain));
    return recoded(mech_wrap(call, used.key, caller->lane, &plain, out), &wrapping_codes);
}

/* CKA_UNWRAP_TEMPLATE or CKA_DERIVE_TEMPLATE of the key used. */
static enum rc enforced_by(const struct object *used, CK_ATTRIBUTE_TYPE type, struct attr_list *out)
{
    struct bytes value;
    out->count = 0;
    return object_attr(used, type, &value) ? attrs_decode(value, out) : RC_OK;
}

/* PKCS#11 3.1 6.13.6 (CBC): the plain text may be longer than the key, which CKA_VALUE_LEN cuts. */
static void cut_padding(const struct mech_call *call, struct attrs wanted, struct secret *plain)
{
    CK_ULONG len = 0;
    if (call->mech->family == FAMILY_AES_CBC && attrs_get_ulong(wanted, CKA_VALUE_LEN, &len) &&
        len < plain->len && plain->len - len < 16)
        secret_truncate(plain, len);
}

enum rc hsm_unwrap(struct hsm *hsm, const struct caller *caller, uint64_t unwrapping,
                   const struct mech_call *call, struct bytes wrapped, struct attrs wanted,
                   struct mutation *out)
{
    AUTO_USED_KEY used = {.object = NULL};
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_MATERIAL material = MATERIAL_INIT;
    struct attr_list enforced;
    CK_OBJECT_CLASS object_class = CK_UNAVAILABLE_INFORMATION;
    CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
    TRY(recoded(use_key(hsm, caller, unwrapping, call, LAW_UNWRAP, unwrapping_codes.handle, &used),
                &unwrapping_codes));
    uint64_t slot = used.object->token;
    struct template_request request =
        key_request(caller, TEMPLATE_UNWRAP, slot, &used.token, wanted);
    TRY(enforced_by(used.object, CKA_UNWRAP_TEMPLATE, &enforced));
    request.enforced = attrs_of(&enforced);
    TRY(template_check(&request, &object_class, &type));
    TRY(recoded(mech_unwrap(call, used.key, caller->lane, wrapped, &plain), &unwrapping_codes));
    if (object_class == CKO_SECRET_KEY)
        cut_padding(call, wanted, &plain);
    TRY(key_import(object_class, type, secret_expose(&plain), &material));
    request.material = &material;
    return hsm_make(hsm, caller, slot, &request, out);
}

/* The handle that the mechanism's parameter names beside the base key, or 0. */
static uint64_t second_handle(const struct mech_call *call)
{
    if (call->mech->param == PARAM_OBJECT)
        return call->u.object;
    bool salted = call->mech->param == PARAM_HKDF && call->has_param &&
                  call->u.hkdf.salt_type == CKF_HKDF_SALT_KEY;
    return salted ? call->u.hkdf.salt_key : 0;
}

/* Mechanisms whose result shows the base key's value, or may: then sensitivity is inherited. */
static bool inherits(const struct mechanism *mech)
{
    return mech->family == FAMILY_CONCAT || mech->family == FAMILY_PREPEND ||
           mech->family == FAMILY_XOR;
}

/* As much as the caller wants; a key type of one length only has none to choose. */
static size_t wanted_len(struct attrs wanted, struct attrs enforced)
{
    CK_ULONG len = 0;
    if (!attrs_get_ulong(wanted, CKA_VALUE_LEN, &len))
        (void)attrs_get_ulong(enforced, CKA_VALUE_LEN, &len);
    return len;
}

static enum rc derive_value(struct hsm *hsm, const struct caller *caller,
                            const struct mech_call *call, const struct used_key *base,
                            struct used_key *second, size_t len, struct secret *out)
{
    uint64_t handle = second_handle(call);
    if (call->mech->param == PARAM_OBJECT || handle != 0) {
        TRY(hsm_key(hsm, caller, handle, RC_KEY_HANDLE, &second->object));
        if (second->object->token != base->object->token)
            return rc_fail(RC_KEY_HANDLE, "the other key is of another token");
        TRY(law_second_key(second->object, call->mech, caller->now_ms));
        TRY(key_get(hsm->keys, second->object, &second->key));
    }
    return mech_derive(call, base->key, second->key, caller->lane, len, out);
}

enum rc hsm_derive(struct hsm *hsm, const struct caller *caller, uint64_t base,
                   const struct mech_call *call, struct attrs wanted, struct mutation *out)
{
    AUTO_USED_KEY used = {.object = NULL}, second = {.object = NULL};
    AUTO_SECRET value = SECRET_INIT;
    AUTO_MATERIAL material = MATERIAL_INIT;
    struct attr_list enforced;
    CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
    TRY(use_key(hsm, caller, base, call, LAW_DERIVE, RC_KEY_HANDLE, &used));
    uint64_t slot = used.object->token;
    struct template_request request =
        key_request(caller, TEMPLATE_DERIVE, slot, &used.token, wanted);
    TRY(enforced_by(used.object, CKA_DERIVE_TEMPLATE, &enforced));
    request.enforced = attrs_of(&enforced);
    request.source = used.object;
    TRY(template_check(&request, NULL, &type));
    size_t len = wanted_len(wanted, request.enforced);
    TRY(derive_value(hsm, caller, call, &used, &second, len, &value));
    request.second = second.object;
    request.inherits = inherits(call->mech);
    TRY(key_import(CKO_SECRET_KEY, type, secret_expose(&value), &material));
    request.material = &material;
    return hsm_make(hsm, caller, slot, &request, out);
}

/* ---- values that become no object here: a key store's ---- */

/* What the key asks of every object made with it cannot be asked of a bare value. */
static enum rc check_bare(const struct object *used, CK_ATTRIBUTE_TYPE type)
{
    if (!object_has(used, type))
        return RC_OK;
    return rc_fail(RC_KEY_FUNCTION, "the key wants its template obeyed, so that it makes objects "
                                    "only");
}

enum rc hsm_unwrap_value(struct hsm *hsm, const struct caller *caller, uint64_t unwrapping,
                         const struct mech_call *call, struct bytes wrapped,
                         struct token_row *out_token, struct secret *out)
{
    AUTO_USED_KEY used = {.object = NULL};
    TRY(recoded(use_key(hsm, caller, unwrapping, call, LAW_UNWRAP, unwrapping_codes.handle, &used),
                &unwrapping_codes));
    TRY(check_bare(used.object, CKA_UNWRAP_TEMPLATE));
    *out_token = used.token;
    return recoded(mech_unwrap(call, used.key, caller->lane, wrapped, out), &unwrapping_codes);
}

enum rc hsm_derive_value(struct hsm *hsm, const struct caller *caller, uint64_t base,
                         const struct mech_call *call, struct secret *out)
{
    AUTO_USED_KEY used = {.object = NULL};
    TRY(use_key(hsm, caller, base, call, LAW_DERIVE, RC_KEY_HANDLE, &used));
    TRY(check_bare(used.object, CKA_DERIVE_TEMPLATE));
    return mech_derive(call, used.key, NULL, caller->lane, 0, out);
}
