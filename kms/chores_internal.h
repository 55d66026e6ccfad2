/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the chores share. Each chore looks at the view and does what is due, once; what
 * fails is due again the next time. */
#ifndef QHSM_KMS_CHORES_INTERNAL_H
#define QHSM_KMS_CHORES_INTERNAL_H

#include "kms/chores.h"
#include "kms/request.h"

#define CHORES_DUE_MAX 64U

/* Records that something is to be done about; own references. */
struct chores_due {
    struct record *list[CHORES_DUE_MAX];
    size_t count;
};
/* False when there is no more room: of a view_visit. */
bool chores_due_add(struct chores_due *due, struct record *record);
void chores_due_clear(struct chores_due *due);
#define AUTO_DUE __attribute__((cleanup(chores_due_clear))) struct chores_due

/* Keys whose window has passed, and what is left of keys that were deleted (kms/chores_delete.c).
 */
void chores_delete_keys(struct kms *kms, uint64_t now_ms);
/* Imported material that has expired, and rotations (kms/chores_material.c). `request` is an empty
 * one, to be used on nobody's behalf. */
void chores_expire(struct kms *kms, uint64_t now_ms);
void chores_rotate(struct kms_request *request);
/* Wrapping keys of imports that nobody finished. */
void chores_drop_wrapping_keys(struct kms *kms, uint64_t now_ms);
/* Last uses into documents (kms/chores_used.c). */
void chores_write_used(struct kms *kms);

/* Of kms/view_kinds.c: "doomed/REGION/ID", a key's document when its window has passed, until its
 * backing keys, aliases and grants are gone too. */
#define CHORES_DOOMED "doomed/"
enum rc chores_doomed_decode(const char *path, const json_t *value, void **out);

#endif
