/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every entry of tests/vectors, and fails when a row of the mechanism table has none. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "token/mech.h"
#include "vector_file.h"

#define HOLD_MAX ((size_t)1 << 20)

/* One entry at work. */
struct trial {
    const struct vector *vector;
    struct vector_call made;
    struct key *key;
    struct key *second;
    struct buf input;
    struct buf signature;
    struct buf output;
    enum rc expected;
};

static enum rc expected_rc(const struct vector *vector)
{
    const char *name = vector_text(vector, "result");
    if (name == NULL)
        return RC_OK;
    for (unsigned number = 0; number < 1000; number++) {
        const struct rc_info *info = rc_info((enum rc)number);
        if (strcmp(info->name, name) == 0)
            return info->rc;
    }
    vector_fail(vector, "no result %s", name);
    return RC_INTERNAL;
}

static CK_KEY_TYPE type_of(const struct vector *vector)
{
    static const struct {
        const char *name;
        CK_KEY_TYPE type;
    } types[] = {{"CKK_AES", CKK_AES},
                 {"CKK_GENERIC_SECRET", CKK_GENERIC_SECRET},
                 {"CKK_RSA", CKK_RSA},
                 {"CKK_EC", CKK_EC},
                 {"CKK_EC_EDWARDS", CKK_EC_EDWARDS},
                 {"CKK_EC_MONTGOMERY", CKK_EC_MONTGOMERY},
                 {"CKK_ML_DSA", CKK_ML_DSA},
                 {"CKK_HKDF", CKK_HKDF},
                 {"CKK_SHA256_HMAC", CKK_SHA256_HMAC}};
    const char *name = vector_text(vector, "type");
    if (name == NULL)
        return CKK_GENERIC_SECRET;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    vector_fail(vector, "no key type %s", name);
    return CKK_GENERIC_SECRET;
}

static CK_OBJECT_CLASS class_of(const struct vector *vector)
{
    const char *name = vector_text(vector, "class");
    if (name == NULL || strcmp(name, "secret") == 0)
        return CKO_SECRET_KEY;
    return strcmp(name, "private") == 0 ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
}

static struct key *key_of(const struct vector *vector, const char *prefix, CK_OBJECT_CLASS class,
                          CK_KEY_TYPE type)
{
    AUTO_BUF encoded = BUF_INIT;
    struct attr_list list;
    struct key *key = NULL;
    vector_attrs(vector, prefix, &encoded);
    UNIT_OK(attrs_decode(buf_bytes(&encoded), &list));
    if (list.count > 0 && key_parse(class, type, attrs_of(&list), &key) != RC_OK)
        vector_fail(vector, "the key does not parse");
    return key;
}

static bool is_op(const struct trial *trial, const char *name)
{
    const char *operation = vector_text(trial->vector, "operation");
    return operation != NULL && strcmp(operation, name) == 0;
}

/* What came out against the entry; `rc` against its result. */
static void judge(const struct trial *trial, const char *step, enum rc rc, struct bytes got,
                  struct bytes want)
{
    if (rc != trial->expected)
        vector_fail(trial->vector, "%s gave %s, expected %s", step, rc_info(rc)->name,
                    rc_info(trial->expected)->name);
    else if (rc == RC_OK && !bytes_equal(got, want))
        vector_fail(trial->vector, "%s gave other bytes", step);
    else
        CU_PASS("vector");
}

static enum rc in_parts(const struct trial *trial, enum crypt_op op, struct bytes data,
                        struct bytes signature, struct buf *out)
{
    AUTO_BUF iv = BUF_INIT;
    struct operation *operation = NULL;
    TRY(operation_begin(&trial->made.call, op, trial->key, HOLD_MAX, &iv, &operation));
    enum rc rc = RC_OK;
    for (size_t at = 0, step = 1; rc == RC_OK && at < data.len; at += step++)
        rc = operation_update(operation, bytes_slice(data, at, step), out);
    if (rc == RC_OK)
        rc = operation_final(operation, BYTES_NONE, signature, out);
    operation_free(operation);
    return rc;
}

static void crypt_once(const struct trial *trial, const char *step, enum crypt_op op,
                       struct bytes data, struct bytes signature, struct bytes want)
{
    AUTO_BUF out = BUF_INIT;
    AUTO_BUF iv = BUF_INIT;
    bool prehashed = vector_text(trial->vector, "prehashed") != NULL;
    enum rc rc =
        mech_crypt(&trial->made.call, op, trial->key, 0, prehashed, data, signature, &out, &iv);
    judge(trial, step, rc, buf_bytes(&out), want);
    if (trial->key == NULL || key_class(trial->key) != CKO_SECRET_KEY)
        return;
    AUTO_BUF parts = BUF_INIT;
    rc = in_parts(trial, op, data, signature, &parts);
    judge(trial, "in parts", rc, buf_bytes(&parts), want);
}

static bool offers(const struct trial *trial, CK_FLAGS flag)
{
    return trial->expected == RC_OK && (trial->made.call.mech->flags & flag) != 0 &&
           class_of(trial->vector) == CKO_SECRET_KEY;
}

