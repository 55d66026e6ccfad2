/* SPDX-License-Identifier: Apache-2.0 */
/* Declared test keys: what is made, what is left as it is, and what is refused by file and key. */
#include "kms/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kms/alias.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/unit.h"

#define FIRST         "11111111-2222-3333-4444-555555555555"
#define SECOND        "22222222-2222-3333-4444-555555555555"
#define FIRST_UPPER   "11111111-2222-3333-4444-55555555555A"
#define ENTRY(member) "{'keys': [{'KeyId': '" FIRST "', " member "}]}"

static char account[] = WORLD_ACCOUNT;
static char *accounts[] = {account};

static void begin(void)
{
    world_begin();
    world.config.accounts = (struct config_list){.items = accounts, .count = 1};
}

/* Of a file with that text, 'single quotes' in the place of "double" ones. */
static enum rc load(const char *text)
{
    char path[] = "/tmp/qhsm-seed-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (const char *at = text; *at != 0; at++)
        (void)fputc(*at == '\'' ? '"' : *at, file);
    (void)fclose(file);
    enum rc rc = seed_load(&world.kms, path);
    (void)unlink(path);
    return rc;
}

static bool has(const char *path)
{
    AUTO_RECORD *record = view_get(world.kms.view, path);
    return record != NULL;
}
static bool has_key(const char *id)
{
    char path[129];
    key_path(WORLD_REGION, id, path);
    return has(path);
}
static bool has_alias(const char *name)
{
    char path[ALIAS_PATH_MAX];
    return alias_path(WORLD_REGION, WORLD_ACCOUNT, name, path) && has(path);
}

static void keys_and_aliases_are_made_once(void)
{
    static const char text[] = "{'keys': [{'KeyId': '" FIRST "', 'Aliases': ['alias/one']},"
                               "{'KeyId': '" SECOND "', 'KeySpec': 'HMAC_256', 'KeyUsage':"
                               " 'GENERATE_VERIFY_MAC'}]}";
    begin();
    UNIT_OK(load(text));
    CU_ASSERT_TRUE(has_key(FIRST) && has_key(SECOND) && has_alias("alias/one"));
    unsigned commits = world.commits;
    UNIT_OK(load(text));
    CU_ASSERT_EQUAL(world.commits, commits);
    CU_ASSERT_EQUAL(world.backing_made, 2);
    world_end();
}

/* The key's name is taken until its backing keys are gone: then the next start makes it. */
static void a_key_that_is_being_deleted_is_left_out_and_the_others_are_made(void)
{
    static const char text[] = "{'keys': [{'KeyId': '" FIRST "', 'Aliases': ['alias/one']},"
                               "{'KeyId': '" SECOND "', 'Aliases': ['alias/two']}]}";
    begin();
    UNIT_OK(load("{'keys': [{'KeyId': '" FIRST "'}]}"));
    world_doom_key(WORLD_REGION, FIRST);
    UNIT_OK(load(text));
    CU_ASSERT_FALSE(has_key(FIRST) || has_alias("alias/one"));
    CU_ASSERT_TRUE(has_key(SECOND) && has_alias("alias/two"));
    world_forget_key(WORLD_REGION, FIRST);
    UNIT_OK(load(text));
    CU_ASSERT_TRUE(has_key(FIRST) && has_alias("alias/one"));
    world_end();
}

