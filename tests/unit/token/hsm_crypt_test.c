/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: what a use of a key answers when it is lawful and when it is not. */
#include <pthread.h>

#include "tests/unit/token/hsm_fixture.h"

static const char message[] = "to be signed";

static int sign_as(const struct caller *caller, uint64_t key, CK_MECHANISM_TYPE type,
                   uint64_t version, struct buf *out)
{
    AUTO_BUF iv = BUF_INIT;
    struct mech_call call = call_of(type);
    return (int)hsm_crypt(fixture_shared()->hsm, caller, CRYPT_SIGN, key, version, &call, false,
                          bytes_of_str(message), BYTES_NONE, out, &iv);
}

static int sign(uint64_t key, CK_MECHANISM_TYPE type)
{
    AUTO_BUF out = BUF_INIT;
    return sign_as(&fixture_shared()->user, key, type, 0, &out);
}

static int verify(uint64_t key, CK_MECHANISM_TYPE type, const char *data, struct bytes signature)
{
    AUTO_BUF out = BUF_INIT, iv = BUF_INIT;
    struct fixture *f = fixture_shared();
    struct mech_call call = call_of(type);
    return (int)hsm_crypt(f->hsm, &f->nobody, CRYPT_VERIFY, key, 0, &call, false,
                          bytes_of_str(data), signature, &out, &iv);
}

static void a_signature_is_made_and_verified(void)
{
    uint64_t pair[2];
    AUTO_BUF signature = BUF_INIT;
    struct fixture *f = fixture_shared();
    fixture_ec(f, NULL, NULL, pair);
    UNIT_OK(sign_as(&f->user, pair[1], CKM_ECDSA_SHA256, 1, &signature));
    CU_ASSERT_EQUAL(signature.len, 64);
    UNIT_OK(verify(pair[0], CKM_ECDSA_SHA256, message, buf_bytes(&signature)));
    UNIT_RC(verify(pair[0], CKM_ECDSA_SHA256, "another", buf_bytes(&signature)),
            RC_SIGNATURE_INVALID);
    UNIT_RC(verify(pair[0], CKM_ECDSA_SHA256, message, bytes_of(signature.ptr, 63)),
            RC_SIGNATURE_LEN);
}

static void each_mistake_has_its_own_code(void)
{
    struct fixture *f = fixture_shared();
    struct wanted usage = {.used = 0};
    uint64_t pair[2], silent[2], aes = fixture_aes(f, 16, NULL);
    AUTO_BUF out = BUF_INIT;
    fixture_ec(f, NULL, NULL, pair);
    wanted_bool(&usage, CKA_SIGN, false);
    fixture_ec(f, NULL, &usage, silent);
    UNIT_RC(sign(424242, CKM_ECDSA_SHA256), RC_KEY_HANDLE);
    UNIT_RC(sign(0, CKM_ECDSA_SHA256), RC_KEY_HANDLE);
    UNIT_RC(sign(BUILTIN_HANDLE_BIT, CKM_ECDSA_SHA256), RC_KEY_HANDLE);
    UNIT_RC(sign(SESSION_HANDLE_BIT | 5, CKM_ECDSA_SHA256), RC_SESSION_OBJECT_LOST);
    UNIT_RC(sign(aes, CKM_ECDSA_SHA256), RC_KEY_TYPE);
    UNIT_RC(sign(pair[1], CKM_SHA256_RSA_PKCS), RC_KEY_TYPE);
    UNIT_RC(sign(silent[1], CKM_ECDSA_SHA256), RC_KEY_FUNCTION);
    UNIT_RC(sign(pair[0], CKM_ECDSA_SHA256), RC_KEY_FUNCTION);
    UNIT_RC(sign(pair[1], CKM_ECDSA_SHA1), RC_MECHANISM);
    UNIT_RC(sign(pair[1], CKM_EC_KEY_PAIR_GEN), RC_MECHANISM);
    UNIT_RC(sign_as(&f->user, pair[1], CKM_ECDSA_SHA256, 9, &out), RC_STALE_VERSION);
    UNIT_RC(sign_as(&f->nobody, pair[1], CKM_ECDSA_SHA256, 0, &out), RC_KEY_HANDLE);
    UNIT_RC(sign_as(&f->so, pair[1], CKM_ECDSA_SHA256, 0, &out), RC_KEY_HANDLE);
    CU_ASSERT_EQUAL(out.len, 0);
}

