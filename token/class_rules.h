/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's attribute tables as data: which attributes an object of a class and type has,
 * and the footnotes of each. */
#ifndef QHSM_TOKEN_CLASS_RULES_H
#define QHSM_TOKEN_CLASS_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "common/cryptoki.h"

/* PKCS#11 3.1, 4.1.1: "Common footnotes for object attribute tables", by their numbers. */
enum footnote {
    NOTE_1 = 1 << 1,     /* MUST be specified when created with C_CreateObject */
    NOTE_2 = 1 << 2,     /* MUST NOT be specified when created with C_CreateObject */
    NOTE_3 = 1 << 3,     /* MUST be specified when generated */
    NOTE_4 = 1 << 4,     /* MUST NOT be specified when generated */
    NOTE_5 = 1 << 5,     /* MUST be specified when unwrapped */
    NOTE_6 = 1 << 6,     /* MUST NOT be specified when unwrapped */
    NOTE_7 = 1 << 7,     /* cannot be revealed when CKA_SENSITIVE, or not CKA_EXTRACTABLE */
    NOTE_8 = 1 << 8,     /* may be modified by C_SetAttributeValue and C_CopyObject */
    NOTE_9 = 1 << 9,     /* default is token-specific, and may depend on other attributes */
    NOTE_10 = 1 << 10,   /* can only be set to CK_TRUE by the SO */
    NOTE_11 = 1 << 11,   /* cannot be changed once set to CK_TRUE */
    NOTE_12 = 1 << 12,   /* cannot be changed once set to CK_FALSE */
    NOTE_COPY = 1 << 13, /* 4.4: "can be changed in the process of copying" without note 8 */
};

/* What the object has when nobody said anything. */
enum rule_default {
    DEFAULT_ABSENT,   /* nothing */
    DEFAULT_EMPTY,    /* an empty value */
    DEFAULT_FALSE,    /* CK_FALSE */
    DEFAULT_TRUE,     /* CK_TRUE */
    DEFAULT_ZERO,     /* number 0 */
    DEFAULT_USAGE,    /* by the type's usage bits */
    DEFAULT_COMPUTED, /* by the engine */
};

struct attr_rule {
    CK_ATTRIBUTE_TYPE type;
    uint32_t notes;
    enum rule_default otherwise;
};

struct rule_rows {
    const struct attr_rule *rows;
    size_t count;
};
#define RULE_SETS_MAX 4

struct class_rules {
    CK_OBJECT_CLASS object_class;
    CK_ULONG type;         /* key or certificate type; CK_UNAVAILABLE_INFORMATION: none */
    uint32_t usage;        /* default, enum key_usage */
    uint32_t usage_strict; /* default under the strict policy */
    struct rule_rows sets[RULE_SETS_MAX];
};

/* NULL when no object of that class and type can be made. */
const struct class_rules *class_rules_find(CK_OBJECT_CLASS object_class, CK_ULONG type);
/* NULL when objects of that kind do not have the attribute. */
const struct attr_rule *class_rules_attr(const struct class_rules *rules, CK_ATTRIBUTE_TYPE type);
/* The attribute that names the type within a class, CKA_KEY_TYPE or CKA_CERTIFICATE_TYPE;
 * CK_UNAVAILABLE_INFORMATION when the class has none. */
CK_ATTRIBUTE_TYPE class_rules_type_attr(CK_OBJECT_CLASS object_class);
/* enum key_usage bit of CKA_ENCRYPT ...; 0 for other attributes. */
uint32_t class_rules_usage_bit(CK_ATTRIBUTE_TYPE type);

#endif
