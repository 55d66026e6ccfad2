/* SPDX-License-Identifier: Apache-2.0 */
/* Shares: any threshold of them gives the secret back, fewer tell nothing, and each wrong one is
 * named. */
#include "token/shamir.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "token/crypto_lib.h"
#include "token/gf256.h"
#include "token/seal.h"

#define SECRET_LEN 32U

struct dealt {
    struct secret secret;
    struct shamir_share shares[SHAMIR_SHARES_MAX];
};

static void deal(struct dealt *dealt, unsigned threshold, unsigned count)
{
    *dealt = (struct dealt){.secret = SECRET_INIT};
    UNIT_OK(crypto_lib_init());
    UNIT_OK(secret_alloc(&dealt->secret, SECRET_LEN));
    UNIT_OK(random_bytes(dealt->secret.ptr, SECRET_LEN));
    UNIT_OK(shamir_split(&dealt->secret, threshold, count, dealt->shares));
}

/* Joins those whose bit is set. */
static enum rc join_mask(const struct dealt *dealt, unsigned mask, struct secret *out)
{
    const char *texts[SHAMIR_SHARES_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < SHAMIR_SHARES_MAX; i++)
        if ((mask >> i & 1) != 0)
            texts[count++] = dealt->shares[i].text;
    return shamir_join(texts, count, out);
}

static bool gives_back(const struct dealt *dealt, unsigned mask)
{
    AUTO_SECRET joined = SECRET_INIT;
    enum rc rc = join_mask(dealt, mask, &joined);
    UNIT_OK(rc);
    return rc == RC_OK && secret_equal(&joined, secret_expose(&dealt->secret));
}

/* FIPS 197 4.2 and 4.2.1; the inverses of all elements. */
static void the_field_is_that_of_fips_197(void)
{
    CU_ASSERT_EQUAL(gf256_mul(0x57, 0x83), 0xC1);
    CU_ASSERT_EQUAL(gf256_mul(0x57, 0x13), 0xFE);
    CU_ASSERT_EQUAL(gf256_mul(0x57, 0x02), 0xAE);
    CU_ASSERT_EQUAL(gf256_mul(0x57, 0x10), 0x07);
    CU_ASSERT_EQUAL(gf256_inverse(0), 0);
    for (unsigned a = 1; a < 256; a++)
        CU_ASSERT_EQUAL(gf256_mul((uint8_t)a, gf256_inverse((uint8_t)a)), 1);
}

/* Computed apart from this code: secret 00 01 .. 1f, coefficients 7i + 3 and 29i + 11, set
 * deadbeef42. */
static void shares_made_by_another_implementation_are_joined(void)
{
    static const char *const texts[] = {
        "qhsm-share-1-3-1-vtpvx-vt210-hncyb-4qy9e-bg2vd-r8ksn-yavpw-971n9-tkqg4-5bg9d-fc3v4-7q96k-"
        "4x10m-0qqh1-2yyv3-a0p2k",
        "qhsm-share-1-3-5-vtpvx-vt2pj-yjwrx-94h1z-n1akp-y352b-5vcdr-7kzxj-88dgg-fbe6z-2nf05-5j8mc-"
        "vh8v9-martn-sfhnd-f2peb",
        "qhsm-share-1-3-2-vtpvx-vt25a-tjz86-x1y71-n7yd5-jc2b5-vp36v-jgqyg-6t4jb-tkmse-negne-he2s3-"
        "v53mq-5bbxd-eqgmc-wmqkp"};
    AUTO_SECRET joined = SECRET_INIT;
    uint8_t expected[SECRET_LEN];
    for (uint8_t i = 0; i < SECRET_LEN; i++)
        expected[i] = i;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(shamir_join(texts, 3, &joined));
    CU_ASSERT_TRUE(secret_equal(&joined, bytes_of(expected, SECRET_LEN)));
}

static void check_all_subsets(unsigned threshold, unsigned count)
{
    struct dealt dealt;
    deal(&dealt, threshold, count);
    for (unsigned mask = 1; mask < 1U << count; mask++) {
        AUTO_SECRET joined = SECRET_INIT;
        unsigned given = (unsigned)__builtin_popcount(mask);
        if (given >= threshold) {
            CU_ASSERT_TRUE(gives_back(&dealt, mask));
            continue;
        }
        UNIT_RC(join_mask(&dealt, mask, &joined), RC_BAD_ARGUMENT);
        CU_ASSERT_PTR_NULL(joined.ptr);
    }
    secret_clear(&dealt.secret);
}

