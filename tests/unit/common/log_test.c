/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event, levels, escapes, rotation. */
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char path[64];
static char rotated[80];
static char content[16384];

static void open_log(enum log_level least)
{
    (void)snprintf(path, sizeof path, "/tmp/qhsm-log-XXXXXX");
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    (void)close(fd);
    (void)snprintf(rotated, sizeof rotated, "%s.1", path);
    log_open(path, least);
}

static void close_log(void)
{
    log_open(NULL, LOG_LEVEL_INFO);
    (void)unlink(path);
    (void)unlink(rotated);
}

static const char *read_log(const char *from)
{
    FILE *file = fopen(from, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t len = fread(content, 1, sizeof content - 1, file);
    content[len] = 0;
    (void)fclose(file);
    return content;
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;
    for (; *text != 0; text++)
        count += *text == '\n';
    return count;
}

static void line_has_time_level_event_and_fields(void)
{
    open_log(LOG_LEVEL_INFO);
    log_info("token_made", "slot=%d label=\"%s\"", 1, "x");
    log_warn("plain", " ");
    const char *text = read_log(path);
    CU_ASSERT_EQUAL(count_lines(text), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Z info  token_made slot=1 label=\"x\"\n"));
    CU_ASSERT_EQUAL(text[10], 'T');
    close_log();
}

static void event_without_fields_has_no_trailing_blank(void)
{
    open_log(LOG_LEVEL_INFO);
    static const char *const nothing = "";
    log_info("started", "%s", nothing);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_log(path), " started\n"));
    close_log();
}

static void lesser_levels_are_left_out(void)
{
    open_log(LOG_LEVEL_WARN);
    log_info("no", "x=1");
    log_error("yes", "x=1");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("also", "x=1");
    CU_ASSERT_EQUAL(count_lines(read_log(path)), 2);
    CU_ASSERT_PTR_NULL(strstr(content, " no "));
    close_log();
}

static void control_bytes_cannot_forge_a_line(void)
{
    open_log(LOG_LEVEL_INFO);
    log_info("peer", "name=\"%s\"", "a\nb\x1b[31m\x7f");
    CU_ASSERT_EQUAL(count_lines(read_log(path)), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(content, "a\\x0ab\\x1b[31m\\x7f"));
    close_log();
}

static void long_line_is_cut_and_still_ends(void)
{
    open_log(LOG_LEVEL_INFO);
    log_info("long", "x=%9000d", 1);
    char controls[3000];
    memset(controls, 1, sizeof controls - 1);
    controls[sizeof controls - 1] = 0;
    log_info("controls", "x=%s", controls);
    CU_ASSERT_EQUAL(count_lines(read_log(path)), 2);
    close_log();
}

static void reopen_follows_rotation(void)
{
    open_log(LOG_LEVEL_INFO);
    log_info("before", "x=1");
    CU_ASSERT_EQUAL_FATAL(rename(path, rotated), 0);
    log_info("between", "x=1");
    log_reopen();
    log_info("after", "x=1");
    CU_ASSERT_EQUAL(count_lines(read_log(rotated)), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_log(path), "after"));
    CU_ASSERT_EQUAL(count_lines(content), 1);
    close_log();
}

static void levels_have_names(void)
{
    enum log_level level = LOG_LEVEL_INFO;
    CU_ASSERT(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    CU_ASSERT(log_level_parse("ERROR", &level) && level == LOG_LEVEL_ERROR);
    CU_ASSERT(!log_level_parse("loud", &level) && level == LOG_LEVEL_ERROR);
}

static void flood(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (log_admits())
            log_warn("refused", " ");
}

static time_t second_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void what_peers_repeat_is_logged_some_times_a_second(void)
{
    open_log(LOG_LEVEL_INFO);
    time_t start = second_now();
    flood(20 * LOG_BURST);
    unsigned seconds = (unsigned)(second_now() - start) + 1; /* one, or the border of two */
    unsigned lines = count_lines(read_log(path));
    CU_ASSERT(lines >= LOG_BURST && lines <= seconds * (LOG_BURST + 1) - 1);
    (void)sleep(1);
    flood(1);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_log(path), "lines_left_out count="));
    close_log();
}

UNIT_SUITE("log", UNIT_CASE(line_has_time_level_event_and_fields),
           UNIT_CASE(event_without_fields_has_no_trailing_blank),
           UNIT_CASE(lesser_levels_are_left_out), UNIT_CASE(control_bytes_cannot_forge_a_line),
           UNIT_CASE(long_line_is_cut_and_still_ends), UNIT_CASE(reopen_follows_rotation),
           UNIT_CASE(levels_have_names),
           UNIT_CASE(what_peers_repeat_is_logged_some_times_a_second));
