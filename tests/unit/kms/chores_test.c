/* SPDX-License-Identifier: Apache-2.0 */
/* What comes due: done once, restartable at any point, and not a moment before. */
#include "kms/chores.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kms/alias.h"
#include "kms/chores_internal.h"
#include "kms/import.h"
#include "kms/used.h"
#include "tests/unit/kms/fake_front.h"
#include "tests/unit/unit.h"

#define NOW     FRONT_TIME_MS
#define HOUR_MS ((uint64_t)60 * 60 * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define KEY_DOC "key/" FRONT_REGION "/k1"
#define DOOMED  "doomed/" FRONT_REGION "/k1"

static struct key *symmetric(const char *id)
{
    return front_key(id, ORIGIN_AWS_KMS, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
}

static size_t backing_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < front.own.key_count; i++)
        count += front.own.keys[i].handle != 0 ? 1 : 0;
    return count;
}

/* ---- deletion */

static void put_alias(const char *name, const char *target)
{
    char path[129];
    struct alias alias = {.created_ms = NOW, .updated_ms = NOW};
    json_t *value = NULL;
    (void)snprintf(alias.name, sizeof alias.name, "alias/%s", name);
    (void)snprintf(alias.target, sizeof alias.target, "%s", target);
    (void)snprintf(alias.region, sizeof alias.region, FRONT_REGION);
    (void)snprintf(alias.account, sizeof alias.account, FRONT_ACCOUNT);
    CU_ASSERT(alias_path(FRONT_REGION, FRONT_ACCOUNT, alias.name, path));
    UNIT_OK(alias_encode(&alias, &value));
    char *text = json_dumps(value, 0);
    front_document(path, text);
    free(text);
    json_decref(value);
}

/* A key whose window ends now, with nine aliases and a document of its last use. */
static void make_due_key(void)
{
    struct key *key = symmetric("k1");
    key->deletion_ms = NOW;
    CU_ASSERT_EQUAL(backing_create(&front.request, key), KMS_OK); /* as if it had been rotated */
    front_put(key);
    front_put(symmetric("k2"));
    for (char name[] = "a"; name[0] < 'j'; name[0]++)
        put_alias(name, "k1");
    put_alias("z", "k2");
    front_document("used/" FRONT_REGION "/k1",
                   "{\"time\":1,\"operation\":\"Encrypt\",\"request\":\"x\"}");
}

static void check_deleted(void)
{
    front_look();
    CU_ASSERT(!front_has(KEY_DOC));
    CU_ASSERT(!front_has(DOOMED));
    CU_ASSERT(!front_has("alias/" FRONT_REGION "/" FRONT_ACCOUNT "/a"));
    CU_ASSERT(!front_has("alias/" FRONT_REGION "/" FRONT_ACCOUNT "/i"));
    CU_ASSERT(front_has("alias/" FRONT_REGION "/" FRONT_ACCOUNT "/z"));
    CU_ASSERT(front_has("key/" FRONT_REGION "/k2"));
    CU_ASSERT(!front_has("used/" FRONT_REGION "/k1"));
    CU_ASSERT_EQUAL(backing_count(), 1);
    CU_ASSERT_EQUAL(front.events, 1);
    CU_ASSERT_STRING_EQUAL(front.event, "DeleteKey");
}

static void key_goes_at_its_date_with_all_that_is_its_own(void)
{
    front_begin();
    make_due_key();
    chores_delete_keys(&front.kms, NOW - 1);
    CU_ASSERT(front_has(KEY_DOC));
    CU_ASSERT_EQUAL(front.events, 0);
    chores_delete_keys(&front.kms, NOW);
    check_deleted();
    front_end();
}

static void deletion_goes_on_after_a_stop_at_any_point(void)
{
    bool was_whole = false;
    for (int changes = 0; !was_whole && changes < 20; changes++) {
        front_begin();
        make_due_key();
        front.own.changes_left = changes;
        chores_delete_keys(&front.kms, NOW);
        front_look();
        was_whole = !front_has(KEY_DOC) && !front_has(DOOMED);
        CU_ASSERT_EQUAL(front.events, changes == 0 ? 0 : 1);
        front.own.changes_left = -1;
        chores_delete_keys(&front.kms, NOW);
        check_deleted();
        front_end();
    }
    CU_ASSERT(was_whole);
}

