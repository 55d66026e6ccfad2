/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of requests.c's table: from protobuf to token/hsm.h and back. Rights and login were
 * checked by the table. */
#ifndef QHSM_CLUSTER_HANDLERS_H
#define QHSM_CLUSTER_HANDLERS_H

#include "cluster/call.h"

/* handlers_token.c */
enum rc handlers_token_hello(struct call *call);
enum rc handlers_token_slots(struct call *call);
enum rc handlers_token_init(struct call *call);
enum rc handlers_token_init_reply(struct call *call);
enum rc handlers_token_init_pin(struct call *call);
enum rc handlers_token_set_pin(struct call *call);
enum rc handlers_token_login(struct call *call);
enum rc handlers_token_login_reply(struct call *call);
enum rc handlers_token_logout(struct call *call);

/* handlers_object.c */
enum rc handlers_object_create(struct call *call);
enum rc handlers_object_copy(struct call *call);
enum rc handlers_object_destroy(struct call *call);
enum rc handlers_object_set(struct call *call);
enum rc handlers_object_set_reply(struct call *call);
enum rc handlers_object_get(struct call *call);
enum rc handlers_object_find(struct call *call);
enum rc handlers_object_facts(struct call *call);
enum rc handlers_object_restore(struct call *call);
/* ObjectReply of the mutation's handles. */
enum rc handlers_object_reply(struct call *call);

/* handlers_key.c */
enum rc handlers_key_generate(struct call *call);
enum rc handlers_key_generate_pair(struct call *call);
enum rc handlers_key_wrap(struct call *call);
enum rc handlers_key_unwrap(struct call *call);
enum rc handlers_key_derive(struct call *call);

/* handlers_crypt.c */
enum rc handlers_crypt_once(struct call *call);
enum rc handlers_crypt_begin(struct call *call);
enum rc handlers_crypt_update(struct call *call);
enum rc handlers_crypt_final(struct call *call);
enum rc handlers_crypt_abort(struct call *call);
enum rc handlers_crypt_random(struct call *call);
enum rc handlers_crypt_seed(struct call *call);

/* handlers_admin.c */
enum rc handlers_admin_user_list(struct call *call);
enum rc handlers_admin_user_create(struct call *call);
enum rc handlers_admin_user_change(struct call *call);
enum rc handlers_admin_status(struct call *call);

/* handlers_policy.c */
enum rc handlers_policy_get(struct call *call);
enum rc handlers_policy_set(struct call *call);
enum rc handlers_policy_set_reply(struct call *call);

/* ProtobufCBinaryData as bytes. */
static inline struct bytes handlers_bytes(ProtobufCBinaryData data)
{
    return (struct bytes){.ptr = data.data, .len = data.len};
}
/* And back, for a reply that is packed before the owner goes. */
static inline ProtobufCBinaryData handlers_data(struct bytes b)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } ptr = {.in = b.ptr};
    return (ProtobufCBinaryData){.data = ptr.out, .len = b.len};
}
/* protobuf-c has no const strings. */
static inline char *handlers_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } ptr = {.in = text};
    return ptr.out;
}

#endif
