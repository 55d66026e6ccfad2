/* SPDX-License-Identifier: Apache-2.0 */
/* The few keys of qhsmd.conf that preparing, joining and recovering an HSM need on its host. The
 * daemon itself checks the file (qhsmd --check-config). */
#ifndef QHSM_TOOLS_DAEMON_CONF_H
#define QHSM_TOOLS_DAEMON_CONF_H

#include "common/config.h"

#define DAEMON_CONF_DEFAULT "/etc/qhsm/qhsmd.conf"

struct daemon_conf {
    char *cluster;
    char *zone;
    char *state_dir;
    char *ca, *cert, *key;
    char *unlock_key;
    char *listen_tcp, *listen_peer, *address, *endpoint;
};

/* Takes what it knows and passes over the rest. RC_CONFIG. */
enum rc daemon_conf_load(const char *path, struct daemon_conf *out);
void daemon_conf_clear(struct daemon_conf *conf);
#define AUTO_DAEMON_CONF __attribute__((cleanup(daemon_conf_clear))) struct daemon_conf

#endif
