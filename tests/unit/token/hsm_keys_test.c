/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made, wrapped, unwrapped, derived; and every way in which that is refused. */
#include "tests/unit/token/hsm_fixture.h"

static struct secret value_of(uint64_t handle, CK_ATTRIBUTE_TYPE type)
{
    struct secret value = SECRET_INIT;
    struct fixture *f = fixture_shared();
    UNIT_OK(fixture_read(f, &f->user, handle, type, &value));
    return value;
}

static bool same(uint64_t a, uint64_t b, CK_ATTRIBUTE_TYPE type)
{
    AUTO_SECRET one = value_of(a, type), other = value_of(b, type);
    return one.len > 0 && secret_equal(&one, secret_expose(&other));
}

static CK_ULONG number_of(uint64_t handle, CK_ATTRIBUTE_TYPE type)
{
    AUTO_SECRET value = value_of(handle, type);
    CK_ULONG number = 0;
    CU_ASSERT_TRUE(attr_value_ulong(secret_expose(&value), &number));
    return number;
}

static bool is_true(uint64_t handle, CK_ATTRIBUTE_TYPE type)
{
    struct fixture *f = fixture_shared();
    return fixture_bool(f, &f->user, handle, type);
}

/* A secret key that can be read and wrapped. */
static void open_key(struct wanted *wanted)
{
    wanted_bool(wanted, CKA_EXTRACTABLE, true);
    wanted_bool(wanted, CKA_SENSITIVE, false);
}

static uint64_t open_aes(size_t len)
{
    struct wanted wanted = {.used = 0};
    open_key(&wanted);
    return fixture_aes(fixture_shared(), len, &wanted);
}

static int wrap(uint64_t wrapping, uint64_t target, CK_MECHANISM_TYPE type, struct buf *out)
{
    struct fixture *f = fixture_shared();
    struct mech_call call = call_of(type);
    return (int)hsm_wrap(f->hsm, &f->user, wrapping, target, &call, out);
}

static int unwrap(uint64_t unwrapping, CK_MECHANISM_TYPE type, struct bytes wrapped,
                  const struct wanted *wanted, uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(type);
    enum rc rc =
        hsm_unwrap(f->hsm, &f->user, unwrapping, &call, wrapped, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, out);
}

static int derive(uint64_t base, const struct mech_call *call, const struct wanted *wanted,
                  uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_derive(f->hsm, &f->user, base, call, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, out);
}

static int create(const struct wanted *wanted, uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_create_object(f->hsm, &f->user, f->slot, wanted_attrs(wanted), &made);
    return fixture_done(f, &f->user, rc, &made, out);
}

static void aes_template(struct wanted *wanted)
{
    wanted_ulong(wanted, CKA_CLASS, CKO_SECRET_KEY);
    wanted_ulong(wanted, CKA_KEY_TYPE, CKK_AES);
}

/* ---- generate ---- */

static void a_generated_key_knows_its_origin(void)
{
    uint64_t key = fixture_aes(fixture_shared(), 24, NULL);
    CU_ASSERT_TRUE(is_true(key, CKA_LOCAL));
    CU_ASSERT_TRUE(is_true(key, CKA_SENSITIVE));
    CU_ASSERT_TRUE(is_true(key, CKA_ALWAYS_SENSITIVE));
    CU_ASSERT_TRUE(is_true(key, CKA_NEVER_EXTRACTABLE));
    CU_ASSERT_EQUAL(number_of(key, CKA_KEY_GEN_MECHANISM), CKM_AES_KEY_GEN);
    CU_ASSERT_EQUAL(number_of(key, CKA_VALUE_LEN), 24);
    UNIT_RC(fixture_read(fixture_shared(), &fixture_shared()->user, key, CKA_VALUE, NULL),
            RC_ATTRIBUTE_SENSITIVE);
    uint64_t open = open_aes(16);
    CU_ASSERT_FALSE(is_true(open, CKA_ALWAYS_SENSITIVE));
    CU_ASSERT_FALSE(is_true(open, CKA_NEVER_EXTRACTABLE));
    AUTO_SECRET value = value_of(open, CKA_VALUE);
    CU_ASSERT_EQUAL(value.len, 16);
}

