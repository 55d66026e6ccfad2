/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm cluster init: what the first HSM's configuration names and is not there, then the forming.
 */
#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cluster_commands.h"
#include "tools/daemon_conf.h"
#include "tools/dev.h"
#include "tools/forming.h"
#include "tools/members.h"

#define CA_DAYS    7300U
#define NODE_DAYS  825U
#define UNLOCK_LEN 32U
#define SHARES_MAX 16U
#define FIRST_NODE "1"
#define CREDENTIAL "credential:"
#define HOSTS_MAX  4U
#define HOST_LEN   256U
#define UUID_HINT  "cat /proc/sys/kernel/random/uuid makes one"

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum rc put_file(const struct daemon_conf *conf, const char *path, mode_t mode,
                        struct bytes content)
{
    TRY(dev_file_write(path, mode, content));
    TRY(forming_give(conf->state_dir, path));
    printf("made %s\n", path);
    return RC_OK;
}

static enum rc prepare_unlock(const struct daemon_conf *conf, bool *out_made)
{
    const char *slash = conf->unlock_key == NULL ? NULL : strrchr(conf->unlock_key, '/');
    if (slash == NULL)
        return rc_fail(RC_CONFIG, "unlock_key is missing in the daemon's configuration");
    bool is_credential = strncmp(slash + 1, CREDENTIAL, strlen(CREDENTIAL)) == 0;
    if (is_credential || is_there(conf->unlock_key))
        return RC_OK;
    AUTO_SECRET unlock = SECRET_INIT;
    TRY(secret_alloc(&unlock, UNLOCK_LEN));
    if (getrandom(unlock.ptr, unlock.len, 0) != (ssize_t)unlock.len)
        return rc_fail(RC_RANDOM, "getrandom failed");
    *out_made = true;
    return put_file(conf, conf->unlock_key, 0600, secret_expose(&unlock));
}

/* Beside the CA's certificate, until the cluster has taken it over. */
static enum rc ca_key_path(const struct daemon_conf *conf, struct buf *out)
{
    const char *slash = strrchr(conf->ca, '/');
    return buf_printf(out, "%.*s/ca.key", (int)(slash - conf->ca), conf->ca);
}

/* The host of HOST:PORT or [ADDRESS]:PORT; "" for none or a wildcard, which nobody connects to. */
static void host_of(const char *address, char out[HOST_LEN])
{
    out[0] = 0;
    const char *colon = address == NULL ? NULL : strrchr(address, ':');
    if (colon == NULL || colon == address)
        return;
    bool has_brackets = address[0] == '[' && colon[-1] == ']';
    size_t len = (size_t)(colon - address) - (has_brackets ? 2 : 0);
    (void)snprintf(out, HOST_LEN, "%.*s", (int)len, address + (has_brackets ? 1 : 0));
    if (strcmp(out, "0.0.0.0") == 0 || strcmp(out, "::") == 0)
        out[0] = 0;
}

static enum rc prepare_certificate(const struct daemon_conf *conf, OSSL_LIB_CTX *lib,
                                   struct bytes ca, const struct secret *ca_key)
{
    const char *const addresses[HOSTS_MAX] = {conf->endpoint, conf->listen_tcp, conf->address,
                                              conf->listen_peer};
    static const char local[] = "localhost";
    char found[HOSTS_MAX][HOST_LEN];
    const char *hosts[HOSTS_MAX + 1] = {local};
    size_t count = 1;
    for (size_t i = 0; i < HOSTS_MAX; i++) {
        host_of(addresses[i], found[i]);
        if (found[i][0] != 0)
            hosts[count++] = found[i];
    }
    const struct pki_subject who = {.role = TLS_ROLE_NODE,
                                    .cluster = conf->cluster,
                                    .name = FIRST_NODE,
                                    .hosts = hosts,
                                    .host_count = count,
                                    .days = NODE_DAYS};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    TRY(pki_issue(lib, ca, ca_key, &who, &cert, &key));
    TRY(put_file(conf, conf->key, 0600, secret_expose(&key)));
    return put_file(conf, conf->cert, 0644, buf_bytes(&cert));
}

/* RFC 9562 4 */
static bool is_uuid(const char *text)
{
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : isxdigit((unsigned char)text[i]) == 0)
            return false;
    }
    return text[36] == 0;
}

