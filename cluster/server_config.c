/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of qhsmd.conf, and what must hold between them. */
#include "cluster/server_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/wire.h"
#include "token/crypto_lib.h"

#define SOCKET_PATH_MAX 107U /* sun_path */
#define LANES_OF_POOL   16U
/* A batch of changes for the leader. */
#define FRAME_MAX_OF_PEERS (1024U * 1024U)

static const char *const lock_choices[] = {"auto", "yes", "no", NULL};
static const char *const level_choices[] = {"debug", "info", "warn", "error", NULL};

#define FIELD(f) offsetof(struct server_config, f)
#define STRING(n, d, h)                                                                        \
    {                                                                                          \
        .section = "", .name = #n, .type = CONFIG_STRING, .offset = FIELD(n), .fallback = (d), \
        .help = (h)                                                                            \
    }
#define PATH(n, d, h)                                                                        \
    {                                                                                        \
        .section = "", .name = #n, .type = CONFIG_PATH, .offset = FIELD(n), .fallback = (d), \
        .help = (h)                                                                          \
    }
#define FLAG(n, d, h)                                                                        \
    {                                                                                        \
        .section = "", .name = #n, .type = CONFIG_BOOL, .offset = FIELD(n), .fallback = (d), \
        .help = (h)                                                                          \
    }
#define CHOICE(n, c, d, h)                                                                  \
    {                                                                                       \
        .section = "", .name = #n, .type = CONFIG_ENUM, .offset = FIELD(n), .choices = (c), \
        .fallback = (d), .help = (h)                                                        \
    }
#define NUMBER(n, lo, hi, d, h)                                                          \
    {                                                                                    \
        .section = "", .name = #n, .type = CONFIG_UINT, .offset = FIELD(n), .min = (lo), \
        .max = (hi), .fallback = (d), .help = (h)                                        \
    }

const struct config_key server_config_keys[] = {
    STRING(cluster, NULL, "UUID of the cluster"),
    NUMBER(node, 1, 16383, "1", "number of this HSM in the cluster, never reused"),
    STRING(zone, "local", "availability zone of this HSM"),
    PATH(state_dir, "/var/lib/qhsm", "directory of log, snapshots and wrapped master key"),
    PATH(listen_unix, NULL, "Unix socket for local clients"),
    STRING(unix_mode, "0666", "permissions of the Unix socket, octal"),
    STRING(listen_tcp, NULL, "host:port for clients over TLS 1.3"),
    STRING(listen_peer, NULL,
           "host:port for the other HSMs over TLS 1.3; absent: a cluster of one"),
    STRING(address, NULL,
           "host:port by which the other HSMs reach listen_peer, when it is another"),
    STRING(endpoint, NULL, "host:port by which clients reach listen_tcp, when it is another"),
    PATH(ca, NULL, "certificates of the cluster's own CA, PEM"),
    PATH(cert, NULL, "certificate of this HSM, PEM"),
    PATH(key, NULL, "private key of the certificate, PEM"),
    PATH(unlock_key, NULL,
         "file (mode 0600) that unlocks the master key, or credential:NAME of systemd"),
    FLAG(bootstrap, "no", "form a cluster of one when state_dir is new"),
    NUMBER(workers, 0, LANES_MAX - LANES_OF_POOL, "0",
           "threads that serve connections, 0: one a core"),
    NUMBER(pool_threads, 0, LANES_OF_POOL, "0",
           "threads for PIN hashing and RSA key generation, 0: one a core and one"),
    NUMBER(connections_max, 1, 100000, "1024", "connections at a time"),
    NUMBER(connection_memory, 65536, 1UL << 30, "8m",
           "bytes that unsent answers of one connection may take"),
    NUMBER(frame_max, 65536, 16UL << 20, "4m", "bytes of one request or answer after login"),
    NUMBER(login_deadline_ms, 100, 600000, "10000",
           "time for handshake and first request, and for each request to arrive whole"),
    NUMBER(idle_timeout_s, 0, 0, "3600",
           "close a connection after so long without a request, 0: never"),
    NUMBER(session_grace_s, 1, 86400, "60",
           "keep session objects so long after their application's last connection"),
    NUMBER(operation_idle_s, 1, 86400, "600",
           "drop a multi-part operation after so long without a part"),
    NUMBER(heartbeat_ms, 10, 10000, "100", "heartbeat of the leader"),
    NUMBER(election_ms, 50, 60000, "1000", "silence of the leader after which another is elected"),
    NUMBER(snapshot_threshold, 16, 1UL << 20, "16384", "log entries between snapshots"),
    NUMBER(snapshot_trailing, 16, 1UL << 21, "32768",
           "log entries kept after a snapshot, at least twice snapshot_threshold"),
    NUMBER(disk_reserve_mib, 0, 1UL << 20, "64",
           "MiB of the state directory's disk below which changes are refused, 0: none"),
    NUMBER(backup_interval_s, 0, 31536000, "86400", "seconds between backups, 0: none by schedule"),
    NUMBER(backup_keep, 1, 10000, "14", "backups kept"),
    NUMBER(backup_keep_days, 0, 36500, "0", "days that a backup is kept, 0: no limit"),
    FLAG(chaos, "no", "emulate trouble on request of administrators: for tests only"),
    CHOICE(memory_lock, lock_choices, "auto",
           "keep memory out of swap: auto (where the limits allow), yes, no"),
    CHOICE(log_level, level_choices, "info", "debug, info, warn, error"),
    PATH(log_file, NULL, "log file; absent: standard error"),
};
const size_t server_config_key_count = sizeof server_config_keys / sizeof server_config_keys[0];

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* RFC 9562 4: 8-4-4-4-12 hexadecimal digits. */
static bool parse_uuid(const char *text, uint8_t out[16])
{
    if (text == NULL || strlen(text) != 36)
        return false;
    size_t digits = 0;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int value = hex_digit(text[i]);
        if (dash != (text[i] == '-') || (!dash && value < 0))
            return false;
        if (dash)
            continue;
        out[digits / 2] = (uint8_t)(digits % 2 == 0 ? value << 4 : out[digits / 2] | value);
        digits++;
    }
    return true;
}

