/* SPDX-License-Identifier: Apache-2.0 */
/* Session objects: in the memory of this HSM, owned by an application; the client holds each
 * sealed, for another HSM. */
#ifndef QHSM_TOKEN_SESSION_OBJECTS_H
#define QHSM_TOKEN_SESSION_OBJECTS_H

#include "token/object.h"
#include "token/state.h"

struct session_objects;
/* limits: objects per application and in all. */
enum rc session_objects_new(const struct seal_keys *keys, uint64_t node, size_t per_application,
                            size_t total, struct session_objects **out);
void session_objects_free(struct session_objects *all);
/* Adds a record (object_build) and gives its handle and the sealed form. RC_LIMIT. */
enum rc session_objects_add(struct session_objects *all, const uint8_t application[16],
                            struct bytes record, uint64_t *out_handle, struct buf *out_sealed);
/* Takes a sealed form back under its handle; only that application's. Idempotent. RC_TAMPERED. */
enum rc session_objects_restore(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle, struct bytes sealed);
/* New reference, or NULL when this application has none of that handle here. */
struct object *session_objects_get(struct session_objects *all, const uint8_t application[16],
                                   uint64_t handle);
enum rc session_objects_replace(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle, struct bytes record, struct buf *out_sealed);
enum rc session_objects_destroy(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle);
enum rc session_objects_find(struct session_objects *all, const uint8_t application[16],
                             uint64_t token, struct attrs wanted, bool see_private, uint64_t after,
                             state_visit visit, void *context);
/* Connections of an application come and go; the objects stay `grace_ms` after the last one left.
 */
void session_objects_attach(struct session_objects *all, const uint8_t application[16]);
void session_objects_detach(struct session_objects *all, const uint8_t application[16],
                            uint64_t now_ms);
void session_objects_expire(struct session_objects *all, uint64_t now_ms, uint64_t grace_ms);
/* C_Logout: private session objects of that token go. */
void session_objects_drop_private(struct session_objects *all, const uint8_t application[16],
                                  uint64_t token);
size_t session_objects_count(const struct session_objects *all);

#endif
