/* SPDX-License-Identifier: Apache-2.0 */
/* What a new development cluster needs on disk: CA, certificates, unlock keys, configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/pki.h"
#include "tools/dev.h"
#include "tools/dev_net.h"

#define CERTIFICATE_DAYS 825U
/* Loopback answers at once, and the machine may have few cores. */
#define ELECTION_MS 500U

/* What is made once and signs the rest. */
struct authority {
    OSSL_LIB_CTX *lib;
    struct buf cert;
    struct secret key;
};

static void authority_clear(struct authority *authority)
{
    buf_clear(&authority->cert);
    secret_clear(&authority->key);
    tls_library_free(authority->lib);
}

static enum rc path_write(const struct dev *dev, const char *name, mode_t mode,
                          struct bytes content)
{
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s/%s", dev->dir, name));
    return dev_file_write(buf_str(&path), mode, content);
}

/* NAME.pem and NAME.key. */
static enum rc issue(const struct dev *dev, const struct authority *authority, enum tls_role role,
                     const char *subject, const char *name)
{
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    AUTO_BUF file = BUF_INIT;
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    const struct pki_subject who = {.role = role,
                                    .cluster = dev->cluster,
                                    .name = subject,
                                    .hosts = hosts,
                                    .host_count = sizeof hosts / sizeof hosts[0],
                                    .days = CERTIFICATE_DAYS,
                                    .is_server = true};
    TRY(pki_issue(authority->lib, buf_bytes(&authority->cert), &authority->key, &who, &cert, &key));
    TRY(buf_printf(&file, "%s.pem", name));
    TRY(path_write(dev, buf_str(&file), 0644, buf_bytes(&cert)));
    buf_clear(&file);
    TRY(buf_printf(&file, "%s.key", name));
    return path_write(dev, buf_str(&file), 0600, secret_expose(&key));
}

/* A Unix socket's path is short (sun_path), and in client.conf a question mark or a semicolon would
 * end it: other directories get theirs under /tmp. */
static enum rc socket_path(const struct dev *dev, char zone, struct buf *out)
{
    TRY(buf_printf(out, "%s/zone-%c/qhsmd.sock", dev->dir, zone));
    if (out->len < sizeof(((struct sockaddr_un *)0)->sun_path) &&
        strpbrk(buf_str(out), "?;\n") == NULL)
        return RC_OK;
    buf_clear(out);
    char template[] = "/tmp/qhsm-XXXXXX";
    if (mkdtemp(template) == NULL)
        return rc_fail(RC_IO, "%s: %s", template, strerror(errno));
    TRY(dev_dir_make(template, 0711));
    return buf_printf(out, "%s/qhsmd.sock", template);
}

/* What all HSMs have; those that join have neither number nor certificate yet. */
static enum rc zone_config(const struct dev *dev, unsigned zone, const char *socket,
                           const unsigned ports[2])
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF name = BUF_INIT;
    AUTO_BUF host = BUF_INIT;
    TRY(dev_net_host(dev, zone, &host));
    TRY(buf_printf(&text, "# Written by qhsm dev up.\ncluster = %s\nzone = %c\n", dev->cluster,
                   dev_letter(zone)));
    TRY(buf_printf(&text, zone == 0 ? "node = 1\nbootstrap = yes\n" : ""));
    TRY(buf_printf(&text,
                   "state_dir = state\nunlock_key = unlock.key\nlisten_unix = %s\nlisten_tcp = "
                   "%s:%u\nlisten_peer = %s:%u\n",
                   socket, buf_str(&host), ports[0], buf_str(&host), ports[1]));
    TRY(buf_printf(&text, "ca = ca.pem\ncert = node.pem\nkey = node.key\n"));
    TRY(buf_printf(&text, "heartbeat_ms = 100\nelection_ms = %u\nchaos = yes\n",
                   ELECTION_MS * dev->patience));
    TRY(buf_printf(&name, "zone-%c/qhsmd.conf", dev_letter(zone)));
    return path_write(dev, buf_str(&name), 0600, buf_bytes(&text));
}

/* What is usual is not written down. */
enum rc dev_client_times(const struct dev *dev, unsigned call_ms, struct buf *out)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    struct client_config usual = {.trace = NULL};
    if (dev->patience == 1 && call_ms == 0)
        return RC_OK;
    TRY(config_defaults(keys, count, &usual));
    enum rc rc = buf_printf(
        out, "connect_timeout_ms = %lu\nattempt_timeout_ms = %lu\ncall_timeout_ms = %lu\n",
        usual.connect_timeout_ms * dev->patience, usual.attempt_timeout_ms * dev->patience,
        (call_ms != 0 ? call_ms : usual.call_timeout_ms) * dev->patience);
    config_clear(keys, count, &usual);
    return rc;
}

/* A client: over the Unix sockets first, then TLS for those who may not enter the directory. */
static enum rc client_config(const struct dev *dev, const char *file, const char *up,
                             const char *content)
{
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text,
                   "# Written by qhsm dev up.\n%sca = %sca.pem\ncert = %sclient.pem\nkey = "
                   "%sclient.key\ntoken = %s\n",
                   content, up, up, up, DEV_TOKEN_LABEL));
    TRY(dev_client_times(dev, 0, &text));
    return path_write(dev, file, 0644, buf_bytes(&text));
}

static enum rc make_unlock_key(const struct dev *dev, unsigned zone)
{
    AUTO_BUF name = BUF_INIT;
    AUTO_SECRET unlock = SECRET_INIT;
    TRY(secret_alloc(&unlock, 32));
    if (getrandom(unlock.ptr, unlock.len, 0) != (ssize_t)unlock.len)
        return rc_fail(RC_RANDOM, "getrandom failed");
    TRY(buf_printf(&name, "zone-%c/unlock.key", dev_letter(zone)));
    return path_write(dev, buf_str(&name), 0600, secret_expose(&unlock));
}

