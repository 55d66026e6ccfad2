/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm dev up | down: a cluster for development and tests on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/dev.h"

#define ZONES_MAX     1UL
#define START_TIMEOUT 10000U
#define STOP_TIMEOUT  10000U

static struct {
    const char *dir;
    unsigned long zones;
    bool is_purge;
} options = {.zones = 1};

enum { OPTION_DIR = CLI_OPTION, OPTION_ZONES, OPTION_PURGE };

#define DIR_OPTION                                                           \
    {                                                                        \
        "dir", OPTION_DIR, "DIR", 0,                                         \
            "Directory of the cluster (default: ~/.local/state/qhsm/dev)", 0 \
    }

static const struct argp_option up_argp[] = {
    DIR_OPTION,
    {"zones", OPTION_ZONES, "N", 0, "Availability zones, one HSM each (now: 1)", 0},
    {0}};
static const struct argp_option down_argp[] = {
    DIR_OPTION,
    {"purge", OPTION_PURGE, NULL, 0, "Also delete what dev up made, with all keys in it", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    char *end = NULL;
    switch (key) {
    case OPTION_DIR:
        options.dir = arg;
        return 0;
    case OPTION_ZONES:
        options.zones = strtoul(arg, &end, 10);
        if (*arg == 0 || *end != 0 || options.zones < 1 || options.zones > ZONES_MAX)
            argp_error(state, "--zones: this release runs %lu zone, not %s", ZONES_MAX, arg);
        return 0;
    case OPTION_PURGE:
        options.is_purge = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum rc absolute_dir(struct buf *out)
{
    if (options.dir != NULL) {
        char cwd[PATH_MAX];
        if (options.dir[0] == '/')
            return buf_printf(out, "%s", options.dir);
        if (getcwd(cwd, sizeof cwd) == NULL)
            return rc_fail(RC_IO, "current directory: %s", strerror(errno));
        return buf_printf(out, "%s/%s", cwd, options.dir);
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/')
        return rc_fail(RC_USAGE, "HOME is not set: give --dir");
    return buf_printf(out, "%s/.local/state/qhsm/dev", home);
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

/* A directory that is there already keeps its identity; a new one gets it. */
static enum rc identity(struct dev *dev, bool *out_is_new)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&path, "%s/cluster", dev->dir));
    enum rc rc = dev_file_read(buf_str(&path), &text);
    *out_is_new = rc == RC_NOT_FOUND;
    if (rc == RC_NOT_FOUND)
        return new_cluster_id(dev->cluster);
    TRY(rc);
    const char *words = buf_str(&text); /* the UUID, the number of zones */
    size_t id_len = strcspn(words, " ");
    unsigned long zones = strtoul(words + id_len, NULL, 10);
    if (id_len != sizeof dev->cluster - 1 || zones == 0 || zones > ZONES_MAX)
        return rc_fail(RC_CONFIG, "%s is not of a development cluster", buf_str(&path));
    memcpy(dev->cluster, words, id_len);
    dev->cluster[id_len] = 0;
    dev->zones = (unsigned)zones;
    return RC_OK;
}

/* Written last: a directory without it is set up anew. */
static enum rc write_identity(const struct dev *dev)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&path, "%s/cluster", dev->dir));
    TRY(buf_printf(&text, "%s %u\n", dev->cluster, dev->zones));
    return dev_file_write(buf_str(&path), 0644, buf_bytes(&text));
}

static enum rc start_all(const struct dev *dev)
{
    for (unsigned zone = 0; zone < dev->zones; zone++)
        TRY(dev_daemon_start(dev, zone));
    for (unsigned zone = 0; zone < dev->zones; zone++)
        TRY(dev_daemon_wait(dev, zone, START_TIMEOUT));
    return RC_OK;
}

/* Nothing half started stays behind; the error is the one to tell. */
static enum rc undo(const struct dev *dev, enum rc rc)
{
    char why[256];
    (void)snprintf(why, sizeof why, "%s", rc_detail());
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (dev_daemon_pid(dev, zone) != 0 && dev_daemon_stop(dev, zone, STOP_TIMEOUT) != RC_OK)
            (void)fprintf(stderr, "qhsm: the daemon of zone %c could not be stopped\n",
                          (char)('a' + zone));
    return rc_fail(rc, "%s", why);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* One dev up or dev down at a time in a directory; held until the process ends. */
static enum rc lock_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(errno == ENOENT ? RC_NOT_FOUND : RC_IO, "%s: %s", dir, strerror(errno));
    int failed;
    do
        failed = flock(fd, LOCK_EX);
    while (failed != 0 && errno == EINTR);
    return failed == 0 ? RC_OK : rc_fail(RC_IO, "%s: %s", dir, strerror(errno));
}

static enum rc stop_all(const struct dev *dev)
{
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        enum rc rc = dev_daemon_stop(dev, zone, STOP_TIMEOUT);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return rc;
    }
    return RC_OK;
}

