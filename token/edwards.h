/* SPDX-License-Identifier: Apache-2.0 */
/* Points of edwards25519 and edwards448 (RFC 8032 5.1, 5.2), for the EdDSA instances that libcrypto
 * does not offer. Scalar multiplication takes the same time for every scalar. */
#ifndef QHSM_TOKEN_EDWARDS_H
#define QHSM_TOKEN_EDWARDS_H

#include "token/modulus.h"

#define EDWARDS_LEN_MAX 57U

struct edwards_point {
    struct limbs x, y, z;
};

struct edwards {
    size_t len; /* of an encoded point and scalar, bytes */
    struct modulus field;
    struct modulus order;
    struct limbs a, d; /* a x^2 + y^2 = 1 + d x^2 y^2 */
    struct edwards_point base;
    bool is_448;
};

void edwards_init(struct edwards *curve, bool is_448);
void edwards_add(const struct edwards *curve, const struct edwards_point *p,
                 const struct edwards_point *q, struct edwards_point *out);
void edwards_negate(const struct edwards *curve, struct edwards_point *p);
/* scalar: a plain number, not necessarily below the order. */
void edwards_mul(const struct edwards *curve, const struct limbs *scalar,
                 const struct edwards_point *p, struct edwards_point *out);
void edwards_encode(const struct edwards *curve, const struct edwards_point *p, uint8_t *out);
/* False when the bytes are no point. */
bool edwards_decode(const struct edwards *curve, struct bytes encoded, struct edwards_point *out);

#endif
