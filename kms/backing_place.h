/* SPDX-License-Identifier: Apache-2.0 */
/* Where a key's material is, and how an attempt to use it there is made and judged: what the files
 * of the backing share. */
#ifndef QHSM_KMS_BACKING_PLACE_H
#define QHSM_KMS_BACKING_PLACE_H

#include "kms/backing_handles.h"
#include "kms/request.h"

struct backing_place {
    struct kms *kms;
    const struct key *key;
    struct hsm_client *hsm;
    struct record *store; /* of a custom key store's key; NULL */
    bool is_foreign;      /* another cluster than that of the documents */
    uint64_t view;        /* for that cluster's requests */
};

/* `request` NULL: on nobody's behalf. */
enum kms_error backing_place_open(struct kms *kms, const struct kms_request *request,
                                  const struct key *key, struct backing_place *out);
void backing_place_close(struct backing_place *place);
#define AUTO_PLACE __attribute__((cleanup(backing_place_close))) struct backing_place

/* The handle to begin with; 0 in *out never. */
enum rc backing_place_handle(const struct backing_place *place, const struct key_material *material,
                             uint64_t *out);
/* Uses the material by `attempt`, once more with the handle found again when it is gone. */
typedef enum rc (*backing_attempt)(void *context, struct hsm_client *hsm, uint64_t handle);
enum rc backing_place_use(const struct backing_place *place, const struct key_material *material,
                          backing_attempt attempt, void *context);
bool backing_place_is_missing(enum rc rc);
/* AWS's error. */
enum kms_error backing_place_fail(const struct backing_place *place, enum rc rc);

#endif
