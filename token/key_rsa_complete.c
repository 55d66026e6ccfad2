/* SPDX-License-Identifier: Apache-2.0 */
/* A private RSA key given as n and d, or without CRT: the missing numbers (SP 800-56B rev. 2,
 * appendix C). */
#include <openssl/bn.h>

#include "token/key_internal.h"

/* Candidates where CKA_PUBLIC_EXPONENT is absent. */
static const BN_ULONG usual_exponents[] = {65537, 3, 17, 257, 5, 35};
#define FACTOR_TRIES 32U /* each fails for half of the bases at most */

struct solve {
    BN_CTX *ctx;
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
    BIGNUM *p1, *q1; /* p - 1, q - 1 */
    BIGNUM *t;
};

static enum rc failed(const char *what)
{
    return crypto_fail(RC_ATTRIBUTE_VALUE, what);
}

static bool solve_new(struct solve *s)
{
    s->ctx = BN_CTX_secure_new_ex(crypto_lib());
    if (s->ctx == NULL)
        return false;
    BN_CTX_start(s->ctx);
    BIGNUM **all[] = {&s->n,  &s->e,  &s->d,  &s->p,  &s->q, &s->dp,
                      &s->dq, &s->qi, &s->p1, &s->q1, &s->t};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i] = BN_CTX_get(s->ctx);
        if (*all[i] == NULL)
            return false;
        BN_set_flags(*all[i], BN_FLG_CONSTTIME);
    }
    return true;
}

static void solve_clear(struct solve *s)
{
    BIGNUM *all[] = {s->d, s->p, s->q, s->dp, s->dq, s->qi, s->p1, s->q1, s->t};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != NULL)
            BN_clear(all[i]);
    if (s->ctx != NULL)
        BN_CTX_end(s->ctx);
    BN_CTX_free(s->ctx);
}

static bool load(struct attrs attrs, CK_ATTRIBUTE_TYPE type, BIGNUM *out)
{
    const struct attr *attr = attrs_find(attrs, type);
    return attr != NULL && attr->value.len > 0 && attr->value.len <= RSA_BITS_MAX / 8 + 1 &&
           BN_bin2bn(attr->value.ptr, (int)attr->value.len, out) != NULL && !BN_is_zero(out);
}

/* 2^(e d) = 2 modulo n shows that e belongs to d. */
static bool fits(struct solve *s, BN_ULONG exponent)
{
    return BN_set_word(s->e, exponent) == 1 && BN_mul(s->t, s->e, s->d, s->ctx) == 1 &&
           BN_set_word(s->p1, 2) == 1 &&
           BN_mod_exp_mont_consttime(s->q1, s->p1, s->t, s->n, s->ctx, NULL) == 1 &&
           BN_is_word(s->q1, 2);
}

static enum rc find_exponent(struct solve *s)
{
    for (size_t i = 0; i < sizeof usual_exponents / sizeof usual_exponents[0]; i++)
        if (fits(s, usual_exponents[i]))
            return RC_OK;
    return failed("CKA_PUBLIC_EXPONENT is absent and not one of the usual ones");
}

/* One random base: squares g^r until a square root of 1 other than -1 shows. 1 found; 0 try
 * another; -1 failure, or g^(e d - 1) is not 1, so that the exponents are none of this modulus. */
static int try_base(struct solve *s, const BIGNUM *r, int squarings)
{
    if (BN_priv_rand_range_ex(s->p, s->n, 0, s->ctx) != 1 ||
        BN_mod_exp_mont_consttime(s->q, s->p, r, s->n, s->ctx, NULL) != 1)
        return -1;
    if (BN_is_zero(s->p) || BN_is_one(s->q))
        return 0;
    BIGNUM *minus_one = s->p1, *square = s->q1;
    if (BN_copy(minus_one, s->n) == NULL || BN_sub_word(minus_one, 1) != 1)
        return -1;
    for (int i = 0; i < squarings; i++) {
        if (BN_cmp(s->q, minus_one) == 0)
            return 0;
        if (BN_mod_sqr(square, s->q, s->n, s->ctx) != 1)
            return -1;
        if (BN_is_one(square))
            return 1;
        if (BN_copy(s->q, square) == NULL)
            return -1;
    }
    return -1;
}

