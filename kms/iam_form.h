/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the query protocol: application/x-www-form-urlencoded. */
#ifndef QHSM_KMS_IAM_FORM_H
#define QHSM_KMS_IAM_FORM_H

#include <jansson.h>

#include "common/buf.h"
#include "kms/error.h"

#define IAM_FORM_MAX 1024U

struct iam_parameter {
    const char *name, *value; /* into text */
};

struct iam_form {
    struct iam_parameter items[IAM_FORM_MAX]; /* by name */
    size_t count;
    struct buf text;
};

/* False: not a form, a NUL in it, or more than IAM_FORM_MAX parameters. */
bool iam_form_parse(struct bytes text, struct iam_form *out);
void iam_form_clear(struct iam_form *form);
/* KMS_VALIDATION: a parameter that is there twice, or a list with a gap. Either would make what was
 * meant to bound a right, a session's policy say, look absent. */
enum kms_error iam_form_check(const struct iam_form *form);
/* NULL when absent. */
const char *iam_form_get(const struct iam_form *form, const char *name);
/* "LIST.member.N.PART" (N from 1; part "": the member itself); NULL. */
const char *iam_form_member(const struct iam_form *form, const char *list, size_t number,
                            const char *part);
/* Members that are there from 1 on without a gap. */
size_t iam_form_count(const struct iam_form *form, const char *list, const char *part);
/* All but Action, Version and one-time passwords as the trail has them: names begin in lower case,
 * members are lists. A new reference; NULL: no memory. */
json_t *iam_form_trail(const struct iam_form *form);

#endif
