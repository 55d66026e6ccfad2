/* SPDX-License-Identifier: Apache-2.0 */
/* The mechanism table (mechanisms.def) and a mechanism with its decoded parameter, as all layers
 * pass it on. */
#ifndef QHSM_COMMON_MECHANISM_H
#define QHSM_COMMON_MECHANISM_H

#include <stdbool.h>

#include "common/bytes.h"
#include "common/cryptoki.h"
#include "common/rc.h"

/* What pParameter is. One row in the codec (rpc/codec_params.c) for each. */
enum param_kind {
    PARAM_NONE,         /* must be absent */
    PARAM_IV,           /* raw bytes, the block size of the cipher: u.iv */
    PARAM_IV_OPTIONAL,  /* AES-KW: absent, or 8 bytes (KW), 4 bytes (KWP) */
    PARAM_CTR,          /* CK_AES_CTR_PARAMS */
    PARAM_GCM,          /* CK_GCM_PARAMS, 40 or 48 bytes */
    PARAM_CCM,          /* CK_CCM_PARAMS */
    PARAM_LENGTH,       /* CK_MAC_GENERAL_PARAMS, one CK_ULONG: u.length */
    PARAM_PSS,          /* CK_RSA_PKCS_PSS_PARAMS */
    PARAM_OAEP,         /* CK_RSA_PKCS_OAEP_PARAMS */
    PARAM_RSA_AES,      /* CK_RSA_AES_KEY_WRAP_PARAMS */
    PARAM_ECDH,         /* CK_ECDH1_DERIVE_PARAMS */
    PARAM_EDDSA,        /* absent (pure) or CK_EDDSA_PARAMS */
    PARAM_SIGN_CONTEXT, /* absent or CK_SIGN_ADDITIONAL_CONTEXT: u.sign_context */
    PARAM_HKDF,         /* CK_HKDF_PARAMS */
    PARAM_SP800_108,    /* CK_SP800_108_KDF_PARAMS */
    PARAM_PBKDF2,       /* CK_PKCS5_PBKD2_PARAMS2 (and PARAMS) */
    PARAM_STRING,       /* CK_KEY_DERIVATION_STRING_DATA: u.iv holds the bytes */
    PARAM_CBC_DATA,     /* CK_AES_CBC_ENCRYPT_DATA_PARAMS: u.cbc_data */
    PARAM_OBJECT,       /* CK_OBJECT_HANDLE: u.object */
};

/* Digests that mechanisms name. The order is ours; digest_info() (token/, p11/) maps to libcrypto
 * by name. */
enum digest_id {
    DIGEST_NONE,
    DIGEST_SHA1,
    DIGEST_SHA224,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    DIGEST_SHA512_224,
    DIGEST_SHA512_256,
    DIGEST_SHA3_224,
    DIGEST_SHA3_256,
    DIGEST_SHA3_384,
    DIGEST_SHA3_512,
    DIGEST_COUNT,
};

struct digest_info {
    enum digest_id id;
    const char *name; /* libcrypto's: "SHA2-256" */
    size_t len;       /* bytes */
    CK_MECHANISM_TYPE mechanism;
    CK_MECHANISM_TYPE hmac;
    CK_MECHANISM_TYPE hmac_general; /* output length chosen by PARAM_LENGTH */
    CK_RSA_PKCS_MGF_TYPE mgf;       /* 0: none */
    CK_EC_KDF_TYPE kdf;             /* X9.63 KDF with this digest; 0: none */
};

/* NULL for DIGEST_NONE and unknown numbers. */
const struct digest_info *digest_info(enum digest_id id);
/* By CKM_SHA256 ...; NULL when the mechanism is not a digest. */
const struct digest_info *digest_by_mechanism(CK_MECHANISM_TYPE type);
const struct digest_info *digest_by_mgf(CK_RSA_PKCS_MGF_TYPE mgf);
const struct digest_info *digest_by_kdf(CK_EC_KDF_TYPE kdf);

/* Implementation families: the row of token/mech.c's table of methods. */
enum mech_family {
    FAMILY_DIGEST,
    FAMILY_RSA_GEN,
    FAMILY_RSA_PKCS, /* PKCS#1 v1.5: sign, verify, recover, encrypt, decrypt, wrap, unwrap */
    FAMILY_RSA_PSS,
    FAMILY_RSA_OAEP,
    FAMILY_RSA_X509, /* raw */
    FAMILY_RSA_AES_WRAP,
    FAMILY_EC_GEN,
    FAMILY_ECDSA,
    FAMILY_ECDH,
    FAMILY_EDWARDS_GEN,
    FAMILY_MONTGOMERY_GEN,
    FAMILY_EDDSA,
    FAMILY_AES_GEN,
    FAMILY_AES_ECB,
    FAMILY_AES_CBC,
    FAMILY_AES_CBC_PAD,
    FAMILY_AES_CTR,
    FAMILY_AES_GCM,
    FAMILY_AES_CCM,
    FAMILY_AES_CMAC,
    FAMILY_AES_KW,
    FAMILY_AES_KWP,
    FAMILY_SECRET_GEN,
    FAMILY_HMAC,
    FAMILY_HKDF,
    FAMILY_HKDF_GEN,
    FAMILY_SP800_108,
    FAMILY_PBKDF2,
    FAMILY_CONCAT,     /* CKM_CONCATENATE_BASE_AND_KEY, CKM_CONCATENATE_BASE_AND_DATA */
    FAMILY_PREPEND,    /* CKM_CONCATENATE_DATA_AND_BASE */
    FAMILY_XOR,        /* CKM_XOR_BASE_AND_DATA */
    FAMILY_AES_DERIVE, /* CKM_AES_ECB/CBC_ENCRYPT_DATA */
    FAMILY_ML_DSA_GEN,
    FAMILY_ML_DSA, /* with a digest in the row: HashML-DSA */
    FAMILY_COUNT,
};

