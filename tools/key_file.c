/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/key_file.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <strings.h>

#include "rpc/tls.h"
#include "tools/dev.h"

void key_file_clear(struct key_file *file)
{
    for (size_t i = 0; i < file->part_count; i++)
        secret_clear(&file->parts[i]);
    file->part_count = 0;
}

/* A kept copy, as an attribute of `list`. */
static enum rc add(struct key_file *file, struct attr_list *list, CK_ATTRIBUTE_TYPE type,
                   struct bytes value)
{
    if (file->part_count == KEY_FILE_PARTS)
        return RC_TOO_LARGE;
    struct secret *part = &file->parts[file->part_count];
    *part = (struct secret)SECRET_INIT;
    TRY(secret_from_bytes(part, value));
    file->part_count++;
    return attr_list_add(list, type, secret_expose(part));
}

static enum rc add_ulong(struct key_file *file, struct attr_list *list, CK_ATTRIBUTE_TYPE type,
                         CK_ULONG value)
{
    uint8_t raw[8];
    return add(file, list, type, attr_ulong(raw, value));
}

static enum rc add_number(struct key_file *file, struct attr_list *list, CK_ATTRIBUTE_TYPE type,
                          const EVP_PKEY *pkey, const char *param)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, param, &number) != 1)
        return rc_fail(RC_BAD_ARGUMENT, "the key has no %s", param);
    AUTO_SECRET raw = SECRET_INIT;
    enum rc rc = secret_alloc(&raw, (size_t)BN_num_bytes(number));
    if (rc == RC_OK) {
        (void)BN_bn2bin(number, raw.ptr);
        rc = add(file, list, type, secret_expose(&raw));
    }
    BN_clear_free(number);
    return rc;
}

static enum rc add_rsa(struct key_file *file, const EVP_PKEY *pkey)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *param;
        bool is_public;
    } numbers[] = {{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N, true},
                   {CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E, true},
                   {CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D, false},
                   {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1, false},
                   {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2, false},
                   {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1, false},
                   {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2, false},
                   {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, false}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        TRY(add_number(file, &file->private_attrs, numbers[i].type, pkey, numbers[i].param));
        if (numbers[i].is_public)
            TRY(add_number(file, &file->public_attrs, numbers[i].type, pkey, numbers[i].param));
    }
    return RC_OK;
}

/* Curve as PrintableString is no DER OID: the OID comes from the name's object. */
static enum rc add_params(struct key_file *file, const char *group)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(group, 0);
    uint8_t der[32];
    uint8_t *end = der;
    int len = oid == NULL ? 0 : i2d_ASN1_OBJECT(oid, NULL);
    if (len > 0 && (size_t)len <= sizeof der)
        (void)i2d_ASN1_OBJECT(oid, &end);
    ASN1_OBJECT_free(oid);
    if (end == der)
        return rc_fail(RC_CURVE, "%s", group);
    TRY(add(file, &file->private_attrs, CKA_EC_PARAMS, bytes_of(der, (size_t)(end - der))));
    return add(file, &file->public_attrs, CKA_EC_PARAMS, bytes_of(der, (size_t)(end - der)));
}

static enum rc add_ec(struct key_file *file, const EVP_PKEY *pkey)
{
    char group[64];
    uint8_t point[200];
    size_t len = 0;
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                       NULL) != 1 ||
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) !=
            1)
        return rc_fail(RC_BAD_ARGUMENT, "the key has no named curve or no point");
    TRY(add_params(file, group));
    TRY(add(file, &file->public_attrs, CKA_EC_POINT, bytes_of(point, len)));
    return add_number(file, &file->private_attrs, CKA_VALUE, pkey, OSSL_PKEY_PARAM_PRIV_KEY);
}

