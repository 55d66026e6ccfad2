/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of AWS KMS's API, one function each, named in the table of kms/operations.c. Each
 * finds its members checked, its key found, its caller's rights, the key's state and usage, and the
 * quota checked by the pipeline; it fills request->out. */
#ifndef QHSM_KMS_OPERATIONS_H
#define QHSM_KMS_OPERATIONS_H

#include "kms/request.h"

#define OPERATION_COUNT 54U

/* Cryptography (op_crypt*.c, op_sign*.c) */
enum kms_error op_encrypt(struct kms_request *request);
enum kms_error op_decrypt(struct kms_request *request);
enum kms_error op_re_encrypt(struct kms_request *request);
enum kms_error op_generate_data_key(struct kms_request *request);
enum kms_error op_generate_data_key_without_plaintext(struct kms_request *request);
enum kms_error op_generate_data_key_pair(struct kms_request *request);
enum kms_error op_generate_data_key_pair_without_plaintext(struct kms_request *request);
enum kms_error op_generate_random(struct kms_request *request);
enum kms_error op_sign(struct kms_request *request);
enum kms_error op_verify(struct kms_request *request);
enum kms_error op_get_public_key(struct kms_request *request);
enum kms_error op_generate_mac(struct kms_request *request);
enum kms_error op_verify_mac(struct kms_request *request);
enum kms_error op_derive_shared_secret(struct kms_request *request);

/* struct operation's find_key: Decrypt, ReEncrypt, RetireGrant */
enum kms_error op_decrypt_find_key(struct kms_request *request);
enum kms_error op_re_encrypt_find_key(struct kms_request *request);
enum kms_error op_retire_grant_find_key(struct kms_request *request);
/* struct operation's rights: kms:ReEncryptFrom and To; with the condition keys of grants */
enum kms_error op_decrypt_rights(struct kms_request *request);
enum kms_error op_re_encrypt_rights(struct kms_request *request);
enum kms_error op_create_grant_rights(struct kms_request *request);
enum kms_error op_retire_grant_rights(struct kms_request *request);
enum kms_error op_replicate_key_rights(struct kms_request *request);
enum kms_error op_update_primary_region_rights(struct kms_request *request);
/* with the tags' right; of alias and of the keys that it has and gets */
enum kms_error op_create_key_rights(struct kms_request *request);
enum kms_error op_create_alias_rights(struct kms_request *request);
enum kms_error op_update_alias_rights(struct kms_request *request);
enum kms_error op_delete_alias_rights(struct kms_request *request);
enum kms_error op_delete_alias_find_key(struct kms_request *request);

/* Keys (op_key*.c) */
enum kms_error op_create_key(struct kms_request *request);
enum kms_error op_describe_key(struct kms_request *request);
enum kms_error op_list_keys(struct kms_request *request);
enum kms_error op_enable_key(struct kms_request *request);
enum kms_error op_disable_key(struct kms_request *request);
enum kms_error op_update_key_description(struct kms_request *request);
enum kms_error op_schedule_key_deletion(struct kms_request *request);
enum kms_error op_cancel_key_deletion(struct kms_request *request);
enum kms_error op_get_key_last_usage(struct kms_request *request);
/* Aliases (op_alias.c) */
enum kms_error op_create_alias(struct kms_request *request);
enum kms_error op_update_alias(struct kms_request *request);
enum kms_error op_delete_alias(struct kms_request *request);
enum kms_error op_list_aliases(struct kms_request *request);
/* Tags (op_tag.c) */
enum kms_error op_tag_resource(struct kms_request *request);
enum kms_error op_untag_resource(struct kms_request *request);
enum kms_error op_list_resource_tags(struct kms_request *request);
/* Key policies (op_policy.c) */
enum kms_error op_get_key_policy(struct kms_request *request);
enum kms_error op_put_key_policy(struct kms_request *request);
enum kms_error op_list_key_policies(struct kms_request *request);
/* Rotation (op_rotation.c) */
enum kms_error op_enable_key_rotation(struct kms_request *request);
enum kms_error op_disable_key_rotation(struct kms_request *request);
enum kms_error op_get_key_rotation_status(struct kms_request *request);
enum kms_error op_rotate_key_on_demand(struct kms_request *request);
enum kms_error op_list_key_rotations(struct kms_request *request);

/* Grants (grant*.c) */
enum kms_error op_create_grant(struct kms_request *request);
enum kms_error op_list_grants(struct kms_request *request);
enum kms_error op_list_retirable_grants(struct kms_request *request);
enum kms_error op_retire_grant(struct kms_request *request);
enum kms_error op_revoke_grant(struct kms_request *request);
/* Import of material */
enum kms_error op_get_parameters_for_import(struct kms_request *request);
enum kms_error op_import_key_material(struct kms_request *request);
enum kms_error op_delete_imported_key_material(struct kms_request *request);
/* Multi-Region keys */
enum kms_error op_replicate_key(struct kms_request *request);
enum kms_error op_update_primary_region(struct kms_request *request);
/* Custom key stores (op_store.c) */
enum kms_error op_create_custom_key_store(struct kms_request *request);
enum kms_error op_connect_custom_key_store(struct kms_request *request);
enum kms_error op_disconnect_custom_key_store(struct kms_request *request);
enum kms_error op_update_custom_key_store(struct kms_request *request);
enum kms_error op_delete_custom_key_store(struct kms_request *request);
enum kms_error op_describe_custom_key_stores(struct kms_request *request);

#endif
