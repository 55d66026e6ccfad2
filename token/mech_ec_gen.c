/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs on curves (FIPS 186-5 A.2, RFC 7748, RFC 8032). */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "token/mech_internal.h"

static enum rc generate(const struct key_curve *curve, EVP_PKEY **out)
{
    const char *type = curve->key_type == CKK_EC ? "EC" : curve->libcrypto;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                            (char *)(uintptr_t)curve->libcrypto, 0),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto_lib(), type, NULL);
    EVP_PKEY *pkey = NULL;
    bool done = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
                (curve->key_type != CKK_EC || EVP_PKEY_CTX_set_params(ctx, params) == 1) &&
                EVP_PKEY_generate(ctx, &pkey) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!done)
        return crypto_fail(RC_INTERNAL, "key generation on a curve");
    *out = pkey;
    return RC_OK;
}

static enum rc generate_pair(const struct mech_call *call, struct attrs wanted_public,
                             struct attrs wanted_private, struct material *out_public,
                             struct material *out_private)
{
    (void)wanted_private;
    const struct attr *params = attrs_find(wanted_public, CKA_EC_PARAMS);
    struct key key = {.object_class = CKO_PRIVATE_KEY, .key_type = call->mech->key_type};
    if (params == NULL)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS is missing");
    TRY(key_curve_find(key.key_type, params->value, &key.curve));
    TRY(generate(key.curve, &key.pkey));
    key.bits = key.curve->bits;
    key.output_len = key.curve->output_len;
    enum rc rc = key_pair_material(&key, params->value, out_public, out_private);
    EVP_PKEY_free(key.pkey);
    return rc;
}

/* The mechanism's key type tells the three apart. */
const struct mech_methods mech_ec_gen = {.generate_pair = generate_pair};
const struct mech_methods mech_edwards_gen = {.generate_pair = generate_pair};
const struct mech_methods mech_montgomery_gen = {.generate_pair = generate_pair};
