/* SPDX-License-Identifier: Apache-2.0 */
/* PINs: the grammar, the policy's checks, and verifiers. */
#include "token/user.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "token/crypto_lib.h"

/* About 10 ms: an online guess is limited by the count of tries, an offline one by the pepper. */
#define PIN_ITERATIONS 20000U

/* A crypto user of that name; false when there is none. */
static bool crypto_user(const struct state *state, uint64_t token, struct bytes name,
                        struct user_row *out)
{
    char text[USER_NAME_MAX + 1] = {0};
    if (name.len == 0 || name.len > USER_NAME_MAX || memchr(name.ptr, 0, name.len) != NULL)
        return false;
    memcpy(text, name.ptr, name.len);
    bool found = state_user(state, token, text, out) == RC_OK && out->role == ROLE_USER;
    if (!found)
        rc_detail_clear();
    return found;
}

static enum rc pick_named(const struct state *state, uint64_t token, enum user_role role,
                          const char *name, struct user_row *out)
{
    enum rc rc = state_user(state, token, name, out);
    if (rc == RC_OK && out->role == role)
        return RC_OK;
    rc_detail_clear();
    return rc_fail(RC_PIN_INCORRECT, "no such user, or a wrong PIN");
}

/* The user before the first colon, else the default user with the whole PIN. */
static enum rc pick_by_pin(const struct state *state, uint64_t token, struct bytes pin,
                           struct user_row *out, struct bytes *password)
{
    const uint8_t *colon = pin.len == 0 ? NULL : memchr(pin.ptr, ':', pin.len);
    if (colon != NULL) {
        size_t at = (size_t)(colon - pin.ptr);
        if (crypto_user(state, token, bytes_slice(pin, 0, at), out)) {
            *password = bytes_slice(pin, at + 1, pin.len);
            return RC_OK;
        }
    }
    *password = pin;
    if (crypto_user(state, token, bytes_of_str(DEFAULT_USER_NAME), out))
        return RC_OK;
    return rc_fail(RC_USER_PIN_NOT_INITIALIZED, "the token has no default user yet");
}

enum rc user_pick(const struct state *state, uint64_t token, enum user_role role, struct bytes pin,
                  const char *name, struct user_row *out_user, struct bytes *out_password)
{
    struct user_row user;
    struct bytes password = pin;
    struct token_row row;
    TRY(state_token(state, token, &row));
    if (role == ROLE_SO)
        TRY(pick_named(state, token, role, SO_USER_NAME, &user));
    else if (role != ROLE_USER)
        return rc_fail(RC_USER_TYPE, "a login is the security officer's or a crypto user's");
    else if (name != NULL && name[0] != 0)
        TRY(pick_named(state, token, role, name, &user));
    else
        TRY(pick_by_pin(state, token, pin, &user, &password));
    if (!user.has_pin)
        return rc_fail(RC_USER_PIN_NOT_INITIALIZED, "user %s has no PIN yet", user.name);
    *out_user = user;
    *out_password = password;
    return RC_OK;
}

enum rc pin_check(const struct policy *policy, struct bytes password)
{
    if (password.len < policy->pin_len_min || password.len > policy->pin_len_max)
        return rc_fail(RC_PIN_LEN, "PIN of %zu bytes, the policy allows %u to %u", password.len,
                       policy->pin_len_min, policy->pin_len_max);
    for (size_t i = 0; i < password.len; i++)
        if (password.ptr[i] < 0x20 || password.ptr[i] == 0x7f)
            return rc_fail(RC_PIN_INVALID, "control characters are not allowed in a PIN");
    return RC_OK;
}

static enum rc pbkdf2(const struct user_row *user, struct bytes password, struct secret *out)
{
    EVP_KDF *kdf = crypto_kdf("PBKDF2");
    char digest[] = "SHA2-256";
    uint8_t salt[PIN_SALT_LEN];
    uint32_t iterations = user->iterations;
    memcpy(salt, user->salt, sizeof salt);
    AUTO_SECRET copy = SECRET_INIT;
    TRY(secret_from_bytes(&copy, password));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, copy.ptr, copy.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &iterations),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    TRY(secret_alloc(out, PIN_HASH_LEN));
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    if (context == NULL)
        return RC_NO_MEMORY;
    bool done = EVP_KDF_derive(context, out->ptr, out->len, params) == 1;
    EVP_KDF_CTX_free(context);
    return done ? RC_OK : crypto_fail(RC_INTERNAL, "PBKDF2 of a PIN failed");
}

/* HMAC(pepper, PBKDF2(password)): the stored row alone does not allow guessing. */
static enum rc verifier(const struct state *state, const struct user_row *user,
                        struct bytes password, uint8_t out[PIN_HASH_LEN])
{
    AUTO_SECRET stretched = SECRET_INIT;
    TRY(pbkdf2(user, password, &stretched));
    return state_pepper_mac(state, secret_expose(&stretched), out);
}

enum rc user_set_pin(const struct state *state, struct user_row *user, struct bytes password)
{
    struct user_row changed = *user;
    changed.iterations = PIN_ITERATIONS;
    changed.has_pin = true;
    TRY(random_bytes(changed.salt, sizeof changed.salt));
    TRY(verifier(state, &changed, password, changed.verifier));
    *user = changed;
    return RC_OK;
}

enum rc user_verify_pin(const struct state *state, const struct user_row *user,
                        struct bytes password)
{
    uint8_t computed[PIN_HASH_LEN];
    if (!user->has_pin)
        return rc_fail(RC_USER_PIN_NOT_INITIALIZED, "user %s has no PIN yet", user->name);
    TRY(verifier(state, user, password, computed));
    bool right = CRYPTO_memcmp(computed, user->verifier, sizeof computed) == 0;
    secret_wipe(computed, sizeof computed);
    return right ? RC_OK : rc_fail(RC_PIN_INCORRECT, "wrong PIN of user %s", user->name);
}
