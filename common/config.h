/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: ini syntax (libinih) against a table of known keys; unknown keys are errors
 * with their line. */
#ifndef QHSM_COMMON_CONFIG_H
#define QHSM_COMMON_CONFIG_H

#include <stddef.h>

#include "common/buf.h"
#include "common/rc.h"

enum config_type {
    CONFIG_STRING, /* char * owned by the target, freed by config_clear() */
    CONFIG_PATH, /* as STRING; a leading ~/ is the home directory; relative to the file's directory
                  */
    CONFIG_UINT, /* unsigned long; suffixes k, m, g (1024) */
    CONFIG_BOOL, /* bool: yes/no/true/false/on/off/1/0 */
    CONFIG_ENUM, /* int, index into `choices` */
    CONFIG_LIST, /* struct config_list: the key may be repeated */
};

struct config_list {
    char **items;
    size_t count;
};

/* One known key. `offset` is into the target struct; `fallback` is parsed like a value when the key
 * is absent. */
struct config_key {
    const char *section; /* "" for keys before the first section */
    const char *name;
    enum config_type type;
    size_t offset;
    unsigned long min, max;     /* CONFIG_UINT; max 0: no limit */
    const char *const *choices; /* CONFIG_ENUM, NULL-terminated */
    const char *fallback;       /* NULL: stays zero */
    const char *help;           /* one line: for the man page and --help */
};

/* Sets fallbacks, then reads the file. RC_CONFIG with rc_detail() "FILE:LINE: what is wrong";
 * RC_NOT_FOUND when the file is absent; RC_IO. On failure the target is cleared. */
enum rc config_load(const char *path, const struct config_key *keys, size_t key_count,
                    void *target);
/* As config_load(), but passes over keys that the table does not know: for a program that needs a
 * few of another one's file. */
enum rc config_load_some(const char *path, const struct config_key *keys, size_t key_count,
                         void *target);
/* Fallbacks only. */
enum rc config_defaults(const struct config_key *keys, size_t key_count, void *target);
void config_clear(const struct config_key *keys, size_t key_count, void *target);

#endif
