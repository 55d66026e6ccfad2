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
    struct bytes attrs;  /* as they are encoded, without their count */
    struct bytes sealed; /* empty when there is none */
};

/* The parts of a well-formed record, views into it. RC_TAMPERED. */
enum rc object_record_check(struct bytes record, struct object_record *out);
/* The next of the attributes of a checked record; false at their end. */
bool object_record_next(struct reader *attrs, struct attr *out);
/* Modulus, field or secret bits; 0 when no key, or of an unknown kind. */
uint32_t object_size_bits(const struct object *object);

#endif
