/* SPDX-License-Identifier: Apache-2.0 */
/* A backup's state into a new cluster, through that cluster's log: effect after effect that puts
 * rows back as they were, with their numbers, handles, versions and PINs. Everything sealed is
 * sealed anew for the new cluster. */
#ifndef QHSM_TOKEN_RESTORE_H
#define QHSM_TOKEN_RESTORE_H

#include "token/state.h"

/* PINs stay valid although their verifiers hang on the old cluster's pepper: the first effect
 * brings that pepper along, sealed for the new cluster, as a document (DOCUMENT_ORIGIN) which
 * user.h reads. Nothing has to be kept beside the state, and joiners get it with the state. Not
 * restored: answered request ids (nobody repeats a request of one cluster at another), and
 * documents but those of the named spaces: authority, members and join tokens are of one cluster.
 */
struct restore;

/* `source`: a state made by state_new() with the keys of the backup's cluster and filled by
 * state_restore(); it stays as it is until restore_free(). `target`: keys of the new cluster.
 * `spaces`: 1 << space for each space of documents that comes along as it is; 0: none. One thread
 * at a time; no locks. RC_NO_MEMORY, RC_RANDOM. */
enum rc restore_new(const struct state *source, const struct seal_keys *target, unsigned spaces,
                    struct restore **out);
void restore_free(struct restore *restore);

/* Appends the next effect, at most about 200 KiB, to an empty `out`; *out_last: it ends the
 * restore. Propose each after the one before was applied with RC_OK; an effect whose outcome is
 * unknown may be proposed again as it is. RC_TAMPERED: an object of the backup fails its seal.
 * Their results: RC_EXISTS: the cluster has tokens already, or another restore is under way;
 * RC_CONFLICT: a part is missing, or rows contradict each other. A restore that failed cannot be
 * taken up again: begin with another new cluster. Until the last effect is applied, the state
 * refuses all other changes but those of documents (RC_RESTORING). */
enum rc restore_next(struct restore *restore, uint64_t time_ms, struct buf *out, bool *out_last);

struct restore_progress {
    uint64_t rows_done; /* in the effects given so far */
    uint64_t rows;
};
struct restore_progress restore_progress(const struct restore *restore);

/* Is this state being filled by a restore whose last effect was not applied yet? Any thread. */
bool restore_is_under_way(const struct state *state);

#endif
