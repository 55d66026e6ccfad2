/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups in the mechanism and digest tables; constant data, no state. */
#include "common/mechanism.h"

#include <strings.h>

/* Named curves over prime fields, by OID; points come out uncompressed. */
#define EC_FLAGS      (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)
#define EDWARDS_FLAGS (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_CURVENAME)
#define ANY           CK_UNAVAILABLE_INFORMATION

static const struct mechanism mechanisms[] = {
#define MECHANISM(type_, param_, key_type_, flags_, min_, max_, digest_, family_, approval_) \
    {.type = (type_),                                                                        \
     .name = #type_,                                                                         \
     .param = (param_),                                                                      \
     .key_type = (key_type_),                                                                \
     .flags = (flags_),                                                                      \
     .min_size = (min_),                                                                     \
     .max_size = (max_),                                                                     \
     .digest = (digest_),                                                                    \
     .family = (family_),                                                                    \
     .approval = (approval_)},
#include "common/mechanisms.def"
};
#define MECHANISM_COUNT (sizeof mechanisms / sizeof mechanisms[0])

static const struct digest_info digests[DIGEST_COUNT] = {
#define DIGEST(id_, name_, len_, mechanism_, hmac_, hmac_general_, mgf_, kdf_) \
    [id_] = {.id = (id_),                                                      \
             .name = (name_),                                                  \
             .len = (len_),                                                    \
             .mechanism = (mechanism_),                                        \
             .hmac = (hmac_),                                                  \
             .hmac_general = (hmac_general_),                                  \
             .mgf = (mgf_),                                                    \
             .kdf = (kdf_)},
#include "common/mechanisms.def"
};

const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type)
{
    size_t low = 0;
    size_t high = MECHANISM_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (mechanisms[middle].type == type)
            return &mechanisms[middle];
        if (mechanisms[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct mechanism *mechanism_by_name(const char *name)
{
    const char *bare = strncasecmp(name, "CKM_", 4) == 0 ? name + 4 : name;
    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        if (strcasecmp(mechanisms[i].name + 4, bare) == 0)
            return &mechanisms[i];
    return NULL;
}

size_t mechanism_count(void)
{
    return MECHANISM_COUNT;
}

const struct mechanism *mechanism_at(size_t index)
{
    return index < MECHANISM_COUNT ? &mechanisms[index] : NULL;
}

bool mechanism_hashes_first(const struct mechanism *mech)
{
    if (mech->digest == DIGEST_NONE)
        return false;
    return mech->family == FAMILY_RSA_PKCS || mech->family == FAMILY_RSA_PSS ||
           mech->family == FAMILY_ECDSA || mech->family == FAMILY_ML_DSA;
}

bool mechanism_counts_bits(const struct mechanism *mech)
{
    switch (mech->key_type) {
    case CKK_RSA:
    case CKK_EC:
    case CKK_EC_EDWARDS:
    case CKK_EC_MONTGOMERY:
        return true;
    default:
        return mech->family == FAMILY_ECDH;
    }
}

const struct digest_info *digest_info(enum digest_id id)
{
    return (unsigned)id < DIGEST_COUNT && id != DIGEST_NONE ? &digests[id] : NULL;
}

const struct digest_info *digest_by_mechanism(CK_MECHANISM_TYPE type)
{
    for (unsigned i = DIGEST_NONE + 1; i < DIGEST_COUNT; i++)
        if (digests[i].mechanism == type)
            return &digests[i];
    return NULL;
}

/* 0 marks a digest that has no such function, so it is never found. */
const struct digest_info *digest_by_mgf(CK_RSA_PKCS_MGF_TYPE mgf)
{
    for (unsigned i = DIGEST_NONE + 1; i < DIGEST_COUNT && mgf != 0; i++)
        if (digests[i].mgf == mgf)
            return &digests[i];
    return NULL;
}

const struct digest_info *digest_by_kdf(CK_EC_KDF_TYPE kdf)
{
    for (unsigned i = DIGEST_NONE + 1; i < DIGEST_COUNT && kdf != 0; i++)
        if (digests[i].kdf == kdf)
            return &digests[i];
    return NULL;
}
