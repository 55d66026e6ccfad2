/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm dev up | join | down: a cluster for development and tests on this machine. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/dev.h"
#include "tools/dev_net.h"
#include "tools/kms_dev.h"

#define START_TIMEOUT 60000U
#define JOIN_TIMEOUT  60000U
#define STOP_TIMEOUT  10000U

static struct {
    const char *dir;
    unsigned zones, patience;
    bool is_purge, is_netns;
} options = {.zones = 1}; /* patience 0: not said */

enum { OPTION_DIR = CLI_OPTION, OPTION_ZONES, OPTION_PATIENCE, OPTION_PURGE, OPTION_NETNS };

#define DIR_OPTION                                                           \
    {                                                                        \
        "dir", OPTION_DIR, "DIR", 0,                                         \
            "Directory of the cluster (default: ~/.local/state/qhsm/dev)", 0 \
    }

static const struct argp_option up_argp[] = {
    DIR_OPTION,
    {"zones", OPTION_ZONES, "N", 0, "Availability zones, one HSM each: 1 (default) to 5", 0},
    {"netns", OPTION_NETNS, NULL, 0,
     "Each zone in a network namespace of its own, so that chaos partition makes packets vanish: "
     "as root, by ip(8) of iproute2",
     0},
    {"patience", OPTION_PATIENCE, "N", 0,
     "On a machine that stalls, a busy CI runner: elections, clients, and HSMs without a leader "
     "wait N times as long as usual, 1 (default, or what the variable QHSM_DEV_PATIENCE says) to "
     "60",
     0},
    {0}};
static const struct argp_option join_argp[] = {DIR_OPTION, {0}};
static const struct argp_option down_argp[] = {
    DIR_OPTION,
    {"purge", OPTION_PURGE, NULL, 0, "Also delete what dev up made, with all keys in it", 0},
    {0}};

static unsigned number_of(struct argp_state *state, const char *what, const char *text,
                          unsigned max)
{
    uint64_t number = 0;
    if (cli_number(what, text, 1, max, &number) != RC_OK)
        argp_error(state, "%s", rc_detail());
    return (unsigned)number;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case OPTION_DIR:
        options.dir = arg;
        return 0;
    case OPTION_ZONES:
        options.zones = number_of(state, "--zones", arg, DEV_ZONES_MAX);
        return 0;
    case OPTION_PATIENCE:
        options.patience = number_of(state, "--patience", arg, DEV_PATIENCE_MAX);
        return 0;
    case OPTION_PURGE:
        options.is_purge = true;
        return 0;
    case OPTION_NETNS:
        options.is_netns = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Of the command line, else of the environment: who runs many programs that call dev up says it
 * once. */
static enum rc choose_patience(unsigned *out)
{
    const char *said = getenv("QHSM_DEV_PATIENCE");
    uint64_t number = options.patience == 0 ? 1 : options.patience;
    if (options.patience == 0 && said != NULL && *said != 0)
        TRY(cli_number("QHSM_DEV_PATIENCE", said, 1, DEV_PATIENCE_MAX, &number));
    *out = (unsigned)number;
    return RC_OK;
}

/* Where the cluster is, locked for this command. */
static enum rc open_dir(struct buf *dir, struct dev *out, bool *out_is_new)
{
    TRY(dev_lock(buf_str(dir)));
    *out = (struct dev){.dir = (char *)(uintptr_t)buf_str(dir), .zones = options.zones};
    return dev_identity(out, out_is_new);
}

/* ---- up */

/* Nothing half started stays behind; the error is the one to tell. */
static enum rc undo(const struct dev *dev, enum rc rc)
{
    char why[256];
    (void)snprintf(why, sizeof why, "%s", rc_detail());
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (dev_daemon_pid(dev, zone) != 0 && dev_daemon_stop(dev, zone, STOP_TIMEOUT) != RC_OK)
            (void)fprintf(stderr, "qhsm: the daemon of zone %c could not be stopped\n",
                          dev_letter(zone));
    if (dev_net_down(dev) != RC_OK)
        (void)fprintf(stderr, "qhsm: %s\n", rc_detail());
    return rc_fail(rc, "%s", why);
}

/* All are told before any is waited for. */
static enum rc stop_all(const struct dev *dev)
{
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        enum rc rc = dev_daemon_signal(dev, zone, SIGTERM);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return rc;
    }
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        enum rc rc = dev_daemon_stop(dev, zone, STOP_TIMEOUT);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return rc;
    }
    return RC_OK;
}

