/* SPDX-License-Identifier: Apache-2.0 */
/* kms.conf. The table of its keys is kms/config.c's, also for --help and the man page. */
#ifndef QHSM_KMS_CONFIG_H
#define QHSM_KMS_CONFIG_H

#include "common/config.h"

/* A cluster that custom key stores may be made of: "cluster = ID CLIENT.CONF TOKEN", ID being what
 * AWS calls CloudHsmClusterId. */
struct kms_cluster {
    char *id; /* "cluster-1a23b4cdefg" */
    char *conf;
    char *token;
};

/* "restored = ID CA.PEM": that cluster has come out of a backup of the one that had this CA, and
 * carries on with its key stores. */
struct kms_former_ca {
    char *cluster_id;
    char *pem;
};

struct kms_config {
    char *listen;                /* host:port, HTTP; NULL: none */
    char *listen_https;          /* host:port */
    char *cert, *key;            /* PEM, for https */
    char *client_ca;             /* mutual TLS of https; NULL: none */
    char *client_subject;        /* CN demanded of the client's certificate */
    struct config_list regions;  /* "us-east-1" by default */
    struct config_list accounts; /* twelve digits; 000000000000 by default */
    char *hsm_conf;              /* client.conf with the keystore certificate */
    char *hsm_token;             /* label: "kms" */
    char *hsm_user;              /* "kmsuser" */
    char *hsm_password_file;
    /* "ACCOUNT ACCESS_KEY SECRET" of the first administrator (account root), a line each: kms_new()
     * gives them to identity_bootstrap(). NULL: none. */
    char *administrators_file;
    char *trail_dir;                 /* CloudTrail records; NULL: none are kept */
    unsigned long trail_roll_s;      /* a new file at least so often: 300 */
    unsigned long connections_max;   /* of each listener */
    unsigned long idle_timeout_s;    /* a connection without a request */
    unsigned long request_timeout_s; /* for a request to arrive whole */
    unsigned long xks_timeout_ms;    /* of an external key store proxy */
    bool throttle;                   /* AWS's request quotas; on */
    unsigned long quota_symmetric, quota_rsa, quota_ecc, quota_store; /* a second */
    bool fast_time; /* tests: chores every 100 ms rather than every 10 s */
    struct config_list cluster_lines;
    struct kms_cluster *clusters;
    size_t cluster_count;
    struct config_list restored_lines;
    struct kms_former_ca *former_cas;
    size_t former_ca_count;
    /* the XKS proxy's endpoint */
    struct config_list xks_credentials; /* files of "ACCESS_KEY SECRET", two or more live at once */
    char *xks_prefix;                   /* URI path prefix; "" */
    struct config_list xks_keys;        /* "EXTERNAL_KEY_ID LABEL" of keys of hsm_token */
    /* as a client of external key store proxies */
    char *xks_ca;   /* PEM: who their certificates must be of; NULL: the system's */
    char *xks_cert; /* PEM, shown to a proxy that asks for it; NULL: none */
    char *xks_key;
    char *seed_file; /* declared test keys; NULL */
    int log_level;
    char *log_file;
    char *path; /* where it was read */
};

/* RC_CONFIG, RC_NOT_FOUND, RC_IO. */
enum rc kms_config_load(const char *path, struct kms_config **out);
void kms_config_free(struct kms_config *config);
const struct config_key *kms_config_keys(size_t *out_count);
/* NULL: none has that id. */
const struct kms_cluster *kms_config_cluster(const struct kms_config *config, const char *id);
/* Takes host:port, [v6]:port or :port apart: "" is every address. RC_CONFIG names `key`. */
enum rc kms_config_address(const char *key, const char *text, char out_host[256],
                           const char **out_port);

#endif
