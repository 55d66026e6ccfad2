/* SPDX-License-Identifier: Apache-2.0 */
/* What a key store says of a key: spec, use, fingerprint, public half. */
#include "token/hsm_internal.h"
#include "token/hsm_keystore.h"
#include "token/hsm_keystore_internal.h"
#include "token/key_internal.h"

/* ---- specs ---- */

CK_OBJECT_CLASS hsm_keystore_class(const struct keystore_spec_row *spec)
{
    bool is_secret = spec->kind == KEYSTORE_AES || spec->kind == KEYSTORE_HMAC;
    return is_secret ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;
}

CK_KEY_TYPE hsm_keystore_type(const struct keystore_spec_row *spec)
{
    switch (spec->kind) {
    case KEYSTORE_AES:
        return CKK_AES;
    case KEYSTORE_RSA:
        return CKK_RSA;
    case KEYSTORE_EC:
        return CKK_EC;
    case KEYSTORE_EDWARDS:
        return CKK_EC_EDWARDS;
    case KEYSTORE_ML_DSA:
        return CKK_ML_DSA;
    case KEYSTORE_HMAC:
        break;
    }
    return CKK_GENERIC_SECRET;
}

static enum rc curve_of(const struct keystore_spec_row *spec, const struct key_curve **out)
{
    uint8_t name[KEYSTORE_CURVE_MAX] = {0x13}; /* PrintableString */
    size_t len = strlen(spec->curve);
    if (len > sizeof name - 2)
        return rc_fail(RC_INTERNAL, "curve %s", spec->curve);
    name[1] = (uint8_t)len;
    memcpy(name + 2, spec->curve, len);
    return key_curve_find(hsm_keystore_type(spec), bytes_of(name, len + 2), out);
}

enum rc hsm_keystore_params(const struct keystore_spec_row *spec, struct bytes *out)
{
    const struct key_curve *curve = NULL;
    *out = BYTES_NONE;
    if (spec->curve[0] == 0)
        return RC_OK;
    TRY(curve_of(spec, &curve));
    *out = curve->oid;
    return RC_OK;
}

static const enum mech_family generators[] = {
    [KEYSTORE_AES] = FAMILY_AES_GEN,     [KEYSTORE_RSA] = FAMILY_RSA_GEN,
    [KEYSTORE_EC] = FAMILY_EC_GEN,       [KEYSTORE_EDWARDS] = FAMILY_EDWARDS_GEN,
    [KEYSTORE_HMAC] = FAMILY_SECRET_GEN, [KEYSTORE_ML_DSA] = FAMILY_ML_DSA_GEN,
};

enum rc hsm_keystore_generator(const struct keystore_spec_row *spec, struct mech_call *out)
{
    *out = (struct mech_call){.has_param = false};
    for (size_t i = 0; i < mechanism_count(); i++)
        if (mechanism_at(i)->family == generators[spec->kind])
            out->mech = mechanism_at(i);
    return out->mech != NULL ? RC_OK : rc_fail(RC_INTERNAL, "nothing makes %s", spec->name);
}

static bool is_hmac_type(CK_KEY_TYPE type)
{
    return type == CKK_GENERIC_SECRET || type == CKK_SHA224_HMAC || type == CKK_SHA256_HMAC ||
           type == CKK_SHA384_HMAC || type == CKK_SHA512_HMAC;
}

/* Of a secret or private key, by what an object and a parsed key both know. */
static bool is_spec(const struct keystore_spec_row *spec, CK_OBJECT_CLASS object_class,
                    CK_KEY_TYPE type, uint32_t bits, const struct key_curve *curve)
{
    if (hsm_keystore_class(spec) != object_class)
        return false;
    if (spec->kind == KEYSTORE_HMAC)
        return is_hmac_type(type) && bits == spec->bits;
    if (hsm_keystore_type(spec) != type)
        return false;
    if (spec->curve[0] != 0)
        return curve != NULL && strcmp(curve->libcrypto, spec->curve) == 0;
    return bits == spec->bits;
}

bool hsm_keystore_is_spec(const struct keystore_spec_row *spec, const struct key *key)
{
    return is_spec(spec, key->object_class, key->key_type, key->bits, key->curve);
}

enum rc hsm_keystore_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type,
                           const struct material *material, struct key **out)
{
    struct attr_list attrs, hidden;
    TRY(attrs_decode(buf_bytes(&material->public_attrs), &attrs));
    TRY(attrs_decode(secret_expose(&material->secret_attrs), &hidden));
    for (size_t i = 0; i < hidden.count; i++)
        TRY(attr_list_add(&attrs, hidden.items[i].type, hidden.items[i].value));
    return key_parse(object_class, type, attrs_of(&attrs), out);
}

static uint32_t spec_of(const struct object *object)
{
    struct bytes params;
    const struct key_curve *curve = NULL;
    const struct keystore_spec_row *spec = NULL;
    if (object_attr(object, CKA_EC_PARAMS, &params) &&
        key_curve_find(object->key_type, params, &curve) != RC_OK)
        rc_detail_clear();
    for (size_t i = 0; (spec = keystore_spec_at(i)) != NULL; i++)
        if (is_spec(spec, object->object_class, object->key_type, object->size_bits, curve))
            return (uint32_t)spec->spec;
    return 0;
}

