/* SPDX-License-Identifier: Apache-2.0 */
/* OSSL_PARAM lists whose numbers live in one secret block. */
#include "token/key_params.h"

#include <openssl/bn.h>

enum rc key_params_init(struct key_params *params, size_t room)
{
    *params = (struct key_params){.count = 0, .arena = SECRET_INIT};
    params->items[0] = OSSL_PARAM_construct_end();
    return room == 0 ? RC_OK : secret_alloc(&params->arena, room);
}

void key_params_clear(struct key_params *params)
{
    secret_clear(&params->arena);
    params->count = 0;
}

static enum rc add(struct key_params *params, OSSL_PARAM item)
{
    if (params->count + 1 >= KEY_PARAMS_MAX)
        return rc_fail(RC_INTERNAL, "more than %u parameters of a key", KEY_PARAMS_MAX - 1);
    params->items[params->count++] = item;
    params->items[params->count] = OSSL_PARAM_construct_end();
    return RC_OK;
}

enum rc key_params_uint(struct key_params *params, const char *name, struct bytes number)
{
    if (number.len == 0 || number.len > params->arena.len - params->used)
        return rc_fail(RC_INTERNAL, "no room for the number %s", name);
    uint8_t *at = params->arena.ptr + params->used;
    for (size_t i = 0; i < number.len; i++)
        at[i] = number.ptr[number.len - 1 - i];
    params->used += number.len;
    return add(params, OSSL_PARAM_construct_BN(name, at, number.len));
}

/* OSSL_PARAM has no const form; libcrypto only reads what it is given to build from. */
static void *unconst(const void *ptr)
{
    return (void *)(uintptr_t)ptr;
}

enum rc key_params_octets(struct key_params *params, const char *name, struct bytes value)
{
    return add(params, OSSL_PARAM_construct_octet_string(name, unconst(value.ptr), value.len));
}

enum rc key_params_text(struct key_params *params, const char *name, const char *value)
{
    return add(params, OSSL_PARAM_construct_utf8_string(name, unconst(value), 0));
}

enum rc key_params_build(struct key_params *params, const char *type, int selection, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto_lib(), type, NULL);
    EVP_PKEY *pkey = NULL;
    bool built = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
                 EVP_PKEY_fromdata(ctx, &pkey, selection, params->items) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!built)
        return crypto_fail(RC_ATTRIBUTE_VALUE, "libcrypto refuses the key's numbers");
    *out = pkey;
    return RC_OK;
}

enum rc key_params_get(const EVP_PKEY *pkey, const char *name, size_t width, uint8_t *at,
                       size_t room, size_t *out_len)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return crypto_fail(RC_INTERNAL, name);
    size_t len = (size_t)BN_num_bytes(number);
    if (len < width)
        len = width;
    bool fits = len <= room && BN_bn2binpad(number, at, (int)len) >= 0;
    BN_clear_free(number);
    if (!fits)
        return rc_fail(RC_INTERNAL, "number %s is longer than expected", name);
    *out_len = len;
    return RC_OK;
}
