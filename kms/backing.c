/* SPDX-License-Identifier: Apache-2.0 */
/* The use of a key's material wherever it is. */
#include "kms/backing.h"

#include "kms/backing_place.h"
#include "kms/store.h"

static bool is_symmetric(const struct key *key)
{
    return key->spec == KEYSTORE_SPEC_AES_256;
}

static bool is_xks(const struct key *key)
{
    return key->origin == ORIGIN_XKS;
}

/* Tells an attempt's rc from an error of AWS's that came on the way to it. */
static enum kms_error open_place(struct kms_request *request, const struct record *key,
                                 struct backing_place *out)
{
    return backing_place_open(request->kms, request, key_of(key), out);
}

/* ---- encryption */

struct encrypting {
    struct hsm_encrypt in;
    struct buf *out;
    struct secret *out_plain;
    struct buf *out_public_der;
};

static enum rc try_encrypt(void *context, struct hsm_client *hsm, uint64_t handle)
{
    struct encrypting *use = context;
    use->in.key = handle;
    return hsm_encrypt(hsm, &use->in, use->out, use->out_plain, use->out_public_der);
}

static struct hsm_encrypt encrypt_of(const struct backing_place *place,
                                     const struct hsm_encrypt *in)
{
    struct hsm_encrypt own = *in;
    own.view = place->view;
    if (is_symmetric(place->key))
        own.algorithm = KEYSTORE_GCM;
    return own;
}

static enum kms_error encrypt(const struct backing_place *place,
                              const struct key_material *material, struct encrypting *use)
{
    use->in = encrypt_of(place, &use->in);
    return backing_place_fail(place, backing_place_use(place, material, try_encrypt, use));
}

/* By our own material first, and what comes of that by the external key. */
static enum kms_error encrypt_twice(struct kms_request *request, const struct backing_place *place,
                                    const struct key_material *material, struct encrypting *use)
{
    AUTO_BUF once = BUF_INIT;
    struct buf *out = use->out;
    use->out = &once; /* cppcheck-suppress autoVariables */
    KMS_TRY(encrypt(place, material, use));
    return stores_xks_encrypt(request, place->store, place->key, use->in.aad, buf_bytes(&once),
                              out);
}

enum kms_error backing_encrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_encrypt *in,
                               struct buf *out, struct secret *out_plain,
                               struct buf *out_public_der)
{
    AUTO_PLACE place = {.kms = NULL};
    struct encrypting use = {
        .in = *in, .out = out, .out_plain = out_plain, .out_public_der = out_public_der};
    KMS_TRY(open_place(request, key, &place));
    return is_xks(key_of(key)) ? encrypt_twice(request, &place, material, &use)
                               : encrypt(&place, material, &use);
}

/* ---- decryption */

struct decrypting {
    struct hsm_decrypt in;
    struct secret *out;
};

static enum rc try_decrypt(void *context, struct hsm_client *hsm, uint64_t handle)
{
    struct decrypting *use = context;
    use->in.key = handle;
    return hsm_decrypt(hsm, &use->in, use->out);
}

static struct hsm_decrypt decrypt_of(const struct backing_place *place,
                                     const struct hsm_decrypt *in)
{
    struct hsm_decrypt own = *in;
    own.view = place->view;
    if (is_symmetric(place->key))
        own.algorithm = KEYSTORE_GCM;
    return own;
}

static enum kms_error decrypt(const struct backing_place *place,
                              const struct key_material *material, struct decrypting *use)
{
    use->in = decrypt_of(place, &use->in);
    return backing_place_fail(place, backing_place_use(place, material, try_decrypt, use));
}

static enum kms_error decrypt_twice(struct kms_request *request, const struct backing_place *place,
                                    const struct key_material *material, struct decrypting *use)
{
    AUTO_SECRET once = SECRET_INIT;
    KMS_TRY(stores_xks_decrypt(request, place->store, place->key, use->in.aad, use->in.ciphertext,
                               &once));
    use->in.ciphertext = secret_expose(&once);
    return decrypt(place, material, use);
}

enum kms_error backing_decrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_decrypt *in,
                               struct secret *out)
{
    AUTO_PLACE place = {.kms = NULL};
    struct decrypting use = {.in = *in, .out = out};
    KMS_TRY(open_place(request, key, &place));
    return is_xks(key_of(key)) ? decrypt_twice(request, &place, material, &use)
                               : decrypt(&place, material, &use);
}

/* ---- from one key to another */

struct reencrypting {
    const struct backing_place *from, *to;
    const struct key_material *from_material, *to_material;
    struct hsm_decrypt in;
    struct hsm_encrypt out_in;
    struct buf *out;
};

/* Not said which of the two is missing: either is found again. */
static enum rc find_both(struct reencrypting *use)
{
    struct backing_handles *handles = use->from->kms->handles;
    TRY(backing_handles_find(handles, use->from->hsm, use->from->key->id,
                             use->from_material->hsm_id, &use->in.key));
    return backing_handles_find(handles, use->to->hsm, use->to->key->id, use->to_material->hsm_id,
                                &use->out_in.key);
}

