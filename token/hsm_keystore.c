/* SPDX-License-Identifier: Apache-2.0 */
/* The use of a key store's keys: mechanism calls from the table, ECDSA's DER, agreement. */
#include "token/hsm_keystore.h"

#include <stdatomic.h>

#include "token/ecdsa_der.h"
#include "token/hsm_internal.h"
#include "token/hsm_keystore_internal.h"
#include "token/key_curve.h"
#include "token/key_der.h"
#include "token/key_internal.h"

#define GCM_TAG_BITS   128U
#define WRAPPING_BITS  256U
#define ALGORITHMS_MAX 32U

/* ---- mechanism calls ---- */

static const enum mech_family families[] = {
    [KEYSTORE_ALG_GCM] = FAMILY_AES_GCM,
    [KEYSTORE_ALG_OAEP] = FAMILY_RSA_OAEP,
    [KEYSTORE_ALG_PSS] = FAMILY_RSA_PSS,
    [KEYSTORE_ALG_PKCS1] = FAMILY_RSA_PKCS,
    [KEYSTORE_ALG_ECDSA] = FAMILY_ECDSA,
    [KEYSTORE_ALG_EDDSA] = FAMILY_EDDSA,
    [KEYSTORE_ALG_EDDSA_PH] = FAMILY_EDDSA,
    [KEYSTORE_ALG_HMAC] = FAMILY_HMAC,
    [KEYSTORE_ALG_ECDH] = FAMILY_ECDH,
    [KEYSTORE_ALG_WRAP_OAEP] = FAMILY_RSA_OAEP,
    [KEYSTORE_ALG_WRAP_RSA_AES] = FAMILY_RSA_AES_WRAP,
    [KEYSTORE_ALG_ML_DSA] = FAMILY_ML_DSA,
};

/* GCM is the vendor's row, which makes the IV; of families that hash the row of the digest whose
 * output is whole; of ECDH the first. */
static bool is_row(const struct mechanism *mech, const struct keystore_algorithm_row *algorithm)
{
    enum keystore_algorithm_kind kind = algorithm->kind;
    if (mech->family != families[kind])
        return false;
    if (kind == KEYSTORE_ALG_GCM)
        return (mech->type & CKM_VENDOR_DEFINED) != 0;
    bool hashes = kind == KEYSTORE_ALG_PSS || kind == KEYSTORE_ALG_PKCS1 ||
                  kind == KEYSTORE_ALG_ECDSA || kind == KEYSTORE_ALG_HMAC ||
                  kind == KEYSTORE_ALG_ML_DSA;
    return !hashes || (mech->digest == algorithm->digest && mech->param != PARAM_LENGTH);
}

/* Looked for once each. */
static const struct mechanism *mechanism_of(const struct keystore_algorithm_row *algorithm)
{
    static _Atomic(const struct mechanism *) known[ALGORITHMS_MAX];
    unsigned number = (unsigned)algorithm->algorithm % ALGORITHMS_MAX;
    const struct mechanism *mech = atomic_load_explicit(&known[number], memory_order_relaxed);
    for (size_t i = 0; mech == NULL && i < mechanism_count(); i++)
        if (is_row(mechanism_at(i), algorithm))
            mech = mechanism_at(i);
    atomic_store_explicit(&known[number], mech, memory_order_relaxed);
    return mech;
}

static void set_parameter(const struct keystore_algorithm_row *algorithm, struct bytes aad,
                          struct mech_call *out)
{
    enum digest_id digest = algorithm->digest;
    switch ((int)algorithm->kind) {
    case KEYSTORE_ALG_GCM:
        out->u.gcm.aad = aad;
        out->u.gcm.tag_bits = GCM_TAG_BITS;
        break;
    case KEYSTORE_ALG_OAEP:
    case KEYSTORE_ALG_WRAP_OAEP:
        out->u.oaep.digest = digest;
        out->u.oaep.mgf = digest;
        break;
    case KEYSTORE_ALG_PSS:
        out->u.pss.digest = digest;
        out->u.pss.mgf = digest;
        out->u.pss.salt_len = digest_info(digest)->len;
        break;
    case KEYSTORE_ALG_WRAP_RSA_AES:
        out->u.rsa_aes.aes_bits = WRAPPING_BITS;
        out->u.rsa_aes.digest = digest;
        out->u.rsa_aes.mgf = digest;
        break;
    case KEYSTORE_ALG_EDDSA_PH:
        out->u.eddsa.ph = true;
        break;
    case KEYSTORE_ALG_ECDH:
        out->u.ecdh.kdf = CKD_NULL;
        break;
    default:
        out->has_param = false;
        break;
    }
}

