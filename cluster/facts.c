/* SPDX-License-Identifier: Apache-2.0 */
/* KeyFacts from an object, without parsing its key. */
#include "cluster/facts.h"

#include "token/key_ml_dsa.h"

#define ED25519_BITS_MAX 256U
#define ED25519_SIGN_LEN 64U  /* RFC 8032 5.1.6 */
#define ED448_SIGN_LEN   114U /* RFC 8032 5.2.6 */

static uint32_t ml_dsa_sign_len(const struct object *object)
{
    const struct key_ml_dsa_set *set = key_ml_dsa_by_bits(object->size_bits);
    return set == NULL ? 0 : set->signature_len;
}

/* Bytes of a signature or block of an asymmetric key. */
static uint32_t output_len(const struct object *object)
{
    uint32_t bytes = (object->size_bits + 7) / 8;
    switch (object->key_type) {
    case CKK_RSA:
        return bytes;
    case CKK_EC:
        return 2 * bytes;
    case CKK_EC_EDWARDS:
        return object->size_bits <= ED25519_BITS_MAX ? ED25519_SIGN_LEN : ED448_SIGN_LEN;
    case CKK_ML_DSA:
        return ml_dsa_sign_len(object);
    default:
        return 0;
    }
}

static enum rc put_mechanisms(struct call *call, const struct object *object, Qhsm__KeyFacts *out)
{
    struct bytes allowed;
    if (!object_attr(object, CKA_ALLOWED_MECHANISMS, &allowed))
        return RC_OK;
    out->restricted = true;
    size_t count = allowed.len / sizeof(uint64_t);
    if (count == 0)
        return RC_OK;
    out->allowed_mechanisms = call_alloc(call, count, sizeof(uint64_t));
    if (out->allowed_mechanisms == NULL)
        return RC_NO_MEMORY;
    struct reader in = reader_of(allowed);
    for (size_t i = 0; i < count; i++)
        out->allowed_mechanisms[i] = reader_u64(&in);
    out->n_allowed_mechanisms = count;
    return RC_OK;
}

enum rc facts_of(struct call *call, const struct object *object, Qhsm__KeyFacts *out)
{
    qhsm__key_facts__init(out);
    out->handle = object->handle;
    out->version = object->version;
    out->slot = object->token;
    out->object_class = object->object_class;
    out->key_type = object->key_type;
    out->size_bits = object->size_bits;
    out->usage = object->usage;
    out->always_authenticate = (object->flags & OBJECT_ALWAYS_AUTHENTICATE) != 0;
    out->is_token = (object->flags & OBJECT_TOKEN) != 0;
    out->is_private = (object->flags & OBJECT_PRIVATE) != 0;
    out->output_len = output_len(object);
    return put_mechanisms(call, object, out);
}
