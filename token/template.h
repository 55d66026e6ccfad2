/* SPDX-License-Identifier: Apache-2.0 */
/* The template engine: the specification's attribute tables as data, and one pass that applies a
 * template for each way an object comes to be or changes. */
#ifndef QHSM_TOKEN_TEMPLATE_H
#define QHSM_TOKEN_TEMPLATE_H

#include "token/key.h"
#include "token/object.h"
#include "token/policy.h"

enum template_use {
    TEMPLATE_CREATE,
    TEMPLATE_GENERATE,
    TEMPLATE_UNWRAP,
    TEMPLATE_DERIVE,
    TEMPLATE_COPY,
    TEMPLATE_SET
};

struct template_request {
    enum template_use use;
    struct attrs wanted; /* the caller's; checked for shape, duplicates and contradictions here */
    const struct material *material; /* from the mechanism; NULL for CREATE, COPY, SET */
    CK_OBJECT_CLASS
    object_class;         /* forced for GENERATE pairs; CK_UNAVAILABLE_INFORMATION: from wanted */
    CK_KEY_TYPE key_type; /* of the mechanism's row; CK_UNAVAILABLE_INFORMATION: from wanted */
    CK_MECHANISM_TYPE mechanism; /* CKA_KEY_GEN_MECHANISM; CK_UNAVAILABLE_INFORMATION otherwise */
    const struct object
        *source; /* COPY, SET: the object; DERIVE: the base key (sensitivity is inherited) */
    const struct object *second; /* DERIVE: the other key of a concatenation, or NULL */
    bool inherits; /* DERIVE: the value shows the base key's, so its sensitivity is inherited */
    struct attrs source_secrets; /* COPY, SET: its opened secret half */
    struct attrs enforced; /* unwrapping key's CKA_UNWRAP_TEMPLATE, base key's CKA_DERIVE_TEMPLATE:
                              must agree */
    enum user_role role;   /* CKA_TRUSTED is the SO's; private objects need ROLE_USER */
    const struct policy *policy;
};

/* Only what the caller wants, against the rules: before seconds of work go into a key that would be
 * refused. `material` may be NULL. Errors as below. `out_class` and `out_key_type` (NULL: not
 * wanted) tell what the object would be. */
enum rc template_check(const struct template_request *request, CK_OBJECT_CLASS *out_class,
                       CK_KEY_TYPE *out_key_type);

/* The new object's halves: lists of views into the request, the static defaults and `store` (which
 * must outlive them). Computes CKA_LOCAL, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, CHECK_VALUE,
 * PUBLIC_KEY_INFO, UNIQUE_ID, MODULUS_BITS, VALUE_LEN ...; normalises EC points (PITFALLS 17) and
 * big integers. `parts->token`, `owner` are the caller's to set. RC_TEMPLATE_INCOMPLETE,
 * RC_TEMPLATE_INCONSISTENT, RC_ATTRIBUTE_*, each naming the attribute in rc_detail(). */
enum rc template_apply(const struct template_request *request, struct secret *store,
                       struct object_parts *parts);

/* May this attribute be read? RC_OK: public value; RC_ATTRIBUTE_SENSITIVE; RC_ATTRIBUTE_TYPE. */
enum rc template_readable(const struct object *object, CK_ATTRIBUTE_TYPE type);

#endif
