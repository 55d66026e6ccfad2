/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8032 5.1.6, 5.1.7, 5.2.6, 5.2.7 with the domain prefix of contexts and prehashes. */
#include <openssl/err.h>

#include "token/edwards.h"
#include "token/mech_eddsa.h"

#define WIDE_MAX    114U /* two encoded points of edwards448: length of its inner digest */
#define PREHASH_LEN 64U

/* What signing and verifying have in common. `head` is dom2 or dom4. */
struct instance {
    struct edwards curve;
    const EVP_MD *md;
    uint8_t head[32 + 2 + 255];
    size_t head_len;
    uint8_t prehash[PREHASH_LEN];
    struct bytes message;
    uint8_t public_key[EDWARDS_LEN_MAX];
};

/* The inner digest of the parts: SHA-512, or SHAKE256 of the wanted length. */
static enum rc digest(const EVP_MD *md, const struct bytes *parts, size_t count, uint8_t *out,
                      size_t out_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool xof = md == crypto_shake256();
    bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1;
    good = good &&
           (xof ? EVP_DigestFinalXOF(ctx, out, out_len) : EVP_DigestFinal_ex(ctx, out, NULL)) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? RC_OK : crypto_fail(RC_INTERNAL, "digest of EdDSA");
}

static void build_head(struct instance *in, bool ph, struct bytes context)
{
    const char *text = in->curve.is_448 ? "SigEd448" : "SigEd25519 no Ed25519 collisions";
    size_t len = strlen(text);
    memcpy(in->head, text, len);
    in->head[len++] = ph ? 1 : 0;
    in->head[len++] = (uint8_t)context.len;
    if (context.len > 0)
        memcpy(in->head + len, context.ptr, context.len);
    in->head_len = len + context.len;
}

static enum rc set_message(struct instance *in, const struct mech_work *work)
{
    in->message = work->data;
    if (!work->call->u.eddsa.ph)
        return RC_OK;
    if (work->prehashed && work->data.len != PREHASH_LEN)
        return rc_fail(RC_DATA_LEN, "a digest of %zu bytes, EdDSA's has %u", work->data.len,
                       PREHASH_LEN);
    if (work->prehashed)
        return RC_OK;
    TRY(digest(in->md, &work->data, 1, in->prehash, PREHASH_LEN));
    in->message = bytes_of(in->prehash, PREHASH_LEN);
    return RC_OK;
}

static enum rc instance_init(struct instance *in, const struct mech_work *work)
{
    const struct key *key = work->key;
    struct bytes context = work->call->u.eddsa.context;
    size_t len = sizeof in->public_key;
    bool is_448 = key->curve->bits == 448;
    if (context.len > 255)
        return rc_fail(RC_MECHANISM_PARAM, "EdDSA context of %zu bytes", context.len);
    edwards_init(&in->curve, is_448);
    in->md = is_448 ? crypto_shake256() : crypto_md(DIGEST_SHA512);
    build_head(in, work->call->u.eddsa.ph, context);
    TRY(set_message(in, work));
    if (EVP_PKEY_get_raw_public_key(key->pkey, in->public_key, &len) != 1)
        return crypto_fail(RC_INTERNAL, "public EdDSA key");
    return RC_OK;
}

static size_t wide_len(const struct instance *in)
{
    return 2 * in->curve.len;
}

/* digest(head, a, b, message) modulo the order, in Montgomery form. */
static enum rc challenge(const struct instance *in, struct bytes a, struct bytes b,
                         struct limbs *out)
{
    uint8_t wide[WIDE_MAX];
    const struct bytes parts[] = {bytes_of(in->head, in->head_len), a, b, in->message};
    enum rc rc = digest(in->md, parts, 4, wide, wide_len(in));
    if (rc == RC_OK)
        modulus_reduce(&in->curve.order, bytes_of(wide, wide_len(in)), out);
    secret_wipe(wide, sizeof wide);
    return rc;
}

