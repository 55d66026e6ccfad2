/* SPDX-License-Identifier: Apache-2.0 */
/* The mechanism table: order, well-formed rows, flags that tell the truth, and the golden list. */
#include "common/mechanism.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "tests/unit/unit.h"

#define OPERATIONS                                                                       \
    (CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_SIGN_RECOVER | CKF_VERIFY | \
     CKF_VERIFY_RECOVER | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_WRAP | CKF_UNWRAP | \
     CKF_DERIVE)
#define CURVES                                                                                \
    (CKF_EC_F_P | CKF_EC_F_2M | CKF_EC_ECPARAMETERS | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS | \
     CKF_EC_COMPRESS | CKF_EC_CURVENAME)

static void rows_stand_in_the_order_of_their_numbers(void)
{
    for (size_t i = 1; i < mechanism_count(); i++)
        CU_ASSERT(mechanism_at(i - 1)->type < mechanism_at(i)->type);
    CU_ASSERT_PTR_NULL(mechanism_at(mechanism_count()));
}

static void every_row_is_found_by_number_and_by_name(void)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        CU_ASSERT_PTR_EQUAL(mechanism_find(mech->type), mech);
        CU_ASSERT_PTR_EQUAL(mechanism_by_name(mech->name), mech);
        CU_ASSERT_PTR_EQUAL(mechanism_by_name(mech->name + 4), mech);
    }
    CU_ASSERT_PTR_EQUAL(mechanism_by_name("ckm_aes_gcm"), mechanism_find(CKM_AES_GCM));
}

static void unknown_numbers_and_names_are_not_found(void)
{
    CU_ASSERT_PTR_NULL(mechanism_find(CKM_MD5));
    CU_ASSERT_PTR_NULL(mechanism_find(CK_UNAVAILABLE_INFORMATION));
    CU_ASSERT_PTR_NULL(mechanism_by_name("CKM_MD5"));
    CU_ASSERT_PTR_NULL(mechanism_by_name(""));
}

static void every_row_is_well_formed(void)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        CU_ASSERT(strncmp(mech->name, "CKM_", 4) == 0);
        CU_ASSERT(mech->min_size <= mech->max_size);
        CU_ASSERT((mech->min_size == 0) == (mech->max_size == 0));
        CU_ASSERT(mech->param <= PARAM_OBJECT);
        CU_ASSERT(mech->digest < DIGEST_COUNT);
        CU_ASSERT(mech->family < FAMILY_COUNT);
        CU_ASSERT(mech->approval <= NOT_APPROVED);
        CU_ASSERT((mech->flags & OPERATIONS) != 0);
        CU_ASSERT((mech->flags & ~(CK_FLAGS)(OPERATIONS | CURVES)) == 0);
    }
}

static void curve_flags_stand_on_curve_mechanisms_only(void)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        bool curve = mech->family >= FAMILY_EC_GEN && mech->family <= FAMILY_EDDSA;
        CU_ASSERT_EQUAL((mech->flags & CURVES) != 0, curve);
        CU_ASSERT_EQUAL((mech->flags & CKF_EC_F_P) != 0, curve);
    }
}

static CK_KEY_TYPE family_key_type(enum mech_family family)
{
    if (family >= FAMILY_RSA_GEN && family <= FAMILY_RSA_AES_WRAP)
        return CKK_RSA;
    if (family == FAMILY_EC_GEN || family == FAMILY_ECDSA)
        return CKK_EC;
    if (family == FAMILY_EDWARDS_GEN || family == FAMILY_EDDSA)
        return CKK_EC_EDWARDS;
    if (family == FAMILY_MONTGOMERY_GEN)
        return CKK_EC_MONTGOMERY;
    if (family >= FAMILY_AES_GEN && family <= FAMILY_AES_KWP)
        return CKK_AES;
    if (family == FAMILY_AES_DERIVE)
        return CKK_AES;
    if (family == FAMILY_SECRET_GEN)
        return CKK_GENERIC_SECRET;
    if (family == FAMILY_ML_DSA_GEN || family == FAMILY_ML_DSA)
        return CKK_ML_DSA;
    if (family == FAMILY_HKDF_GEN)
        return CKK_HKDF;
    return CK_UNAVAILABLE_INFORMATION;
}

static void key_type_fits_the_family(void)
{
    for (size_t i = 0; i < mechanism_count(); i++)
        CU_ASSERT_EQUAL(mechanism_at(i)->key_type, family_key_type(mechanism_at(i)->family));
}

static void every_family_has_a_row(void)
{
    bool seen[FAMILY_COUNT] = {false};
    for (size_t i = 0; i < mechanism_count(); i++)
        seen[mechanism_at(i)->family] = true;
    for (unsigned i = 0; i < FAMILY_COUNT; i++)
        CU_ASSERT(seen[i]);
}

static void sha1_signatures_are_for_verification_only(void)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        bool legacy = mechanism_hashes_first(mech) && mech->digest == DIGEST_SHA1;
        CU_ASSERT_EQUAL(mech->approval == APPROVED_VERIFY, legacy);
        CU_ASSERT(!legacy || (mech->flags & OPERATIONS) == CKF_VERIFY);
    }
}