static enum rc add_raw(struct key_file *file, const EVP_PKEY *pkey)
{
    uint8_t point[64];
    uint8_t value[64];
    size_t point_len = sizeof point;
    size_t value_len = sizeof value;
    if (EVP_PKEY_get_raw_public_key(pkey, point, &point_len) != 1 ||
        EVP_PKEY_get_raw_private_key(pkey, value, &value_len) != 1)
        return rc_fail(RC_BAD_ARGUMENT, "the key's numbers cannot be read");
    enum rc rc = add_params(file, EVP_PKEY_get0_type_name(pkey));
    if (rc == RC_OK)
        rc = add(file, &file->private_attrs, CKA_VALUE, bytes_of(value, value_len));
    secret_wipe(value, sizeof value);
    TRY(rc);
    return add(file, &file->public_attrs, CKA_EC_POINT, bytes_of(point, point_len));
}

static enum rc add_pkey(struct key_file *file, const EVP_PKEY *pkey)
{
    static const struct {
        const char *name;
        CK_KEY_TYPE type;
        enum rc (*add)(struct key_file *file, const EVP_PKEY *pkey);
    } kinds[] = {{"RSA", CKK_RSA, add_rsa},
                 {"EC", CKK_EC, add_ec},
                 {"ED25519", CKK_EC_EDWARDS, add_raw},
                 {"ED448", CKK_EC_EDWARDS, add_raw},
                 {"X25519", CKK_EC_MONTGOMERY, add_raw},
                 {"X448", CKK_EC_MONTGOMERY, add_raw}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (EVP_PKEY_is_a(pkey, kinds[i].name) != 1)
            continue;
        TRY(add_ulong(file, &file->private_attrs, CKA_CLASS, CKO_PRIVATE_KEY));
        TRY(add_ulong(file, &file->private_attrs, CKA_KEY_TYPE, kinds[i].type));
        TRY(add_ulong(file, &file->public_attrs, CKA_CLASS, CKO_PUBLIC_KEY));
        TRY(add_ulong(file, &file->public_attrs, CKA_KEY_TYPE, kinds[i].type));
        return kinds[i].add(file, pkey);
    }
    return rc_fail(RC_UNSUPPORTED, "keys of type %s", EVP_PKEY_get0_type_name(pkey));
}

static enum rc read_pem(const char *path, struct bytes pem, struct key_file *out)
{
    OSSL_LIB_CTX *lib = NULL;
    TRY(tls_library_new(&lib));
    EVP_PKEY *pkey = NULL;
    const unsigned char *at = pem.ptr;
    size_t left = pem.len;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, lib, NULL);
    bool is_read = decoder != NULL && OSSL_DECODER_from_data(decoder, &at, &left) == 1;
    enum rc rc =
        is_read ? add_pkey(out, pkey)
                : rc_fail(RC_BAD_ARGUMENT, "%s: no private key without a passphrase in it", path);
    OSSL_DECODER_CTX_free(decoder);
    EVP_PKEY_free(pkey);
    tls_library_free(lib);
    return rc;
}

static enum rc add_secret(struct key_file *file, const char *type, struct bytes raw)
{
    static const struct {
        const char *name;
        CK_KEY_TYPE type;
    } types[] = {{"aes", CKK_AES}, {"generic", CKK_GENERIC_SECRET}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(type, types[i].name) == 0) {
            TRY(add_ulong(file, &file->private_attrs, CKA_CLASS, CKO_SECRET_KEY));
            TRY(add_ulong(file, &file->private_attrs, CKA_KEY_TYPE, types[i].type));
            return add(file, &file->private_attrs, CKA_VALUE, raw);
        }
    return rc_fail(RC_BAD_ARGUMENT, "--type %s: known are aes and generic", type);
}

enum rc key_file_read(const char *path, const char *type, struct key_file *out)
{
    out->private_attrs.count = 0;
    out->public_attrs.count = 0;
    out->part_count = 0;
    AUTO_BUF content = BUF_INIT_MAX((size_t)64 * 1024);
    TRY(dev_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &content));
    enum rc rc = type == NULL ? read_pem(path, buf_bytes(&content), out)
                              : add_secret(out, type, buf_bytes(&content));
    if (rc != RC_OK)
        key_file_clear(out);
    return rc;
}