/* p = gcd(root - 1, n), q = n / p. */
static bool split(struct solve *s)
{
    return BN_sub_word(s->q, 1) == 1 && BN_gcd(s->p, s->q, s->n, s->ctx) == 1 &&
           BN_div(s->q, s->t, s->n, s->p, s->ctx) == 1 && BN_is_zero(s->t);
}

static enum rc find_primes(struct solve *s)
{
    BIGNUM *r = s->dp; /* odd part of e d - 1 */
    int squarings = 0;
    if (BN_mul(r, s->e, s->d, s->ctx) != 1 || BN_sub_word(r, 1) != 1 || BN_is_zero(r))
        return failed("the RSA exponents do not fit each other");
    while (!BN_is_bit_set(r, squarings))
        squarings++;
    if (squarings == 0 || BN_rshift(r, r, squarings) != 1)
        return failed("the RSA exponents do not fit each other");
    for (unsigned i = 0; i < FACTOR_TRIES; i++) {
        int found = try_base(s, r, squarings);
        if (found < 0)
            return failed("the RSA private exponent does not belong to the modulus");
        if (found > 0)
            return split(s) ? RC_OK : failed("the RSA modulus has no two factors");
    }
    return failed("the RSA modulus is not the product of two primes");
}

static enum rc find_crt(struct solve *s)
{
    if (BN_cmp(s->p, s->q) < 0)
        BN_swap(s->p, s->q);
    bool done = BN_mul(s->t, s->p, s->q, s->ctx) == 1 && BN_cmp(s->t, s->n) == 0 &&
                BN_copy(s->p1, s->p) != NULL && BN_sub_word(s->p1, 1) == 1 &&
                BN_copy(s->q1, s->q) != NULL && BN_sub_word(s->q1, 1) == 1 && !BN_is_zero(s->p1) &&
                !BN_is_zero(s->q1) && BN_mod(s->dp, s->d, s->p1, s->ctx) == 1 &&
                BN_mod(s->dq, s->d, s->q1, s->ctx) == 1 &&
                BN_mod_inverse(s->qi, s->q, s->p, s->ctx) != NULL;
    return done ? RC_OK : failed("the RSA primes do not belong to the modulus");
}

static enum rc give(const struct solve *s, struct secret *arena, struct attr_list *out)
{
    const struct {
        CK_ATTRIBUTE_TYPE type;
        const BIGNUM *number;
    } all[] = {
        {CKA_MODULUS, s->n},     {CKA_PUBLIC_EXPONENT, s->e}, {CKA_PRIVATE_EXPONENT, s->d},
        {CKA_PRIME_1, s->p},     {CKA_PRIME_2, s->q},         {CKA_EXPONENT_1, s->dp},
        {CKA_EXPONENT_2, s->dq}, {CKA_COEFFICIENT, s->qi},
    };
    size_t used = 0;
    TRY(secret_alloc(arena, sizeof all / sizeof all[0] * (RSA_BITS_MAX / 8 + 1)));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int len = BN_bn2bin(all[i].number, arena->ptr + used);
        TRY(attr_list_add(out, all[i].type, bytes_of(arena->ptr + used, (size_t)len)));
        used += (size_t)len;
    }
    return RC_OK;
}

static enum rc solve(struct solve *s, struct attrs attrs)
{
    if (!load(attrs, CKA_MODULUS, s->n) || !load(attrs, CKA_PRIVATE_EXPONENT, s->d) ||
        BN_cmp(s->d, s->n) >= 0)
        return failed("CKA_PRIVATE_EXPONENT is not below the modulus");
    if (!load(attrs, CKA_PUBLIC_EXPONENT, s->e))
        TRY(find_exponent(s));
    if (!load(attrs, CKA_PRIME_1, s->p) || !load(attrs, CKA_PRIME_2, s->q))
        TRY(find_primes(s));
    return find_crt(s);
}

enum rc key_rsa_complete(struct attrs attrs, struct secret *arena, struct attr_list *out)
{
    struct solve s = {.ctx = NULL};
    enum rc rc = solve_new(&s) ? RC_OK : crypto_fail(RC_NO_MEMORY, "numbers of an RSA key");
    if (rc == RC_OK)
        rc = solve(&s, attrs);
    if (rc == RC_OK)
        rc = give(&s, arena, out);
    solve_clear(&s);
    return rc;
}
