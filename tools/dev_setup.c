/* SPDX-License-Identifier: Apache-2.0 */
/* What a new development cluster needs on disk: CA, certificates, unlock keys, configuration. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/pki.h"
#include "tools/dev.h"

#define CERTIFICATE_DAYS 825U

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
                                    .days = CERTIFICATE_DAYS};
    TRY(pki_issue(authority->lib, buf_bytes(&authority->cert), &authority->key, &who, &cert, &key));
    TRY(buf_printf(&file, "%s.pem", name));
    TRY(path_write(dev, buf_str(&file), 0644, buf_bytes(&cert)));
    buf_clear(&file);
    TRY(buf_printf(&file, "%s.key", name));
    return path_write(dev, buf_str(&file), 0600, secret_expose(&key));
}

/* A port that is free now; the daemon says so should somebody take it meanwhile. */
static enum rc free_port(unsigned *out)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (!is_bound)
        return rc_fail(RC_IO, "no free port on 127.0.0.1: %s", strerror(error));
    *out = ntohs(address.sin_port);
    return RC_OK;
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

static enum rc zone_config(const struct dev *dev, unsigned zone, const char *socket, unsigned port)
{
    char letter = (char)('a' + zone);
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF name = BUF_INIT;
    TRY(buf_printf(
        &text, "# Written by qhsm dev up.\ncluster = %s\nnode = %u\nzone = %c\nstate_dir = state\n",
        dev->cluster, zone + 1, letter));
    TRY(buf_printf(
        &text,
        "bootstrap = yes\nunlock_key = unlock.key\nlisten_unix = %s\nlisten_tcp = 127.0.0.1:%u\n",
        socket, port));
    TRY(buf_printf(&text, "ca = ../ca.pem\ncert = node.pem\nkey = node.key\n"));
    TRY(buf_printf(&name, "zone-%c/qhsmd.conf", letter));
    return path_write(dev, buf_str(&name), 0600, buf_bytes(&text));
}

/* A client that knows this endpoint: over the Unix socket first, then TLS for those who may not
 * enter the directory. */
static enum rc client_config(const struct dev *dev, const char *file, const char *up,
                             const char *endpoints)
{
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text,
                   "# Written by qhsm dev up.\n%sca = %sca.pem\ncert = %sclient.pem\nkey = "
                   "%sclient.key\ntoken = %s\n",
                   endpoints, up, up, up, DEV_TOKEN_LABEL));
    return path_write(dev, file, 0644, buf_bytes(&text));
}

static enum rc setup_zone(const struct dev *dev, const struct authority *authority, unsigned zone,
                          struct buf *endpoints)
{
    char letter = (char)('a' + zone);
    AUTO_BUF name = BUF_INIT;
    AUTO_BUF node = BUF_INIT;
    AUTO_BUF socket = BUF_INIT;
    AUTO_BUF own = BUF_INIT;
    unsigned port = 0;
    TRY(buf_printf(&name, "%s/zone-%c", dev->dir, letter));
    TRY(dev_dir_make(buf_str(&name), 0711));
    buf_clear(&name);
    TRY(buf_printf(&name, "zone-%c/node", letter));
    TRY(buf_printf(&node, "%u", zone + 1));
    TRY(issue(dev, authority, TLS_ROLE_NODE, buf_str(&node), buf_str(&name)));
    AUTO_SECRET unlock = SECRET_INIT;
    TRY(secret_alloc(&unlock, 32));
    if (getrandom(unlock.ptr, unlock.len, 0) != (ssize_t)unlock.len)
        return rc_fail(RC_RANDOM, "getrandom failed");
    buf_clear(&name);
    TRY(buf_printf(&name, "zone-%c/unlock.key", letter));
    TRY(path_write(dev, buf_str(&name), 0600, secret_expose(&unlock)));
    TRY(socket_path(dev, letter, &socket));
    TRY(free_port(&port));
    TRY(zone_config(dev, zone, buf_str(&socket), port));
    TRY(buf_printf(&own, "endpoint = unix:%s?zone=%c\nendpoint = tcp:127.0.0.1:%u?zone=%c\n",
                   buf_str(&socket), letter, port, letter));
    TRY(buf_append(endpoints, buf_bytes(&own)));
    buf_clear(&name);
    TRY(buf_printf(&name, "zone-%c/client.conf", letter));
    return client_config(dev, buf_str(&name), "../", buf_str(&own));
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
    AUTO_BUF endpoints = BUF_INIT;
    for (unsigned zone = 0; zone < dev->zones; zone++)
        TRY(setup_zone(dev, authority, zone, &endpoints));
    return client_config(dev, "client.conf", "", buf_str(&endpoints));
}

enum rc dev_setup(const struct dev *dev)
{
    struct authority authority = {.lib = NULL, .cert = BUF_INIT, .key = SECRET_INIT};
    enum rc rc = setup(dev, &authority);
    authority_clear(&authority);
    return rc;
}
