/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a development cluster: where it is, whose it is, its zones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "tools/connection.h"
#include "tools/dev.h"

enum rc dev_state_dir(struct buf *out)
{
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/')
        return rc_fail(RC_USAGE, "HOME is not set: give --dir");
    return buf_printf(out, "%s/.local/state/qhsm", home);
}

enum rc dev_locate(const char *dir, struct buf *out)
{
    if (dir != NULL) {
        char cwd[PATH_MAX];
        if (dir[0] == '/')
            return buf_printf(out, "%s", dir);
        if (getcwd(cwd, sizeof cwd) == NULL)
            return rc_fail(RC_IO, "current directory: %s", strerror(errno));
        return buf_printf(out, "%s/%s", cwd, dir);
    }
    TRY(dev_state_dir(out));
    return buf_printf(out, "/dev");
}

enum rc dev_lock(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return rc_fail(RC_NOT_FOUND, "%s holds no development cluster: qhsm dev up", dir);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", dir, strerror(errno));
    int failed;
    do
        failed = flock(fd, LOCK_EX);
    while (failed != 0 && errno == EINTR);
    return failed == 0 ? RC_OK : rc_fail(RC_IO, "%s: %s", dir, strerror(errno));
}

static enum rc new_cluster_id(char out[37])
{
    uint8_t raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return rc_fail(RC_RANDOM, "getrandom failed");
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40); /* RFC 4122 4.4: version 4 */
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof raw; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        at += (size_t)snprintf(out + at, 37 - at, "%02x", raw[i]);
    }
    return RC_OK;
}

enum rc dev_identity(struct dev *dev, bool *out_is_new)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&path, "%s/cluster", dev->dir));
    enum rc rc = dev_file_read(buf_str(&path), &text);
    *out_is_new = rc == RC_NOT_FOUND;
    if (rc == RC_NOT_FOUND)
        return new_cluster_id(dev->cluster);
    TRY(rc);
    const char *words = buf_str(&text); /* the UUID, the number of zones, the patience */
    size_t id_len = strcspn(words, " ");
    char *rest = NULL;
    unsigned long zones = strtoul(words + id_len, &rest, 10);
    unsigned long patience = strtoul(rest, NULL, 10); /* 0: of a release that knew none */
    if (id_len != sizeof dev->cluster - 1 || zones == 0 || zones > DEV_ZONES_MAX ||
        patience > DEV_PATIENCE_MAX)
        return rc_fail(RC_CONFIG, "%s is not of a development cluster", buf_str(&path));
    memcpy(dev->cluster, words, id_len);
    dev->cluster[id_len] = 0;
    dev->zones = (unsigned)zones;
    dev->patience = patience == 0 ? 1 : (unsigned)patience;
    return RC_OK;
}

enum rc dev_identity_write(const struct dev *dev)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&path, "%s/cluster", dev->dir));
    TRY(buf_printf(&text, "%s %u %u\n", dev->cluster, dev->zones, dev->patience));
    return dev_file_write(buf_str(&path), 0644, buf_bytes(&text));
}

/* ---- zones */

enum rc dev_zone_path(const struct dev *dev, unsigned zone, const char *file, struct buf *out)
{
    return buf_printf(out, "%s/zone-%c/%s", dev->dir, dev_letter(zone), file);
}

enum rc dev_zone_find(const struct dev *dev, const char *name, unsigned *out)
{
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (name[0] == dev_letter(zone) && name[1] == 0) {
            *out = zone;
            return RC_OK;
        }
    return rc_fail(RC_NOT_FOUND, "no zone %s in %s; its zones are a to %c", name, dev->dir,
                   dev_letter(dev->zones - 1));
}

enum rc dev_zone_node(const struct dev *dev, unsigned zone, uint64_t *out)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(dev_zone_path(dev, zone, "node", &path));
    TRY(dev_file_read(buf_str(&path), &text));
    *out = strtoull(buf_str(&text), NULL, 10);
    return *out != 0 ? RC_OK : rc_fail(RC_CONFIG, "%s holds no number", buf_str(&path));
}

bool dev_zone_is_zeroized(const struct dev *dev, unsigned zone)
{
    AUTO_BUF path = BUF_INIT;
    return dev_zone_path(dev, zone, "state/zeroized", &path) == RC_OK &&
           access(buf_str(&path), F_OK) == 0;
}

enum rc dev_zone_open(const struct dev *dev, unsigned zone, struct connection *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(dev_zone_path(dev, zone, "client.conf", &path));
    const struct cli cli = {.config = buf_str(&path), .pin_fd = -1};
    return connection_open(&cli, out);
}
