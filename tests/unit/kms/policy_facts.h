/* SPDX-License-Identifier: Apache-2.0 */
/* Callers and condition keys made by hand, for the suites of policies. */
#ifndef QHSM_TESTS_POLICY_FACTS_H
#define QHSM_TESTS_POLICY_FACTS_H

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "kms/policy.h"

#define FACT_VALUES_MAX 4U
struct fact {
    const char *name;
    const char *values[FACT_VALUES_MAX]; /* up to the first NULL */
    bool is_multi;
};
#define FACT(fact_name, ...)                           \
    {                                                  \
        .name = (fact_name), .values = { __VA_ARGS__ } \
    }
#define FACT_MANY(fact_name, ...)                                      \
    {                                                                  \
        .name = (fact_name), .values = {__VA_ARGS__}, .is_multi = true \
    }
struct facts {
    const struct fact *list;
    size_t count;
};
#define FACTS(...)                                                                \
    (struct facts)                                                                \
    {                                                                             \
        .list = (const struct fact[]){__VA_ARGS__},                               \
        .count = sizeof((const struct fact[]){__VA_ARGS__}) / sizeof(struct fact) \
    }

#define NO_FACTS ((struct facts){.list = NULL, .count = 0})

static inline bool facts_lookup(void *context, const char *name, struct policy_values *out)
{
    const struct facts *facts = context;
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->list[i];
        size_t count = 0;
        if (strcasecmp(fact->name, name) != 0)
            continue;
        while (count < FACT_VALUES_MAX && fact->values[count] != NULL)
            count++;
        *out = (struct policy_values){
            .values = fact->values, .count = count, .is_multi = fact->is_multi};
        return true;
    }
    return false;
}

#endif