static void a_key_of_no_or_a_bad_length_is_not_generated(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_AES_KEY_GEN);
    struct wanted none = {.used = 0}, bad = {.used = 0};
    UNIT_RC(hsm_generate_key(f->hsm, &f->user, 1, &call, wanted_attrs(&none), &made),
            RC_TEMPLATE_INCOMPLETE);
    wanted_ulong(&bad, CKA_VALUE_LEN, 17);
    UNIT_RC(hsm_generate_key(f->hsm, &f->user, 1, &call, wanted_attrs(&bad), &made),
            RC_ATTRIBUTE_VALUE);
    call = call_of(CKM_AES_CBC);
    UNIT_RC(hsm_generate_key(f->hsm, &f->user, 1, &call, wanted_attrs(&bad), &made), RC_MECHANISM);
    CU_ASSERT_EQUAL(made.effect.len, 0);
    mutation_clear(&made);
}

static void a_public_session_generates_no_private_key(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_AES_KEY_GEN);
    struct wanted wanted = {.used = 0};
    wanted_ulong(&wanted, CKA_VALUE_LEN, 16);
    UNIT_RC(hsm_generate_key(f->hsm, &f->nobody, 1, &call, wanted_attrs(&wanted), &made),
            RC_NOT_LOGGED_IN);
    wanted_bool(&wanted, CKA_PRIVATE, false);
    UNIT_OK(hsm_generate_key(f->hsm, &f->nobody, 1, &call, wanted_attrs(&wanted), &made));
    mutation_clear(&made);
}

static void a_pair_has_its_public_key_info_on_both_sides(void)
{
    struct wanted label = {.used = 0};
    uint64_t pair[2];
    wanted_str(&label, CKA_LABEL, "pair");
    fixture_ec(fixture_shared(), &label, &label, pair);
    CU_ASSERT_TRUE(same(pair[0], pair[1], CKA_PUBLIC_KEY_INFO));
    CU_ASSERT_TRUE(same(pair[0], pair[1], CKA_EC_PARAMS));
    CU_ASSERT_EQUAL(number_of(pair[0], CKA_CLASS), CKO_PUBLIC_KEY);
    CU_ASSERT_EQUAL(number_of(pair[1], CKA_CLASS), CKO_PRIVATE_KEY);
    CU_ASSERT_TRUE(is_true(pair[1], CKA_SENSITIVE) && is_true(pair[1], CKA_PRIVATE));
    CU_ASSERT_FALSE(is_true(pair[0], CKA_PRIVATE));
    CU_ASSERT_FALSE(is_true(pair[1], CKA_ALWAYS_AUTHENTICATE));
}

static void a_pair_may_be_half_of_the_token_and_half_of_the_session(void)
{
    struct fixture *f = fixture_shared();
    struct wanted token = {.used = 0}, session = {.used = 0};
    uint64_t pair[2];
    wanted_bool(&token, CKA_TOKEN, true);
    fixture_ec(f, &session, &token, pair);
    CU_ASSERT_NOT_EQUAL(pair[0] & SESSION_HANDLE_BIT, 0);
    CU_ASSERT_EQUAL(pair[1] & SESSION_HANDLE_BIT, 0);
    CU_ASSERT_TRUE(same(pair[0], pair[1], CKA_PUBLIC_KEY_INFO));
    fixture_ec(f, &token, &session, pair);
    CU_ASSERT_EQUAL(pair[0] & SESSION_HANDLE_BIT, 0);
    CU_ASSERT_NOT_EQUAL(pair[1] & SESSION_HANDLE_BIT, 0);
}

