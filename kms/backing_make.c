/* SPDX-License-Identifier: Apache-2.0 */
/* Backing keys made and deleted. */
#include <stdio.h>
#include <sys/random.h>

#include "common/log.h"
#include "kms/backing.h"
#include "kms/backing_place.h"
#include "kms/hash.h"

static enum rc try_delete(void *context, struct hsm_client *hsm, uint64_t handle)
{
    (void)context;
    return hsm_delete(hsm, handle);
}

static void material_of(const struct kms_request *request, const struct key *key,
                        const struct hsm_key *made, struct key_material *out)
{
    *out = (struct key_material){
        .handle = made->handle, .created_ms = request->now_ms, .is_present = true};
    memcpy(out->hsm_id, made->id, sizeof out->hsm_id);
    memcpy(out->fingerprint, made->material, sizeof out->fingerprint);
    /* AWS names the materials of symmetric keys that are not in a custom key store. */
    if (key->spec == KEYSTORE_SPEC_AES_256 && key->store_id[0] == 0)
        hash_hex(bytes_of(made->material, sizeof made->material), out->id);
}

static enum rc put(const struct kms_request *request, const struct hsm_key *made, struct key *key)
{
    struct key_material material;
    material_of(request, key, made, &material);
    buf_clear(&key->public_der);
    key->public_der.max = BUF_MAX_DEFAULT;
    TRY(buf_append(&key->public_der, buf_bytes(&made->public_der)));
    return key_put_material(key, &material, true);
}

static enum rc make(const struct kms_request *request, const struct backing_place *place,
                    struct key *key)
{
    uint8_t id[HSM_ID_LEN];
    struct hsm_key made = {.handle = 0};
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return rc_fail(RC_RANDOM, "the kernel gave no random bytes");
    TRY(hsm_create(place->hsm, key->spec, key->use, key->id, id, &made));
    memcpy(made.id, id, sizeof id);
    enum rc rc = put(request, &made, key);
    if (rc != RC_OK && hsm_delete(place->hsm, made.handle) != RC_OK)
        log_warn("backing_key_left", "key=%s handle=%llu", key->id,
                 (unsigned long long)made.handle);
    hsm_key_clear(&made);
    return rc;
}

enum kms_error backing_create(struct kms_request *request, struct key *key)
{
    AUTO_PLACE place = {.kms = NULL};
    if (key->origin == ORIGIN_EXTERNAL)
        return KMS_OK; /* its material is imported */
    KMS_TRY(backing_place_open(request->kms, NULL, key, &place));
    return backing_place_fail(&place, make(request, &place, key));
}

/* In our own cluster by its number alone: material that was imported again has the same id. */
static enum rc delete_at(const struct backing_place *place, const struct key_material *material)
{
    return place->is_foreign ? backing_place_use(place, material, try_delete, NULL)
                             : hsm_delete(place->hsm, material->handle);
}

static enum rc left(const struct key *key, const struct key_material *material, enum rc rc)
{
    log_warn("backing_key_left", "key=%s handle=%llu error=%s detail=\"%s\"", key->arn,
             (unsigned long long)material->handle, rc_info(rc)->name, rc_detail());
    return rc;
}

enum rc backing_remove(struct kms *kms, const struct key *key, const struct key_material *material)
{
    AUTO_PLACE place = {.kms = NULL};
    if (backing_place_open(kms, NULL, key, &place) != KMS_OK) {
        log_warn("backing_key_left", "key=%s handle=%llu error=\"%s\"", key->arn,
                 (unsigned long long)material->handle, kms_error_text());
        return RC_OK; /* only a custom key store's cluster is not to be had */
    }
    enum rc rc = delete_at(&place, material);
    if (rc == RC_OK)
        log_info("backing_key_deleted", "key=%s handle=%llu", key->arn,
                 (unsigned long long)material->handle);
    else if (!backing_place_is_missing(rc))
        rc = left(key, material, rc);
    return backing_place_is_missing(rc) || place.is_foreign ? RC_OK : rc;
}

void backing_delete(struct kms *kms, const struct key *key, const struct key_material *material)
{
    (void)backing_remove(kms, key, material); /* which logs what is left */
}
