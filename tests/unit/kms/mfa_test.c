/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/iam_mfa*.c: devices, their codes, and what sessions made with them may do. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/audit_internal.h"
#include "kms/base64.h"
#include "kms/identity.h"
#include "kms/totp.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

#define SERIAL "arn:aws:iam::111122223333:mfa/phone"
#define ROLE   "arn:aws:iam::111122223333:role/Reader"
#define PAIR   "&AuthenticationCode1=%s&AuthenticationCode2=%s"

static struct iam_caller alice;
static struct secret seed;

/* ---- the trail: the linker puts this in place of the real one */

static struct buf trail = BUF_INIT;

void __wrap_audit_record(struct audit *audit, const struct audit_event *event);
void __wrap_audit_record(struct audit *audit, const struct audit_event *event)
{
    (void)audit;
    UNIT_OK(audit_format(&iam_world.kms, event, &trail));
}

/* ---- the user's phone */

static void read_base32(const char *text, struct secret *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned bits = 0, count = 0;
    secret_clear(out);
    for (; *text != '\0'; text++) {
        bits = bits << 5 | (unsigned)(strchr(digits, *text) - digits);
        count += 5;
        if (count >= 8) {
            count -= 8;
            UNIT_OK(secret_put_u8(out, (uint8_t)(bits >> count)));
        }
    }
}

static void take_seed(void)
{
    char base64[256];
    AUTO_BUF text = BUF_INIT;
    iam_world_get("Base32StringSeed", base64, sizeof base64);
    UNIT_OK(base64_decode(bytes_of_str(base64), &text));
    CU_ASSERT_EQUAL(text.len, 64);
    read_base32(buf_str(&text), &seed);
}

/* So many steps from now; static, two at a time. */
static const char *code_at(int steps)
{
    static char codes[2][TOTP_DIGITS + 1];
    static unsigned turn;
    char *code = codes[turn++ % 2];
    uint64_t now = iam_world.now_ms / TOTP_STEP_MS;
    UNIT_OK(totp_code(&seed, (uint64_t)((int64_t)now + steps), code));
    return code;
}

static const char *wrong_code(void)
{
    static char code[TOTP_DIGITS + 1];
    (void)snprintf(code, sizeof code, "%s", code_at(0));
    code[0] = code[0] == '9' ? '0' : (char)(code[0] + 1);
    return code;
}

/* ---- calls */

static void as_root(const char *form)
{
    iam_world_do(&iam_world.root, "iam", form);
}

static void refused(const char *form, unsigned status, const char *code)
{
    iam_world_call(&iam_world.root, "iam", form);
    iam_world_expect(status, code);
}

static unsigned with_pair(const char *action, int first, int second)
{
    char form[256];
    (void)snprintf(form, sizeof form, "Action=%s&UserName=alice&SerialNumber=" SERIAL PAIR, action,
                   code_at(first), code_at(second));
    return iam_world_call(&iam_world.root, "iam", form);
}

static void create_device(void)
{
    as_root("Action=CreateVirtualMFADevice&VirtualMFADeviceName=phone");
    take_seed();
}

/* Codes of the last step and this one are taken. */
static void begin(void)
{
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    create_device();
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", -1, 0), 200);
}

static void end(void)
{
    secret_clear(&seed);
    buf_clear(&trail);
    iam_world_end();
}

static void next_step(unsigned count)
{
    iam_world.now_ms += (uint64_t)count * TOTP_STEP_MS;
}

static unsigned session_with(const char *code)
{
    char form[256];
    (void)snprintf(form, sizeof form, "Action=GetSessionToken&SerialNumber=" SERIAL "&TokenCode=%s",
                   code);
    return iam_world_call(&alice, "sts", form);
}

static void expect_denied(const char *text)
{
    iam_world_expect(403, "AccessDenied");
    CU_ASSERT_TRUE(iam_world_has(text));
}

static void expect_wrong_code(void)
{
    expect_denied("MultiFactorAuthentication failed with invalid MFA one time pass code.");
}

