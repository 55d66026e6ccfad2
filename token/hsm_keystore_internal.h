/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of hsm_keystore*.c: how a spec's keys are generated. */
#ifndef QHSM_TOKEN_HSM_KEYSTORE_INTERNAL_H
#define QHSM_TOKEN_HSM_KEYSTORE_INTERNAL_H

#include "token/hsm_keystore.h"
#include "token/key.h"

/* DER of a curve's PrintableString, at most. */
#define KEYSTORE_CURVE_MAX 32U

/* Class and type of the key that is used: secret or private. */
CK_OBJECT_CLASS hsm_keystore_class(const struct keystore_spec_row *spec);
CK_KEY_TYPE hsm_keystore_type(const struct keystore_spec_row *spec);
/* CKA_EC_PARAMS by the curve's OID; empty for specs without. */
enum rc hsm_keystore_params(const struct keystore_spec_row *spec, struct bytes *out);
/* Its generation. */
enum rc hsm_keystore_generator(const struct keystore_spec_row *spec, struct mech_call *out);
/* Is the key of that spec? */
bool hsm_keystore_is_spec(const struct keystore_spec_row *spec, const struct key *key);

/* The object (new reference), of the caller's token: what is public elsewhere is none of its keys.
 * RC_OBJECT_HANDLE. */
enum rc hsm_keystore_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            struct object **out);

/* A key from what a mechanism or an import gave. */
enum rc hsm_keystore_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type,
                           const struct material *material, struct key **out);

#endif
