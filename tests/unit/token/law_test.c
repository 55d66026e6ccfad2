/* SPDX-License-Identifier: Apache-2.0 */
/* The strict policy against the attacks that docs/security.md lists, one case an attack. Each first
 * shows that the default policy lets it through, so that it is the strict one that refuses. */
#include "tests/unit/token/hsm_fixture.h"

static void with_policy(bool strict)
{
    struct policy policy = policy_default();
    policy.strict = strict;
    fixture_policy(fixture_shared(), &policy);
}

static int generate(const struct wanted *wanted, uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_AES_KEY_GEN);
    enum rc rc = hsm_generate_key(f->hsm, &f->user, f->slot, &call, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, out);
}

static int create_as(const struct caller *caller, const struct wanted *wanted, uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_create_object(f->hsm, caller, f->slot, wanted_attrs(wanted), &made);
    return fixture_done(f, caller, rc, &made, out);
}

static int set(uint64_t key, const struct wanted *wanted)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_set_attributes(f->hsm, &f->user, key, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, NULL);
}

static int copy(uint64_t key, const struct wanted *wanted)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_copy_object(f->hsm, &f->user, key, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, NULL);
}

static int wrap_with(uint64_t wrapping, uint64_t key, const struct mech_call *call, struct buf *out)
{
    struct fixture *f = fixture_shared();
    return (int)hsm_wrap(f->hsm, &f->user, wrapping, key, call, out);
}

static int wrap(uint64_t wrapping, uint64_t key, struct buf *out)
{
    struct mech_call call = call_of(CKM_AES_KEY_WRAP);
    return wrap_with(wrapping, key, &call, out);
}

static int unwrap(uint64_t unwrapping, const struct buf *wrapped, const struct wanted *wanted)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_AES_KEY_WRAP);
    enum rc rc = hsm_unwrap(f->hsm, &f->user, unwrapping, &call, buf_bytes(wrapped),
                            wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, NULL);
}

static int crypt(enum crypt_op op, uint64_t key, const struct mech_call *call)
{
    static const uint8_t data[32];
    AUTO_BUF out = BUF_INIT, iv = BUF_INIT;
    struct fixture *f = fixture_shared();
    return (int)hsm_crypt(f->hsm, &f->user, op, key, 0, call, false, bytes_of(data, sizeof data),
                          BYTES_NONE, &out, &iv);
}

static void usage(struct wanted *wanted, CK_ULONG len, bool moves, bool works)
{
    wanted_ulong(wanted, CKA_VALUE_LEN, len);
    wanted_bool(wanted, CKA_WRAP, moves);
    wanted_bool(wanted, CKA_UNWRAP, moves);
    wanted_bool(wanted, CKA_ENCRYPT, works);
    wanted_bool(wanted, CKA_DECRYPT, works);
}

static uint64_t kek_of(CK_ULONG len)
{
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    usage(&wanted, len, true, false);
    UNIT_OK(generate(&wanted, &key));
    return key;
}

/* A data key that may leave, sensitive. */
static uint64_t traveller(CK_ULONG len)
{
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    usage(&wanted, len, false, true);
    wanted_bool(&wanted, CKA_EXTRACTABLE, true);
    wanted_bool(&wanted, CKA_SENSITIVE, true);
    UNIT_OK(generate(&wanted, &key));
    return key;
}

static uint64_t rsa_private(bool decrypts)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_RSA_PKCS_KEY_PAIR_GEN);
    struct wanted bits = {.used = 0}, own = {.used = 0};
    wanted_ulong(&bits, CKA_MODULUS_BITS, 2048);
    wanted_bool(&own, CKA_DECRYPT, decrypts);
    wanted_bool(&own, CKA_UNWRAP, !decrypts);
    enum rc rc = hsm_generate_key_pair(f->hsm, &f->user, f->slot, &call, wanted_attrs(&bits),
                                       wanted_attrs(&own), &made);
    UNIT_OK(fixture_settle(f, &f->user, rc, &made));
    uint64_t key = made.result.handles[1];
    mutation_clear(&made);
    return key;
}

/* ---- roles of keys ---- */

static void wrap_then_decrypt_with_one_key(void)
{
    struct wanted both = {.used = 0};
    usage(&both, 16, true, true);
    with_policy(false);
    UNIT_OK(generate(&both, NULL));
    with_policy(true);
    UNIT_RC(generate(&both, NULL), RC_TEMPLATE_INCONSISTENT);
    with_policy(false);
}

