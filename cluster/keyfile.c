/* SPDX-License-Identifier: Apache-2.0 */
/* Unlock key, master.key, the directory's lock, and the `forming` mark of an unfinished start. */
#include "cluster/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/predecessor.h"
#include "token/seal.h"

#define FILE_MAX          ((off_t)1024 * 1024)
#define CREDENTIAL_PREFIX "credential:"

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

/* Out of the AUTO_FD, which then closes nothing. */
static int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

static enum rc join(const char *dir, const char *name, struct buf *out)
{
    return buf_printf(out, "%s/%s", dir, name);
}

/* ---- reading */

static enum rc read_fd(int fd, const char *path, struct secret *out)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size > FILE_MAX)
        return rc_fail(RC_IO, "%s is not a regular file of at most 1 MiB", path);
    TRY(secret_alloc(out, (size_t)info.st_size));
    size_t done = 0;
    while (done < out->len) {
        ssize_t n = read(fd, out->ptr + done, out->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_fail(RC_IO, "%s: %s", path, n < 0 ? strerror(errno) : "shorter than it was");
        done += (size_t)n;
    }
    return RC_OK;
}

enum rc keyfile_read_secret(const char *path, struct secret *out)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    return read_fd(fd, path, out);
}

enum rc keyfile_read(const char *path, struct buf *out)
{
    AUTO_SECRET content = SECRET_INIT;
    TRY(keyfile_read_secret(path, &content));
    return buf_append(out, secret_expose(&content));
}

/* ---- the unlock key */

static enum rc check_closed(int fd, const char *path)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return rc_fail(RC_SEALED, "unlock key %s: %s", path, strerror(errno));
    if (info.st_uid != 0 && info.st_uid != geteuid())
        return rc_fail(RC_SEALED, "unlock key %s belongs to uid %u", path, (unsigned)info.st_uid);
    if ((info.st_mode & 077) != 0)
        return rc_fail(RC_SEALED, "unlock key %s has mode %03o: chmod 600 it", path,
                       (unsigned)(info.st_mode & 0777));
    return RC_OK;
}

static enum rc unlock_path(const char *source, struct buf *out)
{
    size_t prefix = strlen(CREDENTIAL_PREFIX);
    if (strncmp(source, CREDENTIAL_PREFIX, prefix) != 0)
        return buf_printf(out, "%s", source);
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL)
        return rc_fail(RC_SEALED, "%s: not started by systemd with LoadCredential=", source);
    return join(dir, source + prefix, out);
}

enum rc keyfile_unlock_key(const char *source, struct secret *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(unlock_path(source, &path));
    const char *name = buf_str(&path);
    AUTO_FD fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return rc_fail(RC_SEALED, "unlock key %s: %s", name, strerror(errno));
    TRY(check_closed(fd, name));
    TRY(read_fd(fd, name, out));
    /* A passphrase comes with the editor's newline; a key of 32 bytes is taken as it is. */
    if (out->len != MASTER_KEY_LEN && out->len > 0 && out->ptr[out->len - 1] == '\n')
        secret_truncate(out, out->len - 1);
    if (out->len == 0)
        return rc_fail(RC_SEALED, "unlock key %s is empty", name);
    return RC_OK;
}

/* ---- the directory */

static enum rc take_lock(int fd, const char *state_dir)
{
    unsigned tries = 0;
    do {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return RC_OK;
    } while (predecessor_wait(&tries));
    return rc_fail(RC_CONFIG, "another qhsmd runs on state_dir %s", state_dir);
}

enum rc keyfile_lock_dir(const char *state_dir, int *out_fd)
{
    if (mkdir(state_dir, 0700) != 0 && errno != EEXIST)
        return rc_fail(RC_DISK, "%s: %s", state_dir, strerror(errno));
    AUTO_BUF path = BUF_INIT;
    TRY(join(state_dir, "lock", &path));
    AUTO_FD fd = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(errno));
    TRY(take_lock(fd, state_dir));
    *out_fd = take_fd(&fd);
    return RC_OK;
}

static enum rc sync_dir(const char *path)
{
    AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    return RC_OK;
}

static enum rc write_all(int fd, struct bytes data, const char *path)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
        data = bytes_slice(data, (size_t)n, data.len);
    }
    return fsync(fd) == 0 ? RC_OK : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
}

