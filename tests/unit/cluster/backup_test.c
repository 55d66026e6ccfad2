/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of a running HSM, and what comes of them in a new cluster. */
#include "cluster/backup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cluster/backup_store.h"
#include "cluster/commit.h"
#include "cluster/keyfile.h"
#include "tests/unit/cluster/harness.h"
#include "tests/unit/unit.h"
#include "token/restore.h"
#include "token/shamir.h"

#define OTHER_CLUSTER "6f1d2c3a-0000-4000-8000-0000000000e2"
#define SHARES        3U
#define THRESHOLD     2U

struct bench {
    struct harness harness;
    struct peer_client client;
    struct service *service;
    struct shamir_share shares[SHARES];
};

static void bench_start(struct bench *bench)
{
    UNIT_OK(harness_start(&bench->harness));
    bench->service = server_service(bench->harness.server);
}

/* An HSM that makes backups on request alone; nothing is on it. */
static void bench_open(struct bench *bench, const char *cluster)
{
    memset(bench, 0, sizeof *bench);
    harness_init(&bench->harness);
    harness_set(&bench->harness.config.cluster, cluster);
    bench->harness.config.backup_interval_s = 0;
    UNIT_OK(server_config_check(&bench->harness.config));
    bench_start(bench);
}

/* What `cluster init` does. */
static void bench_form(struct bench *bench)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_ROLL_CHANGES changes;
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    UNIT_OK(envelope_key_new(&scalar, authority.backup_point));
    UNIT_OK(shamir_split(&scalar, THRESHOLD, SHARES, bench->shares));
    UNIT_OK(buf_append(&authority.ca_pem, bytes_of_str("certificate")));
    UNIT_OK(secret_from_bytes(&authority.ca_key_pem, bytes_of_str("key of the authority")));
    authority.threshold = THRESHOLD;
    authority.shares = SHARES;
    roll_changes_init(&changes);
    UNIT_OK(roll_changes_authority(&changes, bench->service->hsm->keys, &authority));
    UNIT_OK(commit_changes(bench->service, &changes, clock_steady_ms() + 60000));
    roll_authority_clear(&authority);
}

static void bench_close(struct bench *bench)
{
    if (bench->client.arena != NULL)
        client_close(&bench->client);
    harness_clear(&bench->harness);
}

static struct backups *backups_of(const struct bench *bench)
{
    return bench->service->backups;
}

/* Where it lies, for as long as the static buffer holds. */
static const char *path_of(const struct bench *bench, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/backups/%s", bench->harness.config.state_dir, name);
    return path;
}

static size_t count_of(const struct bench *bench)
{
    struct backup_info list[64];
    return backups_list(backups_of(bench), list, 64);
}

static void make(struct bench *bench, struct backup_info *out)
{
    memset(out, 0, sizeof *out);
    UNIT_OK(backups_make(backups_of(bench), "manual", out));
}

static enum rc verify(const struct bench *bench, const char *name)
{
    struct backup_info info;
    return backups_verify(backups_of(bench), name, &info);
}

/* One byte of a file, changed. */
static void flip(const char *path, off_t at)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 4;
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

/* ---- making */

static void a_cluster_that_was_not_formed_makes_no_backup(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    UNIT_RC(backups_make(backups_of(&bench), "manual", &info), RC_NOT_FORMED);
    CU_ASSERT_EQUAL(count_of(&bench), 0);
    bench_close(&bench);
}

static void a_backup_is_listed_and_verified(void)
{
    struct bench bench;
    struct backup_info info;
    struct backup_info list[4];
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    client_ready(&bench.client, &bench.harness);
    CU_ASSERT_NOT_EQUAL(client_generate_aes(&bench.client, true), 0);
    make(&bench, &info);
    CU_ASSERT_EQUAL(info.objects, 1);
    CU_ASSERT_EQUAL(info.index, state_applied(bench.service->hsm->state));
    CU_ASSERT_EQUAL(info.threshold, THRESHOLD);
    CU_ASSERT_EQUAL(info.shares, SHARES);
    CU_ASSERT_STRING_EQUAL(info.reason, "manual");
    CU_ASSERT_PTR_NOT_NULL(strstr(info.name, "Z-"));
    CU_ASSERT_PTR_NOT_NULL(strstr(info.name, BACKUP_STORE_SUFFIX));
    CU_ASSERT_EQUAL_FATAL(backups_list(backups_of(&bench), list, 4), 1);
    CU_ASSERT_STRING_EQUAL(list[0].name, info.name);
    CU_ASSERT_EQUAL(list[0].bytes, info.bytes);
    UNIT_OK(verify(&bench, info.name));
    UNIT_OK(verify(&bench, path_of(&bench, info.name)));
    UNIT_RC(verify(&bench, "another.qhsmbackup"), RC_NOT_FOUND);
    UNIT_RC(verify(&bench, "../master.key"), RC_BAD_ARGUMENT);
    UNIT_RC(verify(&bench, ""), RC_BAD_ARGUMENT);
    UNIT_RC(verify(&bench, bench.harness.config.unlock_key), RC_BAD_ARGUMENT);
    UNIT_RC(verify(&bench, bench.harness.dir), RC_IO);
    bench_close(&bench);
}

