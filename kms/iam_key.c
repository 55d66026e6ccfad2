/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys: of users, and of the account's root when it asks for its own. */
#include <stdio.h>

#include "kms/iam_call.h"
#include "kms/iam_random.h"
#include "kms/used.h"

#define KEYS_MAX    2U
#define SECRET_LEN  40U
#define SCAN_PREFIX "iam/akid/"

void iam_key_new_id(const char *prefix, char out[21])
{
    (void)snprintf(out, 21, "%s", prefix);
    iam_random_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, out + 4);
}

enum rc iam_key_new_secret(struct secret *out)
{
    char text[SECRET_LEN + 1];
    iam_random_text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", SECRET_LEN,
                    text);
    enum rc rc = secret_from_bytes(out, bytes_of(text, SECRET_LEN));
    secret_wipe(text, sizeof text);
    return rc;
}

void iam_key_write_secret(struct iam_xml *xml, const struct secret *secret)
{
    char text[SECRET_LEN + 1];
    struct bytes value = secret_expose(secret);
    (void)snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.ptr);
    iam_xml_text(xml, "SecretAccessKey", text);
    secret_wipe(text, sizeof text);
}

/* Keys of a user, or of the root (user ""): by their documents, in order. */
struct walk {
    struct iam_call *call;
    struct iam_page *page;
    const char *user;
    size_t count;
};

static void write_key(struct iam_xml *xml, const struct iam_key *key)
{
    iam_xml_text_if(xml, "UserName", key->user);
    iam_xml_text(xml, "AccessKeyId", key->id);
    iam_xml_text(xml, "Status", key->is_active ? "Active" : "Inactive");
    iam_xml_time(xml, "CreateDate", key->created_ms);
}

static bool visit_key(void *context, struct record *record)
{
    struct walk *walk = context;
    const struct iam_key *key = iam_key_of(record);
    if (key == NULL || strcmp(key->user, walk->user) != 0 ||
        strcmp(key->account, walk->call->identity.account) != 0)
        return true;
    walk->count++;
    if (walk->page == NULL || !iam_page_takes(walk->page, record->key))
        return walk->page == NULL || !walk->page->is_truncated;
    iam_xml_open(&walk->call->xml, "member");
    write_key(&walk->call->xml, key);
    iam_xml_close(&walk->call->xml, "member");
    return true;
}

/* Whose keys are spoken of; *out NULL: the root's. */
static enum kms_error owner(const struct iam_call *call, const struct iam_principal **out)
{
    *out = NULL;
    if (call->name[0] == '\0' && call->identity.type == IDENTITY_ROOT)
        return KMS_OK;
    if (call->name[0] == '\0')
        return kms_fail(KMS_IAM_VALIDATION,
                        "Must specify userName when calling with non-User credentials");
    return iam_call_principal(call, out);
}

enum kms_error iam_key_list(struct iam_call *call)
{
    const struct iam_principal *user;
    struct iam_page page;
    KMS_TRY(owner(call, &user));
    KMS_TRY(iam_page_open(call, &page));
    struct walk walk = {.call = call, .page = &page, .user = call->name};
    iam_xml_open(&call->xml, "AccessKeyMetadata");
    view_each(call->kms->view, SCAN_PREFIX, page.after, visit_key, &walk);
    iam_xml_close(&call->xml, "AccessKeyMetadata");
    iam_page_close(call, &page);
    return KMS_OK;
}

static enum kms_error key_document(struct iam_call *call, const char *path,
                                   const struct secret *secret, json_t **out)
{
    AUTO_BUF text = BUF_INIT;
    KMS_TRY(iam_call_close(call, path, secret, &text));
    *out = json_pack("{s:s, s:s, s:s, s:I, s:b}", "account", call->identity.account, "user",
                     call->name, "secret", buf_str(&text), "created", (json_int_t)call->now_ms,
                     "active", 1);
    return *out == NULL ? kms_from_rc(RC_NO_MEMORY) : KMS_OK;
}

/* The user's document names its keys: the limit and the deletion of users hold against races. */
static enum kms_error add_to_owner(struct iam_call *call, const char *id,
                                   struct view_changes *changes)
{
    json_t *fresh;
    KMS_TRY(iam_call_edit(call, &fresh));
    iam_call_list_add(fresh, "keys", id);
    return iam_call_add(changes, call->target->key, call->target->version, fresh);
}

static enum kms_error check_limit(struct iam_call *call, const struct iam_principal *user)
{
    struct walk walk = {.call = call, .user = call->name};
    if (user != NULL)
        walk.count = user->keys.count;
    else
        view_each(call->kms->view, SCAN_PREFIX, "", visit_key, &walk);
    return walk.count < KEYS_MAX
               ? KMS_OK
               : kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed quota for AccessKeysPerUser: %u",
                          KEYS_MAX);
}

static void answer_key(struct iam_call *call, const char *id, const struct secret *secret)
{
    iam_xml_open(&call->xml, "AccessKey");
    iam_xml_text(&call->xml, "UserName", call->name);
    iam_xml_text(&call->xml, "AccessKeyId", id);
    iam_xml_text(&call->xml, "Status", "Active");
    iam_key_write_secret(&call->xml, secret);
    iam_xml_time(&call->xml, "CreateDate", call->now_ms);
    iam_xml_close(&call->xml, "AccessKey");
    call->response = json_pack("{s:{s:s, s:s, s:s}}", "accessKey", "userName", call->name,
                               "accessKeyId", id, "status", "Active");
}