static void run_crypt(const struct trial *trial)
{
    struct bytes input = buf_bytes(&trial->input);
    struct bytes output = buf_bytes(&trial->output);
    struct bytes signature = buf_bytes(&trial->signature);
    if (is_op(trial, "sign")) {
        crypt_once(trial, "sign", CRYPT_SIGN, input, BYTES_NONE, output);
        if (offers(trial, CKF_VERIFY))
            crypt_once(trial, "verify", CRYPT_VERIFY, input, output, BYTES_NONE);
    } else if (is_op(trial, "verify")) {
        crypt_once(trial, "verify", CRYPT_VERIFY, input, signature, BYTES_NONE);
    } else if (is_op(trial, "encrypt")) {
        crypt_once(trial, "encrypt", CRYPT_ENCRYPT, input, BYTES_NONE, output);
        if (offers(trial, CKF_DECRYPT))
            crypt_once(trial, "decrypt", CRYPT_DECRYPT, output, BYTES_NONE, input);
    } else if (is_op(trial, "decrypt")) {
        crypt_once(trial, "decrypt", CRYPT_DECRYPT, input, BYTES_NONE, output);
    } else if (is_op(trial, "sign_recover")) {
        crypt_once(trial, "sign_recover", CRYPT_SIGN_RECOVER, input, BYTES_NONE, output);
    } else if (is_op(trial, "verify_recover")) {
        crypt_once(trial, "verify_recover", CRYPT_VERIFY_RECOVER, input, BYTES_NONE, output);
    } else {
        vector_fail(trial->vector, "no such operation");
    }
}

static void run_digest(const struct trial *trial)
{
    AUTO_BUF out = BUF_INIT;
    enum rc rc = mech_digest_once(&trial->made.call, buf_bytes(&trial->input), &out);
    judge(trial, "digest", rc, buf_bytes(&out), buf_bytes(&trial->output));
}

static void run_derive(const struct trial *trial)
{
    AUTO_SECRET out = SECRET_INIT;
    size_t len = vector_number(trial->vector, "value_len", 0);
    enum rc rc = mech_derive(&trial->made.call, trial->key, trial->second, 0, len, &out);
    judge(trial, "derive", rc, secret_expose(&out), buf_bytes(&trial->output));
}

static void unwrap(const struct trial *trial, struct bytes wrapped, struct bytes want)
{
    AUTO_SECRET out = SECRET_INIT;
    enum rc rc = mech_unwrap(&trial->made.call, trial->key, 0, wrapped, &out);
    judge(trial, "unwrap", rc, secret_expose(&out), want);
}

static void run_wrap(const struct trial *trial)
{
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(secret_from_bytes(&plain, buf_bytes(&trial->input)));
    enum rc rc = mech_wrap(&trial->made.call, trial->key, 0, &plain, &out);
    judge(trial, "wrap", rc, buf_bytes(&out), buf_bytes(&trial->output));
    if (offers(trial, CKF_UNWRAP))
        unwrap(trial, buf_bytes(&trial->output), buf_bytes(&trial->input));
}

/* Both halves of a material as one list, parsed. */
static struct key *parse_material(const struct trial *trial, CK_OBJECT_CLASS class,
                                  const struct material *material)
{
    struct attr_list list;
    struct attr_list secrets = {.count = 0};
    struct key *key = NULL;
    UNIT_OK(attrs_decode(buf_bytes(&material->public_attrs), &list));
    if (material->secret_attrs.len > 0)
        UNIT_OK(attrs_decode(secret_expose(&material->secret_attrs), &secrets));
    for (size_t i = 0; i < secrets.count; i++)
        UNIT_OK(attr_list_add(&list, secrets.items[i].type, secrets.items[i].value));
    CK_KEY_TYPE type = trial->made.call.mech->key_type;
    if (type == CK_UNAVAILABLE_INFORMATION)
        type = type_of(trial->vector);
    if (key_parse(class, type, attrs_of(&list), &key) != RC_OK)
        vector_fail(trial->vector, "what was generated does not parse");
    return key;
}

static void generate_secret(const struct trial *trial, struct attrs wanted)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    enum rc rc = mech_generate(&trial->made.call, wanted, &material);
    judge(trial, "generate", rc, BYTES_NONE, BYTES_NONE);
    if (rc != RC_OK)
        return;
    struct key *key = parse_material(trial, CKO_SECRET_KEY, &material);
    CK_ULONG len = 0;
    CU_ASSERT_TRUE(attrs_get_ulong(wanted, CKA_VALUE_LEN, &len));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_EQUAL(key_bits(key), 8 * len);
    AUTO_SECRET value = SECRET_INIT;
    UNIT_OK(key_export(key, &value));
    if (trial->output.len > 0)
        judge(trial, "generate", RC_OK, secret_expose(&value), buf_bytes(&trial->output));
    key_free(key);
}