/* All or nothing: under another name first, then renamed. */
static enum rc write_file(const char *dir, const char *name, struct bytes data)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF fresh = BUF_INIT;
    TRY(join(dir, name, &path));
    TRY(buf_printf(&fresh, "%s/%s.new", dir, name));
    AUTO_FD fd = open(buf_str(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return rc_fail(RC_DISK, "%s: %s", buf_str(&fresh), strerror(errno));
    TRY(write_all(fd, data, buf_str(&fresh)));
    if (rename(buf_str(&fresh), buf_str(&path)) != 0)
        return rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(errno));
    return sync_dir(dir);
}

static enum rc exists(const char *dir, const char *name, bool *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(join(dir, name, &path));
    *out = access(buf_str(&path), F_OK) == 0;
    return RC_OK;
}

enum rc keyfile_write(const char *path, struct bytes content)
{
    const char *slash = strrchr(path, '/');
    AUTO_BUF dir = BUF_INIT;
    if (slash == NULL)
        return write_file(".", path, content);
    TRY(buf_printf(&dir, "%.*s", slash == path ? 1 : (int)(slash - path), path));
    return write_file(buf_str(&dir), slash + 1, content);
}

enum rc keyfile_remove(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO_BUF dir = BUF_INIT;
    if (unlink(path) != 0)
        return errno == ENOENT ? RC_OK : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    TRY(buf_printf(&dir, "%.*s", slash == NULL ? 1 : (int)(slash - path),
                   slash == NULL ? "." : path));
    return sync_dir(buf_str(&dir));
}

static enum rc unmark(const char *state_dir, const char *name)
{
    AUTO_BUF path = BUF_INIT;
    TRY(join(state_dir, name, &path));
    return keyfile_remove(buf_str(&path));
}

/* ---- the master key */

/* Marks of a first start that is not over. */
#define FORMING "forming"
#define JOINING "joining"

static enum rc make_master(const char *state_dir, const struct secret *unlock, struct secret *out)
{
    TRY(secret_alloc(out, MASTER_KEY_LEN));
    TRY(random_bytes(out->ptr, out->len));
    AUTO_BUF wrapped = BUF_INIT;
    TRY(master_key_wrap(unlock, out, &wrapped));
    TRY(write_file(state_dir, FORMING, BYTES_NONE));
    TRY(write_file(state_dir, "master.key", buf_bytes(&wrapped)));
    log_info("master_key_made", "file=%s/master.key", state_dir);
    return RC_OK;
}

static enum rc read_master(const char *state_dir, const struct secret *unlock, struct secret *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(join(state_dir, "master.key", &path));
    AUTO_BUF wrapped = BUF_INIT;
    TRY(keyfile_read(buf_str(&path), &wrapped));
    return master_key_unwrap(unlock, buf_bytes(&wrapped), out);
}

enum rc keyfile_master(const char *state_dir, const struct secret *unlock, bool bootstrap,
                       struct secret *out, bool *out_forming)
{
    bool has_master = false;
    bool has_log = false;
    bool has_second = false;
    bool is_joining = false;
    TRY(exists(state_dir, "master.key", &has_master));
    TRY(exists(state_dir, "raft/metadata1", &has_log));
    TRY(exists(state_dir, "raft/metadata2", &has_second));
    TRY(exists(state_dir, JOINING, &is_joining));
    TRY(exists(state_dir, FORMING, out_forming));
    has_log = has_log || has_second;
    if (!has_master && has_log)
        return rc_fail(RC_SEALED, "%s has a log but no master.key: restore it from a backup",
                       state_dir);
    if (!has_master && !bootstrap)
        return rc_fail(
            RC_SEALED,
            "%s has no master.key: let this HSM join a cluster (qhsm cluster join), or set "
            "bootstrap = yes to form a new one",
            state_dir);
    if (has_master && !has_log && !*out_forming && !is_joining)
        return rc_fail(RC_DISK, "%s has a master.key but its log (%s/raft) is gone: restore it",
                       state_dir, state_dir);
    if (has_master)
        return read_master(state_dir, unlock, out);
    *out_forming = true;
    return make_master(state_dir, unlock, out);
}

enum rc keyfile_formed(const char *state_dir)
{
    return unmark(state_dir, FORMING);
}

enum rc keyfile_store_master(const char *state_dir, const struct secret *unlock,
                             const struct secret *master)
{
    AUTO_BUF wrapped = BUF_INIT;
    TRY(master_key_wrap(unlock, master, &wrapped));
    TRY(write_file(state_dir, JOINING, BYTES_NONE));
    TRY(write_file(state_dir, "master.key", buf_bytes(&wrapped)));
    log_info("master_key_received", "file=%s/master.key", state_dir);
    return RC_OK;
}

enum rc keyfile_joined(const char *state_dir)
{
    return unmark(state_dir, JOINING);
}
