/* SPDX-License-Identifier: Apache-2.0 */
/* kms.conf: fallbacks, paths, and each thing that can be wrong. */
#include "kms/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define LEAST "listen = 127.0.0.1:0\nhsm_password_file = password\n"

static char path[] = "/tmp/qhsm-kms-conf-XXXXXX";
static bool is_made;

static enum rc load(const char *text, struct kms_config **out)
{
    if (!is_made) {
        int fd = mkstemp(path);
        CU_ASSERT_FATAL(fd >= 0);
        (void)close(fd);
        is_made = true;
    }
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(fputs(text, file) >= 0);
    (void)fclose(file);
    return kms_config_load(path, out);
}

static void refused(const char *text, const char *part)
{
    struct kms_config *config = NULL;
    enum rc rc = load(text, &config);
    if (rc != RC_CONFIG || strstr(rc_detail(), part) == NULL)
        printf("%s\n-> %d %s\n", text, (int)rc, rc_detail());
    CU_ASSERT_EQUAL(rc, RC_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), part));
    kms_config_free(config);
}

static void two_keys_are_enough(void)
{
    struct kms_config *config = NULL;
    UNIT_OK(load(LEAST, &config));
    CU_ASSERT_EQUAL(config->regions.count, 1);
    CU_ASSERT_STRING_EQUAL(config->regions.items[0], "us-east-1");
    CU_ASSERT_STRING_EQUAL(config->accounts.items[0], "000000000000");
    CU_ASSERT_STRING_EQUAL(config->hsm_token, "kms");
    CU_ASSERT_STRING_EQUAL(config->hsm_user, "kmsuser");
    CU_ASSERT_STRING_EQUAL(config->hsm_password_file, "/tmp/password");
    CU_ASSERT_STRING_EQUAL(config->xks_prefix, "");
    CU_ASSERT_TRUE(config->throttle);
    CU_ASSERT_FALSE(config->fast_time);
    CU_ASSERT_EQUAL(config->quota_store, 1800);
    CU_ASSERT_EQUAL(config->xks_timeout_ms, 250);
    CU_ASSERT_EQUAL(config->cluster_count, 0);
    CU_ASSERT_STRING_EQUAL(config->path, path);
    kms_config_free(config);
}

static void lists_and_their_paths_are_read(void)
{
    struct kms_config *config = NULL;
    UNIT_OK(load(LEAST "region = eu-central-1\nregion = us-gov-west-1\naccount = 111122223333\n"
                       "cluster = cluster-1a23b4cdefg  a.conf  my token \n"
                       "cluster = cluster-2a23b4cdefg /x/b.conf t\n"
                       "xks_credentials = one\nxks_credentials = /two\nxks_prefix = /a/b-c\n"
                       "xks_keys = id-1 label one\n",
                 &config));
    CU_ASSERT_EQUAL(config->regions.count, 2);
    CU_ASSERT_EQUAL(config->cluster_count, 2);
    CU_ASSERT_STRING_EQUAL(config->clusters[0].conf, "/tmp/a.conf");
    CU_ASSERT_STRING_EQUAL(config->clusters[0].token, "my token");
    CU_ASSERT_STRING_EQUAL(config->clusters[1].conf, "/x/b.conf");
    CU_ASSERT_STRING_EQUAL(config->xks_credentials.items[0], "/tmp/one");
    CU_ASSERT_STRING_EQUAL(config->xks_credentials.items[1], "/two");
    CU_ASSERT_STRING_EQUAL(config->xks_keys.items[0], "id-1 label one");
    kms_config_free(config);
}

