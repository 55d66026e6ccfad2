/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/replica.c and op_replica.c: one key in several Regions. */
#include "kms/replica.h"

#include <stdio.h>

#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

#define HERE  WORLD_REGION
#define THERE "eu-west-1"

static char id[65];

static void begin_with(const char *body)
{
    world_begin();
    soft_hsm_begin();
    world_make_key(body, id);
}

static void in_region(const char *region)
{
    (void)snprintf(world.region, sizeof world.region, "%s", region);
}

static json_t *replicate_to(const char *region)
{
    return json_pack("{s:s, s:s}", "KeyId", id, "ReplicaRegion", region);
}

static void begin(void)
{
    begin_with("{\"MultiRegion\":true,\"Description\":\"here\"}");
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", NULL, replicate_to(THERE)));
}

static struct key *key_in(const char *region)
{
    in_region(region);
    struct key *key = world_key(id);
    in_region(HERE);
    return key;
}

static void a_replica_has_the_material_and_its_own_description(void)
{
    begin();
    struct key *primary = key_in(HERE);
    struct key *replica = key_in(THERE);
    CU_ASSERT_EQUAL(replica->material_count, 1);
    CU_ASSERT_TRUE(bytes_equal(bytes_of(primary->materials[0].hsm_id, 16),
                               bytes_of(replica->materials[0].hsm_id, 16)));
    CU_ASSERT_STRING_EQUAL(replica->description, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(replica->arn, THERE));
    CU_ASSERT_TRUE(replica_is(replica));
    CU_ASSERT_FALSE(replica_is(primary));
    CU_ASSERT_TRUE(replica_has_replicas(world.kms.view, primary));
    CU_ASSERT_FALSE(replica_has_replicas(world.kms.view, replica));
    CU_ASSERT_FALSE(replica_is_last(world.kms.view, replica));
    key_free(primary);
    key_free(replica);
    world_end();
}

static void what_cannot_be_replicated_is_refused(void)
{
    begin();
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "AlreadyExistsException", replicate_to(THERE)));
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "AlreadyExistsException", replicate_to(HERE)));
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "ValidationException", replicate_to("xx-none-9")));
    in_region(THERE);
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "UnsupportedOperationException", replicate_to(HERE)));
    in_region(HERE);
    world_make_key("{}", id);
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "UnsupportedOperationException", replicate_to(THERE)));
    world_end();
}

static void a_replica_that_is_still_going_is_not_made_again(void)
{
    begin();
    in_region(THERE);
    world_doom_key(THERE, id);
    in_region(HERE);
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", "AlreadyExistsException", replicate_to(THERE)));
    world_end();
}

static void a_ciphertext_of_one_region_opens_in_the_other(void)
{
    char blob[4096];
    begin();
    json_t *out = soft_call("Encrypt", json_pack("{s:s, s:s}", "KeyId", id, "Plaintext", "YQ=="));
    soft_text(out, "CiphertextBlob", blob, sizeof blob);
    json_decref(out);
    in_region(THERE);
    CU_ASSERT_TRUE(soft_ends("Decrypt", NULL, json_pack("{s:s}", "CiphertextBlob", blob)));
    world_end();
}

