/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of KMS's operations as a hostile caller may send them: JSON, members and their limits, and
 * what operations then take out of them. The input is the operation's name, a newline, the body. */
#include <stdlib.h>
#include <string.h>

#include "kms/members.h"
#include "kms/request.h"

#define INPUT_MAX 65536U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What is taken out of a member that was found good. */
static void take(const struct kms_request *request, const struct member *member)
{
    AUTO_BUF out = BUF_INIT;
    const json_t *value = json_object_get(request->in, member->name);
    bool is_there = value != NULL && !json_is_null(value);
    must(is_there || !member->is_required);
    switch (member->type) {
    case MEMBER_STRING:
        must((request_string(request, member->name) != NULL) == is_there);
        break;
    case MEMBER_BLOB:
        must((request_blob(request, member->name, &out) == RC_OK) == is_there);
        break;
    case MEMBER_MAP:
        must(request_context_aad(request, member->name, &out) == RC_OK);
        break;
    case MEMBER_BOOL:
        must(is_there || !request_bool(request, member->name));
        break;
    case MEMBER_INT:
        must(is_there || request_int(request, member->name, -7) == -7);
        break;
    case MEMBER_TIME:
    case MEMBER_STRINGS:
    case MEMBER_STRUCT:
    case MEMBER_TAGS:
    default:
        break;
    }
}

static void check(const struct operation *operation, json_t *in)
{
    enum kms_error error = members_check(operation->members, operation->member_count, in);
    if (error != KMS_OK) {
        must(error == KMS_SERIALIZATION || error == KMS_VALIDATION);
        must(kms_error_text()[0] != 0);
        return;
    }
    struct kms_request *request = calloc(1, sizeof *request);
    must(request != NULL);
    request->operation = operation;
    request->in = in;
    for (size_t i = 0; i < operation->member_count; i++)
        take(request, &operation->members[i]);
    free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    const uint8_t *end = size == 0 || size > INPUT_MAX ? NULL : memchr(data, '\n', size);
    size_t len = end == NULL ? sizeof name : (size_t)(end - data);
    if (len >= sizeof name)
        return 0;
    memcpy(name, data, len);
    name[len] = 0;
    const struct operation *operation = operation_find(name);
    if (operation == NULL)
        return 0;
    json_t *in =
        json_loadb((const char *)data + len + 1, size - len - 1, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(in))
        check(operation, in);
    json_decref(in);
    return 0;
}
