/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration, environment and process of a development cluster's KMS front end. */
#include "tools/kms_dev.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/client.h"

#define ACCOUNT        "000000000000"
#define REGIONS        "region = us-east-1\nregion = us-west-2\nregion = eu-central-1\n"
#define ACCESS_KEY_LEN 16U /* behind AKIA */
#define SECRET_KEY_LEN 40U
#define CLUSTER_ID_LEN 11U
#define CALL_MS        60000U

enum rc kms_dev_path(const struct kms_dev *kms, const char *file, struct buf *out)
{
    return buf_printf(out, "%s/kms/%s", kms->dev->dir, file);
}

static bool is_there(const struct kms_dev *kms, const char *file)
{
    AUTO_BUF path = BUF_INIT;
    return kms_dev_path(kms, file, &path) == RC_OK && access(buf_str(&path), F_OK) == 0;
}

static enum rc put(const struct kms_dev *kms, const char *file, mode_t mode, struct bytes content)
{
    AUTO_BUF path = BUF_INIT;
    TRY(kms_dev_path(kms, file, &path));
    return dev_file_write(buf_str(&path), mode, content);
}

static enum rc get(const struct kms_dev *kms, const char *file, struct buf *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(kms_dev_path(kms, file, &path));
    return dev_file_read(buf_str(&path), out);
}

/* ---- files */

/* Over TLS alone: the certificate says that it is a key store's. */
static enum rc put_client_conf(const struct kms_dev *kms)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF path = BUF_INIT;
    struct client_config *config = NULL;
    TRY(buf_printf(&path, "%s/client.conf", kms->dev->dir));
    TRY(client_config_load(buf_str(&path), &config));
    enum rc rc = buf_printf(&text, "# Written by qhsm kms up.\n");
    for (size_t i = 0; rc == RC_OK && i < config->endpoints.count; i++)
        if (strncmp(config->endpoints.items[i], "tcp:", 4) == 0)
            rc = buf_printf(&text, "endpoint = %s\n", config->endpoints.items[i]);
    client_config_free(config);
    TRY(rc);
    TRY(buf_printf(&text, "ca = ../ca.pem\ncert = keystore.pem\nkey = keystore.key\n"
                          "# RSA keys take an HSM a while on a busy machine.\n"));
    TRY(dev_client_times(kms->dev, CALL_MS, &text));
    return put(kms, "client.conf", 0600, buf_bytes(&text));
}

static enum rc put_administrator(const struct kms_dev *kms)
{
    char access[ACCESS_KEY_LEN + 1], secret[SECRET_KEY_LEN + 1];
    AUTO_BUF text = BUF_INIT;
    if (is_there(kms, "administrators"))
        return RC_OK;
    TRY(dev_random_pin(access, ACCESS_KEY_LEN));
    for (size_t i = 0; i < ACCESS_KEY_LEN; i++) /* base 32, as AWS's: no 8 and 9 */
        access[i] = (char)(access[i] >= 'a' && access[i] <= 'z' ? access[i] - 'a' + 'A'
                                                                : '2' + (access[i] - '2') % 6);
    TRY(dev_random_pin(secret, SECRET_KEY_LEN));
    TRY(buf_printf(&text, ACCOUNT " AKIA%s %s\n", access, secret));
    return put(kms, "administrators", 0600, buf_bytes(&text));
}

static enum rc ports_of(const struct kms_dev *kms, unsigned out[2])
{
    AUTO_BUF file = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&file, "%s.ports", kms->name));
    if (get(kms, buf_str(&file), &text) == RC_OK) {
        char *end = NULL;
        out[0] = (unsigned)strtoul(buf_str(&text), &end, 10);
        out[1] = (unsigned)strtoul(end, NULL, 10);
        if (out[0] > 0 && out[0] < 65536 && out[1] > 0 && out[1] < 65536)
            return RC_OK;
    }
    rc_detail_clear();
    buf_clear(&text);
    TRY(dev_port_take(&out[0]));
    TRY(dev_port_take(&out[1]));
    TRY(buf_printf(&text, "%u %u\n", out[0], out[1]));
    return put(kms, buf_str(&file), 0644, buf_bytes(&text));
}