static void put_policy(const char *kind, const char *name, const char *action,
                       const char *condition)
{
    char policy[512], form[4096];
    (void)snprintf(policy, sizeof policy,
                   "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
                   "\"%s\",\"Resource\":\"*\",\"Condition\":{%s}}}",
                   action, condition);
    (void)snprintf(form, sizeof form, "Action=Put%sPolicy&%sName=%s&PolicyName=p&PolicyDocument=%s",
                   kind, kind, name, iam_world_encode(policy));
    as_root(form);
}

/* ---- devices */

static void a_device_is_made_given_listed_and_taken_back(void)
{
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    as_root("Action=CreateVirtualMFADevice&VirtualMFADeviceName=phone&Path=%2Fteam%2F");
    CU_ASSERT_TRUE(iam_world_has(
        "<SerialNumber>arn:aws:iam::111122223333:mfa/team/phone</SerialNumber><Base32StringSeed>"));
    refused("Action=CreateVirtualMFADevice&VirtualMFADeviceName=Phone", 409, "EntityAlreadyExists");
    refused("Action=DeleteVirtualMFADevice&SerialNumber=" SERIAL, 404, "NoSuchEntity");
    as_root("Action=DeleteVirtualMFADevice&SerialNumber=arn:aws:iam::111122223333:mfa/team/phone");
    create_device();
    as_root("Action=ListVirtualMFADevices&AssignmentStatus=Unassigned");
    CU_ASSERT_TRUE(iam_world_has("<member><SerialNumber>" SERIAL "</SerialNumber></member>"));
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", -1, 0), 200);
    as_root("Action=ListVirtualMFADevices&AssignmentStatus=Unassigned");
    CU_ASSERT_TRUE(iam_world_has("<VirtualMFADevices></VirtualMFADevices>"));
    as_root("Action=ListVirtualMFADevices");
    CU_ASSERT_TRUE(iam_world_has("<UserName>alice</UserName>"));
    CU_ASSERT_TRUE(iam_world_has("<EnableDate>"));
    as_root("Action=ListMFADevices&UserName=alice");
    CU_ASSERT_TRUE(iam_world_has("<member><UserName>alice</UserName><SerialNumber>" SERIAL
                                 "</SerialNumber><EnableDate>"));
    refused("Action=DeleteVirtualMFADevice&SerialNumber=" SERIAL, 409, "DeleteConflict");
    as_root("Action=UpdateUser&UserName=alice&NewUserName=alicia");
    as_root("Action=ListVirtualMFADevices&AssignmentStatus=Assigned");
    CU_ASSERT_TRUE(iam_world_has("<UserName>alicia</UserName>"));
    as_root("Action=DeactivateMFADevice&UserName=alicia&SerialNumber=" SERIAL);
    refused("Action=DeactivateMFADevice&UserName=alicia&SerialNumber=" SERIAL, 404, "NoSuchEntity");
    as_root("Action=ListMFADevices&UserName=alicia");
    CU_ASSERT_TRUE(iam_world_has("<MFADevices></MFADevices>"));
    as_root("Action=DeleteVirtualMFADevice&SerialNumber=" SERIAL);
    as_root("Action=ListMFADevices"); /* the root has none */
    end();
}

static void a_device_is_one_users_and_a_user_with_one_stays(void)
{
    struct iam_caller bob;
    char form[256];
    begin();
    iam_world_user("bob", &bob);
    (void)snprintf(form, sizeof form,
                   "Action=EnableMFADevice&UserName=bob&SerialNumber=" SERIAL PAIR, code_at(-1),
                   code_at(0));
    refused(form, 409, "EntityAlreadyExists");
    refused("Action=DeactivateMFADevice&UserName=bob&SerialNumber=" SERIAL, 404, "NoSuchEntity");
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=alice&AccessKeyId=%s",
                   alice.key);
    as_root(form);
    refused("Action=DeleteUser&UserName=alice", 409, "DeleteConflict");
    CU_ASSERT_TRUE(iam_world_has("must deactivate MFA devices first"));
    as_root("Action=DeactivateMFADevice&UserName=alice&SerialNumber=" SERIAL);
    as_root("Action=DeleteUser&UserName=alice");
    end();
}

