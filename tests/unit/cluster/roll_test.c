/* SPDX-License-Identifier: Apache-2.0 */
/* The roll: what is written is read back, what somebody else changed is not overwritten. */
#include "cluster/roll.h"

#include <stdio.h>

#include "cluster/roll_internal.h"
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

static struct roll_node sample_node(uint64_t id)
{
    struct roll_node node = {.id = id, .status = NODE_PENDING, .wanted = NODE_STANDBY};
    (void)snprintf(node.zone, sizeof node.zone, "zone-%u", (unsigned)id);
    (void)snprintf(node.address, sizeof node.address, "10.0.0.%u:7001", (unsigned)id);
    (void)snprintf(node.endpoint, sizeof node.endpoint, "hsm%u.example:7000", (unsigned)id);
    memset(node.key_hash, (int)id, sizeof node.key_hash);
    memset(node.point, (int)id + 1, sizeof node.point);
    return node;
}

static enum rc apply(struct replica *r, struct buf *effect)
{
    struct effect_result result = replica_apply(r, effect);
    buf_clear(effect);
    return result.rc;
}

static enum rc put(struct replica *r, struct roll_changes *changes)
{
    struct buf effect = BUF_INIT;
    UNIT_OK(roll_changes_effect(changes, &r->head, &effect));
    roll_changes_clear(changes);
    return apply(r, &effect);
}

static enum rc put_node(struct replica *r, const struct roll_node *node)
{
    struct roll_changes changes;
    roll_changes_init(&changes);
    UNIT_OK(roll_changes_node(&changes, node));
    return put(r, &changes);
}

static void form(struct replica *r, const char *ca)
{
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    authority.threshold = 2;
    authority.shares = 3;
    memset(authority.backup_point, 9, sizeof authority.backup_point);
    UNIT_OK(buf_append(&authority.ca_pem, bytes_of_str(ca)));
    UNIT_OK(secret_from_bytes(&authority.ca_key_pem, bytes_of_str("the CA's key")));
    UNIT_OK(roll_changes_authority(&changes, r->keys, &authority));
    UNIT_OK(roll_changes_next_node(&changes, 2, 0));
    UNIT_OK(put(r, &changes));
    roll_authority_clear(&authority);
}

static void member_is_read_back_as_it_was_written(void)
{
    struct replica r;
    struct roll_node got;
    struct roll_node node = sample_node(7);
    replica_open(&r);
    node.draining = true;
    UNIT_RC(roll_node(r.state, 7, &got), RC_NOT_FOUND);
    UNIT_OK(put_node(&r, &node));
    UNIT_OK(roll_node(r.state, 7, &got));
    CU_ASSERT_EQUAL(got.id, 7);
    CU_ASSERT_EQUAL(got.status, NODE_PENDING);
    CU_ASSERT_EQUAL(got.wanted, NODE_STANDBY);
    CU_ASSERT(got.draining);
    CU_ASSERT_EQUAL(got.version, 1);
    CU_ASSERT_STRING_EQUAL(got.zone, node.zone);
    CU_ASSERT_STRING_EQUAL(got.address, node.address);
    CU_ASSERT_STRING_EQUAL(got.endpoint, node.endpoint);
    CU_ASSERT(bytes_equal(bytes_of(got.key_hash, 32), bytes_of(node.key_hash, 32)));
    CU_ASSERT(bytes_equal(bytes_of(got.point, 65), bytes_of(node.point, 65)));
    replica_close(&r);
}