static enum rc prepare_tls(const struct daemon_conf *conf, OSSL_LIB_CTX *lib, bool *out_made)
{
    if (conf->cluster == NULL)
        return rc_fail(RC_CONFIG, "cluster is missing in the daemon's configuration: " UUID_HINT);
    if (!is_uuid(conf->cluster))
        return rc_fail(RC_CONFIG, "cluster must be a UUID, not %s: " UUID_HINT, conf->cluster);
    if (conf->ca == NULL || conf->cert == NULL || conf->key == NULL)
        return rc_fail(RC_CONFIG, "ca, cert and key are missing in the daemon's configuration");
    if (is_there(conf->ca) || is_there(conf->cert))
        return RC_OK;
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    TRY(ca_key_path(conf, &path));
    TRY(pki_ca_new(lib, conf->cluster, CA_DAYS, &ca, &key));
    TRY(dev_file_write(buf_str(&path), 0600, secret_expose(&key)));
    printf("made %s\n", buf_str(&path));
    *out_made = true;
    TRY(prepare_certificate(conf, lib, buf_bytes(&ca), &key));
    return put_file(conf, conf->ca, 0644, buf_bytes(&ca));
}

static enum rc prepare(const struct daemon_conf *conf, bool *out_made)
{
    OSSL_LIB_CTX *lib = NULL;
    TRY(forming_state_dir(conf->state_dir));
    TRY(tls_library_new(&lib));
    enum rc rc = prepare_tls(conf, lib, out_made);
    tls_library_free(lib);
    return rc == RC_OK ? prepare_unlock(conf, out_made) : rc;
}

/* ---- the shares */

static enum rc write_shares(const char *path, const Qhsm__ClusterInitReply *reply)
{
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < reply->n_shares; i++)
        TRY(buf_printf(&text, "%s\n", reply->shares[i]));
    return dev_file_write(path, 0600, buf_bytes(&text));
}

/* They are told once: there must be a place for them before they are made, and not that of others.
 */
static enum rc prepare_shares(const char *path)
{
    if (is_there(path))
        return rc_fail(RC_EXISTS, "%s is there already: it may hold other shares", path);
    return dev_file_write(path, 0600, bytes_of(NULL, 0));
}

static enum rc print_shares(const struct cli *cli, const Qhsm__ClusterInitReply *reply)
{
    static const struct column columns[] = {{"NUMBER", "number", CELL_NUMBER},
                                            {"SHARE OF THE BACKUP KEY", "share", CELL_TEXT}};
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, 2, &table));
    for (size_t i = 0; i < reply->n_shares; i++) {
        TRY(table_cell(table, "%zu", i + 1));
        TRY(table_cell(table, "%s", reply->shares[i]));
    }
    return table_print(table, cli->json);
}

/* Rather on the terminal than nowhere. */
static enum rc give_shares(const struct cli *cli, const char *path,
                           const Qhsm__ClusterInitReply *reply)
{
    enum rc rc = path == NULL ? RC_OK : write_shares(path, reply);
    if (path != NULL && rc == RC_OK)
        return RC_OK;
    TRY(print_shares(cli, reply));
    return rc;
}

static enum rc check_unformed(struct connection *connection)
{
    struct rpc_reply reply = {0};
    enum rc rc = members_status(connection, &reply);
    if (rc == RC_OK && reply.msg->cluster_status->formed)
        rc = rc_fail(RC_EXISTS, "the cluster is formed: qhsm cluster status");
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc form(struct cli *cli, const struct cluster_options *options,
                    const struct daemon_conf *conf)
{
    uint64_t shares = 3, threshold = 2;
    if (options->shares != NULL)
        TRY(cli_number("--shares", options->shares, 1, SHARES_MAX, &shares));
    if (options->threshold != NULL)
        TRY(cli_number("--threshold", options->threshold, 1, shares, &threshold));
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF key_file = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(check_unformed(&connection));
    TRY(ca_key_path(conf, &path));
    TRY(dev_file_read(conf->ca, &ca));
    TRY(dev_file_read(buf_str(&path), &key_file));
    TRY(secret_from_bytes(&key, buf_bytes(&key_file)));
    if (options->out != NULL)
        TRY(prepare_shares(options->out));
    struct rpc_reply reply = {0};
    enum rc rc = forming_init(&connection, buf_bytes(&ca), &key, (unsigned)threshold,
                              (unsigned)shares, &reply);
    if (rc == RC_OK)
        rc = give_shares(cli, options->out, reply.msg->cluster_init);
    else if (options->out != NULL)
        (void)unlink(options->out);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    if (!cli->json)
        printf(
            "The cluster is formed. Give the shares to %u people: any %u open a backup, and they "
            "are kept nowhere.\nThe cluster holds its CA's key now: remove %s, or keep it "
            "offline.\nNext: qhsm token init LABEL\n",
            (unsigned)shares, (unsigned)threshold, buf_str(&path));
    return RC_OK;
}

enum rc cluster_init(struct cli *cli, const struct cluster_options *options)
{
    AUTO_DAEMON_CONF conf = {0};
    bool made = false;
    TRY(daemon_conf_load(options->daemon_config, &conf));
    TRY(prepare(&conf, &made));
    if (!made)
        return form(cli, options, &conf);
    printf("Keep a copy of the unlock key elsewhere.\nNext: start the daemon (systemctl start "
           "qhsmd), then give this command again.\n");
    return RC_OK;
}