/* RFC 8032 5.1.5, 5.2.5: the secret scalar in the first half of the digest, pruned. */
static void prune(const struct edwards *curve, uint8_t *scalar)
{
    scalar[0] &= curve->is_448 ? 0xFC : 0xF8;
    if (curve->is_448) {
        scalar[56] = 0;
        scalar[55] |= 0x80;
        return;
    }
    scalar[31] = (uint8_t)((scalar[31] & 0x7F) | 0x40);
}

/* What must not outlive a signature. */
struct secrets {
    uint8_t seed[EDWARDS_LEN_MAX];
    uint8_t expanded[WIDE_MAX];
    struct limbs scalar, nonce, product;
    struct limbs plain;
    struct edwards_point point;
};

static enum rc sign_with(const struct instance *in, struct secrets *s, struct buf *out)
{
    const struct edwards *curve = &in->curve;
    const struct modulus *order = &curve->order;
    uint8_t signature[WIDE_MAX];
    const struct bytes seed = bytes_of(s->seed, curve->len);
    TRY(digest(in->md, &seed, 1, s->expanded, wide_len(in)));
    prune(curve, s->expanded);
    modulus_reduce(order, bytes_of(s->expanded, curve->len), &s->scalar);
    TRY(challenge(in, bytes_of(s->expanded + curve->len, curve->len), BYTES_NONE, &s->nonce));
    modulus_leave(order, &s->nonce, &s->plain);
    edwards_mul(curve, &s->plain, &curve->base, &s->point);
    edwards_encode(curve, &s->point, signature);
    TRY(challenge(in, bytes_of(signature, curve->len), bytes_of(in->public_key, curve->len),
                  &s->product));
    modulus_mul(order, &s->product, &s->scalar, &s->product);
    modulus_add(order, &s->product, &s->nonce, &s->product);
    modulus_leave(order, &s->product, &s->plain);
    limbs_bytes(&s->plain, signature + curve->len, curve->len);
    return buf_append(out, bytes_of(signature, wide_len(in)));
}

enum rc mech_eddsa_instance_sign(const struct mech_work *work, struct buf *out)
{
    struct instance in = {.md = NULL};
    struct secrets s = {.plain = {{0}}};
    size_t len = sizeof s.seed;
    TRY(instance_init(&in, work));
    enum rc rc = EVP_PKEY_get_raw_private_key(work->key->pkey, s.seed, &len) == 1
                     ? sign_with(&in, &s, out)
                     : crypto_fail(RC_INTERNAL, "private EdDSA key");
    secret_wipe(&s, sizeof s);
    return rc;
}

/* [S]B - [k]A must encode to R. */
static enum rc holds(const struct instance *in, struct bytes r, struct bytes s, bool *out)
{
    const struct edwards *curve = &in->curve;
    const struct bytes public_key = bytes_of(in->public_key, curve->len);
    struct limbs scalar = limbs_of(s), k = {{0}};
    struct edwards_point a, left, right;
    uint8_t encoded[EDWARDS_LEN_MAX];
    *out = false;
    if (!limbs_less(&scalar, &curve->order.m) || (curve->is_448 && s.ptr[s.len - 1] != 0) ||
        !edwards_decode(curve, public_key, &a))
        return RC_OK;
    TRY(challenge(in, r, public_key, &k));
    modulus_leave(&curve->order, &k, &k);
    edwards_negate(curve, &a);
    edwards_mul(curve, &scalar, &curve->base, &left);
    edwards_mul(curve, &k, &a, &right);
    edwards_add(curve, &left, &right, &left);
    edwards_encode(curve, &left, encoded);
    *out = bytes_equal(bytes_of(encoded, curve->len), r);
    return RC_OK;
}

enum rc mech_eddsa_instance_verify(const struct mech_work *work)
{
    struct instance in = {.md = NULL};
    struct bytes signature = work->signature;
    bool good = false;
    TRY(instance_init(&in, work));
    size_t len = in.curve.len;
    if (signature.len != 2 * len)
        return rc_fail(RC_SIGNATURE_LEN, "an EdDSA signature of %zu bytes", signature.len);
    TRY(holds(&in, bytes_slice(signature, 0, len), bytes_slice(signature, len, len), &good));
    return good ? RC_OK : rc_fail(RC_SIGNATURE_INVALID, "the EdDSA signature does not verify");
}
