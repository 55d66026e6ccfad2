/* SPDX-License-Identifier: Apache-2.0 */
/* The little DER (X.690) that keys need: strict reader with views, writer into a secret. */
#ifndef QHSM_TOKEN_KEY_DER_H
#define QHSM_TOKEN_KEY_DER_H

#include "common/secret.h"

enum {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_PRINTABLE_STRING = 0x13,
    DER_SEQUENCE = 0x30,
    DER_CONTEXT_0 = 0xA0, /* constructed */
    DER_CONTEXT_1 = 0xA1,
    DER_IMPLICIT_0 = 0x80, /* primitive */
    DER_IMPLICIT_1 = 0x81,
};

/* Takes one value of that tag from the front. False, and nothing moved, when it is not there, not
 * minimal or cut short. */
bool key_der_get(struct bytes *rest, uint8_t tag, struct bytes *out);
/* A non-negative INTEGER, without its leading zero. */
bool key_der_get_uint(struct bytes *rest, struct bytes *out);

/* Appends. RC_NO_MEMORY, RC_TOO_LARGE. */
enum rc key_der_put(struct secret *out, uint8_t tag, struct bytes content);
/* Big-endian, leading zeros welcome. */
enum rc key_der_put_uint(struct secret *out, struct bytes number);

/* Without leading zeros; a zero is empty. */
struct bytes key_der_trim(struct bytes number);

#endif