enum kms_error iam_key_create(struct iam_call *call)
{
    const struct iam_principal *user;
    AUTO_SECRET secret = SECRET_INIT;
    char id[21], path[129];
    json_t *document = NULL;
    KMS_TRY(owner(call, &user));
    KMS_TRY(check_limit(call, user));
    iam_key_new_id("AKIA", id);
    (void)iam_key_path(id, path);
    KMS_TRY(kms_from_rc(iam_key_new_secret(&secret)));
    KMS_TRY(key_document(call, path, &secret, &document));
    struct view_changes changes = {.count = 0};
    enum kms_error error = iam_call_add(&changes, path, 0, document);
    if (error == KMS_OK && user != NULL)
        error = add_to_owner(call, id, &changes);
    if (error != KMS_OK) {
        view_changes_clear(&changes);
        return error;
    }
    KMS_TRY(iam_call_commit(call, &changes));
    answer_key(call, id, &secret);
    return KMS_OK;
}

/* The key of AccessKeyId, if it is the owner's: a new reference. */
static enum kms_error owned_key(struct iam_call *call, struct record **out)
{
    const char *id;
    const struct iam_principal *user;
    KMS_TRY(owner(call, &user));
    KMS_TRY(iam_call_need(call, "AccessKeyId", &id));
    struct record *record = iam_find_key(call->kms->view, id);
    const struct iam_key *key = iam_key_of(record);
    if (key != NULL && strcmp(key->user, call->name) == 0 &&
        strcmp(key->account, call->identity.account) == 0) {
        *out = record;
        return KMS_OK;
    }
    record_unref(record);
    return kms_fail(KMS_NO_SUCH_ENTITY, "The Access Key with id %.128s cannot be found.", id);
}

enum kms_error iam_key_update(struct iam_call *call)
{
    AUTO_RECORD *record = NULL;
    const char *status;
    KMS_TRY(owned_key(call, &record));
    KMS_TRY(iam_call_need(call, "Status", &status));
    bool is_active = strcmp(status, "Active") == 0;
    if (!is_active && strcmp(status, "Inactive") != 0)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value '%.64s' at 'status' failed to satisfy "
                        "constraint: Member must satisfy enum value set: [Active, Inactive]",
                        status);
    json_t *fresh = json_deep_copy(record->json);
    struct view_changes changes = {.count = 0};
    (void)json_object_set_new(fresh, "active", json_boolean(is_active));
    KMS_TRY(iam_call_add(&changes, record->key, record->version, fresh));
    return iam_call_commit(call, &changes);
}

/* The key, and when it was last used. */
static enum kms_error remove_key(struct iam_call *call, const struct record *record,
                                 struct view_changes *changes)
{
    char path[129];
    used_access_key_path(iam_key_of(record)->id, path);
    KMS_TRY(iam_call_add(changes, record->key, record->version, NULL));
    AUTO_RECORD *used = view_get(call->kms->view, path);
    return used == NULL ? KMS_OK : iam_call_add(changes, path, used->version, NULL);
}

enum kms_error iam_key_delete(struct iam_call *call)
{
    AUTO_RECORD *record = NULL;
    KMS_TRY(owned_key(call, &record));
    struct view_changes changes = {.count = 0};
    KMS_TRY(remove_key(call, record, &changes));
    if (call->target == NULL)
        return iam_call_commit(call, &changes);
    json_t *fresh;
    KMS_TRY(iam_call_edit(call, &fresh));
    iam_call_list_remove(fresh, "keys", iam_key_of(record)->id);
    KMS_TRY(iam_call_add(&changes, call->target->key, call->target->version, fresh));
    return iam_call_commit(call, &changes);
}

static void write_last_use(struct iam_call *call, const char *id)
{
    struct used used;
    bool is_used = used_latest_access_key(call->kms->view, id, &used);
    iam_xml_open(&call->xml, "AccessKeyLastUsed");
    if (is_used)
        iam_xml_time(&call->xml, "LastUsedDate", used.time_ms);
    iam_xml_text(&call->xml, "ServiceName", is_used ? used.what : "N/A");
    iam_xml_text(&call->xml, "Region", is_used ? used.where : "N/A");
    iam_xml_close(&call->xml, "AccessKeyLastUsed");
}

enum kms_error iam_key_last_used(struct iam_call *call)
{
    const char *id;
    char arn[IAM_ARN_MAX + 1];
    KMS_TRY(iam_call_need(call, "AccessKeyId", &id));
    AUTO_RECORD *record = iam_find_key(call->kms->view, id);
    const struct iam_key *key = iam_key_of(record);
    bool is_own = key != NULL && strcmp(key->account, call->identity.account) == 0;
    (void)snprintf(arn, sizeof arn, "arn:aws:iam::%s:user/%s", call->identity.account,
                   is_own ? key->user : "*");
    KMS_TRY(iam_call_authorize(call, arn));
    if (!is_own)
        return kms_fail(KMS_NO_SUCH_ENTITY, "The Access Key with id %.128s cannot be found.", id);
    iam_xml_text(&call->xml, "UserName", key->user);
    write_last_use(call, id);
    return KMS_OK;
}
