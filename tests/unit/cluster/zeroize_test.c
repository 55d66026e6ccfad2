/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an HSM that erases itself. */
#include "cluster/zeroize.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define SECRET_TEXT "a secret that is not to be found again"

struct place {
    char dir[64];
    char state[96], key[96];
    struct server_config config;
};

static void path_of(const struct place *place, const char *name, char out[160])
{
    (void)snprintf(out, 160, "%s/%s", place->state, name);
}

static void put(const struct place *place, const char *name)
{
    char path[160];
    path_of(place, name, path);
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs(SECRET_TEXT, file);
    (void)fclose(file);
}

static bool is_there(const struct place *place, const char *name)
{
    char path[160];
    path_of(place, name, path);
    return access(path, F_OK) == 0;
}

static void place_open(struct place *place)
{
    char path[160];
    memset(place, 0, sizeof *place);
    unit_directory(place->dir, sizeof place->dir);
    (void)snprintf(place->state, sizeof place->state, "%s/state", place->dir);
    (void)snprintf(place->key, sizeof place->key, "%s/node.key", place->dir);
    CU_ASSERT_EQUAL_FATAL(mkdir(place->state, 0700), 0);
    path_of(place, "raft", path);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    path_of(place, "backups", path);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    static const char *const files[] = {"lock",        "master.key",     "raft/metadata1",
                                        "raft/open-1", "backups/a.back", "raft.mark",
                                        "../node.key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        put(place, files[i]);
    place->config.state_dir = place->state;
    place->config.key = place->key;
    place->config.zone = place->dir;
}

static void place_close(struct place *place)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", place->dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void a_directory_that_is_not_marked_is_left_alone(void)
{
    struct place place;
    place_open(&place);
    UNIT_OK(zeroize_check(&place.config));
    CU_ASSERT_FALSE(zeroize_is_marked(&place.config));
    CU_ASSERT_TRUE(is_there(&place, "master.key"));
    place_close(&place);
}

static void the_keys_go_first_and_are_overwritten(void)
{
    struct place place;
    char path[160];
    char content[sizeof SECRET_TEXT] = "";
    place_open(&place);
    path_of(&place, "master.key", path);
    int held = open(path, O_RDONLY | O_CLOEXEC); /* the file itself, when its name is gone */
    UNIT_OK(zeroize_begin(&place.config, "a test"));
    CU_ASSERT_TRUE(zeroize_is_marked(&place.config));
    CU_ASSERT_FALSE(is_there(&place, "master.key"));
    CU_ASSERT_FALSE(is_there(&place, "../node.key"));
    CU_ASSERT_TRUE(is_there(&place, "raft/open-1"));
    CU_ASSERT_EQUAL(pread(held, content, sizeof content - 1, 0), (ssize_t)sizeof content - 1);
    for (size_t i = 0; i < sizeof content; i++)
        CU_ASSERT_EQUAL(content[i], 0);
    (void)close(held);
    place_close(&place);
}

static void nothing_but_mark_and_lock_is_left(void)
{
    struct place place;
    place_open(&place);
    UNIT_OK(zeroize_begin(&place.config, "a test"));
    UNIT_OK(zeroize_finish(&place.config));
    CU_ASSERT_TRUE(is_there(&place, "zeroized"));
    CU_ASSERT_TRUE(is_there(&place, "lock"));
    CU_ASSERT_FALSE(is_there(&place, "raft"));
    CU_ASSERT_FALSE(is_there(&place, "backups"));
    CU_ASSERT_FALSE(is_there(&place, "raft.mark"));
    UNIT_RC(zeroize_check(&place.config), RC_ZEROIZED);
    place_close(&place);
}

static void what_was_cut_short_is_finished_at_the_next_start(void)
{
    struct place place;
    place_open(&place);
    UNIT_OK(zeroize_begin(&place.config, "a test"));
    UNIT_RC(zeroize_check(&place.config), RC_ZEROIZED);
    CU_ASSERT_FALSE(is_there(&place, "raft"));
    UNIT_RC(zeroize_check(&place.config), RC_ZEROIZED);
    place_close(&place);
}

UNIT_SUITE("cluster/zeroize", UNIT_CASE(a_directory_that_is_not_marked_is_left_alone),
           UNIT_CASE(the_keys_go_first_and_are_overwritten),
           UNIT_CASE(nothing_but_mark_and_lock_is_left),
           UNIT_CASE(what_was_cut_short_is_finished_at_the_next_start));