static void backups_of_one_second_have_names_of_their_own(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    for (unsigned i = 0; i < 4; i++)
        make(&bench, &info);
    CU_ASSERT_EQUAL(count_of(&bench), 4);
    bench_close(&bench);
}

static void a_damaged_backup_is_told(void)
{
    struct bench bench;
    struct backup_info info;
    struct backup_info list[4];
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    make(&bench, &info);
    flip(path_of(&bench, info.name), (off_t)info.bytes - 200);
    UNIT_RC(verify(&bench, info.name), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "chunk 1 of 1"));
    flip(path_of(&bench, info.name), 60);
    UNIT_RC(verify(&bench, info.name), RC_TAMPERED);
    CU_ASSERT_EQUAL_FATAL(backups_list(backups_of(&bench), list, 4), 1);
    CU_ASSERT_STRING_EQUAL(list[0].reason, "damaged");
    bench_close(&bench);
}

static void the_oldest_go_and_what_is_not_ours_stays(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    bench.harness.config.backup_keep = 2;
    bench_form(&bench);
    make(&bench, &info);
    char *first = strdup(path_of(&bench, info.name));
    UNIT_OK(keyfile_write(path_of(&bench, "mine" BACKUP_STORE_SUFFIX), bytes_of_str("keep me")));
    UNIT_OK(keyfile_write(path_of(&bench, "notes.txt"), bytes_of_str("keep me")));
    make(&bench, &info);
    make(&bench, &info);
    CU_ASSERT_EQUAL(count_of(&bench), 3);
    CU_ASSERT_NOT_EQUAL(access(first, F_OK), 0);
    CU_ASSERT_EQUAL(access(path_of(&bench, "mine" BACKUP_STORE_SUFFIX), F_OK), 0);
    CU_ASSERT_EQUAL(access(path_of(&bench, "notes.txt"), F_OK), 0);
    free(first);
    bench_close(&bench);
}

static void the_newest_is_never_too_old_to_be_kept(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    make(&bench, &info);
    make(&bench, &info);
    char dir[256];
    const uint64_t month_ms = (uint64_t)30 * 24 * 3600 * 1000;
    (void)snprintf(dir, sizeof dir, "%s/backups", bench.harness.config.state_dir);
    backup_store_prune(dir, bench.harness.config.cluster_id, 14, 31, info.time_ms + month_ms);
    CU_ASSERT_EQUAL(count_of(&bench), 2);
    backup_store_prune(dir, bench.harness.config.cluster_id, 14, 7, info.time_ms + month_ms);
    CU_ASSERT_EQUAL(count_of(&bench), 1);
    UNIT_OK(verify(&bench, info.name));
    bench_close(&bench);
}

static size_t files_in(const struct bench *bench)
{
    char command[256];
    size_t count = 0;
    (void)snprintf(command, sizeof command, "ls -A %s/backups", bench->harness.config.state_dir);
    FILE *list = popen(command, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    for (int c = getc(list); c != EOF; c = getc(list))
        count += c == '\n';
    (void)pclose(list);
    return count;
}

static void a_full_disk_leaves_nothing(void)
{
    struct bench bench;
    struct backup_info info;
    struct rlimit before;
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {.rlim_cur = 900, .rlim_max = before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum rc rc = backups_make(backups_of(&bench), "manual", &info);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    UNIT_RC(rc, RC_DISK);
    CU_ASSERT_EQUAL(files_in(&bench), 0);
    UNIT_OK(backups_make(backups_of(&bench), "manual", &info));
    bench_close(&bench);
}

static void a_disk_at_its_reserve_is_left_alone(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    bench.harness.config.disk_reserve_mib = 1UL << 40;
    UNIT_RC(backups_make(backups_of(&bench), "manual", &info), RC_DISK);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "with the reserve"));
    CU_ASSERT_EQUAL(files_in(&bench), 0);
    bench_close(&bench);
}

