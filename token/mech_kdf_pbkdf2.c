/* SPDX-License-Identifier: Apache-2.0 */
/* PBKDF2, RFC 8018 5.2: a key from a password, made by C_GenerateKey. */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <stdio.h>

#include "token/mech_kdf.h"

/* More would hold a thread for seconds. */
#define ITERATIONS_MAX 10000000UL
#define LEN_MAX        1024U

static enum rc check(const struct mech_call *call, size_t value_len)
{
    if (digest_info(call->u.pbkdf2.prf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "PBKDF2 without a digest");
    if (call->u.pbkdf2.iterations == 0 || call->u.pbkdf2.iterations > ITERATIONS_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "%lu iterations, PBKDF2 takes 1 to %lu",
                       call->u.pbkdf2.iterations, ITERATIONS_MAX);
    if (value_len == 0)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is missing for %s", call->mech->name);
    if (value_len > LEN_MAX)
        return rc_fail(RC_KEY_SIZE, "%zu bytes wanted, PBKDF2 gives up to %u", value_len, LEN_MAX);
    return RC_OK;
}

/* libcrypto takes no const; it changes nothing. */
static OSSL_PARAM octets(const char *name, struct bytes b)
{
    static uint8_t empty[1];
    union {
        const uint8_t *in;
        void *out;
    } view = {.in = b.len == 0 ? empty : b.ptr};
    return OSSL_PARAM_construct_octet_string(name, view.out, b.len);
}

static enum rc run(const struct mech_call *call, struct secret *out)
{
    char digest[32];
    int relaxed = 1; /* the lower limits of SP 800-132 are the policy's to enforce */
    uint64_t iterations = call->u.pbkdf2.iterations;
    (void)snprintf(digest, sizeof digest, "%s", digest_info(call->u.pbkdf2.prf)->name);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_PASSWORD, call->u.pbkdf2.password),
        octets(OSSL_KDF_PARAM_SALT, call->u.pbkdf2.salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &relaxed),
        OSSL_PARAM_END,
    };
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(crypto_kdf("PBKDF2"));
    if (context == NULL)
        return RC_NO_MEMORY;
    int done = EVP_KDF_derive(context, out->ptr, out->len, params);
    EVP_KDF_CTX_free(context);
    return done == 1 ? RC_OK : crypto_fail(RC_INTERNAL, "PBKDF2");
}

static enum rc derive(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out)
{
    (void)base;
    (void)second;
    (void)lane;
    AUTO_SECRET derived = SECRET_INIT;
    TRY(check(call, value_len));
    TRY(secret_alloc(&derived, value_len));
    TRY(run(call, &derived));
    return mech_kdf_give(&derived, value_len, out);
}

/* The template says what kind of key it is to be, which may have lengths of its own. */
static enum rc check_value(const struct secret *value, struct attrs wanted)
{
    struct key *key = NULL;
    CK_ULONG type = CKK_GENERIC_SECRET;
    const struct attr attr = {.type = CKA_VALUE, .value = secret_expose(value)};
    (void)attrs_get_ulong(wanted, CKA_KEY_TYPE, &type);
    enum rc rc = key_parse(CKO_SECRET_KEY, type, (struct attrs){.ptr = &attr, .count = 1}, &key);
    key_free(key);
    return rc;
}

static enum rc generate(const struct mech_call *call, struct attrs wanted, struct material *out)
{
    AUTO_SECRET value = SECRET_INIT;
    CK_ULONG len = 0;
    (void)attrs_get_ulong(wanted, CKA_VALUE_LEN, &len);
    TRY(derive(call, NULL, NULL, 0, len, &value));
    TRY(check_value(&value, wanted));
    return mech_secret_material(&value, out);
}

const struct mech_methods mech_pbkdf2 = {.derive = derive, .generate = generate};
