/* SPDX-License-Identifier: Apache-2.0 */
/* qhsmd.conf. The table of its keys is the man page's source. */
#ifndef QHSM_CLUSTER_SERVER_CONFIG_H
#define QHSM_CLUSTER_SERVER_CONFIG_H

#include <stdint.h>

#include "common/config.h"
#include "common/log.h"

enum memory_lock { MEMORY_LOCK_AUTO, MEMORY_LOCK_YES, MEMORY_LOCK_NO };

struct server_config {
    char *cluster; /* UUID */
    unsigned long node;
    char *zone;
    char *state_dir;
    char *listen_unix;
    char *unix_mode; /* octal */
    char *listen_tcp;
    char *listen_peer;
    char *address;  /* advertised: of listen_peer */
    char *endpoint; /* advertised: of listen_tcp */
    char *ca;
    char *cert;
    char *key;
    char *unlock_key; /* path, or credential:NAME */
    bool bootstrap;
    unsigned long workers; /* 0: one a core */
    unsigned long pool_threads;
    unsigned long connections_max;
    unsigned long connection_memory;
    unsigned long frame_max;
    unsigned long login_deadline_ms;
    unsigned long idle_timeout_s;
    unsigned long session_grace_s;
    unsigned long operation_idle_s;
    unsigned long heartbeat_ms;
    unsigned long election_ms;
    unsigned long snapshot_threshold;
    unsigned long snapshot_trailing;
    unsigned long disk_reserve_mib;
    unsigned long backup_interval_s;
    unsigned long backup_keep;
    unsigned long backup_keep_days;
    bool chaos;
    int memory_lock;
    int log_level;
    char *log_file;

    /* made from the above */
    uint8_t cluster_id[16];
    unsigned unix_mode_bits;
};

extern const struct config_key server_config_keys[];
extern const size_t server_config_key_count;

/* RC_CONFIG with FILE:LINE or the key that is wrong, and what it should be. */
enum rc server_config_load(const char *path, struct server_config **out);
void server_config_free(struct server_config *config);
/* Checks and fills in what is made from the keys (after config_defaults() in tests). */
enum rc server_config_check(struct server_config *config);

#endif
