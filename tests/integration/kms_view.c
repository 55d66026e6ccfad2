/* SPDX-License-Identifier: Apache-2.0 */
/* Two front ends in one process, as far as their view of a real cluster goes: `kms_view CONF
 * PASSWORD_FILE check` looks at each request of the key store once; `... load SECONDS` changes
 * documents and uses keys from several threads, loses nothing, and tells how it went; `... bench
 * THREADS SECONDS` measures; `... put KEY JSON` makes a document that nobody may be able to read.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kms/secret_file.h"
#include "kms/vault.h"
#include "kms/view.h"

#define THREADS_MAX 64U
#define COUNTER     "test/counter"

/* No kind: documents are kept undecoded. */
const struct view_kind *view_kind_at(size_t index)
{
    (void)index;
    return NULL;
}

struct front {
    struct hsm_client *hsm;
    struct view *view;
    struct vault *vault;
};

static void die(const char *what, enum rc rc)
{
    (void)fprintf(stderr, "%s: %s: %s\n", what, rc_info(rc)->name, rc_detail());
    exit(1);
}

static void must(enum rc rc, const char *what)
{
    if (rc != RC_OK)
        die(what, rc);
}

static void must_be(enum rc rc, enum rc wanted, const char *what)
{
    if (rc != wanted)
        die(what, rc);
}

static void demand(bool is_so, const char *what)
{
    if (is_so)
        return;
    (void)fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

#define MUST(expr)            must((expr), #expr)
#define MUST_BE(expr, wanted) must_be((expr), (wanted), #expr)
#define DEMAND(expr)          demand((expr), #expr)

static void open_front(const char *conf, const char *password_file, struct front *out)
{
    const struct hsm_client_config config = {.conf = conf, .token = "kms", .user = "kmsuser"};
    AUTO_SECRET password = SECRET_INIT;
    MUST(secret_file_line(password_file, &password));
    MUST(hsm_client_new(&config, &out->hsm));
    MUST(hsm_client_connect(out->hsm, &password));
    MUST(view_new(out->hsm, &out->view));
    MUST(vault_new(out->hsm, &out->vault));
}

static void close_front(struct front *front)
{
    vault_free(front->vault);
    view_free(front->view);
    hsm_client_free(front->hsm);
}

static enum rc put(struct view *view, const char *key, uint64_t version, json_t *value)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = view_changes_add(&changes, key, version, value);
    if (rc == RC_OK)
        rc = view_commit(view, &changes);
    view_changes_clear(&changes);
    return rc;
}

