/* SPDX-License-Identifier: Apache-2.0 */
/* Describing and listing keys, switching them on and off, their deletion. */
#include <stdio.h>

#include "kms/key_new.h"
#include "kms/operations.h"
#include "kms/page.h"
#include "kms/replica.h"
#include "kms/used.h"

#define WINDOW_MIN     7
#define WINDOW_MAX     30
#define DAY_MS         ((uint64_t)24 * 60 * 60 * 1000)
#define LIST_KEYS_PAGE 100U
#define LIST_KEYS_MOST 1000U

enum kms_error op_describe_key(struct kms_request *request)
{
    json_t *metadata = NULL;
    KMS_TRY(
        kms_from_rc(key_metadata(request->kms, key_of(request->key), request->now_ms, &metadata)));
    (void)json_object_set_new(request->out, "KeyMetadata", metadata);
    return KMS_OK;
}

/* ---- lists */

struct listing {
    const char *account;
    struct page page;
};

static bool list_key(void *context, struct record *record)
{
    struct listing *listing = context;
    const struct key *key = key_of(record);
    if (strcmp(key->account, listing->account) != 0)
        return true;
    if (page_is_full(&listing->page))
        return false;
    return page_add(&listing->page, record->key,
                    json_pack("{s:s, s:s}", "KeyId", key->id, "KeyArn", key->arn));
}

enum kms_error op_list_keys(struct kms_request *request)
{
    struct listing listing = {.account = request->identity.account};
    char prefix[129];
    key_path(request->region, "", prefix);
    KMS_TRY(page_open(request, LIST_KEYS_PAGE, LIST_KEYS_MOST, &listing.page));
    view_each(request->kms->view, prefix, listing.page.after, list_key, &listing);
    enum kms_error error = page_close(request, &listing.page, "Keys");
    page_clear(&listing.page);
    return error;
}

/* ---- state and description */

static enum kms_error set_enabled(struct kms_request *request, bool enabled)
{
    AUTO_KEY *key = NULL;
    if (key_of(request->key)->enabled == enabled)
        return KMS_OK;
    KMS_TRY(key_to_change(request, &key));
    key->enabled = enabled;
    return request_commit_key(request, key);
}

enum kms_error op_enable_key(struct kms_request *request)
{
    return set_enabled(request, true);
}

enum kms_error op_disable_key(struct kms_request *request)
{
    return set_enabled(request, false);
}

enum kms_error op_update_key_description(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(key_to_change(request, &key));
    KMS_TRY(kms_from_rc(key_set_description(key, request_string(request, "Description"))));
    return request_commit_key(request, key);
}

/* ---- deletion */

/* The model lets 1 to 365 pass; the service does not. */
static enum kms_error read_window(const struct kms_request *request, unsigned *out)
{
    json_int_t days = request_int(request, "PendingWindowInDays", WINDOW_MAX);
    if (days < WINDOW_MIN)
        return kms_fail(KMS_VALIDATION,
                        "1 validation error detected: Value '%d' at 'pendingWindowInDays' failed "
                        "to satisfy constraint: Member must have value greater than or equal to %d",
                        (int)days, WINDOW_MIN);
    if (days > WINDOW_MAX)
        return kms_fail(KMS_VALIDATION,
                        "1 validation error detected: Value '%d' at 'pendingWindowInDays' failed "
                        "to satisfy constraint: Member must have value less than or equal to %d",
                        (int)days, WINDOW_MAX);
    *out = (unsigned)days;
    return KMS_OK;
}

static enum kms_error answer_deletion(struct kms_request *request, const struct key *key)
{
    enum key_state state = key_state(request->kms, key, request->now_ms);
    KMS_TRY(request_put_key(request));
    KMS_TRY(kms_from_rc(request_put_string(request, "KeyState", key_state_name(state))));
    (void)json_object_set_new(request->out, "PendingWindowInDays",
                              json_integer((json_int_t)key->deletion_window_days));
    if (key->deletion_ms == 0)
        return KMS_OK;
    return kms_from_rc(request_put_time(request, "DeletionDate", key->deletion_ms));
}

enum kms_error op_schedule_key_deletion(struct kms_request *request)
{
    unsigned days = 0;
    AUTO_KEY *key = NULL;
    KMS_TRY(read_window(request, &days));
    KMS_TRY(key_to_change(request, &key));
    key->deletion_window_days = days;
    key->waits_for_replicas = replica_has_replicas(request->kms->view, key);
    key->deletion_ms = key->waits_for_replicas ? 0 : request->now_ms + days * DAY_MS;
    KMS_TRY(request_commit_key(request, key));
    return answer_deletion(request, key);
}

enum kms_error op_cancel_key_deletion(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(key_to_change(request, &key));
    key->deletion_ms = 0;
    key->deletion_window_days = 0;
    key->waits_for_replicas = false;
    key->enabled = false;
    KMS_TRY(request_commit_key(request, key));
    return request_put_key(request);
}

/* ---- last use */

enum kms_error op_get_key_last_usage(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    struct used used;
    KMS_TRY(request_put_key(request));
    KMS_TRY(kms_from_rc(request_put_time(request, "KeyCreationDate", key->created_ms)));
    KMS_TRY(kms_from_rc(request_put_time(request, "TrackingStartDate", key->created_ms)));
    if (!used_latest(request->kms->view, key, &used))
        return KMS_OK;
    (void)json_object_set_new(request->out, "KeyLastUsage",
                              json_pack("{s:s, s:f, s:s}", "Operation", used.what, "Timestamp",
                                        (double)used.time_ms / 1000.0, "KmsRequestId", used.where));
    return KMS_OK;
}
