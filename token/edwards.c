/* SPDX-License-Identifier: Apache-2.0 */
/* Projective twisted Edwards arithmetic by the complete addition law: no special cases, so none in
 * time either. */
#include "token/edwards.h"

#include "common/secret.h"

/* RFC 8032, tables 1 and 2. */
static const struct {
    size_t count;
    size_t len;
    struct limbs p, order, d, base_y;
} facts[2] = {
    {.count = 4,
     .len = 32,
     .p = {{0xFFFFFFFFFFFFFFED, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}},
     .order = {{0x5812631A5CF5D3ED, 0x14DEF9DEA2F79CD6, 0, 0x1000000000000000}},
     .d = {{0x75EB4DCA135978A3, 0x00700A4D4141D8AB, 0x8CC740797779E898, 0x52036CEE2B6FFE73}},
     .base_y = {{0x6666666666666658, 0x6666666666666666, 0x6666666666666666, 0x6666666666666666}}},
    {.count = 7,
     .len = 57,
     .p = {{0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFEFFFFFFFF,
            0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF}},
     .order = {{0x2378C292AB5844F3, 0x216CC2728DC58F55, 0xC44EDB49AED63690, 0xFFFFFFFF7CCA23E9,
                0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x3FFFFFFFFFFFFFFF}},
     .d = {{0xFFFFFFFFFFFF6756, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFEFFFFFFFF,
            0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF}},
     .base_y = {{0x9808795BF230FA14, 0xFDBD132C4ED7C8AD, 0x3AD3FF1CE67C39C4, 0x87789C1E05A0C2D7,
                 0x4BEA73736CA39840, 0x8876203756C9C762, 0x693F46716EB6BC24}}},
};

static struct limbs shifted_right(const struct limbs *value, unsigned bits)
{
    struct limbs out = {{0}};
    for (size_t i = 0; i < LIMBS_MAX; i++) {
        uint64_t above = i + 1 < LIMBS_MAX ? value->at[i + 1] : 0;
        out.at[i] = value->at[i] >> bits | above << (64 - bits);
    }
    return out;
}

static struct limbs plus(const struct limbs *value, uint64_t small)
{
    struct limbs out = *value;
    out.at[0] += small;
    for (size_t i = 1; i < LIMBS_MAX && out.at[i - 1] < (i == 1 ? small : 1); i++)
        out.at[i]++;
    return out;
}

/* The candidate of RFC 8032 5.1.3 and 5.2.3: square to the (p + 3) / 8 or (p + 1) / 4. */
static void root_candidate(const struct edwards *curve, const struct limbs *square,
                           struct limbs *out)
{
    struct limbs exponent = plus(&curve->field.m, curve->is_448 ? 1 : 3);
    exponent = shifted_right(&exponent, curve->is_448 ? 2 : 3);
    modulus_pow(&curve->field, square, &exponent, out);
}

/* times the root of -1: 2^((p - 1) / 4) */
static void turn_root(const struct edwards *curve, struct limbs *root)
{
    const struct modulus *f = &curve->field;
    struct limbs turn, exponent = shifted_right(&f->m, 2); /* p ends in ...01 */
    modulus_add(f, &f->one, &f->one, &turn);
    modulus_pow(f, &turn, &exponent, &turn);
    modulus_mul(f, root, &turn, root);
}

/* Public values only. */
static bool square_root(const struct edwards *curve, const struct limbs *square, struct limbs *out)
{
    struct limbs check;
    root_candidate(curve, square, out);
    modulus_mul(&curve->field, out, out, &check);
    if (!modulus_equal(&check, square) && !curve->is_448) {
        turn_root(curve, out);
        modulus_mul(&curve->field, out, out, &check);
    }
    return modulus_equal(&check, square);
}

static struct edwards_point neutral(const struct edwards *curve)
{
    return (struct edwards_point){.y = curve->field.one, .z = curve->field.one};
}

/* x from y: x^2 = (y^2 - 1) / (d y^2 - a). */
static bool recover_x(const struct edwards *curve, const struct limbs *y, unsigned sign,
                      struct limbs *out)
{
    const struct modulus *f = &curve->field;
    const struct limbs zero = {{0}};
    struct limbs y2, over, under, plain;
    modulus_mul(f, y, y, &y2);
    modulus_sub(f, &y2, &f->one, &over);
    modulus_mul(f, &curve->d, &y2, &under);
    modulus_sub(f, &under, &curve->a, &under);
    modulus_invert(f, &under, &under);
    modulus_mul(f, &over, &under, &over);
    if (!square_root(curve, &over, out))
        return false;
    modulus_leave(f, out, &plain);
    if (modulus_equal(&plain, &zero))
        return sign == 0;
    if ((plain.at[0] & 1) != sign)
        modulus_sub(f, &zero, out, out);
    return true;
}