static void what_a_killed_process_left_is_removed_at_the_start(void)
{
    struct bench bench;
    bench_open(&bench, HARNESS_CLUSTER);
    UNIT_OK(keyfile_write(path_of(&bench, "new.unfinished"), bytes_of_str("half a backup")));
    harness_stop(&bench.harness);
    bench_start(&bench);
    CU_ASSERT_EQUAL(files_in(&bench), 0);
    bench_close(&bench);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void the_schedule_makes_one_soon_after_forming_and_then_waits(void)
{
    struct bench bench;
    struct backup_info list[4];
    bench_open(&bench, HARNESS_CLUSTER);
    harness_stop(&bench.harness);
    bench.harness.config.backup_interval_s = 3600;
    bench_start(&bench);
    bench_form(&bench);
    for (unsigned i = 0; i < 600 && count_of(&bench) == 0; i++)
        pause_ms(100);
    pause_ms(1500);
    CU_ASSERT_EQUAL_FATAL(backups_list(backups_of(&bench), list, 4), 1);
    CU_ASSERT_STRING_EQUAL(list[0].reason, "schedule");
    bench_close(&bench);
}

static void a_schedule_that_fails_is_told_until_a_backup_is_made(void)
{
    struct bench bench;
    struct backup_info info;
    bench_open(&bench, HARNESS_CLUSTER);
    harness_stop(&bench.harness);
    bench.harness.config.backup_interval_s = 3600;
    bench.harness.config.disk_reserve_mib = 0;
    bench_start(&bench);
    bench_form(&bench);
    bench.harness.config.disk_reserve_mib = 1UL << 40;
    CU_ASSERT_FALSE(backups_are_failing(backups_of(&bench)));
    for (unsigned i = 0; i < 600 && !backups_are_failing(backups_of(&bench)); i++)
        pause_ms(100);
    CU_ASSERT_TRUE(backups_are_failing(backups_of(&bench)));
    bench.harness.config.disk_reserve_mib = 0;
    make(&bench, &info);
    CU_ASSERT_FALSE(backups_are_failing(backups_of(&bench)));
    bench_close(&bench);
}

/* ---- what can be read without the shares */

/* Of the file, as a member or a thief has it. */
static bool stands_in(const struct buf *file, struct bytes wanted)
{
    return memmem(file->ptr, file->len, wanted.ptr, wanted.len) != NULL;
}

static void look_for_key(const struct bench *bench, const struct buf *file, uint64_t handle)
{
    struct attr_list list = {.count = 0};
    AUTO_SECRET store = SECRET_INIT;
    AUTO_OBJECT *object = state_object(bench->service->hsm->state, handle);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    UNIT_OK(object_secrets(bench->service->hsm->keys, object, &store, &list));
    const struct attr *value = attrs_find(attrs_of(&list), CKA_VALUE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_FALSE(stands_in(file, bytes_slice(value->value, 0, 12)));
    CU_ASSERT_FALSE(stands_in(file, bytes_slice(object->record, object->record.len - 16, 16)));
}

static void nothing_of_keys_pins_and_names_can_be_read(void)
{
    struct bench bench;
    struct backup_info info;
    struct user_row user;
    enum rc rc = RC_OK;
    bool forming = false;
    AUTO_BUF file = BUF_INIT;
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    bench_open(&bench, HARNESS_CLUSTER);
    bench_form(&bench);
    client_ready(&bench.client, &bench.harness);
    uint64_t handle = client_generate_aes(&bench.client, true);
    CU_ASSERT_NOT_EQUAL(client_create_data(&bench.client, "a label to look for", &rc), 0);
    make(&bench, &info);
    UNIT_OK(keyfile_read(path_of(&bench, info.name), &file));
    UNIT_OK(keyfile_unlock_key(bench.harness.config.unlock_key, &unlock));
    UNIT_OK(keyfile_master(bench.harness.config.state_dir, &unlock, false, &master, &forming));
    CU_ASSERT_FALSE(stands_in(&file, bytes_slice(secret_expose(&master), 0, 8)));
    CU_ASSERT_FALSE(stands_in(&file, bytes_slice(secret_expose(&master), 16, 8)));
    UNIT_OK(state_user(bench.service->hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_FALSE(stands_in(&file, bytes_of(user.verifier, 8)));
    CU_ASSERT_FALSE(stands_in(&file, bytes_of(user.salt, 8)));
    CU_ASSERT_FALSE(stands_in(&file, bytes_of_str("a label to look for")));
    look_for_key(&bench, &file, handle);
    bench_close(&bench);
}

/* ---- restoring */

/* The shares as texts; `which` are numbers from 0. */
static enum rc restore(const struct bench *target, const struct bench *source, const char *path,
                       const unsigned *which, size_t count)
{
    const char *texts[SHARES];
    for (size_t i = 0; i < count; i++)
        texts[i] = source->shares[which[i]].text;
    return backups_restore(backups_of(target), path, texts, count);
}

static enum rc finished(const struct bench *bench)
{
    struct backup_restore_status status = {.finished = false};
    for (unsigned i = 0; i < 6000 && !status.finished; i++) {
        TRY(backups_restore_status(backups_of(bench), &status));
        pause_ms(10);
    }
    CU_ASSERT_TRUE(status.finished);
    CU_ASSERT_TRUE(status.rc != RC_OK || status.done == status.total);
    return status.rc == RC_OK ? RC_OK : rc_fail(status.rc, "%s", status.detail);
}

/* A document of a front end, which comes along. */
static void put_document(struct bench *bench)
{
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    changes.list[0] = (struct document_change){.space = DOCUMENT_KMS,
                                               .key = bytes_of_str("key/eu-central-1/a"),
                                               .value = bytes_of_str("{}")};
    changes.count = 1;
    UNIT_OK(commit_changes(bench->service, &changes, clock_steady_ms() + 60000));
}

static void check_document(const struct bench *bench)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    UNIT_OK(state_document(bench->service->hsm->state, DOCUMENT_KMS,
                           bytes_of_str("key/eu-central-1/a"), &value, &version));
    CU_ASSERT_EQUAL(version, 1);
    CU_ASSERT_STRING_EQUAL(buf_str(&value), "{}");
}

/* A cluster with a key pair, a user, one wrong try counted; then it ends, its backup stays. */
static void source_open(struct bench *source, char path[512], uint64_t *out_key)
{
    struct backup_info info;
    bench_open(source, HARNESS_CLUSTER);
    bench_form(source);
    client_ready(&source->client, &source->harness);
    *out_key = client_generate_p256(&source->client);
    CU_ASSERT_NOT_EQUAL(*out_key, 0);
    struct peer_client other;
    client_open(&other, &source->harness);
    UNIT_OK(client_hello(&other));
    UNIT_RC(client_login(&other, CKU_USER, "a wrong one"), RC_PIN_INCORRECT);
    client_close(&other);
    put_document(source);
    make(source, &info);
    (void)snprintf(path, 512, "%s", path_of(source, info.name));
    client_close(&source->client);
    source->client.arena = NULL;
    harness_stop(&source->harness);
}

static enum rc sign(struct peer_client *client, uint64_t key)
{
    uint8_t digest[32] = {1, 2, 3};
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = CKM_ECDSA;
    Qhsm__CryptRequest crypt = QHSM__CRYPT_REQUEST__INIT;
    crypt.operation = CRYPT_SIGN;
    crypt.key = key;
    crypt.mechanism = &mechanism;
    crypt.data = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &crypt;
    return client_rc(client_call(client, &request));
}

static void check_restored(struct bench *target, uint64_t key)
{
    struct user_row user;
    UNIT_OK(state_user(target->service->hsm->state, 1, DEFAULT_USER_NAME, &user));
    CU_ASSERT_EQUAL(user.tries, 1);
    client_join(&target->client, &target->harness);
    UNIT_OK(sign(&target->client, key));
    CU_ASSERT_TRUE(client_generate_aes(&target->client, true) > key);
    client_close(&target->client);
    target->client.arena = NULL;
}

static void a_threshold_of_shares_restores_keys_users_and_front_ends_documents(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    const unsigned which[] = {2, 0};
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    UNIT_RC(finished(&target), RC_NOT_FOUND);
    UNIT_OK(restore(&target, &source, path, which, 2));
    UNIT_OK(finished(&target));
    CU_ASSERT_FALSE(restore_is_under_way(target.service->hsm->state));
    check_restored(&target, key);
    check_document(&target);
    harness_stop(&target.harness);
    bench_start(&target);
    CU_ASSERT_EQUAL(state_tokens(target.service->hsm->state, NULL, 0), 1);
    client_join(&target.client, &target.harness);
    UNIT_OK(sign(&target.client, key));
    bench_close(&target);
    bench_close(&source);
}

/* tests/fixtures/backup-1.txt tells what is in it. */
static void a_backup_of_format_1_stays_readable(void)
{
    static const char *const shares[] = {
        "qhsm-share-1-2-1-v2r76-hx9w0-6qs9f-4a16y-nkt7x-kgb6v-aym94-v5bbq-wfsn8-64gn6-vgdyk-at04q-"
        "dmk80-6bt1b-w0vqh-w81d8",
        "qhsm-share-1-2-3-v2r76-hx9t8-cnsn0-62nxd-bknhf-8y5zh-v1zyd-9j2dk-nmsyv-7s20h-7yepz-gf1rk-"
        "4cwnp-0ar9d-m20g7-hp4z3"};
    struct bench target;
    bench_open(&target, OTHER_CLUSTER);
    UNIT_OK(backups_restore(backups_of(&target), UNIT_DATA_DIR "/fixtures/backup-1.qhsmbackup",
                            shares, 2));
    UNIT_OK(finished(&target));
    client_join(&target.client, &target.harness);
    UNIT_OK(sign(&target.client, 2));
    CU_ASSERT_EQUAL(client_find_label(&target.client, "kept by format 1"), 1);
    bench_close(&target);
}

/* A cluster that was restored makes backups that can be restored. */
static void the_backup_of_a_restored_cluster_is_as_good(void)
{
    struct bench source;
    struct bench target;
    struct bench third;
    char path[512];
    uint64_t key = 0;
    struct backup_info info;
    const unsigned which[] = {1, 2};
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    UNIT_OK(restore(&target, &source, path, which, 2));
    UNIT_OK(finished(&target));
    bench_form(&target);
    make(&target, &info);
    (void)snprintf(path, sizeof path, "%s", path_of(&target, info.name));
    harness_stop(&target.harness);
    bench_open(&third, "6f1d2c3a-0000-4000-8000-0000000000e3");
    UNIT_RC(restore(&third, &source, path, which, 2), RC_BAD_ARGUMENT);
    UNIT_OK(restore(&third, &target, path, which, 2));
    UNIT_OK(finished(&third));
    check_restored(&third, key);
    bench_close(&third);
    bench_close(&target);
    bench_close(&source);
}

static void a_restore_into_a_formed_cluster_keeps_its_authority(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    const unsigned which[] = {0, 1};
    struct roll_authority before = ROLL_AUTHORITY_INIT;
    struct roll_authority after = ROLL_AUTHORITY_INIT;
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    bench_form(&target);
    UNIT_OK(roll_authority(target.service->hsm->state, target.service->hsm->keys, &before));
    UNIT_OK(restore(&target, &source, path, which, 2));
    UNIT_OK(finished(&target));
    UNIT_OK(roll_authority(target.service->hsm->state, target.service->hsm->keys, &after));
    CU_ASSERT_TRUE(bytes_equal(bytes_of(before.backup_point, ENVELOPE_POINT_LEN),
                               bytes_of(after.backup_point, ENVELOPE_POINT_LEN)));
    check_restored(&target, key);
    roll_authority_clear(&before);
    roll_authority_clear(&after);
    bench_close(&target);
    bench_close(&source);
}

static void wrong_shares_and_files_change_nothing(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    const unsigned which[] = {0, 1};
    const unsigned twice[] = {1, 1};
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    UNIT_RC(restore(&target, &source, path, which, 1), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "1 more shares are needed"));
    UNIT_RC(restore(&target, &source, path, which, 0), RC_BAD_ARGUMENT);
    UNIT_RC(restore(&target, &source, path, twice, 2), RC_BAD_ARGUMENT);
    UNIT_RC(restore(&target, &source, "/nowhere", which, 2), RC_NOT_FOUND);
    UNIT_RC(restore(&target, &source, source.harness.config.unlock_key, which, 2), RC_BAD_ARGUMENT);
    flip(path, 100);
    UNIT_RC(restore(&target, &source, path, which, 2), RC_TAMPERED);
    flip(path, 100);
    struct stat info;
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    flip(path, info.st_size - 150);
    UNIT_OK(restore(&target, &source, path, which, 2));
    UNIT_RC(finished(&target), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "nothing was changed"));
    flip(path, info.st_size - 150);
    CU_ASSERT_EQUAL(state_applied(target.service->hsm->state), 0);
    UNIT_OK(restore(&target, &source, path, which, 2));
    UNIT_OK(finished(&target));
    bench_close(&target);
    bench_close(&source);
}

static void a_backup_goes_neither_over_tokens_nor_into_its_own_cluster(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    const unsigned which[] = {0, 1};
    source_open(&source, path, &key);
    bench_open(&target, HARNESS_CLUSTER);
    UNIT_RC(restore(&target, &source, path, which, 2), RC_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "of this cluster itself"));
    client_ready(&target.client, &target.harness);
    UNIT_RC(restore(&target, &source, path, which, 2), RC_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "tokens already"));
    bench_close(&target);
    bench_close(&source);
}

