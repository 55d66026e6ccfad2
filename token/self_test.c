/* SPDX-License-Identifier: Apache-2.0 */
/* Known-answer tests at start-up, in the manner of FIPS 140-3 IG 10.3.A: every family once, through
 * the same methods that serve callers. */
#include "token/self_test.h"

#include "token/self_test_data.h"

static unsigned nibble(char c)
{
    return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

struct bytes self_test_parse(const char *hex, struct self_test_bytes *out)
{
    out->len = 0;
    for (; hex[0] != 0 && hex[1] != 0 && out->len < sizeof out->bytes; hex += 2)
        out->bytes[out->len++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
    return bytes_of(out->bytes, out->len);
}

const struct mechanism *self_test_row(enum mech_family family, enum param_kind param,
                                      enum digest_id digest)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        if (row->family == family && row->param == param && row->digest == digest)
            return row;
    }
    return NULL;
}

enum rc self_test_failed(const char *what, const char *step)
{
    rc_detail_clear();
    return rc_fail(RC_SELF_TEST, "%s: %s", what, step);
}

enum rc self_test_same(const char *what, const char *step, struct bytes got, struct bytes want)
{
    return bytes_equal(got, want) ? RC_OK : self_test_failed(what, step);
}

static enum rc test_digests(void)
{
    for (int id = DIGEST_NONE + 1; id < DIGEST_COUNT; id++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        size_t len = 0;
        struct self_test_bytes want;
        TRY(crypto_digest((enum digest_id)id, bytes_of_str("abc"), digest, &len));
        TRY(self_test_same(digest_info((enum digest_id)id)->name, "digest", bytes_of(digest, len),
                           self_test_parse(self_test_abc[id], &want)));
    }
    return RC_OK;
}

/* One row of the table at work. */
struct trial {
    const struct self_test_secret *test;
    struct mech_call call;
    struct key *key;
    struct self_test_bytes key_bytes, iv, extra, input, output;
};

static void set_prf(struct mech_call *call, struct bytes fixed)
{
    call->u.kdf.prf = digest_info(DIGEST_SHA256)->hmac;
    call->u.kdf.field_count = 2;
    call->u.kdf.fields[0] =
        (struct prf_field){.type = CK_SP800_108_ITERATION_VARIABLE, .width_bits = 32};
    call->u.kdf.fields[1] = (struct prf_field){.type = CK_SP800_108_BYTE_ARRAY, .data = fixed};
}

static void set_derivation(struct trial *trial, struct bytes iv, struct bytes extra)
{
    struct mech_call *call = &trial->call;
    if (trial->test->param == PARAM_SP800_108) {
        set_prf(call, iv);
    } else if (trial->test->param == PARAM_HKDF) {
        call->u.hkdf.extract = call->u.hkdf.expand = true;
        call->u.hkdf.prf = DIGEST_SHA256;
        call->u.hkdf.salt_type = CKF_HKDF_SALT_DATA;
        call->u.hkdf.salt = iv;
        call->u.hkdf.info = extra;
    } else {
        call->u.pbkdf2.prf = DIGEST_SHA1;
        call->u.pbkdf2.salt = iv;
        call->u.pbkdf2.iterations = 2;
        call->u.pbkdf2.password = bytes_of(trial->key_bytes.bytes, trial->key_bytes.len);
    }
}

static void set_cipher(struct trial *trial, struct bytes iv, struct bytes extra)
{
    struct mech_call *call = &trial->call;
    if (trial->test->param == PARAM_CTR) {
        (void)bytes_copy_exact(iv, call->u.ctr.block, sizeof call->u.ctr.block);
        call->u.ctr.counter_bits = 128;
    } else if (trial->test->param == PARAM_GCM) {
        call->u.gcm.iv = iv;
        call->u.gcm.aad = extra;
        call->u.gcm.tag_bits = 128;
    } else if (trial->test->param == PARAM_CCM) {
        call->u.ccm.nonce = iv;
        call->u.ccm.aad = extra;
        call->u.ccm.data_len = trial->input.len;
        call->u.ccm.mac_len = trial->output.len - trial->input.len;
    } else {
        call->u.iv = iv;
    }
}

static enum rc prepare(struct trial *trial)
{
    const struct self_test_secret *test = trial->test;
    struct bytes iv = self_test_parse(test->iv, &trial->iv);
    struct bytes extra = self_test_parse(test->extra, &trial->extra);
    const struct attr value = {.type = CKA_VALUE,
                               .value = self_test_parse(test->key, &trial->key_bytes)};
    (void)self_test_parse(test->input, &trial->input);
    (void)self_test_parse(test->output, &trial->output);
    trial->call.mech = self_test_row(test->family, test->param, test->digest);
    if (trial->call.mech == NULL)
        return self_test_failed(test->what, "no such row");
    if (trial->call.mech->flags & (CKF_SIGN | CKF_ENCRYPT | CKF_WRAP) ||
        test->param == PARAM_STRING)
        set_cipher(trial, iv, extra);
    else
        set_derivation(trial, iv, extra);
    return key_parse(CKO_SECRET_KEY, test->key_type, (struct attrs){.ptr = &value, .count = 1},
                     &trial->key);
}