static void an_operation_that_is_none_is_refused(void)
{
    struct fixture *f = fixture_shared();
    AUTO_BUF out = BUF_INIT, iv = BUF_INIT;
    struct mech_call call = call_of(CKM_AES_ECB);
    uint64_t key = fixture_aes(f, 16, NULL);
    for (int op = 0; op < 100; op += op == 0 ? 7 : 23)
        UNIT_RC(hsm_crypt(f->hsm, &f->user, (enum crypt_op)op, key, 0, &call, false,
                          bytes_of_str(message), BYTES_NONE, &out, &iv),
                RC_BAD_ARGUMENT);
}

static void allowed_mechanisms_are_obeyed_even_when_there_are_none(void)
{
    struct fixture *f = fixture_shared();
    struct wanted one = {.used = 0}, none = {.used = 0};
    uint64_t pair[2], mute[2];
    wanted_ulong(&one, CKA_ALLOWED_MECHANISMS, CKM_ECDSA_SHA384);
    fixture_ec(f, NULL, &one, pair);
    UNIT_OK(sign(pair[1], CKM_ECDSA_SHA384));
    UNIT_RC(sign(pair[1], CKM_ECDSA_SHA256), RC_MECHANISM);
    wanted_bytes(&none, CKA_ALLOWED_MECHANISMS, NULL, 0);
    fixture_ec(f, NULL, &none, mute);
    UNIT_RC(sign(mute[1], CKM_ECDSA_SHA384), RC_MECHANISM);
}

#define DAY_MS 86400000ULL

static void dates_are_obeyed_to_the_day(void)
{
    struct fixture *f = fixture_shared();
    struct wanted dates = {.used = 0};
    struct caller then = f->user;
    uint64_t pair[2];
    AUTO_BUF signature = BUF_INIT;
    wanted_str(&dates, CKA_START_DATE, "20260101");
    wanted_str(&dates, CKA_END_DATE, "20260102");
    fixture_ec(f, &dates, &dates, pair);
    then.now_ms = f->user.now_ms - 1; /* of the year before */
    UNIT_RC(sign_as(&then, pair[1], CKM_ECDSA_SHA256, 0, &signature), RC_KEY_DATE);
    then.now_ms = f->user.now_ms + 2 * DAY_MS - 1;
    UNIT_OK(sign_as(&then, pair[1], CKM_ECDSA_SHA256, 0, &signature));
    then.now_ms++;
    AUTO_BUF none = BUF_INIT, iv = BUF_INIT;
    UNIT_RC(sign_as(&then, pair[1], CKM_ECDSA_SHA256, 0, &none), RC_KEY_DATE);
    struct mech_call call = call_of(CKM_ECDSA_SHA256);
    UNIT_OK(hsm_crypt(f->hsm, &then, CRYPT_VERIFY, pair[0], 0, &call, false, bytes_of_str(message),
                      buf_bytes(&signature), &none, &iv));
}

static void an_expired_key_decrypts_but_does_not_encrypt(void)
{
    struct fixture *f = fixture_shared();
    struct wanted dates = {.used = 0};
    struct mech_call call = call_of(CKM_AES_ECB);
    AUTO_BUF out = BUF_INIT, iv = BUF_INIT;
    wanted_str(&dates, CKA_END_DATE, "20251231");
    uint64_t key = fixture_aes(f, 16, &dates);
    struct bytes block = bytes_of("sixteen bytes!!!", 16);
    UNIT_RC(hsm_crypt(f->hsm, &f->user, CRYPT_ENCRYPT, key, 0, &call, false, block, BYTES_NONE,
                      &out, &iv),
            RC_KEY_DATE);
    UNIT_OK(hsm_crypt(f->hsm, &f->user, CRYPT_DECRYPT, key, 0, &call, false, block, BYTES_NONE,
                      &out, &iv));
}

static void a_disabled_mechanism_is_refused_from_the_next_use_on(void)
{
    struct fixture *f = fixture_shared();
    struct policy policy = policy_default();
    uint64_t pair[2];
    fixture_ec(f, NULL, NULL, pair);
    UNIT_OK(sign(pair[1], CKM_ECDSA_SHA256));
    policy.disabled[0] = CKM_ECDSA_SHA256;
    policy.disabled_count = 1;
    fixture_policy(f, &policy);
    UNIT_RC(sign(pair[1], CKM_ECDSA_SHA256), RC_MECHANISM);
    UNIT_OK(sign(pair[1], CKM_ECDSA_SHA384));
    policy.disabled_count = 0;
    policy.approved_only = true;
    fixture_policy(f, &policy);
    UNIT_OK(sign(pair[1], CKM_ECDSA_SHA256));
    policy = policy_default();
    fixture_policy(f, &policy);
}