/* As a path it was put behind the configuration's directory. */
static void restore_credential(char *source)
{
    char *slash = source == NULL ? NULL : strrchr(source, '/');
    if (slash != NULL && strncmp(slash + 1, "credential:", strlen("credential:")) == 0)
        memmove(source, slash + 1, strlen(slash + 1) + 1);
}

/* What is not advertised otherwise is as it is listened on; the configuration owns its strings. */
static enum rc advertise(char **advertised, const char *listened)
{
    if (*advertised != NULL || listened == NULL)
        return RC_OK;
    *advertised = strdup(listened);
    return *advertised != NULL ? RC_OK : RC_NO_MEMORY;
}

static enum rc check_peers(struct server_config *config)
{
    TRY(advertise(&config->endpoint, config->listen_tcp));
    if (config->listen_peer == NULL)
        return RC_OK;
    if (config->listen_tcp == NULL)
        return rc_fail(RC_CONFIG, "listen_peer needs listen_tcp: the HSMs ask each other there");
    if (config->frame_max < FRAME_MAX_OF_PEERS)
        return rc_fail(RC_CONFIG, "with listen_peer, frame_max must be at least %u",
                       FRAME_MAX_OF_PEERS);
    return advertise(&config->address, config->listen_peer);
}

static enum rc check_listeners(struct server_config *config)
{
    if (config->listen_unix == NULL && config->listen_tcp == NULL)
        return rc_fail(RC_CONFIG, "give listen_unix or listen_tcp: nobody could reach this HSM");
    if (config->listen_unix != NULL && strlen(config->listen_unix) > SOCKET_PATH_MAX)
        return rc_fail(RC_CONFIG, "listen_unix has %zu bytes, limit %u",
                       strlen(config->listen_unix), SOCKET_PATH_MAX);
    if (config->listen_tcp != NULL &&
        (config->ca == NULL || config->cert == NULL || config->key == NULL))
        return rc_fail(RC_CONFIG, "listen_tcp needs ca, cert and key");
    TRY(check_peers(config));
    char *end = NULL;
    unsigned long mode = strtoul(config->unix_mode, &end, 8);
    if (end == config->unix_mode || *end != 0 || mode > 0777)
        return rc_fail(RC_CONFIG, "unix_mode is %s, not an octal mode such as 0666",
                       config->unix_mode);
    config->unix_mode_bits = (unsigned)mode;
    return RC_OK;
}

static unsigned long at_most(unsigned long value, unsigned long limit)
{
    return value < limit ? value : limit;
}

/* The pool has at least two threads: one of them takes no long work. */
static void size_threads(struct server_config *config)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned long cores = online < 1 ? 1 : (unsigned long)online;
    if (config->workers == 0)
        config->workers = at_most(cores, LANES_MAX - LANES_OF_POOL);
    if (config->pool_threads == 0)
        config->pool_threads = at_most(cores + 1, LANES_OF_POOL);
    if (config->pool_threads < 2)
        config->pool_threads = 2;
}

enum rc server_config_check(struct server_config *config)
{
    if (!parse_uuid(config->cluster, config->cluster_id))
        return rc_fail(RC_CONFIG,
                       "cluster must be a UUID: cat /proc/sys/kernel/random/uuid makes one");
    if (config->unlock_key == NULL)
        return rc_fail(RC_CONFIG, "unlock_key is missing: a file of mode 0600, or credential:NAME");
    restore_credential(config->unlock_key);
    TRY(check_listeners(config));
    if (config->election_ms <= 2 * config->heartbeat_ms)
        return rc_fail(RC_CONFIG, "election_ms must be more than twice heartbeat_ms");
    /* A snapshot may come late: the one before it must still have its log, should this be damaged.
     */
    if (config->snapshot_trailing < 2 * config->snapshot_threshold)
        return rc_fail(RC_CONFIG, "snapshot_trailing must be at least twice snapshot_threshold");
    size_threads(config);
    return RC_OK;
}

enum rc server_config_load(const char *path, struct server_config **out)
{
    struct server_config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return RC_NO_MEMORY;
    enum rc rc = config_load(path, server_config_keys, server_config_key_count, config);
    if (rc == RC_NOT_FOUND)
        rc = rc_fail(RC_CONFIG, "%s does not exist", path);
    if (rc == RC_OK)
        rc = server_config_check(config);
    if (rc != RC_OK) {
        server_config_free(config);
        return rc;
    }
    *out = config;
    return RC_OK;
}

void server_config_free(struct server_config *config)
{
    if (config == NULL)
        return;
    config_clear(server_config_keys, server_config_key_count, config);
    free(config);
}
