/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files, read by libinih against a table of known keys. */
#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct load {
    const char *path; /* NULL: fallbacks only */
    FILE *file;
    char *line; /* getline()'s */
    size_t line_cap;
    const struct config_key *keys;
    size_t key_count;
    bool passes_over; /* unknown keys */
    bool *seen;
    void *target;
    int line_number;
    int error_line; /* 0: none */
    char error[192];
};

static enum rc refuse(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Only the first error counts. */
static enum rc refuse(struct load *load, const char *format, ...)
{
    if (load->error[0] != 0)
        return RC_CONFIG;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(load->error, sizeof load->error, format, args);
    va_end(args);
    load->error_line = load->line_number;
    return RC_CONFIG;
}

static void *field(const struct config_key *key, void *target)
{
    return (char *)target + key->offset;
}

static enum rc parse_string(const char *value, char **out)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return RC_NO_MEMORY;
    free(*out);
    *out = copy;
    return RC_OK;
}

/* Appends the home directory of this user. */
static enum rc put_home(struct buf *out)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] == '/')
        return buf_append(out, bytes_of_str(home));
    char scratch[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(getuid(), &entry, scratch, sizeof scratch, &found) != 0 || found == NULL)
        return RC_CONFIG;
    return buf_append(out, bytes_of_str(found->pw_dir));
}

/* Appends the directory of the file with its slash, absolute so that a later chdir changes nothing.
 */
static enum rc put_file_dir(const char *file, struct buf *out)
{
    const char *slash = strrchr(file, '/');
    if (file[0] != '/') {
        char cwd[4096];
        if (getcwd(cwd, sizeof cwd) == NULL)
            return RC_IO;
        TRY(buf_append(out, bytes_of_str(cwd)));
        TRY(buf_put_u8(out, '/'));
    }
    return buf_append(out, bytes_of(file, slash == NULL ? 0 : (size_t)(slash - file) + 1));
}

static enum rc parse_path(struct load *load, const char *value, char **out)
{
    AUTO_BUF path = BUF_INIT_MAX(16384);
    if (value[0] == '~' && (value[1] == '/' || value[1] == 0)) {
        if (put_home(&path) != RC_OK)
            return refuse(load, "%s: this user has no home directory", value);
        value++;
    } else if (value[0] != '/' && value[0] != 0 && load->path != NULL) {
        TRY(put_file_dir(load->path, &path));
    }
    TRY(buf_append(&path, bytes_of_str(value)));
    return parse_string(buf_str(&path), out);
}

static unsigned suffix_shift(const char *suffix, bool *known)
{
    static const char letters[] = "kmg";
    *known = true;
    if (suffix[0] == 0)
        return 0;
    const char *at = strchr(letters, tolower((unsigned char)suffix[0]));
    *known = at != NULL && suffix[1] == 0;
    return *known ? 10 * ((unsigned)(at - letters) + 1) : 0;
}

static enum rc parse_uint(struct load *load, const struct config_key *key, const char *value,
                          unsigned long *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long number = isdigit((unsigned char)value[0]) ? strtoul(value, &end, 10) : 0;
    if (end == NULL || errno != 0)
        return refuse(load, "%s: \"%s\" is not a whole number", key->name, value);
    bool known = false;
    unsigned shift = suffix_shift(end, &known);
    if (!known || number > (~0UL >> shift))
        return refuse(load, "%s: \"%s\" is not a whole number with a suffix k, m or g", key->name,
                      value);
    number <<= shift;
    if (number < key->min)
        return refuse(load, "%s: %lu is under the least, %lu", key->name, number, key->min);
    if (key->max != 0 && number > key->max)
        return refuse(load, "%s: %lu is over the most, %lu", key->name, number, key->max);
    *out = number;
    return RC_OK;
}

static enum rc parse_bool(struct load *load, const struct config_key *key, const char *value,
                          bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *out = i % 2 == 1;
            return RC_OK;
        }
    }
    return refuse(load, "%s: \"%s\" is neither yes nor no", key->name, value);
}

static enum rc parse_enum(struct load *load, const struct config_key *key, const char *value,
                          int *out)
{
    AUTO_BUF choices = BUF_INIT_MAX(1024);
    for (int i = 0; key->choices[i] != NULL; i++) {
        if (strcasecmp(value, key->choices[i]) == 0) {
            *out = i;
            return RC_OK;
        }
        TRY(buf_printf(&choices, "%s%s", i == 0 ? "" : ", ", key->choices[i]));
    }
    return refuse(load, "%s: \"%s\" is none of: %s", key->name, value, buf_str(&choices));
}

static enum rc parse_list(const char *value, struct config_list *out)
{
    char **items = reallocarray(out->items, out->count + 1, sizeof *items);
    if (items == NULL)
        return RC_NO_MEMORY;
    out->items = items;
    out->items[out->count] = NULL;
    TRY(parse_string(value, &out->items[out->count]));
    out->count++;
    return RC_OK;
}

static enum rc parse(struct load *load, const struct config_key *key, const char *value)
{
    void *at = field(key, load->target);
    switch (key->type) {
    case CONFIG_STRING:
        return parse_string(value, at);
    case CONFIG_PATH:
        return parse_path(load, value, at);
    case CONFIG_UINT:
        return parse_uint(load, key, value, at);
    case CONFIG_BOOL:
        return parse_bool(load, key, value, at);
    case CONFIG_ENUM:
        return parse_enum(load, key, value, at);
    case CONFIG_LIST:
        return parse_list(value, at);
    }
    return RC_INTERNAL;
}

