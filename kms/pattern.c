/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, compiled once. */
#include "kms/pattern.h"

#include <pthread.h>
#include <regex.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/log.h"

struct compiled {
    const char *pattern;
    regex_t regex;
    struct compiled *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct compiled *all;

static struct compiled *compile(const char *pattern)
{
    struct compiled *compiled = calloc(1, sizeof *compiled);
    AUTO_BUF whole = BUF_INIT;
    if (compiled == NULL || buf_printf(&whole, "^(%s)$", pattern) != RC_OK ||
        regcomp(&compiled->regex, buf_str(&whole), REG_EXTENDED | REG_NOSUB) != 0) {
        log_error("pattern_bad", "pattern=\"%s\"", pattern);
        free(compiled);
        return NULL;
    }
    compiled->pattern = pattern;
    return compiled;
}

static const struct compiled *compiled_of(const char *pattern)
{
    (void)pthread_mutex_lock(&lock);
    struct compiled *found = all;
    while (found != NULL && found->pattern != pattern)
        found = found->next;
    if (found == NULL && (found = compile(pattern)) != NULL) {
        found->next = all;
        all = found;
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}

bool pattern_matches(const char *pattern, const char *text)
{
    const struct compiled *compiled = compiled_of(pattern);
    return compiled != NULL && regexec(&compiled->regex, text, 0, NULL, 0) == 0;
}