enum approval {
    APPROVED,        /* an approved algorithm at every size that the row allows */
    APPROVED_VERIFY, /* legacy: approved to verify or decrypt only (SHA-1) */
    NOT_APPROVED,
};

/* One row of mechanisms.def. */
struct mechanism {
    CK_MECHANISM_TYPE type;
    const char *name; /* "CKM_SHA256_RSA_PKCS" */
    enum param_kind param;
    CK_KEY_TYPE
    key_type;          /* CK_UNAVAILABLE_INFORMATION: none, or more than one (the family knows) */
    CK_FLAGS flags;    /* CKF_SIGN ... as C_GetMechanismInfo answers; CKF_HW is never set */
    CK_ULONG min_size; /* in the unit that the specification gives the mechanism: bits for RSA, EC
                          and generic secret generation, bytes else (ML-DSA: of the public key) */
    CK_ULONG max_size;
    enum digest_id digest; /* of the signed data (mechanism_hashes_first()), of the HMAC, or the
                              digest itself; DIGEST_NONE: the input is raw */
    enum mech_family family;
    enum approval approval;
};

/* NULL when there is no such row. Binary search; any thread. */
const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type);
/* By name, with or without "CKM_", case-insensitive; for CLI and configuration. NULL when unknown.
 */
const struct mechanism *mechanism_by_name(const char *name);
/* Rows in table order. */
size_t mechanism_count(void);
const struct mechanism *mechanism_at(size_t index);
/* A signature mechanism that hashes its input first, so that the caller may send the digest
 * (`prehashed`). Not HMAC. */
bool mechanism_hashes_first(const struct mechanism *mech);
/* Are the sizes of a key that it uses bits (RSA, curves), or bytes? */
bool mechanism_counts_bits(const struct mechanism *mech);

/* SP 800-108: one element of the PRF's input, CK_PRF_DATA_TYPE. */
struct prf_field {
    CK_ULONG type;       /* CK_SP800_108_ITERATION_VARIABLE, _COUNTER, _DKM_LENGTH, _BYTE_ARRAY */
    struct bytes data;   /* of a byte array */
    bool little_endian;  /* counter, DKM length */
    CK_ULONG width_bits; /* counter, DKM length */
    CK_ULONG dkm_method; /* CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS or _SEGMENTS */
};
#define PRF_FIELDS_MAX 16

/* A mechanism with its parameter, checked in shape only. All views are borrowed from whoever
 * decoded it. */
struct mech_call {
    const struct mechanism *mech;
    bool has_param;
    union {
        struct bytes iv;
        CK_ULONG length;
        CK_OBJECT_HANDLE object;
        struct {
            uint8_t block[16];
            CK_ULONG counter_bits;
        } ctr;
        struct {
            struct bytes iv;
            CK_ULONG iv_bits; /* 0 when the caller's struct had none */
            struct bytes aad;
            CK_ULONG tag_bits;
        } gcm;
        struct {
            CK_ULONG data_len;
            struct bytes nonce;
            struct bytes aad;
            CK_ULONG mac_len;
        } ccm;
        struct {
            enum digest_id digest;
            enum digest_id mgf;
            CK_ULONG salt_len;
        } pss;
        struct {
            enum digest_id digest;
            enum digest_id mgf;
            struct bytes label; /* source data */
        } oaep;
        struct {
            CK_ULONG aes_bits;
            enum digest_id digest;
            enum digest_id mgf;
            struct bytes label;
        } rsa_aes;
        struct {
            CK_EC_KDF_TYPE kdf;
            struct bytes shared_info;
            struct bytes peer; /* as the caller gave it: raw or DER */
        } ecdh;
        struct {
            bool ph;
            struct bytes context;
        } eddsa;
        struct {
            CK_HEDGE_TYPE hedge;
            struct bytes context;
        } sign_context;
        struct {
            bool extract;
            bool expand;
            enum digest_id prf;
            CK_ULONG salt_type; /* CKF_HKDF_SALT_* */
            struct bytes salt;
            CK_OBJECT_HANDLE salt_key;
            struct bytes info;
        } hkdf;
        struct {
            CK_MECHANISM_TYPE prf; /* an HMAC or CKM_AES_CMAC */
            size_t field_count;
            struct prf_field fields[PRF_FIELDS_MAX];
        } kdf;
        struct {
            enum digest_id prf;
            struct bytes salt;
            CK_ULONG iterations;
            struct bytes password; /* secret; the codec's owner wipes it */
        } pbkdf2;
        struct {
            struct bytes iv;
            struct bytes data;
        } cbc_data;
    } u;
};

#endif
