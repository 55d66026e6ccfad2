/* SPDX-License-Identifier: Apache-2.0 */
/* GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 4), in time that depends on no value: no table,
 * no branch. */
#ifndef QHSM_TOKEN_GF256_H
#define QHSM_TOKEN_GF256_H

#include <stdint.h>

static inline uint8_t gf256_mul(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    unsigned shifted = a;
    for (unsigned bit = 0; bit < 8; bit++) {
        product ^= shifted & (0U - ((b >> bit) & 1U));
        shifted = (shifted << 1) ^ (0x11BU & (0U - (shifted >> 7)));
    }
    return (uint8_t)product;
}

/* a^254: the inverse, as all but zero have order 255; zero gives zero. */
static inline uint8_t gf256_inverse(uint8_t a)
{
    uint8_t power = a;
    uint8_t product = 1;
    for (unsigned bit = 1; bit < 8; bit++) {
        power = gf256_mul(power, power);
        product = gf256_mul(product, power);
    }
    return product;
}

#endif
