/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a trail: signatures, chain and hashes of every digest, and files that none names. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/audit_digest.h"
#include "kms/audit_internal.h"
#include "kms/digest.h"
#include "kms/hash.h"

#define DIGEST_MAX   ((size_t)16 * 1024 * 1024)
#define LOG_FILE_MAX ((size_t)256 * 1024 * 1024)
#define WHAT         "CloudTrail-Digest"

struct check {
    const char *dir;
    struct bytes given_key;
    audit_finding finding;
    void *context;
    struct audit_verdict *verdict;
    char **names;
    size_t count;
    bool *is_named; /* log files that a digest names, by place in names */
};

static void fault(struct check *check, const char *file, const char *what)
{
    check->verdict->faults++;
    check->finding(check->context, file, what, true);
}

/* ---- signatures */

static enum rc load_key(const struct check *check, const char *fingerprint, struct buf *out)
{
    char own[HASH_HEX_LEN], name[AUDIT_NAME_MAX];
    if (check->given_key.len > 0)
        TRY(buf_append(out, check->given_key));
    else {
        if (strspn(fingerprint, "0123456789abcdef") != strlen(fingerprint) ||
            strlen(fingerprint) != HASH_HEX_LEN - 1)
            return RC_NOT_FOUND;
        (void)snprintf(name, sizeof name, AUDIT_KEY_FILE_PREFIX "%s.der", fingerprint);
        TRY(audit_read_file(check->dir, name, 4096, out));
    }
    TRY(audit_digest_fingerprint(buf_bytes(out), own));
    return strcmp(own, fingerprint) == 0 ? RC_OK : RC_NOT_FOUND;
}

static bool from_hex(const char *hex, struct buf *out)
{
    for (; *hex != '\0' && *hex != '\n'; hex += 2) {
        const char digits[3] = {hex[0], hex[1], '\0'};
        char *end = NULL;
        unsigned long value = strtoul(digits, &end, 16);
        if (end != digits + 2 || buf_put_u8(out, (uint8_t)value) != RC_OK)
            return false;
    }
    return true;
}

