/* SPDX-License-Identifier: Apache-2.0 */
/* Effects as bytes, rows and policies. */
#include "token/effect.h"

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/rows.h"

static const struct effect_head head = {
    .application = {1, 2, 3}, .sequence = 7, .time_ms = 123456789};

static void check_head(const struct effect *effect, enum effect_kind kind)
{
    CU_ASSERT_EQUAL(effect->kind, kind);
    CU_ASSERT_EQUAL(effect->head.sequence, 7);
    CU_ASSERT_EQUAL(effect->head.time_ms, 123456789);
    CU_ASSERT_TRUE(
        bytes_equal(bytes_of(effect->head.application, 16), bytes_of(head.application, 16)));
}

/* Every prefix, and one byte more, is malformed. */
static void check_lengths(struct buf *encoded)
{
    for (size_t len = 0; len < encoded->len; len++)
        UNIT_RC(effect_check(bytes_of(encoded->ptr, len)), RC_PROTOCOL);
    UNIT_OK(effect_check(buf_bytes(encoded)));
    UNIT_OK(buf_put_u8(encoded, 0));
    UNIT_RC(effect_check(buf_bytes(encoded)), RC_PROTOCOL);
}

static void a_token_init_comes_back(void)
{
    AUTO_BUF encoded = BUF_INIT;
    AUTO_EFFECT effect = {.token = 0};
    struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .iterations = 5};
    UNIT_OK(effect_token_init(&encoded, &head, 3, "label", "0123456789abcdef", &so));
    UNIT_OK(effect_decode(buf_bytes(&encoded), &effect));
    check_head(&effect, EFFECT_TOKEN_INIT);
    CU_ASSERT_EQUAL(effect.token, 3);
    CU_ASSERT_STRING_EQUAL(effect.label, "label");
    CU_ASSERT_STRING_EQUAL(effect.serial, "0123456789abcdef");
    CU_ASSERT_EQUAL(effect.user.iterations, 5);
    check_lengths(&encoded);
    so.role = ROLE_USER;
    UNIT_RC(effect_token_init(&encoded, &head, 3, "label", "0123456789abcdef", &so),
            RC_BAD_ARGUMENT);
}

static void a_user_put_comes_back(void)
{
    AUTO_BUF encoded = BUF_INIT;
    AUTO_EFFECT effect = {.token = 0};
    const struct user_row user = {.id = 4,
                                  .token = 2,
                                  .role = ROLE_USER,
                                  .name = "anna",
                                  .version = 8,
                                  .disabled = true,
                                  .has_pin = true,
                                  .tries = 3,
                                  .salt = {1},
                                  .verifier = {2}};
    UNIT_OK(effect_user_put(&encoded, &head, &user, 9));
    UNIT_OK(effect_decode(buf_bytes(&encoded), &effect));
    check_head(&effect, EFFECT_USER_PUT);
    CU_ASSERT_EQUAL(effect.expected_version, 9);
    CU_ASSERT_STRING_EQUAL(effect.user.name, "anna");
    CU_ASSERT_TRUE(effect.user.disabled && effect.user.has_pin);
    CU_ASSERT_EQUAL(effect.user.tries, 3);
    CU_ASSERT_EQUAL(effect.user.salt[0], 1);
    CU_ASSERT_EQUAL(effect.user.verifier[0], 2);
    check_lengths(&encoded);
}

static void a_try_and_a_deletion_come_back(void)
{
    AUTO_BUF tried = BUF_INIT;
    AUTO_BUF deleted = BUF_INIT;
    AUTO_EFFECT effect = {.token = 0};
    UNIT_OK(effect_user_tried(&tried, &head, 11, 12, true));
    UNIT_OK(effect_decode(buf_bytes(&tried), &effect));
    check_head(&effect, EFFECT_USER_TRIED);
    CU_ASSERT_EQUAL(effect.user_id, 11);
    CU_ASSERT_EQUAL(effect.expected_version, 12);
    CU_ASSERT_TRUE(effect.right);
    check_lengths(&tried);
    UNIT_OK(effect_user_delete(&deleted, &head, 2, "anna"));
    UNIT_OK(effect_decode(buf_bytes(&deleted), &effect));
    check_head(&effect, EFFECT_USER_DELETE);
    CU_ASSERT_STRING_EQUAL(effect.name, "anna");
    check_lengths(&deleted);
}

