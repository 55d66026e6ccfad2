/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/totp.c. */
#include "kms/totp.h"

#include "tests/unit/unit.h"

/* RFC 6238, appendix B: the last six digits of its codes of eight. */
static const struct {
    uint64_t time_s;
    const char *code;
} vectors[] = {
    {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
    {1234567890, "005924"}, {2000000000, "279037"}, {UINT64_C(20000000000), "353130"},
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static void make_seed(struct secret *out)
{
    UNIT_OK(secret_from_bytes(out, bytes_of_str("12345678901234567890")));
}

static uint64_t step_of(uint64_t time_s)
{
    return time_s * 1000 / TOTP_STEP_MS;
}

static void codes_are_those_of_RFC_6238(void)
{
    AUTO_SECRET seed = SECRET_INIT;
    char code[TOTP_DIGITS + 1];
    make_seed(&seed);
    for (size_t i = 0; i < VECTORS; i++) {
        UNIT_OK(totp_code(&seed, step_of(vectors[i].time_s), code));
        CU_ASSERT_STRING_EQUAL(code, vectors[i].code);
    }
}

static void a_code_is_found_in_its_steps_alone(void)
{
    AUTO_SECRET seed = SECRET_INIT;
    uint64_t own = step_of(1111111111), step = 0;
    bool is_found;
    make_seed(&seed);
    UNIT_OK(totp_find(&seed, "050471", NULL, own - 1, own + 1, &is_found, &step));
    CU_ASSERT_TRUE(is_found);
    CU_ASSERT_EQUAL(step, own);
    UNIT_OK(totp_find(&seed, "050471", NULL, own + 1, own + 3, &is_found, &step));
    CU_ASSERT_FALSE(is_found);
    UNIT_OK(totp_find(&seed, "050471", NULL, own + 1, own, &is_found, &step));
    CU_ASSERT_FALSE(is_found);
}

static void two_codes_are_found_when_one_follows_the_other(void)
{
    AUTO_SECRET seed = SECRET_INIT;
    uint64_t own = step_of(1111111109), step = 0;
    bool is_found;
    make_seed(&seed); /* 1111111111 is in the step after that of 1111111109 */
    UNIT_OK(totp_find(&seed, "081804", "050471", own - 20, own + 20, &is_found, &step));
    CU_ASSERT_TRUE(is_found);
    CU_ASSERT_EQUAL(step, own);
    UNIT_OK(totp_find(&seed, "050471", "081804", own - 20, own + 20, &is_found, &step));
    CU_ASSERT_FALSE(is_found);
    UNIT_OK(totp_find(&seed, "081804", "081804", own - 20, own + 20, &is_found, &step));
    CU_ASSERT_FALSE(is_found);
}

static void a_code_is_six_digits(void)
{
    CU_ASSERT_TRUE(totp_is_code("000000"));
    CU_ASSERT_FALSE(totp_is_code("00000"));
    CU_ASSERT_FALSE(totp_is_code("0000000"));
    CU_ASSERT_FALSE(totp_is_code("00000a"));
    CU_ASSERT_FALSE(totp_is_code(""));
}

UNIT_SUITE("kms/totp", UNIT_CASE(codes_are_those_of_RFC_6238),
           UNIT_CASE(a_code_is_found_in_its_steps_alone),
           UNIT_CASE(two_codes_are_found_when_one_follows_the_other),
           UNIT_CASE(a_code_is_six_digits));
