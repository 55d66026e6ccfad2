/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual MFA devices. A user's document names his devices; a device's says since when it is
 * somebody's. Source: IAM API Reference. */
#include <stdlib.h>

#include "kms/base64.h"
#include "kms/iam_call.h"
#include "kms/iam_random.h"

#define SEED_LEN   40U /* bytes: no padding in base32 */
#define BASE32_LEN (SEED_LEN * 8 / 5)

/* ---- seeds */

/* RFC 4648 6. */
static void write_base32(struct bytes data, char out[BASE32_LEN + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (size_t i = 0; i < BASE32_LEN; i++) {
        size_t bit = i * 5, at = bit / 8;
        unsigned pair = (unsigned)data.ptr[at] << 8;
        if (at + 1 < data.len)
            pair |= data.ptr[at + 1];
        out[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    out[BASE32_LEN] = '\0';
}

static enum rc make_seed(struct secret *out)
{
    uint8_t random[SEED_LEN];
    iam_random(random, sizeof random);
    enum rc rc = secret_from_bytes(out, bytes_of(random, sizeof random));
    secret_wipe(random, sizeof random);
    return rc;
}

/* The API has the text of base32 once more in base64. */
static enum rc write_seed(struct iam_xml *xml, const struct secret *seed)
{
    char base32[BASE32_LEN + 1];
    AUTO_BUF text = BUF_INIT;
    write_base32(secret_expose(seed), base32);
    enum rc rc = base64_encode(bytes_of_str(base32), &text);
    secret_wipe(base32, sizeof base32);
    TRY(rc);
    iam_xml_text(xml, "Base32StringSeed", buf_str(&text));
    return RC_OK;
}

/* ---- making and deleting */

static enum kms_error store_new(struct iam_call *call, const struct secret *seed, json_t *fresh)
{
    char path[129];
    AUTO_BUF closed = BUF_INIT;
    iam_path(call->identity.account, IAM_MFA, call->name, path);
    enum kms_error error = iam_call_close(call, path, seed, &closed);
    if (error != KMS_OK) {
        json_decref(fresh);
        return error;
    }
    (void)json_object_set_new(fresh, "secret", json_string(buf_str(&closed)));
    return iam_call_put(call, fresh);
}

enum kms_error iam_mfa_create(struct iam_call *call)
{
    const char *path;
    json_t *fresh;
    AUTO_SECRET seed = SECRET_INIT;
    KMS_TRY(iam_call_path(call, "Path", &path));
    KMS_TRY(kms_from_rc(make_seed(&seed)));
    KMS_TRY(iam_call_new_document(call, "AMFA", path, &fresh));
    KMS_TRY(store_new(call, &seed, fresh));
    iam_xml_open(&call->xml, "VirtualMFADevice");
    iam_xml_text(&call->xml, "SerialNumber", call->arn);
    KMS_TRY(kms_from_rc(write_seed(&call->xml, &seed)));
    iam_xml_close(&call->xml, "VirtualMFADevice");
    call->response = json_pack("{s:{s:s}}", "virtualMFADevice", "serialNumber", call->arn);
    return KMS_OK;
}

enum kms_error iam_mfa_delete(struct iam_call *call)
{
    const struct iam_mfa *device = iam_mfa_of(call->target);
    struct view_changes changes = {.count = 0};
    if (device == NULL)
        return iam_call_not_there(call);
    if (device->enabled_ms != 0)
        return kms_fail(KMS_DELETE_CONFLICT, "MFA VirtualDevice in use. Must deactivate first.");
    KMS_TRY(iam_call_add(&changes, call->target->key, call->target->version, NULL));
    return iam_call_commit(call, &changes);
}

/* ---- whose it is */

/* Device and user in one change. Takes `fresh`, the device's document. */
static enum kms_error commit_both(struct iam_call *call, const struct record *device, json_t *fresh,
                                  bool is_given)
{
    json_t *user;
    struct view_changes changes = {.count = 0};
    const char *name = iam_mfa_of(device)->head.name;
    (void)json_object_set_new(fresh, "enabled",
                              json_integer(is_given ? (json_int_t)call->now_ms : 0));
    KMS_TRY(iam_call_add(&changes, device->key, device->version, fresh));
    enum kms_error error = iam_call_edit(call, &user);
    if (error != KMS_OK) {
        view_changes_clear(&changes);
        return error;
    }
    if (is_given)
        iam_call_list_add(user, "devices", name);
    else
        iam_call_list_remove(user, "devices", name);
    KMS_TRY(iam_call_add(&changes, call->target->key, call->target->version, user));
    return iam_call_commit(call, &changes);
}

enum kms_error iam_mfa_enable(struct iam_call *call)
{
    AUTO_RECORD *device = NULL;
    const struct iam_principal *user;
    KMS_TRY(iam_call_principal(call, &user));
    KMS_TRY(iam_mfa_find(call, &device));
    if (iam_mfa_of(device)->enabled_ms != 0)
        return kms_fail(KMS_ENTITY_ALREADY_EXISTS, "MFA Device is already in use.");
    if (user->devices.count >= IAM_MFA_DEVICES_MAX)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed quota for MFADevicesPerUser: %u",
                        IAM_MFA_DEVICES_MAX);
    json_t *fresh = json_deep_copy(device->json);
    enum kms_error error = iam_mfa_synchronise(call, device, fresh);
    if (error == KMS_OK)
        return commit_both(call, device, fresh, true);
    json_decref(fresh);
    return error;
}

/* The device of SerialNumber, when it is the target's: a new reference. */
static enum kms_error find_of_user(struct iam_call *call, struct record **out)
{
    const struct iam_principal *user;
    KMS_TRY(iam_call_principal(call, &user));
    KMS_TRY(iam_mfa_find(call, out));
    return iam_names_has(&user->devices, iam_mfa_of(*out)->head.name)
               ? KMS_OK
               : kms_fail(KMS_NO_SUCH_ENTITY, "MFA Device invalid for user.");
}

enum kms_error iam_mfa_deactivate(struct iam_call *call)
{
    AUTO_RECORD *device = NULL;
    KMS_TRY(find_of_user(call, &device));
    return commit_both(call, device, json_deep_copy(device->json), false);
}

enum kms_error iam_mfa_resync(struct iam_call *call)
{
    AUTO_RECORD *device = NULL;
    struct view_changes changes = {.count = 0};
    KMS_TRY(find_of_user(call, &device));
    json_t *fresh = json_deep_copy(device->json);
    enum kms_error error = iam_mfa_synchronise(call, device, fresh);
    if (error != KMS_OK) {
        json_decref(fresh);
        return error;
    }
    KMS_TRY(iam_call_add(&changes, device->key, device->version, fresh));
    return iam_call_commit(call, &changes);
}

/* ---- lists */

enum kms_error iam_mfa_list(struct iam_call *call)
{
    struct iam_page page;
    const struct iam_principal *user = NULL;
    static const struct iam_names none;
    if (call->name[0] != '\0')
        KMS_TRY(iam_call_principal(call, &user));
    KMS_TRY(iam_page_open(call, &page));
    const struct iam_names *devices = user == NULL ? &none : &user->devices;
    iam_xml_open(&call->xml, "MFADevices");
    for (size_t i = 0; i < devices->count; i++) {
        AUTO_RECORD *record =
            iam_find(call->kms->view, call->identity.account, IAM_MFA, devices->items[i]);
        const struct iam_mfa *device = iam_mfa_of(record);
        if (device == NULL || !iam_page_takes_number(&page, i))
            continue;
        iam_xml_open(&call->xml, "member");
        iam_xml_text(&call->xml, "UserName", call->name);
        iam_xml_text(&call->xml, "SerialNumber", device->head.arn);
        iam_xml_time(&call->xml, "EnableDate", device->enabled_ms);
        iam_xml_close(&call->xml, "member");
    }
    iam_xml_close(&call->xml, "MFADevices");
    iam_page_close(call, &page);
    return KMS_OK;
}

/* The devices of a page: they are written when the view is no longer locked. */
struct walk {
    struct iam_page *page;
    bool wants_given, wants_free;
    struct record **list;
    size_t count;
};

static bool visit_device(void *context, struct record *record)
{
    struct walk *walk = context;
    const struct iam_mfa *device = iam_mfa_of(record);
    if (device == NULL || !(device->enabled_ms != 0 ? walk->wants_given : walk->wants_free))
        return true;
    if (!iam_page_takes(walk->page, record->key))
        return !walk->page->is_truncated;
    walk->list[walk->count++] = record_ref(record);
    return true;
}

struct owner_search {
    const char *device;
    struct record *found;
};

static bool is_owner(void *context, struct record *record)
{
    struct owner_search *search = context;
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    if (user == NULL || !iam_names_has(&user->devices, search->device))
        return true;
    search->found = record_ref(record);
    return false;
}

static void write_owner(struct iam_call *call, const struct iam_mfa *device)
{
    char prefix[129];
    struct owner_search search = {.device = device->head.name};
    iam_path(call->identity.account, IAM_USER, "", prefix);
    view_each(call->kms->view, prefix, "", is_owner, &search);
    AUTO_RECORD *owner = search.found;
    if (owner == NULL)
        return;
    iam_xml_open(&call->xml, "User");
    iam_write_user(call, owner);
    iam_xml_close(&call->xml, "User");
    iam_xml_time(&call->xml, "EnableDate", device->enabled_ms);
}

static void write_virtual(struct iam_call *call, const struct walk *walk)
{
    iam_xml_open(&call->xml, "VirtualMFADevices");
    for (size_t i = 0; i < walk->count; i++) {
        const struct iam_mfa *device = iam_mfa_of(walk->list[i]);
        iam_xml_open(&call->xml, "member");
        iam_xml_text(&call->xml, "SerialNumber", device->head.arn);
        if (device->enabled_ms != 0)
            write_owner(call, device);
        iam_xml_close(&call->xml, "member");
        record_unref(walk->list[i]);
    }
    iam_xml_close(&call->xml, "VirtualMFADevices");
}

enum kms_error iam_mfa_list_virtual(struct iam_call *call)
{
    struct iam_page page;
    char prefix[129];
    const char *status = iam_call_get(call, "AssignmentStatus");
    bool is_any = status == NULL || strcmp(status, "Any") == 0;
    struct walk walk = {.page = &page,
                        .wants_given = is_any || strcmp(status, "Assigned") == 0,
                        .wants_free = is_any || strcmp(status, "Unassigned") == 0};
    KMS_TRY(iam_page_open(call, &page));
    if (!walk.wants_given && !walk.wants_free)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value '%.64s' at 'assignmentStatus' failed "
                        "to satisfy constraint: Member must satisfy enum value set: [Unassigned, "
                        "Any, Assigned]",
                        status);
    walk.list = calloc(page.limit, sizeof *walk.list);
    if (walk.list == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    iam_path(call->identity.account, IAM_MFA, "", prefix);
    view_each(call->kms->view, prefix, page.after, visit_device, &walk);
    write_virtual(call, &walk);
    free(walk.list);
    iam_page_close(call, &page);
    return KMS_OK;
}