static struct bytes view(const struct self_test_bytes *b)
{
    return bytes_of(b->bytes, b->len);
}

/* There, back, and with one bit turned where that must be noticed. */
static enum rc test_cipher(const struct trial *trial)
{
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF back = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    const char *what = trial->test->what;
    TRY(mech_crypt(&trial->call, CRYPT_ENCRYPT, trial->key, 0, false, view(&trial->input),
                   BYTES_NONE, &out, &none));
    TRY(self_test_same(what, "encrypt", buf_bytes(&out), view(&trial->output)));
    TRY(mech_crypt(&trial->call, CRYPT_DECRYPT, trial->key, 0, false, buf_bytes(&out), BYTES_NONE,
                   &back, &none));
    TRY(self_test_same(what, "decrypt", buf_bytes(&back), view(&trial->input)));
    if (trial->test->param != PARAM_GCM && trial->test->param != PARAM_CCM)
        return RC_OK;
    out.ptr[0] ^= 1;
    enum rc rc = mech_crypt(&trial->call, CRYPT_DECRYPT, trial->key, 0, false, buf_bytes(&out),
                            BYTES_NONE, &back, &none);
    return rc == RC_ENCRYPTED_DATA ? RC_OK : self_test_failed(what, "a wrong tag is taken");
}

static enum rc test_mac(const struct trial *trial)
{
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    const char *what = trial->test->what;
    TRY(mech_crypt(&trial->call, CRYPT_SIGN, trial->key, 0, false, view(&trial->input), BYTES_NONE,
                   &out, &none));
    TRY(self_test_same(what, "sign", buf_bytes(&out), view(&trial->output)));
    TRY(mech_crypt(&trial->call, CRYPT_VERIFY, trial->key, 0, false, view(&trial->input),
                   buf_bytes(&out), &none, &none));
    out.ptr[0] ^= 1;
    enum rc rc = mech_crypt(&trial->call, CRYPT_VERIFY, trial->key, 0, false, view(&trial->input),
                            buf_bytes(&out), &none, &none);
    return rc == RC_SIGNATURE_INVALID ? RC_OK : self_test_failed(what, "a wrong code is taken");
}

static enum rc test_wrap(const struct trial *trial)
{
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_SECRET back = SECRET_INIT;
    AUTO_BUF out = BUF_INIT;
    const char *what = trial->test->what;
    TRY(secret_from_bytes(&plain, view(&trial->input)));
    TRY(mech_wrap(&trial->call, trial->key, 0, &plain, &out));
    TRY(self_test_same(what, "wrap", buf_bytes(&out), view(&trial->output)));
    TRY(mech_unwrap(&trial->call, trial->key, 0, buf_bytes(&out), &back));
    return self_test_same(what, "unwrap", secret_expose(&back), view(&trial->input));
}

static enum rc test_derive(const struct trial *trial)
{
    AUTO_SECRET out = SECRET_INIT;
    TRY(mech_derive(&trial->call, trial->key, NULL, 0, trial->output.len, &out));
    return self_test_same(trial->test->what, "derive", secret_expose(&out), view(&trial->output));
}

static enum rc run(const struct trial *trial)
{
    CK_FLAGS flags = trial->call.mech->flags;
    if (flags & CKF_SIGN)
        return test_mac(trial);
    if (flags & CKF_ENCRYPT)
        return test_cipher(trial);
    return flags & CKF_WRAP ? test_wrap(trial) : test_derive(trial);
}

static enum rc test_secret(const struct self_test_secret *test)
{
    struct trial trial = {.test = test};
    enum rc rc = prepare(&trial);
    if (rc == RC_OK)
        rc = run(&trial);
    key_free(trial.key);
    return rc == RC_OK || rc == RC_SELF_TEST ? rc : self_test_failed(test->what, rc_detail());
}

/* Two draws that are equal mean a broken generator, SP 800-90B 4.4.1. */
static enum rc test_random(void)
{
    uint8_t first[32];
    uint8_t second[32];
    TRY(random_bytes(first, sizeof first));
    TRY(random_bytes(second, sizeof second));
    if (!bytes_equal(bytes_of(first, sizeof first), bytes_of(second, sizeof second)))
        return RC_OK;
    return self_test_failed("random numbers", "the same twice");
}

enum rc crypto_self_test(void)
{
    TRY(test_digests());
    TRY(test_random());
    for (size_t i = 0; i < sizeof self_test_secrets / sizeof self_test_secrets[0]; i++)
        TRY(test_secret(&self_test_secrets[i]));
    TRY(self_test_pairs());
    rc_detail_clear(); /* of the refusals that were expected */
    return RC_OK;
}
