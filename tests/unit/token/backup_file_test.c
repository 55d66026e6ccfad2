/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: what was written is read by the backup key alone, checked by members without it, and
 * any change is noticed. */
#include "token/backup_file.h"

#include <string.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/backup_format.h"
#include "token/crypto_lib.h"

static const uint8_t cluster[16] = {0xC1, 1, 2, 3};

struct bench {
    struct seal_keys *keys;
    struct secret master, scalar;
    uint8_t point[ENVELOPE_POINT_LEN];
    struct buf plain; /* the snapshot */
    struct buf file;
};

static enum rc put(void *context, struct bytes data)
{
    return buf_append(context, data);
}

static enum rc get(void *context, uint64_t offset, uint8_t *out, size_t len)
{
    const struct buf *file = context;
    CU_ASSERT_TRUE_FATAL(offset <= file->len && len <= file->len - offset);
    memcpy(out, file->ptr + offset, len);
    return RC_OK;
}

static struct backup_input input_of(struct buf *file)
{
    return (struct backup_input){.read = get, .context = file, .len = file->len};
}

static struct backup_plan plan_of(struct bench *bench)
{
    struct backup_plan plan = {.keys = bench->keys,
                               .master = &bench->master,
                               .facts = {.time_ms = 1234567890123,
                                         .index = 77,
                                         .tokens = 1,
                                         .users = 2,
                                         .objects = 3,
                                         .threshold = 2,
                                         .shares = 3,
                                         .release = "0.2.0",
                                         .reason = "manual"}};
    memcpy(plan.facts.cluster, cluster, sizeof cluster);
    memcpy(plan.facts.point, bench->point, sizeof bench->point);
    return plan;
}

/* A snapshot of `len` bytes in two pieces. */
static void bench_write(struct bench *bench, size_t len)
{
    UNIT_OK(buf_resize(&bench->plain, len));
    for (size_t i = 0; i < len; i++)
        bench->plain.ptr[i] = (uint8_t)(i * 31 + i / 251);
    size_t cut = len / 3;
    struct bytes all = buf_bytes(&bench->plain);
    const struct iovec parts[] = {
        {.iov_base = bench->plain.ptr, .iov_len = cut},
        {.iov_base = len == 0 ? NULL : bench->plain.ptr + cut, .iov_len = all.len - cut}};
    struct backup_plan plan = plan_of(bench);
    const struct backup_output output = {.write = put, .context = &bench->file};
    UNIT_OK(buf_resize(&bench->file, 0));
    UNIT_OK(backup_file_write(&plan, parts, len == 0 ? 0 : 2, &output, NULL));
    CU_ASSERT_EQUAL(plan.facts.snapshot_len, len);
}

static void bench_open(struct bench *bench, size_t len)
{
    *bench = (struct bench){
        .master = SECRET_INIT, .scalar = SECRET_INIT, .plain = BUF_INIT, .file = BUF_INIT};
    UNIT_OK(crypto_lib_init());
    UNIT_OK(secret_alloc(&bench->master, MASTER_KEY_LEN));
    UNIT_OK(random_bytes(bench->master.ptr, MASTER_KEY_LEN));
    UNIT_OK(seal_keys_new(&bench->master, cluster, &bench->keys));
    UNIT_OK(envelope_key_new(&bench->scalar, bench->point));
    bench_write(bench, len);
}

static void bench_close(struct bench *bench)
{
    seal_keys_free(bench->keys);
    secret_clear(&bench->master);
    secret_clear(&bench->scalar);
    buf_clear(&bench->plain);
    buf_clear(&bench->file);
}

/* By a member, every byte. */
static enum rc check(struct bench *bench)
{
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_input input = input_of(&bench->file);
    TRY(backup_file_open(&input, &file));
    return backup_file_check(&file, cluster, bench->keys, NULL);
}

/* By the backup key, and nothing else. */
static enum rc read_back(struct bench *bench, struct secret *master, struct buf *plain)
{
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_input input = input_of(&bench->file);
    TRY(backup_file_open(&input, &file));
    TRY(backup_file_unlock(&file, &bench->scalar, master));
    return backup_file_read(&file, plain, NULL);
}

