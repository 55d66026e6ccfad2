/* SPDX-License-Identifier: Apache-2.0 */
/* client.conf: its keys, where it is looked for, and the contents of the files that it names. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/client_endpoint.h"

#define PEM_MAX ((size_t)1024 * 1024)

static const char *const fork_choices[] = {"reinitialize", "inherit", NULL};
static const char *const read_choices[] = {"seen", "linearizable", NULL};

#define AT(field) offsetof(struct client_config, field)
static const struct config_key keys[] = {
    {.section = "",
     .name = "endpoint",
     .type = CONFIG_LIST,
     .offset = AT(endpoints),
     .help = "unix:/path or tcp:host:port, optionally ?zone=NAME; repeatable. Without `zone` "
             "in order of preference"},
    {.section = "",
     .name = "zone",
     .type = CONFIG_STRING,
     .offset = AT(zone),
     .help = "availability zone of this machine: endpoints of the same zone come first, among "
             "them the least busy one"},
    {.section = "",
     .name = "ca",
     .type = CONFIG_PATH,
     .offset = AT(ca),
     .help = "PEM file with the cluster's CA certificate, for tcp endpoints"},
    {.section = "",
     .name = "cert",
     .type = CONFIG_PATH,
     .offset = AT(cert),
     .help = "PEM file with this client's certificate, for tcp endpoints"},
    {.section = "",
     .name = "key",
     .type = CONFIG_PATH,
     .offset = AT(key),
     .help = "PEM file with this client's private key, for tcp endpoints"},
    {.section = "",
     .name = "token",
     .type = CONFIG_STRING,
     .offset = AT(token),
     .help = "label of the token that the command line means by default"},
    {.section = "",
     .name = "connect_timeout_ms",
     .type = CONFIG_UINT,
     .offset = AT(connect_timeout_ms),
     .min = 10,
     .max = 600000,
     .fallback = "2000",
     .help = "time for connecting to one endpoint, TLS handshake included"},
    {.section = "",
     .name = "call_timeout_ms",
     .type = CONFIG_UINT,
     .offset = AT(call_timeout_ms),
     .min = 10,
     .max = 3600000,
     .fallback = "10000",
     .help = "time for one call, connecting and repeating included"},
    {.section = "",
     .name = "attempt_timeout_ms",
     .type = CONFIG_UINT,
     .offset = AT(attempt_timeout_ms),
     .min = 10,
     .max = 3600000,
     .fallback = "1000",
     .help = "time that one HSM has for a call, or for connecting, while there is another to ask "
             "(at most a third of call_timeout_ms)"},
    {.section = "",
     .name = "hedge_ms",
     .type = CONFIG_UINT,
     .offset = AT(hedge_ms),
     .min = 0,
     .max = 60000,
     .fallback = "0",
     .help = "a read or signature without an answer after this time is asked of a second HSM too; "
             "0: never"},
    {.section = "",
     .name = "read",
     .type = CONFIG_ENUM,
     .offset = AT(read),
     .choices = read_choices,
     .fallback = "seen",
     .help = "searches and attributes: seen (everything that this process has seen or made) or "
             "linearizable (everything that was acknowledged anywhere)"},
    {.section = "",
     .name = "pool_max",
     .type = CONFIG_UINT,
     .offset = AT(pool_max),
     .min = 1,
     .max = 4096,
     .fallback = "64",
     .help = "connections of one process; more calls at once wait"},
    {.section = "",
     .name = "fork",
     .type = CONFIG_ENUM,
     .offset = AT(fork_policy),
     .choices = fork_choices,
     .fallback = "reinitialize",
     .help = "a child of fork: reinitialize (as PKCS#11 says) or inherit (carry on with the "
             "parent's login)"},
    {.section = "",
     .name = "trace",
     .type = CONFIG_PATH,
     .offset = AT(trace),
     .help = "file for a trace of calls, secrets masked; QHSM_TRACE overrides it"},
    {.section = "",
     .name = "hash_locally",
     .type = CONFIG_BOOL,
     .offset = AT(hash_locally),
     .fallback = "yes",
     .help = "the module digests long data itself and sends the digest"},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

const struct config_key *client_config_keys(size_t *out_count)
{
    *out_count = KEY_COUNT;
    return keys;
}

static enum rc file_failed(const char *key, const char *path)
{
    return rc_fail(RC_CONFIG, "%s = %s: %s (as uid %u)", key, path, strerrordesc_np(errno),
                   (unsigned)geteuid());
}

/* The key may come through here too, hence secret. */
static enum rc read_file(const char *key, const char *path, struct secret *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return file_failed(key, path);
    uint8_t chunk[4096];
    enum rc rc = RC_OK;
    ssize_t got;
    while (rc == RC_OK && (got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = file_failed(key, path);
        else if (out->len + (size_t)got > PEM_MAX)
            rc = rc_fail(RC_CONFIG, "%s = %s: over %zu bytes", key, path, PEM_MAX);
        else
            rc = secret_append(out, bytes_of(chunk, (size_t)got));
    }
    secret_wipe(chunk, sizeof chunk);
    (void)close(fd);
    return rc;
}

static enum rc read_public(const char *key, const char *path, struct buf *out)
{
    if (path == NULL)
        return RC_OK;
    AUTO_SECRET content = SECRET_INIT;
    TRY(read_file(key, path, &content));
    return buf_append(out, secret_expose(&content));
}

static enum rc check_endpoints(const struct client_config *config)
{
    if (config->endpoints.count == 0)
        return rc_fail(RC_CONFIG, "%s: no `endpoint` is given", config->path);
    bool tcp = false;
    for (size_t i = 0; i < config->endpoints.count; i++) {
        struct endpoint endpoint;
        TRY(endpoint_parse(config->endpoints.items[i], &endpoint));
        tcp = tcp || endpoint.is_tcp;
        endpoint_clear(&endpoint);
    }
    if (tcp && (config->ca == NULL || config->cert == NULL || config->key == NULL))
        return rc_fail(RC_CONFIG, "%s: a tcp endpoint needs `ca`, `cert` and `key`", config->path);
    return RC_OK;
}

static enum rc load_from(const char *path, struct client_config *config)
{
    TRY(config_load(path, keys, KEY_COUNT, config));
    config->path = strdup(path);
    if (config->path == NULL)
        return RC_NO_MEMORY;
    TRY(check_endpoints(config));
    TRY(read_public("ca", config->ca, &config->ca_pem));
    TRY(read_public("cert", config->cert, &config->cert_pem));
    return config->key != NULL ? read_file("key", config->key, &config->key_pem) : RC_OK;
}

/* Home of the environment, else of the password file. "" when there is none. */
static void home_config(char *out, size_t len)
{
    const char *home = secure_getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    char strings[4096];
    if (home == NULL && getpwuid_r(geteuid(), &entry, strings, sizeof strings, &found) == 0 &&
        found != NULL)
        home = found->pw_dir;
    out[0] = 0;
    if (home != NULL && home[0] == '/')
        (void)snprintf(out, len, "%s/.config/qhsm/client.conf", home);
}

/* A home that may not even be entered (a worker under another uid with the HOME of root) is passed
 * over; a file that is there and cannot be read is an error. */
static enum rc find_path(char *out, size_t len)
{
    static const char system_path[] = "/etc/qhsm/client.conf";
    const char *named = secure_getenv("QHSM_CONF");
    if (named != NULL && named[0] != 0) {
        (void)snprintf(out, len, "%s", named);
        return RC_OK;
    }
    home_config(out, len);
    if (out[0] != 0 && access(out, F_OK) == 0)
        return RC_OK;
    if (access(system_path, F_OK) != 0)
        return rc_fail(RC_CONFIG,
                       "no client.conf: QHSM_CONF is not set, and neither %s nor %s is "
                       "there",
                       out[0] != 0 ? out : "~/.config/qhsm/client.conf", system_path);
    (void)snprintf(out, len, "%s", system_path);
    return RC_OK;
}

enum rc client_config_load(const char *path, struct client_config **out)
{
    char found[4096];
    if (path == NULL) {
        TRY(find_path(found, sizeof found));
        path = found;
    }
    struct client_config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return RC_NO_MEMORY;
    config->ca_pem = config->cert_pem = (struct buf)BUF_INIT_MAX(PEM_MAX);
    enum rc rc = load_from(path, config);
    if (rc == RC_NOT_FOUND || rc == RC_IO) /* the detail names the file and the reason */
        rc = RC_CONFIG;
    if (rc != RC_OK) {
        client_config_free(config);
        return rc;
    }
    *out = config;
    return RC_OK;
}

void client_config_free(struct client_config *config)
{
    if (config == NULL)
        return;
    config_clear(keys, KEY_COUNT, config);
    buf_clear(&config->ca_pem);
    buf_clear(&config->cert_pem);
    secret_clear(&config->key_pem);
    free(config->path);
    free(config);
}