static void an_operation_outlives_its_destroyed_key(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct operation *operation = NULL;
    struct mech_call call = call_of(CKM_AES_CMAC);
    AUTO_BUF whole = BUF_INIT, parts = BUF_INIT, iv = BUF_INIT;
    uint64_t key = fixture_aes(f, 16, NULL);
    UNIT_OK(sign_as(&f->user, key, CKM_AES_CMAC, 0, &whole));
    UNIT_OK(
        hsm_operation_begin(f->hsm, &f->user, CRYPT_SIGN, key, 0, &call, 1024, &iv, &operation));
    CU_ASSERT_PTR_NOT_NULL_FATAL(operation);
    UNIT_OK(operation_update(operation, bytes_of(message, 5), &parts));
    enum rc rc = hsm_destroy_object(f->hsm, &f->user, key, &made);
    UNIT_OK(fixture_done(f, &f->user, rc, &made, NULL));
    UNIT_OK(operation_final(operation, bytes_of_str(message + 5), BYTES_NONE, &parts));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&whole), buf_bytes(&parts)));
    operation_free(operation);
    UNIT_RC(sign(key, CKM_AES_CMAC), RC_SESSION_OBJECT_LOST);
}

static void an_unlawful_operation_does_not_begin(void)
{
    struct fixture *f = fixture_shared();
    struct wanted usage = {.used = 0};
    struct operation *operation = NULL;
    struct mech_call call = call_of(CKM_AES_CMAC);
    AUTO_BUF iv = BUF_INIT;
    wanted_bool(&usage, CKA_SIGN, false);
    uint64_t key = fixture_aes(f, 16, &usage);
    UNIT_RC(hsm_operation_begin(f->hsm, &f->user, CRYPT_SIGN, key, 0, &call, 1024, &iv, &operation),
            RC_KEY_FUNCTION);
    CU_ASSERT_PTR_NULL(operation);
}

static void a_key_set_anew_is_used_in_its_new_version(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct wanted off = {.used = 0};
    uint64_t pair[2];
    AUTO_BUF out = BUF_INIT;
    fixture_ec(f, NULL, NULL, pair);
    UNIT_OK(sign_as(&f->user, pair[1], CKM_ECDSA_SHA256, 1, &out));
    wanted_bool(&off, CKA_SIGN, false);
    enum rc rc = hsm_set_attributes(f->hsm, &f->user, pair[1], wanted_attrs(&off), &made);
    UNIT_OK(fixture_done(f, &f->user, rc, &made, NULL));
    UNIT_RC(sign_as(&f->user, pair[1], CKM_ECDSA_SHA256, 1, &out), RC_STALE_VERSION);
    UNIT_RC(sign_as(&f->user, pair[1], CKM_ECDSA_SHA256, 2, &out), RC_KEY_FUNCTION);
}

#define SIGNERS 4U

struct signer {
    pthread_t thread;
    struct caller caller;
    uint64_t key;
    unsigned failed;
};

static void *sign_many(void *argument)
{
    struct signer *signer = argument;
    for (unsigned i = 0; i < 100; i++) {
        AUTO_BUF out = BUF_INIT;
        signer->failed += sign_as(&signer->caller, signer->key, CKM_ECDSA_SHA256, 0, &out) != RC_OK;
    }
    return NULL;
}

static void threads_sign_while_key_and_policy_change(void)
{
    struct fixture *f = fixture_shared();
    struct signer signers[SIGNERS];
    struct wanted token = {.used = 0}, label = {.used = 0};
    struct policy policy = policy_default();
    uint64_t pair[2];
    wanted_bool(&token, CKA_TOKEN, true);
    fixture_ec(f, &token, &token, pair);
    wanted_str(&label, CKA_LABEL, "changed again");
    for (unsigned i = 0; i < SIGNERS; i++) {
        signers[i] = (struct signer){.caller = f->user, .key = pair[1]};
        signers[i].caller.lane = i + 1;
        CU_ASSERT_EQUAL(pthread_create(&signers[i].thread, NULL, sign_many, &signers[i]), 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct mutation made = MUTATION_INIT;
        enum rc rc = hsm_set_attributes(f->hsm, &f->user, pair[1], wanted_attrs(&label), &made);
        UNIT_OK(fixture_done(f, &f->user, rc, &made, NULL));
        fixture_policy(f, &policy);
    }
    for (unsigned i = 0; i < SIGNERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(signers[i].thread, NULL), 0);
        CU_ASSERT_EQUAL(signers[i].failed, 0);
    }
}

