/* SPDX-License-Identifier: Apache-2.0 */
/* Montgomery multiplication over 64-bit limbs, without branches on values. */
#include "token/modulus.h"

#include "common/secret.h"

__extension__ typedef unsigned __int128 wide;

/* a - b into out; 1 when it borrowed. */
static uint64_t subtract(size_t count, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < count; i++) {
        wide difference = (wide)a[i] - b[i] - borrow;
        out[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

/* value, with its carry limb, is below 2 m: takes m off once where it fits. */
static void normalise(const struct modulus *mod, uint64_t carry, const uint64_t *value,
                      struct limbs *out)
{
    struct limbs reduced = {{0}}, kept = {{0}};
    for (size_t i = 0; i < mod->count; i++)
        kept.at[i] = value[i];
    uint64_t borrow = subtract(mod->count, value, mod->m.at, reduced.at);
    modulus_choose((carry | (borrow ^ 1)) & 1, &reduced, &kept);
    *out = kept;
}

void modulus_choose(uint64_t choose, const struct limbs *a, struct limbs *out)
{
    uint64_t mask = (uint64_t)0 - choose;
    for (size_t i = 0; i < LIMBS_MAX; i++)
        out->at[i] ^= mask & (out->at[i] ^ a->at[i]);
}

void modulus_add(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out)
{
    uint64_t sum[LIMBS_MAX] = {0}, carry = 0;
    for (size_t i = 0; i < mod->count; i++) {
        wide s = (wide)a->at[i] + b->at[i] + carry;
        sum[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    normalise(mod, carry, sum, out);
}

void modulus_sub(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out)
{
    struct limbs difference = {{0}};
    uint64_t borrow = subtract(mod->count, a->at, b->at, difference.at), carry = 0;
    uint64_t mask = (uint64_t)0 - borrow;
    for (size_t i = 0; i < mod->count; i++) {
        wide s = (wide)difference.at[i] + (mod->m.at[i] & mask) + carry;
        difference.at[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    *out = difference;
}

/* t += a * b, then t += m * factor so that the lowest limb becomes 0 and falls off. */
static void step(const struct modulus *mod, const struct limbs *a, uint64_t b, uint64_t *t)
{
    size_t n = mod->count;
    wide carry = 0;
    for (size_t i = 0; i < n; i++) {
        carry += (wide)a->at[i] * b + t[i];
        t[i] = (uint64_t)carry;
        carry >>= 64;
    }
    carry += t[n];
    t[n] = (uint64_t)carry;
    t[n + 1] = (uint64_t)(carry >> 64);
    uint64_t factor = t[0] * mod->inverse;
    carry = ((wide)mod->m.at[0] * factor + t[0]) >> 64;
    for (size_t i = 1; i < n; i++) {
        carry += (wide)mod->m.at[i] * factor + t[i];
        t[i - 1] = (uint64_t)carry;
        carry >>= 64;
    }
    carry += t[n];
    t[n - 1] = (uint64_t)carry;
    t[n] = t[n + 1] + (uint64_t)(carry >> 64);
}

void modulus_mul(const struct modulus *mod, const struct limbs *a, const struct limbs *b,
                 struct limbs *out)
{
    uint64_t t[LIMBS_MAX + 2] = {0};
    for (size_t i = 0; i < mod->count; i++)
        step(mod, a, b->at[i], t);
    normalise(mod, t[mod->count], t, out);
}

void modulus_init(struct modulus *mod, const struct limbs *m, size_t count)
{
    *mod = (struct modulus){.count = count, .m = *m};
    uint64_t inverse = 1; /* Newton: each round doubles the right bits */
    for (int i = 0; i < 6; i++)
        inverse *= 2 - m->at[0] * inverse;
    mod->inverse = (uint64_t)0 - inverse;
    struct limbs power = {{1}};
    for (size_t i = 0; i < 2 * 64 * count; i++) {
        if (i == 64 * count)
            mod->one = power;
        modulus_add(mod, &power, &power, &power);
    }
    mod->square = power;
}

void modulus_pow(const struct modulus *mod, const struct limbs *a, const struct limbs *exponent,
                 struct limbs *out)
{
    struct limbs result = mod->one, base = *a;
    for (size_t bit = 64 * mod->count; bit-- > 0;) {
        modulus_mul(mod, &result, &result, &result);
        if ((exponent->at[bit / 64] >> (bit % 64) & 1) != 0)
            modulus_mul(mod, &result, &base, &result);
    }
    *out = result;
}

void modulus_invert(const struct modulus *mod, const struct limbs *a, struct limbs *out)
{
    struct limbs exponent = mod->m;
    exponent.at[0] -= 2; /* the moduli here do not end in 1 */
    modulus_pow(mod, a, &exponent, out);
}

bool modulus_equal(const struct limbs *a, const struct limbs *b)
{
    uint64_t difference = 0;
    for (size_t i = 0; i < LIMBS_MAX; i++)
        difference |= a->at[i] ^ b->at[i];
    return difference == 0;
}

void modulus_enter(const struct modulus *mod, const struct limbs *plain, struct limbs *out)
{
    modulus_mul(mod, plain, &mod->square, out);
}

void modulus_leave(const struct modulus *mod, const struct limbs *a, struct limbs *out_plain)
{
    const struct limbs one = {{1}};
    modulus_mul(mod, a, &one, out_plain);
}

void modulus_reduce(const struct modulus *mod, struct bytes little_endian, struct limbs *out)
{
    struct limbs result = {{0}}, shift = {{0, 1}}, digit = {{0}};
    modulus_enter(mod, &shift, &shift);
    for (size_t i = (little_endian.len + 7) / 8; i-- > 0;) {
        digit = limbs_of(bytes_slice(little_endian, 8 * i, 8));
        modulus_enter(mod, &digit, &digit);
        modulus_mul(mod, &result, &shift, &result);
        modulus_add(mod, &result, &digit, &result);
    }
    *out = result;
    secret_wipe(&result, sizeof result);
    secret_wipe(&digit, sizeof digit);
}

struct limbs limbs_of(struct bytes little_endian)
{
    struct limbs plain = {{0}};
    for (size_t i = 0; i < little_endian.len && i < 8 * LIMBS_MAX; i++)
        plain.at[i / 8] |= (uint64_t)little_endian.ptr[i] << (8 * (i % 8));
    return plain;
}

void limbs_bytes(const struct limbs *plain, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = i < 8 * LIMBS_MAX ? (uint8_t)(plain->at[i / 8] >> (8 * (i % 8))) : 0;
}

bool limbs_less(const struct limbs *a, const struct limbs *b)
{
    uint64_t ignored[LIMBS_MAX];
    return subtract(LIMBS_MAX, a->at, b->at, ignored) == 1;
}
