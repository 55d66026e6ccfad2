/* SPDX-License-Identifier: Apache-2.0 */
/* client.conf: where it is looked for and what is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/client.h"
#include "tests/unit/unit.h"

static char dir[64];

static void begin(void)
{
    unit_directory(dir, sizeof dir);
    (void)unsetenv("QHSM_CONF");
    (void)setenv("HOME", dir, 1);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put_file(const char *name, const char *content)
{
    FILE *file = fopen(in_dir(name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs(content, file);
    (void)fclose(file);
}

static void end(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static enum rc load_text(const char *text, struct client_config **out)
{
    put_file("client.conf", text);
    return client_config_load(in_dir("client.conf"), out);
}

static void defaults_hold_when_only_an_endpoint_is_given(void)
{
    begin();
    struct client_config *config = NULL;
    UNIT_OK(load_text("endpoint = unix:/run/qhsm/a.sock\n", &config));
    CU_ASSERT_EQUAL(config->connect_timeout_ms, 2000);
    CU_ASSERT_EQUAL(config->call_timeout_ms, 10000);
    CU_ASSERT_EQUAL(config->attempt_timeout_ms, 1000);
    CU_ASSERT_EQUAL(config->hedge_ms, 0);
    CU_ASSERT_EQUAL(config->read, CLIENT_READ_SEEN);
    CU_ASSERT_EQUAL(config->pool_max, 64);
    CU_ASSERT_EQUAL(config->fork_policy, CLIENT_FORK_REINITIALIZE);
    CU_ASSERT(config->hash_locally);
    CU_ASSERT_PTR_NULL(config->zone);
    client_config_free(config);
    end();
}

static void files_named_are_read_into_memory(void)
{
    begin();
    put_file("ca.pem", "the CA\n");
    put_file("cert.pem", "the certificate\n");
    put_file("key.pem", "the key\n");
    struct client_config *config = NULL;
    UNIT_OK(load_text("endpoint = tcp:hsm.example:7070?zone=a\n"
                      "endpoint = tcp:[::1]:7070\n"
                      "zone = a\nca = ca.pem\ncert = cert.pem\nkey = key.pem\n"
                      "fork = inherit\nhash_locally = no\ncall_timeout_ms = 500\n"
                      "attempt_timeout_ms = 100\nhedge_ms = 20\nread = linearizable\n",
                      &config));
    CU_ASSERT_EQUAL(config->endpoints.count, 2);
    CU_ASSERT_STRING_EQUAL(buf_str(&config->ca_pem), "the CA\n");
    CU_ASSERT_STRING_EQUAL(buf_str(&config->cert_pem), "the certificate\n");
    CU_ASSERT(secret_equal(&config->key_pem, bytes_of_str("the key\n")));
    CU_ASSERT_EQUAL(config->fork_policy, CLIENT_FORK_INHERIT);
    CU_ASSERT(!config->hash_locally);
    CU_ASSERT_EQUAL(config->attempt_timeout_ms, 100);
    CU_ASSERT_EQUAL(config->hedge_ms, 20);
    CU_ASSERT_EQUAL(config->read, CLIENT_READ_LINEARIZABLE);
    client_config_free(config);
    end();
}

static void refused(const char *text, const char *why)
{
    struct client_config *config = NULL;
    UNIT_RC(load_text(text, &config), RC_CONFIG);
    if (strstr(rc_detail(), why) == NULL)
        CU_FAIL(rc_detail());
    CU_ASSERT_PTR_NULL(config);
}

static void what_is_wrong_is_named(void)
{
    begin();
    refused("", "endpoint");
    refused("endpoint = /run/qhsm.sock\n", "unknown kind");
    refused("endpoint = unix:relative\n", "not absolute");
    refused("endpoint = unix:/x?colour=red\n", "?zone=NAME");
    refused("endpoint = unix:/x?zone=\n", "?zone=NAME");
    refused("endpoint = tcp:host\n", "host and port");
    refused("endpoint = tcp::80\n", "host");
    refused("endpoint = tcp:host:http\n", "not a number");
    refused("endpoint = tcp:[::1:80\n", "] is missing");
    refused("endpoint = tcp:host:80\n", "`ca`, `cert` and `key`");
    refused("endpoint = unix:/x\npool_max = 0\n", "pool_max");
    refused("endpoint = unix:/x\nfork = maybe\n", "fork");
    refused("endpoint = unix:/x\nendpiont = unix:/y\n", "endpiont");
    refused("endpoint = unix:/x\nkey = nowhere.pem\n", "nowhere.pem");
    refused("endpoint = unix:/x\nca = .\n", "ca = ");
    refused("endpoint = unix:"
            "/0123456789012345678901234567890123456789012345678901234567890123456789"
            "0123456789012345678901234567890123456789\n",
            "too long");
    end();
}

static void environment_comes_before_home(void)
{
    begin();
    (void)mkdir(in_dir(".config"), 0700);
    (void)mkdir(in_dir(".config/qhsm"), 0700);
    put_file(".config/qhsm/client.conf", "endpoint = unix:/home\n");
    put_file("other.conf", "endpoint = unix:/other\n");
    struct client_config *config = NULL;
    UNIT_OK(client_config_load(NULL, &config));
    CU_ASSERT_STRING_EQUAL(config->endpoints.items[0], "unix:/home");
    client_config_free(config);
    (void)setenv("QHSM_CONF", in_dir("other.conf"), 1);
    UNIT_OK(client_config_load(NULL, &config));
    CU_ASSERT_STRING_EQUAL(config->endpoints.items[0], "unix:/other");
    CU_ASSERT_STRING_EQUAL(config->path, in_dir("other.conf"));
    client_config_free(config);
    end();
}

static void named_file_that_is_missing_is_not_passed_over(void)
{
    begin();
    (void)setenv("QHSM_CONF", in_dir("missing.conf"), 1);
    struct client_config *config = NULL;
    UNIT_RC(client_config_load(NULL, &config), RC_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "missing.conf"));
    (void)unsetenv("QHSM_CONF");
    end();
}

static void every_key_has_its_line_of_help(void)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    CU_ASSERT(count >= 12);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT(keys[i].help != NULL && strlen(keys[i].help) > 10);
}

UNIT_SUITE("client_config", UNIT_CASE(defaults_hold_when_only_an_endpoint_is_given),
           UNIT_CASE(files_named_are_read_into_memory), UNIT_CASE(what_is_wrong_is_named),
           UNIT_CASE(environment_comes_before_home),
           UNIT_CASE(named_file_that_is_missing_is_not_passed_over),
           UNIT_CASE(every_key_has_its_line_of_help));
