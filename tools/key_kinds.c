/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/key_kinds.h"

#include <stdlib.h>
#include <strings.h>

/* CKA_EC_PARAMS as OBJECT IDENTIFIER: RFC 5480 2.1.1.1, SEC 2 A.2.1, RFC 8410 3. */
#define OID(...)                                                                             \
    {                                                                                        \
        .ptr = (const uint8_t[]){__VA_ARGS__}, .len = sizeof((const uint8_t[]){__VA_ARGS__}) \
    }
static const struct {
    const char *name;
    const char *mechanism;
    struct bytes params;
} curves[] = {
    {"ec:P-224", "EC_KEY_PAIR_GEN", OID(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21)},
    {"ec:P-256", "EC_KEY_PAIR_GEN",
     OID(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07)},
    {"ec:P-384", "EC_KEY_PAIR_GEN", OID(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22)},
    {"ec:P-521", "EC_KEY_PAIR_GEN", OID(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23)},
    {"ec:secp256k1", "EC_KEY_PAIR_GEN", OID(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a)},
    {"ed25519", "EC_EDWARDS_KEY_PAIR_GEN", OID(0x06, 0x03, 0x2b, 0x65, 0x70)},
    {"ed448", "EC_EDWARDS_KEY_PAIR_GEN", OID(0x06, 0x03, 0x2b, 0x65, 0x71)},
    {"x25519", "EC_MONTGOMERY_KEY_PAIR_GEN", OID(0x06, 0x03, 0x2b, 0x65, 0x6e)},
    {"x448", "EC_MONTGOMERY_KEY_PAIR_GEN", OID(0x06, 0x03, 0x2b, 0x65, 0x6f)},
};
static const struct {
    const char *name;
    CK_ULONG set;
} ml_dsa[] = {
    {"ml-dsa:44", CKP_ML_DSA_44}, {"ml-dsa:65", CKP_ML_DSA_65}, {"ml-dsa:87", CKP_ML_DSA_87}};
/* NAME:SIZE; the size is divided to give the attribute's unit. */
static const struct {
    const char *prefix;
    const char *mechanism;
    unsigned divisor;
    CK_ATTRIBUTE_TYPE type;
} sized[] = {{"rsa:", "RSA_PKCS_KEY_PAIR_GEN", 1, CKA_MODULUS_BITS},
             {"aes:", "AES_KEY_GEN", 8, CKA_VALUE_LEN},
             {"generic:", "GENERIC_SECRET_KEY_GEN", 1, CKA_VALUE_LEN}};

static enum rc set_mechanism(const char *name, struct key_kind *out)
{
    out->mechanism = mechanism_by_name(name);
    if (out->mechanism == NULL)
        return rc_fail(RC_INTERNAL, "no mechanism %s", name);
    out->is_pair = (out->mechanism->flags & CKF_GENERATE_KEY_PAIR) != 0;
    return RC_OK;
}

enum rc key_kind_parse(const char *text, struct key_kind *out)
{
    *out = (struct key_kind){.mechanism = NULL};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcasecmp(text, curves[i].name) == 0) {
            out->params = curves[i].params;
            return set_mechanism(curves[i].mechanism, out);
        }
    for (size_t i = 0; i < sizeof ml_dsa / sizeof ml_dsa[0]; i++)
        if (strcasecmp(text, ml_dsa[i].name) == 0) {
            out->size_type = CKA_PARAMETER_SET;
            (void)attr_ulong(out->size, ml_dsa[i].set);
            return set_mechanism("ML_DSA_KEY_PAIR_GEN", out);
        }
    for (size_t i = 0; i < sizeof sized / sizeof sized[0]; i++) {
        size_t len = strlen(sized[i].prefix);
        if (strncasecmp(text, sized[i].prefix, len) != 0)
            continue;
        char *end = NULL;
        unsigned long size = strtoul(text + len, &end, 10);
        if (text[len] == 0 || *end != 0 || size == 0 || size % sized[i].divisor != 0)
            return rc_fail(RC_BAD_ARGUMENT, "%s: the size is not a number that fits", text);
        out->size_type = sized[i].type;
        (void)attr_ulong(out->size, size / sized[i].divisor);
        return set_mechanism(sized[i].mechanism, out);
    }
    return rc_fail(
        RC_BAD_ARGUMENT,
        "%s: known are rsa:BITS ec:CURVE ed25519 ed448 x25519 x448 ml-dsa:44|65|87 aes:BITS "
        "generic:BYTES",
        text);
}

enum rc key_kind_attributes(const struct key_kind *kind, struct attr_list *list)
{
    if (kind->params.len > 0)
        return attr_list_add(list, CKA_EC_PARAMS, kind->params);
    return attr_list_add(list, kind->size_type, bytes_of(kind->size, sizeof kind->size));
}

const char *key_class_name(CK_OBJECT_CLASS object_class)
{
    switch (object_class) {
    case CKO_DATA:
        return "data";
    case CKO_CERTIFICATE:
        return "certificate";
    case CKO_PUBLIC_KEY:
        return "public-key";
    case CKO_PRIVATE_KEY:
        return "private-key";
    case CKO_SECRET_KEY:
        return "secret-key";
    case CKO_PROFILE:
        return "profile";
    default:
        return "other";
    }
}

const char *key_type_name(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type)
{
    bool is_key = object_class == CKO_PUBLIC_KEY || object_class == CKO_PRIVATE_KEY ||
                  object_class == CKO_SECRET_KEY;
    if (!is_key)
        return "-";
    switch (type) {
    case CKK_RSA:
        return "rsa";
    case CKK_EC:
        return "ec";
    case CKK_EC_EDWARDS:
        return "edwards";
    case CKK_EC_MONTGOMERY:
        return "montgomery";
    case CKK_ML_DSA:
        return "ml-dsa";
    case CKK_AES:
        return "aes";
    case CKK_GENERIC_SECRET:
        return "generic";
    case CKK_HKDF:
        return "hkdf";
    default:
        return "hmac";
    }
}

static bool is_printable(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
            return false;
    return true;
}

static enum rc mechanisms_text(struct bytes value, struct buf *out)
{
    for (size_t at = 0; at + 8 <= value.len; at += 8) {
        CK_ULONG type = 0;
        (void)attr_value_ulong(bytes_slice(value, at, 8), &type);
        const struct mechanism *mech = mechanism_find(type);
        if (mech != NULL)
            TRY(buf_printf(out, "%s%s", at == 0 ? "" : ",", mech->name));
        else
            TRY(buf_printf(out, "%s0x%lx", at == 0 ? "" : ",", type));
    }
    return RC_OK;
}

enum rc key_attribute_text(const struct attr_info *info, struct bytes value, struct buf *out)
{
    CK_ULONG number = 0;
    if (info != NULL && info->kind == ATTR_BOOL && value.len == 1)
        return buf_printf(out, "%s", value.ptr[0] != 0 ? "true" : "false");
    if (info != NULL && info->kind == ATTR_ULONG && attr_value_ulong(value, &number))
        return number == CK_UNAVAILABLE_INFORMATION ? buf_printf(out, "unavailable")
                                                    : buf_printf(out, "%lu", number);
    if (info != NULL && info->kind == ATTR_MECHANISMS)
        return mechanisms_text(value, out);
    if (info != NULL && (info->kind == ATTR_STRING || info->kind == ATTR_DATE) &&
        is_printable(value))
        return buf_append(out, value);
    for (size_t i = 0; i < value.len; i++)
        TRY(buf_printf(out, "%02x", value.ptr[i]));
    return RC_OK;
}