static void the_session_half_goes_when_the_token_half_is_refused(void)
{
    static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_EC_KEY_PAIR_GEN);
    struct wanted token = {.used = 0}, session = {.used = 0};
    wanted_bytes(&session, CKA_EC_PARAMS, p256, sizeof p256);
    wanted_bool(&token, CKA_TOKEN, true);
    UNIT_OK(hsm_generate_key_pair(f->hsm, &f->user, 1, &call, wanted_attrs(&session),
                                  wanted_attrs(&token), &made));
    uint64_t handle = made.result.handles[0];
    UNIT_OK(fixture_read(f, &f->user, handle, CKA_CLASS, NULL));
    hsm_settle(f->hsm, &f->user, &made, &(struct effect_result){.rc = RC_LIMIT});
    CU_ASSERT_EQUAL(made.result.rc, RC_LIMIT);
    CU_ASSERT_EQUAL(made.result.handle_count, 0);
    UNIT_RC(fixture_read(f, &f->user, handle, CKA_CLASS, NULL), RC_SESSION_OBJECT_LOST);
    mutation_clear(&made);
}

static void a_password_makes_the_key_of_RFC_6070(void)
{
    static const uint8_t expected[] = {0x0c, 0x60, 0xc8, 0x0f, 0x96, 0x1f, 0x0e, 0x71, 0xf3, 0xa9,
                                       0xb5, 0x24, 0xaf, 0x60, 0x12, 0x06, 0x2f, 0xe0, 0x37, 0xa6};
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    struct mech_call call = call_of(CKM_PKCS5_PBKD2);
    call.has_param = true;
    call.u.pbkdf2.prf = DIGEST_SHA1;
    call.u.pbkdf2.salt = bytes_of_str("salt");
    call.u.pbkdf2.password = bytes_of_str("password");
    call.u.pbkdf2.iterations = 1;
    wanted_ulong(&wanted, CKA_VALUE_LEN, 20);
    open_key(&wanted);
    enum rc rc = hsm_generate_key(f->hsm, &f->user, 1, &call, wanted_attrs(&wanted), &made);
    UNIT_OK(fixture_done(f, &f->user, rc, &made, &key));
    AUTO_SECRET value = value_of(key, CKA_VALUE);
    CU_ASSERT_TRUE(secret_equal(&value, bytes_of(expected, sizeof expected)));
    CU_ASSERT_EQUAL(number_of(key, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
}

/* ---- import ---- */

static void rsa_pair(uint64_t out[2])
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_RSA_PKCS_KEY_PAIR_GEN);
    struct wanted bits = {.used = 0}, open = {.used = 0};
    wanted_ulong(&bits, CKA_MODULUS_BITS, 2048);
    open_key(&open);
    enum rc rc = hsm_generate_key_pair(f->hsm, &f->user, 1, &call, wanted_attrs(&bits),
                                       wanted_attrs(&open), &made);
    UNIT_OK(fixture_settle(f, &f->user, rc, &made));
    out[0] = made.result.handles[0];
    out[1] = made.result.handles[1];
    mutation_clear(&made);
}

static void an_RSA_key_without_CRT_parts_gets_them(void)
{
    uint64_t pair[2], imported = 0;
    struct wanted wanted = {.used = 0}, wrong = {.used = 0};
    rsa_pair(pair);
    AUTO_SECRET n = value_of(pair[1], CKA_MODULUS), e = value_of(pair[1], CKA_PUBLIC_EXPONENT),
                d = value_of(pair[1], CKA_PRIVATE_EXPONENT);
    wanted_ulong(&wanted, CKA_CLASS, CKO_PRIVATE_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_RSA);
    wanted_bytes(&wanted, CKA_MODULUS, n.ptr, n.len);
    wanted_bytes(&wanted, CKA_PUBLIC_EXPONENT, e.ptr, e.len);
    open_key(&wanted);
    wrong = wanted;
    wanted_bytes(&wanted, CKA_PRIVATE_EXPONENT, d.ptr, d.len);
    UNIT_OK(create(&wanted, &imported));
    CU_ASSERT_TRUE(same(imported, pair[0], CKA_PUBLIC_KEY_INFO));
    AUTO_SECRET p = value_of(imported, CKA_PRIME_1), qi = value_of(imported, CKA_COEFFICIENT);
    CU_ASSERT_EQUAL(p.len, 128);
    CU_ASSERT_TRUE(qi.len > 100);
    CU_ASSERT_FALSE(is_true(imported, CKA_LOCAL));
    CU_ASSERT_EQUAL(number_of(pair[0], CKA_MODULUS_BITS), 2048);
    d.ptr[d.len - 1] ^= 2;
    wanted_bytes(&wrong, CKA_PRIVATE_EXPONENT, d.ptr, d.len);
    UNIT_RC(create(&wrong, NULL), RC_ATTRIBUTE_VALUE);
}

