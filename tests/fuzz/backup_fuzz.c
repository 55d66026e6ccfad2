/* SPDX-License-Identifier: Apache-2.0 */
/* A backup as a damaged disk or a hostile hand may leave it, and shares as people may type them:
 * refused, never read beyond the end. The input is tried as a share, as a file as it is, and as one
 * whose header's hash and MAC were made right, so that everything behind them is reached. */
#include <stdlib.h>

#include "token/backup_format.h"
#include "token/crypto_lib.h"
#include "token/shamir_text.h"

#define READ_MAX ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const uint8_t cluster[16] = {1};
static struct seal_keys *keys;

static enum rc get(void *context, uint64_t offset, uint8_t *out, size_t len)
{
    const struct buf *file = context;
    must(offset <= file->len && len <= file->len - offset);
    memcpy(out, file->ptr + offset, len);
    return RC_OK;
}

static void read_file(struct buf *bytes)
{
    const struct backup_input input = {.read = get, .context = bytes, .len = bytes->len};
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF plain = BUF_INIT_MAX(READ_MAX);
    if (backup_file_open(&input, &file) != RC_OK)
        return;
    enum rc rc = backup_file_check(&file, file.facts.cluster, keys, NULL);
    must(rc == RC_OK || rc == RC_TAMPERED);
    must(secret_alloc(&scalar, ENVELOPE_SCALAR_LEN) == RC_OK);
    scalar.ptr[ENVELOPE_SCALAR_LEN - 1] = 1;
    if (backup_file_unlock(&file, &scalar, &master) == RC_OK)
        (void)backup_file_read(&file, &plain, NULL);
    /* as if the key had been found */
    must(secret_alloc(&file.key, BACKUP_KEY_LEN) == RC_OK);
    (void)backup_file_read(&file, &plain, NULL);
}

/* The header's own length decides where hash and MAC lie. */
static void make_right(struct buf *file)
{
    if (file->len < BACKUP_PREFIX_LEN)
        return;
    memcpy(file->ptr, BACKUP_MAGIC, BACKUP_MAGIC_LEN);
    struct reader in = reader_of(bytes_slice(buf_bytes(file), BACKUP_LENGTH_AT, 4));
    size_t len = reader_u32(&in);
    if (len < BACKUP_PREFIX_LEN + BACKUP_HASH_LEN + BACKUP_MAC_LEN || len > file->len)
        return;
    uint8_t *mac = file->ptr + len - BACKUP_MAC_LEN;
    uint8_t *hash = mac - BACKUP_HASH_LEN;
    must(backup_hash(bytes_of(file->ptr, (size_t)(hash - file->ptr)), hash) == RC_OK);
    must(backup_part_mac(keys, BYTES_NONE, bytes_of(file->ptr, (size_t)(mac - file->ptr)), mac) ==
         RC_OK);
}

/* Two shares, parted by a NUL; one that is read is written as it was meant. */
static void read_shares(struct bytes input)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_SECRET joined = SECRET_INIT;
    must(buf_append(&text, input) == RC_OK && buf_put_u8(&text, 0) == RC_OK &&
         buf_put_u8(&text, 0) == RC_OK);
    const char *first = (const char *)text.ptr;
    const char *texts[] = {first, first + strlen(first) + 1};
    (void)shamir_join(texts, 2, &joined);
    struct shamir_point point = {.value = SECRET_INIT};
    struct shamir_point again = {.value = SECRET_INIT};
    struct shamir_share share;
    if (shamir_text_read(first, 1, &point) == RC_OK)
        must(shamir_text_write(&point, &share) == RC_OK &&
             shamir_text_read(share.text, 1, &again) == RC_OK &&
             secret_equal(&again.value, secret_expose(&point.value)));
    secret_clear(&point.value);
    secret_clear(&again.value);
}

static void start(void)
{
    AUTO_SECRET master = SECRET_INIT;
    must(crypto_lib_init() == RC_OK && secret_alloc(&master, MASTER_KEY_LEN) == RC_OK &&
         seal_keys_new(&master, cluster, &keys) == RC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF file = BUF_INIT;
    if (keys == NULL)
        start();
    must(buf_append(&file, bytes_of(data, size)) == RC_OK);
    read_shares(bytes_of(data, size));
    read_file(&file);
    make_right(&file);
    read_file(&file);
    return 0;
}