enum rc hsm_keystore_call(const struct keystore_algorithm_row *algorithm, struct bytes aad,
                          struct mech_call *out)
{
    if (aad.len > 0 && algorithm->kind != KEYSTORE_ALG_GCM)
        return rc_fail(RC_BAD_ARGUMENT, "%s takes no associated data", algorithm->name);
    *out = (struct mech_call){.mech = mechanism_of(algorithm), .has_param = true};
    set_parameter(algorithm, aad, out);
    return out->mech != NULL ? RC_OK : rc_fail(RC_INTERNAL, "no mechanism is %s", algorithm->name);
}

static enum rc algorithm_for(uint32_t number, enum keystore_use use,
                             const struct keystore_algorithm_row **out)
{
    *out = keystore_algorithm(number);
    if (*out == NULL || (*out)->use != use)
        return rc_fail(RC_BAD_ARGUMENT, "algorithm %u is not for that", number);
    return RC_OK;
}

/* ---- use ---- */

/* What PKCS#11 tells apart and a key store does not. */
static enum rc as_keystore(enum rc rc)
{
    switch ((int)rc) {
    case RC_KEY_HANDLE:
        return RC_OBJECT_HANDLE;
    case RC_ENCRYPTED_DATA_LEN:
    case RC_AEAD_FAILED:
        return RC_ENCRYPTED_DATA;
    default:
        return rc;
    }
}

enum rc hsm_keystore_encrypt(struct hsm *hsm, const struct caller *caller,
                             const struct hsm_keystore_work *work, struct buf *scratch,
                             struct buf *out)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    struct mech_call call;
    uint64_t key = work->key;
    AUTO_OBJECT *object = NULL;
    TRY(algorithm_for(work->algorithm, KEYSTORE_ENCRYPT, &algorithm));
    TRY(hsm_keystore_call(algorithm, work->aad, &call));
    TRY(hsm_keystore_object(hsm, caller, key, &object));
    if (algorithm->kind == KEYSTORE_ALG_OAEP)
        TRY(hsm_keystore_public(hsm, caller, key, &key));
    return as_keystore(hsm_crypt(hsm, caller, CRYPT_ENCRYPT, key, 0, &call, false, work->data,
                                 BYTES_NONE, out, scratch));
}

enum rc hsm_keystore_decrypt(struct hsm *hsm, const struct caller *caller,
                             const struct hsm_keystore_work *work, struct buf *scratch,
                             struct buf *out)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    struct mech_call call;
    AUTO_OBJECT *object = NULL;
    TRY(algorithm_for(work->algorithm, KEYSTORE_ENCRYPT, &algorithm));
    TRY(hsm_keystore_call(algorithm, work->aad, &call));
    TRY(hsm_keystore_object(hsm, caller, work->key, &object));
    return as_keystore(hsm_crypt(hsm, caller, CRYPT_DECRYPT, work->key, 0, &call, false, work->data,
                                 BYTES_NONE, out, scratch));
}

static enum rc signing_call(uint32_t number, const struct keystore_algorithm_row **out,
                            struct mech_call *out_call)
{
    *out = keystore_algorithm(number);
    if (*out == NULL || ((*out)->use != KEYSTORE_SIGN && (*out)->use != KEYSTORE_MAC))
        return rc_fail(RC_BAD_ARGUMENT, "algorithm %u does not sign", number);
    return hsm_keystore_call(*out, BYTES_NONE, out_call);
}

enum rc hsm_keystore_sign(struct hsm *hsm, const struct caller *caller,
                          const struct hsm_keystore_work *work, struct buf *scratch,
                          struct buf *out)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    struct mech_call call;
    uint8_t der[ECDSA_DER_MAX];
    AUTO_OBJECT *object = NULL;
    TRY(signing_call(work->algorithm, &algorithm, &call));
    TRY(hsm_keystore_object(hsm, caller, work->key, &object));
    bool in_der = algorithm->kind == KEYSTORE_ALG_ECDSA;
    struct buf *raw = in_der ? scratch : out;
    AUTO_BUF unused = BUF_INIT;
    TRY(as_keystore(hsm_crypt(hsm, caller, CRYPT_SIGN, work->key, 0, &call, work->is_digest,
                              work->data, BYTES_NONE, raw, &unused)));
    if (!in_der)
        return RC_OK;
    size_t len = ecdsa_der_encode(buf_bytes(raw), der);
    TRY(buf_resize(scratch, 0));
    return buf_append(out, bytes_of(der, len));
}

/* The law keeps a key to the algorithms of its size: the digest tells the width. */
static size_t ecdsa_width(const struct keystore_algorithm_row *algorithm)
{
    return algorithm->digest == DIGEST_SHA512 ? ECDSA_WIDTH_MAX
                                              : digest_info(algorithm->digest)->len;
}

