/* SPDX-License-Identifier: Apache-2.0 */
/* Members of requests and what they must be: one table for validation, documentation and tests. */
#ifndef QHSM_KMS_MEMBERS_H
#define QHSM_KMS_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>

#include "kms/error.h"

enum member_type {
    MEMBER_STRING,
    MEMBER_BLOB, /* base64; min and max count decoded bytes */
    MEMBER_BOOL,
    MEMBER_INT,
    MEMBER_TIME,    /* epoch seconds */
    MEMBER_STRINGS, /* list of strings */
    MEMBER_MAP,     /* of strings to strings; max counts the bytes of all */
    MEMBER_STRUCT,  /* checked by the operation */
    MEMBER_TAGS,    /* list of {TagKey, TagValue} */
};

struct member {
    const char *name; /* "KeyId" */
    enum member_type type;
    bool is_required;
    long min, max;              /* length, value or count; max 0: none */
    const char *pattern;        /* POSIX extended, whole value; NULL */
    const char *pattern_text;   /* as AWS's texts write it; NULL: the same */
    const char *const *choices; /* AWS's order, since error texts list them; NULL */
    long item_max;              /* MEMBER_STRINGS: length of each, from 1; 0: none */
    bool is_secret; /* never in the trail: shown as "HIDDEN_DUE_TO_SECURITY_REASONS" or left out */
};

/* Checks types first (KMS_SERIALIZATION), then all constraints at once: "2 validation errors
 * detected: …" (KMS_VALIDATION). Members that are not known are passed over, as AWS does. */
enum kms_error members_check(const struct member *members, size_t count, const json_t *in);

/* After the check: without members that are not known and without those that are null, which is
 * absent, also inside structures. What an operation does not read meets no condition of a policy.
 */
void members_keep(const struct member *members, size_t count, json_t *in);

/* Of a name: "keyId". */
#define MEMBER_NAME_MAX 64U
void member_camel(const char *name, char out[MEMBER_NAME_MAX]);

#endif
