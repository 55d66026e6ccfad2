/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm cluster token create | join | certificate create: keys made here, certificates made there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/cluster_commands.h"
#include "tools/daemon_conf.h"
#include "tools/dev.h"
#include "tools/forming.h"

#define LIFE_MAX_S 86400U
#define DAYS_MAX   3650U

static enum rc token_create(struct cli *cli, OSSL_LIB_CTX *lib, const char *code, bool approved,
                            unsigned life_s, struct buf *out)
{
    AUTO_BUF spki = BUF_INIT;
    TRY(pki_key_from_code(lib, code, &spki));
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    return forming_token(&connection, buf_bytes(&spki), approved, life_s, out);
}

enum rc cluster_token_create(struct cli *cli, const struct cluster_options *options)
{
    uint64_t life_s = 0; /* the cluster's default */
    if (options->key == NULL)
        return rc_fail(RC_USAGE, "--key CODE is missing: qhsm cluster join prints it on the new "
                                 "host");
    if (options->life != NULL)
        TRY(cli_number("--life", options->life, 1, LIFE_MAX_S, &life_s));
    OSSL_LIB_CTX *lib = NULL;
    AUTO_BUF token = BUF_INIT;
    TRY(tls_library_new(&lib));
    enum rc rc = token_create(cli, lib, options->key, options->approve, (unsigned)life_s, &token);
    tls_library_free(lib);
    TRY(rc);
    static const struct column columns[] = {{"Token", "token", CELL_TEXT}};
    if (cli->json) {
        AUTO_TABLE *table = NULL;
        TRY(table_new(columns, 1, &table));
        TRY(table_cell(table, "%s", buf_str(&token)));
        return table_print_object(table, true);
    }
    printf("%s\n", buf_str(&token));
    return RC_OK;
}

static enum rc show_code(const struct daemon_conf *conf)
{
    OSSL_LIB_CTX *lib = NULL;
    AUTO_BUF spki = BUF_INIT;
    AUTO_BUF code = BUF_INIT;
    TRY(forming_state_dir(conf->state_dir));
    TRY(tls_library_new(&lib));
    enum rc rc = forming_key(lib, conf->key, &spki);
    uint8_t hash[32] = {0};
    if (rc == RC_OK)
        rc = pki_key_hash(lib, buf_bytes(&spki), hash);
    tls_library_free(lib);
    TRY(rc);
    TRY(forming_give(conf->state_dir, conf->key));
    TRY(pki_key_code(buf_bytes(&spki), &code));
    printf("key of this HSM: ");
    for (size_t i = 0; i < sizeof hash; i++)
        printf("%02x", hash[i]);
    printf("\nNext, where the cluster is: qhsm cluster token create --key %s\n", buf_str(&code));
    return RC_OK;
}

enum rc cluster_join(struct cli *cli, const struct cluster_options *options)
{
    (void)cli;
    AUTO_DAEMON_CONF conf = {0};
    TRY(daemon_conf_load(options->daemon_config, &conf));
    if (conf.key == NULL || conf.cert == NULL || conf.ca == NULL || conf.listen_peer == NULL)
        return rc_fail(RC_CONFIG, "%s: joining needs listen_peer, ca, cert and key",
                       options->daemon_config);
    if (options->token == NULL)
        return show_code(&conf);
    TRY(forming_ticket(conf.state_dir, options->token));
    printf(
        "kept in %s/join.ticket\nNext: start the daemon (systemctl start qhsmd); unless the token "
        "was made with --approve, then, where the cluster is: qhsm member list, qhsm member "
        "approve "
        "HSM\n",
        conf.state_dir);
    return RC_OK;
}

/* ---- certificates for clients and administrators */

static enum rc role_of(const char *name, enum tls_role *out)
{
    static const enum tls_role roles[] = {TLS_ROLE_CLIENT, TLS_ROLE_ADMIN, TLS_ROLE_KEYSTORE};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(tls_role_name(roles[i]), name) == 0) {
            *out = roles[i];
            return RC_OK;
        }
    return rc_fail(RC_USAGE, "--role is client, admin or keystore, not %s", name);
}

static enum rc ask_certificate(struct cli *cli, enum tls_role role, unsigned days,
                               struct bytes spki, struct buf *out_cert, struct buf *out_ca)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__CertificateRequest body = QHSM__CERTIFICATE_REQUEST__INIT;
    body.role = (uint32_t)role;
    body.name = cli->arguments[0];
    body.days = days;
    body.key = pb_bytes(spki);
    request.body_case = QHSM__REQUEST__BODY_CERTIFICATE;
    request.certificate = &body;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_CERTIFICATE)
        rc = rc_fail(RC_PROTOCOL, "no certificate in the answer");
    if (rc == RC_OK) {
        const Qhsm__CertificateReply *got = reply.msg->certificate;
        rc = buf_append(out_cert, bytes_of(got->cert_pem.data, got->cert_pem.len));
        if (rc == RC_OK)
            rc = buf_append(out_ca, bytes_of(got->ca_pem.data, got->ca_pem.len));
    }
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

static enum rc certificate(struct cli *cli, OSSL_LIB_CTX *lib, enum tls_role role, unsigned days,
                           const char *dir)
{
    const char *name = cli->arguments[0];
    AUTO_BUF key_path = BUF_INIT;
    AUTO_BUF cert_path = BUF_INIT;
    AUTO_BUF ca_path = BUF_INIT;
    AUTO_BUF spki = BUF_INIT;
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    if (strchr(name, '/') != NULL)
        return rc_fail(RC_USAGE, "%s is not a name", name);
    TRY(buf_printf(&key_path, "%s/%s.key", dir, name));
    TRY(buf_printf(&cert_path, "%s/%s.pem", dir, name));
    TRY(buf_printf(&ca_path, "%s/ca.pem", dir));
    TRY(pki_key_new(lib, &key));
    TRY(pki_key_public(lib, &key, &spki));
    TRY(ask_certificate(cli, role, days, buf_bytes(&spki), &cert, &ca));
    TRY(dev_file_write(buf_str(&key_path), 0600, secret_expose(&key)));
    TRY(dev_file_write(buf_str(&cert_path), 0644, buf_bytes(&cert)));
    TRY(dev_file_write(buf_str(&ca_path), 0644, buf_bytes(&ca)));
    printf("ca = %s\ncert = %s\nkey = %s\n", buf_str(&ca_path), buf_str(&cert_path),
           buf_str(&key_path));
    return RC_OK;
}

enum rc cluster_certificate(struct cli *cli, const struct cluster_options *options)
{
    enum tls_role role = TLS_ROLE_CLIENT;
    uint64_t days = 365;
    if (options->role != NULL)
        TRY(role_of(options->role, &role));
    if (options->days != NULL)
        TRY(cli_number("--days", options->days, 1, DAYS_MAX, &days));
    OSSL_LIB_CTX *lib = NULL;
    TRY(tls_library_new(&lib));
    enum rc rc =
        certificate(cli, lib, role, (unsigned)days, options->out == NULL ? "." : options->out);
    tls_library_free(lib);
    return rc;
}
