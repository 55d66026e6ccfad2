/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-Region keys: one document a region with the same id, the materials of one backing key. The
 * primary's rotation and materials are copied into the replicas' documents by the change that
 * changes the primary, so that no region ever lags. */
#ifndef QHSM_KMS_REPLICA_H
#define QHSM_KMS_REPLICA_H

#include "kms/request.h"

/* The primary and its replicas change in one compare-and-swap. */
#define REPLICA_REGIONS_MAX VIEW_CHANGES_MAX

/* A multi-Region key that is not its primary: rotation and import of new material are refused
 * with replica_refuse_rotation() or its own text. */
static inline bool replica_is(const struct key *key)
{
    return key->multi_region && strcmp(key->region, key->primary_region) != 0;
}
/* The other documents of the key: own references in list[], their number. */
size_t replica_others(struct view *view, const struct key *key,
                      struct record *list[REPLICA_REGIONS_MAX]);
void replica_release(struct record *list[REPLICA_REGIONS_MAX], size_t count);
/* ScheduleKeyDeletion of a primary: with replicas it only waits for them (key->waits_for_replicas,
 * deletion_window_days), without deletion_ms. */
bool replica_has_replicas(struct view *view, const struct key *key);
/* Nobody else holds the backing keys of `key`, so that its deletion may delete them. */
bool replica_is_last(struct view *view, const struct key *key);
/* The document of a replica was removed: a primary that waits for its last replica gets its date of
 * deletion. */
enum rc replica_gone(struct kms *kms, const struct key *replica, uint64_t now_ms);
/* For key_commit(): when `primary` is one, adds a change for each replica that differs from it in
 * what they share. */
enum rc replica_follow(struct view *view, const struct key *primary, struct view_changes *changes);

/* The same for one replica. */
enum rc replica_add_change(const struct key *primary, const struct record *replica,
                           struct view_changes *changes);

#endif
