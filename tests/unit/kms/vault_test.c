/* SPDX-License-Identifier: Apache-2.0 */
/* The vault over a cluster in memory: one key for all front ends, and what does not open. */
#include "kms/vault.h"

#include "tests/unit/kms/fake_cluster.h"
#include "tests/unit/unit.h"

static struct fake_cluster cluster;
static struct hsm_client first_client = {.cluster = &cluster};
static struct hsm_client second_client = {.cluster = &cluster};
static struct vault *first, *second;

static void begin(void)
{
    fake_cluster_init(&cluster);
    fake_cluster_put(&cluster, "store/r/a", "{}");
    fake_cluster_put(&cluster, "zebra", "{}");
    UNIT_OK(vault_new(&first_client, &first));
    UNIT_OK(vault_new(&second_client, &second));
}

static void end(void)
{
    vault_free(first);
    vault_free(second);
    fake_cluster_clear(&cluster);
}

static size_t key_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < cluster.key_count; i++)
        count += cluster.keys[i].handle != 0 ? 1 : 0;
    return count;
}

static void all_front_ends_share_one_key(void)
{
    begin();
    CU_ASSERT_EQUAL(key_count(), 1);
    CU_ASSERT_STRING_EQUAL(cluster.keys[0].label, "qhsm-kms-vault");
    CU_ASSERT_PTR_NOT_NULL(fake_cluster_document(&cluster, "vault/session"));
    end();
}

static void who_makes_the_key_second_takes_the_first_ones(void)
{
    fake_cluster_init(&cluster);
    cluster.fail_change = RC_CONFLICT; /* as if another one had come between */
    UNIT_OK(vault_new(&first_client, &first));
    CU_ASSERT_EQUAL(key_count(), 1);
    vault_free(first);
    cluster.fail_change = RC_CONFLICT;
    UNIT_OK(vault_new(&first_client, &first));
    CU_ASSERT_EQUAL(key_count(), 1);
    vault_free(first);
    fake_cluster_clear(&cluster);
}

static void what_one_closes_the_other_opens_for_the_same_purpose(void)
{
    begin();
    AUTO_BUF closed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(buf_put_u8(&closed, 'x')); /* it appends */
    UNIT_OK(vault_close(first, "store/r/a", bytes_of_str("password"), &closed));
    struct bytes body = bytes_slice(buf_bytes(&closed), 1, closed.len);
    UNIT_OK(vault_open(second, "store/r/a", body, &plain));
    CU_ASSERT(secret_equal(&plain, bytes_of_str("password")));
    UNIT_RC(vault_open(second, "store/r/b", body, &plain), RC_TAMPERED);
    UNIT_RC(vault_open(second, "store/r/a", bytes_slice(body, 0, 5), &plain), RC_TAMPERED);
    UNIT_RC(vault_open(second, "store/r/a", BYTES_NONE, &plain), RC_TAMPERED);
    end();
}

static void key_is_found_again_under_another_number(void)
{
    begin();
    AUTO_BUF closed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(vault_close(first, "p", bytes_of_str("text"), &closed));
    fake_cluster_renumber(&cluster);
    UNIT_OK(vault_open(first, "p", buf_bytes(&closed), &plain));
    UNIT_OK(vault_close(second, "p", bytes_of_str("text"), &closed));
    end();
}

static void without_its_key_it_does_not_start(void)
{
    begin();
    UNIT_OK(hsm_delete(&first_client, cluster.keys[0].handle));
    struct vault *third = NULL;
    UNIT_RC(vault_new(&first_client, &third), RC_OBJECT_HANDLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "qhsm-kms-vault"));
    fake_cluster_put(&cluster, "vault/session", "{\"key\":\"AA==\"}");
    UNIT_RC(vault_new(&first_client, &third), RC_TAMPERED);
    end();
}

static void seal_holds_for_its_purpose_in_every_front_end(void)
{
    begin();
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(vault_seal(first, "session", bytes_of_str("token"), &sealed));
    UNIT_OK(vault_unseal(second, "session", buf_bytes(&sealed), &plain));
    CU_ASSERT(secret_equal(&plain, bytes_of_str("token")));
    UNIT_RC(vault_unseal(second, "import", buf_bytes(&sealed), &plain), RC_TAMPERED);
    AUTO_BUF empty = BUF_INIT;
    AUTO_SECRET nothing = SECRET_INIT;
    UNIT_OK(vault_seal(first, "", BYTES_NONE, &empty));
    UNIT_OK(vault_unseal(first, "", buf_bytes(&empty), &nothing));
    CU_ASSERT_EQUAL(nothing.len, 0);
    end();
}

static void every_flipped_bit_and_every_cut_is_noticed(void)
{
    begin();
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(vault_seal(first, "session", bytes_of_str("token"), &sealed));
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        UNIT_RC(vault_unseal(first, "session", buf_bytes(&sealed), &plain), RC_TAMPERED);
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        UNIT_RC(vault_unseal(first, "session", bytes_of(sealed.ptr, len), &plain), RC_TAMPERED);
    CU_ASSERT_EQUAL(plain.len, 0);
    end();
}

static void two_seals_of_the_same_differ(void)
{
    begin();
    AUTO_BUF one = BUF_INIT;
    AUTO_BUF two = BUF_INIT;
    UNIT_OK(vault_seal(first, "p", bytes_of_str("token"), &one));
    UNIT_OK(vault_seal(first, "p", bytes_of_str("token"), &two));
    CU_ASSERT(!bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    end();
}

UNIT_SUITE("kms/vault", UNIT_CASE(all_front_ends_share_one_key),
           UNIT_CASE(who_makes_the_key_second_takes_the_first_ones),
           UNIT_CASE(what_one_closes_the_other_opens_for_the_same_purpose),
           UNIT_CASE(key_is_found_again_under_another_number),
           UNIT_CASE(without_its_key_it_does_not_start),
           UNIT_CASE(seal_holds_for_its_purpose_in_every_front_end),
           UNIT_CASE(every_flipped_bit_and_every_cut_is_noticed),
           UNIT_CASE(two_seals_of_the_same_differ));