static void generate_pair(const struct trial *trial, struct attrs wanted)
{
    AUTO_MATERIAL public = MATERIAL_INIT;
    AUTO_MATERIAL private = MATERIAL_INIT;
    AUTO_BUF encoded = BUF_INIT;
    struct attr_list wanted_private;
    vector_attrs(trial->vector, "wanted_private", &encoded);
    UNIT_OK(attrs_decode(buf_bytes(&encoded), &wanted_private));
    enum rc rc =
        mech_generate_pair(&trial->made.call, wanted, attrs_of(&wanted_private), &public, &private);
    judge(trial, "generate", rc, BYTES_NONE, BYTES_NONE);
    if (rc != RC_OK)
        return;
    struct key *public_key = parse_material(trial, CKO_PUBLIC_KEY, &public);
    struct key *private_key = parse_material(trial, CKO_PRIVATE_KEY, &private);
    AUTO_BUF public_info = BUF_INIT;
    AUTO_BUF private_info = BUF_INIT;
    CU_ASSERT_PTR_NOT_NULL_FATAL(public_key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(private_key);
    UNIT_OK(key_validate(private_key));
    UNIT_OK(key_public_info(public_key, &public_info));
    UNIT_OK(key_public_info(private_key, &private_info));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&public_info), buf_bytes(&private_info)));
    key_free(public_key);
    key_free(private_key);
}

static void run_generate(const struct trial *trial)
{
    AUTO_BUF encoded = BUF_INIT;
    struct attr_list wanted;
    vector_attrs(trial->vector, "wanted", &encoded);
    UNIT_OK(attrs_decode(buf_bytes(&encoded), &wanted));
    if ((trial->made.call.mech->flags & CKF_GENERATE_KEY_PAIR) != 0)
        generate_pair(trial, attrs_of(&wanted));
    else
        generate_secret(trial, attrs_of(&wanted));
}

static void run_trial(const struct trial *trial)
{
    if (is_op(trial, "digest"))
        run_digest(trial);
    else if (is_op(trial, "derive"))
        run_derive(trial);
    else if (is_op(trial, "wrap"))
        run_wrap(trial);
    else if (is_op(trial, "unwrap"))
        unwrap(trial, buf_bytes(&trial->input), buf_bytes(&trial->output));
    else if (is_op(trial, "generate"))
        run_generate(trial);
    else
        run_crypt(trial);
}

/* Entries by row of the table; those that expect a refusal do not count. */
static unsigned *seen;
static bool has_ml_dsa;

static void count(const struct trial *trial)
{
    for (size_t i = 0; i < mechanism_count(); i++)
        if (mechanism_at(i) == trial->made.call.mech && trial->expected == RC_OK)
            seen[i]++;
}

static void run_vector(const struct vector *vector, void *context)
{
    (void)context;
    struct trial trial = {.vector = vector, .expected = expected_rc(vector)};
    trial.input = trial.signature = trial.output = (struct buf)BUF_INIT;
    vector_call_make(vector, &trial.made);
    if (trial.made.call.mech == NULL)
        return;
    if (!crypto_lib_offers(trial.made.call.mech->key_type)) {
        vector_call_clear(&trial.made);
        return;
    }
    trial.key = key_of(vector, "key", class_of(vector), type_of(vector));
    trial.second = key_of(vector, "second", CKO_SECRET_KEY, CKK_GENERIC_SECRET);
    vector_bytes(vector, "input", &trial.input);
    vector_bytes(vector, "signature", &trial.signature);
    vector_bytes(vector, "output", &trial.output);
    rc_detail_clear();
    run_trial(&trial);
    count(&trial);
    key_free(trial.key);
    key_free(trial.second);
    buf_clear(&trial.input);
    buf_clear(&trial.signature);
    buf_clear(&trial.output);
    vector_call_clear(&trial.made);
}

static int is_vector_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

static void run_files(void)
{
    struct dirent **files = NULL;
    int file_count = scandir(UNIT_DATA_DIR "/vectors", &files, is_vector_file, alphasort);
    CU_ASSERT_TRUE_FATAL(file_count > 0);
    seen = calloc(mechanism_count(), sizeof *seen);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    UNIT_OK(crypto_lib_init());
    has_ml_dsa = crypto_lib_offers(CKK_ML_DSA);
    if (!has_ml_dsa)
        fprintf(stderr, "this libcrypto has no ML-DSA: its vectors are skipped\n");
    for (int i = 0; i < file_count; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/vectors/%s", UNIT_DATA_DIR, files[i]->d_name);
        vector_file_each(path, run_vector, NULL);
        free(files[i]);
    }
    free(files);
    crypto_lib_cleanup();
}

static void every_vector_holds_and_every_row_has_one(void)
{
    run_files();
    for (size_t i = 0; i < mechanism_count(); i++) {
        if (mechanism_at(i)->key_type == CKK_ML_DSA && !has_ml_dsa)
            continue;
        if (seen[i] == 0)
            fprintf(stderr, "%s has no vector in tests/vectors\n", mechanism_at(i)->name);
        CU_ASSERT_TRUE(seen[i] > 0);
    }
    free(seen);
    seen = NULL;
}

UNIT_SUITE("token/vectors", UNIT_CASE(every_vector_holds_and_every_row_has_one));
