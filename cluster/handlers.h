/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of requests.c's table: from protobuf to token/hsm.h and back. Rights and login were
 * checked by the table. */
#ifndef QHSM_CLUSTER_HANDLERS_H
#define QHSM_CLUSTER_HANDLERS_H

#include "cluster/call.h"

/* The answer rests on what this HSM has applied so far: its client is to find the same on every
 * other one. After the state was read. */
static inline void handlers_note_index(struct call *call)
{
    uint64_t applied = state_applied(call->service->hsm->state);
    if (call->applied_index < applied)
        call->applied_index = applied;
}

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
/* DataReply of what the call owns. */
void handlers_crypt_reply(struct call *call, struct bytes data);
/* RC_TOO_LARGE. */
enum rc handlers_crypt_check_data(ProtobufCBinaryData data);
enum rc handlers_crypt_random_bytes(struct call *call, uint32_t len);

/* handlers_admin.c */
enum rc handlers_admin_user_list(struct call *call);
enum rc handlers_admin_user_create(struct call *call);
enum rc handlers_admin_user_change(struct call *call);
enum rc handlers_admin_status(struct call *call);

/* handlers_policy.c */
enum rc handlers_policy_get(struct call *call);
enum rc handlers_policy_set(struct call *call);
enum rc handlers_policy_set_reply(struct call *call);

/* handlers_cluster.c */
enum rc handlers_cluster_init(struct call *call);
enum rc handlers_cluster_status(struct call *call);
enum rc handlers_cluster_join_token(struct call *call);
enum rc handlers_cluster_join(struct call *call);
enum rc handlers_cluster_member(struct call *call);
enum rc handlers_cluster_certificate(struct call *call);

/* handlers_peer.c */
enum rc handlers_peer_propose(struct call *call);
enum rc handlers_peer_propose_reply(struct call *call);
enum rc handlers_peer_read_index(struct call *call);
enum rc handlers_peer_read_index_reply(struct call *call);

/* handlers_peer_position.c */
enum rc handlers_peer_position(struct call *call);

/* handlers_backup.c */
enum rc handlers_backup_create(struct call *call);
enum rc handlers_backup_list(struct call *call);
enum rc handlers_backup_verify(struct call *call);
enum rc handlers_backup_restore(struct call *call);
enum rc handlers_backup_restore_status(struct call *call);

/* handlers_chaos.c */
enum rc handlers_chaos(struct call *call);

/* handlers_keystore.c */
enum rc handlers_keystore_connect(struct call *call);
enum rc handlers_keystore_connect_reply(struct call *call);
enum rc handlers_keystore_rotate(struct call *call);
enum rc handlers_keystore_health(struct call *call);
/* The token with that label and its crypto user. RC_NOT_FOUND. */
enum rc handlers_keystore_user(const struct state *state, const char *token, const char *user,
                               struct user_row *out);

/* handlers_keystore_key.c */
enum rc handlers_keystore_create(struct call *call);
enum rc handlers_keystore_find(struct call *call);
enum rc handlers_keystore_delete(struct call *call);
enum rc handlers_keystore_import(struct call *call);
/* KeystoreKeyReply of the mutation's last handle. */
enum rc handlers_keystore_key_reply(struct call *call);

/* handlers_keystore_crypt.c */
enum rc handlers_keystore_encrypt(struct call *call);
enum rc handlers_keystore_decrypt(struct call *call);
enum rc handlers_keystore_reencrypt(struct call *call);
enum rc handlers_keystore_sign(struct call *call);
enum rc handlers_keystore_verify(struct call *call);
enum rc handlers_keystore_agree(struct call *call);
enum rc handlers_keystore_random(struct call *call);

/* handlers_keystore_documents.c */
enum rc handlers_keystore_documents(struct call *call);
enum rc handlers_keystore_change(struct call *call);
enum rc handlers_keystore_release(struct call *call);
enum rc handlers_keystore_release_reply(struct call *call);

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