static void every_mix_of_moving_keys_and_working_on_data(void)
{
    static const CK_ATTRIBUTE_TYPE moves[] = {CKA_WRAP, CKA_UNWRAP};
    static const CK_ATTRIBUTE_TYPE works[] = {CKA_ENCRYPT, CKA_DECRYPT};
    with_policy(true);
    for (size_t i = 0; i < 4; i++) {
        struct wanted wanted = {.used = 0};
        wanted_ulong(&wanted, CKA_VALUE_LEN, 16);
        wanted_bool(&wanted, moves[i / 2], true);
        wanted_bool(&wanted, works[i % 2], true);
        wanted_bool(&wanted, works[1 - i % 2], false);
        UNIT_RC(generate(&wanted, NULL), RC_TEMPLATE_INCONSISTENT);
    }
    with_policy(false);
}

static void defaults_of_the_strict_policy_pass_it(void)
{
    struct wanted wanted = {.used = 0};
    uint64_t key = 0, pair[2];
    with_policy(true);
    wanted_ulong(&wanted, CKA_VALUE_LEN, 16);
    UNIT_OK(generate(&wanted, &key));
    CU_ASSERT_FALSE(fixture_bool(fixture_shared(), &fixture_shared()->user, key, CKA_WRAP));
    CU_ASSERT_TRUE(fixture_bool(fixture_shared(), &fixture_shared()->user, key, CKA_ENCRYPT));
    fixture_ec(fixture_shared(), NULL, NULL, pair);
    with_policy(false);
}