static enum rc set(struct load *load, const char *section, const char *name, const char *value)
{
    for (size_t i = 0; i < load->key_count; i++) {
        const struct config_key *key = &load->keys[i];
        if (strcmp(key->section, section) != 0 || strcmp(key->name, name) != 0)
            continue;
        if (load->seen[i] && key->type != CONFIG_LIST)
            return refuse(load, "%s is given twice", name);
        load->seen[i] = true;
        return parse(load, key, value);
    }
    if (load->passes_over)
        return RC_OK;
    if (section[0] == 0)
        return refuse(load, "%s is not a known key", name);
    return refuse(load, "%s is not a known key of section [%s]", name, section);
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct load *load = user;
    if (load->error[0] != 0)
        return 0;
    enum rc rc = set(load, section, name, value);
    if (rc != RC_OK && load->error[0] == 0)
        (void)refuse(load, "%s: %s", name, rc_info(rc)->text);
    return rc == RC_OK;
}

/* Feeds libinih, which by itself would split a long line in two, take an indented key for the
 * continuation of the line before, and end quietly at a NUL. Stops at the first error. */
static char *next_line(char *str, int num, void *stream)
{
    struct load *load = stream;
    if (load->error[0] != 0)
        return NULL;
    ssize_t len = getline(&load->line, &load->line_cap, load->file);
    if (len < 0)
        return NULL;
    load->line_number++;
    const char *start = load->line;
    while (isblank((unsigned char)*start))
        start++;
    size_t rest = (size_t)(load->line + len - start);
    if (strlen(start) != rest)
        (void)refuse(load, "a NUL in the line");
    else if (rest >= (size_t)num)
        (void)refuse(load, "the line is over %d characters", num - 1);
    if (load->error[0] != 0)
        return NULL;
    memcpy(str, start, rest + 1);
    return str;
}

static enum rc read_file(struct load *load)
{
    load->file = fopen(load->path, "re");
    if (load->file == NULL)
        return rc_fail(errno == ENOENT ? RC_NOT_FOUND : RC_IO, "%s: %s", load->path,
                       strerrordesc_np(errno));
    int bad = ini_parse_stream(next_line, load, on_key, load);
    bool unreadable = ferror(load->file) != 0;
    (void)fclose(load->file);
    free(load->line);
    /* libinih goes on after a line that it cannot split, so ours may be the later error. */
    if (load->error[0] != 0 && (bad <= 0 || bad >= load->error_line))
        return rc_fail(RC_CONFIG, "%s:%d: %s", load->path, load->error_line, load->error);
    if (bad > 0)
        return rc_fail(RC_CONFIG, "%s:%d: neither `key = value` nor [section]", load->path, bad);
    if (unreadable)
        return rc_fail(RC_IO, "%s: cannot be read", load->path);
    return bad == 0 ? RC_OK : RC_NO_MEMORY;
}

static enum rc apply_fallbacks(struct load *load)
{
    for (size_t i = 0; i < load->key_count; i++) {
        if (load->seen[i] || load->keys[i].fallback == NULL)
            continue;
        enum rc rc = parse(load, &load->keys[i], load->keys[i].fallback);
        if (rc != RC_OK)
            return rc_fail(rc, "fallback of %s: %s", load->keys[i].name, load->error);
    }
    return RC_OK;
}

static size_t field_size(enum config_type type)
{
    switch (type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        return sizeof(char *);
    case CONFIG_UINT:
        return sizeof(unsigned long);
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_ENUM:
        return sizeof(int);
    case CONFIG_LIST:
        return sizeof(struct config_list);
    }
    return 0;
}

static enum rc load_all(const char *path, const struct config_key *keys, size_t key_count,
                        bool passes_over, void *target)
{
    struct load load = {.path = path,
                        .keys = keys,
                        .key_count = key_count,
                        .passes_over = passes_over,
                        .target = target};
    for (size_t i = 0; i < key_count; i++)
        memset(field(&keys[i], target), 0, field_size(keys[i].type));
    load.seen = calloc(key_count + 1, sizeof *load.seen);
    if (load.seen == NULL)
        return RC_NO_MEMORY;
    enum rc rc = path == NULL ? RC_OK : read_file(&load);
    if (rc == RC_OK)
        rc = apply_fallbacks(&load);
    free(load.seen);
    if (rc != RC_OK)
        config_clear(keys, key_count, target);
    return rc;
}

enum rc config_load(const char *path, const struct config_key *keys, size_t key_count, void *target)
{
    return load_all(path, keys, key_count, false, target);
}

enum rc config_load_some(const char *path, const struct config_key *keys, size_t key_count,
                         void *target)
{
    return load_all(path, keys, key_count, true, target);
}

enum rc config_defaults(const struct config_key *keys, size_t key_count, void *target)
{
    return load_all(NULL, keys, key_count, false, target);
}

void config_clear(const struct config_key *keys, size_t key_count, void *target)
{
    for (size_t i = 0; i < key_count; i++) {
        void *at = field(&keys[i], target);
        if (keys[i].type == CONFIG_STRING || keys[i].type == CONFIG_PATH) {
            char *string = NULL;
            memcpy(&string, at, sizeof string);
            free(string);
        } else if (keys[i].type == CONFIG_LIST) {
            struct config_list *list = at;
            for (size_t k = 0; k < list->count; k++)
                free(list->items[k]);
            free((void *)list->items);
        }
        memset(at, 0, field_size(keys[i].type));
    }
}