static enum rc reencrypt(struct reencrypting *use)
{
    use->in = decrypt_of(use->from, &use->in);
    use->out_in = encrypt_of(use->to, &use->out_in);
    TRY(backing_place_handle(use->from, use->from_material, &use->in.key));
    TRY(backing_place_handle(use->to, use->to_material, &use->out_in.key));
    enum rc rc = hsm_reencrypt(use->from->hsm, &use->in, &use->out_in, use->out);
    if (!backing_place_is_missing(rc))
        return rc;
    TRY(find_both(use));
    return hsm_reencrypt(use->from->hsm, &use->in, &use->out_in, use->out);
}

/* *out_done false: they are not in one cluster. */
static enum kms_error reencrypt_inside(struct kms_request *request, const struct record *from,
                                       const struct record *to, struct reencrypting *use,
                                       bool *out_done)
{
    AUTO_PLACE from_place = {.kms = NULL};
    AUTO_PLACE to_place = {.kms = NULL};
    KMS_TRY(open_place(request, from, &from_place));
    KMS_TRY(open_place(request, to, &to_place));
    *out_done = from_place.hsm == to_place.hsm;
    if (!*out_done)
        return KMS_OK;
    /* `use` is not looked at after this call. */
    use->from = &from_place; /* cppcheck-suppress autoVariables */
    use->to = &to_place;     /* cppcheck-suppress autoVariables */
    return backing_place_fail(&from_place, reencrypt(use));
}

enum kms_error backing_reencrypt(struct kms_request *request, const struct record *from,
                                 const struct key_material *from_material,
                                 const struct hsm_decrypt *in, const struct record *to,
                                 const struct key_material *to_material,
                                 const struct hsm_encrypt *out_in, struct buf *out)
{
    bool is_done = false;
    struct reencrypting use = {.from_material = from_material,
                               .to_material = to_material,
                               .in = *in,
                               .out_in = *out_in,
                               .out = out};
    if (!is_xks(key_of(from)) && !is_xks(key_of(to)))
        KMS_TRY(reencrypt_inside(request, from, to, &use, &is_done));
    if (is_done)
        return KMS_OK;
    AUTO_SECRET plain = SECRET_INIT;
    KMS_TRY(backing_decrypt(request, from, from_material, in, &plain));
    struct hsm_encrypt again = *out_in;
    again.plain = secret_expose(&plain);
    return backing_encrypt(request, to, to_material, &again, out, NULL, NULL);
}

/* ---- signatures, MACs, agreement: of the current material */

static enum kms_error use_current(struct kms_request *request, const struct record *record,
                                  backing_attempt attempt, void *context, uint64_t *out_view)
{
    AUTO_PLACE place = {.kms = NULL};
    const struct key_material *material = key_current(key_of(record), request->now_ms);
    KMS_TRY(open_place(request, record, &place));
    if (material == NULL)
        return backing_place_fail(&place, RC_OBJECT_HANDLE);
    *out_view = place.view;
    return backing_place_fail(&place, backing_place_use(&place, material, attempt, context));
}

struct signing {
    struct hsm_sign in;
    struct bytes signature; /* to verify */
    bool is_valid;
    struct buf *out;
};

static enum rc try_sign(void *context, struct hsm_client *hsm, uint64_t handle)
{
    struct signing *use = context;
    use->in.key = handle;
    return hsm_sign(hsm, &use->in, use->out);
}

enum kms_error backing_sign(struct kms_request *request, const struct record *key,
                            const struct hsm_sign *in, struct buf *out)
{
    struct signing use = {.in = *in, .out = out};
    return use_current(request, key, try_sign, &use, &use.in.view);
}

static enum rc try_verify(void *context, struct hsm_client *hsm, uint64_t handle)
{
    struct signing *use = context;
    use->in.key = handle;
    enum rc rc = hsm_verify(hsm, &use->in, use->signature);
    use->is_valid = rc == RC_OK;
    return rc == RC_SIGNATURE_INVALID || rc == RC_SIGNATURE_LEN ? RC_OK : rc;
}

enum kms_error backing_verify(struct kms_request *request, const struct record *key,
                              const struct hsm_sign *in, struct bytes signature, bool *out_valid)
{
    struct signing use = {.in = *in, .signature = signature};
    KMS_TRY(use_current(request, key, try_verify, &use, &use.in.view));
    *out_valid = use.is_valid;
    return KMS_OK;
}

struct agreeing {
    uint64_t view;
    struct bytes peer_der;
    struct secret *out;
};

static enum rc try_agree(void *context, struct hsm_client *hsm, uint64_t handle)
{
    struct agreeing *use = context;
    return hsm_agree(hsm, use->view, handle, use->peer_der, use->out);
}

enum kms_error backing_agree(struct kms_request *request, const struct record *key,
                             struct bytes peer_der, struct secret *out)
{
    struct agreeing use = {.peer_der = peer_der, .out = out};
    return use_current(request, key, try_agree, &use, &use.view);
}