static uint64_t pair_on(struct fixture *f, const void *oid, size_t oid_len)
{
    struct wanted on_curve = {.used = 0}, nothing = {.used = 0};
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_EC_KEY_PAIR_GEN);
    wanted_bytes(&on_curve, CKA_EC_PARAMS, oid, oid_len);
    enum rc rc = hsm_generate_key_pair(f->hsm, &f->user, f->slot, &call, wanted_attrs(&on_curve),
                                       wanted_attrs(&nothing), &made);
    UNIT_OK(fixture_settle(f, &f->user, rc, &made));
    uint64_t private = made.result.handles[1];
    mutation_clear(&made);
    return private;
}

static void approved_only_looks_at_the_curve_too(void)
{
    static const uint8_t secp256k1[] = {6, 5, 0x2b, 0x81, 4, 0, 0x0a};
    static const uint8_t secp384r1[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};
    struct fixture *f = fixture_shared();
    struct policy policy = policy_default();
    uint64_t chain = pair_on(f, secp256k1, sizeof secp256k1);
    uint64_t nist = pair_on(f, secp384r1, sizeof secp384r1);
    UNIT_OK(sign(chain, CKM_ECDSA_SHA256));
    policy.approved_only = true;
    fixture_policy(f, &policy);
    UNIT_RC(sign(chain, CKM_ECDSA_SHA256), RC_CURVE);
    UNIT_OK(sign(nist, CKM_ECDSA_SHA256));
    policy = policy_default();
    fixture_policy(f, &policy);
    UNIT_OK(sign(chain, CKM_ECDSA_SHA256));
}

/* ---- CKA_ALWAYS_AUTHENTICATE */

static uint64_t guarded_key(struct fixture *f)
{
    struct wanted guarded = {.used = 0};
    uint64_t pair[2];
    wanted_bool(&guarded, CKA_ALWAYS_AUTHENTICATE, true);
    fixture_ec(f, NULL, &guarded, pair);
    return pair[1];
}

/* The proof of a context-specific login as `who`. */
static int prove(struct fixture *f, const struct caller *who, const char *pin, struct buf *out)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc =
        hsm_login(f->hsm, who, f->slot, CKU_CONTEXT_SPECIFIC, NULL, bytes_of_str(pin), &made);
    int settled = fixture_settle(f, who, rc, &made);
    if (settled == RC_OK)
        UNIT_OK(buf_append(out, buf_bytes(&made.reply)));
    mutation_clear(&made);
    return settled;
}

static int sign_with(struct caller caller, uint64_t key, struct bytes context)
{
    AUTO_BUF out = BUF_INIT;
    caller.context = context;
    return sign_as(&caller, key, CKM_ECDSA_SHA256, 0, &out);
}

static void a_guarded_key_wants_the_PIN_for_each_use(void)
{
    struct fixture *f = fixture_shared();
    AUTO_BUF proof = BUF_INIT, login = BUF_INIT, iv = BUF_INIT;
    uint64_t key = guarded_key(f);
    struct mech_call call = call_of(CKM_ECDSA_SHA256);
    struct operation *operation = NULL;
    UNIT_RC(sign(key, CKM_ECDSA_SHA256), RC_NOT_LOGGED_IN);
    UNIT_RC(hsm_operation_begin(f->hsm, &f->user, CRYPT_SIGN, key, 0, &call, 0, &iv, &operation),
            RC_NOT_LOGGED_IN);
    UNIT_OK(ticket_seal(f->hsm->keys, &f->user.ticket, &login));
    UNIT_RC(sign_with(f->user, key, buf_bytes(&login)), RC_NOT_LOGGED_IN);
    UNIT_RC(sign_with(f->user, key, bytes_of_str("a forged proof")), RC_NOT_LOGGED_IN);
    UNIT_OK(prove(f, &f->user, FIXTURE_USER_PIN, &proof));
    UNIT_OK(sign_with(f->user, key, buf_bytes(&proof)));
}