/* Directory, unlock key, ports, configuration of the daemon and of its clients. */
static enum rc setup_zone(const struct dev *dev, unsigned zone)
{
    char letter = dev_letter(zone);
    AUTO_BUF dir = BUF_INIT;
    AUTO_BUF socket = BUF_INIT;
    AUTO_BUF name = BUF_INIT;
    AUTO_BUF content = BUF_INIT;
    AUTO_BUF host = BUF_INIT;
    unsigned ports[2] = {0, 0};
    TRY(buf_printf(&dir, "%s/zone-%c", dev->dir, letter));
    TRY(dev_dir_make(buf_str(&dir), 0711));
    TRY(make_unlock_key(dev, zone));
    TRY(socket_path(dev, letter, &socket));
    TRY(dev_port_take(&ports[0]));
    TRY(dev_port_take(&ports[1]));
    TRY(zone_config(dev, zone, buf_str(&socket), ports));
    TRY(dev_net_host(dev, zone, &host));
    TRY(buf_printf(&content, "endpoint = unix:%s?zone=%c\nendpoint = tcp:%s:%u?zone=%c\n",
                   buf_str(&socket), letter, buf_str(&host), ports[0], letter));
    TRY(buf_printf(&content, "zone = %c\n", letter));
    TRY(buf_printf(&name, "zone-%c/client.conf", letter));
    return client_config(dev, buf_str(&name), "../", buf_str(&content));
}

/* A Unix socket leads round what is cut between namespaces. */
static bool is_for_all(const char *endpoint, bool has_net)
{
    return !has_net || strncmp(endpoint, "unix:", 5) != 0;
}

/* The endpoints of each zone's own configuration, zone by zone. */
static enum rc write_clients(const struct dev *dev)
{
    AUTO_BUF content = BUF_INIT;
    bool has_net = dev_net_exists(dev);
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        AUTO_BUF path = BUF_INIT;
        struct client_config *config = NULL;
        TRY(dev_zone_path(dev, zone, "client.conf", &path));
        TRY(client_config_load(buf_str(&path), &config));
        enum rc rc = RC_OK;
        for (size_t i = 0; rc == RC_OK && i < config->endpoints.count; i++)
            if (is_for_all(config->endpoints.items[i], has_net))
                rc = buf_printf(&content, "endpoint = %s\n", config->endpoints.items[i]);
        client_config_free(config);
        TRY(rc);
    }
    return client_config(dev, "client.conf", "", buf_str(&content));
}

/* The first HSM's certificate; the others get theirs when they join. */
static enum rc setup_first(const struct dev *dev, const struct authority *authority)
{
    TRY(setup_zone(dev, 0));
    TRY(issue(dev, authority, TLS_ROLE_NODE, "1", "zone-a/node"));
    TRY(path_write(dev, "zone-a/ca.pem", 0644, buf_bytes(&authority->cert)));
    return path_write(dev, "zone-a/node", 0644, bytes_of_str("1\n"));
}

static enum rc setup(const struct dev *dev, struct authority *authority)
{
    TRY(tls_library_new(&authority->lib));
    TRY(pki_ca_new(authority->lib, dev->cluster, CERTIFICATE_DAYS, &authority->cert,
                   &authority->key));
    TRY(path_write(dev, "ca.pem", 0644, buf_bytes(&authority->cert)));
    TRY(path_write(dev, "ca.key", 0600, secret_expose(&authority->key)));
    TRY(issue(dev, authority, TLS_ROLE_CLIENT, "dev", "client"));
    TRY(issue(dev, authority, TLS_ROLE_ADMIN, "dev", "admin"));
    TRY(setup_first(dev, authority));
    for (unsigned zone = 1; zone < dev->zones; zone++)
        TRY(setup_zone(dev, zone));
    return write_clients(dev);
}

enum rc dev_setup(const struct dev *dev)
{
    struct authority authority = {.lib = NULL, .cert = BUF_INIT, .key = SECRET_INIT};
    enum rc rc = setup(dev, &authority);
    authority_clear(&authority);
    return rc;
}

/* What is left of an HSM that was there before is gone: it comes as a new one. */
enum rc dev_setup_joiner(const struct dev *dev, unsigned zone)
{
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/zone-%c", dev->dir, dev_letter(zone)));
    TRY(dev_remove(buf_str(&dir)));
    TRY(setup_zone(dev, zone));
    return write_clients(dev);
}

enum rc dev_certificate(const struct dev *dev, enum tls_role role, const char *subject,
                        const char *name)
{
    struct authority authority = {.lib = NULL, .cert = BUF_INIT, .key = SECRET_INIT};
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF key = BUF_INIT;
    TRY(buf_printf(&path, "%s/ca.pem", dev->dir));
    enum rc rc = dev_file_read(buf_str(&path), &authority.cert);
    buf_clear(&path);
    if (rc == RC_OK)
        rc = buf_printf(&path, "%s/ca.key", dev->dir);
    if (rc == RC_OK)
        rc = dev_file_read(buf_str(&path), &key);
    if (rc == RC_OK)
        rc = secret_from_bytes(&authority.key, buf_bytes(&key));
    if (rc == RC_OK)
        rc = tls_library_new(&authority.lib);
    if (rc == RC_OK)
        rc = issue(dev, &authority, role, subject, name);
    authority_clear(&authority);
    return rc;
}
