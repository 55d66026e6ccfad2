/* SPDX-License-Identifier: Apache-2.0 */
/* Signs what is complete: a digest for each stream with new files, by an RSA key in the HSM. All
 * that it goes by is in the directory, so that a restart goes on with the chain. */
#include "kms/audit_digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/audit_internal.h"
#include "kms/hash.h"
#include "kms/hsm_client.h"
#include "kms/iam_random.h"
#include "kms/utc.h"

#define RETRY_S      60
#define DIGEST_MAX   ((size_t)16 * 1024 * 1024)
#define LOG_FILE_MAX ((size_t)256 * 1024 * 1024)
#define FILES_MAX    1000U /* of one digest */

struct audit_digests {
    struct kms *kms;
    char *dir;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_kicked, is_stopping, is_running;
    uint64_t key;
    char fingerprint[HASH_HEX_LEN];
};

/* ---- the key */

enum rc audit_digest_fingerprint(struct bytes public_der, char out[65])
{
    uint8_t hash[HASH_LEN];
    TRY(hash_sha256(public_der, hash));
    hash_hex(bytes_of(hash, sizeof hash), out);
    return RC_OK;
}

struct key_search {
    uint64_t handle;
    struct buf public_der;
    enum rc rc;
};

/* The oldest: front ends that made one each at the same time agree. */
static bool see_key(void *context, const struct hsm_key *key)
{
    struct key_search *search = context;
    if (key->use != KEYSTORE_SIGN || (search->handle != 0 && key->handle > search->handle))
        return true;
    search->handle = key->handle;
    buf_clear(&search->public_der);
    search->rc = buf_append(&search->public_der, buf_bytes(&key->public_der));
    return true;
}

enum rc audit_digest_key(struct hsm_client *hsm, struct buf *out_public_der)
{
    struct key_search search = {.public_der = BUF_INIT, .rc = RC_OK};
    enum rc rc = hsm_find(hsm, AUDIT_KEY_LABEL, NULL, see_key, &search);
    if (rc == RC_OK)
        rc = search.rc;
    if (rc == RC_OK)
        rc = search.handle == 0 ? rc_fail(RC_NOT_FOUND, "there is no key " AUDIT_KEY_LABEL)
                                : buf_append(out_public_der, buf_bytes(&search.public_der));
    buf_clear(&search.public_der);
    return rc;
}

static enum rc find_key(struct hsm_client *hsm, struct key_search *search)
{
    TRY(hsm_find(hsm, AUDIT_KEY_LABEL, NULL, see_key, search));
    TRY(search->rc);
    if (search->handle != 0)
        return RC_OK;
    uint8_t id[HSM_ID_LEN];
    struct hsm_key made = {.public_der = BUF_INIT};
    iam_random(id, sizeof id);
    TRY(hsm_create(hsm, KEYSTORE_SPEC_RSA_2048, KEYSTORE_SIGN, AUDIT_KEY_LABEL, id, &made));
    hsm_key_clear(&made);
    TRY(hsm_find(hsm, AUDIT_KEY_LABEL, NULL, see_key, search));
    TRY(search->rc);
    return search->handle != 0 ? RC_OK : rc_fail(RC_NOT_FOUND, "the trail's key is not there");
}

static enum rc have_key(struct audit_digests *digests)
{
    if (digests->key != 0)
        return RC_OK;
    char name[AUDIT_NAME_MAX];
    struct key_search search = {.public_der = BUF_INIT, .rc = RC_OK};
    enum rc rc = find_key(digests->kms->hsm, &search);
    if (rc == RC_OK)
        rc = audit_digest_fingerprint(buf_bytes(&search.public_der), digests->fingerprint);
    if (rc == RC_OK) {
        (void)snprintf(name, sizeof name, AUDIT_KEY_FILE_PREFIX "%s.der", digests->fingerprint);
        rc = audit_write_file(digests->dir, name, buf_bytes(&search.public_der));
    }
    if (rc == RC_OK)
        digests->key = search.handle;
    buf_clear(&search.public_der);
    return rc;
}

/* ---- a stream's chain, as the directory has it */