static void cancellation_that_came_first_is_obeyed(void)
{
    front_begin();
    make_due_key();
    front.own.fail_change = RC_CONFLICT;
    chores_delete_keys(&front.kms, NOW);
    struct key *key = front_copy("k1");
    key->deletion_ms = 0;
    front_put(key);
    chores_delete_keys(&front.kms, NOW);
    CU_ASSERT(front_has(KEY_DOC));
    CU_ASSERT_EQUAL(backing_count(), 3);
    CU_ASSERT_EQUAL(front.events, 0);
    front_end();
}

static void two_front_ends_delete_a_key_once(void)
{
    struct hsm_client other_client = {.cluster = &front.own};
    front_begin();
    make_due_key();
    struct kms other = front.kms;
    other.hsm = &other_client;
    UNIT_OK(view_new(other.hsm, &other.view));
    chores_delete_keys(&front.kms, NOW);
    chores_delete_keys(&other, NOW);
    check_deleted();
    view_free(other.view);
    front_end();
}

static void backing_key_that_could_not_be_deleted_is_tried_again(void)
{
    front_begin();
    make_due_key();
    front.own.fail_delete = RC_UNAVAILABLE;
    chores_delete_keys(&front.kms, NOW);
    CU_ASSERT(front_has(DOOMED));
    CU_ASSERT(front_has("alias/" FRONT_REGION "/" FRONT_ACCOUNT "/a"));
    CU_ASSERT_EQUAL(backing_count(), 3);
    front.own.fail_delete = RC_OK;
    chores_delete_keys(&front.kms, NOW);
    check_deleted();
    front_end();
}

static void key_of_a_store_that_cannot_be_reached_is_deleted_for_all_that(void)
{
    front_begin();
    struct key *key = front_key("k1", ORIGIN_AWS_CLOUDHSM, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT);
    key->deletion_ms = NOW;
    front_put(key);
    front.is_connected = false;
    chores_delete_keys(&front.kms, NOW);
    front_look();
    CU_ASSERT(!front_has(KEY_DOC));
    CU_ASSERT(!front_has(DOOMED));
    front_end();
}

static void doomed_key_whose_name_is_taken_again_takes_nothing_along(void)
{
    front_begin();
    make_due_key();
    front.own.fail_delete = RC_UNAVAILABLE;
    chores_delete_keys(&front.kms, NOW);
    front.own.fail_delete = RC_OK;
    CU_ASSERT(chores_is_doomed(front.kms.view, FRONT_REGION, "k1"));
    front_put(symmetric("k1"));
    size_t count = backing_count();
    chores_delete_keys(&front.kms, NOW);
    front_look();
    CU_ASSERT(front_has(KEY_DOC));
    CU_ASSERT(!chores_is_doomed(front.kms.view, FRONT_REGION, "k1"));
    CU_ASSERT(front_has("alias/" FRONT_REGION "/" FRONT_ACCOUNT "/a"));
    CU_ASSERT_EQUAL(backing_count(), count);
    front_end();
}

/* ---- expiry */

static void put_imported(uint64_t valid_to_ms)
{
    struct key *key = symmetric("k1");
    key->origin = ORIGIN_EXTERNAL;
    key->materials[0].imported = true;
    key->materials[0].valid_to_ms = valid_to_ms;
    front_put(key);
}

static void imported_material_goes_at_its_date(void)
{
    front_begin();
    put_imported(NOW);
    chores_expire(&front.kms, NOW - 1);
    CU_ASSERT_EQUAL(backing_count(), 1);
    chores_expire(&front.kms, NOW);
    CU_ASSERT_EQUAL(backing_count(), 0);
    AUTO_RECORD *record = front_get("k1");
    CU_ASSERT(!key_of(record)->materials[0].is_present);
    CU_ASSERT_EQUAL(key_of(record)->materials[0].handle, 0);
    uint64_t version = record->version;
    chores_expire(&front.kms, NOW + 1);
    AUTO_RECORD *again = front_get("k1");
    CU_ASSERT_EQUAL(again->version, version);
    front_end();
}

static void expiry_goes_on_after_a_stop_at_any_point(void)
{
    for (int changes = 0; changes < 3; changes++) {
        front_begin();
        put_imported(NOW);
        front.own.changes_left = changes;
        chores_expire(&front.kms, NOW);
        front.own.changes_left = -1;
        chores_expire(&front.kms, NOW);
        AUTO_RECORD *record = front_get("k1");
        CU_ASSERT_EQUAL(backing_count(), 0);
        CU_ASSERT_EQUAL(key_of(record)->materials[0].handle, 0);
        front_end();
    }
}

