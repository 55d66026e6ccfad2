/* SPDX-License-Identifier: Apache-2.0 */
/* What comes due: deletion of keys, rotation, expiry of imported material, import keys that were
 * not used. Every front end looks; the document's compare-and-swap lets one do it. */
#ifndef QHSM_KMS_CHORES_H
#define QHSM_KMS_CHORES_H

#include "kms/kms.h"

enum rc chores_start(struct kms *kms, struct chores **out);
void chores_stop(struct chores *chores);
/* A key whose window has passed, and whose backing keys, aliases and grants are still going: its
 * name is not free yet. */
bool chores_is_doomed(struct view *view, const char *region, const char *id);

#endif
