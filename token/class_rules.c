/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 section 4 and the key tables of section 6, row by row. Where a note of the
 * specification is left out or added, the row says why. */
#include "token/class_rules.h"

#include "common/crypt.h"

#define ROWS(array)                                                 \
    {                                                               \
        .rows = (array), .count = sizeof(array) / sizeof(array)[0], \
    }

/* 4.2 and 4.4, storage objects. CKA_COPYABLE: "can't be set to TRUE once it is set to FALSE" */
static const struct attr_rule storage[] = {
    {CKA_CLASS, NOTE_1 | NOTE_5, DEFAULT_COMPUTED}, /* 5: unwrapping knows no class of its own */
    {CKA_TOKEN, NOTE_COPY, DEFAULT_FALSE},
    {CKA_PRIVATE, NOTE_9 | NOTE_COPY, DEFAULT_COMPUTED},
    {CKA_MODIFIABLE, NOTE_COPY, DEFAULT_TRUE},
    {CKA_COPYABLE, NOTE_12 | NOTE_COPY, DEFAULT_TRUE},
    {CKA_DESTROYABLE, NOTE_COPY, DEFAULT_TRUE},
    {CKA_LABEL, NOTE_8, DEFAULT_EMPTY},
    {CKA_UNIQUE_ID, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
};

/* 4.5, data objects: "each of these attributes may be modified after the object is created". */
static const struct attr_rule data[] = {
    {CKA_APPLICATION, NOTE_8, DEFAULT_EMPTY},
    {CKA_OBJECT_ID, NOTE_8, DEFAULT_EMPTY},
    {CKA_VALUE, NOTE_8, DEFAULT_EMPTY},
};

/* 4.6.2, certificates; 8 on CKA_TRUSTED lets the SO trust one that is there already. */
static const struct attr_rule certificate[] = {
    {CKA_CERTIFICATE_TYPE, NOTE_1, DEFAULT_COMPUTED},
    {CKA_TRUSTED, NOTE_8 | NOTE_10, DEFAULT_FALSE},
    {CKA_CERTIFICATE_CATEGORY, 0, DEFAULT_ZERO},
    {CKA_CHECK_VALUE, 0, DEFAULT_ABSENT},
    {CKA_START_DATE, 0, DEFAULT_EMPTY},
    {CKA_END_DATE, 0, DEFAULT_EMPTY},
    {CKA_PUBLIC_KEY_INFO, 0, DEFAULT_EMPTY},
};

/* 4.6.3, X.509; CKA_VALUE or CKA_URL must be there, which template_check.c sees to. CKA_LABEL and
 * CKA_SUBJECT change with CKA_ID in NSS and p11tool: only what the table allows does here. */
static const struct attr_rule x509[] = {
    {CKA_SUBJECT, NOTE_1, DEFAULT_EMPTY},
    {CKA_ID, NOTE_8, DEFAULT_EMPTY},
    {CKA_ISSUER, NOTE_8, DEFAULT_EMPTY},
    {CKA_SERIAL_NUMBER, NOTE_8, DEFAULT_EMPTY},
    {CKA_VALUE, 0, DEFAULT_EMPTY},
    {CKA_URL, 0, DEFAULT_EMPTY},
    {CKA_HASH_OF_SUBJECT_PUBLIC_KEY, 0, DEFAULT_EMPTY},
    {CKA_HASH_OF_ISSUER_PUBLIC_KEY, 0, DEFAULT_EMPTY},
    {CKA_JAVA_MIDP_SECURITY_DOMAIN, 0, DEFAULT_ZERO},
    {CKA_NAME_HASH_ALGORITHM, 0, DEFAULT_ABSENT},
};

/* 4.7.2, keys. */
static const struct attr_rule key[] = {
    {CKA_KEY_TYPE, NOTE_1 | NOTE_5, DEFAULT_COMPUTED},
    {CKA_ID, NOTE_8, DEFAULT_EMPTY},
    {CKA_START_DATE, NOTE_8, DEFAULT_EMPTY},
    {CKA_END_DATE, NOTE_8, DEFAULT_EMPTY},
    {CKA_DERIVE, NOTE_8, DEFAULT_USAGE},
    {CKA_LOCAL, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_KEY_GEN_MECHANISM, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_ALLOWED_MECHANISMS, 0, DEFAULT_ABSENT},
};

/* 4.8, public keys. */
static const struct attr_rule public_key[] = {
    {CKA_SUBJECT, NOTE_8, DEFAULT_EMPTY},
    {CKA_ENCRYPT, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_VERIFY, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_VERIFY_RECOVER, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_WRAP, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_TRUSTED, NOTE_8 | NOTE_10, DEFAULT_FALSE},
    {CKA_WRAP_TEMPLATE, 0, DEFAULT_ABSENT},
    {CKA_PUBLIC_KEY_INFO, 0, DEFAULT_COMPUTED},
};

/* 4.9, private keys; 8 on CKA_WRAP_WITH_TRUSTED, else 11 would say nothing; none on
 * CKA_PUBLIC_KEY_INFO, which is worked out from the key. */
static const struct attr_rule private_key[] = {
    {CKA_SUBJECT, NOTE_8, DEFAULT_EMPTY},
    {CKA_SENSITIVE, NOTE_8 | NOTE_9 | NOTE_11, DEFAULT_COMPUTED},
    {CKA_DECRYPT, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_SIGN, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_SIGN_RECOVER, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_UNWRAP, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_EXTRACTABLE, NOTE_8 | NOTE_9 | NOTE_12, DEFAULT_FALSE},
    {CKA_ALWAYS_SENSITIVE, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_NEVER_EXTRACTABLE, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_WRAP_WITH_TRUSTED, NOTE_8 | NOTE_11, DEFAULT_FALSE},
    {CKA_UNWRAP_TEMPLATE, 0, DEFAULT_ABSENT},
    {CKA_DERIVE_TEMPLATE, 0, DEFAULT_ABSENT},
    {CKA_ALWAYS_AUTHENTICATE, 0, DEFAULT_FALSE},
    {CKA_PUBLIC_KEY_INFO, 0, DEFAULT_COMPUTED},
};

/* 4.10, secret keys. */
static const struct attr_rule secret_key[] = {
    {CKA_SENSITIVE, NOTE_8 | NOTE_9 | NOTE_11, DEFAULT_COMPUTED},
    {CKA_ENCRYPT, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_DECRYPT, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_SIGN, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_VERIFY, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_WRAP, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_UNWRAP, NOTE_8 | NOTE_9, DEFAULT_USAGE},
    {CKA_EXTRACTABLE, NOTE_8 | NOTE_9 | NOTE_12, DEFAULT_FALSE},
    {CKA_ALWAYS_SENSITIVE, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_NEVER_EXTRACTABLE, NOTE_2 | NOTE_4 | NOTE_6, DEFAULT_COMPUTED},
    {CKA_CHECK_VALUE, 0, DEFAULT_COMPUTED},
    {CKA_WRAP_WITH_TRUSTED, NOTE_8 | NOTE_11, DEFAULT_FALSE},
    {CKA_TRUSTED, NOTE_8 | NOTE_10, DEFAULT_FALSE},
    {CKA_WRAP_TEMPLATE, 0, DEFAULT_ABSENT},
    {CKA_UNWRAP_TEMPLATE, 0, DEFAULT_ABSENT},
    {CKA_DERIVE_TEMPLATE, 0, DEFAULT_ABSENT},
};

/* 6.1.2 */
static const struct attr_rule rsa_public[] = {
    {CKA_MODULUS, NOTE_1 | NOTE_4, DEFAULT_ABSENT},
    {CKA_MODULUS_BITS, NOTE_2 | NOTE_3, DEFAULT_COMPUTED},
    {CKA_PUBLIC_EXPONENT, NOTE_1, DEFAULT_ABSENT},
};

/* 6.1.3 */
static const struct attr_rule rsa_private[] = {
    {CKA_MODULUS, NOTE_1 | NOTE_4 | NOTE_6, DEFAULT_ABSENT},
    {CKA_PUBLIC_EXPONENT, NOTE_1 | NOTE_4 | NOTE_6, DEFAULT_ABSENT},
    {CKA_PRIVATE_EXPONENT, NOTE_1 | NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_PRIME_1, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_PRIME_2, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_EXPONENT_1, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_EXPONENT_2, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_COEFFICIENT, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
};

/* 6.3.3, and 6.3.5 and 6.3.7 for the Edwards and Montgomery types. */
static const struct attr_rule ec_public[] = {
    {CKA_EC_PARAMS, NOTE_1 | NOTE_3, DEFAULT_ABSENT},
    {CKA_EC_POINT, NOTE_1 | NOTE_4, DEFAULT_ABSENT},
};

/* 6.3.4, 6.3.6, 6.3.8 */
static const struct attr_rule ec_private[] = {
    {CKA_EC_PARAMS, NOTE_1 | NOTE_4 | NOTE_6, DEFAULT_ABSENT},
    {CKA_VALUE, NOTE_1 | NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
};

/* PKCS#11 3.2 6.67.2 */
static const struct attr_rule ml_dsa_public[] = {
    {CKA_PARAMETER_SET, NOTE_1 | NOTE_3, DEFAULT_ABSENT},
    {CKA_VALUE, NOTE_1 | NOTE_4, DEFAULT_ABSENT},
};

/* PKCS#11 3.2 6.67.3; without 1 on CKA_VALUE, which follows from CKA_SEED. */
static const struct attr_rule ml_dsa_private[] = {
    {CKA_PARAMETER_SET, NOTE_1 | NOTE_4 | NOTE_6, DEFAULT_ABSENT},
    {CKA_SEED, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_VALUE, NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
};

/* 6.13.2 (AES; its note 6 on CKA_VALUE_LEN is left out, since half of all callers give it), 6.8.2
 * (generic secret), and the types that are like it. */
static const struct attr_rule secret_value[] = {
    {CKA_VALUE, NOTE_1 | NOTE_4 | NOTE_6 | NOTE_7, DEFAULT_ABSENT},
    {CKA_VALUE_LEN, NOTE_2 | NOTE_3, DEFAULT_COMPUTED},
};

#define PUBLIC_RSA_USAGE  (USAGE_ENCRYPT | USAGE_VERIFY | USAGE_VERIFY_RECOVER | USAGE_WRAP)
#define PRIVATE_RSA_USAGE (USAGE_DECRYPT | USAGE_SIGN | USAGE_SIGN_RECOVER | USAGE_UNWRAP)
#define CIPHER_USAGE      (USAGE_ENCRYPT | USAGE_DECRYPT)
#define WRAP_USAGE        (USAGE_WRAP | USAGE_UNWRAP)
#define MAC_USAGE         (USAGE_SIGN | USAGE_VERIFY)

#define PUBLIC_KEY(type_, usage_, strict_, rows_)                           \
    {                                                                       \
        .object_class = CKO_PUBLIC_KEY, .type = (type_), .usage = (usage_), \
        .usage_strict = (strict_), .sets = {                                \
            ROWS(storage),                                                  \
            ROWS(key),                                                      \
            ROWS(public_key),                                               \
            ROWS(rows_)                                                     \
        }                                                                   \
    }
#define PRIVATE_KEY(type_, usage_, strict_, rows_)                           \
    {                                                                        \
        .object_class = CKO_PRIVATE_KEY, .type = (type_), .usage = (usage_), \
        .usage_strict = (strict_), .sets = {                                 \
            ROWS(storage),                                                   \
            ROWS(key),                                                       \
            ROWS(private_key),                                               \
            ROWS(rows_)                                                      \
        }                                                                    \
    }
#define SECRET_KEY(type_, usage_, strict_)                                  \
    {                                                                       \
        .object_class = CKO_SECRET_KEY, .type = (type_), .usage = (usage_), \
        .usage_strict = (strict_), .sets = {                                \
            ROWS(storage),                                                  \
            ROWS(key),                                                      \
            ROWS(secret_key),                                               \
            ROWS(secret_value)                                              \
        }                                                                   \
    }
#define HMAC_KEY(type_) SECRET_KEY(type_, MAC_USAGE, MAC_USAGE)

/* CKA_DERIVE is FALSE by the specification; a Montgomery or HKDF key that may not derive would be
 * good for nothing, so that theirs is TRUE. */
static const struct class_rules table[] = {
    {.object_class = CKO_DATA,
     .type = CK_UNAVAILABLE_INFORMATION,
     .sets = {ROWS(storage), ROWS(data)}},
    {.object_class = CKO_CERTIFICATE,
     .type = CKC_X_509,
     .sets = {ROWS(storage), ROWS(certificate), ROWS(x509)}},
    PUBLIC_KEY(CKK_RSA, PUBLIC_RSA_USAGE, PUBLIC_RSA_USAGE & ~(uint32_t)USAGE_WRAP, rsa_public),
    PUBLIC_KEY(CKK_EC, USAGE_VERIFY, USAGE_VERIFY, ec_public),
    PUBLIC_KEY(CKK_EC_EDWARDS, USAGE_VERIFY, USAGE_VERIFY, ec_public),
    PUBLIC_KEY(CKK_EC_MONTGOMERY, USAGE_DERIVE, USAGE_DERIVE, ec_public),
    PUBLIC_KEY(CKK_ML_DSA, USAGE_VERIFY, USAGE_VERIFY, ml_dsa_public),
    PRIVATE_KEY(CKK_RSA, PRIVATE_RSA_USAGE, PRIVATE_RSA_USAGE & ~(uint32_t)USAGE_UNWRAP,
                rsa_private),
    PRIVATE_KEY(CKK_EC, USAGE_SIGN, USAGE_SIGN, ec_private),
    PRIVATE_KEY(CKK_EC_EDWARDS, USAGE_SIGN, USAGE_SIGN, ec_private),
    PRIVATE_KEY(CKK_EC_MONTGOMERY, USAGE_DERIVE, USAGE_DERIVE, ec_private),
    PRIVATE_KEY(CKK_ML_DSA, USAGE_SIGN, USAGE_SIGN, ml_dsa_private),
    SECRET_KEY(CKK_AES, CIPHER_USAGE | WRAP_USAGE | MAC_USAGE, CIPHER_USAGE | MAC_USAGE),
    SECRET_KEY(CKK_GENERIC_SECRET, MAC_USAGE, MAC_USAGE),
    SECRET_KEY(CKK_HKDF, USAGE_DERIVE, USAGE_DERIVE),
    HMAC_KEY(CKK_SHA_1_HMAC),
    HMAC_KEY(CKK_SHA224_HMAC),
    HMAC_KEY(CKK_SHA256_HMAC),
    HMAC_KEY(CKK_SHA384_HMAC),
    HMAC_KEY(CKK_SHA512_HMAC),
    HMAC_KEY(CKK_SHA512_224_HMAC),
    HMAC_KEY(CKK_SHA512_256_HMAC),
    HMAC_KEY(CKK_SHA3_224_HMAC),
    HMAC_KEY(CKK_SHA3_256_HMAC),
    HMAC_KEY(CKK_SHA3_384_HMAC),
    HMAC_KEY(CKK_SHA3_512_HMAC),
};

const struct class_rules *class_rules_find(CK_OBJECT_CLASS object_class, CK_ULONG type)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].object_class == object_class && table[i].type == type)
            return &table[i];
    return NULL;
}

const struct attr_rule *class_rules_attr(const struct class_rules *rules, CK_ATTRIBUTE_TYPE type)
{
    for (size_t set = 0; set < RULE_SETS_MAX; set++)
        for (size_t i = 0; i < rules->sets[set].count; i++)
            if (rules->sets[set].rows[i].type == type)
                return &rules->sets[set].rows[i];
    return NULL;
}

CK_ATTRIBUTE_TYPE class_rules_type_attr(CK_OBJECT_CLASS object_class)
{
    switch (object_class) {
    case CKO_PUBLIC_KEY:
    case CKO_PRIVATE_KEY:
    case CKO_SECRET_KEY:
        return CKA_KEY_TYPE;
    case CKO_CERTIFICATE:
        return CKA_CERTIFICATE_TYPE;
    default:
        return CK_UNAVAILABLE_INFORMATION;
    }
}

uint32_t class_rules_usage_bit(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_ENCRYPT:
        return USAGE_ENCRYPT;
    case CKA_DECRYPT:
        return USAGE_DECRYPT;
    case CKA_SIGN:
        return USAGE_SIGN;
    case CKA_VERIFY:
        return USAGE_VERIFY;
    case CKA_SIGN_RECOVER:
        return USAGE_SIGN_RECOVER;
    case CKA_VERIFY_RECOVER:
        return USAGE_VERIFY_RECOVER;
    case CKA_WRAP:
        return USAGE_WRAP;
    case CKA_UNWRAP:
        return USAGE_UNWRAP;
    case CKA_DERIVE:
        return USAGE_DERIVE;
    default:
        return 0;
    }
}