static void expired_material_that_could_not_be_deleted_is_tried_again(void)
{
    front_begin();
    put_imported(NOW);
    front.own.fail_delete = RC_UNAVAILABLE;
    chores_expire(&front.kms, NOW);
    AUTO_RECORD *before = front_get("k1");
    CU_ASSERT(!key_of(before)->materials[0].is_present);
    CU_ASSERT_NOT_EQUAL(key_of(before)->materials[0].handle, 0);
    front.own.fail_delete = RC_OK;
    chores_expire(&front.kms, NOW);
    AUTO_RECORD *after = front_get("k1");
    CU_ASSERT_EQUAL(key_of(after)->materials[0].handle, 0);
    CU_ASSERT_EQUAL(backing_count(), 0);
    front_end();
}

static void material_without_a_date_stays(void)
{
    front_begin();
    put_imported(0);
    chores_expire(&front.kms, NOW + 1000 * DAY_MS);
    CU_ASSERT_EQUAL(backing_count(), 1);
    front_end();
}

/* ---- rotation */

static void put_rotating(bool is_enabled)
{
    struct key *key = symmetric("k1");
    key->enabled = is_enabled;
    key->rotation = (struct key_rotation){.enabled = true, .period_days = 90, .next_ms = NOW};
    front_put(key);
}

static size_t material_count(void)
{
    AUTO_RECORD *record = front_get("k1");
    return key_of(record)->material_count;
}

static void rotate_at(uint64_t now_ms)
{
    front_look();
    front.request.now_ms = now_ms;
    chores_rotate(&front.request);
}

static void rotation_makes_new_material_and_keeps_the_old(void)
{
    front_begin();
    put_rotating(true);
    AUTO_RECORD *before = front_get("k1");
    rotate_at(NOW - 1);
    CU_ASSERT_EQUAL(material_count(), 1);
    rotate_at(NOW);
    AUTO_RECORD *after = front_get("k1");
    const struct key *key = key_of(after);
    CU_ASSERT_EQUAL_FATAL(key->material_count, 2);
    CU_ASSERT_STRING_EQUAL(key->materials[1].id, key_of(before)->materials[0].id);
    CU_ASSERT_STRING_NOT_EQUAL(key->materials[0].id, key->materials[1].id);
    CU_ASSERT(!key->materials[0].on_demand);
    CU_ASSERT_EQUAL(key->rotation.next_ms, NOW + 90 * DAY_MS);
    CU_ASSERT_STRING_EQUAL(front.event, "RotateKey");
    rotate_at(NOW + 1);
    CU_ASSERT_EQUAL(material_count(), 2);
    rotate_at(NOW + 1000 * DAY_MS);
    AUTO_RECORD *late = front_get("k1");
    CU_ASSERT_EQUAL(key_of(late)->material_count, 3);
    CU_ASSERT_EQUAL(key_of(late)->rotation.next_ms, NOW + 1090 * DAY_MS);
    front_end();
}

static void disabled_key_is_rotated_when_it_is_enabled_again(void)
{
    front_begin();
    put_rotating(false);
    rotate_at(NOW);
    CU_ASSERT_EQUAL(material_count(), 1);
    struct key *key = front_copy("k1");
    key->enabled = true;
    front_put(key);
    rotate_at(NOW);
    CU_ASSERT_EQUAL(material_count(), 2);
    front_end();
}

static void rotation_that_loses_takes_its_material_back(void)
{
    front_begin();
    put_rotating(true);
    front.own.fail_change = RC_CONFLICT;
    rotate_at(NOW);
    CU_ASSERT_EQUAL(material_count(), 1);
    CU_ASSERT_EQUAL(backing_count(), 1);
    CU_ASSERT_EQUAL(front.events, 0);
    rotate_at(NOW);
    CU_ASSERT_EQUAL(material_count(), 2);
    CU_ASSERT_EQUAL(backing_count(), 2);
    front_end();
}

/* ---- wrapping keys, last uses */

static void wrapping_keys_go_at_their_end(void)
{
    front_begin();
    struct hsm_key key;
    uint8_t id[HSM_ID_LEN] = {0};
    for (unsigned i = 0; i < 8; i++)
        id[i] = (uint8_t)(NOW >> (56 - 8 * i));
    UNIT_OK(hsm_create(&front.own_client, KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "import/k1", id,
                       &key));
    UNIT_OK(hsm_create(&front.own_client, KEYSTORE_SPEC_RSA_2048, KEYSTORE_SIGN, "import/k1",
                       (const uint8_t[HSM_ID_LEN]){0}, &key));
    chores_drop_wrapping_keys(&front.kms, NOW - 1);
    CU_ASSERT_EQUAL(backing_count(), 2);
    chores_drop_wrapping_keys(&front.kms, NOW);
    CU_ASSERT_EQUAL(backing_count(), 1);
    CU_ASSERT_EQUAL(front.own.keys[0].handle, 0);
    front_end();
}