static void a_foreign_backup_is_named(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    UNIT_RC(verify(&target, path), RC_FOREIGN);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), HARNESS_CLUSTER));
    bench_close(&target);
    bench_close(&source);
}

/* The first effect of a restore, as if the HSM had been killed then. */
static void begin_only(struct bench *target)
{
    const uint8_t other[16] = {1};
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF effect = BUF_INIT;
    struct seal_keys *keys = NULL;
    struct state *state = NULL;
    struct restore *walk = NULL;
    bool last = true;
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(seal_keys_new(&master, other, &keys));
    UNIT_OK(state_new(keys, &state));
    UNIT_OK(restore_new(state, target->service->hsm->keys, 0, &walk));
    UNIT_OK(restore_next(walk, clock_wall_ms(), &effect, &last));
    CU_ASSERT_FALSE(last);
    UNIT_OK(commit_effect(target->service, &effect, clock_steady_ms() + 60000));
    restore_free(walk);
    state_free(state);
    seal_keys_free(keys);
}

static void check_half(struct bench *target, const struct bench *source, const char *path)
{
    struct backup_info info;
    const unsigned which[] = {0, 1};
    UNIT_RC(restore(target, source, path, which, 2), RC_RESTORING);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "empty state directory"));
    UNIT_RC(finished(target), RC_RESTORING);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "empty state directory"));
    UNIT_RC(backups_make(backups_of(target), "manual", &info), RC_RESTORING);
    client_open(&target->client, &target->harness);
    UNIT_OK(client_hello(&target->client));
    UNIT_RC(client_init_token(&target->client), RC_RESTORING);
    client_close(&target->client);
    target->client.arena = NULL;
}