static void check_round(size_t len)
{
    struct bench bench;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF plain = BUF_INIT;
    bench_open(&bench, len);
    UNIT_OK(check(&bench));
    UNIT_OK(read_back(&bench, &master, &plain));
    CU_ASSERT_TRUE(secret_equal(&master, secret_expose(&bench.master)));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&plain), buf_bytes(&bench.plain)));
    bench_close(&bench);
}

static void what_was_written_is_checked_and_read_back(void)
{
    check_round(0);
    check_round(1);
    check_round(1000);
    check_round(BACKUP_CHUNK_LEN - 1);
    check_round(BACKUP_CHUNK_LEN);
    check_round(BACKUP_CHUNK_LEN + 1);
    check_round(3 * BACKUP_CHUNK_LEN + 4321);
}

static void the_header_tells_its_facts_without_any_key(void)
{
    struct bench bench;
    bench_open(&bench, 5000);
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_input input = input_of(&bench.file);
    UNIT_OK(backup_file_open(&input, &file));
    CU_ASSERT_TRUE(bytes_equal(bytes_of(file.facts.cluster, 16), bytes_of(cluster, 16)));
    CU_ASSERT_EQUAL(file.facts.time_ms, 1234567890123);
    CU_ASSERT_EQUAL(file.facts.index, 77);
    CU_ASSERT_EQUAL(file.facts.tokens, 1);
    CU_ASSERT_EQUAL(file.facts.users, 2);
    CU_ASSERT_EQUAL(file.facts.objects, 3);
    CU_ASSERT_EQUAL(file.facts.snapshot_len, 5000);
    CU_ASSERT_EQUAL(file.facts.threshold, 2);
    CU_ASSERT_EQUAL(file.facts.shares, 3);
    CU_ASSERT_STRING_EQUAL(file.facts.release, "0.2.0");
    CU_ASSERT_STRING_EQUAL(file.facts.reason, "manual");
    bench_close(&bench);
}

static void nothing_of_master_key_and_snapshot_is_in_the_file(void)
{
    struct bench bench;
    bench_open(&bench, 100000);
    for (size_t i = 0; i + 16 <= MASTER_KEY_LEN; i += 8)
        CU_ASSERT_PTR_NULL(memmem(bench.file.ptr, bench.file.len, bench.master.ptr + i, 16));
    for (size_t i = 0; i + 16 <= bench.plain.len; i += 997)
        CU_ASSERT_PTR_NULL(memmem(bench.file.ptr, bench.file.len, bench.plain.ptr + i, 16));
    CU_ASSERT_PTR_NULL(memmem(bench.file.ptr, bench.file.len, bench.scalar.ptr, 16));
    bench_close(&bench);
}

static void two_backups_of_one_state_share_no_ciphertext(void)
{
    struct bench bench;
    AUTO_BUF first = BUF_INIT;
    bench_open(&bench, 4096);
    UNIT_OK(buf_append(&first, buf_bytes(&bench.file)));
    bench_write(&bench, 4096);
    struct bytes tail = bytes_slice(buf_bytes(&bench.file), bench.file.len - 4000, 64);
    CU_ASSERT_PTR_NULL(memmem(first.ptr, first.len, tail.ptr, tail.len));
    bench_close(&bench);
}

static void a_change_of_any_byte_is_noticed(void)
{
    struct bench bench;
    bench_open(&bench, 600);
    for (size_t i = 0; i < bench.file.len; i++) {
        bench.file.ptr[i] ^= 0x10;
        enum rc rc = check(&bench);
        if (i < BACKUP_MAGIC_LEN)
            UNIT_RC(rc, RC_BAD_ARGUMENT);
        else
            UNIT_RC(rc, RC_TAMPERED);
        bench.file.ptr[i] ^= 0x10;
    }
    UNIT_OK(check(&bench));
    bench_close(&bench);
}