static const char *host_of(const struct kms_dev *kms)
{
    return kms->listen == NULL ? "127.0.0.1" : kms->listen;
}

/* What AWS calls the cluster: cluster- and characters of base 32, which has no 0, 1, 8 and 9. */
static void cluster_id(const struct dev *dev, char out[CLUSTER_ID_LEN + 1])
{
    size_t len = 0;
    for (const char *at = dev->cluster; *at != 0 && len < CLUSTER_ID_LEN; at++)
        if (*at >= '0' && *at <= '9')
            out[len++] = (char)('g' + (*at - '0'));
        else if (*at != '-')
            out[len++] = *at;
    out[len] = 0;
}

/* One that is there may have been changed by hand, and stays, unless this command says how it is to
 * be. */
static enum rc put_kms_conf(const struct kms_dev *kms)
{
    unsigned ports[2] = {0, 0};
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF file = BUF_INIT;
    TRY(buf_printf(&file, "%s.conf", kms->name));
    if (is_there(kms, buf_str(&file)) && kms->listen == NULL && !kms->fast_time &&
        !kms->no_throttle)
        return RC_OK;
    TRY(ports_of(kms, ports));
    TRY(buf_printf(&text, "# Written by qhsm kms up.\nlisten = %s:%u\nlisten_https = %s:%u\n",
                   host_of(kms), ports[0], host_of(kms), ports[1]));
    TRY(buf_printf(&text, "cert = https.pem\nkey = https.key\naccount = " ACCOUNT "\n" REGIONS));
    TRY(buf_printf(&text,
                   "hsm_conf = client.conf\nhsm_token = " KMS_DEV_TOKEN "\nhsm_user = " KMS_DEV_USER
                   "\nhsm_password_file = password\nadministrators_file = administrators\n"
                   "trail_dir = trail/%s\n",
                   kms->name));
    /* What custom key stores may be made of: the token of `dev up` in this cluster. */
    char id[CLUSTER_ID_LEN + 1];
    cluster_id(kms->dev, id);
    TRY(buf_printf(&text, "cluster = cluster-%s client.conf " DEV_TOKEN_LABEL "\n", id));
    TRY(buf_printf(&text, kms->fast_time ? "fast_time = yes\n" : ""));
    TRY(buf_printf(&text, kms->no_throttle ? "throttle = no\n" : ""));
    return put(kms, buf_str(&file), 0600, buf_bytes(&text));
}

enum rc kms_dev_setup(const struct kms_dev *kms)
{
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/kms", kms->dev->dir));
    TRY(dev_dir_make(buf_str(&dir), 0700));
    TRY(buf_printf(&dir, "/trail/%s", kms->name)); /* each front end writes its own */
    TRY(dev_dir_make(buf_str(&dir), 0700));
    TRY(kms_dev_token(kms));
    TRY(dev_certificate(kms->dev, TLS_ROLE_KEYSTORE, "kms", "kms/keystore"));
    TRY(dev_certificate(kms->dev, TLS_ROLE_CLIENT, "kms-https", "kms/https"));
    TRY(put_client_conf(kms));
    TRY(put_administrator(kms));
    return put_kms_conf(kms);
}

/* ---- process */

enum rc kms_dev_process(const struct kms_dev *kms, struct process *out)
{
    out->name = "qhsm-kms";
    TRY(buf_printf(&out->config, "%s/kms/%s.conf", kms->dev->dir, kms->name));
    TRY(buf_printf(&out->log, "%s/kms/%s.log", kms->dev->dir, kms->name));
    return buf_printf(&out->pid_file, "%s/kms/%s.pid", kms->dev->dir, kms->name);
}

enum rc kms_dev_endpoint(const struct kms_dev *kms, bool https, struct buf *out)
{
    unsigned ports[2] = {0, 0};
    TRY(ports_of(kms, ports));
    return buf_printf(out, "%s://%s:%u", https ? "https" : "http",
                      strcmp(host_of(kms), "0.0.0.0") == 0 ? "127.0.0.1" : host_of(kms),
                      ports[https ? 1 : 0]);
}

