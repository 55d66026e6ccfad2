/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests of asymmetric keys: known signatures, sign and verify, encrypt and decrypt, and an
 * agreement. */
#include "token/self_test.h"
#include "token/self_test_data.h"

struct pair {
    struct key *public;
    struct key *private;
};

static void pair_clear(struct pair *pair)
{
    key_free(pair->public);
    key_free(pair->private);
}
#define AUTO_PAIR __attribute__((cleanup(pair_clear))) struct pair

static enum rc half_new(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type,
                        const struct self_test_part parts[SELF_TEST_PARTS], struct key **out)
{
    struct self_test_bytes values[SELF_TEST_PARTS];
    struct attr_list list = {.count = 0};
    for (size_t i = 0; i < SELF_TEST_PARTS && parts[i].value != NULL; i++)
        TRY(attr_list_add(&list, parts[i].type, self_test_parse(parts[i].value, &values[i])));
    return key_parse(object_class, key_type, attrs_of(&list), out);
}

static enum rc pair_new(enum self_test_key_number number, struct pair *out)
{
    const struct self_test_key *key = &self_test_keys[number];
    TRY(half_new(CKO_PUBLIC_KEY, key->key_type, key->public_parts, &out->public));
    return half_new(CKO_PRIVATE_KEY, key->key_type, key->private_parts, &out->private);
}

static struct mech_call call_of(const struct mechanism *row)
{
    struct mech_call call = {.mech = row};
    call.has_param = row->param != PARAM_NONE && row->param != PARAM_EDDSA;
    if (row->param == PARAM_PSS) {
        call.u.pss.digest = call.u.pss.mgf = row->digest;
        call.u.pss.salt_len = digest_info(row->digest)->len;
    }
    if (row->param == PARAM_OAEP)
        call.u.oaep.digest = call.u.oaep.mgf = DIGEST_SHA256;
    return call;
}

static enum rc verify(const struct mech_call *call, const struct pair *pair, struct bytes data,
                      struct bytes signature)
{
    AUTO_BUF none = BUF_INIT;
    return mech_crypt(call, CRYPT_VERIFY, pair->public, 0, false, data, signature, &none, &none);
}

static enum rc run_signature(const struct self_test_signature *test, const struct mech_call *call)
{
    AUTO_PAIR pair = {0};
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    struct self_test_bytes input;
    struct self_test_bytes known;
    struct bytes data = self_test_parse(test->input, &input);
    struct bytes want = self_test_parse(test->signature, &known);
    TRY(pair_new(test->key, &pair));
    TRY(mech_crypt(call, CRYPT_SIGN, pair.private, 0, false, data, BYTES_NONE, &out, &none));
    if (test->deterministic)
        TRY(self_test_same(test->what, "sign", buf_bytes(&out), want));
    TRY(verify(call, &pair, data, buf_bytes(&out)));
    if (want.len > 0)
        TRY(verify(call, &pair, data, want));
    out.ptr[out.len - 1] ^= 1;
    if (verify(call, &pair, data, buf_bytes(&out)) != RC_SIGNATURE_INVALID)
        return self_test_failed(test->what, "a wrong signature is taken");
    return RC_OK;
}

static enum param_kind param_of(enum mech_family family)
{
    if (family == FAMILY_EDDSA)
        return PARAM_EDDSA;
    return family == FAMILY_RSA_PSS ? PARAM_PSS : PARAM_NONE;
}

static enum rc test_signature(const struct self_test_signature *test)
{
    const struct mechanism *row = self_test_row(test->family, param_of(test->family), test->digest);
    if (row == NULL)
        return self_test_failed(test->what, "no such row");
    const struct mech_call call = call_of(row);
    enum rc rc = run_signature(test, &call);
    return rc == RC_OK || rc == RC_SELF_TEST ? rc : self_test_failed(test->what, rc_detail());
}

static enum rc run_oaep(struct mech_call *call)
{
    AUTO_PAIR pair = {0};
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF back = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    struct bytes data = bytes_of_str("known answer");
    TRY(pair_new(SELF_TEST_RSA, &pair));
    TRY(mech_crypt(call, CRYPT_ENCRYPT, pair.public, 0, false, data, BYTES_NONE, &out, &none));
    TRY(mech_crypt(call, CRYPT_DECRYPT, pair.private, 0, false, buf_bytes(&out), BYTES_NONE, &back,
                   &none));
    return self_test_same("RSA-OAEP", "decrypt", buf_bytes(&back), data);
}

