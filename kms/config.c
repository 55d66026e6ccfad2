/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of kms.conf, and what must hold between them. */
#include "kms/config.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "kms/secret_file.h"

#define ACCOUNT_PATTERN   "[0-9]{12}"
#define REGION_PATTERN    "[a-z]{2,6}(-[a-z]{2,16}){1,3}-[0-9]{1,2}"
#define REGION_LEN_MAX    32U
#define CLUSTER_PATTERN   "cluster-[0-9a-zA-Z]{11,16}"
#define PREFIX_PATTERN    "(/[-A-Za-z0-9_.~]+)*"
#define PREFIX_LEN_MAX    117U /* "/kms/xks/v1" fits behind it: 128 */
#define XKS_KEY_PATTERN   "[-A-Za-z0-9_.]{1,128}"
#define CREDENTIAL_SCHEME "credential:"

static const char *const level_choices[] = {"debug", "info", "warn", "error", NULL};

#define ROW(key, t, field, d, h)                                                             \
    .section = "", .name = (key), .type = (t), .offset = offsetof(struct kms_config, field), \
    .fallback = (d), .help = (h)
#define STRING(n, d, h)                 \
    {                                   \
        ROW(#n, CONFIG_STRING, n, d, h) \
    }
#define PATH(n, d, h)                 \
    {                                 \
        ROW(#n, CONFIG_PATH, n, d, h) \
    }
#define FLAG(n, d, h)                 \
    {                                 \
        ROW(#n, CONFIG_BOOL, n, d, h) \
    }
#define LIST(n, f, d, h)             \
    {                                \
        ROW(n, CONFIG_LIST, f, d, h) \
    }
#define NUMBER(n, lo, hi, d, h)                                 \
    {                                                           \
        ROW(#n, CONFIG_UINT, n, d, h), .min = (lo), .max = (hi) \
    }

static const struct config_key keys[] = {
    STRING(listen, NULL, "host:port for HTTP"),
    STRING(listen_https, NULL, "host:port for HTTPS (TLS 1.2 and 1.3)"),
    PATH(cert, NULL, "certificate of listen_https with its chain, PEM"),
    PATH(key, NULL, "private key of the certificate, PEM"),
    PATH(client_ca, NULL,
         "mutual TLS: who certificates of callers must be of, PEM; absent: none is asked for"),
    STRING(client_subject, NULL, "common name that the caller's certificate must have"),
    LIST("region", regions, "us-east-1", "region that is served, repeatable"),
    LIST("account", accounts, "000000000000", "account of twelve digits, repeatable"),
    PATH(hsm_conf, "/etc/qhsm/kms-client.conf",
         "client configuration with a certificate of the role keystore"),
    STRING(hsm_token, "kms", "token that holds the backing keys"),
    STRING(hsm_user, "kmsuser", "user of the token"),
    PATH(hsm_password_file, NULL,
         "file (mode 0600) with the user's password, or credential:NAME of systemd"),
    PATH(administrators_file, NULL,
         "first administrators, a line \"ACCOUNT ACCESS_KEY SECRET\" each, or credential:NAME"),
    PATH(trail_dir, NULL, "directory of CloudTrail records; absent: the last ones in memory"),
    NUMBER(trail_roll_s, 1, 86400, "300", "seconds after which a file of the trail is finished"),
    NUMBER(connections_max, 1, 100000, "1024", "connections at a time, of each listener"),
    NUMBER(idle_timeout_s, 1, 3600, "65", "close a connection after so long without a request"),
    NUMBER(request_timeout_s, 1, 600, "10", "time for a request to arrive whole"),
    NUMBER(xks_timeout_ms, 10, 60000, "250",
           "time that an external key store proxy has for an answer; AWS gives it 250"),
    FLAG(throttle, "yes", "hold callers to AWS's request quotas"),
    NUMBER(quota_symmetric, 1, 10000000, "100000",
           "cryptographic operations with symmetric keys a second, of an account and region"),
    NUMBER(quota_rsa, 1, 10000000, "1000", "the same with RSA keys"),
    NUMBER(quota_ecc, 1, 10000000, "1000", "the same with elliptic curve keys"),
    NUMBER(quota_store, 1, 10000000, "1800", "the same of one custom key store"),
    FLAG(fast_time, "no", "look for what comes due ten times a second: for tests"),
    LIST("cluster", cluster_lines, NULL,
         "\"ID CLIENT.CONF TOKEN\" of a cluster for custom key stores, repeatable"),
    LIST("restored", restored_lines, NULL,
         "\"ID CA.PEM\": that cluster was restored from a backup of the one with this CA, "
         "repeatable"),
    LIST("xks_credentials", xks_credentials, NULL,
         "file with \"ACCESS_KEY SECRET\" of a caller of the external key store proxy, repeatable"),
    STRING(xks_prefix, "", "URI path before /kms/xks/v1"),
    LIST("xks_keys", xks_keys, NULL,
         "\"EXTERNAL_KEY_ID LABEL\" of a key that the proxy offers, repeatable"),
    PATH(xks_ca, NULL, "CAs of external key store proxies, PEM; absent: the system's"),
    PATH(xks_cert, NULL, "certificate that is shown to such a proxy, PEM"),
    PATH(xks_key, NULL, "private key of xks_cert, PEM"),
    PATH(seed_file, NULL, "declared test keys, JSON"),
    {ROW("log_level", CONFIG_ENUM, log_level, "info", "debug, info, warn, error"),
     .choices = level_choices},
    PATH(log_file, NULL, "log file; absent: standard error"),
};

const struct config_key *kms_config_keys(size_t *out_count)
{
    *out_count = sizeof keys / sizeof keys[0];
    return keys;
}

/* ---- helpers of the checks */

static bool matches(const char *text, const char *pattern)
{
    AUTO_BUF whole = BUF_INIT_MAX(256);
    regex_t regex;
    if (buf_printf(&whole, "^(%s)$", pattern) != RC_OK ||
        regcomp(&regex, buf_str(&whole), REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool good = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return good;
}

static enum rc check_unique(const char *key, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(list->items[i], list->items[k]) == 0)
                return rc_fail(RC_CONFIG, "%s %s is given twice: take one out", key,
                               list->items[i]);
        }
    }
    return RC_OK;
}

/* For take_word() and take_rest(), which write into it. */
static enum rc copy_line(const char *line, struct buf *text, char **out_rest)
{
    TRY(buf_append(text, bytes_of_str(line)));
    TRY(buf_put_u8(text, 0));
    *out_rest = (char *)text->ptr;
    return RC_OK;
}

/* The next word of a line, which is cut there; NULL at its end. */
static char *take_word(char **line)
{
    char *start = *line + strspn(*line, " \t");
    if (*start == 0)
        return NULL;
    char *end = start + strcspn(start, " \t");
    *line = *end == 0 ? end : end + 1;
    *end = 0;
    return start;
}

/* What is left, without blanks at its ends; NULL when nothing is. */
static char *take_rest(char **line)
{
    char *start = *line + strspn(*line, " \t");
    size_t len = strlen(start);
    while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '\t'))
        start[--len] = 0;
    *line = start + len;
    return len == 0 ? NULL : start;
}

/* A name of systemd's credentials becomes its file. `*path` may have been put behind the
 * configuration's directory before. */
static enum rc resolve_credential(const char *key, char **path)
{
    char *slash = *path == NULL ? NULL : strrchr(*path, '/');
    const char *name = slash == NULL ? *path : slash + 1;
    if (name == NULL || strncmp(name, CREDENTIAL_SCHEME, strlen(CREDENTIAL_SCHEME)) != 0)
        return RC_OK;
    name += strlen(CREDENTIAL_SCHEME);
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL)
        return rc_fail(RC_CONFIG,
                       "%s = credential:%s: not started by systemd with LoadCredential=%s:FILE; "
                       "give the file's path instead",
                       key, name, name);
    AUTO_BUF text = BUF_INIT_MAX(8192);
    TRY(buf_printf(&text, "%s/%s", dir, name));
    char *copy = strdup(buf_str(&text));
    if (copy == NULL)
        return RC_NO_MEMORY;
    free(*path);
    *path = copy;
    return RC_OK;
}