static void the_former_ca_of_a_restored_cluster_is_read(void)
{
    struct kms_config *config = NULL;
    FILE *file = fopen("/tmp/qhsm-kms-former-ca.pem", "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(fputs("former\n", file) >= 0);
    (void)fclose(file);
    UNIT_OK(load(LEAST "restored = cluster-1a23b4cdefg qhsm-kms-former-ca.pem\n"
                       "cluster = cluster-1a23b4cdefg a.conf t\n",
                 &config));
    CU_ASSERT_EQUAL(config->former_ca_count, 1);
    CU_ASSERT_STRING_EQUAL(config->former_cas[0].cluster_id, "cluster-1a23b4cdefg");
    CU_ASSERT_STRING_EQUAL(config->former_cas[0].pem, "former\n");
    kms_config_free(config);
    (void)unlink("/tmp/qhsm-kms-former-ca.pem");
    refused(LEAST
            "cluster = cluster-1a23b4cdefg a.conf t\nrestored = cluster-1a23b4cdefg none.pem\n",
            "none.pem");
}

static void what_is_wrong_is_named(void)
{
    refused("hsm_password_file = p\n", "give listen or listen_https");
    refused("listen = 127.0.0.1:1\n", "hsm_password_file is missing");
    refused(LEAST "listen_https = :1\n", "listen_https needs cert and key");
    refused(LEAST "client_ca = x\n", "client_ca needs listen_https");
    refused(LEAST "client_subject = x\n", "client_subject needs client_ca");
    refused("hsm_password_file = p\nlisten = nowhere\n", "listen = nowhere: write it as host:port");
    refused("hsm_password_file = p\nlisten = a:70000\n", "host:port");
    refused(LEAST "region = Mars\n", "region = Mars");
    refused(LEAST "region = us-east-1\nregion = us-east-1\n", "us-east-1 is given twice");
    refused(LEAST "account = 12345\n", "an account is twelve digits");
    refused(LEAST "cluster = cluster-1a23b4cdefg a.conf\n", "ID CLIENT.CONF TOKEN");
    refused(LEAST "cluster = cluster-1 a.conf t\n", "11 to 16 digits");
    refused(LEAST "cluster = cluster-1a23b4cdefg a t\ncluster = cluster-1a23b4cdefg b t\n",
            "given twice");
    refused(LEAST "cluster = cluster-1a23b4cdefg a t\nrestored = cluster-1a23b4cdefg\n",
            "ID CA.PEM");
    refused(LEAST "restored = cluster-1a23b4cdefg ca.pem\n", "ID that of a cluster");
    refused(LEAST "xks_prefix = a\n", "xks_prefix = a");
    refused(LEAST "xks_prefix = /a/\n", "without a slash at the end");
    refused(LEAST "xks_keys = a b\n", "xks_keys needs xks_credentials");
    refused(LEAST "xks_credentials = f\nxks_keys = a/b l\n", "EXTERNAL_KEY_ID LABEL");
    refused(LEAST "xks_credentials = f\nxks_keys = a\n", "EXTERNAL_KEY_ID LABEL");
    refused(LEAST "xks_cert = f\n", "xks_cert and xks_key");
    refused(LEAST "hsm_user =\n", "may not be empty");
    refused(LEAST "trail_roll_s = 0\n", "trail_roll_s");
    refused(LEAST "colour = red\n", "colour is not a known key");
}

static void credentials_of_systemd_are_found(void)
{
    struct kms_config *config = NULL;
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    refused("listen = :0\nhsm_password_file = credential:pw\n", "LoadCredential=pw:FILE");
    (void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
    UNIT_OK(load("listen = :0\nhsm_password_file = credential:pw\n"
                 "xks_credentials = credential:one\n",
                 &config));
    CU_ASSERT_STRING_EQUAL(config->hsm_password_file, "/run/credentials/x/pw");
    CU_ASSERT_STRING_EQUAL(config->xks_credentials.items[0], "/run/credentials/x/one");
    kms_config_free(config);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_missing_file_is_told(void)
{
    struct kms_config *config = NULL;
    UNIT_RC(kms_config_load("/nowhere/kms.conf", &config), RC_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "/nowhere/kms.conf does not exist"));
}

static void addresses_are_taken_apart(void)
{
    char host[256];
    const char *port = NULL;
    UNIT_OK(kms_config_address("listen", "[::1]:8080", host, &port));
    CU_ASSERT_STRING_EQUAL(host, "::1");
    CU_ASSERT_STRING_EQUAL(port, "8080");
    UNIT_OK(kms_config_address("listen", ":80", host, &port));
    CU_ASSERT_STRING_EQUAL(host, "");
    UNIT_RC(kms_config_address("listen", "host:", host, &port), RC_CONFIG);
    UNIT_RC(kms_config_address("listen", "host:8o", host, &port), RC_CONFIG);
}

/* --help and the man page have a line for each. */
static void every_key_says_what_it_is_for(void)
{
    size_t count = 0;
    const struct config_key *keys = kms_config_keys(&count);
    char manual[65536] = "", example[16384] = "", mark[64];
    FILE *file = fopen(UNIT_DATA_DIR "/../docs/man/kms.conf.5", "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = 0;
    (void)fclose(file);
    file = fopen(UNIT_DATA_DIR "/../packaging/kms.conf", "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    example[fread(example, 1, sizeof example - 1, file)] = 0;
    (void)fclose(file);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_TRUE(keys[i].help != NULL && keys[i].help[0] != 0);
        (void)snprintf(mark, sizeof mark, ".It Ic %s Ns", keys[i].name);
        if (strstr(manual, mark) == NULL) {
            printf("kms.conf.5 has no %s\n", keys[i].name);
            CU_FAIL("not in the manual");
        }
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(example, "hsm_password_file"));
    (void)unlink(path);
}

UNIT_SUITE("config", UNIT_CASE(two_keys_are_enough), UNIT_CASE(lists_and_their_paths_are_read),
           UNIT_CASE(the_former_ca_of_a_restored_cluster_is_read),
           UNIT_CASE(what_is_wrong_is_named), UNIT_CASE(credentials_of_systemd_are_found),
           UNIT_CASE(a_missing_file_is_told), UNIT_CASE(addresses_are_taken_apart),
           UNIT_CASE(every_key_says_what_it_is_for));
