/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter structs of key derivation: HKDF, SP 800-108, PBKDF2 and derivation by data. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpc/codec_params.h"

enum rc codec_derive_hkdf_in(struct bytes ck, struct buf *out)
{
    CK_HKDF_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    /* What a stage or salt type does not use may be garbage in the caller's struct. */
    bool salted = p.ulSaltType == CKF_HKDF_SALT_DATA;
    bool keyed = p.ulSaltType == CKF_HKDF_SALT_KEY;
    TRY(buf_put_u8(out, p.bExtract));
    TRY(buf_put_u8(out, p.bExpand));
    TRY(buf_put_u64(out, p.prfHashMechanism));
    TRY(buf_put_u64(out, p.ulSaltType));
    TRY(codec_params_put(out, p.pSalt, salted ? p.ulSaltLen : 0));
    TRY(buf_put_u64(out, keyed ? p.hSaltKey : CK_INVALID_HANDLE));
    return codec_params_put(out, p.pInfo, p.bExpand == CK_FALSE ? 0 : p.ulInfoLen);
}

enum rc codec_derive_hkdf_decode(struct reader *r, struct mech_call *out)
{
    TRY(codec_params_bool(r, &out->u.hkdf.extract));
    TRY(codec_params_bool(r, &out->u.hkdf.expand));
    TRY(codec_params_digest(r, &out->u.hkdf.prf));
    CK_ULONG salt_type = reader_u64(r);
    out->u.hkdf.salt_type = salt_type;
    out->u.hkdf.salt = reader_bytes(r);
    out->u.hkdf.salt_key = reader_u64(r);
    out->u.hkdf.info = reader_bytes(r);
    if (!out->u.hkdf.extract && !out->u.hkdf.expand)
        return codec_params_fail("HKDF neither extracts nor expands");
    bool known = salt_type == CKF_HKDF_SALT_NULL || salt_type == CKF_HKDF_SALT_DATA ||
                 salt_type == CKF_HKDF_SALT_KEY;
    /* The salt is of no account when there is no extract stage. */
    return known || !out->u.hkdf.extract ? RC_OK
                                         : codec_params_fail("the HKDF salt's type is not known");
}

/* One field of the PRF's data: {type, little-endian, width, method, bytes}; its value is a format
 * struct or plain bytes, by its type. */
static enum rc put_field(struct buf *out, const CK_PRF_DATA_PARAM *field)
{
    struct bytes value = bytes_of(field->pValue, field->ulValueLen);
    CK_SP800_108_DKM_LENGTH_FORMAT format = {0};
    struct bytes data = BYTES_NONE;
    if (value.ptr == NULL)
        return codec_params_fail("a field of the PRF's data has no value");
    if (field->type == CK_SP800_108_BYTE_ARRAY) {
        data = value;
    } else if (field->type == CK_SP800_108_DKM_LENGTH) {
        TRY(codec_params_copy(value, &format, sizeof format));
    } else {
        CK_SP800_108_COUNTER_FORMAT counter;
        TRY(codec_params_copy(value, &counter, sizeof counter));
        format.bLittleEndian = counter.bLittleEndian;
        format.ulWidthInBits = counter.ulWidthInBits;
    }
    TRY(buf_put_u64(out, field->type));
    TRY(buf_put_u8(out, format.bLittleEndian));
    TRY(buf_put_u64(out, format.ulWidthInBits));
    TRY(buf_put_u64(out, format.dkmLengthMethod));
    return codec_params_put(out, data.ptr, data.len);
}

enum rc codec_derive_kdf_in(struct bytes ck, struct buf *out)
{
    CK_SP800_108_KDF_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    if (p.ulAdditionalDerivedKeys > 0)
        return codec_params_fail("additional derived keys are not supported");
    if (p.pDataParams == NULL || p.ulNumberOfDataParams > PRF_FIELDS_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "%lu fields of the PRF's data, limit %d",
                       p.ulNumberOfDataParams, PRF_FIELDS_MAX);
    TRY(buf_put_u64(out, p.prfType));
    TRY(buf_put_u32(out, (uint32_t)p.ulNumberOfDataParams));
    const uint8_t *at = (const void *)p.pDataParams;
    for (CK_ULONG i = 0; i < p.ulNumberOfDataParams; i++) {
        CK_PRF_DATA_PARAM field;
        memcpy(&field, at + i * sizeof field, sizeof field);
        TRY(put_field(out, &field));
    }
    return RC_OK;
}

static enum rc read_field(struct reader *r, struct prf_field *field)
{
    field->type = reader_u64(r);
    TRY(codec_params_bool(r, &field->little_endian));
    field->width_bits = reader_u64(r);
    field->dkm_method = reader_u64(r);
    field->data = reader_bytes(r);
    if (field->type == CK_SP800_108_BYTE_ARRAY)
        return RC_OK;
    bool is_length = field->type == CK_SP800_108_DKM_LENGTH;
    if (!is_length && field->type != CK_SP800_108_ITERATION_VARIABLE)
        return rc_fail(RC_MECHANISM_PARAM, "a field of type %lu in the PRF's data", field->type);
    CK_ULONG widest = is_length ? 64 : 32;
    if (field->width_bits == 0 || field->width_bits % 8 != 0 || field->width_bits > widest)
        return rc_fail(RC_MECHANISM_PARAM, "a counter or length of %lu bits", field->width_bits);
    if (is_length && field->dkm_method != CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS &&
        field->dkm_method != CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS)
        return codec_params_fail("the method of the DKM length is not known");
    return RC_OK;
}