static void a_user_has_eight_devices_at_most(void)
{
    char form[256];
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(form, sizeof form, "Action=CreateVirtualMFADevice&VirtualMFADeviceName=d%u",
                       i);
        as_root(form);
        take_seed();
        (void)snprintf(form, sizeof form,
                       "Action=EnableMFADevice&UserName=alice&SerialNumber="
                       "arn:aws:iam::111122223333:mfa/d%u" PAIR,
                       i, code_at(-1), code_at(0));
        CU_ASSERT_EQUAL(iam_world_call(&iam_world.root, "iam", form), i < 8 ? 200 : 409);
    }
    as_root("Action=ListVirtualMFADevices&MaxItems=4");
    CU_ASSERT_TRUE(iam_world_has("<IsTruncated>true</IsTruncated>"));
    end();
}

static void enabling_wants_two_codes_one_after_the_other(void)
{
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    create_device();
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", 0, -1), 403);
    iam_world_expect(403, "InvalidAuthenticationCode");
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", 0, 0), 403);
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", -2, 0), 403);
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", 50, 51), 403);
    refused("Action=EnableMFADevice&UserName=alice&SerialNumber=" SERIAL
            "&AuthenticationCode1=12345x&AuthenticationCode2=123456",
            400, "ValidationError");
    CU_ASSERT_PTR_NULL(strstr(iam_world.body, "12345x"));
    refused("Action=EnableMFADevice&UserName=alice&SerialNumber=" SERIAL, 400, "ValidationError");
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", -1, 0), 200);
    end();
}

/* ---- codes */

static void a_code_is_taken_once(void)
{
    begin();
    session_with(code_at(0)); /* the second of those that enabled the device */
    expect_wrong_code();
    next_step(1);
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200);
    session_with(code_at(0));
    expect_wrong_code();
    session_with(code_at(-1));
    expect_wrong_code();
    CU_ASSERT_EQUAL(session_with(code_at(1)), 200);
    end();
}

static void a_code_is_taken_once_by_several_front_ends(void)
{
    begin();
    next_step(1);
    struct view *here = iam_world.kms.view, *there = NULL;
    UNIT_OK(view_new(&iam_world.client, &there));
    iam_world.kms.view = there;
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200);
    iam_world.kms.view = here;
    session_with(code_at(0));
    expect_wrong_code();
    view_free(there);
    end();
}

static void a_code_of_the_step_before_or_after_is_taken(void)
{
    begin();
    next_step(10);
    session_with(code_at(2));
    expect_wrong_code();
    session_with(code_at(-2));
    expect_wrong_code();
    CU_ASSERT_EQUAL(session_with(code_at(-1)), 200);
    CU_ASSERT_EQUAL(session_with(code_at(1)), 200);
    end();
}

static void a_clock_that_has_drifted_is_compared_again(void)
{
    begin();
    next_step(10);
    session_with(code_at(7));
    expect_wrong_code();
    CU_ASSERT_EQUAL(with_pair("ResyncMFADevice", 6, 7), 200);
    next_step(1);
    session_with(code_at(1)); /* the clock is seven steps ahead */
    expect_wrong_code();
    CU_ASSERT_EQUAL(session_with(code_at(7)), 200);
    CU_ASSERT_EQUAL(with_pair("ResyncMFADevice", -3, -2), 403); /* before what was taken */
    iam_world_expect(403, "InvalidAuthenticationCode");
    end();
}

static void guesses_are_few_in_a_step(void)
{
    begin();
    next_step(1);
    for (int i = 0; i < 5; i++) {
        session_with(wrong_code());
        expect_wrong_code();
    }
    session_with(code_at(0));
    expect_denied("too many invalid one time pass codes");
    next_step(1);
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200);
    end();
}