static enum rc run_ecdh(struct mech_call *call)
{
    AUTO_PAIR pair = {0};
    AUTO_SECRET out = SECRET_INIT;
    struct self_test_bytes peer;
    struct self_test_bytes shared;
    call->u.ecdh.kdf = CKD_NULL;
    call->u.ecdh.peer = self_test_parse(self_test_peer, &peer);
    TRY(pair_new(SELF_TEST_P256_ECDH, &pair));
    TRY(mech_derive(call, pair.private, NULL, 0, 32, &out));
    return self_test_same("ECDH P-256", "derive", secret_expose(&out),
                          self_test_parse(self_test_shared, &shared));
}

/* The private half from its seed alone, the public half from the private one. */
static enum rc ml_dsa_pair(CK_ULONG set, struct pair *out)
{
    uint8_t number[8], seed[ML_DSA_SEED_LEN];
    struct attr_list private_parts = {.count = 0}, public_parts = {.count = 0};
    AUTO_SECRET arena = SECRET_INIT;
    memset(seed, 0x2a, sizeof seed);
    TRY(attr_list_add(&private_parts, CKA_PARAMETER_SET, attr_ulong(number, set)));
    TRY(attr_list_add(&private_parts, CKA_SEED, bytes_of(seed, sizeof seed)));
    TRY(key_parse(CKO_PRIVATE_KEY, CKK_ML_DSA, attrs_of(&private_parts), &out->private));
    TRY(key_parts(out->private, false, &arena, &public_parts));
    return key_parse(CKO_PUBLIC_KEY, CKK_ML_DSA, attrs_of(&public_parts), &out->public);
}

static enum rc run_ml_dsa(const struct self_test_ml_dsa *test, const struct mech_call *call)
{
    AUTO_PAIR pair = {0};
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    struct self_test_bytes known;
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct bytes data = bytes_of_str("Hello world");
    TRY(ml_dsa_pair(test->set, &pair));
    TRY(mech_crypt(call, CRYPT_SIGN, pair.private, 0, false, data, BYTES_NONE, &out, &none));
    TRY(crypto_digest(DIGEST_SHA256, buf_bytes(&out), digest, &len));
    TRY(self_test_same(test->what, "sign", bytes_of(digest, len),
                       self_test_parse(test->sha256, &known)));
    TRY(verify(call, &pair, data, buf_bytes(&out)));
    out.ptr[out.len - 1] ^= 1;
    if (verify(call, &pair, data, buf_bytes(&out)) != RC_SIGNATURE_INVALID)
        return self_test_failed(test->what, "a wrong signature is taken");
    return RC_OK;
}

static enum rc test_ml_dsa(void)
{
    struct mech_call call = {.mech = self_test_row(FAMILY_ML_DSA, PARAM_SIGN_CONTEXT, DIGEST_NONE),
                             .has_param = true};
    call.u.sign_context.hedge = CKH_DETERMINISTIC_REQUIRED;
    if (call.mech == NULL)
        return self_test_failed("ML-DSA", "no such row");
    for (size_t i = 0; i < sizeof self_test_ml_dsa / sizeof self_test_ml_dsa[0]; i++) {
        enum rc rc = run_ml_dsa(&self_test_ml_dsa[i], &call);
        if (rc != RC_OK)
            return rc == RC_SELF_TEST ? rc
                                      : self_test_failed(self_test_ml_dsa[i].what, rc_detail());
    }
    return RC_OK;
}

static enum rc test_other(const char *what, enum mech_family family, enum param_kind param,
                          enum rc (*test)(struct mech_call *call))
{
    const struct mechanism *row = self_test_row(family, param, DIGEST_NONE);
    if (row == NULL)
        return self_test_failed(what, "no such row");
    struct mech_call call = call_of(row);
    enum rc rc = test(&call);
    return rc == RC_OK || rc == RC_SELF_TEST ? rc : self_test_failed(what, rc_detail());
}

enum rc self_test_pairs(void)
{
    for (size_t i = 0; i < sizeof self_test_signatures / sizeof self_test_signatures[0]; i++)
        TRY(test_signature(&self_test_signatures[i]));
    if (crypto_lib_offers(CKK_ML_DSA))
        TRY(test_ml_dsa());
    TRY(test_other("RSA-OAEP", FAMILY_RSA_OAEP, PARAM_OAEP, run_oaep));
    return test_other("ECDH P-256", FAMILY_ECDH, PARAM_ECDH, run_ecdh);
}
