/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC, FIPS 198-1, whole and shortened, with a generic secret or a key of the digest's own type.
 */
#include "token/mech_mac.h"

static const CK_KEY_TYPE own_type[DIGEST_COUNT] = {
    [DIGEST_SHA1] = CKK_SHA_1_HMAC,
    [DIGEST_SHA224] = CKK_SHA224_HMAC,
    [DIGEST_SHA256] = CKK_SHA256_HMAC,
    [DIGEST_SHA384] = CKK_SHA384_HMAC,
    [DIGEST_SHA512] = CKK_SHA512_HMAC,
    [DIGEST_SHA512_224] = CKK_SHA512_224_HMAC,
    [DIGEST_SHA512_256] = CKK_SHA512_256_HMAC,
    [DIGEST_SHA3_224] = CKK_SHA3_224_HMAC,
    [DIGEST_SHA3_256] = CKK_SHA3_256_HMAC,
    [DIGEST_SHA3_384] = CKK_SHA3_384_HMAC,
    [DIGEST_SHA3_512] = CKK_SHA3_512_HMAC,
};

static enum rc check_type(const struct mechanism *mech, const struct key *key)
{
    if (key->object_class == CKO_SECRET_KEY &&
        (key->key_type == CKK_GENERIC_SECRET || key->key_type == own_type[mech->digest]))
        return RC_OK;
    return rc_fail(RC_KEY_TYPE, "%s needs a generic secret or a key of type 0x%lx, not 0x%lx",
                   mech->name, own_type[mech->digest], key->key_type);
}

const struct mech_methods mech_hmac = {.check_type = check_type,
                                       .check = mech_mac_check,
                                       .crypt = mech_mac_crypt,
                                       .begin = mech_mac_begin,
                                       .update = mech_mac_update,
                                       .final = mech_mac_final};
