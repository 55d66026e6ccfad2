/* SPDX-License-Identifier: Apache-2.0 */
/* Places of material: KMS's own cluster, or that of a custom key store. */
#include "kms/backing_place.h"

#include <stdio.h>

#include "kms/backing.h"
#include "kms/store.h"

static _Thread_local bool is_stale;

bool backing_is_stale(void)
{
    return is_stale;
}

void backing_begin(void)
{
    is_stale = false;
}

static enum kms_error find_store(struct kms *kms, const struct key *key, struct record **out)
{
    char path[129];
    (void)snprintf(path, sizeof path, "store/%s/%s/%s", key->region, key->account, key->store_id);
    *out = view_get(kms->view, path);
    return *out != NULL ? KMS_OK
                        : kms_fail(KMS_INVALID_STATE, "%s: custom key store %s does not exist.",
                                   key->arn, key->store_id);
}

/* Another cluster cannot tell whether our documents have changed: ours is asked first. */
static enum kms_error confirm(const struct kms_request *request, struct backing_place *place)
{
    enum rc rc = view_confirm(place->kms->view, request->view);
    if (rc == RC_OK)
        return KMS_OK;
    is_stale = rc == RC_VIEW_OLD;
    return is_stale ? kms_fail_plain(KMS_INTERNAL) : kms_from_rc(rc);
}

enum kms_error backing_place_open(struct kms *kms, const struct kms_request *request,
                                  const struct key *key, struct backing_place *out)
{
    *out = (struct backing_place){
        .kms = kms, .key = key, .hsm = kms->hsm, .view = request == NULL ? 0 : request->view};
    if (key->origin == ORIGIN_AWS_KMS || key->origin == ORIGIN_EXTERNAL)
        return KMS_OK;
    KMS_TRY(find_store(kms, key, &out->store));
    if (key->origin != ORIGIN_AWS_CLOUDHSM)
        return KMS_OK; /* an external key store: what is ours of it is in our own cluster */
    out->is_foreign = true;
    out->view = 0;
    out->hsm = NULL;
    if (request != NULL)
        KMS_TRY(confirm(request, out));
    return stores_hsm(kms->stores, out->store, &out->hsm);
}

void backing_place_close(struct backing_place *place)
{
    if (place->is_foreign && place->hsm != NULL)
        stores_hsm_done(place->kms->stores, place->hsm);
    record_unref(place->store);
    *place = (struct backing_place){.kms = NULL};
}

bool backing_place_is_missing(enum rc rc)
{
    return rc == RC_OBJECT_HANDLE || rc == RC_KEY_HANDLE || rc == RC_WRAPPING_KEY_HANDLE ||
           rc == RC_UNWRAPPING_KEY_HANDLE;
}

enum rc backing_place_handle(const struct backing_place *place, const struct key_material *material,
                             uint64_t *out)
{
    struct backing_handles *handles = place->kms->handles;
    uint64_t known = backing_handles_get(handles, place->hsm, material->hsm_id);
    if (known == 0 && !place->is_foreign)
        known = material->handle;
    if (known == 0)
        return backing_handles_find(handles, place->hsm, place->key->id, material->hsm_id, out);
    *out = known;
    return RC_OK;
}

enum rc backing_place_use(const struct backing_place *place, const struct key_material *material,
                          backing_attempt attempt, void *context)
{
    uint64_t handle = 0;
    TRY(backing_place_handle(place, material, &handle));
    enum rc rc = attempt(context, place->hsm, handle);
    if (!backing_place_is_missing(rc))
        return rc;
    TRY(backing_handles_find(place->kms->handles, place->hsm, place->key->id, material->hsm_id,
                             &handle));
    return attempt(context, place->hsm, handle);
}

static enum kms_error missing(const struct backing_place *place)
{
    if (place->store != NULL)
        return kms_fail(KMS_INVALID_STATE,
                        "%s is unavailable: its key material was not found in the cluster of its "
                        "custom key store.",
                        place->key->arn);
    return kms_fail(KMS_KEY_UNAVAILABLE, "%s is unavailable.", place->key->arn);
}

enum kms_error backing_place_fail(const struct backing_place *place, enum rc rc)
{
    if (backing_place_is_missing(rc))
        return missing(place);
    switch ((int)rc) {
    case RC_OK:
        return KMS_OK;
    case RC_VIEW_OLD:
        is_stale = true;
        return kms_fail_plain(KMS_INTERNAL);
    case RC_ENCRYPTED_DATA:
    case RC_ENCRYPTED_DATA_LEN:
    case RC_AEAD_FAILED:
        return kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    case RC_PUBLIC_KEY:
        return kms_fail(KMS_VALIDATION, "The public key is not valid for the key %s.",
                        place->key->arn);
    default:
        return place->is_foreign ? stores_from_rc(place->store, rc) : kms_from_rc(rc);
    }
}