static bool is_signature(struct bytes public_der, struct bytes text, struct bytes signature)
{
    const unsigned char *at = public_der.ptr;
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &at, (long)public_der.len, digest_lib(), NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        key != NULL && context != NULL &&
        EVP_DigestVerifyInit_ex(context, NULL, "SHA2-256", digest_lib(), NULL, key, NULL) == 1 &&
        EVP_DigestVerify(context, signature.ptr, signature.len, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

static bool read_signature(const struct check *check, const char *name, struct buf *out)
{
    AUTO_BUF hex = BUF_INIT_MAX(2048);
    char file[AUDIT_NAME_MAX + 8];
    (void)snprintf(file, sizeof file, "%s.sig", name);
    return audit_read_file(check->dir, file, 2048, &hex) == RC_OK && from_hex(buf_str(&hex), out);
}

static void check_signature(struct check *check, const char *name, struct bytes content,
                            const json_t *json)
{
    AUTO_BUF key = BUF_INIT_MAX(8192);
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF signature = BUF_INIT;
    const char *fingerprint = json_string_value(json_object_get(json, "publicKeyFingerprint"));
    if (fingerprint == NULL || load_key(check, fingerprint, &key) != RC_OK)
        fault(check, name, "signed by another key");
    else if (!read_signature(check, name, &signature))
        fault(check, name, "its signature is missing");
    else if (audit_digest_signed_text(name, content, &text) != RC_OK ||
             !is_signature(buf_bytes(&key), buf_bytes(&text), buf_bytes(&signature)))
        fault(check, name, "its signature is wrong");
}

/* ---- chain */

struct link {
    char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
    const char *name; /* NULL: this stream's chain begins */
    char hash[HASH_HEX_LEN];
};

static bool is_text(const json_t *json, const char *member, const char *value)
{
    const char *text = json_string_value(json_object_get(json, member));
    return (text == NULL && value == NULL) ||
           (text != NULL && value != NULL && strcmp(text, value) == 0);
}

static void check_link(struct check *check, const char *name, const json_t *json,
                       const struct link *before)
{
    if (!is_text(json, "digestS3Object", name))
        fault(check, name, "it is a digest of another name");
    if (!is_text(json, "previousDigestS3Object", before->name))
        fault(check, name,
              before->name == NULL ? "the digest before it is missing"
                                   : "a digest before it is missing or too many");
    else if (before->name != NULL && !is_text(json, "previousDigestHashValue", before->hash))
        fault(check, name, "the digest before it was changed");
}

/* ---- files */

static void check_file(struct check *check, const char *digest, const json_t *file)
{
    AUTO_BUF content = BUF_INIT_MAX(LOG_FILE_MAX);
    uint8_t hash[HASH_LEN];
    char hex[HASH_HEX_LEN];
    const char *name = json_string_value(json_object_get(file, "s3Object"));
    const char *said = json_string_value(json_object_get(file, "hashValue"));
    if (name == NULL || said == NULL || strchr(name, '/') != NULL) {
        fault(check, digest, "it names a file that is none");
        return;
    }
    for (size_t i = 0; i < check->count; i++)
        if (strcmp(check->names[i], name) == 0)
            check->is_named[i] = true;
    if (audit_read_file(check->dir, name, LOG_FILE_MAX, &content) != RC_OK) {
        fault(check, name, "the file is missing");
        return;
    }
    if (hash_sha256(buf_bytes(&content), hash) != RC_OK)
        return;
    hash_hex(bytes_of(hash, sizeof hash), hex);
    if (strcmp(hex, said) != 0) {
        fault(check, name, "the file was changed");
        return;
    }
    check->verdict->files++;
    check->finding(check->context, name, "as it was signed", false);
}

static void set_link(struct link *link, const char *name, struct bytes content)
{
    uint8_t hash[HASH_LEN];
    link->name = name;
    link->hash[0] = '\0';
    if (hash_sha256(content, hash) == RC_OK)
        hash_hex(bytes_of(hash, sizeof hash), link->hash);
}

static void check_digest(struct check *check, const char *name, struct link *before)
{
    AUTO_BUF content = BUF_INIT_MAX(DIGEST_MAX);
    size_t faults = check->verdict->faults;
    if (audit_read_file(check->dir, name, DIGEST_MAX, &content) != RC_OK) {
        fault(check, name, "it cannot be read");
        return;
    }
    json_t *json = json_loadb((const char *)content.ptr, content.len, 0, NULL);
    const json_t *files = json_object_get(json, "logFiles");
    check_signature(check, name, buf_bytes(&content), json);
    check_link(check, name, json, before);
    for (size_t i = 0; i < json_array_size(files); i++)
        check_file(check, name, json_array_get(files, i));
    json_decref(json);
    set_link(before, name, buf_bytes(&content));
    if (check->verdict->faults == faults) {
        check->verdict->digests++;
        check->finding(check->context, name, "signed, and follows the one before", false);
    }
}

/* Names are sorted: a stream's digests stand together, by time. */
static void check_digests(struct check *check)
{
    struct link before = {.name = NULL};
    for (size_t i = 0; i < check->count; i++) {
        struct link link = {.name = NULL};
        uint64_t time_ms;
        size_t len = strlen(check->names[i]);
        if (len < 5 || strcmp(check->names[i] + len - 5, ".json") != 0 ||
            !audit_name_split(check->names[i], WHAT, link.account, link.region, &time_ms))
            continue;
        if (strcmp(link.account, before.account) != 0 || strcmp(link.region, before.region) != 0)
            before = link;
        check_digest(check, check->names[i], &before);
    }
}

/* Is a digest of the stream there that is younger than the file? Then it was put there afterwards.
 */
static bool is_late(const struct check *check, const char *name)
{
    char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
    uint64_t time_ms, digest_ms;
    if (!audit_name_split(name, "CloudTrail", account, region, &time_ms))
        return false;
    for (size_t i = 0; i < check->count; i++) {
        const char *other = check->names[i];
        char own_account[sizeof account], own_region[sizeof region];
        bool is_younger =
            audit_name_split(other, "CloudTrail", own_account, own_region, &digest_ms) &&
            check->is_named[i] && strcmp(own_account, account) == 0 &&
            strcmp(own_region, region) == 0 && strcmp(other, name) > 0;
        if (is_younger)
            return true;
    }
    return false;
}

static void check_unnamed(struct check *check)
{
    for (size_t i = 0; i < check->count; i++) {
        const char *name = check->names[i];
        char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
        uint64_t time_ms;
        if (check->is_named[i] || strstr(name, AUDIT_PART) != NULL ||
            !audit_name_split(name, "CloudTrail", account, region, &time_ms))
            continue;
        if (is_late(check, name)) {
            fault(check, name, "no digest names it, though later files are signed");
            continue;
        }
        check->verdict->waiting++;
        check->finding(check->context, name, "not signed yet", false);
    }
}

enum rc audit_verify(const char *dir, struct bytes public_der, audit_finding finding, void *context,
                     struct audit_verdict *out)
{
    *out = (struct audit_verdict){0};
    struct check check = {.dir = dir,
                          .given_key = public_der,
                          .finding = finding,
                          .context = context,
                          .verdict = out};
    TRY(audit_names(dir, &check.names, &check.count));
    check.is_named = calloc(check.count + 1, sizeof *check.is_named);
    if (check.is_named != NULL) {
        check_digests(&check);
        check_unnamed(&check);
    }
    audit_names_free(check.names, check.count);
    enum rc rc = check.is_named == NULL ? RC_NO_MEMORY : RC_OK;
    free(check.is_named);
    return rc;
}

/* ---- the verb */

static void print_finding(void *context, const char *file, const char *what, bool is_fault)
{
    (void)context;
    (void)printf("%s %s: %s\n", is_fault ? "FAULT" : "ok   ", file, what);
}

/* The HSM has no key of the trail: then nothing may say that it was signed, either. */
static enum rc tell_unsigned(const char *dir, unsigned long roll_s)
{
    char **names;
    size_t count, digests = 0;
    TRY(audit_names(dir, &names, &count));
    for (size_t i = 0; i < count; i++)
        digests += strstr(names[i], WHAT) != NULL;
    audit_names_free(names, count);
    if (digests > 0)
        return rc_fail(RC_TAMPERED,
                       "%s has digests, but the HSM has no key " AUDIT_KEY_LABEL
                       " that signed them: is it another cluster's trail?",
                       dir);
    (void)printf("Nothing is signed yet. The first digest comes when a file of records is "
                 "finished: %lu seconds (trail_roll_s) after its first record, or when the front "
                 "end stops.\n",
                 roll_s);
    return RC_OK;
}

enum rc audit_verify_run(const struct kms_config *config, struct kms *kms, int count,
                         char **arguments)
{
    AUTO_BUF key = BUF_INIT;
    struct audit_verdict verdict;
    const char *dir = count > 0 ? arguments[0] : config->trail_dir;
    if (dir == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "kms.conf names no trail_dir, and no directory was given");
    enum rc rc = audit_digest_key(kms->hsm, &key);
    if (rc == RC_NOT_FOUND)
        return tell_unsigned(dir, config->trail_roll_s);
    TRY(rc);
    TRY(audit_verify(dir, buf_bytes(&key), print_finding, NULL, &verdict));
    (void)printf("%zu digests and %zu files are right, %zu files wait for their digest, %zu "
                 "faults\n",
                 verdict.digests, verdict.files, verdict.waiting, verdict.faults);
    return verdict.faults == 0 ? RC_OK
                               : rc_fail(RC_TAMPERED, "%s: %zu faults", dir, verdict.faults);
}