static void a_wrapping_key_that_gains_decrypt(void)
{
    struct wanted gain = {.used = 0}, swap = {.used = 0}, lose = {.used = 0};
    uint64_t key = kek_of(16);
    wanted_bool(&gain, CKA_DECRYPT, true);
    wanted_bool(&swap, CKA_WRAP, false);
    wanted_bool(&swap, CKA_UNWRAP, false);
    wanted_bool(&swap, CKA_DECRYPT, true);
    wanted_bool(&lose, CKA_WRAP, false);
    with_policy(false);
    UNIT_OK(copy(key, &swap));
    with_policy(true);
    UNIT_RC(set(key, &gain), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(set(key, &swap), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(copy(key, &swap), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(set(key, &lose));
    UNIT_RC(copy(key, &gain), RC_TEMPLATE_INCONSISTENT);
    with_policy(false);
}

static void an_expired_key_made_valid_again(void)
{
    struct wanted wanted = {.used = 0}, later = {.used = 0}, never = {.used = 0};
    struct wanted sooner = {.used = 0};
    uint64_t key = 0;
    usage(&wanted, 16, false, true);
    wanted_str(&wanted, CKA_END_DATE, "20251231");
    wanted_str(&later, CKA_END_DATE, "20991231");
    wanted_str(&never, CKA_END_DATE, "");
    wanted_str(&sooner, CKA_END_DATE, "20251230");
    with_policy(true);
    UNIT_OK(generate(&wanted, &key));
    UNIT_RC(set(key, &later), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(set(key, &never), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(set(key, &sooner));
    with_policy(false);
    UNIT_OK(set(key, &later));
}

/* ---- moving keys ---- */

static void a_key_of_known_value_that_wraps(void)
{
    struct wanted wanted = {.used = 0};
    AUTO_BUF out = BUF_INIT;
    uint64_t known = 0;
    wanted_ulong(&wanted, CKA_CLASS, CKO_SECRET_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_AES);
    wanted_str(&wanted, CKA_VALUE, "sixteen bytes!!!");
    wanted_bool(&wanted, CKA_WRAP, true);
    wanted_bool(&wanted, CKA_UNWRAP, false);
    wanted_bool(&wanted, CKA_ENCRYPT, false);
    wanted_bool(&wanted, CKA_DECRYPT, false);
    with_policy(false);
    UNIT_OK(create_as(&fixture_shared()->user, &wanted, &known));
    UNIT_OK(wrap(known, traveller(16), &out));
    with_policy(true);
    UNIT_RC(create_as(&fixture_shared()->user, &wanted, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(wrap(known, traveller(16), &out), RC_KEY_NOT_WRAPPABLE);
    with_policy(false);
}

static void a_readable_key_that_wraps(void)
{
    struct wanted wanted = {.used = 0}, leaves = {.used = 0};
    AUTO_BUF out = BUF_INIT;
    uint64_t key = 0;
    usage(&wanted, 16, true, false);
    wanted_bool(&wanted, CKA_SENSITIVE, false);
    usage(&leaves, 16, true, false);
    wanted_bool(&leaves, CKA_SENSITIVE, true);
    wanted_bool(&leaves, CKA_EXTRACTABLE, true);
    with_policy(true);
    UNIT_RC(generate(&wanted, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(generate(&leaves, &key));
    UNIT_RC(wrap(key, traveller(16), &out), RC_KEY_NOT_WRAPPABLE);
    UNIT_OK(wrap(kek_of(16), traveller(16), &out));
    with_policy(false);
}

static void a_key_from_a_password_that_wraps(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct wanted wanted = {.used = 0};
    struct mech_call call = call_of(CKM_PKCS5_PBKD2);
    AUTO_BUF out = BUF_INIT;
    uint64_t key = 0;
    call.has_param = true;
    call.u.pbkdf2.prf = DIGEST_SHA256;
    call.u.pbkdf2.salt = bytes_of_str("salt");
    call.u.pbkdf2.password = bytes_of_str("password");
    call.u.pbkdf2.iterations = 1;
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_AES);
    usage(&wanted, 16, true, false);
    with_policy(true);
    enum rc rc = hsm_generate_key(f->hsm, &f->user, f->slot, &call, wanted_attrs(&wanted), &made);
    UNIT_OK(fixture_done(f, &f->user, rc, &made, &key));
    UNIT_RC(wrap(key, traveller(16), &out), RC_KEY_NOT_WRAPPABLE);
    with_policy(false);
    UNIT_OK(wrap(key, traveller(16), &out));
}

static void somebodys_public_key_that_wraps(void)
{
    struct fixture *f = fixture_shared();
    struct wanted mine = {.used = 0}, theirs = {.used = 0};
    uint8_t modulus[256];
    memset(modulus, 0xc1, sizeof modulus);
    struct wanted *both[] = {&mine, &theirs};
    for (size_t i = 0; i < 2; i++) {
        wanted_ulong(both[i], CKA_CLASS, CKO_PUBLIC_KEY);
        wanted_ulong(both[i], CKA_KEY_TYPE, CKK_RSA);
        wanted_bytes(both[i], CKA_MODULUS, modulus, sizeof modulus);
        wanted_bytes(both[i], CKA_PUBLIC_EXPONENT, "\x01\0\x01", 3);
        wanted_bool(both[i], CKA_WRAP, true);
        wanted_bool(both[i], CKA_ENCRYPT, false);
    }
    wanted_bool(&theirs, CKA_TRUSTED, true);
    with_policy(false);
    UNIT_OK(create_as(&f->user, &mine, NULL));
    with_policy(true);
    UNIT_RC(create_as(&f->user, &mine, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(create_as(&f->user, &theirs, NULL), RC_ATTRIBUTE_READ_ONLY);
    UNIT_OK(create_as(&f->so, &theirs, NULL));
    with_policy(false);
}

static void unwrap_with_weaker_attributes(void)
{
    AUTO_BUF wrapped = BUF_INIT;
    struct wanted base = {.used = 0}, open = {.used = 0}, leaves = {.used = 0}, moves = {.used = 0};
    struct wanted good = {.used = 0};
    uint64_t kek = kek_of(16);
    UNIT_OK(wrap(kek, traveller(16), &wrapped));
    wanted_ulong(&base, CKA_CLASS, CKO_SECRET_KEY);
    wanted_ulong(&base, CKA_KEY_TYPE, CKK_AES);
    open = leaves = moves = good = base;
    wanted_bool(&open, CKA_SENSITIVE, false);
    wanted_bool(&leaves, CKA_EXTRACTABLE, true);
    wanted_bool(&leaves, CKA_SENSITIVE, true);
    wanted_bool(&moves, CKA_WRAP, true);
    wanted_bool(&moves, CKA_ENCRYPT, false);
    wanted_bool(&moves, CKA_DECRYPT, false);
    with_policy(false);
    UNIT_OK(unwrap(kek, &wrapped, &open));
    UNIT_OK(unwrap(kek, &wrapped, &moves));
    with_policy(true);
    UNIT_RC(unwrap(kek, &wrapped, &open), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(unwrap(kek, &wrapped, &leaves), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(unwrap(kek, &wrapped, &moves), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(unwrap(kek, &wrapped, &good));
    wanted_bool(&leaves, CKA_WRAP_WITH_TRUSTED, true);
    UNIT_OK(unwrap(kek, &wrapped, &leaves));
    with_policy(false);
}

static void a_weaker_key_that_wraps_a_stronger_one(void)
{
    AUTO_BUF out = BUF_INIT;
    uint64_t weak = kek_of(16), strong = kek_of(32), key = traveller(32);
    with_policy(false);
    UNIT_OK(wrap(weak, key, &out));
    with_policy(true);
    UNIT_RC(wrap(weak, key, &out), RC_WRAPPING_KEY_SIZE);
    UNIT_OK(wrap(strong, key, &out));
    with_policy(false);
}

static void a_wrapping_key_wrapped_by_an_untrusted_one(void)
{
    struct wanted wanted = {.used = 0};
    AUTO_BUF out = BUF_INIT;
    uint64_t inner = 0, outer = kek_of(16);
    usage(&wanted, 16, true, false);
    wanted_bool(&wanted, CKA_EXTRACTABLE, true);
    wanted_bool(&wanted, CKA_SENSITIVE, true);
    with_policy(true);
    UNIT_OK(generate(&wanted, &inner));
    UNIT_RC(wrap(outer, inner, &out), RC_KEY_NOT_WRAPPABLE);
    with_policy(false);
    UNIT_OK(wrap(outer, inner, &out));
}

static void unauthenticated_wrapping(void)
{
    static const uint8_t iv[16];
    AUTO_BUF out = BUF_INIT;
    uint64_t kek = kek_of(16), key = traveller(16);
    struct mech_call call = call_of(CKM_AES_CBC_PAD);
    call.has_param = true;
    call.u.iv = bytes_of(iv, sizeof iv);
    with_policy(false);
    UNIT_OK(wrap_with(kek, key, &call, &out));
    with_policy(true);
    UNIT_RC(wrap_with(kek, key, &call, &out), RC_MECHANISM);
    UNIT_OK(wrap(kek, key, &out));
    with_policy(false);
}

/* ---- oracles and parameters ---- */

static void PKCS1_padding_oracles(void)
{
    struct mech_call pkcs = call_of(CKM_RSA_PKCS), raw = call_of(CKM_RSA_X_509);
    with_policy(false);
    uint64_t key = rsa_private(true);
    CU_ASSERT_NOT_EQUAL(crypt(CRYPT_DECRYPT, key, &pkcs), RC_MECHANISM);
    with_policy(true);
    UNIT_RC(crypt(CRYPT_DECRYPT, key, &pkcs), RC_MECHANISM);
    UNIT_RC(crypt(CRYPT_DECRYPT, key, &raw), RC_MECHANISM);
    UNIT_OK(crypt(CRYPT_SIGN, key, &pkcs));
    UNIT_RC(crypt(CRYPT_SIGN, key, &raw), RC_MECHANISM);
    with_policy(false);
}

static void PKCS1_unwrap_oracle(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call pkcs = call_of(CKM_RSA_PKCS);
    struct wanted wanted = {.used = 0};
    uint8_t junk[256] = {0};
    uint64_t key = rsa_private(false);
    wanted_ulong(&wanted, CKA_CLASS, CKO_SECRET_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_AES);
    with_policy(true);
    UNIT_RC(hsm_unwrap(f->hsm, &f->user, key, &pkcs, bytes_of(junk, sizeof junk),
                       wanted_attrs(&wanted), &made),
            RC_MECHANISM);
    with_policy(false);
    mutation_clear(&made);
}

static struct mech_call gcm_call(CK_MECHANISM_TYPE type, const uint8_t iv[12], CK_ULONG tag_bits)
{
    struct mech_call call = call_of(type);
    call.has_param = true;
    call.u.gcm.iv = bytes_of(iv, 12);
    call.u.gcm.iv_bits = 96;
    call.u.gcm.tag_bits = tag_bits;
    return call;
}

static void GCM_with_an_IV_used_twice_and_with_short_tags(void)
{
    static const uint8_t iv[12];
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    usage(&wanted, 16, false, true);
    UNIT_OK(generate(&wanted, &key));
    struct mech_call own = gcm_call(CKM_CLOUDHSM_AES_GCM, iv, 128);
    struct mech_call callers = gcm_call(CKM_AES_GCM, iv, 128);
    struct mech_call tags = gcm_call(CKM_CLOUDHSM_AES_GCM, iv, 32);
    with_policy(false);
    UNIT_OK(crypt(CRYPT_ENCRYPT, key, &callers));
    UNIT_OK(crypt(CRYPT_ENCRYPT, key, &tags));
    with_policy(true);
    UNIT_RC(crypt(CRYPT_ENCRYPT, key, &callers), RC_MECHANISM_PARAM);
    UNIT_RC(crypt(CRYPT_ENCRYPT, key, &tags), RC_MECHANISM_PARAM);
    UNIT_RC(crypt(CRYPT_DECRYPT, key, &tags), RC_MECHANISM_PARAM);
    UNIT_OK(crypt(CRYPT_ENCRYPT, key, &own));
    UNIT_RC(crypt(CRYPT_DECRYPT, key, &callers), RC_ENCRYPTED_DATA); /* lawful, but not its tag */
    with_policy(false);
}

static void a_MAC_of_one_byte(void)
{
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    struct mech_call call = call_of(CKM_AES_CMAC_GENERAL);
    call.has_param = true;
    call.u.length = 1;
    usage(&wanted, 16, false, true);
    wanted_bool(&wanted, CKA_SIGN, true);
    UNIT_OK(generate(&wanted, &key));
    with_policy(false);
    UNIT_OK(crypt(CRYPT_SIGN, key, &call));
    with_policy(true);
    UNIT_RC(crypt(CRYPT_SIGN, key, &call), RC_MECHANISM_PARAM);
    call.u.length = 8;
    UNIT_OK(crypt(CRYPT_SIGN, key, &call));
    with_policy(false);
}

static void a_derivation_that_shows_the_base_byte_by_byte(void)
{
    struct fixture *f = fixture_shared();
    struct wanted base = {.used = 0}, nothing = {.used = 0};
    struct mutation made = MUTATION_INIT;
    uint64_t key = 0;
    struct mech_call call = call_of(CKM_XOR_BASE_AND_DATA);
    call.has_param = true;
    call.u.iv = bytes_of("\0", 1);
    wanted_ulong(&base, CKA_VALUE_LEN, 16);
    wanted_bool(&base, CKA_DERIVE, true);
    wanted_bool(&base, CKA_WRAP, false);
    wanted_bool(&base, CKA_UNWRAP, false);
    UNIT_OK(generate(&base, &key));
    with_policy(false);
    enum rc rc = hsm_derive(f->hsm, &f->user, key, &call, wanted_attrs(&nothing), &made);
    UNIT_OK(fixture_done(f, &f->user, rc, &made, NULL));
    with_policy(true);
    UNIT_RC(hsm_derive(f->hsm, &f->user, key, &call, wanted_attrs(&nothing), &made), RC_MECHANISM);
    mutation_clear(&made);
    with_policy(false);
}

UNIT_SUITE("token/law", UNIT_CASE(wrap_then_decrypt_with_one_key),
           UNIT_CASE(every_mix_of_moving_keys_and_working_on_data),
           UNIT_CASE(defaults_of_the_strict_policy_pass_it),
           UNIT_CASE(a_wrapping_key_that_gains_decrypt), UNIT_CASE(an_expired_key_made_valid_again),
           UNIT_CASE(a_key_of_known_value_that_wraps), UNIT_CASE(a_readable_key_that_wraps),
           UNIT_CASE(a_key_from_a_password_that_wraps), UNIT_CASE(somebodys_public_key_that_wraps),
           UNIT_CASE(unwrap_with_weaker_attributes),
           UNIT_CASE(a_weaker_key_that_wraps_a_stronger_one),
           UNIT_CASE(a_wrapping_key_wrapped_by_an_untrusted_one),
           UNIT_CASE(unauthenticated_wrapping), UNIT_CASE(PKCS1_padding_oracles),
           UNIT_CASE(PKCS1_unwrap_oracle), UNIT_CASE(GCM_with_an_IV_used_twice_and_with_short_tags),
           UNIT_CASE(a_MAC_of_one_byte), UNIT_CASE(a_derivation_that_shows_the_base_byte_by_byte));
