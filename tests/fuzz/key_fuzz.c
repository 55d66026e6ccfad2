/* SPDX-License-Identifier: Apache-2.0 */
/* Unwrapped bytes as keys of every type, points in every form: no crash, and what is accepted comes
 * back from its own export. */
#include <stdint.h>
#include <stdlib.h>

#include "token/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY, CKK_ML_DSA};

static struct key *parse(CK_KEY_TYPE type, const struct material *material)
{
    struct attr_list attrs, secret;
    struct key *key = NULL;
    if (attrs_decode(buf_bytes(&material->public_attrs), &attrs) != RC_OK ||
        attrs_decode(secret_expose(&material->secret_attrs), &secret) != RC_OK)
        abort();
    for (size_t i = 0; i < secret.count; i++)
        if (attr_list_add(&attrs, secret.items[i].type, secret.items[i].value) != RC_OK)
            abort();
    if (key_parse(CKO_PRIVATE_KEY, type, attrs_of(&attrs), &key) != RC_OK)
        abort();
    return key;
}

static void private_key(CK_KEY_TYPE type, struct bytes input)
{
    AUTO_MATERIAL material = MATERIAL_INIT, again = MATERIAL_INIT;
    AUTO_SECRET exported = SECRET_INIT;
    if (key_import(CKO_PRIVATE_KEY, type, input, &material) != RC_OK)
        return;
    struct key *key = parse(type, &material);
    if (key_export(key, &exported) != RC_OK ||
        key_import(CKO_PRIVATE_KEY, type, secret_expose(&exported), &again) != RC_OK ||
        !secret_equal(&material.secret_attrs, secret_expose(&again.secret_attrs)))
        abort();
    key_free(key);
}

/* The first byte says how long the curve's name is; the point follows. */
static void point(CK_KEY_TYPE type, struct bytes input)
{
    AUTO_BUF out = BUF_INIT, again = BUF_INIT;
    struct bytes params = bytes_slice(input, 1, input.ptr[0]);
    struct bytes rest = bytes_slice(input, 1 + params.len, input.len);
    if (key_ec_point(type, params, rest, &out) != RC_OK)
        return;
    if (key_ec_point(type, params, buf_bytes(&out), &again) != RC_OK ||
        !bytes_equal(buf_bytes(&out), buf_bytes(&again)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2 || crypto_lib_init() != RC_OK)
        return 0;
    CK_KEY_TYPE type = types[data[0] % 4];
    struct bytes input = bytes_of(data + 1, len - 1);
    if (data[0] < 128)
        private_key(type, input);
    else
        point(type, input);
    return 0;
}
