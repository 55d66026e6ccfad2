/* SPDX-License-Identifier: Apache-2.0 */
/* Do the eight numbers of a private RSA key belong together (RFC 8017 3.2)? Without libcrypto's own
 * check, which proves both primes for seconds: a signature that verifies shows as much for a key
 * that its owner chose. */
#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "token/key_internal.h"

enum { N, E, D, P, Q, DP, DQ, QI, NUMBERS };

static const char *const params[NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* Two numbers for results, p - 1 or q - 1, and a place for all. */
struct check {
    BN_CTX *ctx;
    BIGNUM *number[NUMBERS];
    BIGNUM *less_one;
    BIGNUM *result;
};

static bool load(struct check *c, const EVP_PKEY *pkey)
{
    c->ctx = BN_CTX_secure_new_ex(crypto_lib());
    c->less_one = BN_secure_new();
    c->result = BN_secure_new();
    if (c->ctx == NULL || c->less_one == NULL || c->result == NULL)
        return false;
    for (size_t i = 0; i < NUMBERS; i++) {
        if (EVP_PKEY_get_bn_param(pkey, params[i], &c->number[i]) != 1)
            return false;
        BN_set_flags(c->number[i], BN_FLG_CONSTTIME);
    }
    return true;
}

static void clear(struct check *c)
{
    for (size_t i = 0; i < NUMBERS; i++)
        BN_clear_free(c->number[i]);
    BN_clear_free(c->less_one);
    BN_clear_free(c->result);
    BN_CTX_free(c->ctx);
}

/* a b = 1 modulo m */
static bool inverse(struct check *c, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m)
{
    return BN_mod_mul(c->result, a, b, m, c->ctx) == 1 && BN_is_one(c->result);
}

/* The exponent of one prime: inverse to e, and d reduced. */
static bool fits_prime(struct check *c, const BIGNUM *prime, const BIGNUM *exponent)
{
    BN_set_flags(c->less_one, BN_FLG_CONSTTIME);
    return BN_is_odd(prime) && BN_copy(c->less_one, prime) != NULL &&
           BN_sub_word(c->less_one, 1) == 1 && !BN_is_zero(c->less_one) &&
           inverse(c, c->number[E], exponent, c->less_one) &&
           BN_mod(c->result, c->number[D], c->less_one, c->ctx) == 1 &&
           BN_cmp(c->result, exponent) == 0;
}

static bool holds(struct check *c)
{
    BIGNUM *const *n = c->number;
    return BN_cmp(n[P], n[Q]) != 0 && BN_mul(c->result, n[P], n[Q], c->ctx) == 1 &&
           BN_cmp(c->result, n[N]) == 0 && fits_prime(c, n[P], n[DP]) &&
           fits_prime(c, n[Q], n[DQ]) && inverse(c, n[Q], n[QI], n[P]);
}

enum rc key_rsa_check(const struct key *key)
{
    struct check c = {.ctx = NULL};
    bool good = load(&c, key->pkey) && holds(&c);
    clear(&c);
    return good ? RC_OK
                : crypto_fail(RC_ATTRIBUTE_VALUE, "the RSA key's numbers contradict each other");
}
