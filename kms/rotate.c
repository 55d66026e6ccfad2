/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation: old materials stay for decryption. */
#include "kms/rotate.h"

#include "kms/audit.h"
#include "kms/backing.h"
#include "kms/import.h"

#define DAY_MS ((uint64_t)24 * 60 * 60 * 1000)

void key_service_event(struct kms *kms, const char *name, const struct record *record,
                       json_t *details)
{
    const struct key *key = key_of(record);
    const struct record *const resources[] = {record};
    const struct audit_event event = {.source = "kms.amazonaws.com",
                                      .name = name,
                                      .region = key->region,
                                      .account = key->account,
                                      .additional = details,
                                      .resources = resources,
                                      .resource_count = 1,
                                      .is_service_event = true};
    audit_record(kms->audit, &event);
    json_decref(details);
}

static json_t *details_of(const struct record *before, const struct key *after, bool is_on_demand)
{
    const struct key *old = key_of(before);
    const char *previous = old->material_count == 0 ? "" : old->materials[0].id;
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "keyId", after->id, "rotationType",
                     is_on_demand ? "ON_DEMAND" : "AUTOMATIC", "keyOrigin",
                     key_origin_name(after->origin), "previousKeyMaterialId", previous,
                     "currentKeyMaterialId", after->materials[0].id);
}

/* The next automatic one counts from when this one was due, unless that was long ago. */
static void note_rotation(struct key *key, uint64_t now_ms, bool is_on_demand)
{
    struct key_rotation *rotation = &key->rotation;
    key->materials[0].on_demand = is_on_demand;
    if (is_on_demand) {
        rotation->on_demand_count++;
        return;
    }
    uint64_t period = (uint64_t)rotation->period_days * DAY_MS;
    rotation->next_ms += period;
    if (rotation->next_ms <= now_ms)
        rotation->next_ms = now_ms + period;
}

static enum kms_error new_material(struct kms_request *request, struct key *key)
{
    if (key->origin != ORIGIN_EXTERNAL)
        return backing_create(request, key);
    if (import_promote(key, request->now_ms))
        return KMS_OK;
    return kms_fail(KMS_INVALID_STATE, "%s has no key material that is pending rotation.",
                    key->arn);
}

static enum kms_error commit(struct kms_request *request, const struct record *record,
                             const struct key *fresh)
{
    enum rc rc = key_commit(request->kms->view, record, fresh);
    bool is_made = fresh->origin != ORIGIN_EXTERNAL;
    if (rc != RC_OK && rc != RC_OUTCOME_UNKNOWN && is_made)
        backing_delete(request->kms, fresh, &fresh->materials[0]);
    return rc == RC_CONFLICT ? request_again(request) : kms_from_rc(rc);
}

static enum kms_error rotate(struct kms_request *request, const struct record *record,
                             struct key *fresh, bool is_on_demand)
{
    KMS_TRY(new_material(request, fresh));
    note_rotation(fresh, request->now_ms, is_on_demand);
    KMS_TRY(commit(request, record, fresh));
    key_service_event(request->kms, "RotateKey", record, details_of(record, fresh, is_on_demand));
    return KMS_OK;
}

enum kms_error key_rotate(struct kms_request *request, const struct record *record,
                          bool is_on_demand)
{
    struct key *fresh = NULL;
    KMS_TRY(kms_from_rc(key_copy(key_of(record), &fresh)));
    enum kms_error error = rotate(request, record, fresh, is_on_demand);
    key_free(fresh);
    return error;
}
