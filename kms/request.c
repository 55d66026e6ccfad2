/* SPDX-License-Identifier: Apache-2.0 */
/* Members in, answers out. */
#include "kms/request.h"

#include <stdlib.h>

#include "kms/base64.h"

#define CONTEXT_PAIRS_MAX 4096U

const char *request_string(const struct kms_request *request, const char *member)
{
    return json_string_value(json_object_get(request->in, member));
}

bool request_bool(const struct kms_request *request, const char *member)
{
    return json_is_true(json_object_get(request->in, member));
}

json_int_t request_int(const struct kms_request *request, const char *member, json_int_t fallback)
{
    const json_t *value = json_object_get(request->in, member);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

enum rc request_blob(const struct kms_request *request, const char *member, struct buf *out)
{
    const json_t *value = json_object_get(request->in, member);
    if (!json_is_string(value))
        return RC_NOT_FOUND;
    return base64_decode(bytes_of(json_string_value(value), json_string_length(value)), out);
}

static enum rc put(struct kms_request *request, const char *member, json_t *value)
{
    if (json_object_set_new(request->out, member, value) != 0)
        return rc_fail(RC_NO_MEMORY, "answer of %s", request->operation->name);
    return RC_OK;
}

enum rc request_put_string(struct kms_request *request, const char *member, const char *value)
{
    return put(request, member, json_string(value));
}

enum rc request_put_blob(struct kms_request *request, const char *member, struct bytes value)
{
    AUTO_BUF text = BUF_INIT;
    TRY(base64_encode(value, &text));
    return put(request, member, json_stringn((const char *)text.ptr, text.len));
}

enum rc request_put_time(struct kms_request *request, const char *member, uint64_t time_ms)
{
    return put(request, member, json_real((double)time_ms / 1000.0));
}

/* ---- encryption context */

struct pair {
    struct bytes key;
    struct bytes value;
};

static int compare_pairs(const void *a, const void *b)
{
    return bytes_compare(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static enum rc put_pairs(struct pair *pairs, size_t count, struct buf *out)
{
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < count; i++) {
        TRY(buf_put_bytes(out, pairs[i].key));
        TRY(buf_put_bytes(out, pairs[i].value));
    }
    return RC_OK;
}

enum rc request_context_aad(const struct kms_request *request, const char *member, struct buf *out)
{
    json_t *map = json_object_get(request->in, member);
    size_t count = json_object_size(map);
    if (count == 0)
        return RC_OK;
    if (count > CONTEXT_PAIRS_MAX)
        return rc_fail(RC_TOO_LARGE, "an encryption context of %zu pairs", count);
    struct pair *pairs = calloc(count, sizeof *pairs);
    if (pairs == NULL)
        return rc_fail(RC_NO_MEMORY, "encryption context");
    size_t i = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(map, name, value)
    {
        pairs[i].key = bytes_of_str(name);
        pairs[i++].value = bytes_of(json_string_value(value), json_string_length(value));
    }
    enum rc rc = put_pairs(pairs, count, out);
    free(pairs);
    return rc;
}

/* ---- the key */

enum kms_error request_again(struct kms_request *request)
{
    request->is_again = true;
    return kms_fail(KMS_INTERNAL, "Somebody else changed the same at the same time.");
}

enum kms_error request_from_commit(struct kms_request *request, enum rc rc)
{
    if (rc == RC_CONFLICT || rc == RC_VIEW_OLD)
        return request_again(request);
    if (rc == RC_LIMIT || rc == RC_TOO_LARGE)
        return kms_fail(KMS_LIMIT_EXCEEDED, "The resource is larger than its limit");
    return kms_from_rc(rc);
}

enum kms_error request_commit_key(struct kms_request *request, const struct key *fresh)
{
    if (key_of(request->key)->aws_managed)
        return kms_fail(KMS_ACCESS_DENIED, "%s is managed by AWS and cannot be changed",
                        fresh->arn);
    return request_from_commit(request, key_commit(request->kms->view, request->key, fresh));
}

void request_touch(struct kms_request *request, struct record *key)
{
    if (request->touched_count == REQUEST_KEYS_MAX)
        return;
    atomic_fetch_add(&key->refs, 1);
    request->touched[request->touched_count++] = key;
}

enum kms_error request_put_key(struct kms_request *request)
{
    return kms_from_rc(request_put_string(request, "KeyId", key_of(request->key)->arn));
}