static void a_rotation_of_the_primary_reaches_the_replica_at_once(void)
{
    begin();
    CU_ASSERT_TRUE(soft_ends("RotateKeyOnDemand", NULL, json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_TRUE(soft_ends("EnableKeyRotation", NULL,
                             json_pack("{s:s, s:i}", "KeyId", id, "RotationPeriodInDays", 100)));
    struct key *primary = key_in(HERE);
    struct key *replica = key_in(THERE);
    CU_ASSERT_EQUAL(replica->material_count, 2);
    CU_ASSERT_STRING_EQUAL(replica->materials[0].id, primary->materials[0].id);
    CU_ASSERT_EQUAL(replica->rotation.period_days, 100);
    key_free(primary);
    key_free(replica);
    world_end();
}

static void a_change_of_the_primary_alone_leaves_the_replica(void)
{
    char path[129];
    begin();
    key_path(THERE, id, path);
    AUTO_RECORD *before = view_get(world.kms.view, path);
    CU_ASSERT_TRUE(soft_ends("UpdateKeyDescription", NULL,
                             json_pack("{s:s, s:s}", "KeyId", id, "Description", "other")));
    AUTO_RECORD *after = view_get(world.kms.view, path);
    CU_ASSERT_EQUAL(before->version, after->version);
    world_end();
}

static void the_primary_moves_in_all_documents(void)
{
    begin();
    CU_ASSERT_TRUE(soft_ends("UpdatePrimaryRegion", "NotFoundException",
                             json_pack("{s:s, s:s}", "KeyId", id, "PrimaryRegion", "xx-none-9")));
    CU_ASSERT_TRUE(soft_ends("UpdatePrimaryRegion", NULL,
                             json_pack("{s:s, s:s}", "KeyId", id, "PrimaryRegion", THERE)));
    struct key *here = key_in(HERE);
    struct key *there = key_in(THERE);
    CU_ASSERT_TRUE(replica_is(here));
    CU_ASSERT_FALSE(replica_is(there));
    CU_ASSERT_STRING_EQUAL(here->primary_region, THERE);
    CU_ASSERT_STRING_EQUAL(there->primary_region, THERE);
    CU_ASSERT_STRING_EQUAL(here->description, "here");
    key_free(here);
    key_free(there);
    CU_ASSERT_TRUE(soft_ends("UpdatePrimaryRegion", "UnsupportedOperationException",
                             json_pack("{s:s, s:s}", "KeyId", id, "PrimaryRegion", THERE)));
    world_end();
}

static void a_primary_waits_for_its_last_replica(void)
{
    char path[129];
    begin();
    CU_ASSERT_TRUE(soft_ends("ScheduleKeyDeletion", NULL,
                             json_pack("{s:s, s:i}", "KeyId", id, "PendingWindowInDays", 9)));
    struct key *primary = key_in(HERE);
    CU_ASSERT_TRUE(primary->waits_for_replicas);
    CU_ASSERT_EQUAL(primary->deletion_ms, 0);
    key_free(primary);
    struct key *replica = key_in(THERE);
    UNIT_OK(replica_gone(&world.kms, replica, 1000)); /* it is still there */
    primary = key_in(HERE);
    CU_ASSERT_TRUE(primary->waits_for_replicas);
    key_free(primary);
    key_path(THERE, id, path);
    AUTO_RECORD *record = view_get(world.kms.view, path);
    UNIT_OK(view_commit_one(world.kms.view, path, record->version, NULL));
    UNIT_OK(replica_gone(&world.kms, replica, 1000));
    key_free(replica);
    primary = key_in(HERE);
    CU_ASSERT_FALSE(primary->waits_for_replicas);
    CU_ASSERT_EQUAL(primary->deletion_ms, 1000 + UINT64_C(9) * 86400000);
    CU_ASSERT_TRUE(replica_is_last(world.kms.view, primary));
    key_free(primary);
    world_end();
}

static void an_imported_replica_has_to_be_imported_itself(void)
{
    begin_with("{\"MultiRegion\":true,\"Origin\":\"EXTERNAL\"}");
    struct key *primary = key_in(HERE);
    struct key_material material = {
        .id = "one", .hsm_id = {7}, .handle = 5, .is_present = true, .imported = true};
    UNIT_OK(key_put_material(primary, &material, true));
    world_put_key(primary);
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", NULL, replicate_to(THERE)));
    struct key *replica = key_in(THERE);
    CU_ASSERT_EQUAL(replica->material_count, 1);
    CU_ASSERT_FALSE(replica->materials[0].is_present);
    CU_ASSERT_EQUAL(replica->materials[0].handle, 0);
    replica->materials[0].is_present = true;
    replica->materials[0].handle = 6;
    in_region(THERE);
    world_put_key(replica);
    in_region(HERE);
    primary = key_in(HERE);
    material = (struct key_material){
        .id = "two", .hsm_id = {8}, .handle = 9, .is_present = true, .imported = true};
    UNIT_OK(key_put_material(primary, &material, true));
    world_put_key(primary);
    replica = key_in(THERE);
    CU_ASSERT_EQUAL(replica->material_count, 2);
    CU_ASSERT_FALSE(replica->materials[0].is_present);
    CU_ASSERT_TRUE(replica->materials[1].is_present);
    CU_ASSERT_EQUAL(replica->materials[1].handle, 6);
    key_free(replica);
    world_end();
}

UNIT_SUITE("kms/replica", UNIT_CASE(a_replica_has_the_material_and_its_own_description),
           UNIT_CASE(what_cannot_be_replicated_is_refused),
           UNIT_CASE(a_replica_that_is_still_going_is_not_made_again),
           UNIT_CASE(a_ciphertext_of_one_region_opens_in_the_other),
           UNIT_CASE(a_rotation_of_the_primary_reaches_the_replica_at_once),
           UNIT_CASE(a_change_of_the_primary_alone_leaves_the_replica),
           UNIT_CASE(the_primary_moves_in_all_documents),
           UNIT_CASE(a_primary_waits_for_its_last_replica),
           UNIT_CASE(an_imported_replica_has_to_be_imported_itself));