/* A path in a list: relative ones are the file's directory's, as those of other keys are. */
static enum rc resolve_path(const char *config_path, const char *path, char **out)
{
    AUTO_BUF text = BUF_INIT_MAX(8192);
    const char *slash = strrchr(config_path, '/');
    if (path[0] != '/' && slash != NULL)
        TRY(buf_append(&text, bytes_of(config_path, (size_t)(slash - config_path) + 1)));
    TRY(buf_append(&text, bytes_of_str(path)));
    *out = strdup(buf_str(&text));
    return *out == NULL ? RC_NO_MEMORY : RC_OK;
}

/* ---- checks */

enum rc kms_config_address(const char *key, const char *text, char out_host[256],
                           const char **out_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !matches(colon + 1, "[0-9]{1,5}") || strtoul(colon + 1, NULL, 10) > 65535)
        return rc_fail(RC_CONFIG, "%s = %s: write it as host:port, [address]:port or :port", key,
                       text);
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= 256)
        return rc_fail(RC_CONFIG, "%s: the host's name is too long", key);
    memcpy(out_host, text, len);
    out_host[len] = 0;
    *out_port = colon + 1;
    return RC_OK;
}

static enum rc check_listeners(const struct kms_config *config)
{
    char host[256];
    const char *port = NULL;
    if (config->listen == NULL && config->listen_https == NULL)
        return rc_fail(RC_CONFIG,
                       "give listen or listen_https, such as listen = 127.0.0.1:8080: nobody could "
                       "reach this front end");
    if (config->listen != NULL)
        TRY(kms_config_address("listen", config->listen, host, &port));
    if (config->listen_https != NULL)
        TRY(kms_config_address("listen_https", config->listen_https, host, &port));
    if (config->listen_https != NULL && (config->cert == NULL || config->key == NULL))
        return rc_fail(RC_CONFIG, "listen_https needs cert and key");
    if (config->client_ca != NULL && config->listen_https == NULL)
        return rc_fail(RC_CONFIG, "client_ca needs listen_https: HTTP has no certificates");
    if (config->client_subject != NULL && config->client_ca == NULL)
        return rc_fail(RC_CONFIG, "client_subject needs client_ca, which signs the certificates");
    return RC_OK;
}

