/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on objects. Mutations carry a sequence, so that a repeated request is done once. */
#ifndef QHSM_P11_OBJECT_REMOTE_H
#define QHSM_P11_OBJECT_REMOTE_H

#include "p11/remote.h"

enum rc object_remote_create(struct call *call, struct attrs wanted, CK_OBJECT_HANDLE *out);
enum rc object_remote_copy(struct call *call, CK_OBJECT_HANDLE source, struct attrs wanted,
                           CK_OBJECT_HANDLE *out);
enum rc object_remote_destroy(struct call *call, CK_OBJECT_HANDLE handle);
/* Of a session object that ends: only the HSM that holds it is told, and not waited for. */
enum rc object_remote_forget(struct call *call, CK_OBJECT_HANDLE handle);
enum rc object_remote_set(struct call *call, CK_OBJECT_HANDLE handle, struct attrs wanted);
/* `types` empty: all that are public. */
enum rc object_remote_get(struct call *call, CK_OBJECT_HANDLE handle, uint64_t *types, size_t count,
                          struct remote_reply *out);

/* A template as protobuf wants it; views into the attributes given. */
struct object_template {
    Qhsm__Attribute storage[ATTRS_MAX];
    Qhsm__Attribute *pointers[ATTRS_MAX];
    size_t count;
};
void object_template_of(struct attrs attrs, struct object_template *out);

/* CKA_TOKEN of the template, or `otherwise`. */
bool object_is_token(struct attrs wanted, bool otherwise);
/* A read-only session may not make or change token objects (PKCS#11 3.1 5.6.7). */
enum rc object_check_writable(const struct call *call, struct attrs wanted);

#endif
