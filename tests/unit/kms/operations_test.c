/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/operations.c: the table hangs together, and is what tests/golden/kms_operations.txt
 * says. */
#include "kms/operations.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/members.h"
#include "kms/pattern.h"
#include "tests/unit/unit.h"

static const char *const types[] = {
    [MEMBER_STRING] = "string", [MEMBER_BLOB] = "blob",        [MEMBER_BOOL] = "boolean",
    [MEMBER_INT] = "integer",   [MEMBER_TIME] = "timestamp",   [MEMBER_STRINGS] = "strings",
    [MEMBER_MAP] = "map",       [MEMBER_STRUCT] = "structure", [MEMBER_TAGS] = "tags",
};
static const char *const rights[] = {
    [RIGHT_KEY] = "key", [RIGHT_ACCOUNT] = "account", [RIGHT_OWN] = "own"};
static const char *const rates[] = {
    [RATE_SYMMETRIC] = "symmetric", [RATE_RSA] = "rsa",         [RATE_ECC] = "ecc",
    [RATE_PAIR] = "pair",           [RATE_CONTROL] = "control", [RATE_NONE] = "none",
};
static const char *const states[] = {
#define KEY_STATES(row, a, b, c, d, e, f, g, h) [STATES_##row] = #row,
#include "kms/key_states.def"
#undef KEY_STATES
};

static void put_member(struct buf *out, const struct member *member)
{
    (void)buf_printf(out, "    %s %s%s", member->name, types[member->type],
                     member->is_required ? " required" : "");
    if (member->max != 0)
        (void)buf_printf(out, " %ld..%ld", member->min, member->max);
    else if (member->min != 0)
        (void)buf_printf(out, " %ld..", member->min);
    if (member->item_max != 0)
        (void)buf_printf(out, " each 1..%ld", member->item_max);
    if (member->pattern != NULL)
        (void)buf_printf(out, " /%s/",
                         member->pattern_text == NULL ? member->pattern : member->pattern_text);
    for (size_t i = 0; member->choices != NULL && member->choices[i] != NULL; i++)
        (void)buf_printf(out, "%s%s", i == 0 ? " " : "|", member->choices[i]);
    (void)buf_printf(out, "%s\n", member->is_secret ? " secret" : "");
}

static void put_operation(struct buf *out, const struct operation *row)
{
    (void)buf_printf(out, "%s right=%s states=%s rate=%s", row->name, rights[row->right],
                     states[row->states], rates[row->rate]);
    if (row->key_member != NULL)
        (void)buf_printf(out, " key=%s by=%s", row->key_member,
                         row->naming == KEY_BY_ANY ? "any" : "id");
    if (row->use != 0)
        (void)buf_printf(out, " use=%s", key_usage_name(row->use));
    (void)buf_printf(out, "%s%s%s\n", row->read_only ? " read-only" : "",
                     row->has_dry_run ? " dry-run" : "",
                     row->is_cross_account ? " cross-account" : "");
    for (size_t i = 0; i < row->member_count; i++)
        put_member(out, &row->members[i]);
}

static void the_table_is_its_golden_picture(void)
{
    struct buf now = BUF_INIT;
    const struct operation *row = NULL;
    for (size_t i = 0; (row = operation_at(i)) != NULL; i++)
        put_operation(&now, row);
    struct buf golden = BUF_INIT;
    FILE *file = fopen(UNIT_DATA_DIR "/golden/kms_operations.txt", "r");
    CU_ASSERT_PTR_NOT_NULL(file);
    char line[4096];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)buf_append(&golden, bytes_of_str(line));
    if (file != NULL)
        (void)fclose(file);
    bool is_same = bytes_equal(buf_bytes(&now), buf_bytes(&golden));
    if (!is_same)
        printf("\ntests/golden/kms_operations.txt should be:\n%s", buf_str(&now));
    CU_ASSERT_TRUE(is_same);
    buf_clear(&now);
    buf_clear(&golden);
}

static void each_operation_is_found_by_its_name_alone(void)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        const struct operation *row = operation_at(i);
        CU_ASSERT_PTR_EQUAL(operation_find(row->name), row);
        CU_ASSERT_PTR_NOT_NULL(row->run);
        CU_ASSERT_TRUE(i == 0 || strcmp(operation_at(i - 1)->name, row->name) < 0);
    }
    CU_ASSERT_PTR_NULL(operation_at(OPERATION_COUNT));
    CU_ASSERT_PTR_NULL(operation_find("encrypt"));
    CU_ASSERT_PTR_NULL(operation_find(""));
}

static const struct member *member_of(const struct operation *row, const char *name)
{
    for (size_t i = 0; i < row->member_count; i++)
        if (strcmp(row->members[i].name, name) == 0)
            return &row->members[i];
    return NULL;
}

static void columns_agree_with_members(void)
{
    const struct operation *row = NULL;
    for (size_t i = 0; (row = operation_at(i)) != NULL; i++) {
        CU_ASSERT_EQUAL(row->has_dry_run, member_of(row, "DryRun") != NULL);
        CU_ASSERT_TRUE(row->key_member == NULL || member_of(row, row->key_member) != NULL);
        CU_ASSERT_EQUAL(row->right == RIGHT_OWN, row->rights != NULL);
        CU_ASSERT_TRUE(row->right != RIGHT_KEY || row->key_member != NULL);
        /* A key that may be left out is found otherwise, or not asked about. */
        bool is_sure = row->key_member != NULL && member_of(row, row->key_member)->is_required;
        CU_ASSERT_TRUE(row->right != RIGHT_KEY || is_sure);
        CU_ASSERT_TRUE(row->use == 0 || row->states == STATES_CRYPTO);
    }
}

static void all_patterns_compile(void)
{
    const struct operation *row = NULL;
    for (size_t i = 0; (row = operation_at(i)) != NULL; i++)
        for (size_t j = 0; j < row->member_count; j++)
            if (row->members[j].pattern != NULL)
                (void)pattern_matches(row->members[j].pattern, "x");
    CU_ASSERT_TRUE(pattern_matches(member_of(operation_find("CreateAlias"), "AliasName")->pattern,
                                   "alias/a_b-C:9"));
    CU_ASSERT_TRUE(pattern_matches(
        member_of(operation_find("ReplicateKey"), "ReplicaRegion")->pattern, "us-gov-west-1"));
    CU_ASSERT_FALSE(pattern_matches("[a-", "a"));
}

static void secrets_are_marked(void)
{
    static const char *const names[] = {"Plaintext",        "Message",
                                        "KeyStorePassword", "GrantTokens",
                                        "GrantToken",       "XksProxyAuthenticationCredential"};
    const struct operation *row = NULL;
    for (size_t i = 0; (row = operation_at(i)) != NULL; i++)
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            const struct member *member = member_of(row, names[j]);
            CU_ASSERT_TRUE(member == NULL || member->is_secret);
        }
}

UNIT_SUITE("kms/operations", UNIT_CASE(the_table_is_its_golden_picture),
           UNIT_CASE(each_operation_is_found_by_its_name_alone),
           UNIT_CASE(columns_agree_with_members), UNIT_CASE(all_patterns_compile),
           UNIT_CASE(secrets_are_marked));