static void every_subset_as_large_as_the_threshold_gives_the_secret_back(void)
{
    for (unsigned count = 1; count <= 6; count++)
        for (unsigned threshold = 1; threshold <= count; threshold++)
            check_all_subsets(threshold, count);
}

static void sixteen_of_sixteen_shares_work(void)
{
    struct dealt dealt;
    deal(&dealt, 16, 16);
    CU_ASSERT_TRUE(gives_back(&dealt, 0xFFFF));
    AUTO_SECRET joined = SECRET_INIT;
    UNIT_RC(join_mask(&dealt, 0xFFFE, &joined), RC_BAD_ARGUMENT);
    secret_clear(&dealt.secret);
}

static void the_order_of_shares_does_not_matter(void)
{
    struct dealt dealt;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 3, 5);
    const char *const texts[] = {dealt.shares[4].text, dealt.shares[0].text, dealt.shares[2].text};
    UNIT_OK(shamir_join(texts, 3, &joined));
    CU_ASSERT_TRUE(secret_equal(&joined, secret_expose(&dealt.secret)));
    secret_clear(&dealt.secret);
}

static void splitting_again_makes_other_shares(void)
{
    struct dealt dealt;
    struct shamir_share again[3];
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 2, 3);
    UNIT_OK(shamir_split(&dealt.secret, 2, 3, again));
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_STRING_NOT_EQUAL(dealt.shares[i].text, again[i].text);
    const char *const mixed[] = {dealt.shares[0].text, again[1].text};
    UNIT_RC(shamir_join(mixed, 2, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "share 2 is of another set"));
    secret_clear(&dealt.secret);
}

/* Of a secret of zeros too: the coefficients are random. */
static void shares_of_a_known_secret_cannot_be_foretold(void)
{
    AUTO_SECRET secret = SECRET_INIT;
    unsigned differ = 0;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(secret_alloc(&secret, SECRET_LEN));
    struct shamir_share first;
    for (unsigned i = 0; i < 32; i++) {
        struct shamir_share shares[2];
        UNIT_OK(shamir_split(&secret, 2, 2, shares));
        if (i == 0)
            first = shares[0];
        else
            differ += strcmp(first.text + 30, shares[0].text + 30) != 0;
    }
    CU_ASSERT_EQUAL(differ, 31);
}

static void what_is_missing_is_counted(void)
{
    struct dealt dealt;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 3, 5);
    UNIT_RC(join_mask(&dealt, 0x10, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "2 more shares are needed: 3 of the set open it");
    UNIT_RC(shamir_join(NULL, 0, &joined), RC_BAD_ARGUMENT);
    secret_clear(&dealt.secret);
}

static void a_share_given_twice_is_named(void)
{
    struct dealt dealt;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 3, 5);
    const char *const texts[] = {dealt.shares[1].text, dealt.shares[3].text, dealt.shares[1].text};
    UNIT_RC(shamir_join(texts, 3, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(rc_detail(), "shares 1 and 3 are the same: number 2");
    secret_clear(&dealt.secret);
}

static void a_share_of_another_set_is_named(void)
{
    struct dealt dealt;
    struct dealt other;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 2, 3);
    deal(&other, 2, 3);
    const char *const texts[] = {dealt.shares[0].text, other.shares[1].text};
    UNIT_RC(shamir_join(texts, 2, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "share 2 is of another set"));
    secret_clear(&dealt.secret);
    secret_clear(&other.secret);
}

static void check_mistyped(struct dealt *dealt, size_t at, char c)
{
    AUTO_SECRET joined = SECRET_INIT;
    char *text = dealt->shares[1].text;
    char kept = text[at];
    text[at] = c;
    const char *const texts[] = {dealt->shares[0].text, text};
    UNIT_RC(shamir_join(texts, 2, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "share 2 "));
    CU_ASSERT_PTR_NULL(joined.ptr);
    text[at] = kept;
}

static void any_mistyped_character_is_noticed_and_its_share_named(void)
{
    struct dealt dealt;
    deal(&dealt, 2, 2);
    size_t len = strlen(dealt.shares[1].text);
    for (size_t i = 0; i < len; i++) {
        char c = dealt.shares[1].text[i];
        if (c == '-')
            continue;
        check_mistyped(&dealt, i, c == 'z' ? 'y' : 'z');
        check_mistyped(&dealt, i, '!');
        check_mistyped(&dealt, i, '\xff');
    }
    secret_clear(&dealt.secret);
}