/* SP 800-108 4.1: counter mode has its counter exactly once. */
enum rc codec_derive_kdf_decode(struct reader *r, struct mech_call *out)
{
    out->u.kdf.prf = reader_u64(r);
    uint32_t count = reader_u32(r);
    if (count > PRF_FIELDS_MAX)
        return codec_params_fail("too many fields in the PRF's data");
    unsigned counters = 0;
    for (uint32_t i = 0; i < count; i++) {
        TRY(read_field(r, &out->u.kdf.fields[i]));
        counters += out->u.kdf.fields[i].type == CK_SP800_108_ITERATION_VARIABLE;
    }
    out->u.kdf.field_count = count;
    return counters == 1 ? RC_OK : codec_params_fail("the PRF's data has not exactly one counter");
}

/* The older struct has a pointer where the newer has the password's length, and both have one size.
 * No length of ours reaches the lowest address that a process can own; and a pointer is tried by
 * the kernel, which answers EFAULT where we would crash. */
static enum rc password_len(CK_ULONG len_or_pointer, CK_ULONG *out)
{
    if (len_or_pointer < PARAM_MAX) {
        *out = len_or_pointer;
        return RC_OK;
    }
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return rc_fail(RC_IO, "no pipe to read the length of the PBKDF2 password by");
    const void *pointer = NULL;
    memcpy(&pointer, &len_or_pointer, sizeof pointer);
    CK_ULONG len = 0;
    /* Not write(): a sanitizer's wrapper would look at the memory first. */
    bool good = syscall(SYS_write, fds[1], pointer, sizeof len) == (long)sizeof len &&
                read(fds[0], &len, sizeof len) == (ssize_t)sizeof len;
    (void)close(fds[0]);
    (void)close(fds[1]);
    if (!good)
        return codec_params_fail("the length of the PBKDF2 password is neither small nor readable");
    *out = len;
    return RC_OK;
}

enum rc codec_derive_pbkdf2_in(struct bytes ck, struct buf *out)
{
    CK_PKCS5_PBKD2_PARAMS2 p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    if (p.saltSource != CKZ_SALT_SPECIFIED)
        return codec_params_fail("the salt's source is not CKZ_SALT_SPECIFIED");
    if (p.ulPrfDataLen > 0)
        return codec_params_fail("the PBKDF2 function takes no data");
    CK_ULONG password = 0;
    TRY(password_len(p.ulPasswordLen, &password));
    TRY(buf_put_u64(out, p.prf));
    TRY(codec_params_put(out, p.pSaltSourceData, p.ulSaltSourceDataLen));
    TRY(buf_put_u64(out, p.iterations));
    return codec_params_put(out, p.pPassword, password);
}

static enum digest_id pbkdf2_digest(CK_ULONG prf)
{
    static const enum digest_id by_prf[] = {
        [CKP_PKCS5_PBKD2_HMAC_SHA1] = DIGEST_SHA1,
        [CKP_PKCS5_PBKD2_HMAC_SHA224] = DIGEST_SHA224,
        [CKP_PKCS5_PBKD2_HMAC_SHA256] = DIGEST_SHA256,
        [CKP_PKCS5_PBKD2_HMAC_SHA384] = DIGEST_SHA384,
        [CKP_PKCS5_PBKD2_HMAC_SHA512] = DIGEST_SHA512,
        [CKP_PKCS5_PBKD2_HMAC_SHA512_224] = DIGEST_SHA512_224,
        [CKP_PKCS5_PBKD2_HMAC_SHA512_256] = DIGEST_SHA512_256,
    };
    return prf < sizeof by_prf / sizeof by_prf[0] ? by_prf[prf] : DIGEST_NONE;
}

enum rc codec_derive_pbkdf2_decode(struct reader *r, struct mech_call *out)
{
    CK_ULONG prf = reader_u64(r);
    out->u.pbkdf2.prf = pbkdf2_digest(prf);
    out->u.pbkdf2.salt = reader_bytes(r);
    out->u.pbkdf2.iterations = reader_u64(r);
    out->u.pbkdf2.password = reader_bytes(r);
    if (out->u.pbkdf2.prf == DIGEST_NONE)
        return rc_fail(RC_MECHANISM_PARAM, "PBKDF2 function %lu is not known", prf);
    return out->u.pbkdf2.iterations > 0 ? RC_OK : codec_params_fail("PBKDF2 without an iteration");
}

enum rc codec_derive_string_in(struct bytes ck, struct buf *out)
{
    CK_KEY_DERIVATION_STRING_DATA p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    return codec_params_put(out, p.pData, p.ulLen);
}

enum rc codec_derive_string_decode(struct reader *r, struct mech_call *out)
{
    out->u.iv = reader_bytes(r);
    return out->u.iv.len > 0 ? RC_OK : codec_params_fail("there is no data to derive with");
}

enum rc codec_derive_cbc_in(struct bytes ck, struct buf *out)
{
    CK_AES_CBC_ENCRYPT_DATA_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_append(out, bytes_of(p.iv, sizeof p.iv)));
    return codec_params_put(out, p.pData, p.length);
}

enum rc codec_derive_cbc_decode(struct reader *r, struct mech_call *out)
{
    out->u.cbc_data.iv = reader_raw(r, 16);
    out->u.cbc_data.data = reader_bytes(r);
    return out->u.cbc_data.data.len > 0 ? RC_OK
                                        : codec_params_fail("there is no data to derive with");
}