static void a_policy_comes_back(void)
{
    AUTO_BUF encoded = BUF_INIT;
    AUTO_EFFECT effect = {.token = 0};
    struct policy policy = policy_default();
    policy.strict = true;
    policy.objects_max = 16666;
    policy.disabled[0] = 0x1234;
    policy.disabled_count = 1;
    UNIT_OK(effect_policy_put(&encoded, &head, 2, 7, &policy));
    UNIT_OK(effect_decode(buf_bytes(&encoded), &effect));
    check_head(&effect, EFFECT_POLICY_PUT);
    CU_ASSERT_EQUAL(effect.expected_version, 7);
    CU_ASSERT_TRUE(effect.policy.strict && !effect.policy.approved_only);
    CU_ASSERT_EQUAL(effect.policy.objects_max, 16666);
    CU_ASSERT_FALSE(policy_allows_mechanism(&effect.policy, 0x1234));
    CU_ASSERT_TRUE(policy_allows_mechanism(&effect.policy, 0x1235));
    check_lengths(&encoded);
}

static void a_policy_with_too_many_mechanisms_is_refused(void)
{
    AUTO_BUF encoded = BUF_INIT;
    struct policy policy = policy_default();
    policy.disabled_count = POLICY_DISABLED_MAX;
    UNIT_OK(policy_encode(&encoded, &policy));
    policy.disabled_count++;
    UNIT_RC(policy_encode(&encoded, &policy), RC_BAD_ARGUMENT);
}

/* The bytes that release 0.1 wrote: state hashes hang on them. */
static void a_policy_with_default_settings_keeps_its_former_bytes(void)
{
    static const uint8_t former[] = {1, 4, 0, 0, 0, 128, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0,
                                     0, 0, 0, 0, 0, 0,   0, 0, 0, 4,  0, 0, 0, 0, 0, 0, 0};
    AUTO_BUF encoded = BUF_INIT;
    const struct policy policy = policy_default();
    struct policy decoded = {.strict = true};
    struct reader in = reader_of(bytes_of(former, sizeof former));
    UNIT_OK(policy_encode(&encoded, &policy));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&encoded), bytes_of(former, sizeof former)));
    CU_ASSERT_TRUE(policy_decode(&in, &decoded) && reader_done(&in));
    CU_ASSERT_EQUAL(decoded.serve_without_leader_s, 10);
}

static void a_policy_with_a_new_setting_has_the_new_format(void)
{
    AUTO_BUF encoded = BUF_INIT;
    struct policy policy = policy_default();
    struct policy decoded = policy;
    policy.serve_without_leader_s = 0;
    policy.disabled[0] = 7;
    policy.disabled_count = 1;
    UNIT_OK(policy_encode(&encoded, &policy));
    CU_ASSERT_EQUAL(encoded.ptr[0], 2);
    struct reader in = reader_of(buf_bytes(&encoded));
    CU_ASSERT_TRUE(policy_decode(&in, &decoded) && reader_done(&in));
    CU_ASSERT_EQUAL(decoded.serve_without_leader_s, 0);
    CU_ASSERT_FALSE(policy_allows_mechanism(&decoded, 7));
    for (size_t len = 0; len < encoded.len; len++) {
        in = reader_of(bytes_of(encoded.ptr, len));
        CU_ASSERT_FALSE(policy_decode(&in, &decoded));
    }
    encoded.ptr[encoded.len - 4] = 10; /* the default has one encoding */
    in = reader_of(buf_bytes(&encoded));
    CU_ASSERT_FALSE(policy_decode(&in, &decoded));
    encoded.ptr[0] = 3;
    in = reader_of(buf_bytes(&encoded));
    CU_ASSERT_FALSE(policy_decode(&in, &decoded));
}

