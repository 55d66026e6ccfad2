/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups in keystore.def. */
#include "common/keystore.h"

#include <string.h>

static const struct keystore_spec_row specs[] = {
#define SPEC(symbol, number, name, kind, bits, curve, pair) \
    {KEYSTORE_SPEC_##symbol, name, kind, bits, curve, pair},
#include "common/keystore.def"
#undef SPEC
};
#define SPECS (sizeof specs / sizeof specs[0])

static const struct keystore_algorithm_row algorithms[] = {
#define ALGORITHM(symbol, number, name, kind, digest, use) \
    {KEYSTORE_##symbol, name, kind, digest, use},
#include "common/keystore.def"
#undef ALGORITHM
};
#define ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

const struct keystore_spec_row *keystore_spec_at(size_t index)
{
    return index < SPECS ? &specs[index] : NULL;
}

const struct keystore_algorithm_row *keystore_algorithm_at(size_t index)
{
    return index < ALGORITHMS ? &algorithms[index] : NULL;
}

/* Both tables are numbered from 1 without gaps, in order. */
const struct keystore_spec_row *keystore_spec(uint32_t number)
{
    return number == 0 ? NULL : keystore_spec_at(number - 1);
}

const struct keystore_algorithm_row *keystore_algorithm(uint32_t number)
{
    return number == 0 ? NULL : keystore_algorithm_at(number - 1);
}

const struct keystore_spec_row *keystore_spec_by_name(const char *name)
{
    for (size_t i = 0; i < SPECS; i++)
        if (strcmp(specs[i].name, name) == 0)
            return &specs[i];
    return NULL;
}

const struct keystore_algorithm_row *keystore_algorithm_by_name(enum keystore_use use,
                                                                const char *name)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (algorithms[i].use == use && strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

/* Of the digest and the field that AWS KMS puts together: P-521 goes with SHA-512. */
static bool digest_fits(const struct keystore_spec_row *spec, enum digest_id digest)
{
    if (spec->kind == KEYSTORE_HMAC)
        return digest_info(digest)->len * 8 == spec->bits;
    unsigned bits = spec->bits == 521 ? 512 : spec->bits;
    return digest_info(digest)->len * 8 == bits;
}

bool keystore_goes_with(const struct keystore_spec_row *spec,
                        const struct keystore_algorithm_row *algorithm)
{
    switch (algorithm->kind) {
    case KEYSTORE_ALG_GCM:
        return spec->kind == KEYSTORE_AES;
    case KEYSTORE_ALG_OAEP:
    case KEYSTORE_ALG_PSS:
    case KEYSTORE_ALG_PKCS1:
    case KEYSTORE_ALG_WRAP_OAEP:
    case KEYSTORE_ALG_WRAP_RSA_AES:
        return spec->kind == KEYSTORE_RSA;
    case KEYSTORE_ALG_ECDSA:
        return spec->kind == KEYSTORE_EC && digest_fits(spec, algorithm->digest);
    case KEYSTORE_ALG_HMAC:
        return spec->kind == KEYSTORE_HMAC && digest_fits(spec, algorithm->digest);
    case KEYSTORE_ALG_EDDSA:
    case KEYSTORE_ALG_EDDSA_PH:
        return spec->kind == KEYSTORE_EDWARDS;
    case KEYSTORE_ALG_ML_DSA:
        return spec->kind == KEYSTORE_ML_DSA;
    case KEYSTORE_ALG_ECDH:
        return spec->kind == KEYSTORE_EC && spec->spec != KEYSTORE_SPEC_SECP256K1;
    default:
        return false;
    }
}

bool keystore_may_be_for(const struct keystore_spec_row *spec, enum keystore_use use)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (algorithms[i].use == use && keystore_goes_with(spec, &algorithms[i]))
            return true;
    return false;
}
