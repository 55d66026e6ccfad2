/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the command line for keys: kinds to generate, names of classes and types, values as
 * text. */
#ifndef QHSM_TOOLS_KEY_KINDS_H
#define QHSM_TOOLS_KEY_KINDS_H

#include "common/attribute.h"
#include "common/mechanism.h"

struct key_kind {
    const struct mechanism *mechanism; /* that generates it */
    bool is_pair;
    struct bytes params;         /* CKA_EC_PARAMS, DER; static; empty: */
    CK_ATTRIBUTE_TYPE size_type; /* CKA_MODULUS_BITS, CKA_VALUE_LEN or CKA_PARAMETER_SET */
    uint8_t size[8];             /* its canonical CK_ULONG */
};

/* "rsa:3072", "ec:P-256", "ed25519", "aes:256" ... RC_BAD_ARGUMENT names what is known. */
enum rc key_kind_parse(const char *text, struct key_kind *out);
/* The attributes that the kind needs; views into kind. */
enum rc key_kind_attributes(const struct key_kind *kind, struct attr_list *list);
const char *key_class_name(CK_OBJECT_CLASS object_class);
const char *key_type_name(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type);
/* Canonical value for people; info NULL: hex. */
enum rc key_attribute_text(const struct attr_info *info, struct bytes value, struct buf *out);

#endif