static void effects_on_objects_come_back(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    sample_record(keys, &SAMPLE_AES(5, "label"), &record);
    const struct bytes records[] = {buf_bytes(&record), buf_bytes(&record)};
    AUTO_BUF added = BUF_INIT;
    AUTO_EFFECT add = {.token = 0};
    UNIT_OK(effect_objects_add(&added, &head, 1, records, 2));
    UNIT_OK(effect_decode(buf_bytes(&added), &add));
    check_head(&add, EFFECT_OBJECTS_ADD);
    CU_ASSERT_EQUAL(add.object_count, 2);
    CU_ASSERT_TRUE(bytes_equal(add.objects[1]->record, records[1]));
    check_lengths(&added);
    AUTO_BUF replaced = BUF_INIT;
    AUTO_EFFECT replace = {.token = 0};
    UNIT_OK(effect_object_replace(&replaced, &head, 44, records[0]));
    UNIT_OK(effect_decode(buf_bytes(&replaced), &replace));
    check_head(&replace, EFFECT_OBJECT_REPLACE);
    CU_ASSERT_EQUAL(replace.handle, 44);
    check_lengths(&replaced);
    AUTO_BUF destroyed = BUF_INIT;
    AUTO_EFFECT destroy = {.token = 0};
    UNIT_OK(effect_object_destroy(&destroyed, &head, 45));
    UNIT_OK(effect_decode(buf_bytes(&destroyed), &destroy));
    CU_ASSERT_EQUAL(destroy.handle, 45);
    check_lengths(&destroyed);
    AUTO_BUF both = BUF_INIT;
    AUTO_EFFECT pair = {.token = 0};
    UNIT_OK(effect_pair_destroy(&both, &head, 46, 45));
    UNIT_OK(effect_decode(buf_bytes(&both), &pair));
    check_head(&pair, EFFECT_PAIR_DESTROY);
    CU_ASSERT_EQUAL(pair.handle, 46);
    CU_ASSERT_EQUAL(pair.second_handle, 45);
    check_lengths(&both);
    buf_clear(&both);
    UNIT_OK(effect_pair_destroy(&both, &head, 46, 46));
    UNIT_RC(effect_check(buf_bytes(&both)), RC_PROTOCOL);
    seal_keys_free(keys);
}

static void a_record_of_another_token_is_malformed(void)
{
    struct seal_keys *keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    AUTO_BUF encoded = BUF_INIT;
    sample_record(keys, &SAMPLE_AES(5, "label"), &record);
    const struct bytes records[] = {buf_bytes(&record)};
    UNIT_OK(effect_objects_add(&encoded, &head, 2, records, 1));
    UNIT_RC(effect_check(buf_bytes(&encoded)), RC_PROTOCOL);
    UNIT_RC(effect_objects_add(&encoded, &head, 1, records, 0), RC_BAD_ARGUMENT);
    UNIT_RC(effect_objects_add(&encoded, &head, 1, records, 3), RC_BAD_ARGUMENT);
    seal_keys_free(keys);
}

static void another_format_or_kind_is_malformed(void)
{
    AUTO_BUF encoded = BUF_INIT;
    UNIT_OK(effect_object_destroy(&encoded, &head, 45));
    encoded.ptr[0]++;
    UNIT_RC(effect_check(buf_bytes(&encoded)), RC_PROTOCOL);
    encoded.ptr[0]--;
    for (unsigned kind = EFFECT_KIND_END; kind < 256; kind++) {
        encoded.ptr[1] = (uint8_t)kind;
        UNIT_RC(effect_check(buf_bytes(&encoded)), RC_PROTOCOL);
    }
    encoded.ptr[1] = 0;
    UNIT_RC(effect_check(buf_bytes(&encoded)), RC_PROTOCOL);
}

static void names_that_are_too_long_are_refused(void)
{
    AUTO_BUF encoded = BUF_INIT;
    struct user_row user = {.role = ROLE_SO, .name = SO_USER_NAME};
    UNIT_RC(effect_token_init(&encoded, &head, 1, "123456789012345678901234567890123", "1", &user),
            RC_BAD_ARGUMENT);
    UNIT_RC(effect_token_init(&encoded, &head, 1, "label", "0123456789abcdef0", &user),
            RC_BAD_ARGUMENT);
    UNIT_RC(effect_user_delete(&encoded, &head, 1, "12345678901234567890123456789012"),
            RC_BAD_ARGUMENT);
    memset(user.name, 'x', sizeof user.name);
    UNIT_RC(effect_user_put(&encoded, &head, &user, 0), RC_BAD_ARGUMENT);
    user.name[0] = 0;
    UNIT_RC(effect_user_put(&encoded, &head, &user, 0), RC_BAD_ARGUMENT);
}

UNIT_SUITE("token/effect", UNIT_CASE(a_token_init_comes_back), UNIT_CASE(a_user_put_comes_back),
           UNIT_CASE(a_try_and_a_deletion_come_back), UNIT_CASE(a_policy_comes_back),
           UNIT_CASE(a_policy_with_too_many_mechanisms_is_refused),
           UNIT_CASE(a_policy_with_default_settings_keeps_its_former_bytes),
           UNIT_CASE(a_policy_with_a_new_setting_has_the_new_format),
           UNIT_CASE(effects_on_objects_come_back),
           UNIT_CASE(a_record_of_another_token_is_malformed),
           UNIT_CASE(another_format_or_kind_is_malformed),
           UNIT_CASE(names_that_are_too_long_are_refused));