static uint32_t use_of(const struct object *object)
{
    bool is_secret = object->object_class == CKO_SECRET_KEY;
    const struct {
        uint32_t usage;
        enum keystore_use use;
    } uses[] = {{USAGE_DECRYPT, KEYSTORE_ENCRYPT},
                {USAGE_SIGN, is_secret ? KEYSTORE_MAC : KEYSTORE_SIGN},
                {USAGE_DERIVE, KEYSTORE_AGREE},
                {USAGE_UNWRAP, KEYSTORE_UNWRAP}};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if ((object->usage & uses[i].usage) != 0)
            return uses[i].use;
    return 0;
}

/* ---- fingerprints ---- */

/* Twice, so that no MAC that the key may be asked for is ever its fingerprint. */
static enum rc secret_material(const struct key *key, uint8_t out[KEYSTORE_MATERIAL_LEN])
{
    static const char inner[] = "qhsm key store material", outer[] = "fingerprint";
    struct bytes part = bytes_of(inner, sizeof inner);
    AUTO_SECRET under = SECRET_INIT;
    TRY(secret_alloc(&under, KEYSTORE_MATERIAL_LEN));
    TRY(seal_mac_by(&key->value, &part, 1, under.ptr));
    part = bytes_of(outer, sizeof outer);
    return seal_mac_by(&under, &part, 1, out);
}

static enum rc public_material(struct bytes der, uint8_t out[KEYSTORE_MATERIAL_LEN])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    TRY(crypto_digest(DIGEST_SHA256, der, digest, &len));
    memcpy(out, digest, KEYSTORE_MATERIAL_LEN);
    return RC_OK;
}

enum rc hsm_keystore_material(const struct key *key, uint8_t out[KEYSTORE_MATERIAL_LEN])
{
    AUTO_BUF der = BUF_INIT;
    if (key->object_class == CKO_SECRET_KEY)
        return secret_material(key, out);
    TRY(key_public_info(key, &der));
    return public_material(buf_bytes(&der), out);
}

/* ---- facts ---- */

static struct bytes value_of(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    struct bytes value = BYTES_NONE;
    (void)object_attr(object, type, &value);
    return value;
}

static enum rc add_public(struct hsm *hsm, struct object *object, struct hsm_keystore_facts *out)
{
    struct bytes info = value_of(object, CKA_PUBLIC_KEY_INFO);
    struct key *key = NULL;
    if (info.len > 0)
        return buf_append(&out->public_der, info);
    TRY(key_get(hsm->keys, object, &key));
    return key_public_info(key, &out->public_der);
}

enum rc hsm_keystore_facts(struct hsm *hsm, struct object *object, struct hsm_keystore_facts *out)
{
    struct key *key = NULL;
    out->spec = spec_of(object);
    out->use = use_of(object);
    out->label = value_of(object, CKA_LABEL);
    out->id = value_of(object, CKA_ID);
    if (object->object_class == CKO_PRIVATE_KEY) {
        TRY(add_public(hsm, object, out));
        return public_material(buf_bytes(&out->public_der), out->material);
    }
    TRY(key_get(hsm->keys, object, &key));
    return hsm_keystore_material(key, out->material);
}

/* ---- whose ---- */

enum rc hsm_keystore_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            struct object **out)
{
    struct object *object = NULL;
    TRY(hsm_object(hsm, caller, handle, &object));
    if (object->token != caller->ticket.token) {
        object_unref(object);
        return rc_fail(RC_OBJECT_HANDLE, "object 0x%lx is of another token", (unsigned long)handle);
    }
    *out = object;
    return RC_OK;
}

/* ---- the other half ---- */

static bool is_half_of(const struct object *key, const struct object *other)
{
    return other->object_class == CKO_PUBLIC_KEY && other->key_type == key->key_type &&
           other->token == key->token &&
           bytes_equal(value_of(other, CKA_ID), value_of(key, CKA_ID)) &&
           bytes_equal(value_of(other, CKA_PUBLIC_KEY_INFO), value_of(key, CKA_PUBLIC_KEY_INFO));
}

struct half {
    const struct object *key;
    uint64_t handle;
};

static bool visit_half(struct object *object, void *context)
{
    struct half *half = context;
    if (is_half_of(half->key, object))
        half->handle = object->handle;
    return half->handle == 0;
}

static enum rc find_half(struct hsm *hsm, const struct caller *caller, struct half *half)
{
    uint8_t number[8];
    struct attr_list wanted = {.count = 0};
    TRY(attr_list_add(&wanted, CKA_ID, value_of(half->key, CKA_ID)));
    TRY(attr_list_add(&wanted, CKA_CLASS, attr_ulong(number, CKO_PUBLIC_KEY)));
    return hsm_find(hsm, caller, half->key->token, attrs_of(&wanted), 0, visit_half, half);
}

/* A pair is made in one go, the public half first. */
enum rc hsm_keystore_public(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            uint64_t *out)
{
    AUTO_OBJECT *object = NULL, *neighbour = NULL;
    TRY(hsm_keystore_object(hsm, caller, handle, &object));
    struct half half = {.key = object};
    if (object->object_class == CKO_PUBLIC_KEY)
        half.handle = handle;
    else if (hsm_object(hsm, caller, handle - 1, &neighbour) == RC_OK &&
             is_half_of(object, neighbour))
        half.handle = handle - 1;
    else
        TRY(find_half(hsm, caller, &half));
    if (half.handle == 0)
        return rc_fail(RC_OBJECT_HANDLE, "key 0x%lx has no public half", (unsigned long)handle);
    rc_detail_clear();
    *out = half.handle;
    return RC_OK;
}
