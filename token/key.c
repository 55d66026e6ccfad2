/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing by class and type, the cache in the object, and what others ask of a key. */
#include "token/key_internal.h"

#include <stdlib.h>

static enum rc secret_parse(struct key *key, struct attrs attrs)
{
    const struct attr *value = attrs_find(attrs, CKA_VALUE);
    if (value == NULL || value->value.len == 0)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "a secret key needs CKA_VALUE");
    size_t len = value->value.len;
    if (key->key_type == CKK_AES && len != 16 && len != 24 && len != 32)
        return rc_fail(RC_ATTRIBUTE_VALUE, "an AES key of %zu bytes; 16, 24 or 32 wanted", len);
    if (len > UINT32_MAX / 8)
        return rc_fail(RC_ATTRIBUTE_VALUE, "a secret key of %zu bytes", len);
    key->bits = (uint32_t)len * 8;
    return secret_from_bytes(&key->value, value->value);
}

static enum rc parse_into(struct key *key, struct attrs attrs)
{
    if (key->object_class == CKO_SECRET_KEY)
        return secret_parse(key, attrs);
    if (key->object_class != CKO_PUBLIC_KEY && key->object_class != CKO_PRIVATE_KEY)
        return rc_fail(RC_KEY_TYPE, "an object of class %lu is no key", key->object_class);
    if (!crypto_lib_offers(key->key_type))
        return crypto_lib_lacks();
    switch (key->key_type) {
    case CKK_RSA:
        return key_rsa_parse(key, attrs);
    case CKK_ML_DSA:
        return key_ml_dsa_parse(key, attrs);
    case CKK_EC:
    case CKK_EC_EDWARDS:
    case CKK_EC_MONTGOMERY:
        return key_ec_parse(key, attrs);
    default:
        return rc_fail(RC_ATTRIBUTE_VALUE, "key type %lu is not offered", key->key_type);
    }
}

enum rc key_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type, struct attrs attrs,
                  struct key **out)
{
    struct key *made = calloc(1, sizeof *made);
    if (made == NULL)
        return rc_fail(RC_NO_MEMORY, "a key");
    made->object_class = object_class;
    made->key_type = key_type;
    enum rc rc = parse_into(made, attrs);
    if (rc != RC_OK) {
        key_free(made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void key_free(struct key *key)
{
    if (key == NULL)
        return;
    key_lanes_clear(key);
    EVP_PKEY_free(key->pkey); /* libcrypto wipes private numbers */
    secret_clear(&key->value);
    free(key);
}

static enum rc parse_object(const struct seal_keys *keys, const struct object *object,
                            struct key **out)
{
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list all = {.count = 0};
    struct attr_list known;
    if (object->sealed.len > 0)
        TRY(object_secrets(keys, object, &store, &all));
    object_attrs(object, &known);
    for (size_t i = 0; i < known.count; i++)
        TRY(attr_list_add(&all, known.items[i].type, known.items[i].value));
    return key_parse(object->object_class, object->key_type, attrs_of(&all), out);
}

enum rc key_get(const struct seal_keys *keys, struct object *object, struct key **out)
{
    struct key *found = atomic_load_explicit(&object->key, memory_order_acquire);
    if (found == NULL) {
        struct key *made = NULL;
        TRY(parse_object(keys, object, &made));
        /* Two threads may parse at once: the first one's key stays. */
        if (atomic_compare_exchange_strong_explicit(&object->key, &found, made,
                                                    memory_order_acq_rel, memory_order_acquire))
            found = made;
        else
            key_free(made);
    }
    *out = found;
    return RC_OK;
}

CK_KEY_TYPE key_type(const struct key *key)
{
    return key->key_type;
}

CK_OBJECT_CLASS key_class(const struct key *key)
{
    return key->object_class;
}

uint32_t key_bits(const struct key *key)
{
    return key->bits;
}

uint32_t key_output_len(const struct key *key)
{
    return key->output_len;
}

/* SP 800-57 part 1 rev. 5, table 2: the strength that a modulus reaches. */
static const struct {
    uint32_t modulus_bits;
    uint32_t strength;
} rsa_strengths[] = {{15360, 256}, {7680, 192}, {3072, 128}, {2048, 112}, {1024, 80}};

uint32_t key_strength(const struct key *key)
{
    if (key->curve != NULL)
        return key->curve->strength;
    if (key->ml_dsa != NULL)
        return key->ml_dsa->strength;
    if (key->object_class == CKO_SECRET_KEY)
        return key->bits < 256 ? key->bits : 256;
    for (size_t i = 0; i < sizeof rsa_strengths / sizeof rsa_strengths[0]; i++)
        if (key->bits >= rsa_strengths[i].modulus_bits)
            return rsa_strengths[i].strength;
    return 0;
}

void material_clear(struct material *material)
{
    buf_clear(&material->public_attrs);
    secret_clear(&material->secret_attrs);
}