static void codes_of_no_device_of_the_callers_are_refused(void)
{
    struct iam_caller bob;
    static const char unknown[] = "Please verify your MFA serial number is valid";
    begin();
    next_step(1);
    iam_world_user("bob", &bob);
    char form[256];
    (void)snprintf(form, sizeof form, "Action=GetSessionToken&SerialNumber=" SERIAL "&TokenCode=%s",
                   code_at(0));
    iam_world_call(&bob, "sts", form);
    expect_denied(unknown);
    iam_world_call(&iam_world.root, "sts", form);
    expect_denied(unknown);
    iam_world_call(&alice, "sts",
                   "Action=GetSessionToken&SerialNumber=arn:aws:iam::444455556666:mfa/phone&"
                   "TokenCode=123456");
    expect_denied(unknown);
    iam_world_call(&alice, "sts", "Action=GetSessionToken&SerialNumber=" SERIAL);
    expect_denied("must provide both MFA serial number and one time pass code");
    iam_world_call(&alice, "sts", "Action=GetSessionToken&TokenCode=123456");
    expect_denied("must provide both MFA serial number and one time pass code");
    session_with("12345");
    iam_world_expect(400, "ValidationError");
    as_root("Action=DeactivateMFADevice&UserName=alice&SerialNumber=" SERIAL);
    session_with(code_at(0));
    expect_denied(unknown);
    end();
}

/* ---- sessions */

static bool has_mfa_of(const struct iam_caller *caller)
{
    static struct identity who;
    char region[KMS_REGION_MAX + 1];
    CU_ASSERT_EQUAL(identity_of_request(&iam_world.kms,
                                        iam_world_sign(caller, "kms", IAM_WORLD_REGION, NULL, "{}"),
                                        "kms", &who, region),
                    KMS_OK);
    bool has_mfa = who.has_mfa;
    identity_clear(&who);
    return has_mfa;
}

static void a_session_with_a_code_has_what_policies_ask_mfa_for(void)
{
    struct iam_caller with, without;
    begin();
    put_policy("User", "alice", "iam:ListUsers",
               "\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"},"
               "\"NumericLessThan\":{\"aws:MultiFactorAuthAge\":\"60\"}");
    iam_world_call(&alice, "iam", "Action=ListUsers");
    iam_world_expect(403, "AccessDenied");
    next_step(1);
    iam_world_do(&alice, "sts", "Action=GetSessionToken");
    iam_world_take(&without);
    CU_ASSERT_FALSE(has_mfa_of(&without));
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200);
    iam_world_take(&with);
    CU_ASSERT_TRUE(has_mfa_of(&with));
    iam_world_do(&with, "iam", "Action=ListUsers");
    iam_world_call(&without, "iam", "Action=ListUsers");
    iam_world_expect(403, "InvalidClientTokenId"); /* IAM wants a code of sessions */
    iam_world.now_ms += 61000;
    iam_world_call(&with, "iam", "Action=ListUsers");
    iam_world_expect(403, "AccessDenied"); /* too long ago */
    end();
}

static void long_term_keys_lack_the_condition_rather_than_fail_it(void)
{
    begin();
    put_policy("User", "alice", "iam:ListUsers",
               "\"BoolIfExists\":{\"aws:MultiFactorAuthPresent\":\"true\"}");
    iam_world_do(&alice, "iam", "Action=ListUsers");
    put_policy("User", "alice", "iam:ListUsers",
               "\"Bool\":{\"aws:MultiFactorAuthPresent\":\"false\"}");
    iam_world_call(&alice, "iam", "Action=ListUsers");
    iam_world_expect(403, "AccessDenied");
    end();
}

#define TRUST                                                                                 \
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":" \
    "\"arn:aws:iam::111122223333:user/alice\"},\"Action\":\"sts:AssumeRole\",\"Condition\":{" \
    "\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"},\"NumericLessThan\":{"                \
    "\"aws:MultiFactorAuthAge\":\"300\"}}}}"
#define ASSUME "Action=AssumeRole&RoleSessionName=work&RoleArn=" ROLE

