/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: every type, every refusal with its line. */
#include "common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct target {
    char *name;
    char *file;
    char *home;
    unsigned long size;
    bool flag;
    int mode;
    struct config_list endpoints;
};

static const char *const modes[] = {"fast", "safe", NULL};
static const struct config_key keys[] = {
    {.section = "", .name = "name", .type = CONFIG_STRING, .offset = offsetof(struct target, name)},
    {.section = "", .name = "file", .type = CONFIG_PATH, .offset = offsetof(struct target, file)},
    {.section = "",
     .name = "home",
     .type = CONFIG_PATH,
     .offset = offsetof(struct target, home),
     .fallback = "~/x"},
    {.section = "limits",
     .name = "size",
     .type = CONFIG_UINT,
     .offset = offsetof(struct target, size),
     .min = 2,
     .max = 1UL << 40,
     .fallback = "8k"},
    {.section = "", .name = "flag", .type = CONFIG_BOOL, .offset = offsetof(struct target, flag)},
    {.section = "",
     .name = "mode",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct target, mode),
     .choices = modes,
     .fallback = "safe"},
    {.section = "",
     .name = "endpoint",
     .type = CONFIG_LIST,
     .offset = offsetof(struct target, endpoints),
     .fallback = "unix:/run/default"},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

static char path[64];

static void write_file(const char *text, size_t len)
{
    (void)snprintf(path, sizeof path, "/tmp/qhsm-config-XXXXXX");
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
}

static enum rc load(const char *text, struct target *target)
{
    write_file(text, strlen(text));
    rc_detail_clear();
    enum rc rc = config_load(path, keys, KEY_COUNT, target);
    (void)unlink(path);
    return rc;
}

static void clear(struct target *target)
{
    config_clear(keys, KEY_COUNT, target);
    CU_ASSERT_PTR_NULL(target->name);
    CU_ASSERT_EQUAL(target->endpoints.count, 0);
}

static void expect_refusal(const char *text, int line, const char *what)
{
    struct target target;
    char expected[96];
    UNIT_RC(load(text, &target), RC_CONFIG);
    (void)snprintf(expected, sizeof expected, "%s:%d: ", path, line);
    CU_ASSERT(strncmp(rc_detail(), expected, strlen(expected)) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), what));
    CU_ASSERT_PTR_NULL(target.name);
}

static void every_type_is_read(void)
{
    struct target target;
    UNIT_OK(load("# comment\nname = a name with blanks ; and a remark\nflag=on\nmode = FAST\n"
                 "endpoint = unix:/a\n  endpoint = tcp:b:1\nfile = sub/x\n\n[limits]\nsize = 3m\n",
                 &target));
    CU_ASSERT_STRING_EQUAL(target.name, "a name with blanks");
    CU_ASSERT_STRING_EQUAL(target.file, "/tmp/sub/x");
    CU_ASSERT_EQUAL(target.size, 3UL << 20);
    CU_ASSERT(target.flag);
    CU_ASSERT_EQUAL(target.mode, 0);
    CU_ASSERT_EQUAL_FATAL(target.endpoints.count, 2);
    CU_ASSERT_STRING_EQUAL(target.endpoints.items[0], "unix:/a");
    CU_ASSERT_STRING_EQUAL(target.endpoints.items[1], "tcp:b:1");
    clear(&target);
}

static void fallbacks_stand_for_absent_keys(void)
{
    struct target target;
    CU_ASSERT_EQUAL(setenv("HOME", "/home/me", 1), 0);
    UNIT_OK(load("", &target));
    CU_ASSERT_PTR_NULL(target.name);
    CU_ASSERT_STRING_EQUAL(target.home, "/home/me/x");
    CU_ASSERT_EQUAL(target.size, 8192);
    CU_ASSERT_EQUAL(target.mode, 1);
    CU_ASSERT_EQUAL_FATAL(target.endpoints.count, 1);
    CU_ASSERT_STRING_EQUAL(target.endpoints.items[0], "unix:/run/default");
    clear(&target);
    UNIT_OK(config_defaults(keys, KEY_COUNT, &target));
    CU_ASSERT_EQUAL(target.size, 8192);
    clear(&target);
}

static void unknown_keys_are_refused_with_their_line(void)
{
    expect_refusal("name = x\n\nnmae = y\n", 3, "nmae is not a known key");
    expect_refusal("size = 3\n", 1, "size is not a known key");
    expect_refusal("[limits]\nname = x\n", 2, "section [limits]");
}

static void key_given_twice_is_refused(void)
{
    expect_refusal("name = x\nname = y\n", 2, "name is given twice");
    expect_refusal("name = x\n  name = y\n", 2, "name is given twice");
}

static void line_without_a_value_is_refused(void)
{
    expect_refusal("name = x\nnonsense\n", 2, "key = value");
    expect_refusal("[limits\nsize = 3\n", 1, "[section]");
}

static void wrong_values_are_refused(void)
{
    expect_refusal("flag = maybe\n", 1, "neither yes nor no");
    expect_refusal("mode = slow\n", 1, "fast, safe");
    expect_refusal("[limits]\nsize = 1\n", 2, "under the least, 2");
    expect_refusal("[limits]\nsize = 2000g\n", 2, "over the most");
    expect_refusal("[limits]\nsize = -1\n", 2, "not a whole number");
    expect_refusal("[limits]\nsize = 5q\n", 2, "not a whole number");
    expect_refusal("[limits]\nsize = 5kk\n", 2, "not a whole number");
    expect_refusal("[limits]\nsize =\n", 2, "not a whole number");
    expect_refusal("[limits]\nsize = 99999999999999999999\n", 2, "not a whole number");
    expect_refusal("[limits]\nsize = 99999999999999999g\n", 2, "not a whole number");
}

static void overlong_line_and_nul_are_refused(void)
{
    char text[400] = "flag = yes\nname = ";
    memset(text + strlen(text), 'x', 300);
    expect_refusal(text, 2, "the line is over");
    static const char nul[] = "flag = yes\nname = a\0b\n";
    struct target target;
    write_file(nul, sizeof nul - 1);
    rc_detail_clear();
    UNIT_RC(config_load(path, keys, KEY_COUNT, &target), RC_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), ":2: a NUL"));
    (void)unlink(path);
}

static void absent_file_and_directory_have_their_own_errors(void)
{
    struct target target;
    UNIT_RC(config_load("/nonexistent/x.conf", keys, KEY_COUNT, &target), RC_NOT_FOUND);
    rc_detail_clear();
    UNIT_RC(config_load("/tmp", keys, KEY_COUNT, &target), RC_IO);
    rc_detail_clear();
}

UNIT_SUITE("config", UNIT_CASE(every_type_is_read), UNIT_CASE(fallbacks_stand_for_absent_keys),
           UNIT_CASE(unknown_keys_are_refused_with_their_line),
           UNIT_CASE(key_given_twice_is_refused), UNIT_CASE(line_without_a_value_is_refused),
           UNIT_CASE(wrong_values_are_refused), UNIT_CASE(overlong_line_and_nul_are_refused),
           UNIT_CASE(absent_file_and_directory_have_their_own_errors));