static void hash_and_sign_is_told_apart_from_hmac(void)
{
    CU_ASSERT(mechanism_hashes_first(mechanism_find(CKM_SHA256_RSA_PKCS)));
    CU_ASSERT(mechanism_hashes_first(mechanism_find(CKM_SHA3_512_RSA_PKCS_PSS)));
    CU_ASSERT(mechanism_hashes_first(mechanism_find(CKM_ECDSA_SHA384)));
    CU_ASSERT(!mechanism_hashes_first(mechanism_find(CKM_ECDSA)));
    CU_ASSERT(mechanism_hashes_first(mechanism_find(CKM_HASH_ML_DSA_SHA512)));
    CU_ASSERT(!mechanism_hashes_first(mechanism_find(CKM_ML_DSA)));
    CU_ASSERT(!mechanism_hashes_first(mechanism_find(CKM_EDDSA)));
    CU_ASSERT(!mechanism_hashes_first(mechanism_find(CKM_SHA256_HMAC)));
    CU_ASSERT(!mechanism_hashes_first(mechanism_find(CKM_SHA256)));
}

static void sizes_of_keys_are_bits_for_rsa_and_curves(void)
{
    CU_ASSERT(mechanism_counts_bits(mechanism_find(CKM_RSA_PKCS)));
    CU_ASSERT(mechanism_counts_bits(mechanism_find(CKM_ECDSA)));
    CU_ASSERT(mechanism_counts_bits(mechanism_find(CKM_ECDH1_DERIVE)));
    CU_ASSERT(!mechanism_counts_bits(mechanism_find(CKM_ML_DSA)));
    CU_ASSERT(!mechanism_counts_bits(mechanism_find(CKM_AES_GCM)));
    CU_ASSERT(!mechanism_counts_bits(mechanism_find(CKM_SHA256_HMAC)));
}

static void every_digest_is_found_by_each_of_its_names(void)
{
    for (unsigned i = DIGEST_NONE + 1; i < DIGEST_COUNT; i++) {
        const struct digest_info *digest = digest_info((enum digest_id)i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(digest);
        CU_ASSERT_EQUAL(digest->id, i);
        CU_ASSERT_PTR_EQUAL(digest_by_mechanism(digest->mechanism), digest);
        CU_ASSERT_EQUAL(mechanism_find(digest->mechanism)->digest, i);
        CU_ASSERT_EQUAL(mechanism_find(digest->hmac)->digest, i);
        CU_ASSERT_EQUAL(mechanism_find(digest->hmac_general)->digest, i);
        CU_ASSERT_EQUAL(mechanism_find(digest->hmac_general)->param, PARAM_LENGTH);
        CU_ASSERT(digest->mgf == 0 || digest_by_mgf(digest->mgf) == digest);
        CU_ASSERT(digest->kdf == 0 || digest_by_kdf(digest->kdf) == digest);
    }
}

static void no_digest_answers_to_nothing(void)
{
    CU_ASSERT_PTR_NULL(digest_info(DIGEST_NONE));
    CU_ASSERT_PTR_NULL(digest_info(DIGEST_COUNT));
    CU_ASSERT_PTR_NULL(digest_by_mgf(0));
    CU_ASSERT_PTR_NULL(digest_by_kdf(CKD_NULL));
    CU_ASSERT_PTR_NULL(digest_by_kdf(0));
    CU_ASSERT_PTR_NULL(digest_by_mechanism(CKM_SHA256_HMAC));
}

static enum rc put_row(struct buf *out, const struct mechanism *mech)
{
    static const char *const approvals[] = {"approved", "approved-verify", "not-approved"};
    const struct digest_info *digest = digest_info(mech->digest);
    return buf_printf(out, "0x%08lx %s flags 0x%08lx size %lu..%lu digest %s %s\n", mech->type,
                      mech->name, mech->flags, mech->min_size, mech->max_size,
                      digest == NULL ? "-" : digest->name, approvals[mech->approval]);
}

/* QHSM_GOLDEN_UPDATE=1 writes the list anew. */
static void the_list_is_the_golden_one(void)
{
    static const char path[] = UNIT_DATA_DIR "/golden/mechanisms.txt";
    AUTO_BUF now = BUF_INIT;
    for (size_t i = 0; i < mechanism_count(); i++)
        UNIT_OK(put_row(&now, mechanism_at(i)));
    bool update = getenv("QHSM_GOLDEN_UPDATE") != NULL;
    FILE *file = fopen(path, update ? "w" : "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    if (update) {
        CU_ASSERT_EQUAL(fwrite(now.ptr, 1, now.len, file), now.len);
    } else {
        AUTO_BUF golden = BUF_INIT;
        UNIT_OK(buf_resize(&golden, now.len + 1));
        golden.len = fread(golden.ptr, 1, now.len + 1, file);
        CU_ASSERT_STRING_EQUAL(buf_str(&golden), buf_str(&now));
    }
    (void)fclose(file);
}

UNIT_SUITE("mechanism", UNIT_CASE(rows_stand_in_the_order_of_their_numbers),
           UNIT_CASE(every_row_is_found_by_number_and_by_name),
           UNIT_CASE(unknown_numbers_and_names_are_not_found), UNIT_CASE(every_row_is_well_formed),
           UNIT_CASE(curve_flags_stand_on_curve_mechanisms_only),
           UNIT_CASE(key_type_fits_the_family), UNIT_CASE(every_family_has_a_row),
           UNIT_CASE(sha1_signatures_are_for_verification_only),
           UNIT_CASE(hash_and_sign_is_told_apart_from_hmac),
           UNIT_CASE(sizes_of_keys_are_bits_for_rsa_and_curves),
           UNIT_CASE(every_digest_is_found_by_each_of_its_names),
           UNIT_CASE(no_digest_answers_to_nothing), UNIT_CASE(the_list_is_the_golden_one));
