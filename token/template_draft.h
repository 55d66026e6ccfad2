/* SPDX-License-Identifier: Apache-2.0 */
/* An object in the making, between template.c, template_check.c and template_key.c. */
#ifndef QHSM_TOKEN_TEMPLATE_DRAFT_H
#define QHSM_TOKEN_TEMPLATE_DRAFT_H

#include "token/class_rules.h"
#include "token/template.h"

/* What the engine itself adds: numbers, a point, CRT parts and the public key info of RSA-8192. */
#define DRAFT_STORE_MAX 12288U

struct draft {
    const struct template_request *request;
    CK_OBJECT_CLASS object_class;
    CK_ULONG type; /* of key or certificate; CK_UNAVAILABLE_INFORMATION: none */
    const struct class_rules *rules;
    struct attr_list wanted; /* what the caller wants, and what is enforced */
    struct attr_list all;    /* the object's attributes, both halves */
    struct secret *store;    /* never grows beyond what was reserved: `all` views into it */
};

/* "CKA_LABEL", for errors. */
const char *draft_name(CK_ATTRIBUTE_TYPE type);

/* Copies a value into the store and sets it. */
enum rc draft_put(struct draft *draft, CK_ATTRIBUTE_TYPE type, struct bytes value);
enum rc draft_put_ulong(struct draft *draft, CK_ATTRIBUTE_TYPE type, CK_ULONG value);

/* template_check.c: shape, duplicates, what is enforced, class and type; then every footnote. Fills
 * wanted, object_class, type, rules. */
enum rc draft_check(struct draft *draft);
/* Contradictions between the attributes of the whole object. */
enum rc draft_check_whole(const struct draft *draft);

/* template_key.c: what follows from the key's value: missing numbers, normal forms, lengths, check
 * value, public key info. */
enum rc draft_finish_key(struct draft *draft);

#endif