/* What a dev up that was killed left: a daemon of another cluster id, its state, its network. */
static enum rc sweep(const struct dev *dev)
{
    struct dev all = *dev;
    all.zones = DEV_ZONES_MAX;
    TRY(stop_all(&all));
    for (unsigned zone = 0; zone < all.zones; zone++) {
        AUTO_BUF path = BUF_INIT;
        TRY(buf_printf(&path, "%s/zone-%c", dev->dir, dev_letter(zone)));
        TRY(dev_remove(buf_str(&path)));
    }
    AUTO_BUF network = BUF_INIT;
    TRY(dev_net_down(dev));
    TRY(buf_printf(&network, "%s/%s", dev->dir, DEV_NET_FILE));
    return dev_remove(buf_str(&network));
}

static enum rc up_new(const struct dev *dev)
{
    TRY(dev_daemon_start(dev, 0));
    TRY(dev_daemon_wait(dev, 0, START_TIMEOUT));
    TRY(dev_form(dev));
    for (unsigned zone = 1; zone < dev->zones; zone++)
        TRY(dev_join(dev, zone, 0));
    TRY(dev_token(dev));
    for (unsigned zone = 1; zone < dev->zones; zone++)
        TRY(dev_daemon_wait(dev, zone, START_TIMEOUT));
    TRY(dev_wait_members(dev, JOIN_TIMEOUT));
    return dev_identity_write(dev);
}

static enum rc up_again(const struct dev *dev)
{
    TRY(dev_renew_env(dev));
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        if (!dev_zone_is_zeroized(dev, zone))
            TRY(dev_daemon_start(dev, zone));
        else
            printf("zone %c was tampered with and stays down: qhsm member remove, then qhsm dev "
                   "join %c\n",
                   dev_letter(zone), dev_letter(zone));
    }
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (!dev_zone_is_zeroized(dev, zone) && !dev_daemon_is_paused(dev, zone))
            TRY(dev_daemon_wait(dev, zone, START_TIMEOUT));
    return RC_OK;
}

static enum rc prepare(const struct dev *dev, bool is_new)
{
    if (!is_new && options.is_netns && !dev_net_exists(dev))
        return rc_fail(RC_CONFLICT,
                       "the cluster in %s was made without --netns: qhsm dev down "
                       "--purge deletes it, or take another --dir",
                       dev->dir);
    if (!is_new)
        return dev_net_up(dev);
    TRY(sweep(dev));
    if (options.is_netns)
        TRY(dev_net_choose(dev));
    enum rc rc = dev_net_up(dev);
    return rc == RC_OK ? dev_setup(dev) : undo(dev, rc);
}

static enum rc dev_up(struct cli *cli)
{
    (void)cli;
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    AUTO_BUF dir = BUF_INIT;
    TRY(dev_locate(options.dir, &dir));
    TRY(dev_dir_make(buf_str(&dir), 0711));
    struct dev dev;
    bool is_new = false;
    TRY(open_dir(&dir, &dev, &is_new));
    if (is_new)
        TRY(choose_patience(&dev.patience));
    TRY(prepare(&dev, is_new));
    enum rc rc = is_new ? up_new(&dev) : up_again(&dev);
    if (rc != RC_OK)
        return is_new ? undo(&dev, rc) : rc;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double took_s =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("cluster %s, %u zone%s, token %s, ready in %.1f s\n  . %s/env    then: pkcs11-tool "
           "--module "
           "$QHSM_MODULE -L\n",
           dev.cluster, dev.zones, dev.zones == 1 ? "" : "s", DEV_TOKEN_LABEL, took_s, dev.dir);
    return RC_OK;
}

/* ---- join */