static enum rc check_names(const struct kms_config *config)
{
    for (size_t i = 0; i < config->regions.count; i++) {
        const char *region = config->regions.items[i];
        if (strlen(region) > REGION_LEN_MAX || !matches(region, REGION_PATTERN))
            return rc_fail(RC_CONFIG, "region = %s: not a region's name such as us-east-1", region);
    }
    for (size_t i = 0; i < config->accounts.count; i++) {
        if (!matches(config->accounts.items[i], ACCOUNT_PATTERN))
            return rc_fail(RC_CONFIG, "account = %s: an account is twelve digits",
                           config->accounts.items[i]);
    }
    TRY(check_unique("region", &config->regions));
    return check_unique("account", &config->accounts);
}

static enum rc check_hsm(struct kms_config *config)
{
    if (config->hsm_password_file == NULL)
        return rc_fail(RC_CONFIG,
                       "hsm_password_file is missing: a file of mode 0600 with the password of %s, "
                       "or credential:NAME",
                       config->hsm_user);
    if (config->hsm_token[0] == 0 || config->hsm_user[0] == 0)
        return rc_fail(RC_CONFIG, "hsm_token and hsm_user may not be empty");
    TRY(resolve_credential("hsm_password_file", &config->hsm_password_file));
    TRY(resolve_credential("administrators_file", &config->administrators_file));
    return resolve_credential("key", &config->key);
}

static enum rc read_cluster(const char *path, const char *line, struct kms_cluster *out)
{
    AUTO_BUF text = BUF_INIT_MAX(8192);
    char *rest = NULL;
    TRY(copy_line(line, &text, &rest));
    const char *id = take_word(&rest);
    const char *conf = take_word(&rest);
    const char *token = take_rest(&rest);
    if (token == NULL)
        return rc_fail(RC_CONFIG, "cluster = %s: write it as ID CLIENT.CONF TOKEN", line);
    if (!matches(id, CLUSTER_PATTERN))
        return rc_fail(RC_CONFIG,
                       "cluster = %s: the id is \"cluster-\" and 11 to 16 digits and "
                       "letters",
                       line);
    TRY(resolve_path(path, conf, &out->conf));
    out->id = strdup(id);
    out->token = strdup(token);
    return out->id == NULL || out->token == NULL ? RC_NO_MEMORY : RC_OK;
}

static enum rc read_clusters(struct kms_config *config)
{
    size_t count = config->cluster_lines.count;
    config->clusters = calloc(count + 1, sizeof *config->clusters);
    if (config->clusters == NULL)
        return RC_NO_MEMORY;
    config->cluster_count = count;
    for (size_t i = 0; i < count; i++) {
        TRY(read_cluster(config->path, config->cluster_lines.items[i], &config->clusters[i]));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(config->clusters[i].id, config->clusters[k].id) == 0)
                return rc_fail(RC_CONFIG, "cluster %s is given twice", config->clusters[i].id);
        }
    }
    return RC_OK;
}

const struct kms_cluster *kms_config_cluster(const struct kms_config *config, const char *id)
{
    for (size_t i = 0; i < config->cluster_count; i++) {
        if (strcmp(config->clusters[i].id, id) == 0)
            return &config->clusters[i];
    }
    return NULL;
}

