/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs made once by each case that needs them. */
#include "key_fixture.h"

#include "tests/unit/unit.h"

struct bytes fixture_curve(const char *name)
{
    static const struct {
        const char *name;
        uint8_t oid[10];
        size_t len;
    } curves[] = {
        {"secp224r1", {6, 5, 0x2B, 0x81, 4, 0, 0x21}, 7},
        {"secp256r1", {6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7}, 10},
        {"secp384r1", {6, 5, 0x2B, 0x81, 4, 0, 0x22}, 7},
        {"secp521r1", {6, 5, 0x2B, 0x81, 4, 0, 0x23}, 7},
        {"secp256k1", {6, 5, 0x2B, 0x81, 4, 0, 0x0A}, 7},
        {"edwards25519", {6, 3, 0x2B, 0x65, 0x70}, 5},
        {"edwards448", {6, 3, 0x2B, 0x65, 0x71}, 5},
        {"curve25519", {6, 3, 0x2B, 0x65, 0x6E}, 5},
        {"curve448", {6, 3, 0x2B, 0x65, 0x6F}, 5},
    };
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcmp(curves[i].name, name) == 0)
            return bytes_of(curves[i].oid, curves[i].len);
    CU_FAIL_FATAL("no such curve");
    return BYTES_NONE;
}

struct mech_call fixture_call(const char *mechanism)
{
    struct mech_call call = {.mech = mechanism_by_name(mechanism)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(call.mech);
    return call;
}

void fixture_attrs(const struct material *material, struct attr_list *out)
{
    struct attr_list secret;
    UNIT_OK(attrs_decode(buf_bytes(&material->public_attrs), out));
    UNIT_OK(attrs_decode(secret_expose(&material->secret_attrs), &secret));
    for (size_t i = 0; i < secret.count; i++)
        UNIT_OK(attr_list_add(out, secret.items[i].type, secret.items[i].value));
}

struct key *fixture_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type,
                          const struct material *material)
{
    struct attr_list attrs;
    struct key *key = NULL;
    fixture_attrs(material, &attrs);
    UNIT_OK(key_parse(object_class, key_type, attrs_of(&attrs), &key));
    return key;
}

void fixture_pair(const char *mechanism, struct attrs wanted, struct key_pair *out)
{
    struct mech_call call = fixture_call(mechanism);
    const struct attrs none = {.count = 0};
    *out = (struct key_pair){.public_material = MATERIAL_INIT, .private_material = MATERIAL_INIT};
    UNIT_OK(crypto_lib_init());
    UNIT_OK(mech_generate_pair(&call, wanted, none, &out->public_material, &out->private_material));
    out->public_key = fixture_parse(CKO_PUBLIC_KEY, call.mech->key_type, &out->public_material);
    out->private_key = fixture_parse(CKO_PRIVATE_KEY, call.mech->key_type, &out->private_material);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out->public_key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out->private_key);
}

void fixture_rsa(struct key_pair *out)
{
    uint8_t bits[8];
    const struct attr wanted[] = {{CKA_MODULUS_BITS, attr_ulong(bits, 2048)}};
    fixture_pair("CKM_RSA_PKCS_KEY_PAIR_GEN", (struct attrs){wanted, 1}, out);
}

void fixture_curve_pair(const char *curve, struct key_pair *out)
{
    const struct attr wanted[] = {{CKA_EC_PARAMS, fixture_curve(curve)}};
    const char *mechanism = strncmp(curve, "secp", 4) == 0      ? "CKM_EC_KEY_PAIR_GEN"
                            : strncmp(curve, "edwards", 7) == 0 ? "CKM_EC_EDWARDS_KEY_PAIR_GEN"
                                                                : "CKM_EC_MONTGOMERY_KEY_PAIR_GEN";
    fixture_pair(mechanism, (struct attrs){wanted, 1}, out);
}

void fixture_ml_dsa(CK_ULONG set, struct key_pair *out)
{
    uint8_t number[8];
    const struct attr wanted[] = {{CKA_PARAMETER_SET, attr_ulong(number, set)}};
    fixture_pair("CKM_ML_DSA_KEY_PAIR_GEN", (struct attrs){wanted, 1}, out);
}

void fixture_pair_clear(struct key_pair *pair)
{
    key_free(pair->public_key);
    key_free(pair->private_key);
    material_clear(&pair->public_material);
    material_clear(&pair->private_material);
}

enum rc fixture_crypt(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out)
{
    AUTO_BUF iv = BUF_INIT, nothing = BUF_INIT;
    return mech_crypt(call, op, key, 0, false, data, signature, out == NULL ? &nothing : out, &iv);
}