static void the_place_of_the_damage_is_told(void)
{
    struct bench bench;
    bench_open(&bench, 3 * BACKUP_CHUNK_LEN);
    bench.file.ptr[100] ^= 1;
    UNIT_RC(check(&bench), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "damaged in its header"));
    bench.file.ptr[100] ^= 1;
    bench.file.ptr[BACKUP_CHUNK_LEN + 70000] ^= 1;
    UNIT_RC(check(&bench), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "chunk 2 of 3"));
    bench.file.ptr[BACKUP_CHUNK_LEN + 70000] ^= 1;
    bench.file.ptr[bench.file.len - 1] ^= 1;
    UNIT_RC(check(&bench), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "trailer"));
    bench_close(&bench);
}

/* The reader by the backup key alone trusts no MAC: its own tags hold everything that it uses. */
static void the_backup_key_opens_no_changed_chunk(void)
{
    struct bench bench;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF plain = BUF_INIT;
    bench_open(&bench, 2 * BACKUP_CHUNK_LEN);
    bench.file.ptr[BACKUP_CHUNK_LEN + 70000] ^= 1;
    UNIT_RC(read_back(&bench, &master, &plain), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "chunk 2 of 2"));
    bench_close(&bench);
}

static void chunks_in_another_order_are_refused(void)
{
    struct bench bench;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF plain = BUF_INIT;
    AUTO_BUF moved = BUF_INIT;
    bench_open(&bench, 2 * BACKUP_CHUNK_LEN);
    size_t len = BACKUP_CHUNK_LEN + BACKUP_CHUNK_EXTRA;
    size_t first = bench.file.len - BACKUP_TRAILER_LEN - 2 * len;
    UNIT_OK(buf_append(&moved, bytes_slice(buf_bytes(&bench.file), first, len)));
    memmove(bench.file.ptr + first, bench.file.ptr + first + len, len);
    memcpy(bench.file.ptr + first + len, moved.ptr, len);
    UNIT_RC(check(&bench), RC_TAMPERED);
    UNIT_RC(read_back(&bench, &master, &plain), RC_TAMPERED);
    bench_close(&bench);
}

static void a_file_cut_short_or_longer_is_refused(void)
{
    struct bench bench;
    bench_open(&bench, 300);
    size_t whole = bench.file.len;
    for (size_t len = 0; len < whole; len++) {
        struct backup_input input = input_of(&bench.file);
        AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
        input.len = len;
        UNIT_RC(backup_file_open(&input, &file),
                len < BACKUP_PREFIX_LEN ? RC_BAD_ARGUMENT : RC_TAMPERED);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "cut short"));
    UNIT_OK(buf_put_u8(&bench.file, 0));
    UNIT_RC(check(&bench), RC_TAMPERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "1 bytes after its end"));
    bench_close(&bench);
}

static void another_backup_key_is_named(void)
{
    struct bench bench;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF plain = BUF_INIT;
    bench_open(&bench, 300);
    UNIT_OK(envelope_key_new(&bench.scalar, bench.point));
    UNIT_RC(read_back(&bench, &master, &plain), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "needs 2 of 3 others"));
    CU_ASSERT_PTR_NULL(master.ptr);
    CU_ASSERT_EQUAL(plain.len, 0);
    bench_close(&bench);
}

static void a_backup_of_another_cluster_is_named(void)
{
    struct bench bench;
    const uint8_t other[16] = {0xD2};
    bench_open(&bench, 300);
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_input input = input_of(&bench.file);
    UNIT_OK(backup_file_open(&input, &file));
    UNIT_RC(backup_file_check(&file, other, bench.keys, NULL), RC_FOREIGN);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "a backup of cluster c1010203-0000-0000-0000-000000000000, "
                                        "this is d2000000-0000-0000-0000-000000000000");
    struct seal_keys *others = fixture_keys(9);
    UNIT_RC(backup_file_check(&file, cluster, others, NULL), RC_TAMPERED);
    seal_keys_free(others);
    bench_close(&bench);
}

/* The same file, as a later release might begin one: its hash is right. */
static void a_backup_of_a_later_format_says_so(void)
{
    struct bench bench;
    bench_open(&bench, 300);
    bench.file.ptr[BACKUP_MAGIC_LEN] = 2;
    size_t header_len = (size_t)bench.file.ptr[12] | (size_t)bench.file.ptr[13] << 8;
    size_t hashed = header_len - BACKUP_HASH_LEN - BACKUP_MAC_LEN;
    UNIT_OK(backup_hash(bytes_slice(buf_bytes(&bench.file), 0, hashed), bench.file.ptr + hashed));
    UNIT_RC(check(&bench), RC_VERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "format 2"));
    bench_close(&bench);
}