struct chain {
    const char *account, *region;
    const char *last;               /* newest digest; NULL: none yet */
    char last_file[AUDIT_NAME_MAX]; /* newest file that it names */
    char last_end[UTC_LEN];
    char last_hash[HASH_HEX_LEN];
    char last_signature[1025];
    const char *files[FILES_MAX]; /* complete and not named by it */
    size_t file_count;
};

static enum rc read_last(const char *dir, struct chain *chain)
{
    AUTO_BUF content = BUF_INIT_MAX(DIGEST_MAX);
    AUTO_BUF signature = BUF_INIT_MAX(1024);
    char name[AUDIT_NAME_MAX + 8];
    uint8_t hash[HASH_LEN];
    TRY(audit_read_file(dir, chain->last, DIGEST_MAX, &content));
    (void)snprintf(name, sizeof name, "%s.sig", chain->last);
    TRY(audit_read_file(dir, name, 1024, &signature));
    (void)snprintf(chain->last_signature, sizeof chain->last_signature, "%.*s",
                   (int)strcspn(buf_str(&signature), "\r\n"), buf_str(&signature));
    TRY(hash_sha256(buf_bytes(&content), hash));
    hash_hex(bytes_of(hash, sizeof hash), chain->last_hash);
    json_error_t error;
    json_t *json = json_loadb((const char *)content.ptr, content.len, 0, &error);
    const json_t *files = json_object_get(json, "logFiles");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *file = json_string_value(json_object_get(json_array_get(files, i), "s3Object"));
        if (file != NULL && strcmp(file, chain->last_file) > 0)
            (void)snprintf(chain->last_file, sizeof chain->last_file, "%s", file);
    }
    const char *end = json_string_value(json_object_get(json, "digestEndTime"));
    (void)snprintf(chain->last_end, sizeof chain->last_end, "%s", end == NULL ? "" : end);
    json_decref(json);
    return end == NULL ? rc_fail(RC_TAMPERED, "%s: cannot be read", chain->last) : RC_OK;
}

static bool is_of(const struct chain *chain, const char *name, const char *what)
{
    char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
    uint64_t time_ms;
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".json") == 0 &&
           audit_name_split(name, what, account, region, &time_ms) &&
           strcmp(account, chain->account) == 0 && strcmp(region, chain->region) == 0;
}

/* `names` are sorted, and so are a stream's by time. */
static enum rc read_chain(const char *dir, char **names, size_t count, struct chain *chain)
{
    for (size_t i = 0; i < count; i++)
        if (is_of(chain, names[i], "CloudTrail-Digest"))
            chain->last = names[i];
    if (chain->last != NULL)
        TRY(read_last(dir, chain));
    for (size_t i = 0; i < count && chain->file_count < FILES_MAX; i++) {
        char *name = names[i];
        bool is_newer = name != NULL && strcmp(name, chain->last_file) > 0;
        if (is_newer && is_of(chain, name, "CloudTrail"))
            chain->files[chain->file_count++] = name;
    }
    return RC_OK;
}

/* ---- a digest */

/* Where a line's eventTime begins; NULL. */
static const char *time_in(const char *line, size_t len)
{
    static const char mark[] = "\"eventTime\":\"";
    const char *at = memmem(line, len, mark, sizeof mark - 1);
    bool is_whole = at != NULL && (size_t)(line + len - at) >= sizeof mark - 1 + UTC_LEN - 1;
    return is_whole ? at + sizeof mark - 1 : NULL;
}

static void times_of(const struct buf *content, const char **out_oldest, const char **out_newest)
{
    const char *line = (const char *)content->ptr, *end = line + content->len;
    *out_oldest = *out_newest = NULL;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((next == NULL ? end : next) - line);
        const char *at = time_in(line, len);
        if (at != NULL && (*out_oldest == NULL || strncmp(at, *out_oldest, UTC_LEN - 1) < 0))
            *out_oldest = at;
        if (at != NULL && (*out_newest == NULL || strncmp(at, *out_newest, UTC_LEN - 1) > 0))
            *out_newest = at;
        line += len + 1;
    }
}

static json_t *time_json(const char *at)
{
    return at == NULL ? json_null() : json_stringn(at, UTC_LEN - 1);
}