/* All members that an entry may have; what is null is absent. */
static void an_entry_says_what_the_key_is_like(void)
{
    begin();
    UNIT_OK(load("{'keys': [{'KeyId': 'mrk-0123456789abcdef0123456789abcdef', 'Region':"
                 " '" WORLD_REGION "', 'Account': '" WORLD_ACCOUNT "', 'KeySpec': 'ECC_NIST_P256',"
                 " 'KeyUsage': 'SIGN_VERIFY', 'Description': 'signs', 'Tags': [{'TagKey': 'a',"
                 " 'TagValue': ''}], 'Policy': null, 'Aliases': null, 'KeyMaterial': null}]}"));
    char path[129];
    key_path(WORLD_REGION, "mrk-0123456789abcdef0123456789abcdef", path);
    AUTO_RECORD *record = view_get(world.kms.view, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    if (record == NULL)
        return;
    CU_ASSERT_TRUE(key_of(record)->multi_region);
    CU_ASSERT_EQUAL(key_of(record)->use, KEYSTORE_SIGN);
    CU_ASSERT_STRING_EQUAL(key_of(record)->description, "signs");
    CU_ASSERT_EQUAL(key_of(record)->tag_count, 1);
    world_end();
}

/* Its backing key is taken back; the other's key stays. */
static void another_front_end_may_be_first(void)
{
    begin();
    world.lose_commits = 1;
    UNIT_OK(load("{'keys': [{'KeyId': '" FIRST "'}]}"));
    CU_ASSERT_FALSE(has_key(FIRST));
    CU_ASSERT_EQUAL(world.backing_made, 1);
    CU_ASSERT_EQUAL(world.backing_deleted, 1);
    world_end();
}

static void what_is_wrong_is_named(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"{", ":1: "},
        {"{'keys': 1}", "want {\"keys\": [...]}"},
        {"{'keys': [], 'keys': []}", "duplicate"},
        {"{'keys': [5]}", "keys[0]: want an object"},
        {"{'keys': [{'Region': 'us-east-1'}]}", "keys[0]: KeyId is missing"},
        {"{'keys': [{'KeyId': '" FIRST "'}, {'KeyId': 'a_b'}]}", "keys[1], a_b: KeyId is"},
        {"{'keys': [{'KeyId': 'my-test-key'}]}", "want a UUID"},
        {"{'keys': [{'KeyId': '" FIRST_UPPER "'}]}", "in small letters"},
        {"{'keys': [{'KeyId': 'mrk-1'}]}", "or mrk- and 32 hex digits"},
        {"{'keys': [{'KeyId': 7}]}", "KeyId is"},
        {ENTRY("'Keyspec': 'RSA_2048'"), "Keyspec is not known; an entry has KeyId, "},
        {ENTRY("'Origin': 'AWS_KMS'"), "Origin is not known"},
        {ENTRY("'Description': 5"), "Description: NUMBER_VALUE"},
        {ENTRY("'Region': 'xx-none-9'"), "its Region or Account"},
        {ENTRY("'Region': 5"), "Region: NUMBER_VALUE"},
        {ENTRY("'Account': '000000000001'"), "its Region or Account"},
        {ENTRY("'KeySpec': 'RSA_1'"), FIRST ": KeySpec: 1 validation error"},
        {ENTRY("'KeyUsage': 'SIGN_VERIFY'"), "its KeyUsage"},
        {ENTRY("'KeyMaterial': '*'"), "KeyMaterial: A blob is not valid base64"},
        {ENTRY("'Policy': '{}'"), FIRST},
        {ENTRY("'Tags': {}"), "Tags: Start of structure"},
        {ENTRY("'Tags': [5]"), "Tags: Expected structure"},
        {ENTRY("'Tags': [{'Key': 'a', 'Value': 'b'}]"), "'tags.1.member.tagKey'"},
        {ENTRY("'Tags': [{'TagKey': 'a'}]"), "'tags.1.member.tagValue'"},
        {ENTRY("'Aliases': 'alias/one'"), "Aliases: Expected list or null"},
        {ENTRY("'Aliases': [null]"), "Aliases: 1 validation error detected: Value '[null]'"},
        {ENTRY("'Aliases': ['one']"), "'one' is not a name that CreateAlias takes"},
        {ENTRY("'Aliases': ['alias/']"), "'alias/' is not a name"},
        {ENTRY("'Aliases': ['alias/one', 'alias/a b']"), "'alias/a b' is not a name"},
        {ENTRY("'Aliases': ['alias/a:b']"), "want alias/ and up to 250 of"},
        {ENTRY("'Aliases': ['alias/aws/s3']"), "but not alias/aws/"},
        {ENTRY("'Aliases': ['alias/aws/mine']"), "but not alias/aws/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        UNIT_RC(load(rows[i].text), RC_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), rows[i].part));
        CU_ASSERT_FALSE(has_key(FIRST));
        if (strstr(rc_detail(), rows[i].part) == NULL)
            printf("%s\n-> %s\n", rows[i].text, rc_detail());
        world_end();
    }
}

UNIT_SUITE("seed", UNIT_CASE(keys_and_aliases_are_made_once),
           UNIT_CASE(a_key_that_is_being_deleted_is_left_out_and_the_others_are_made),
           UNIT_CASE(an_entry_says_what_the_key_is_like), UNIT_CASE(another_front_end_may_be_first),
           UNIT_CASE(what_is_wrong_is_named));