static void an_RSA_key_whose_numbers_contradict_is_refused(void)
{
    static const CK_ATTRIBUTE_TYPE parts[] = {
        CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
        CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT};
    uint64_t pair[2];
    struct secret values[8];
    struct wanted wanted = {.used = 0};
    rsa_pair(pair);
    wanted_ulong(&wanted, CKA_CLASS, CKO_PRIVATE_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_RSA);
    for (size_t i = 0; i < 8; i++) {
        values[i] = value_of(pair[1], parts[i]);
        wanted_bytes(&wanted, parts[i], values[i].ptr, values[i].len);
    }
    UNIT_OK(create(&wanted, NULL));
    values[5].ptr[3] ^= 1; /* CKA_EXPONENT_1 */
    UNIT_RC(create(&wanted, NULL), RC_ATTRIBUTE_VALUE);
    for (size_t i = 0; i < 8; i++)
        secret_clear(&values[i]);
}

/* ---- wrap and unwrap ---- */

static void a_key_goes_out_wrapped_and_comes_back(void)
{
    uint64_t kek = fixture_aes(fixture_shared(), 32, NULL), key = open_aes(16), back = 0;
    AUTO_BUF wrapped = BUF_INIT;
    struct wanted wanted = {.used = 0};
    UNIT_OK(wrap(kek, key, CKM_AES_KEY_WRAP, &wrapped));
    CU_ASSERT_EQUAL(wrapped.len, 24);
    aes_template(&wanted);
    open_key(&wanted);
    UNIT_OK(unwrap(kek, CKM_AES_KEY_WRAP, buf_bytes(&wrapped), &wanted, &back));
    CU_ASSERT_TRUE(same(key, back, CKA_VALUE));
    CU_ASSERT_FALSE(is_true(back, CKA_LOCAL));
    CU_ASSERT_FALSE(is_true(back, CKA_ALWAYS_SENSITIVE));
    wanted_ulong(&wanted, CKA_VALUE_LEN, 16);
    UNIT_OK(unwrap(kek, CKM_AES_KEY_WRAP, buf_bytes(&wrapped), &wanted, NULL));
    wrapped.ptr[5] ^= 1;
    UNIT_RC(unwrap(kek, CKM_AES_KEY_WRAP, buf_bytes(&wrapped), &wanted, NULL), RC_WRAPPED_KEY);
}

static void a_private_key_goes_out_wrapped_and_comes_back(void)
{
    uint64_t kek = fixture_aes(fixture_shared(), 32, NULL), pair[2], back = 0;
    AUTO_BUF wrapped = BUF_INIT;
    struct wanted open = {.used = 0}, wanted = {.used = 0}, other = {.used = 0};
    open_key(&open);
    fixture_ec(fixture_shared(), NULL, &open, pair);
    UNIT_OK(wrap(kek, pair[1], CKM_AES_KEY_WRAP_KWP, &wrapped));
    wanted_ulong(&wanted, CKA_CLASS, CKO_PRIVATE_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_EC);
    open_key(&wanted);
    UNIT_OK(unwrap(kek, CKM_AES_KEY_WRAP_KWP, buf_bytes(&wrapped), &wanted, &back));
    CU_ASSERT_TRUE(same(pair[1], back, CKA_VALUE));
    CU_ASSERT_TRUE(same(pair[0], back, CKA_PUBLIC_KEY_INFO));
    wanted_ulong(&other, CKA_CLASS, CKO_PRIVATE_KEY);
    wanted_ulong(&other, CKA_KEY_TYPE, CKK_RSA);
    UNIT_RC(unwrap(kek, CKM_AES_KEY_WRAP_KWP, buf_bytes(&wrapped), &other, NULL), RC_WRAPPED_KEY);
}