static uint64_t version_in(struct view *view, const char *key)
{
    AUTO_RECORD *record = view_get(view, key);
    return record == NULL ? 0 : record->version;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* ---- check: documents */

struct elsewhere {
    struct front *front;
    const char *key;
    json_t *value;
    enum rc rc;
};

static void *change_there(void *context)
{
    struct elsewhere *change = context;
    change->rc = view_refresh(change->front->view);
    if (change->rc == RC_OK)
        change->rc = put(change->front->view, change->key,
                         version_in(change->front->view, change->key), change->value);
    return NULL;
}

/* In a thread of its own, whose changes rest on nothing. */
static enum rc change_elsewhere(struct front *front, const char *key, json_t *value)
{
    struct elsewhere change = {.front = front, .key = key, .value = value};
    pthread_t thread;
    if (pthread_create(&thread, NULL, change_there, &change) != 0)
        return RC_NO_MEMORY;
    (void)pthread_join(thread, NULL);
    return change.rc;
}

static void check_documents(struct front *a, struct front *b)
{
    char key[129];
    (void)snprintf(key, sizeof key, "test/check/%d", (int)getpid());
    MUST(put(a->view, key, 0, json_pack("{s:i}", "n", 1)));
    DEMAND(version_in(a->view, key) == 1);
    for (unsigned i = 0; i < 300 && version_in(b->view, key) != 1; i++)
        pause_ms(10);
    DEMAND(version_in(b->view, key) == 1);
    MUST(put(b->view, key, 1, json_pack("{s:i}", "n", 2)));
    MUST_BE(put(a->view, key, 1, json_pack("{s:i}", "n", 3)), RC_CONFLICT);
    DEMAND(version_in(a->view, key) == 2);
    MUST_BE(put(a->view, key, 0, json_object()), RC_CONFLICT);
    uint64_t index = view_index(a->view);
    MUST(view_confirm(a->view, index));
    MUST(put(b->view, key, 2, NULL));
    MUST_BE(view_confirm(a->view, index), RC_VIEW_OLD);
    DEMAND(version_in(a->view, key) == 0);
}

/* What the decision rests on is changed by the other, who is not waited for; then given up. */
static void check_decisions(struct front *a, struct front *b)
{
    char ground[129];
    char key[129];
    (void)snprintf(ground, sizeof ground, "test/ground/%d", (int)getpid());
    (void)snprintf(key, sizeof key, "test/decided/%d", (int)getpid());
    MUST(put(a->view, ground, 0, json_object()));
    view_decide();
    DEMAND(version_in(a->view, ground) == 1);
    MUST(put(a->view, key, 0, json_object()));
    view_decide();
    DEMAND(version_in(a->view, ground) == 1);
    MUST_BE(change_elsewhere(b, ground, json_object()), RC_OK);
    MUST_BE(put(a->view, key, 1, json_object()), RC_CONFLICT);
    view_decide();
    DEMAND(version_in(a->view, ground) == 2);
    MUST_BE(change_elsewhere(b, ground, NULL), RC_OK);
    MUST_BE(put(a->view, key, 1, json_object()), RC_CONFLICT);
    view_decide();
    DEMAND(version_in(a->view, ground) == 0);
    MUST(put(a->view, key, 1, NULL));
    view_decided();
    MUST(view_refresh(b->view));
}

/* ---- check: keys */

static struct hsm_key make(struct front *front, enum keystore_spec spec, enum keystore_use use)
{
    static uint8_t id[HSM_ID_LEN];
    struct hsm_key key;
    id[0]++;
    MUST(hsm_create(front->hsm, spec, use, "test-key", id, &key));
    DEMAND(key.handle != 0);
    return key;
}

static void check_encryption(struct front *a, struct front *b)
{
    struct hsm_key key = make(a, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF again = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    struct hsm_encrypt in = {.view = view_index(a->view),
                             .key = key.handle,
                             .algorithm = KEYSTORE_GCM,
                             .aad = bytes_of_str("context"),
                             .plain = bytes_of_str("some text")};
    MUST(hsm_encrypt(a->hsm, &in, &sealed, NULL, NULL));
    struct hsm_decrypt out = {.view = view_index(b->view),
                              .key = key.handle,
                              .algorithm = KEYSTORE_GCM,
                              .aad = in.aad,
                              .ciphertext = buf_bytes(&sealed)};
    MUST(hsm_decrypt(b->hsm, &out, &plain));
    DEMAND(secret_equal(&plain, in.plain));
    in.aad = bytes_of_str("another");
    MUST(hsm_reencrypt(a->hsm, &out, &in, &again));
    MUST_BE(hsm_decrypt(b->hsm,
                        &(struct hsm_decrypt){.key = key.handle,
                                              .algorithm = KEYSTORE_GCM,
                                              .aad = out.aad,
                                              .ciphertext = buf_bytes(&again)},
                        &plain),
            RC_ENCRYPTED_DATA);
    /* A change that the other has made is obeyed at once. */
    char name[129];
    (void)snprintf(name, sizeof name, "test/old/%d", (int)getpid());
    out.view = view_index(a->view);
    MUST(put(b->view, name, 0, json_object()));
    enum rc rc = hsm_decrypt(a->hsm, &out, &plain);
    DEMAND(rc == RC_VIEW_OLD);
    MUST(view_refresh(a->view));
    out.view = view_index(a->view);
    MUST(hsm_decrypt(a->hsm, &out, &plain));
    MUST(put(b->view, name, 1, NULL));
    MUST(hsm_delete(a->hsm, key.handle));
    out.view = 0;
    MUST_BE(hsm_decrypt(b->hsm, &out, &plain), RC_OBJECT_HANDLE);
    hsm_key_clear(&key);
}

static void check_data_keys(struct front *a)
{
    struct hsm_key key = make(a, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF pair = BUF_INIT;
    AUTO_BUF public_der = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_SECRET opened = SECRET_INIT;
    struct hsm_encrypt in = {
        .key = key.handle, .algorithm = KEYSTORE_GCM, .random_len = 32, .reveal = true};
    MUST(hsm_encrypt(a->hsm, &in, &sealed, &plain, NULL));
    DEMAND(plain.len == 32);
    const struct hsm_decrypt out = {
        .key = key.handle, .algorithm = KEYSTORE_GCM, .ciphertext = buf_bytes(&sealed)};
    MUST(hsm_decrypt(a->hsm, &out, &opened));
    DEMAND(secret_equal(&opened, secret_expose(&plain)));
    in.random_len = 0;
    in.pair_spec = KEYSTORE_SPEC_P256;
    MUST(hsm_encrypt(a->hsm, &in, &pair, &plain, &public_der));
    DEMAND(public_der.len > 60);
    MUST(hsm_delete(a->hsm, key.handle));
    hsm_key_clear(&key);
}

static void check_signature(struct front *a, enum keystore_spec spec, enum keystore_use use,
                            enum keystore_algorithm algorithm)
{
    struct hsm_key key = make(a, spec, use);
    AUTO_BUF signature = BUF_INIT;
    struct hsm_sign in = {
        .key = key.handle, .algorithm = algorithm, .data = bytes_of_str("some message")};
    MUST(hsm_sign(a->hsm, &in, &signature));
    MUST(hsm_verify(a->hsm, &in, buf_bytes(&signature)));
    in.data = bytes_of_str("another message");
    MUST_BE(hsm_verify(a->hsm, &in, buf_bytes(&signature)), RC_SIGNATURE_INVALID);
    DEMAND((use == KEYSTORE_MAC) == (key.public_der.len == 0));
    MUST(hsm_delete(a->hsm, key.handle));
    hsm_key_clear(&key);
}

static void check_agreement(struct front *a, struct front *b)
{
    struct hsm_key one = make(a, KEYSTORE_SPEC_P256, KEYSTORE_AGREE);
    struct hsm_key two = make(a, KEYSTORE_SPEC_P256, KEYSTORE_AGREE);
    AUTO_SECRET left = SECRET_INIT;
    AUTO_SECRET right = SECRET_INIT;
    MUST(hsm_agree(a->hsm, 0, one.handle, buf_bytes(&two.public_der), &left));
    MUST(hsm_agree(b->hsm, 0, two.handle, buf_bytes(&one.public_der), &right));
    DEMAND(left.len == 32 && secret_equal(&left, secret_expose(&right)));
    MUST(hsm_delete(a->hsm, one.handle));
    MUST(hsm_delete(a->hsm, two.handle));
    hsm_key_clear(&one);
    hsm_key_clear(&two);
}

static bool count_key(void *context, const struct hsm_key *key)
{
    unsigned *count = context;
    *count += key->label[0] != 0 ? 1 : 0;
    return true;
}

static bool is_the_same(void *context, const struct hsm_key *found)
{
    struct hsm_key *made = context;
    if (found->handle != made->handle)
        return true;
    DEMAND(found->spec == made->spec && found->use == made->use);
    DEMAND(strcmp(found->label, made->label) == 0);
    DEMAND(bytes_equal(bytes_of(found->id, HSM_ID_LEN), bytes_of(made->id, HSM_ID_LEN)));
    DEMAND(bytes_equal(buf_bytes(&found->public_der), buf_bytes(&made->public_der)));
    made->handle = 0;
    return false;
}

/* What is found is what was made, of every use. */
static void check_search(struct front *a, struct front *b)
{
    static const struct {
        enum keystore_spec spec;
        enum keystore_use use;
    } kinds[] = {
        {KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT}, {KEYSTORE_SPEC_RSA_2048, KEYSTORE_ENCRYPT},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP}, {KEYSTORE_SPEC_P256, KEYSTORE_SIGN},
        {KEYSTORE_SPEC_P384, KEYSTORE_AGREE},      {KEYSTORE_SPEC_HMAC_512, KEYSTORE_MAC}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct hsm_key key = make(a, kinds[i].spec, kinds[i].use);
        uint64_t handle = key.handle;
        MUST(hsm_find(b->hsm, "", NULL, is_the_same, &key));
        DEMAND(key.handle == 0);
        MUST(hsm_delete(b->hsm, handle));
        MUST_BE(hsm_delete(a->hsm, handle), RC_OBJECT_HANDLE);
        hsm_key_clear(&key);
    }
}

static void check_the_rest(struct front *a, struct front *b)
{
    struct hsm_health health;
    unsigned count = 0;
    AUTO_SECRET random = SECRET_INIT;
    MUST(hsm_health(a->hsm, &health));
    DEMAND(health.count >= 1 && health.has_quorum && health.ca_pem.len > 100);
    hsm_health_clear(&health);
    MUST(hsm_random(b->hsm, view_index(b->view), 1024, &random));
    DEMAND(random.len == 1024);
    MUST(hsm_find(a->hsm, "qhsm-kms-vault", NULL, count_key, &count));
    DEMAND(count == 1);
    count = 0;
    MUST(hsm_find(a->hsm, "test-key", NULL, count_key, &count));
    DEMAND(count == 0);
}

static void check_vault(struct front *a, struct front *b)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF closed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    MUST(vault_seal(a->vault, "here", bytes_of_str("token"), &sealed));
    MUST(vault_unseal(b->vault, "here", buf_bytes(&sealed), &plain));
    DEMAND(secret_equal(&plain, bytes_of_str("token")));
    secret_clear(&plain);
    MUST_BE(vault_unseal(b->vault, "there", buf_bytes(&sealed), &plain), RC_TAMPERED);
    MUST(vault_close(a->vault, "store/x", bytes_of_str("password"), &closed));
    MUST(vault_open(b->vault, "store/x", buf_bytes(&closed), &plain));
    DEMAND(secret_equal(&plain, bytes_of_str("password")));
    MUST_BE(vault_open(b->vault, "store/y", buf_bytes(&closed), &plain), RC_TAMPERED);
}

static void check(struct front *a, struct front *b)
{
    check_documents(a, b);
    check_decisions(a, b);
    check_encryption(a, b);
    check_data_keys(a);
    check_signature(a, KEYSTORE_SPEC_RSA_2048, KEYSTORE_SIGN, KEYSTORE_PSS_SHA256);
    check_signature(a, KEYSTORE_SPEC_P384, KEYSTORE_SIGN, KEYSTORE_ECDSA_SHA384);
    check_signature(a, KEYSTORE_SPEC_ED25519, KEYSTORE_SIGN, KEYSTORE_ED25519);
    check_signature(a, KEYSTORE_SPEC_HMAC_256, KEYSTORE_MAC, KEYSTORE_HMAC_SHA256);
    check_agreement(a, b);
    check_vault(a, b);
    check_search(a, b);
    check_the_rest(a, b);
    (void)puts("all of it");
}

/* ---- load */

struct worker {
    struct front *front;
    uint64_t key;
    uint64_t end_ns;
    unsigned long done, again;
    uint64_t longest_ns;
    pthread_t thread;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static enum rc add_one(struct view *view)
{
    AUTO_RECORD *record = view_get(view, COUNTER);
    json_int_t n = record == NULL ? 0 : json_integer_value(json_object_get(record->json, "n"));
    return put(view, COUNTER, record == NULL ? 0 : record->version, json_pack("{s:I}", "n", n + 1));
}

static enum rc encrypt_one(struct front *front, uint64_t key)
{
    AUTO_BUF sealed = BUF_INIT;
    static const uint8_t text[64];
    const struct hsm_encrypt in = {.view = view_index(front->view),
                                   .key = key,
                                   .algorithm = KEYSTORE_GCM,
                                   .aad = bytes_of_str("some context"),
                                   .plain = bytes_of(text, sizeof text)};
    enum rc rc = hsm_encrypt(front->hsm, &in, &sealed, NULL, NULL);
    if (rc == RC_VIEW_OLD)
        MUST(view_refresh(front->view));
    return rc;
}

static void *work(void *context)
{
    struct worker *worker = context;
    for (uint64_t begin = now_ns(); begin < worker->end_ns; begin = now_ns()) {
        enum rc rc = worker->key == 0 ? add_one(worker->front->view)
                                      : encrypt_one(worker->front, worker->key);
        uint64_t took = now_ns() - begin;
        if (rc == RC_CONFLICT || rc == RC_VIEW_OLD)
            worker->again++;
        else
            must(rc, worker->key == 0 ? "change" : "encrypt");
        worker->done += rc == RC_OK ? 1 : 0;
        worker->longest_ns = took > worker->longest_ns ? took : worker->longest_ns;
    }
    return NULL;
}

static json_int_t counter_in(struct view *view)
{
    MUST(view_refresh(view));
    AUTO_RECORD *record = view_get(view, COUNTER);
    return record == NULL ? 0 : json_integer_value(json_object_get(record->json, "n"));
}

static void run(struct worker *workers, size_t count, unsigned seconds)
{
    uint64_t end_ns = now_ns() + seconds * 1000000000ULL;
    for (size_t i = 0; i < count; i++) {
        workers[i].end_ns = end_ns;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            demand(false, "a thread");
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(workers[i].thread, NULL);
}

static void tell(const char *what, const struct worker *workers, size_t count, unsigned seconds)
{
    struct worker all = {.done = 0};
    for (size_t i = 0; i < count; i++) {
        all.done += workers[i].done;
        all.again += workers[i].again;
        if (workers[i].longest_ns > all.longest_ns)
            all.longest_ns = workers[i].longest_ns;
    }
    (void)printf("%s: %lu done, %lu a second, %lu again, the longest %lu ms\n", what, all.done,
                 all.done / seconds, all.again, (unsigned long)(all.longest_ns / 1000000U));
}

static void load(struct front *a, struct front *b, unsigned seconds)
{
    struct hsm_key key = make(a, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
    struct worker workers[8] = {0};
    json_int_t before = counter_in(a->view);
    unsigned long changes = 0;
    for (size_t i = 0; i < 8; i++)
        workers[i] = (struct worker){.front = i % 2 == 0 ? a : b, .key = i < 4 ? 0 : key.handle};
    run(workers, 8, seconds);
    tell("changes", workers, 4, seconds);
    tell("uses", workers + 4, 4, seconds);
    for (size_t i = 0; i < 4; i++)
        changes += workers[i].done;
    DEMAND(counter_in(a->view) == before + (json_int_t)changes);
    DEMAND(counter_in(b->view) == before + (json_int_t)changes);
    MUST(hsm_delete(a->hsm, key.handle));
    hsm_key_clear(&key);
}

static void bench(struct front *a, unsigned threads, unsigned seconds)
{
    struct hsm_key key = make(a, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
    struct worker workers[THREADS_MAX] = {0};
    DEMAND(threads > 0 && threads <= THREADS_MAX && seconds > 0);
    for (size_t i = 0; i < threads; i++)
        workers[i] = (struct worker){.front = a, .key = key.handle};
    run(workers, threads, seconds);
    tell("encrypt", workers, threads, seconds);
    MUST(hsm_delete(a->hsm, key.handle));
    hsm_key_clear(&key);
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    struct front a;
    struct front b;
    if (argc < 4)
        return 2;
    open_front(argv[1], argv[2], &a);
    open_front(argv[1], argv[2], &b);
    if (strcmp(argv[3], "check") == 0)
        check(&a, &b);
    else if (strcmp(argv[3], "load") == 0 && argc == 5)
        load(&a, &b, number(argv[4]));
    else if (strcmp(argv[3], "bench") == 0 && argc == 6)
        bench(&a, number(argv[4]), number(argv[5]));
    else if (strcmp(argv[3], "put") == 0 && argc == 6)
        MUST(put(a.view, argv[4], 0, json_loads(argv[5], 0, NULL)));
    close_front(&a);
    close_front(&b);
    return 0;
}