static enum rc dev_join_zone(struct cli *cli)
{
    AUTO_BUF dir = BUF_INIT;
    struct dev dev;
    bool is_new = false;
    unsigned zone = 0, by = 0;
    TRY(dev_locate(options.dir, &dir));
    TRY(open_dir(&dir, &dev, &is_new));
    if (is_new)
        return rc_fail(RC_NOT_FOUND, "%s holds no development cluster: qhsm dev up", dev.dir);
    const char *name = cli->arguments[0];
    bool is_next = dev.zones < DEV_ZONES_MAX && name[0] == dev_letter(dev.zones) && name[1] == 0;
    dev.zones += is_next ? 1 : 0;
    TRY(dev_zone_find(&dev, name, &zone));
    while (by < dev.zones && (by == zone || dev_daemon_pid(&dev, by) == 0))
        by++;
    if (by == dev.zones)
        return rc_fail(RC_UNAVAILABLE, "no other zone's daemon runs: qhsm dev up");
    TRY(dev_check_left(&dev, zone, by));
    if (dev_daemon_pid(&dev, zone) != 0)
        TRY(dev_daemon_stop(&dev, zone, STOP_TIMEOUT));
    TRY(dev_net_up(&dev));
    TRY(dev_setup_joiner(&dev, zone));
    TRY(dev_join(&dev, zone, by));
    TRY(dev_daemon_wait(&dev, zone, START_TIMEOUT));
    TRY(dev_wait_members(&dev, JOIN_TIMEOUT));
    TRY(dev_zone_env(&dev, zone));
    TRY(dev_identity_write(&dev));
    printf("zone %s has joined\n", name);
    return RC_OK;
}

/* ---- down */

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
    static const char *const files[] = {"ca.pem",     "ca.key",     "admin.pem",   "admin.key",
                                        "client.pem", "client.key", "client.conf", "env",
                                        "env.a",      "env.b",      "env.c",       "env.d",
                                        "env.e",      "shares",     "cluster"};
    AUTO_BUF kms = BUF_INIT;
    TRY(buf_printf(&kms, "%s/kms", dev->dir));
    TRY(sweep(dev));
    TRY(dev_remove(buf_str(&kms)));
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
    struct dev dev;
    bool is_new = false;
    TRY(dev_locate(options.dir, &dir));
    TRY(open_dir(&dir, &dev, &is_new));
    if (is_new && !is_half_made(&dev))
        return rc_fail(RC_NOT_FOUND, "%s holds no development cluster", dev.dir);
    if (is_new)
        dev.zones = DEV_ZONES_MAX;
    TRY(kms_dev_stop_all(&dev, STOP_TIMEOUT));
    TRY(stop_all(&dev));
    TRY(dev_net_down(&dev));
    return options.is_purge ? purge(&dev) : RC_OK;
}

static const char up_text[] =
    "Makes a CA, a daemon for each zone (a, b, c ...) that joins the cluster as any other would, a "
    "token with a default user, and files to be sourced: DIR/env for programs that use all zones, "
    "DIR/env.a, DIR/env.b ... for that zone's HSM alone. They set QHSM_CONF, "
    "QHSM_MODULE, QHSM_TOKEN, QHSM_USER_PIN, QHSM_SO_PIN. A directory that holds a cluster is "
    "started again as it is: what is down comes up. DIR/shares has the shares of the backup "
    "key.\n\n"
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
    "Several directories run side by side. Trouble to test with: qhsm chaos. Stop with: qhsm dev "
    "down --dir DIR";

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
     .verb = "join",
     .arguments = "ZONE",
     .summary = "Let a zone's HSM join the cluster of dev up as a new one",
     .text =
         "For a zone whose HSM was tampered with or removed, or for the next zone, up to e. All "
         "that the zone's directory holds is erased. An HSM that is still a member is removed "
         "first: qhsm member remove.",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = join_argp,
     .parse = parse,
     .run = dev_join_zone},
    {.noun = "dev",
     .verb = "down",
     .arguments = "",
     .summary = "Stop the cluster of dev up, and front ends of kms up",
     .options = down_argp,
     .parse = parse,
     .run = dev_down},
    {0}};