/* What a dev up that was killed left: a daemon of another cluster id, its state. */
static enum rc sweep(const struct dev *dev)
{
    TRY(stop_all(dev));
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        AUTO_BUF path = BUF_INIT;
        TRY(buf_printf(&path, "%s/zone-%c", dev->dir, (char)('a' + zone)));
        if (nftw(buf_str(&path), remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
            return rc_fail(RC_IO, "%s: %s", buf_str(&path), strerror(errno));
    }
    return RC_OK;
}

static enum rc dev_up(struct cli *cli)
{
    (void)cli;
    AUTO_BUF dir = BUF_INIT;
    TRY(absolute_dir(&dir));
    TRY(dev_dir_make(buf_str(&dir), 0711));
    TRY(lock_dir(buf_str(&dir)));
    struct dev dev = {.dir = (char *)(uintptr_t)buf_str(&dir), .zones = (unsigned)options.zones};
    bool is_new = false;
    TRY(identity(&dev, &is_new));
    if (is_new) {
        TRY(sweep(&dev));
        TRY(dev_setup(&dev));
    }
    enum rc rc = start_all(&dev);
    if (rc == RC_OK && is_new)
        rc = dev_token(&dev);
    if (rc == RC_OK && is_new)
        rc = write_identity(&dev);
    if (rc != RC_OK)
        return is_new ? undo(&dev, rc) : rc;
    printf("cluster %s, %u zone%s, token %s\n  . %s/env    then: pkcs11-tool --module $QHSM_MODULE "
           "-L\n",
           dev.cluster, dev.zones, dev.zones == 1 ? "" : "s", DEV_TOKEN_LABEL, dev.dir);
    return RC_OK;
}

/* A dev up was killed before it wrote the identity. */
static bool is_half_made(const struct dev *dev)
{
    AUTO_BUF path = BUF_INIT;
    return buf_printf(&path, "%s/zone-a/qhsmd.conf", dev->dir) == RC_OK &&
           access(buf_str(&path), F_OK) == 0;
}

/* Only what dev up made: the directory may be one that holds other things too, and then it stays.
 */
static enum rc purge(const struct dev *dev)
{
    static const char *const files[] = {"ca.pem",      "ca.key",     "admin.pem",
                                        "admin.key",   "client.pem", "client.key",
                                        "client.conf", "env",        "cluster"};
    TRY(sweep(dev));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO_BUF path = BUF_INIT;
        TRY(buf_printf(&path, "%s/%s", dev->dir, files[i]));
        if (unlink(buf_str(&path)) != 0 && errno != ENOENT)
            return rc_fail(RC_IO, "%s: %s", buf_str(&path), strerror(errno));
    }
    if (rmdir(dev->dir) != 0 && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
        return rc_fail(RC_IO, "%s: %s", dev->dir, strerror(errno));
    return RC_OK;
}

static enum rc dev_down(struct cli *cli)
{
    (void)cli;
    AUTO_BUF dir = BUF_INIT;
    TRY(absolute_dir(&dir));
    TRY(lock_dir(buf_str(&dir)));
    struct dev dev = {.dir = (char *)(uintptr_t)buf_str(&dir), .zones = ZONES_MAX};
    bool is_new = false;
    TRY(identity(&dev, &is_new));
    if (is_new && !is_half_made(&dev))
        return rc_fail(RC_NOT_FOUND, "%s holds no development cluster", dev.dir);
    TRY(stop_all(&dev));
    return options.is_purge ? purge(&dev) : RC_OK;
}

static const char up_text[] =
    "Makes a CA, certificates, a daemon for each zone, a token with a default user, and DIR/env to "
    "be sourced: QHSM_CONF, "
    "QHSM_MODULE, QHSM_TOKEN, QHSM_USER_PIN, QHSM_SO_PIN. A directory that holds a cluster is "
    "started again as it is.\n\n"
    "  . DIR/env\n"
    "  pkcs11-tool --module $QHSM_MODULE --login --pin $QHSM_USER_PIN --keypairgen --key-type "
    "EC:prime256v1 --label web\n\n"
    "OpenSSL, by pkcs11-provider (openssl.cnf):\n"
    "  [provider_sect]  pkcs11 = pkcs11_sect   default = default_sect\n"
    "  [pkcs11_sect]    module = pkcs11.so  pkcs11-module-path = $QHSM_MODULE  activate = 1\n"
    "  openssl pkeyutl -sign -inkey 'pkcs11:token=dev;object=web;type=private' ...\n\n"
    "nginx, by libp11's engine (env QHSM_CONF; PKCS11_MODULE_PATH = $QHSM_MODULE at the top of "
    "nginx.conf):\n"
    "  ssl_certificate_key "
    "'engine:pkcs11:pkcs11:token=dev;object=web;type=private;pin-value=PIN';\n\n"
    "Several directories run side by side. Stop with: qhsm dev down --dir DIR";

const struct command commands_dev[] = {
    {.noun = "dev",
     .verb = "up",
     .arguments = "",
     .summary = "Start a ready cluster on this machine, in the background",
     .text = up_text,
     .options = up_argp,
     .parse = parse,
     .run = dev_up},
    {.noun = "dev",
     .verb = "down",
     .arguments = "",
     .summary = "Stop the cluster of dev up",
     .options = down_argp,
     .parse = parse,
     .run = dev_down},
    {0}};
