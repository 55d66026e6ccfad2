/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/daemon_conf.h"

#include <ctype.h>

#define KEY(n, t, d)                                                                       \
    {                                                                                      \
        .section = "", .name = #n, .type = (t), .offset = offsetof(struct daemon_conf, n), \
        .fallback = (d), .help = ""                                                        \
    }
static const struct config_key keys[] = {
    KEY(cluster, CONFIG_STRING, NULL),
    KEY(zone, CONFIG_STRING, "local"),
    KEY(state_dir, CONFIG_PATH, "/var/lib/qhsm"),
    KEY(ca, CONFIG_PATH, NULL),
    KEY(cert, CONFIG_PATH, NULL),
    KEY(key, CONFIG_PATH, NULL),
    KEY(unlock_key, CONFIG_PATH, NULL),
    KEY(listen_tcp, CONFIG_STRING, NULL),
    KEY(listen_peer, CONFIG_STRING, NULL),
    KEY(address, CONFIG_STRING, NULL),
    KEY(endpoint, CONFIG_STRING, NULL),
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

enum rc daemon_conf_load(const char *path, struct daemon_conf *out)
{
    enum rc rc = config_load_some(path, keys, KEY_COUNT, out);
    /* As certificates have it. */
    for (char *c = out->cluster; rc == RC_OK && c != NULL && *c != 0; c++)
        *c = (char)tolower((unsigned char)*c);
    return rc == RC_NOT_FOUND
               ? rc_fail(RC_CONFIG, "%s does not exist: name another (see --help)", path)
               : rc;
}

void daemon_conf_clear(struct daemon_conf *conf)
{
    config_clear(keys, KEY_COUNT, conf);
}
