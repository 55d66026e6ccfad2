/* SPDX-License-Identifier: Apache-2.0 */
/* The stored form of an object: {u8 format, u64 version, u64 token, u64 owner, unique id, varint
 * count, count times {varint type, varint len, value} by ascending type, varint len, sealed}. */
#ifndef QHSM_TOKEN_OBJECT_RECORD_H
#define QHSM_TOKEN_OBJECT_RECORD_H

#include "token/object.h"

struct object_record {
    uint64_t version;
    uint64_t token;
    uint64_t owner;
    uint8_t unique_id[UNIQUE_ID_LEN];
    size_t attr_count;
};

/* The head and the count of attributes of a well-formed record. RC_TAMPERED. */
enum rc object_record_check(struct bytes record, struct object_record *out);
/* Views into a checked record: `attrs` has room for its attr_count. */
void object_record_views(struct bytes record, struct attr *attrs, struct bytes *out_sealed);
/* Modulus, field or secret bits; 0 when no key, or of an unknown kind. */
uint32_t object_size_bits(const struct object *object);

#endif