static void members_are_listed_by_number(void)
{
    static const uint64_t ids[] = {300, 2, 1, 255, 256};
    static const uint64_t sorted[] = {1, 2, 255, 256, 300};
    struct replica r;
    struct roll_node nodes[8];
    replica_open(&r);
    for (size_t i = 0; i < 5; i++) {
        struct roll_node node = sample_node(ids[i]);
        UNIT_OK(put_node(&r, &node));
    }
    CU_ASSERT_EQUAL(roll_nodes(r.state, nodes, 8), 5);
    for (size_t i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(nodes[i].id, sorted[i]);
    CU_ASSERT_EQUAL(roll_nodes(r.state, nodes, 2), 2);
    replica_close(&r);
}

static void change_of_a_member_that_another_one_changed_is_refused(void)
{
    struct replica r;
    struct roll_node mine;
    struct roll_node theirs;
    struct roll_node node = sample_node(3);
    replica_open(&r);
    UNIT_OK(put_node(&r, &node));
    UNIT_RC(put_node(&r, &node), RC_CONFLICT); /* a new one again */
    UNIT_OK(roll_node(r.state, 3, &mine));
    theirs = mine;
    theirs.status = NODE_REMOVED;
    UNIT_OK(put_node(&r, &theirs));
    mine.status = NODE_MEMBER;
    UNIT_RC(put_node(&r, &mine), RC_CONFLICT);
    UNIT_OK(roll_node(r.state, 3, &mine));
    CU_ASSERT_EQUAL(mine.status, NODE_REMOVED);
    replica_close(&r);
}

static void roll_admits_everybody_until_it_is_formed_then_members_alone(void)
{
    struct replica r;
    struct roll_node node = sample_node(3);
    replica_open(&r);
    CU_ASSERT(roll_admits(r.state, 3));
    form(&r, "CA");
    CU_ASSERT_FALSE(roll_admits(r.state, 3));
    CU_ASSERT_FALSE(roll_is_removed(r.state, 3)); /* the roll here may be old */
    for (node.status = NODE_PENDING; node.status < NODE_STATUS_END; node.status++) {
        UNIT_OK(put_node(&r, &node));
        node.version++;
        CU_ASSERT_EQUAL(roll_admits(r.state, 3),
                        node.status == NODE_APPROVED || node.status == NODE_MEMBER);
        CU_ASSERT_EQUAL(roll_is_removed(r.state, 3),
                        node.status == NODE_REMOVED || node.status == NODE_ZEROIZED);
    }
    replica_close(&r);
}

static void authority_keeps_its_key_sealed(void)
{
    struct replica r;
    struct roll_authority got = ROLL_AUTHORITY_INIT;
    struct seal_keys *others = fixture_keys(77);
    struct buf raw = BUF_INIT;
    uint64_t version = 0;
    replica_open(&r);
    UNIT_RC(roll_authority(r.state, r.keys, &got), RC_NOT_FORMED);
    form(&r, "certificate");
    UNIT_OK(roll_authority(r.state, r.keys, &got));
    CU_ASSERT_STRING_EQUAL(buf_str(&got.ca_pem), "certificate");
    CU_ASSERT(secret_equal(&got.ca_key_pem, bytes_of_str("the CA's key")));
    CU_ASSERT_EQUAL(got.threshold, 2);
    CU_ASSERT_EQUAL(got.shares, 3);
    CU_ASSERT_EQUAL(got.backup_point[64], 9);
    roll_authority_clear(&got);
    UNIT_OK(roll_authority(r.state, NULL, &got));
    CU_ASSERT_EQUAL(got.ca_key_pem.len, 0);
    roll_authority_clear(&got);
    UNIT_RC(roll_authority(r.state, others, &got), RC_TAMPERED);
    UNIT_OK(state_document(r.state, DOCUMENT_CLUSTER, bytes_of_str("authority"), &raw, &version));
    CU_ASSERT_PTR_NULL(memmem(raw.ptr, raw.len, "the CA's key", 12));
    buf_clear(&raw);
    seal_keys_free(others);
    replica_close(&r);
}

static void token_is_found_by_its_name_and_dropped(void)
{
    struct replica r;
    struct roll_token token = {.id = {0, 1, 0xAB, 0xFF}, .expires_ms = 5, .approved = true};
    struct roll_token got;
    char name[ROLL_TOKEN_NAME_LEN + 1];
    uint8_t id[ROLL_TOKEN_ID_LEN];
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    replica_open(&r);
    roll_token_name(token.id, name);
    CU_ASSERT_STRING_EQUAL(name, "0001abff000000000000000000000000");
    CU_ASSERT(roll_token_id(name, id));
    CU_ASSERT_FALSE(roll_token_id("0001ABFF000000000000000000000000", id));
    CU_ASSERT_FALSE(roll_token_id("00", id));
    UNIT_RC(roll_token(r.state, id, &got), RC_NOT_FOUND);
    UNIT_OK(roll_changes_token(&changes, &token));
    UNIT_OK(put(&r, &changes));
    UNIT_OK(roll_token(r.state, id, &got));
    CU_ASSERT(got.approved && got.expires_ms == 5 && got.node == 0 && got.version == 1);
    CU_ASSERT_EQUAL(roll_tokens(r.state, NULL, 0), 1);
    UNIT_OK(roll_changes_drop_token(&changes, &got));
    UNIT_OK(put(&r, &changes));
    CU_ASSERT_EQUAL(roll_tokens(r.state, NULL, 0), 0);
    replica_close(&r);
}

static void changes_are_made_together_or_not_at_all(void)
{
    struct replica r;
    uint64_t id = 0;
    uint64_t version = 0;
    struct roll_node node = sample_node(2);
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    replica_open(&r);
    UNIT_RC(roll_next_node(r.state, &id, &version), RC_NOT_FORMED);
    form(&r, "CA");
    UNIT_OK(roll_next_node(r.state, &id, &version));
    CU_ASSERT_EQUAL(id, 2);
    UNIT_OK(roll_changes_node(&changes, &node));
    UNIT_OK(roll_changes_next_node(&changes, id + 1, version + 1)); /* of another version */
    UNIT_RC(put(&r, &changes), RC_CONFLICT);
    UNIT_RC(roll_node(r.state, 2, &node), RC_NOT_FOUND);
    for (size_t i = 0; i < DOCUMENT_CHANGES_MAX; i++)
        UNIT_OK(roll_changes_node(&changes, &node));
    UNIT_RC(roll_changes_node(&changes, &node), RC_LIMIT);
    roll_changes_clear(&changes);
    replica_close(&r);
}

static void wish_for_a_leader_is_replaced_and_dropped(void)
{
    struct replica r;
    struct roll_wish wish = {.leader = 4, .time_ms = 8};
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    replica_open(&r);
    UNIT_OK(roll_changes_wish(&changes, &wish));
    UNIT_OK(put(&r, &changes));
    UNIT_OK(roll_wish(r.state, &wish));
    CU_ASSERT(wish.leader == 4 && wish.time_ms == 8 && wish.version == 1);
    wish.leader = 0;
    UNIT_OK(roll_changes_wish(&changes, &wish));
    UNIT_OK(put(&r, &changes));
    UNIT_OK(roll_wish(r.state, &wish));
    CU_ASSERT(wish.leader == 0 && wish.version == 2);
    UNIT_OK(roll_changes_drop_wish(&changes, &wish));
    UNIT_OK(put(&r, &changes));
    UNIT_RC(roll_wish(r.state, &wish), RC_NOT_FOUND);
    replica_close(&r);
}

static void removed_member_is_forgotten_with_its_position(void)
{
    struct replica r;
    struct roll_node node = sample_node(9);
    struct roll_position position = {.id = 9, .index = 1234};
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    replica_open(&r);
    UNIT_RC(roll_position(r.state, 9, &position), RC_NOT_FOUND);
    UNIT_OK(put_node(&r, &node));
    UNIT_OK(roll_changes_position(&changes, &position));
    UNIT_OK(put(&r, &changes));
    UNIT_OK(roll_position(r.state, 9, &position));
    CU_ASSERT(position.index == 1234 && position.version == 1);
    UNIT_RC(roll_position(r.state, 8, &position), RC_NOT_FOUND);
    UNIT_OK(roll_node(r.state, 9, &node));
    UNIT_OK(roll_changes_drop_node(&changes, r.state, &node));
    UNIT_OK(put(&r, &changes));
    UNIT_RC(roll_node(r.state, 9, &node), RC_NOT_FOUND);
    UNIT_RC(roll_position(r.state, 9, &position), RC_NOT_FOUND);
    replica_close(&r);
}

static void forgotten_member_is_removed_for_good(void)
{
    struct replica r;
    struct roll_node node = sample_node(2);
    uint64_t id = 0;
    uint64_t version = 0;
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    replica_open(&r);
    CU_ASSERT_FALSE(roll_is_removed(r.state, 1)); /* nobody was numbered yet */
    form(&r, "CA");
    UNIT_OK(roll_next_node(r.state, &id, &version));
    CU_ASSERT_EQUAL(id, 2);
    node.status = NODE_REMOVED;
    UNIT_OK(roll_changes_node(&changes, &node));
    UNIT_OK(roll_changes_next_node(&changes, 3, version));
    UNIT_OK(put(&r, &changes));
    UNIT_OK(roll_node(r.state, 2, &node));
    UNIT_OK(roll_changes_drop_node(&changes, r.state, &node));
    UNIT_OK(put(&r, &changes));
    UNIT_RC(roll_node(r.state, 2, &node), RC_NOT_FOUND);
    CU_ASSERT(roll_is_removed(r.state, 2));
    CU_ASSERT_FALSE(roll_admits(r.state, 2));
    CU_ASSERT_FALSE(roll_is_removed(r.state, 3)); /* the roll here may be old */
    replica_close(&r);
}

/* Every shorter value, and one of a format to come. */
static void malformed_member_is_no_member(void)
{
    struct replica r;
    struct buf value = BUF_INIT;
    struct buf effect = BUF_INIT;
    uint8_t key[ROLL_NODE_KEY_LEN];
    uint64_t version = 0;
    struct roll_node node = sample_node(5);
    replica_open(&r);
    UNIT_OK(put_node(&r, &node));
    UNIT_OK(state_document(r.state, DOCUMENT_NODE, roll_key_of(5, key), &value, &version));
    for (size_t len = 0; len <= value.len; len++) {
        struct document_change change = {.space = DOCUMENT_NODE,
                                         .key = bytes_of(key, sizeof key),
                                         .expected_version = version,
                                         .value = bytes_slice(buf_bytes(&value), 0, len)};
        if (len == value.len)
            value.ptr[0] = 99;
        UNIT_OK(effect_documents_change(&effect, &r.head, &change, 1));
        UNIT_OK(apply(&r, &effect));
        version++;
        UNIT_RC(roll_node(r.state, 5, &node),
                len == 0 || len == value.len ? RC_VERSION : RC_TAMPERED);
        CU_ASSERT_EQUAL(roll_nodes(r.state, &node, 1), 0);
    }
    buf_clear(&value);
    replica_close(&r);
}

UNIT_SUITE("roll", UNIT_CASE(member_is_read_back_as_it_was_written),
           UNIT_CASE(members_are_listed_by_number),
           UNIT_CASE(change_of_a_member_that_another_one_changed_is_refused),
           UNIT_CASE(roll_admits_everybody_until_it_is_formed_then_members_alone),
           UNIT_CASE(authority_keeps_its_key_sealed),
           UNIT_CASE(token_is_found_by_its_name_and_dropped),
           UNIT_CASE(changes_are_made_together_or_not_at_all),
           UNIT_CASE(wish_for_a_leader_is_replaced_and_dropped),
           UNIT_CASE(removed_member_is_forgotten_with_its_position),
           UNIT_CASE(forgotten_member_is_removed_for_good),
           UNIT_CASE(malformed_member_is_no_member));