static enum rc read_former_ca(const struct kms_config *config, const char *line,
                              struct kms_former_ca *out)
{
    AUTO_BUF text = BUF_INIT_MAX(8192);
    AUTO_SECRET pem = SECRET_INIT;
    char *rest = NULL;
    TRY(copy_line(line, &text, &rest));
    const char *id = take_word(&rest);
    const char *file = take_rest(&rest);
    char *path = NULL;
    if (file == NULL || kms_config_cluster(config, id) == NULL)
        return rc_fail(RC_CONFIG, "restored = %s: write it as ID CA.PEM, ID that of a cluster",
                       line);
    TRY(resolve_path(config->path, file, &path));
    enum rc rc = secret_file_read(path, &pem);
    free(path);
    TRY(rc);
    struct bytes content = secret_expose(&pem);
    out->cluster_id = strdup(id);
    out->pem = strndup((const char *)content.ptr, content.len);
    return out->cluster_id == NULL || out->pem == NULL ? RC_NO_MEMORY : RC_OK;
}

static enum rc read_former_cas(struct kms_config *config)
{
    size_t count = config->restored_lines.count;
    config->former_cas = calloc(count + 1, sizeof *config->former_cas);
    if (config->former_cas == NULL)
        return RC_NO_MEMORY;
    config->former_ca_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(read_former_ca(config, config->restored_lines.items[i], &config->former_cas[i]));
    return RC_OK;
}

static enum rc check_xks_key(const char *line)
{
    AUTO_BUF text = BUF_INIT_MAX(8192);
    char *rest = NULL;
    TRY(copy_line(line, &text, &rest));
    const char *id = take_word(&rest);
    if (id != NULL && matches(id, XKS_KEY_PATTERN) && take_rest(&rest) != NULL)
        return RC_OK;
    return rc_fail(RC_CONFIG,
                   "xks_keys = %s: write it as EXTERNAL_KEY_ID LABEL, the id of at most 128 of "
                   "A-Z, a-z, 0-9, -, _ and .",
                   line);
}

static enum rc check_xks(struct kms_config *config)
{
    struct config_list *files = &config->xks_credentials;
    if (strlen(config->xks_prefix) > PREFIX_LEN_MAX || !matches(config->xks_prefix, PREFIX_PATTERN))
        return rc_fail(RC_CONFIG,
                       "xks_prefix = %s: segments such as /example, without a slash at the end, at "
                       "most %u characters",
                       config->xks_prefix, PREFIX_LEN_MAX);
    for (size_t i = 0; i < config->xks_keys.count; i++)
        TRY(check_xks_key(config->xks_keys.items[i]));
    if (config->xks_keys.count > 0 && files->count == 0)
        return rc_fail(RC_CONFIG, "xks_keys needs xks_credentials: nobody could use them");
    for (size_t i = 0; i < files->count; i++) {
        char *path = NULL;
        TRY(resolve_path(config->path, files->items[i], &path));
        free(files->items[i]);
        files->items[i] = path;
        TRY(resolve_credential("xks_credentials", &files->items[i]));
    }
    if ((config->xks_cert == NULL) != (config->xks_key == NULL))
        return rc_fail(RC_CONFIG, "xks_cert and xks_key go together");
    return resolve_credential("xks_key", &config->xks_key);
}

static enum rc check(struct kms_config *config)
{
    TRY(check_listeners(config));
    TRY(check_names(config));
    TRY(check_hsm(config));
    TRY(read_clusters(config));
    TRY(read_former_cas(config));
    return check_xks(config);
}

/* ---- */

enum rc kms_config_load(const char *path, struct kms_config **out)
{
    struct kms_config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return RC_NO_MEMORY;
    enum rc rc = config_load(path, keys, sizeof keys / sizeof keys[0], config);
    if (rc == RC_NOT_FOUND)
        rc = rc_fail(RC_NOT_FOUND, "%s does not exist: docs/kms.md has an example", path);
    if (rc == RC_OK) {
        config->path = strdup(path);
        rc = config->path == NULL ? RC_NO_MEMORY : check(config);
    }
    if (rc != RC_OK) {
        kms_config_free(config);
        return rc;
    }
    *out = config;
    return RC_OK;
}

void kms_config_free(struct kms_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->cluster_count; i++) {
        free(config->clusters[i].id);
        free(config->clusters[i].conf);
        free(config->clusters[i].token);
    }
    for (size_t i = 0; i < config->former_ca_count; i++) {
        free(config->former_cas[i].cluster_id);
        free(config->former_cas[i].pem);
    }
    free(config->former_cas);
    free(config->clusters);
    free(config->path);
    config_clear(keys, sizeof keys / sizeof keys[0], config);
    free(config);
}
