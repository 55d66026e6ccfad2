/* SPDX-License-Identifier: Apache-2.0 */
/* RSA key pairs (FIPS 186-5 A.1): seconds of work at 8192 bits, for the pool. */
#include <openssl/bn.h>
#include <openssl/rsa.h>

#include "token/key_der.h"
#include "token/mech_rsa.h"

#define EXPONENT_LEN_MAX 32U

/* FIPS 186-5 A.1.1: odd, above 2^16, below 2^256; libcrypto verifies with at most 64 bits above a
 * modulus of 3072. */
static enum rc exponent_of(struct attrs wanted, CK_ULONG bits, BIGNUM **out)
{
    const struct attr *given = attrs_find(wanted, CKA_PUBLIC_EXPONENT);
    struct bytes number = given == NULL ? BYTES_NONE : key_der_trim(given->value);
    size_t most = bits > 3072 ? 8 : EXPONENT_LEN_MAX;
    if (number.len > most)
        return rc_fail(RC_ATTRIBUTE_VALUE, "RSA public exponent of %zu bytes, at most %zu here",
                       number.len, most);
    BIGNUM *e = BN_new();
    bool good =
        e != NULL && (number.len > 0 ? BN_bin2bn(number.ptr, (int)number.len, e) != NULL
                                     : given == NULL && BN_set_word(e, RSA_DEFAULT_EXPONENT) == 1);
    if (!good || !BN_is_odd(e) || BN_num_bits(e) < 17) {
        BN_free(e);
        return rc_fail(RC_ATTRIBUTE_VALUE, "RSA public exponent: odd and at least 65537 wanted");
    }
    *out = e;
    return RC_OK;
}

static enum rc bits_of(struct attrs wanted, CK_ULONG *out)
{
    CK_ULONG bits = 0;
    if (!attrs_get_ulong(wanted, CKA_MODULUS_BITS, &bits))
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_MODULUS_BITS is missing");
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX || bits % 8 != 0)
        return rc_fail(RC_KEY_SIZE, "RSA modulus of %lu bits; %u to %u, whole bytes", bits,
                       RSA_BITS_MIN, RSA_BITS_MAX);
    *out = bits;
    return RC_OK;
}

static enum rc generate(CK_ULONG bits, BIGNUM *exponent, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto_lib(), "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    bool done = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1 &&
                EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, exponent) == 1 &&
                EVP_PKEY_generate(ctx, &pkey) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!done)
        return crypto_fail(RC_INTERNAL, "RSA key generation");
    *out = pkey;
    return RC_OK;
}

static enum rc give(const struct key *key, struct material *out_public,
                    struct material *out_private)
{
    TRY(key_pairwise(key));
    TRY(key_parts_material(key, CKO_PUBLIC_KEY, BYTES_NONE, out_public));
    return key_parts_material(key, CKO_PRIVATE_KEY, BYTES_NONE, out_private);
}

static enum rc generate_pair(const struct mech_call *call, struct attrs wanted_public,
                             struct attrs wanted_private, struct material *out_public,
                             struct material *out_private)
{
    (void)call;
    (void)wanted_private;
    CK_ULONG bits = 0;
    BIGNUM *exponent = NULL;
    struct key key = {.object_class = CKO_PRIVATE_KEY, .key_type = CKK_RSA};
    TRY(bits_of(wanted_public, &bits));
    TRY(exponent_of(wanted_public, bits, &exponent));
    enum rc rc = generate(bits, exponent, &key.pkey);
    key.bits = (uint32_t)bits;
    key.output_len = (uint32_t)bits / 8;
    if (rc == RC_OK)
        rc = give(&key, out_public, out_private);
    BN_free(exponent);
    EVP_PKEY_free(key.pkey);
    return rc;
}

const struct mech_methods mech_rsa_gen = {.generate_pair = generate_pair};