static void a_proof_is_of_one_user_one_application_and_of_seconds(void)
{
    struct fixture *f = fixture_shared();
    AUTO_BUF proof = BUF_INIT;
    uint64_t key = guarded_key(f);
    UNIT_OK(prove(f, &f->user, FIXTURE_USER_PIN, &proof));
    struct caller later = f->user;
    later.now_ms += TICKET_CONTEXT_LIFE_MS - 1;
    UNIT_OK(sign_with(later, key, buf_bytes(&proof)));
    later.now_ms++;
    UNIT_RC(sign_with(later, key, buf_bytes(&proof)), RC_NOT_LOGGED_IN);
    struct caller other = f->user;
    other.ticket.user_id++;
    UNIT_RC(sign_with(other, key, buf_bytes(&proof)), RC_NOT_LOGGED_IN);
    other = f->user;
    other.ticket.application[0] ^= 1;
    UNIT_RC(sign_with(other, key, buf_bytes(&proof)), RC_NOT_LOGGED_IN);
}

static void a_wrong_PIN_gives_no_proof_and_counts(void)
{
    struct fixture *f = fixture_shared();
    AUTO_BUF proof = BUF_INIT;
    struct user_row user;
    UNIT_RC(prove(f, &f->user, "0000", &proof), RC_PIN_INCORRECT);
    CU_ASSERT_EQUAL(proof.len, 0);
    UNIT_OK(state_user(f->hsm->state, f->slot, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, 1);
    UNIT_OK(prove(f, &f->user, FIXTURE_USER_PIN, &proof));
}

/* Nor does a copy, an unwrapping or a derivation lead round it. */
static void a_guarded_key_does_not_lose_its_guard(void)
{
    struct fixture *f = fixture_shared();
    struct wanted guarded = {.used = 0}, open = {.used = 0};
    struct mutation made = MUTATION_INIT;
    uint64_t pair[2];
    wanted_bool(&guarded, CKA_ALWAYS_AUTHENTICATE, true);
    wanted_bool(&guarded, CKA_DERIVE, true);
    fixture_ec(f, NULL, &guarded, pair);
    wanted_bool(&open, CKA_ALWAYS_AUTHENTICATE, false);
    enum rc rc = hsm_copy_object(f->hsm, &f->user, pair[1], wanted_attrs(&open), &made);
    UNIT_RC(fixture_done(f, &f->user, rc, &made, NULL), RC_ATTRIBUTE_READ_ONLY);
    made = (struct mutation)MUTATION_INIT;
    rc = hsm_set_attributes(f->hsm, &f->user, pair[1], wanted_attrs(&open), &made);
    UNIT_RC(fixture_done(f, &f->user, rc, &made, NULL), RC_ATTRIBUTE_READ_ONLY);
    struct mech_call derive = call_of(CKM_ECDH1_DERIVE);
    made = (struct mutation)MUTATION_INIT;
    rc = hsm_derive(f->hsm, &f->user, pair[1], &derive, wanted_attrs(&open), &made);
    UNIT_RC(fixture_done(f, &f->user, rc, &made, NULL), RC_KEY_FUNCTION);
}

UNIT_SUITE("token/hsm_crypt", UNIT_CASE(approved_only_looks_at_the_curve_too),
           UNIT_CASE(a_guarded_key_wants_the_PIN_for_each_use),
           UNIT_CASE(a_proof_is_of_one_user_one_application_and_of_seconds),
           UNIT_CASE(a_wrong_PIN_gives_no_proof_and_counts),
           UNIT_CASE(a_guarded_key_does_not_lose_its_guard),
           UNIT_CASE(threads_sign_while_key_and_policy_change),
           UNIT_CASE(a_signature_is_made_and_verified), UNIT_CASE(each_mistake_has_its_own_code),
           UNIT_CASE(an_operation_that_is_none_is_refused),
           UNIT_CASE(allowed_mechanisms_are_obeyed_even_when_there_are_none),
           UNIT_CASE(dates_are_obeyed_to_the_day),
           UNIT_CASE(an_expired_key_decrypts_but_does_not_encrypt),
           UNIT_CASE(a_disabled_mechanism_is_refused_from_the_next_use_on),
           UNIT_CASE(an_operation_outlives_its_destroyed_key),
           UNIT_CASE(an_unlawful_operation_does_not_begin),
           UNIT_CASE(a_key_set_anew_is_used_in_its_new_version));