static void a_share_with_characters_missing_or_too_many_is_named(void)
{
    struct dealt dealt;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 2, 2);
    size_t len = strlen(dealt.shares[1].text);
    for (size_t cut = 0; cut < len; cut++) {
        char text[SHAMIR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%.*s", (int)cut, dealt.shares[1].text);
        const char *const texts[] = {dealt.shares[0].text, text};
        UNIT_RC(shamir_join(texts, 2, &joined), RC_BAD_ARGUMENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "share 2 "));
    }
    char longer[4096];
    memset(longer, 'z', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    const char *const texts[] = {longer};
    UNIT_RC(shamir_join(texts, 1, &joined), RC_BAD_ARGUMENT);
    memset(longer, ' ', sizeof longer - 1);
    UNIT_RC(shamir_join(texts, 1, &joined), RC_BAD_ARGUMENT);
    secret_clear(&dealt.secret);
}

/* As it may come from paper: in capitals, in lines, O for 0, I and L for 1, hyphens lost. */
static void a_share_may_be_typed_as_people_do(void)
{
    struct dealt dealt;
    AUTO_SECRET joined = SECRET_INIT;
    deal(&dealt, 1, 1);
    char text[2 * SHAMIR_TEXT_MAX];
    size_t len = 0;
    const char *from = dealt.shares[0].text;
    for (size_t i = 0; from[i] != 0; i++) {
        char c = (char)toupper((unsigned char)from[i]);
        bool in_prefix = i < strlen("qhsm-share-1-1-1-");
        if (!in_prefix && c == '0')
            c = 'O';
        if (!in_prefix && c == '1')
            c = i % 2 == 0 ? 'I' : 'l';
        if (!in_prefix && c == '-')
            c = i % 4 == 0 ? '\n' : ' ';
        text[len++] = c;
    }
    text[len++] = '\r';
    text[len++] = '\n';
    text[len] = 0;
    const char *const texts[] = {text};
    UNIT_OK(shamir_join(texts, 1, &joined));
    CU_ASSERT_TRUE(secret_equal(&joined, secret_expose(&dealt.secret)));
    secret_clear(&dealt.secret);
}

static void a_share_of_a_later_format_says_so(void)
{
    AUTO_SECRET joined = SECRET_INIT;
    const char *const texts[] = {"qhsm-share-2-3-1-vtpvx"};
    UNIT_RC(shamir_join(texts, 1, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "format 2"));
    const char *const other[] = {"correct horse battery staple"};
    UNIT_RC(shamir_join(other, 1, &joined), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "is no share"));
}

static void impossible_numbers_of_shares_are_refused(void)
{
    AUTO_SECRET secret = SECRET_INIT;
    struct shamir_share shares[SHAMIR_SHARES_MAX + 1];
    UNIT_OK(secret_alloc(&secret, SECRET_LEN));
    UNIT_RC(shamir_split(&secret, 0, 3, shares), RC_BAD_ARGUMENT);
    UNIT_RC(shamir_split(&secret, 4, 3, shares), RC_BAD_ARGUMENT);
    UNIT_RC(shamir_split(&secret, 2, SHAMIR_SHARES_MAX + 1, shares), RC_BAD_ARGUMENT);
    UNIT_OK(secret_alloc(&secret, 31));
    UNIT_RC(shamir_split(&secret, 2, 3, shares), RC_BAD_ARGUMENT);
}

UNIT_SUITE("token/shamir", UNIT_CASE(the_field_is_that_of_fips_197),
           UNIT_CASE(shares_made_by_another_implementation_are_joined),
           UNIT_CASE(every_subset_as_large_as_the_threshold_gives_the_secret_back),
           UNIT_CASE(sixteen_of_sixteen_shares_work),
           UNIT_CASE(the_order_of_shares_does_not_matter),
           UNIT_CASE(splitting_again_makes_other_shares),
           UNIT_CASE(shares_of_a_known_secret_cannot_be_foretold),
           UNIT_CASE(what_is_missing_is_counted), UNIT_CASE(a_share_given_twice_is_named),
           UNIT_CASE(a_share_of_another_set_is_named),
           UNIT_CASE(any_mistyped_character_is_noticed_and_its_share_named),
           UNIT_CASE(a_share_with_characters_missing_or_too_many_is_named),
           UNIT_CASE(a_share_may_be_typed_as_people_do),
           UNIT_CASE(a_share_of_a_later_format_says_so),
           UNIT_CASE(impossible_numbers_of_shares_are_refused));