static void what_may_not_be_wrapped_has_its_own_code(void)
{
    struct fixture *f = fixture_shared();
    uint64_t kek = fixture_aes(f, 32, NULL), closed = fixture_aes(f, 16, NULL), pair[2];
    struct wanted trusting = {.used = 0}, weak = {.used = 0};
    AUTO_BUF out = BUF_INIT;
    fixture_ec(f, NULL, NULL, pair);
    UNIT_RC(wrap(kek, closed, CKM_AES_KEY_WRAP, &out), RC_KEY_UNEXTRACTABLE);
    UNIT_RC(wrap(kek, pair[0], CKM_AES_KEY_WRAP_KWP, &out), RC_KEY_NOT_WRAPPABLE);
    UNIT_RC(wrap(kek, 424242, CKM_AES_KEY_WRAP, &out), RC_KEY_HANDLE);
    UNIT_RC(wrap(424242, open_aes(16), CKM_AES_KEY_WRAP, &out), RC_WRAPPING_KEY_HANDLE);
    UNIT_RC(wrap(pair[0], open_aes(16), CKM_AES_KEY_WRAP, &out), RC_WRAPPING_KEY_TYPE);
    UNIT_RC(wrap(kek, open_aes(16), CKM_AES_ECB, &out), RC_MECHANISM);
    open_key(&trusting);
    wanted_bool(&trusting, CKA_WRAP_WITH_TRUSTED, true);
    UNIT_RC(wrap(kek, fixture_aes(f, 16, &trusting), CKM_AES_KEY_WRAP, &out), RC_KEY_NOT_WRAPPABLE);
    wanted_bool(&weak, CKA_WRAP, false);
    UNIT_RC(wrap(fixture_aes(f, 16, &weak), open_aes(16), CKM_AES_KEY_WRAP, &out), RC_KEY_FUNCTION);
    CU_ASSERT_EQUAL(out.len, 0);
}

static void the_wrap_template_decides_what_is_wrapped(void)
{
    struct fixture *f = fixture_shared();
    struct wanted inner = {.used = 0}, outer = {.used = 0}, fits = {.used = 0};
    AUTO_BUF encoded = BUF_INIT, out = BUF_INIT;
    wanted_str(&inner, CKA_LABEL, "may leave");
    UNIT_OK(attrs_encode(&encoded, wanted_attrs(&inner)));
    wanted_bytes(&outer, CKA_WRAP_TEMPLATE, encoded.ptr, encoded.len);
    uint64_t kek = fixture_aes(f, 32, &outer);
    UNIT_RC(wrap(kek, open_aes(16), CKM_AES_KEY_WRAP, &out), RC_KEY_NOT_WRAPPABLE);
    open_key(&fits);
    wanted_str(&fits, CKA_LABEL, "may leave");
    UNIT_OK(wrap(kek, fixture_aes(f, 16, &fits), CKM_AES_KEY_WRAP, &out));
}