static void what_is_no_backup_is_told(void)
{
    struct bench bench;
    bench_open(&bench, 300);
    UNIT_OK(buf_resize(&bench.file, 0));
    UNIT_OK(buf_append(&bench.file, bytes_of_str("-----BEGIN CERTIFICATE-----")));
    UNIT_RC(check(&bench), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "no backup"));
    bench_close(&bench);
}

struct seen {
    uint64_t last, total;
    unsigned calls, end_at;
};

static bool see(void *context, uint64_t done, uint64_t total)
{
    struct seen *seen = context;
    CU_ASSERT_TRUE(done >= seen->last && done <= total);
    seen->last = done;
    seen->total = total;
    return ++seen->calls != seen->end_at;
}

static void progress_is_told_and_work_can_be_ended(void)
{
    struct bench bench;
    bench_open(&bench, 3 * BACKUP_CHUNK_LEN + 5);
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_input input = input_of(&bench.file);
    UNIT_OK(backup_file_open(&input, &file));
    struct seen seen = {.calls = 0};
    const struct backup_progress progress = {.report = see, .context = &seen};
    UNIT_OK(backup_file_check(&file, cluster, bench.keys, &progress));
    CU_ASSERT_EQUAL(seen.last, 3 * BACKUP_CHUNK_LEN + 5);
    CU_ASSERT_EQUAL(seen.total, 3 * BACKUP_CHUNK_LEN + 5);
    seen = (struct seen){.end_at = 2};
    UNIT_RC(backup_file_check(&file, cluster, bench.keys, &progress), RC_CANCELLED);
    bench_close(&bench);
}

static enum rc full(void *context, struct bytes data)
{
    size_t *left = context;
    if (data.len > *left)
        return rc_fail(RC_DISK, "no space left");
    *left -= data.len;
    return RC_OK;
}

static void a_full_disk_ends_the_writing(void)
{
    struct bench bench;
    bench_open(&bench, 300);
    size_t left = 500;
    struct backup_plan plan = plan_of(&bench);
    const struct iovec part = {.iov_base = bench.plain.ptr, .iov_len = bench.plain.len};
    const struct backup_output output = {.write = full, .context = &left};
    UNIT_RC(backup_file_write(&plan, &part, 1, &output, NULL), RC_DISK);
    bench_close(&bench);
}

static void a_backup_key_that_is_no_point_is_refused(void)
{
    struct bench bench;
    AUTO_BUF file = BUF_INIT;
    bench_open(&bench, 300);
    struct backup_plan plan = plan_of(&bench);
    memset(plan.facts.point, 0, sizeof plan.facts.point);
    const struct backup_output output = {.write = put, .context = &file};
    UNIT_RC(backup_file_write(&plan, NULL, 0, &output, NULL), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(file.len, 0);
    bench_close(&bench);
}

UNIT_SUITE("token/backup_file", UNIT_CASE(what_was_written_is_checked_and_read_back),
           UNIT_CASE(the_header_tells_its_facts_without_any_key),
           UNIT_CASE(nothing_of_master_key_and_snapshot_is_in_the_file),
           UNIT_CASE(two_backups_of_one_state_share_no_ciphertext),
           UNIT_CASE(a_change_of_any_byte_is_noticed), UNIT_CASE(the_place_of_the_damage_is_told),
           UNIT_CASE(the_backup_key_opens_no_changed_chunk),
           UNIT_CASE(chunks_in_another_order_are_refused),
           UNIT_CASE(a_file_cut_short_or_longer_is_refused), UNIT_CASE(another_backup_key_is_named),
           UNIT_CASE(a_backup_of_another_cluster_is_named),
           UNIT_CASE(a_backup_of_a_later_format_says_so), UNIT_CASE(what_is_no_backup_is_told),
           UNIT_CASE(progress_is_told_and_work_can_be_ended),
           UNIT_CASE(a_full_disk_ends_the_writing),
           UNIT_CASE(a_backup_key_that_is_no_point_is_refused));