static enum rc add_file(const char *dir, const char *name, json_t *list)
{
    AUTO_BUF content = BUF_INIT_MAX(LOG_FILE_MAX);
    uint8_t hash[HASH_LEN];
    char hex[HASH_HEX_LEN];
    const char *oldest, *newest;
    TRY(audit_read_file(dir, name, LOG_FILE_MAX, &content));
    TRY(hash_sha256(buf_bytes(&content), hash));
    hash_hex(bytes_of(hash, sizeof hash), hex);
    times_of(&content, &oldest, &newest);
    json_t *file = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "s3Bucket", "", "s3Object", name,
                             "hashValue", hex, "hashAlgorithm", "SHA-256", "newestEventTime",
                             time_json(newest), "oldestEventTime", time_json(oldest));
    return json_array_append_new(list, file) == 0 ? RC_OK : RC_NO_MEMORY;
}

static json_t *digest_json(const struct audit_digests *digests, const struct chain *chain,
                           const char *name, const char *end)
{
    bool is_first = chain->last == NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:s, s:[]}",
                     "awsAccountId", chain->account, "digestStartTime",
                     is_first ? end : chain->last_end, "digestEndTime", end, "digestS3Bucket", "",
                     "digestS3Object", name, "previousDigestS3Object",
                     is_first ? NULL : chain->last, "previousDigestHashValue",
                     is_first ? NULL : chain->last_hash, "previousDigestHashAlgorithm",
                     is_first ? NULL : "SHA-256", "previousDigestSignature",
                     is_first ? NULL : chain->last_signature, "publicKeyFingerprint",
                     digests->fingerprint, "digestSignatureAlgorithm", "SHA256withRSA", "logFiles");
}

enum rc audit_digest_signed_text(const char *name, struct bytes content, struct buf *out)
{
    uint8_t hash[HASH_LEN];
    char hex[HASH_HEX_LEN];
    TRY(hash_sha256(content, hash));
    hash_hex(bytes_of(hash, sizeof hash), hex);
    json_t *json = json_loadb((const char *)content.ptr, content.len, 0, NULL);
    const char *end = json_string_value(json_object_get(json, "digestEndTime"));
    const char *before = json_string_value(json_object_get(json, "previousDigestSignature"));
    enum rc rc = RC_TAMPERED;
    if (end != NULL)
        rc = buf_printf(out, "%s\n%s\n%s\n%s", end, name, hex, before == NULL ? "null" : before);
    json_decref(json);
    return rc;
}

static enum rc sign(const struct audit_digests *digests, const char *name, struct bytes content)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF signature = BUF_INIT;
    char hex[1025], sig_name[AUDIT_NAME_MAX + 8];
    TRY(audit_digest_signed_text(name, content, &text));
    struct hsm_sign in = {
        .key = digests->key, .algorithm = KEYSTORE_PKCS1_SHA256, .data = buf_bytes(&text)};
    TRY(hsm_sign(digests->kms->hsm, &in, &signature));
    if (signature.len > 512)
        return rc_fail(RC_TOO_LARGE, "a signature of %zu bytes", signature.len);
    hash_hex(buf_bytes(&signature), hex);
    (void)snprintf(sig_name, sizeof sig_name, "%s.sig", name);
    return audit_write_file(digests->dir, sig_name, bytes_of_str(hex));
}

/* The digest comes after its signature: one that is there has it. */
static enum rc write_digest(const struct audit_digests *digests, const struct chain *chain,
                            json_t *json, const char *name)
{
    for (size_t i = 0; i < chain->file_count; i++)
        TRY(add_file(digests->dir, chain->files[i], json_object_get(json, "logFiles")));
    char *text = json_dumps(json, JSON_COMPACT);
    if (text == NULL)
        return RC_NO_MEMORY;
    enum rc rc = sign(digests, name, bytes_of_str(text));
    if (rc == RC_OK)
        rc = audit_write_file(digests->dir, name, bytes_of_str(text));
    free(text);
    return rc;
}