enum rc hsm_keystore_verify(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_work *work, struct buf *scratch)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    struct mech_call call;
    uint8_t raw[2 * ECDSA_WIDTH_MAX];
    uint64_t key = work->key;
    struct bytes signature = work->signature;
    AUTO_OBJECT *object = NULL;
    TRY(signing_call(work->algorithm, &algorithm, &call));
    TRY(hsm_keystore_object(hsm, caller, key, &object));
    if (algorithm->kind != KEYSTORE_ALG_HMAC)
        TRY(hsm_keystore_public(hsm, caller, key, &key));
    if (algorithm->kind == KEYSTORE_ALG_ECDSA) {
        size_t width = ecdsa_width(algorithm);
        if (!ecdsa_der_decode(signature, width, raw))
            return rc_fail(RC_SIGNATURE_INVALID, "the signature is not one of ECDSA in DER");
        signature = bytes_of(raw, 2 * width);
    }
    return as_keystore(hsm_crypt(hsm, caller, CRYPT_VERIFY, key, 0, &call, work->is_digest,
                                 work->data, signature, scratch, scratch));
}

/* ---- agreement ---- */

static const uint8_t oid_ec[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1};

/* SubjectPublicKeyInfo (RFC 5480 2) of a point on a named curve. */
static enum rc read_point(struct bytes der, const struct key_curve **out_curve, struct bytes *point)
{
    struct bytes body, algorithm, oid, bits;
    bool good = key_der_get(&der, DER_SEQUENCE, &body) && der.len == 0 &&
                key_der_get(&body, DER_SEQUENCE, &algorithm) &&
                key_der_get(&algorithm, DER_OID, &oid) &&
                bytes_equal(oid, bytes_of(oid_ec, sizeof oid_ec)) &&
                key_der_get(&body, DER_BIT_STRING, &bits) && body.len == 0 && bits.len > 1 &&
                bits.ptr[0] == 0;
    if (!good || key_curve_find(CKK_EC, algorithm, out_curve) != RC_OK)
        return rc_fail(RC_PUBLIC_KEY, "no SubjectPublicKeyInfo of a point on a named curve");
    *point = bytes_slice(bits, 1, bits.len);
    return RC_OK;
}

static enum rc check_curve(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           const struct key_curve *peer)
{
    AUTO_OBJECT *object = NULL;
    const struct key_curve *own = NULL;
    TRY(hsm_keystore_object(hsm, caller, handle, &object));
    struct bytes params;
    if (!object_attr(object, CKA_EC_PARAMS, &params) ||
        key_curve_find(CKK_EC, params, &own) != RC_OK)
        return rc_fail(RC_KEY_TYPE, "the key agrees with nobody");
    return own == peer ? RC_OK
                       : rc_fail(RC_PUBLIC_KEY, "the public key is on %s, the key on %s",
                                 peer->name, own->name);
}

enum rc hsm_keystore_agree(struct hsm *hsm, const struct caller *caller, uint64_t key,
                           struct bytes peer_der, struct secret *out)
{
    const struct key_curve *curve = NULL;
    struct mech_call call;
    struct bytes point = BYTES_NONE;
    TRY(read_point(peer_der, &curve, &point));
    TRY(check_curve(hsm, caller, key, curve));
    TRY(hsm_keystore_call(keystore_algorithm(KEYSTORE_ECDH), BYTES_NONE, &call));
    call.u.ecdh.peer = point;
    enum rc rc = hsm_derive_value(hsm, caller, key, &call, out);
    return rc == RC_MECHANISM_PARAM ? RC_PUBLIC_KEY : as_keystore(rc);
}

/* ---- a data key pair ---- */

enum rc hsm_keystore_pair(struct hsm *hsm, const struct caller *caller, uint32_t spec,
                          struct secret *out_private, struct buf *out_public)
{
    const struct keystore_spec_row *row = keystore_spec(spec);
    AUTO_MATERIAL material_public = MATERIAL_INIT, material_private = MATERIAL_INIT;
    struct attr_list wanted = {.count = 0}, none = {.count = 0};
    struct token_row token;
    struct mech_call call;
    struct key *key = NULL;
    struct bytes params = BYTES_NONE;
    uint8_t bits[8];
    if (row == NULL || !row->data_key_pair)
        return rc_fail(RC_BAD_ARGUMENT, "no data key pair of spec %u", spec);
    TRY(hsm_token(hsm, caller->ticket.token, &token));
    TRY(hsm_keystore_generator(row, &call));
    TRY(law_mechanism(&token.policy, call.mech, CKF_GENERATE_KEY_PAIR));
    TRY(hsm_keystore_params(row, &params));
    if (row->kind == KEYSTORE_RSA)
        TRY(attr_list_add(&wanted, CKA_MODULUS_BITS, attr_ulong(bits, row->bits)));
    else
        TRY(attr_list_add(&wanted, CKA_EC_PARAMS, params));
    TRY(mech_generate_pair(&call, attrs_of(&wanted), attrs_of(&none), &material_public,
                           &material_private));
    TRY(hsm_keystore_parse(CKO_PRIVATE_KEY, hsm_keystore_type(row), &material_private, &key));
    enum rc rc = key_export(key, out_private);
    if (rc == RC_OK)
        rc = key_public_info(key, out_public);
    key_free(key);
    return rc;
}
