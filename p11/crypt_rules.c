/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/crypt_rules.h"

#define AES_BLOCK_LEN 16U
#define KW_BLOCK_LEN  8U
#define GCM_IV_LEN    12U

enum size_rule { SIZE_SAME, SIZE_KEY, SIZE_MAC, SIZE_PADDED, SIZE_GCM, SIZE_CCM, SIZE_KEY_WRAP };

struct family_row {
    struct crypt_family family;
    enum size_rule size;
};

/* Families without a row here have no operation of these kinds. */
static const struct family_row families[FAMILY_COUNT] = {
    [FAMILY_RSA_PKCS] = {{true, true, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_RSA_PSS] = {{true, true, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_RSA_OAEP] = {{true, false, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_RSA_X509] = {{true, false, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_ECDSA] = {{true, true, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_EDDSA] = {{true, false, PATH_BUFFER}, SIZE_KEY},
    [FAMILY_AES_ECB] = {{false, false, PATH_REMOTE}, SIZE_SAME},
    [FAMILY_AES_CBC] = {{false, false, PATH_REMOTE}, SIZE_SAME},
    [FAMILY_AES_CBC_PAD] = {{false, false, PATH_REMOTE}, SIZE_PADDED},
    [FAMILY_AES_CTR] = {{false, false, PATH_REMOTE}, SIZE_SAME},
    [FAMILY_AES_GCM] = {{false, false, PATH_REMOTE}, SIZE_GCM},
    [FAMILY_AES_CCM] = {{false, false, PATH_REMOTE}, SIZE_CCM},
    [FAMILY_AES_CMAC] = {{false, false, PATH_REMOTE}, SIZE_MAC},
    [FAMILY_AES_KW] = {{false, false, PATH_BUFFER}, SIZE_KEY_WRAP},
    [FAMILY_AES_KWP] = {{false, false, PATH_BUFFER}, SIZE_KEY_WRAP},
    [FAMILY_HMAC] = {{false, false, PATH_REMOTE}, SIZE_MAC},
    [FAMILY_ML_DSA] = {{true, true, PATH_BUFFER}, SIZE_KEY},
};

struct op_row {
    CK_FLAGS flag;
    uint32_t usage;
    const char *name;
};

static const struct op_row ops[OPERATION_COUNT] = {
    [CRYPT_SIGN] = {CKF_SIGN, USAGE_SIGN, "signing"},
    [CRYPT_VERIFY] = {CKF_VERIFY, USAGE_VERIFY, "verification"},
    [CRYPT_ENCRYPT] = {CKF_ENCRYPT, USAGE_ENCRYPT, "encryption"},
    [CRYPT_DECRYPT] = {CKF_DECRYPT, USAGE_DECRYPT, "decryption"},
    [CRYPT_SIGN_RECOVER] = {CKF_SIGN_RECOVER, USAGE_SIGN_RECOVER, "signing with recovery"},
    [CRYPT_VERIFY_RECOVER] = {CKF_VERIFY_RECOVER, USAGE_VERIFY_RECOVER,
                              "verification with recovery"},
};

const struct crypt_family *crypt_family(const struct mechanism *mech)
{
    return &families[mech->family].family;
}

enum rc crypt_check_mechanism(const struct mechanism *mech, enum crypt_op op)
{
    if ((mech->flags & ops[op].flag) == 0)
        return rc_fail(RC_MECHANISM, "%s is not for %s", mech->name, ops[op].name);
    return RC_OK;
}

static bool is_key(const struct facts *facts)
{
    return facts->object_class == CKO_PUBLIC_KEY || facts->object_class == CKO_PRIVATE_KEY ||
           facts->object_class == CKO_SECRET_KEY;
}

/* A MAC takes generic secrets and the keys of its own kind, so its row says "any". */
static bool type_fits(const struct facts *facts, const struct mechanism *mech)
{
    if (mech->key_type != CK_UNAVAILABLE_INFORMATION)
        return facts->key_type == mech->key_type;
    bool is_secret = facts->object_class == CKO_SECRET_KEY;
    return is_secret != families[mech->family].family.asymmetric;
}

static enum rc size_fits(const struct facts *facts, const struct mechanism *mech)
{
    bool in_bits = mechanism_counts_bits(mech);
    CK_ULONG size = in_bits ? facts->size_bits : facts->size_bits / 8;
    if (size >= mech->min_size && size <= mech->max_size)
        return RC_OK;
    return rc_fail(RC_KEY_SIZE, "a key of %lu %s, %s takes %lu to %lu", size,
                   in_bits ? "bits" : "bytes", mech->name, mech->min_size, mech->max_size);
}

enum rc crypt_check_key(const struct facts *facts, const struct mechanism *mech, enum crypt_op op)
{
    if (!is_key(facts))
        return rc_fail(RC_KEY_HANDLE, "object 0x%lx is not a key", facts->handle);
    if (!type_fits(facts, mech))
        return rc_fail(RC_KEY_TYPE, "%s does not take a key of type 0x%lx", mech->name,
                       facts->key_type);
    if ((facts->usage & ops[op].usage) == 0)
        return rc_fail(RC_KEY_FUNCTION, "key 0x%lx is not for %s", facts->handle, ops[op].name);
    TRY(size_fits(facts, mech));
    if (!facts_allow(facts, mech->type))
        return rc_fail(RC_MECHANISM, "%s is not among the key's CKA_ALLOWED_MECHANISMS",
                       mech->name);
    return RC_OK;
}

static enum rc mac_len(const struct operation *operation, size_t *out)
{
    const struct mechanism *mech = operation->mechanism.mech;
    const struct digest_info *digest = digest_info(mech->digest);
    *out = digest != NULL ? digest->len : AES_BLOCK_LEN;
    if (mech->param != PARAM_LENGTH)
        return RC_OK;
    struct mech_call decoded;
    TRY(codec_mechanism_call(&operation->mechanism, &decoded));
    *out = decoded.u.length;
    return RC_OK;
}

static size_t padded(size_t len, size_t block)
{
    return (len / block + 1) * block;
}

static size_t less(size_t len, size_t off)
{
    return len > off ? len - off : 0;
}

static enum rc tag_len(const struct operation *operation, enum size_rule rule, size_t *out)
{
    struct mech_call decoded;
    TRY(codec_mechanism_call(&operation->mechanism, &decoded));
    *out = rule == SIZE_GCM ? (decoded.u.gcm.tag_bits + 7) / 8 : decoded.u.ccm.mac_len;
    /* Without an IV from the caller the HSM puts its own before the ciphertext. */
    if (rule == SIZE_GCM && decoded.u.gcm.iv.len == 0)
        *out += GCM_IV_LEN;
    return RC_OK;
}

static enum rc cipher_len(const struct operation *operation, enum size_rule rule, bool encrypts,
                          size_t in_len, size_t *out)
{
    *out = in_len;
    if (rule == SIZE_GCM || rule == SIZE_CCM) {
        size_t tag = 0;
        TRY(tag_len(operation, rule, &tag));
        *out = encrypts ? in_len + tag : less(in_len, tag);
    } else if (rule == SIZE_PADDED && encrypts) {
        *out = padded(in_len, AES_BLOCK_LEN);
    } else if (rule == SIZE_KEY_WRAP && encrypts) {
        *out = padded(in_len + KW_BLOCK_LEN - 1, KW_BLOCK_LEN);
    }
    return RC_OK;
}

enum rc crypt_result_len(const struct operation *operation, enum crypt_op op, size_t in_len,
                         size_t *out_len, bool *out_exact)
{
    enum size_rule rule = families[operation->mechanism.mech->family].size;
    bool takes_apart = op == CRYPT_DECRYPT || op == CRYPT_VERIFY_RECOVER;
    *out_exact = !takes_apart;
    if (rule == SIZE_MAC)
        return mac_len(operation, out_len);
    if (rule == SIZE_KEY) {
        *out_len = operation->facts->output_len;
        return RC_OK;
    }
    *out_exact = *out_exact || rule == SIZE_SAME;
    return cipher_len(operation, rule, op == CRYPT_ENCRYPT, in_len, out_len);
}