static enum rc digest_stream(struct audit_digests *digests, char **names, size_t count,
                             struct chain *chain)
{
    TRY(read_chain(digests->dir, names, count, chain));
    if (chain->file_count == 0)
        return RC_OK;
    TRY(have_key(digests));
    char name[AUDIT_NAME_MAX], end[UTC_LEN];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    utc_print(now_ms, end);
    audit_name("CloudTrail-Digest", chain->account, chain->region, now_ms, name);
    if (chain->last != NULL && strcmp(name, chain->last) <= 0)
        return rc_fail(RC_CONFLICT, "the clock is behind %s", chain->last);
    json_t *json = digest_json(digests, chain, name, end);
    if (json == NULL)
        return RC_NO_MEMORY;
    enum rc rc = write_digest(digests, chain, json, name);
    json_decref(json);
    return rc;
}

/* The first name of each stream stands for it. */
static enum rc digest_all(struct audit_digests *digests, char **names, size_t count)
{
    char before[KMS_ACCOUNT_LEN + KMS_REGION_MAX + 3] = "";
    enum rc worst = RC_OK;
    for (size_t i = 0; i < count; i++) {
        char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
        char stream[sizeof before];
        uint64_t time_ms;
        if (!audit_name_split(names[i], "CloudTrail", account, region, &time_ms))
            continue;
        (void)snprintf(stream, sizeof stream, "%s/%s", account, region);
        if (strcmp(stream, before) == 0)
            continue;
        memcpy(before, stream, sizeof before);
        struct chain *chain = calloc(1, sizeof *chain);
        if (chain == NULL)
            return RC_NO_MEMORY;
        chain->account = account;
        chain->region = region;
        enum rc rc = digest_stream(digests, names, count, chain);
        free(chain);
        if (rc != RC_OK)
            worst = rc;
    }
    return worst;
}

static enum rc pass(struct audit_digests *digests)
{
    char **names;
    size_t count;
    TRY(audit_names(digests->dir, &names, &count));
    enum rc rc = digest_all(digests, names, count);
    audit_names_free(names, count);
    return rc;
}

/* ---- the thread */

static bool wait_for_work(struct audit_digests *digests)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_S;
    (void)pthread_mutex_lock(&digests->lock);
    while (!digests->is_kicked && !digests->is_stopping)
        if (pthread_cond_timedwait(&digests->wake, &digests->lock, &until) == ETIMEDOUT)
            break;
    digests->is_kicked = false;
    bool goes_on = !digests->is_stopping;
    (void)pthread_mutex_unlock(&digests->lock);
    return goes_on;
}

static void *run(void *context)
{
    struct audit_digests *digests = context;
    bool goes_on = true;
    while (goes_on) {
        goes_on = wait_for_work(digests);
        enum rc rc = pass(digests);
        if (rc != RC_OK) {
            digests->key = 0; /* of another cluster by now? */
            log_warn("trail_digest", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        }
    }
    return NULL;
}

enum rc audit_digests_new(struct kms *kms, const char *dir, struct audit_digests **out)
{
    struct audit_digests *digests = calloc(1, sizeof *digests);
    if (digests == NULL)
        return RC_NO_MEMORY;
    digests->kms = kms;
    digests->dir = strdup(dir);
    (void)pthread_mutex_init(&digests->lock, NULL);
    (void)pthread_cond_init(&digests->wake, NULL);
    digests->is_running =
        digests->dir != NULL && pthread_create(&digests->thread, NULL, run, digests) == 0;
    if (!digests->is_running) {
        audit_digests_free(digests);
        return rc_fail(RC_NO_MEMORY, "no thread for the trail's digests");
    }
    *out = digests;
    return RC_OK;
}

void audit_digests_kick(struct audit_digests *digests)
{
    (void)pthread_mutex_lock(&digests->lock);
    digests->is_kicked = true;
    (void)pthread_cond_signal(&digests->wake);
    (void)pthread_mutex_unlock(&digests->lock);
}

void audit_digests_free(struct audit_digests *digests)
{
    if (digests == NULL)
        return;
    (void)pthread_mutex_lock(&digests->lock);
    digests->is_stopping = true;
    (void)pthread_cond_signal(&digests->wake);
    (void)pthread_mutex_unlock(&digests->lock);
    if (digests->is_running)
        (void)pthread_join(digests->thread, NULL);
    (void)pthread_cond_destroy(&digests->wake);
    (void)pthread_mutex_destroy(&digests->lock);
    free(digests->dir);
    free(digests);
}
