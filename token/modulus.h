/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic modulo an odd number of at most 448 bits, in time that does not depend on the operands
 * (but on the modulus and on public exponents). Values are in Montgomery form and below the
 * modulus. */
#ifndef QHSM_TOKEN_MODULUS_H
#define QHSM_TOKEN_MODULUS_H

#include "common/bytes.h"

#define LIMBS_MAX 7U

struct limbs {
    uint64_t at[LIMBS_MAX]; /* least significant first; unused ones are 0 */
};

struct modulus {
    size_t count; /* limbs in use */
    struct limbs m;
    struct limbs one;    /* in Montgomery form */
    struct limbs square; /* R squared: takes a number into Montgomery form */
    uint64_t inverse;    /* -1 / m modulo 2^64 */
};

void modulus_init(struct modulus *mod, const struct limbs *m, size_t count);

void modulus_add(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out);
void modulus_sub(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out);
void modulus_mul(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out);
/* The exponent is public. */
void modulus_pow(const struct modulus *mod, const struct limbs *a, const struct limbs *exponent,
                 struct limbs *out);
/* 1 / a by Fermat: the modulus is prime; 0 gives 0. */
void modulus_invert(const struct modulus *mod, const struct limbs *a, struct limbs *out);
bool modulus_equal(const struct limbs *a, const struct limbs *b);
/* out = choose ? a : out */
void modulus_choose(uint64_t choose, const struct limbs *a, struct limbs *out);

/* From and to plain numbers. */
void modulus_enter(const struct modulus *mod, const struct limbs *plain, struct limbs *out);
void modulus_leave(const struct modulus *mod, const struct limbs *a, struct limbs *out_plain);
/* Little-endian bytes of any length, reduced. */
void modulus_reduce(const struct modulus *mod, struct bytes little_endian, struct limbs *out);

/* Plain numbers and little-endian bytes; `bytes` has at most 8 * LIMBS_MAX. */
struct limbs limbs_of(struct bytes little_endian);
void limbs_bytes(const struct limbs *plain, uint8_t *out, size_t len);
/* Public values only. */
bool limbs_less(const struct limbs *a, const struct limbs *b);

#endif