static const struct operation decrypting = {.name = "Decrypt"};
static const struct http_request http = {.id = "12345678-1234-1234-1234-123456789012"};

static void use_at(const char *id, uint64_t now_ms)
{
    AUTO_RECORD *record = front_get(id);
    front.request.now_ms = now_ms;
    front.request.operation = &decrypting;
    front.request.http = &http;
    used_note(&front.request, record);
}

static uint64_t version_of(const char *path)
{
    AUTO_RECORD *record = view_get(front.kms.view, path);
    return record == NULL ? 0 : record->version;
}

static void last_use_is_written_once_an_hour(void)
{
    static const char path[] = "used/" FRONT_REGION "/used-1";
    front_begin();
    front_put(symmetric("used-1"));
    chores_write_used(&front.kms);
    CU_ASSERT(!front_has(path));
    use_at("used-1", NOW);
    chores_write_used(&front.kms);
    CU_ASSERT_EQUAL(version_of(path), 1);
    use_at("used-1", NOW + HOUR_MS - 1);
    chores_write_used(&front.kms);
    CU_ASSERT_EQUAL(version_of(path), 1);
    use_at("used-1", NOW + HOUR_MS);
    chores_write_used(&front.kms);
    CU_ASSERT_EQUAL(version_of(path), 2);
    chores_write_used(&front.kms);
    CU_ASSERT_EQUAL(version_of(path), 2);
    front_end();
}

static void last_uses_are_written_several_at_once_and_each_when_one_is_lost(void)
{
    char id[16];
    char path[129];
    front_begin();
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "many-%u", i);
        front_put(symmetric(id));
        use_at(id, NOW);
    }
    front.own.fail_change = RC_CONFLICT;
    uint64_t before = front.own.index;
    chores_write_used(&front.kms);
    CU_ASSERT(front.own.index - before <= 9); /* eight by themselves, two at once */
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(path, sizeof path, "used/" FRONT_REGION "/many-%u", i);
        CU_ASSERT_EQUAL(version_of(path), 1);
    }
    front_end();
}

/* ---- the thread */

static void thread_does_all_of_it_and_stops(void)
{
    const struct timespec pause = {.tv_nsec = 20000000L};
    struct chores *chores = NULL;
    front_begin();
    make_due_key();
    UNIT_OK(chores_start(&front.kms, &chores));
    for (unsigned i = 0; i < 3000 && front_has("used/" FRONT_REGION "/k1"); i++)
        (void)nanosleep(&pause, NULL);
    chores_stop(chores);
    chores_delete_keys(&front.kms, NOW);
    check_deleted();
    front_end();
}

UNIT_SUITE("kms/chores", UNIT_CASE(key_goes_at_its_date_with_all_that_is_its_own),
           UNIT_CASE(deletion_goes_on_after_a_stop_at_any_point),
           UNIT_CASE(cancellation_that_came_first_is_obeyed),
           UNIT_CASE(two_front_ends_delete_a_key_once),
           UNIT_CASE(backing_key_that_could_not_be_deleted_is_tried_again),
           UNIT_CASE(key_of_a_store_that_cannot_be_reached_is_deleted_for_all_that),
           UNIT_CASE(doomed_key_whose_name_is_taken_again_takes_nothing_along),
           UNIT_CASE(expired_material_that_could_not_be_deleted_is_tried_again),
           UNIT_CASE(imported_material_goes_at_its_date),
           UNIT_CASE(expiry_goes_on_after_a_stop_at_any_point),
           UNIT_CASE(material_without_a_date_stays),
           UNIT_CASE(rotation_makes_new_material_and_keeps_the_old),
           UNIT_CASE(disabled_key_is_rotated_when_it_is_enabled_again),
           UNIT_CASE(rotation_that_loses_takes_its_material_back),
           UNIT_CASE(wrapping_keys_go_at_their_end), UNIT_CASE(last_use_is_written_once_an_hour),
           UNIT_CASE(last_uses_are_written_several_at_once_and_each_when_one_is_lost),
           UNIT_CASE(thread_does_all_of_it_and_stops));
