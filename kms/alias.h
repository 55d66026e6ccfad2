/* SPDX-License-Identifier: Apache-2.0 */
/* Aliases as documents, and those of services: "alias/aws/NAME", whose keys are made when somebody
 * first names them. */
#ifndef QHSM_KMS_ALIAS_H
#define QHSM_KMS_ALIAS_H

#include "kms/request.h"

#define ALIAS_PATH_MAX 129U

static inline const struct alias *alias_of(const struct record *record)
{
    return record->data;
}
/* "alias/REGION/ACCOUNT/NAME"; a name that is too long for a path stands there by its hash. False:
 * `name` does not begin with "alias/". */
bool alias_path(const char *region, const char *account, const char *name,
                char out[ALIAS_PATH_MAX]);
/* May callers make one of that name? In AWS's words; the characters are the table of members'. */
enum kms_error alias_check_name(const char *name);
/* "alias/REGION/ACCOUNT/" */
void alias_prefix(const char *region, const char *account, char out[ALIAS_PATH_MAX]);
enum rc alias_encode(const struct alias *alias, json_t **out);

/* Is it one of AWS's services ("alias/aws/s3")? */
bool alias_is_of_service(const char *name);
/* The key of a service's alias of the request's account and Region: made, with its alias, unless it
 * is there. KMS_NOT_FOUND for a name that no service has. */
enum kms_error alias_make_managed(struct kms_request *request, const char *name);

#endif