void edwards_init(struct edwards *curve, bool is_448)
{
    const size_t which = is_448 ? 1 : 0;
    const struct limbs zero = {{0}};
    *curve = (struct edwards){.len = facts[which].len, .is_448 = is_448};
    modulus_init(&curve->field, &facts[which].p, facts[which].count);
    modulus_init(&curve->order, &facts[which].order, facts[which].count);
    modulus_enter(&curve->field, &facts[which].d, &curve->d);
    curve->a = curve->field.one;
    if (!is_448)
        modulus_sub(&curve->field, &zero, &curve->field.one, &curve->a);
    modulus_enter(&curve->field, &facts[which].base_y, &curve->base.y);
    curve->base.z = curve->field.one;
    (void)recover_x(curve, &curve->base.y, 0, &curve->base.x); /* the even one, on both curves */
}

/* add-2008-bbjlp of the Explicit-Formulas Database. */
void edwards_add(const struct edwards *curve, const struct edwards_point *p,
                 const struct edwards_point *q, struct edwards_point *out)
{
    const struct modulus *f = &curve->field;
    struct limbs a, b, c, d, e, g, h, sum;
    modulus_mul(f, &p->z, &q->z, &a);
    modulus_mul(f, &a, &a, &b);
    modulus_mul(f, &p->x, &q->x, &c);
    modulus_mul(f, &p->y, &q->y, &d);
    modulus_mul(f, &c, &d, &e);
    modulus_mul(f, &e, &curve->d, &e);
    modulus_sub(f, &b, &e, &g);
    modulus_add(f, &b, &e, &h);
    modulus_add(f, &p->x, &p->y, &sum);
    modulus_add(f, &q->x, &q->y, &e);
    modulus_mul(f, &sum, &e, &sum);
    modulus_sub(f, &sum, &c, &sum);
    modulus_sub(f, &sum, &d, &sum); /* x1 y2 + y1 x2 */
    modulus_mul(f, &a, &g, &e);
    modulus_mul(f, &e, &sum, &out->x);
    modulus_mul(f, &curve->a, &c, &c);
    modulus_sub(f, &d, &c, &d);
    modulus_mul(f, &a, &h, &a);
    modulus_mul(f, &a, &d, &out->y);
    modulus_mul(f, &g, &h, &out->z);
}

void edwards_negate(const struct edwards *curve, struct edwards_point *p)
{
    const struct limbs zero = {{0}};
    modulus_sub(&curve->field, &zero, &p->x, &p->x);
}

void edwards_mul(const struct edwards *curve, const struct limbs *scalar,
                 const struct edwards_point *p, struct edwards_point *out)
{
    struct edwards_point result = neutral(curve), added, base = *p;
    for (size_t bit = 64 * curve->field.count; bit-- > 0;) {
        uint64_t set = scalar->at[bit / 64] >> (bit % 64) & 1;
        edwards_add(curve, &result, &result, &result);
        edwards_add(curve, &result, &base, &added);
        modulus_choose(set, &added.x, &result.x);
        modulus_choose(set, &added.y, &result.y);
        modulus_choose(set, &added.z, &result.z);
    }
    *out = result;
    secret_wipe(&result, sizeof result);
    secret_wipe(&added, sizeof added);
}

void edwards_encode(const struct edwards *curve, const struct edwards_point *p, uint8_t *out)
{
    const struct modulus *f = &curve->field;
    struct limbs inverse, x, y;
    modulus_invert(f, &p->z, &inverse);
    modulus_mul(f, &p->x, &inverse, &x);
    modulus_mul(f, &p->y, &inverse, &y);
    modulus_leave(f, &x, &x);
    modulus_leave(f, &y, &y);
    limbs_bytes(&y, out, curve->len);
    out[curve->len - 1] |= (uint8_t)((x.at[0] & 1) << 7);
}

bool edwards_decode(const struct edwards *curve, struct bytes encoded, struct edwards_point *out)
{
    uint8_t copy[EDWARDS_LEN_MAX];
    if (!bytes_copy_exact(encoded, copy, curve->len))
        return false;
    unsigned sign = copy[curve->len - 1] >> 7;
    copy[curve->len - 1] &= 0x7F;
    struct limbs y = limbs_of(bytes_of(copy, curve->len));
    if (!limbs_less(&y, &curve->field.m) || (curve->is_448 && copy[curve->len - 1] != 0))
        return false;
    modulus_enter(&curve->field, &y, &out->y);
    out->z = curve->field.one;
    return recover_x(curve, &out->y, sign, &out->x);
}
