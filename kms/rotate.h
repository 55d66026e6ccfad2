/* SPDX-License-Identifier: Apache-2.0 */
/* A new current material for a key: on demand, and by the chores when it is due. What may be
 * rotated is the caller's to check. */
#ifndef QHSM_KMS_ROTATE_H
#define QHSM_KMS_ROTATE_H

#include "kms/request.h"

/* Makes the material in the HSM (an imported key: its pending one becomes current), commits, and
 * leaves the service event RotateKey in the trail. Of `request` kms, region and now_ms are looked
 * at. When somebody else changed the key meanwhile it takes back what it made and says
 * request_again(). KMS_INVALID_STATE: an imported key without pending material. */
enum kms_error key_rotate(struct kms_request *request, const struct record *record,
                          bool is_on_demand);

/* A service event (RotateKey, DeleteKey) about a key; `details` of serviceEventDetails, its
 * reference is taken, NULL is fine. */
void key_service_event(struct kms *kms, const char *name, const struct record *record,
                       json_t *details);

#endif
