/* SPDX-License-Identifier: Apache-2.0 */
/* Decides the cases of policy_reference.py: policies, callers and contexts first, a line each, then
 * cases by their numbers; a letter for each verdict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/policy_tree.h"
#include "tests/unit/kms/authorize_fakes.h"

#define ITEMS_MAX  20000U
#define EXTRAS_MAX 8U

struct facts {
    struct authorize_extra extras[EXTRAS_MAX];
    size_t count;
};

struct vocabulary {
    struct policy *keys[ITEMS_MAX], *own[ITEMS_MAX];
    struct facts contexts[1000];
    char *callers[16];
    size_t key_count, own_count, context_count, caller_count;
    struct policy_arena arena;
};
static struct vocabulary words;

static void stop(const char *what)
{
    (void)fprintf(stderr, "policy_differential: %s\n", what);
    exit(1);
}

static void add_context(const char *text)
{
    struct facts *facts = &words.contexts[words.context_count++];
    json_t *root = json_loads(text, 0, NULL), *value;
    const char *name;
    json_object_foreach(root, name, value)
    {
        struct authorize_extra *extra = &facts->extras[facts->count++];
        size_t count = json_is_array(value) ? json_array_size(value) : 1;
        const char **list = policy_arena_take(&words.arena, count, sizeof *list);
        for (size_t i = 0; i < count; i++) {
            const char *item =
                json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
            list[i] = policy_arena_text(&words.arena, item, strlen(item));
        }
        extra->name = policy_arena_text(&words.arena, name, strlen(name));
        extra->values = list;
        extra->count = count;
        extra->is_multi = json_is_array(value);
    }
    json_decref(root);
}

static void add_word(char kind, const char *text)
{
    if (words.key_count == ITEMS_MAX || words.own_count == ITEMS_MAX ||
        words.context_count == sizeof words.contexts / sizeof words.contexts[0] ||
        words.caller_count == sizeof words.callers / sizeof words.callers[0])
        stop("too many words");
    if (kind == 'K')
        words.keys[words.key_count++] = fake_policy(POLICY_RESOURCE, text);
    else if (kind == 'I')
        words.own[words.own_count++] = fake_policy(POLICY_IDENTITY, text);
    else if (kind == 'X')
        add_context(text);
    else if (kind == 'U')
        words.callers[words.caller_count++] = strdup(text);
    else
        stop("a line of no kind");
}

/* Numbers of a case; -1: none. */
struct numbers {
    int caller, action, key, own, boundary, session, context, grant;
};

static const struct policy *own_at(int number)
{
    return number < 0 ? NULL : words.own[number];
}

static char decide(struct fake_world *world, const struct numbers *n)
{
    static const char *const actions[] = {"kms:Encrypt", "kms:Decrypt"};
    static const char letters[] = {
        [VERDICT_ALLOW] = 'A', [VERDICT_DENY] = 'D', [VERDICT_NOTHING] = 'N'};
    struct identity *who = &world->request.identity;
    struct authorize_reason reason;
    struct grant grant = {.id = "g", .grantee = n->grant < 0 ? NULL : words.callers[n->grant]};
    const struct facts *facts = &words.contexts[n->context];
    fake_world_caller(world, words.callers[n->caller]);
    who->policy_count = n->own < 0 ? 0 : 1;
    who->policies[0] = own_at(n->own);
    who->policy_names[0] = "own";
    who->boundary = own_at(n->boundary);
    who->session_policy = (struct policy *)(uintptr_t)own_at(n->session);
    world->key.policy = n->key < 0 ? NULL : words.keys[n->key];
    fake_grant = n->grant < 0 ? NULL : &grant;
    authorize_decide(&world->request, actions[n->action], n->key < 0 ? NULL : &world->record, NULL,
                     facts->extras, facts->count, &reason);
    return letters[reason.verdict];
}

int main(void)
{
    static struct fake_world world;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    fake_world_init(&world, NULL);
    while ((len = getline(&line, &cap, stdin)) > 0) {
        struct numbers n;
        line[len - 1] = 0;
        if (line[0] != 'C')
            add_word(line[0], line + 2);
        else if (sscanf(line + 2, "%d %d %d %d %d %d %d %d", &n.caller, &n.action, &n.key, &n.own,
                        &n.boundary, &n.session, &n.context, &n.grant) == 8)
            (void)putchar(decide(&world, &n));
        else
            stop("a case without its numbers");
    }
    free(line);
    for (size_t i = 0; i < words.key_count; i++)
        policy_free(words.keys[i]);
    for (size_t i = 0; i < words.own_count; i++)
        policy_free(words.own[i]);
    for (size_t i = 0; i < words.caller_count; i++)
        free(words.callers[i]);
    policy_arena_clear(&words.arena);
    return 0;
}
