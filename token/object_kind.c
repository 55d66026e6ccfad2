/* SPDX-License-Identifier: Apache-2.0 */
/* What depends on an object's class: which attributes are secret, and how its size is told. */
#include "token/key_curve.h"
#include "token/key_ml_dsa.h"
#include "token/object_record.h"

static bool is_private_key_number(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_VALUE:
    case CKA_SEED:
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return true;
    default:
        return false;
    }
}

/* PKCS#11 3.1 4.9, 4.10: what CKA_SENSITIVE and CKA_EXTRACTABLE guard. */
bool object_attr_is_secret(CK_OBJECT_CLASS object_class, bool is_private, CK_ATTRIBUTE_TYPE type)
{
    switch (object_class) {
    case CKO_PRIVATE_KEY:
        return is_private_key_number(type);
    case CKO_SECRET_KEY:
    case CKO_OTP_KEY:
        return type == CKA_VALUE;
    case CKO_DATA:
        return is_private && type == CKA_VALUE;
    default:
        return false;
    }
}

static uint32_t number_bits(struct bytes number)
{
    while (number.len > 0 && number.ptr[0] == 0)
        number = bytes_slice(number, 1, number.len);
    if (number.len == 0 || number.len > UINT32_MAX / 8)
        return 0;
    uint32_t bits = (uint32_t)number.len * 8;
    for (uint8_t top = number.ptr[0]; (top & 0x80U) == 0; top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

static uint32_t secret_bits(const struct object *object)
{
    struct bytes len;
    CK_ULONG value = 0;
    if (!object_attr(object, CKA_VALUE_LEN, &len) || !attr_value_ulong(len, &value) ||
        value > UINT32_MAX / 8)
        return 0;
    return (uint32_t)value * 8;
}

static uint32_t curve_bits(const struct object *object)
{
    struct bytes params;
    const struct key_curve *curve = NULL;
    if (!object_attr(object, CKA_EC_PARAMS, &params) ||
        key_curve_find(object->key_type, params, &curve) != RC_OK) {
        rc_detail_clear();
        return 0;
    }
    return curve->bits;
}

static uint32_t ml_dsa_bits(const struct object *object)
{
    struct bytes value;
    CK_ULONG number = 0;
    if (!object_attr(object, CKA_PARAMETER_SET, &value) || !attr_value_ulong(value, &number))
        return 0;
    const struct key_ml_dsa_set *set = key_ml_dsa_set(number);
    return set == NULL ? 0 : 8 * set->public_len;
}

uint32_t object_size_bits(const struct object *object)
{
    if (object->object_class == CKO_SECRET_KEY)
        return secret_bits(object);
    if (object->object_class != CKO_PRIVATE_KEY && object->object_class != CKO_PUBLIC_KEY)
        return 0;
    if (object->key_type == CKK_ML_DSA)
        return ml_dsa_bits(object);
    struct bytes modulus;
    return object_attr(object, CKA_MODULUS, &modulus) ? number_bits(modulus) : curve_bits(object);
}
