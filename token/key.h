/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed key, cached with its object version: EVP_PKEY or raw bytes, and ready contexts for every
 * lane. */
#ifndef QHSM_TOKEN_KEY_H
#define QHSM_TOKEN_KEY_H

#include "token/crypto_lib.h"
#include "token/object.h"

struct key;

/* Parses attributes (public and secret halves of one object in one list). Checks what costs little
 * (sizes, point on curve, consistency of a private key's numbers at creation is key_validate's).
 * RC_ATTRIBUTE_VALUE, RC_TEMPLATE_INCOMPLETE, RC_CURVE, RC_PUBLIC_KEY. */
enum rc key_parse(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type, struct attrs attrs,
                  struct key **out);
void key_free(struct key *key); /* wipes */
/* The object's cached key, parsed at first use; valid while the caller holds the object. Any
 * thread. */
enum rc key_get(const struct seal_keys *keys, struct object *object, struct key **out);
/* Full consistency check for imported private keys (pairwise). Milliseconds. RC_ATTRIBUTE_VALUE. */
enum rc key_validate(const struct key *key);

CK_KEY_TYPE key_type(const struct key *key);
CK_OBJECT_CLASS key_class(const struct key *key);
uint32_t key_bits(const struct key *key);       /* modulus, field or secret bits; ML-DSA: of the
                                                   public key */
uint32_t key_output_len(const struct key *key); /* RSA: modulus bytes; EC: 2 * field bytes; EdDSA,
                                                   ML-DSA: signature bytes; 0 else */
uint32_t key_strength(const struct key *key);   /* SP 800-57 part 1, table 2: security bits */

/* CKA_EC_POINT in canonical form: Weierstrass uncompressed in a DER OCTET STRING, Edwards and
 * Montgomery raw; given raw or DER (told apart by the curve's length), compressed or not. Appended.
 * RC_CURVE, RC_PUBLIC_KEY. */
enum rc key_ec_point(CK_KEY_TYPE key_type, struct bytes params, struct bytes point,
                     struct buf *out);

/* What a mechanism contributes to a new object: canonical attributes. The template engine adds the
 * rest. */
struct material {
    struct buf public_attrs;    /* attrs_encode() form */
    struct secret secret_attrs; /* attrs_encode() form */
};
#define MATERIAL_INIT                                         \
    {                                                         \
        .public_attrs = BUF_INIT, .secret_attrs = SECRET_INIT \
    }
void material_clear(struct material *material);
static inline void material_auto_clear(struct material *m)
{
    material_clear(m);
}
#define AUTO_MATERIAL __attribute__((cleanup(material_auto_clear))) struct material

/* CKA_PUBLIC_KEY_INFO (SPKI DER) of a private or public asymmetric key; CKA_CHECK_VALUE (first 3
 * bytes) of a secret key. */
enum rc key_public_info(const struct key *key, struct buf *out);
enum rc key_check_value(const struct key *key, struct buf *out);
/* PKCS#8 of a private key (for wrapping) or the raw value of a secret key. */
enum rc key_export(const struct key *key, struct secret *out);
/* The reverse, for unwrapping: `key_type` as the template says. RC_WRAPPED_KEY when it does not
 * parse. */
enum rc key_import(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type, struct bytes plain,
                   struct material *out);

#endif