/* GET /ping. */
static bool answers(unsigned port)
{
    static const char ask[] = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 2};
    char answer[16] = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ask - 1 &&
                recv(fd, answer, 12, MSG_WAITALL) == 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

enum rc kms_dev_wait(const struct kms_dev *kms, unsigned timeout_ms)
{
    unsigned ports[2] = {0, 0};
    AUTO_PROCESS process = PROCESS_INIT;
    AUTO_BUF line = BUF_INIT;
    TRY(ports_of(kms, ports));
    TRY(kms_dev_process(kms, &process));
    for (unsigned waited = 0; waited < timeout_ms && process_pid(&process) != 0; waited += 20) {
        if (answers(ports[0]))
            return RC_OK;
        dev_rest_ms(20);
    }
    process_last_line(&process, &line);
    return rc_fail(RC_INTERNAL, "the KMS front end did not start: %s", buf_str(&line));
}

enum rc kms_dev_stop_all(const struct dev *dev, unsigned timeout_ms)
{
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/kms", dev->dir));
    DIR *list = opendir(buf_str(&dir));
    enum rc rc = RC_OK;
    if (list == NULL)
        return errno == ENOENT ? RC_OK : rc_fail(RC_IO, "%s: %s", buf_str(&dir), strerror(errno));
    for (const struct dirent *entry; rc == RC_OK && (entry = readdir(list)) != NULL;) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 4, ".pid") != 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)len - 4, entry->d_name);
        const struct kms_dev kms = {.dev = dev, .name = name};
        AUTO_PROCESS process = PROCESS_INIT;
        rc = kms_dev_process(&kms, &process);
        if (rc == RC_OK)
            rc = process_stop(&process, timeout_ms);
        if (rc == RC_NOT_FOUND)
            rc = RC_OK;
    }
    (void)closedir(list);
    return rc;
}

/* ---- DIR/env */

static bool is_ours(const char *line)
{
    static const char *const begins[] = {"export AWS_", "export QHSM_KMS_"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (strncmp(line, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* What an earlier `kms up` wrote goes out. */
static enum rc put_others(struct buf *env, struct buf *out)
{
    const char *line = buf_str(env);
    while (*line != 0) {
        const char *end = strchr(line, '\n');
        size_t len = end == NULL ? strlen(line) : (size_t)(end - line) + 1;
        if (!is_ours(line))
            TRY(buf_append(out, bytes_of(line, len)));
        line += len;
    }
    return RC_OK;
}

static enum rc put_ours(const struct kms_dev *kms, struct buf *out)
{
    char account[16], access[64], secret[64];
    AUTO_BUF administrators = BUF_INIT;
    AUTO_BUF http = BUF_INIT;
    AUTO_BUF https = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    TRY(get(kms, "administrators", &administrators));
    if (sscanf(buf_str(&administrators), "%15s %63s %63s", account, access, secret) != 3)
        return rc_fail(RC_CONFIG, "%s/kms/administrators: not ACCOUNT ACCESS_KEY SECRET",
                       kms->dev->dir);
    TRY(kms_dev_endpoint(kms, false, &http));
    TRY(kms_dev_endpoint(kms, true, &https));
    TRY(buf_printf(&ca, "%s/ca.pem", kms->dev->dir));
    TRY(dev_put_export(out, "AWS_ACCESS_KEY_ID", access));
    TRY(dev_put_export(out, "AWS_SECRET_ACCESS_KEY", secret));
    TRY(dev_put_export(out, "AWS_DEFAULT_REGION", "us-east-1"));
    TRY(dev_put_export(out, "AWS_ENDPOINT_URL", buf_str(&http)));
    TRY(dev_put_export(out, "QHSM_KMS_ENDPOINT", buf_str(&http)));
    TRY(dev_put_export(out, "QHSM_KMS_HTTPS", buf_str(&https)));
    return dev_put_export(out, "QHSM_KMS_CA", buf_str(&ca));
}

enum rc kms_dev_env(const struct kms_dev *kms)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF old = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&path, "%s/env", kms->dev->dir));
    TRY(dev_file_read(buf_str(&path), &old));
    TRY(put_others(&old, &text));
    TRY(put_ours(kms, &text));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&text));
}