static void the_unwrap_template_is_enforced(void)
{
    struct fixture *f = fixture_shared();
    struct wanted inner = {.used = 0}, outer = {.used = 0}, wanted = {.used = 0};
    AUTO_BUF encoded = BUF_INIT, wrapped = BUF_INIT;
    uint64_t back = 0;
    wanted_bool(&inner, CKA_EXTRACTABLE, false);
    wanted_str(&inner, CKA_LABEL, "from outside");
    UNIT_OK(attrs_encode(&encoded, wanted_attrs(&inner)));
    wanted_bytes(&outer, CKA_UNWRAP_TEMPLATE, encoded.ptr, encoded.len);
    uint64_t kek = fixture_aes(f, 32, &outer);
    UNIT_OK(wrap(kek, open_aes(16), CKM_AES_KEY_WRAP, &wrapped));
    aes_template(&wanted);
    UNIT_OK(unwrap(kek, CKM_AES_KEY_WRAP, buf_bytes(&wrapped), &wanted, &back));
    CU_ASSERT_FALSE(is_true(back, CKA_EXTRACTABLE));
    AUTO_SECRET label = value_of(back, CKA_LABEL);
    CU_ASSERT_TRUE(secret_equal(&label, bytes_of_str("from outside")));
    wanted_str(&wanted, CKA_LABEL, "from inside");
    UNIT_RC(unwrap(kek, CKM_AES_KEY_WRAP, buf_bytes(&wrapped), &wanted, NULL),
            RC_TEMPLATE_INCONSISTENT);
}

static void a_bad_unwrapping_key_has_its_own_codes(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, none = {.used = 0};
    uint64_t pair[2], kek = fixture_aes(f, 16, NULL);
    uint8_t junk[24] = {0};
    struct bytes wrapped = bytes_of(junk, sizeof junk);
    aes_template(&wanted);
    fixture_ec(f, NULL, NULL, pair);
    UNIT_RC(unwrap(424242, CKM_AES_KEY_WRAP, wrapped, &wanted, NULL), RC_UNWRAPPING_KEY_HANDLE);
    UNIT_RC(unwrap(pair[1], CKM_AES_KEY_WRAP, wrapped, &wanted, NULL), RC_UNWRAPPING_KEY_TYPE);
    UNIT_RC(unwrap(kek, CKM_AES_KEY_WRAP, wrapped, &none, NULL), RC_TEMPLATE_INCOMPLETE);
    UNIT_RC(unwrap(kek, CKM_AES_KEY_WRAP, wrapped, &wanted, NULL), RC_WRAPPED_KEY);
}

/* ---- derive ---- */

static struct mech_call ecdh_call(const struct secret *peer)
{
    struct mech_call call = call_of(CKM_ECDH1_DERIVE);
    call.has_param = true;
    call.u.ecdh.kdf = CKD_NULL;
    call.u.ecdh.peer = secret_expose(peer);
    return call;
}

