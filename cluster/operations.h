/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-part operations in progress, by number; an application's own on any of its connections. */
#ifndef QHSM_CLUSTER_OPERATIONS_H
#define QHSM_CLUSTER_OPERATIONS_H

#include <stdbool.h>

#include "common/rc.h"
#include "token/mech.h"

struct operations;

/* At most per_application for one application, total in all; together they hold at most `held_max`
 * bytes of data back. */
enum rc operations_new(size_t per_application, size_t total, size_t held_max,
                       struct operations **out);
void operations_free(struct operations *all);

/* Takes the operation. RC_LIMIT leaves it with the caller. `of_login`: begun with a login. Any
 * thread, as all below. */
enum rc operations_add(struct operations *all, const uint8_t application[16], bool of_login,
                       struct operation *operation, uint64_t now_ms, uint64_t *out_number);
/* Borrows it, for one thread at a time. RC_OPERATION_LOST: unknown here; RC_OPERATION_ACTIVE: in
 * use by another request. */
enum rc operations_take(struct operations *all, const uint8_t application[16], uint64_t number,
                        struct operation **out);
/* Takes note of what the borrowed operation holds now. RC_LIMIT when all together
 * hold too much: it is to be given up. */
enum rc operations_weigh(struct operations *all, const uint8_t application[16], uint64_t number);
/* Back after a part, or (`keep` false) done with: freed. */
void operations_return(struct operations *all, const uint8_t application[16], uint64_t number,
                       bool keep, uint64_t now_ms);
/* Unknown numbers are fine. */
void operations_abort(struct operations *all, const uint8_t application[16], uint64_t number);
/* Those begun with a login: at logout. */
void operations_drop_logins(struct operations *all, const uint8_t application[16]);
/* Those without a part for idle_ms. */
void operations_expire(struct operations *all, uint64_t now_ms, uint64_t idle_ms);
size_t operations_count(struct operations *all);

#endif