static void an_interrupted_restore_is_not_silently_half(void)
{
    struct bench source;
    struct bench target;
    char path[512];
    uint64_t key = 0;
    source_open(&source, path, &key);
    bench_open(&target, OTHER_CLUSTER);
    bench_form(&target);
    begin_only(&target);
    check_half(&target, &source, path);
    harness_stop(&target.harness);
    bench_start(&target);
    check_half(&target, &source, path);
    bench_close(&target);
    bench_close(&source);
}

UNIT_SUITE("cluster/backup", UNIT_CASE(a_cluster_that_was_not_formed_makes_no_backup),
           UNIT_CASE(a_backup_is_listed_and_verified),
           UNIT_CASE(backups_of_one_second_have_names_of_their_own),
           UNIT_CASE(a_damaged_backup_is_told), UNIT_CASE(the_oldest_go_and_what_is_not_ours_stays),
           UNIT_CASE(the_newest_is_never_too_old_to_be_kept), UNIT_CASE(a_full_disk_leaves_nothing),
           UNIT_CASE(a_disk_at_its_reserve_is_left_alone),
           UNIT_CASE(what_a_killed_process_left_is_removed_at_the_start),
           UNIT_CASE(the_schedule_makes_one_soon_after_forming_and_then_waits),
           UNIT_CASE(a_schedule_that_fails_is_told_until_a_backup_is_made),
           UNIT_CASE(nothing_of_keys_pins_and_names_can_be_read),
           UNIT_CASE(a_threshold_of_shares_restores_keys_users_and_front_ends_documents),
           UNIT_CASE(a_backup_of_format_1_stays_readable),
           UNIT_CASE(the_backup_of_a_restored_cluster_is_as_good),
           UNIT_CASE(a_restore_into_a_formed_cluster_keeps_its_authority),
           UNIT_CASE(wrong_shares_and_files_change_nothing),
           UNIT_CASE(a_backup_goes_neither_over_tokens_nor_into_its_own_cluster),
           UNIT_CASE(a_foreign_backup_is_named),
           UNIT_CASE(an_interrupted_restore_is_not_silently_half));