static void a_role_may_want_a_code_of_those_who_assume_it(void)
{
    struct iam_caller session;
    char form[4096];
    begin();
    (void)snprintf(form, sizeof form,
                   "Action=CreateRole&RoleName=Reader&AssumeRolePolicyDocument=%s",
                   iam_world_encode(TRUST));
    as_root(form);
    iam_world_call(&alice, "sts", ASSUME);
    iam_world_expect(403, "AccessDenied");
    next_step(1);
    (void)snprintf(form, sizeof form, ASSUME "&SerialNumber=" SERIAL "&TokenCode=%s", wrong_code());
    iam_world_call(&alice, "sts", form);
    expect_wrong_code();
    (void)snprintf(form, sizeof form, ASSUME "&SerialNumber=" SERIAL "&TokenCode=%s", code_at(0));
    iam_world_do(&alice, "sts", form);
    iam_world_take(&session);
    CU_ASSERT_TRUE(has_mfa_of(&session));
    iam_world_call(&alice, "sts", form);
    expect_wrong_code();
    next_step(1);
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200); /* a session that has it needs no code */
    iam_world_take(&session);
    iam_world_do(&session, "sts", ASSUME);
    end();
}

/* ---- what is kept where */

static void seeds_and_codes_are_nowhere_in_clear(void)
{
    char base32[80] = "", code[TOTP_DIGITS + 1];
    AUTO_BUF text = BUF_INIT;
    char base64[256];
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    create_device();
    iam_world_get("Base32StringSeed", base64, sizeof base64);
    UNIT_OK(base64_decode(bytes_of_str(base64), &text));
    (void)snprintf(base32, sizeof base32, "%s", buf_str(&text));
    CU_ASSERT_EQUAL(with_pair("EnableMFADevice", -1, 0), 200);
    next_step(1);
    (void)snprintf(code, sizeof code, "%s", code_at(0));
    CU_ASSERT_EQUAL(session_with(code), 200);
    AUTO_RECORD *record = view_get(iam_world.kms.view, "iam/" IAM_WORLD_ACCOUNT "/mfa/phone");
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    char *document = json_dumps(record->json, 0);
    CU_ASSERT_PTR_NULL(strstr(document, base32));
    CU_ASSERT_PTR_NULL(strstr(document, base64));
    free(document);
    const char *records = buf_str(&trail);
    CU_ASSERT_PTR_NOT_NULL(strstr(records, "EnableMFADevice"));
    CU_ASSERT_PTR_NOT_NULL(strstr(records, "serialNumber"));
    CU_ASSERT_PTR_NULL(strstr(records, "uthenticationCode"));
    CU_ASSERT_PTR_NULL(strstr(records, "okenCode"));
    CU_ASSERT_PTR_NULL(strstr(records, base32));
    CU_ASSERT_PTR_NULL(strstr(records, base64));
    end();
}

static void the_trail_says_which_sessions_had_a_code(void)
{
    struct iam_caller session;
    begin();
    next_step(1);
    CU_ASSERT_EQUAL(session_with(code_at(0)), 200);
    iam_world_take(&session);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&trail), "\"mfaAuthenticated\":\"true\""));
    end();
}

UNIT_SUITE("kms/mfa", UNIT_CASE(a_device_is_made_given_listed_and_taken_back),
           UNIT_CASE(a_device_is_one_users_and_a_user_with_one_stays),
           UNIT_CASE(a_user_has_eight_devices_at_most),
           UNIT_CASE(enabling_wants_two_codes_one_after_the_other), UNIT_CASE(a_code_is_taken_once),
           UNIT_CASE(a_code_is_taken_once_by_several_front_ends),
           UNIT_CASE(a_code_of_the_step_before_or_after_is_taken),
           UNIT_CASE(a_clock_that_has_drifted_is_compared_again),
           UNIT_CASE(guesses_are_few_in_a_step),
           UNIT_CASE(codes_of_no_device_of_the_callers_are_refused),
           UNIT_CASE(a_session_with_a_code_has_what_policies_ask_mfa_for),
           UNIT_CASE(long_term_keys_lack_the_condition_rather_than_fail_it),
           UNIT_CASE(a_role_may_want_a_code_of_those_who_assume_it),
           UNIT_CASE(seeds_and_codes_are_nowhere_in_clear),
           UNIT_CASE(the_trail_says_which_sessions_had_a_code));
