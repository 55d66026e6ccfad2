/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms and templates between their PKCS#11 structs, the wire, and the neutral forms of
 * common/. The one place that knows every parameter struct: a new parameter kind is one row in
 * codec_params.c. */
#ifndef QHSM_RPC_CODEC_H
#define QHSM_RPC_CODEC_H

#include "common/attribute.h"
#include "common/mechanism.h"
#include "common/secret.h"
#include "rpc/qhsm.pb-c.h"

/* A mechanism as the module keeps it from Init to Final: canonical parameter owned. */
struct wire_mechanism {
    const struct mechanism *mech;
    bool has_param;
    struct buf param;
};
void wire_mechanism_clear(struct wire_mechanism *m);

/* From the caller's struct, pointers possibly misaligned (all reads by memcpy). RC_MECHANISM
 * unknown type, RC_MECHANISM_PARAM wrong length or NULL inside, RC_BAD_ARGUMENT for a NULL
 * mechanism. Vendor CKM_CLOUDHSM_AES_GCM too. */
enum rc codec_mechanism_in(const CK_MECHANISM *ck, struct wire_mechanism *out);
/* Fills pb with views into m (valid while m lives). */
void codec_mechanism_pb(const struct wire_mechanism *m, Qhsm__Mechanism *pb);
/* Decodes and checks the shape; views into `param`. Errors as above. */
enum rc codec_mechanism_decode(CK_MECHANISM_TYPE type, bool has_param, struct bytes param,
                               struct mech_call *out);
enum rc codec_mechanism_from_pb(const Qhsm__Mechanism *pb, struct mech_call *out);
/* Same check and view for a mechanism the module holds. */
enum rc codec_mechanism_call(const struct wire_mechanism *m, struct mech_call *out);
/* Writes the IV that the HSM made back into the caller's CK_GCM_PARAMS buffer. RC_MECHANISM_PARAM
 * when it is too small. */
enum rc codec_mechanism_iv_back(const CK_MECHANISM *ck, struct bytes iv);

/* A caller's template: owned canonical copy (secret, since it may hold key values) and the list of
 * views into it. */
struct wire_template {
    struct secret store;
    struct attr_list list;
};
void wire_template_clear(struct wire_template *t);
/* RC_BAD_ARGUMENT for NULL with a count, RC_ATTRIBUTE_VALUE for a wrong length by kind,
 * RC_ATTRIBUTE_TYPE unknown, RC_TEMPLATE_INCONSISTENT for a type twice. */
enum rc codec_template_in(const CK_ATTRIBUTE *ck, CK_ULONG count, struct wire_template *out);
/* For protobuf: arrays in the caller's storage, views into the list. `storage` and `pointers` hold
 * ATTRS_MAX each. */
size_t codec_template_pb(struct attrs attrs, Qhsm__Attribute *storage, Qhsm__Attribute **pointers);
enum rc codec_template_from_pb(Qhsm__Attribute *const *pb, size_t count, struct attr_list *out);

/* One value into the caller's CK_ATTRIBUTE by the rules of C_GetAttributeValue: NULL pValue: length
 * only; too small: length CK_UNAVAILABLE_INFORMATION and RC_BUFFER_TOO_SMALL. Nested templates are
 * filled in place. Stores by memcpy. */
enum rc codec_attribute_out(CK_ATTRIBUTE *ck, struct bytes canonical);

#endif