static void two_sides_agree_on_a_key(void)
{
    struct fixture *f = fixture_shared();
    struct wanted usage = {.used = 0}, wanted = {.used = 0};
    uint64_t a[2], b[2], one = 0, other = 0, neither[2];
    wanted_bool(&usage, CKA_DERIVE, true);
    fixture_ec(f, NULL, &usage, a);
    fixture_ec(f, NULL, &usage, b);
    AUTO_SECRET point_a = value_of(a[0], CKA_EC_POINT), point_b = value_of(b[0], CKA_EC_POINT);
    struct mech_call to_b = ecdh_call(&point_b), to_a = ecdh_call(&point_a);
    open_key(&wanted);
    UNIT_OK(derive(a[1], &to_b, &wanted, &one));
    UNIT_OK(derive(b[1], &to_a, &wanted, &other));
    CU_ASSERT_TRUE(same(one, other, CKA_VALUE));
    CU_ASSERT_EQUAL(number_of(one, CKA_VALUE_LEN), 32);
    CU_ASSERT_EQUAL(number_of(one, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
    CU_ASSERT_FALSE(is_true(one, CKA_LOCAL));
    aes_template(&wanted);
    wanted_ulong(&wanted, CKA_VALUE_LEN, 16);
    UNIT_OK(derive(a[1], &to_b, &wanted, &one));
    CU_ASSERT_EQUAL(number_of(one, CKA_VALUE_LEN), 16);
    fixture_ec(f, NULL, NULL, neither);
    UNIT_RC(derive(neither[1], &to_b, &wanted, NULL), RC_KEY_FUNCTION);
}

static uint64_t open_base(const char *value)
{
    struct wanted wanted = {.used = 0};
    uint64_t key = 0;
    wanted_ulong(&wanted, CKA_CLASS, CKO_SECRET_KEY);
    wanted_ulong(&wanted, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    wanted_str(&wanted, CKA_VALUE, value);
    wanted_bool(&wanted, CKA_DERIVE, true);
    open_key(&wanted);
    UNIT_OK(create(&wanted, &key));
    return key;
}

static void a_concatenation_takes_its_second_key_by_handle(void)
{
    uint64_t one = open_base("first half, "), other = open_base("second half"), both = 0;
    struct mech_call call = call_of(CKM_CONCATENATE_BASE_AND_KEY);
    struct wanted wanted = {.used = 0};
    call.has_param = true;
    call.u.object = other;
    open_key(&wanted);
    UNIT_OK(derive(one, &call, &wanted, &both));
    AUTO_SECRET value = value_of(both, CKA_VALUE);
    CU_ASSERT_TRUE(secret_equal(&value, bytes_of_str("first half, second half")));
    call.u.object = 424242;
    UNIT_RC(derive(one, &call, &wanted, NULL), RC_KEY_HANDLE);
    call.u.object = 0;
    UNIT_RC(derive(one, &call, &wanted, NULL), RC_KEY_HANDLE);
    call.u.object = fixture_aes(fixture_shared(), 16, NULL); /* no CKA_DERIVE */
    UNIT_RC(derive(one, &call, &wanted, NULL), RC_KEY_FUNCTION);
}

static void a_concatenation_inherits_the_sensitivity_of_the_second_key(void)
{
    struct wanted usage = {.used = 0}, open = {.used = 0}, nothing = {.used = 0};
    uint64_t one = open_base("some known bytes"), both = 0;
    struct mech_call call = call_of(CKM_CONCATENATE_BASE_AND_KEY);
    wanted_bool(&usage, CKA_DERIVE, true);
    call.has_param = true;
    call.u.object = fixture_aes(fixture_shared(), 16, &usage);
    open_key(&open);
    UNIT_RC(derive(one, &call, &open, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(derive(one, &call, &nothing, &both));
    CU_ASSERT_TRUE(is_true(both, CKA_SENSITIVE));
    CU_ASSERT_FALSE(is_true(both, CKA_EXTRACTABLE));
}

static void HKDF_takes_its_salt_as_data_and_as_a_key(void)
{
    uint64_t base = open_base("input keying material"), salt = open_base("some salt");
    uint64_t by_data = 0, by_key = 0;
    struct mech_call call = call_of(CKM_HKDF_DERIVE);
    struct wanted wanted = {.used = 0};
    call.has_param = true;
    call.u.hkdf.extract = true;
    call.u.hkdf.expand = true;
    call.u.hkdf.prf = DIGEST_SHA256;
    call.u.hkdf.salt_type = CKF_HKDF_SALT_DATA;
    call.u.hkdf.salt = bytes_of_str("some salt");
    open_key(&wanted);
    wanted_ulong(&wanted, CKA_VALUE_LEN, 42);
    UNIT_OK(derive(base, &call, &wanted, &by_data));
    call.u.hkdf.salt_type = CKF_HKDF_SALT_KEY;
    call.u.hkdf.salt_key = salt;
    UNIT_OK(derive(base, &call, &wanted, &by_key));
    CU_ASSERT_TRUE(same(by_data, by_key, CKA_VALUE));
    call.u.hkdf.salt_key = 424242;
    UNIT_RC(derive(base, &call, &wanted, NULL), RC_KEY_HANDLE);
}

static void the_derive_template_is_enforced(void)
{
    struct fixture *f = fixture_shared();
    struct wanted inner = {.used = 0}, usage = {.used = 0}, wanted = {.used = 0};
    struct wanted nothing = {.used = 0};
    AUTO_BUF encoded = BUF_INIT;
    uint64_t a[2], key = 0;
    wanted_bool(&inner, CKA_SENSITIVE, true);
    UNIT_OK(attrs_encode(&encoded, wanted_attrs(&inner)));
    wanted_bool(&usage, CKA_DERIVE, true);
    wanted_bytes(&usage, CKA_DERIVE_TEMPLATE, encoded.ptr, encoded.len);
    fixture_ec(f, NULL, &usage, a);
    AUTO_SECRET point = value_of(a[0], CKA_EC_POINT);
    struct mech_call call = ecdh_call(&point);
    open_key(&wanted);
    UNIT_RC(derive(a[1], &call, &wanted, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_OK(derive(a[1], &call, &nothing, &key));
    CU_ASSERT_TRUE(is_true(key, CKA_SENSITIVE));
}

/* A caller may initialise a free slot, where the policy is the own one. */
static void a_key_is_not_wrapped_by_a_key_of_another_token(void)
{
    struct fixture *f = fixture_shared();
    struct wanted target = {.used = 0}, wanted = {.used = 0};
    struct mutation made = MUTATION_INIT;
    struct mech_call generate = call_of(CKM_AES_KEY_GEN), call = call_of(CKM_AES_KEY_WRAP);
    AUTO_BUF out = BUF_INIT;
    uint64_t wrapping = 0;
    wanted_bool(&target, CKA_PRIVATE, false);
    wanted_bool(&target, CKA_EXTRACTABLE, true);
    uint64_t key = fixture_aes(f, 32, &target);
    UNIT_OK(
        fixture_done(f, &f->nobody,
                     hsm_init_token(f->hsm, &f->nobody, 2, "mine", bytes_of_str("so-pin-2"), &made),
                     &made, NULL));
    made = (struct mutation)MUTATION_INIT;
    wanted_bool(&wanted, CKA_PRIVATE, false);
    wanted_ulong(&wanted, CKA_VALUE_LEN, 32);
    UNIT_OK(fixture_done(
        f, &f->nobody,
        hsm_generate_key(f->hsm, &f->nobody, 2, &generate, wanted_attrs(&wanted), &made), &made,
        &wrapping));
    UNIT_RC(hsm_wrap(f->hsm, &f->nobody, wrapping, key, &call, &out), RC_KEY_HANDLE);
    CU_ASSERT_EQUAL(out.len, 0);
}

UNIT_SUITE("token/hsm_keys", UNIT_CASE(a_generated_key_knows_its_origin),
           UNIT_CASE(a_key_of_no_or_a_bad_length_is_not_generated),
           UNIT_CASE(a_public_session_generates_no_private_key),
           UNIT_CASE(a_pair_has_its_public_key_info_on_both_sides),
           UNIT_CASE(a_pair_may_be_half_of_the_token_and_half_of_the_session),
           UNIT_CASE(the_session_half_goes_when_the_token_half_is_refused),
           UNIT_CASE(a_password_makes_the_key_of_RFC_6070),
           UNIT_CASE(an_RSA_key_without_CRT_parts_gets_them),
           UNIT_CASE(an_RSA_key_whose_numbers_contradict_is_refused),
           UNIT_CASE(a_key_goes_out_wrapped_and_comes_back),
           UNIT_CASE(a_private_key_goes_out_wrapped_and_comes_back),
           UNIT_CASE(what_may_not_be_wrapped_has_its_own_code),
           UNIT_CASE(a_key_is_not_wrapped_by_a_key_of_another_token),
           UNIT_CASE(the_wrap_template_decides_what_is_wrapped),
           UNIT_CASE(the_unwrap_template_is_enforced),
           UNIT_CASE(a_bad_unwrapping_key_has_its_own_codes), UNIT_CASE(two_sides_agree_on_a_key),
           UNIT_CASE(a_concatenation_takes_its_second_key_by_handle),
           UNIT_CASE(a_concatenation_inherits_the_sensitivity_of_the_second_key),
           UNIT_CASE(HKDF_takes_its_salt_as_data_and_as_a_key),
           UNIT_CASE(the_derive_template_is_enforced));
