/* SPDX-License-Identifier: Apache-2.0 */
/* Unlock keys, the state directory's files, and qhsmd.conf. */
#include "cluster/keyfile.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/position.h"
#include "cluster/server_config.h"
#include "common/log.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

static char dir[64];

static const char *path_of(const char *name)
{
    static char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text, unsigned mode)
{
    FILE *file = fopen(path_of(name), "w");
    CU_ASSERT_FATAL(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
    CU_ASSERT(chmod(path_of(name), mode) == 0);
}

static void begin(void)
{
    log_open("/dev/null", LOG_LEVEL_ERROR);
    unit_directory(dir, sizeof dir);
    UNIT_OK(crypto_lib_init());
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void end(void)
{
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void an_unlock_key_that_others_may_read_is_refused(void)
{
    AUTO_SECRET key = SECRET_INIT;
    begin();
    write_file("unlock", "passphrase\n", 0640);
    UNIT_RC(keyfile_unlock_key(path_of("unlock"), &key), RC_SEALED);
    CU_ASSERT(strstr(rc_detail(), "chmod 600") != NULL);
    CU_ASSERT(chmod(path_of("unlock"), 0600) == 0);
    UNIT_OK(keyfile_unlock_key(path_of("unlock"), &key));
    CU_ASSERT(secret_equal(&key, bytes_of_str("passphrase")));
    end();
}

static void an_absent_or_empty_unlock_key_is_refused(void)
{
    AUTO_SECRET key = SECRET_INIT;
    begin();
    UNIT_RC(keyfile_unlock_key(path_of("unlock"), &key), RC_SEALED);
    write_file("unlock", "", 0600);
    UNIT_RC(keyfile_unlock_key(path_of("unlock"), &key), RC_SEALED);
    end();
}

static void a_link_is_not_followed(void)
{
    AUTO_SECRET key = SECRET_INIT;
    char target[160];
    begin();
    write_file("unlock", "passphrase", 0600);
    (void)snprintf(target, sizeof target, "%s", path_of("unlock"));
    CU_ASSERT(symlink(target, path_of("link")) == 0);
    UNIT_RC(keyfile_unlock_key(path_of("link"), &key), RC_SEALED);
    end();
}

static void a_credential_comes_from_its_directory(void)
{
    AUTO_SECRET key = SECRET_INIT;
    begin();
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    UNIT_RC(keyfile_unlock_key("credential:unlock", &key), RC_SEALED);
    write_file("unlock", "passphrase", 0400);
    (void)setenv("CREDENTIALS_DIRECTORY", dir, 1);
    UNIT_OK(keyfile_unlock_key("credential:unlock", &key));
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    end();
}

static void a_master_key_is_made_once(void)
{
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET first = SECRET_INIT;
    AUTO_SECRET second = SECRET_INIT;
    bool forming = false;
    begin();
    UNIT_OK(secret_from_bytes(&unlock, bytes_of_str("0123456789abcdef0123456789abcdef")));
    UNIT_RC(keyfile_master(dir, &unlock, false, &first, &forming), RC_SEALED);
    UNIT_OK(keyfile_master(dir, &unlock, true, &first, &forming));
    CU_ASSERT(forming);
    UNIT_OK(keyfile_master(dir, &unlock, true, &second, &forming));
    CU_ASSERT(forming); /* the first start did not come to its end */
    CU_ASSERT(secret_equal(&first, secret_expose(&second)));
    UNIT_OK(keyfile_formed(dir));
    UNIT_RC(keyfile_master(dir, &unlock, true, &second, &forming), RC_DISK);
    end();
}

static void a_log_without_a_master_key_is_not_written_over(void)
{
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    bool forming = false;
    begin();
    UNIT_OK(secret_from_bytes(&unlock, bytes_of_str("0123456789abcdef0123456789abcdef")));
    CU_ASSERT(mkdir(path_of("raft"), 0700) == 0);
    write_file("raft/metadata1", "x", 0600);
    UNIT_RC(keyfile_master(dir, &unlock, true, &master, &forming), RC_SEALED);
    CU_ASSERT(access(path_of("master.key"), F_OK) != 0);
    end();
}

/* ---- qhsmd.conf */

#define GOOD                                                             \
    "cluster = 6f1d2c3a-0000-4000-8000-0000000000e1\nunlock_key = key\n" \
    "listen_unix = sock\n"

static enum rc load(const char *text)
{
    struct server_config *config = NULL;
    write_file("qhsmd.conf", text, 0600);
    enum rc rc = server_config_load(path_of("qhsmd.conf"), &config);
    server_config_free(config);
    return rc;
}

static void configurations_that_contradict_themselves_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "cluster = rubbish\nunlock_key = key\nlisten_unix = sock\n",
        "cluster = 6f1d2c3a-0000-4000-8000-0000000000e1\nlisten_unix = sock\n",
        "cluster = 6f1d2c3a-0000-4000-8000-0000000000e1\nunlock_key = key\n",
        GOOD "listen_tcp = 127.0.0.1:1\n",
        GOOD "unix_mode = 0999\n",
        GOOD "node = 0\n",
        GOOD "heartbeat_ms = 900\n",
        GOOD "snapshot_trailing = 16\n",
        GOOD "snapshot_threshold = 64\nsnapshot_trailing = 127\n",
        GOOD "no_such_key = 1\n",
        GOOD "workers = many\n"};
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        UNIT_RC(load(bad[i]), RC_CONFIG);
    end();
}

static void every_key_is_in_the_manual(void)
{
    AUTO_BUF page = BUF_INIT;
    UNIT_OK(keyfile_read(UNIT_DATA_DIR "/../docs/man/qhsmd.conf.5", &page));
    for (size_t i = 0; i < server_config_key_count; i++) {
        char item[64];
        (void)snprintf(item, sizeof item, "\n.It Ic %s Ns", server_config_keys[i].name);
        CU_ASSERT(strstr(buf_str(&page), item) != NULL);
    }
}

static void paths_are_relative_to_the_file_and_credentials_are_not_paths(void)
{
    struct server_config *config = NULL;
    begin();
    UNIT_OK(load(GOOD));
    write_file("qhsmd.conf", GOOD "node = 3\n", 0600);
    UNIT_OK(server_config_load(path_of("qhsmd.conf"), &config));
    CU_ASSERT_FATAL(config != NULL);
    CU_ASSERT_STRING_EQUAL(config->listen_unix, path_of("sock"));
    CU_ASSERT_EQUAL(config->unix_mode_bits, 0666);
    CU_ASSERT_EQUAL(config->cluster_id[0], 0x6f);
    CU_ASSERT_EQUAL(config->cluster_id[15], 0xe1);
    CU_ASSERT(config->workers >= 1 && config->pool_threads >= 2);
    server_config_free(config);
    write_file("qhsmd.conf",
               "cluster = 6f1d2c3a-0000-4000-8000-0000000000e1\nlisten_unix = sock\n"
               "unlock_key = credential:unlock\n",
               0600);
    UNIT_OK(server_config_load(path_of("qhsmd.conf"), &config));
    CU_ASSERT_STRING_EQUAL(config->unlock_key, "credential:unlock");
    server_config_free(config);
    end();
}

static void who_was_removed_is_known_at_the_next_start(void)
{
    struct server_config config = {.state_dir = dir};
    struct removed_nodes removed;
    struct roll_node nodes[4] = {{.id = 1, .status = NODE_MEMBER},
                                 {.id = 2, .status = NODE_REMOVED},
                                 {.id = 3, .status = NODE_ZEROIZED},
                                 {.id = 4, .status = NODE_PENDING}};
    begin();
    UNIT_OK(position_read_removed(&config, &removed));
    CU_ASSERT_EQUAL(removed.count, 0);
    UNIT_OK(position_keep_removed(&config, &removed, nodes, 4));
    UNIT_OK(position_read_removed(&config, &removed));
    CU_ASSERT(removed.count == 2 && removed.ids[0] == 2 && removed.ids[1] == 3);
    nodes[0].status = NODE_REMOVED; /* and the others are forgotten */
    UNIT_OK(position_keep_removed(&config, &removed, nodes, 1));
    UNIT_OK(position_keep_removed(&config, &removed, nodes, 2));
    UNIT_OK(position_read_removed(&config, &removed));
    CU_ASSERT(removed.count == 3 && removed.ids[0] == 1 && removed.ids[1] == 2);
    end();
}

UNIT_SUITE("keyfile", UNIT_CASE(an_unlock_key_that_others_may_read_is_refused),
           UNIT_CASE(an_absent_or_empty_unlock_key_is_refused), UNIT_CASE(a_link_is_not_followed),
           UNIT_CASE(a_credential_comes_from_its_directory), UNIT_CASE(a_master_key_is_made_once),
           UNIT_CASE(a_log_without_a_master_key_is_not_written_over),
           UNIT_CASE(configurations_that_contradict_themselves_are_refused),
           UNIT_CASE(every_key_is_in_the_manual),
           UNIT_CASE(who_was_removed_is_known_at_the_next_start),
           UNIT_CASE(paths_are_relative_to_the_file_and_credentials_are_not_paths));
