/* SPDX-License-Identifier: Apache-2.0 */
/* Each condition operator against values that hold and that do not. */
#include <stdio.h>

#include "tests/unit/kms/policy_facts.h"
#include "tests/unit/unit.h"

static const struct policy_principal alice = {.arn = "arn:aws:iam::111122223333:user/alice",
                                              .account = "111122223333"};

/* Does an Allow with this condition apply to a request with these facts? */
static bool holds(const char *condition, struct facts facts)
{
    char text[1000];
    struct policy *policy = NULL;
    struct policy_match match;
    struct policy_request request = {.principal = &alice,
                                     .action = "kms:Encrypt",
                                     .resource = "*",
                                     .lookup = facts_lookup,
                                     .context = &facts};
    (void)snprintf(
        text, sizeof text,
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
        "\"Resource\":\"*\",\"Condition\":{%s}}}",
        condition);
    enum kms_error error = policy_parse(POLICY_IDENTITY, text, strlen(text), &policy);
    if (error != KMS_OK)
        printf("%s: %s\n", condition, kms_error_text());
    CU_ASSERT_EQUAL_FATAL(error, KMS_OK);
    policy_evaluate(policy, &request, &match);
    policy_free(policy);
    return match.effect == POLICY_ALLOW;
}

/* Operator, values as JSON, value of the request (NULL: none), does it hold? */
struct condition_case {
    const char *operator, * values, *value;
    bool holds;
};

static void check(const struct condition_case *cases, size_t count)
{
    char condition[500];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(condition, sizeof condition, "\"%s\":{\"x:key\":%s}", cases[i].operator,
                       cases[i].values);
        struct facts facts = FACTS(FACT("x:key", cases[i].value));
        bool result = holds(condition, cases[i].value == NULL ? NO_FACTS : facts);
        if (result != cases[i].holds)
            printf("%s against %s\n", condition, cases[i].value == NULL ? "-" : cases[i].value);
        CU_ASSERT_EQUAL(result, cases[i].holds);
    }
}
#define CHECK(cases) check(cases, sizeof cases / sizeof cases[0])

static void strings_are_compared_with_and_without_case_and_by_pattern(void)
{
    static const struct condition_case cases[] = {
        {"StringEquals", "\"a\"", "a", true},
        {"StringEquals", "\"a\"", "A", false},
        {"StringEquals", "[\"b\",\"a\"]", "a", true},
        {"StringEquals", "\"a*\"", "ab", false},
        {"StringEquals", "\"a*\"", "a*", true},
        {"StringEquals", "\"\"", "", true},
        {"StringEquals", "\"a\"", NULL, false},
        {"StringEquals", "true", "true", true},
        {"StringEquals", "12", "12", true},
        {"StringNotEquals", "\"a\"", "b", true},
        {"StringNotEquals", "\"a\"", "a", false},
        {"StringNotEquals", "[\"b\",\"a\"]", "a", false},
        {"StringNotEquals", "[\"b\",\"a\"]", "c", true},
        {"StringNotEquals", "\"a\"", NULL, true},
        {"StringEqualsIgnoreCase", "\"aB\"", "Ab", true},
        {"StringEqualsIgnoreCase", "\"aB\"", "Abc", false},
        {"StringNotEqualsIgnoreCase", "\"aB\"", "Ab", false},
        {"StringNotEqualsIgnoreCase", "\"aB\"", "c", true},
        {"StringLike", "\"a*c?\"", "abbbcd", true},
        {"StringLike", "\"a*c?\"", "abbbc", false},
        {"StringLike", "\"a*c?\"", "Abbbcd", false},
        {"StringLike", "\"*\"", "", true},
        {"StringLike", "\"*\"", NULL, false},
        {"StringLike", "\"*ab*ab\"", "abaab", true},
        {"StringNotLike", "\"a*\"", "ba", true},
        {"StringNotLike", "\"a*\"", "ab", false},
        {"StringNotLike", "\"a*\"", NULL, true},
        {"StringLike", "\"${*}b\"", "*b", true},
        {"StringLike", "\"${*}b\"", "ab", false},
    };
    CHECK(cases);
}

static void numbers_are_compared_as_numbers(void)
{
    static const struct condition_case cases[] = {
        {"NumericEquals", "\"10\"", "10.0", true},
        {"NumericEquals", "10", "10", true},
        {"NumericEquals", "10.5", "10.50", true},
        {"NumericEquals", "\"10\"", "ten", false},
        {"NumericNotEquals", "\"10\"", "10", false},
        {"NumericNotEquals", "\"10\"", "11", true},
        {"NumericNotEquals", "\"10\"", NULL, true},
        {"NumericLessThan", "\"10\"", "9", true},
        {"NumericLessThan", "\"10\"", "10", false},
        {"NumericLessThan", "\"-1\"", "-2", true},
        {"NumericLessThanEquals", "\"10\"", "10", true},
        {"NumericLessThanEquals", "\"10\"", "11", false},
        {"NumericGreaterThan", "\"10\"", "11", true},
        {"NumericGreaterThan", "\"10\"", "9", false},
        {"NumericGreaterThan", "\"9\"", "10", true},
        {"NumericGreaterThanEquals", "\"10\"", "10", true},
        {"NumericGreaterThanEquals", "[\"20\",\"10\"]", "15", true},
        {"NumericGreaterThan", "\"10\"", NULL, false},
    };
    CHECK(cases);
}

static void dates_are_compared_as_moments(void)
{
    static const struct condition_case cases[] = {
        {"DateEquals", "\"2020-04-01T00:00:00Z\"", "2020-04-01", true},
        {"DateEquals", "\"2020-04-01T02:00:00+02:00\"", "2020-04-01T00:00:00Z", true},
        {"DateEquals", "\"2020-03-31T22:30:00-01:30\"", "2020-04-01T00:00:00Z", true},
        {"DateEquals", "\"1585699200\"", "2020-04-01T00:00:00Z", true},
        {"DateEquals", "1585699200", "2020-04-01T00:00:00Z", true},
        {"DateEquals", "\"2020-04\"", "2020-04-01T00:00Z", true},
        {"DateNotEquals", "\"2020-04-01\"", "2020-04-02", true},
        {"DateNotEquals", "\"2020-04-01\"", NULL, true},
        {"DateLessThan", "\"2020-04-01T00:00:00Z\"", "2020-03-31T23:59:59.999Z", true},
        {"DateLessThan", "\"2020-04-01T00:00:00Z\"", "2020-04-01T00:00:00Z", false},
        {"DateLessThanEquals", "\"2020-04-01T00:00:00Z\"", "2020-04-01T00:00:00Z", true},
        {"DateGreaterThan", "\"2000-02-29T00:00:00Z\"", "2000-03-01", true},
        {"DateGreaterThan", "\"2020-04-01T00:00:00Z\"", "2019-04-01", false},
        {"DateGreaterThanEquals", "\"2020-04-01T00:00:00Z\"", "1585699200", true},
        {"DateGreaterThan", "\"2020-04-01\"", "never", false},
        {"DateLessThan", "\"2020-04-01\"", NULL, false},
    };
    CHECK(cases);
}

static void truth_values_are_compared(void)
{
    static const struct condition_case cases[] = {
        {"Bool", "\"true\"", "true", true},   {"Bool", "true", "True", true},
        {"Bool", "\"true\"", "false", false}, {"Bool", "false", "false", true},
        {"Bool", "\"false\"", NULL, false},   {"Bool", "[true,false]", "false", true},
        {"Bool", "\"true\"", "1", false},
    };
    CHECK(cases);
}

static void bytes_are_compared(void)
{
    static const struct condition_case cases[] = {
        {"BinaryEquals", "\"QmluYXJ5\"", "QmluYXJ5", true},
        {"BinaryEquals", "\"QmluYXJ5\"", "qmluYXJ5", false},
        {"BinaryEquals", "\"QQ==\"", "QQ==", true},
    };
    CHECK(cases);
}

static void addresses_are_in_their_networks(void)
{
    static const struct condition_case cases[] = {
        {"IpAddress", "\"203.0.113.0/24\"", "203.0.113.255", true},
        {"IpAddress", "\"203.0.113.0/24\"", "203.0.114.0", false},
        {"IpAddress", "\"203.0.113.128/25\"", "203.0.113.127", false},
        {"IpAddress", "\"203.0.113.5\"", "203.0.113.5", true},
        {"IpAddress", "\"203.0.113.5\"", "203.0.113.6", false},
        {"IpAddress", "\"0.0.0.0/0\"", "8.8.8.8", true},
        {"IpAddress", "\"0.0.0.0/0\"", "::1", false},
        {"IpAddress", "\"10.0.0.0/8\"", "::ffff:10.1.2.3", true},
        {"IpAddress", "\"2001:db8:1234:5678::/64\"", "2001:DB8:1234:5678:9::1", true},
        {"IpAddress", "\"2001:db8:1234:5678::/64\"", "2001:db8:1234:5679::1", false},
        {"IpAddress", "\"2001:db8::/33\"", "2001:db8:8000::", false},
        {"IpAddress", "\"::/0\"", "2001:db8::1", true},
        {"IpAddress", "\"::/0\"", "10.0.0.1", false},
        {"IpAddress", "[\"10.0.0.0/8\",\"::1\"]", "::1", true},
        {"IpAddress", "\"10.0.0.0/8\"", "10.0.0", false},
        {"IpAddress", "\"10.0.0.0/8\"", NULL, false},
        {"NotIpAddress", "\"10.0.0.0/8\"", "10.0.0.1", false},
        {"NotIpAddress", "\"10.0.0.0/8\"", "11.0.0.1", true},
        {"NotIpAddress", "[\"10.0.0.0/8\",\"11.0.0.0/8\"]", "11.0.0.1", false},
        {"NotIpAddress", "\"10.0.0.0/8\"", NULL, true},
    };
    CHECK(cases);
}

static void arns_are_compared_part_by_part(void)
{
    static const struct condition_case cases[] = {
        {"ArnEquals", "\"arn:aws:iam::1:user/a\"", "arn:aws:iam::1:user/a", true},
        {"ArnEquals", "\"arn:aws:iam::*:user/a*\"", "arn:aws:iam::1:user/ab", true},
        {"ArnLike", "\"arn:aws:iam::1:*\"", "arn:aws:iam::1:user/a", true},
        {"ArnLike", "\"arn:aws:*:1:user/a\"", "arn:aws:iam::1:user/a", false},
        {"ArnLike", "\"arn:aws:iam:*\"", "arn:aws:iam::1:user/a", false},
        {"ArnLike", "\"arn:*:*:*:*:*\"", "arn:aws:sns:us-east-1:1:a:b:c", true},
        {"ArnLike", "\"*\"", "arn:aws:iam::1:user/a", true},
        {"ArnLike", "\"*\"", "not an ARN", false},
        {"ArnLike", "\"arn:aws:iam::1:user/?\"", "arn:aws:iam::1:user/ab", false},
        {"ArnLike", "\"arn:aws:iam::1:user/a\"", "arn:aws:iam::1:user/A", false},
        {"ArnNotLike", "\"arn:aws:iam::1:*\"", "arn:aws:iam::1:user/a", false},
        {"ArnNotLike", "\"arn:aws:iam::1:*\"", "arn:aws:iam::2:user/a", true},
        {"ArnNotEquals", "\"arn:aws:iam::1:*\"", NULL, true},
        {"ArnEquals", "\"arn:aws:iam::1:*\"", NULL, false},
    };
    CHECK(cases);
    struct facts facts = FACTS(FACT("x:key", "arn:aws:iam::1:user/alice"), FACT("x:account", "1"),
                               FACT("x:me", "arn:aws:iam::1:user/alice"));
    CU_ASSERT(holds("\"ArnLike\":{\"x:key\":\"arn:aws:iam::${x:account}:user/*\"}", facts));
    CU_ASSERT(holds("\"ArnEquals\":{\"x:key\":\"${x:me}\"}", facts));
    CU_ASSERT(!holds("\"ArnEquals\":{\"x:key\":\"${x:none, 'arn:aws:iam::2:user/a'}\"}", facts));
}

static void null_tells_whether_the_key_is_there(void)
{
    static const struct condition_case cases[] = {
        {"Null", "\"true\"", NULL, true},
        {"Null", "\"true\"", "a", false},
        {"Null", "\"false\"", NULL, false},
        {"Null", "false", "a", true},
    };
    CHECK(cases);
}

static void if_exists_holds_for_what_is_not_there(void)
{
    static const struct condition_case cases[] = {
        {"StringEqualsIfExists", "\"a\"", NULL, true},
        {"StringEqualsIfExists", "\"a\"", "a", true},
        {"StringEqualsIfExists", "\"a\"", "b", false},
        {"BoolIfExists", "\"true\"", NULL, true},
        {"BoolIfExists", "\"true\"", "false", false},
        {"NumericLessThanIfExists", "\"3\"", NULL, true},
        {"IpAddressIfExists", "\"10.0.0.0/8\"", "11.0.0.1", false},
        {"ForAnyValue:StringEqualsIfExists", "\"a\"", NULL, true},
        {"ForAnyValue:StringEqualsIfExists", "\"a\"", "b", false},
    };
    CHECK(cases);
}

static void sets_are_compared_by_all_or_any_of_their_values(void)
{
    struct facts both = FACTS(FACT_MANY("x:key", "a", "b"));
    struct facts one = FACTS(FACT_MANY("x:key", "a"));
    CU_ASSERT(holds("\"ForAllValues:StringEquals\":{\"x:key\":[\"a\",\"b\",\"c\"]}", both));
    CU_ASSERT(!holds("\"ForAllValues:StringEquals\":{\"x:key\":[\"a\",\"c\"]}", both));
    CU_ASSERT(holds("\"ForAllValues:StringEquals\":{\"x:key\":[\"a\",\"c\"]}", one));
    CU_ASSERT(holds("\"ForAllValues:StringEquals\":{\"x:key\":\"a\"}", NO_FACTS));
    CU_ASSERT(holds("\"ForAnyValue:StringEquals\":{\"x:key\":[\"b\",\"c\"]}", both));
    CU_ASSERT(!holds("\"ForAnyValue:StringEquals\":{\"x:key\":[\"c\",\"d\"]}", both));
    CU_ASSERT(!holds("\"ForAnyValue:StringEquals\":{\"x:key\":\"a\"}", NO_FACTS));
    CU_ASSERT(!holds("\"ForAllValues:StringNotEquals\":{\"x:key\":[\"a\",\"c\"]}", both));
    CU_ASSERT(holds("\"ForAllValues:StringNotEquals\":{\"x:key\":[\"c\",\"d\"]}", both));
    CU_ASSERT(holds("\"ForAnyValue:StringNotEquals\":{\"x:key\":[\"a\",\"c\"]}", both));
    CU_ASSERT(!holds("\"ForAnyValue:StringNotEquals\":{\"x:key\":[\"a\",\"b\"]}", both));
    CU_ASSERT(!holds("\"ForAnyValue:StringNotEquals\":{\"x:key\":\"a\"}", NO_FACTS));
    CU_ASSERT(holds("\"ForAnyValue:StringLike\":{\"x:key\":\"?\"}", both));
    /* without a set operator: one must match, none may */
    CU_ASSERT(holds("\"StringEquals\":{\"x:key\":\"b\"}", both));
    CU_ASSERT(!holds("\"StringNotEquals\":{\"x:key\":\"b\"}", both));
}

static void all_operators_and_keys_must_hold(void)
{
    struct facts facts = FACTS(FACT("x:a", "1"), FACT("x:b", "2"));
    CU_ASSERT(holds("\"StringEquals\":{\"x:a\":\"1\",\"x:b\":\"2\"}", facts));
    CU_ASSERT(!holds("\"StringEquals\":{\"x:a\":\"1\",\"x:b\":\"3\"}", facts));
    CU_ASSERT(holds("\"StringEquals\":{\"x:a\":\"1\"},\"NumericLessThan\":{\"x:b\":3}", facts));
    CU_ASSERT(!holds("\"StringEquals\":{\"x:a\":\"1\"},\"NumericLessThan\":{\"x:b\":2}", facts));
    CU_ASSERT(holds("", facts));
}

static void names_of_keys_have_no_case(void)
{
    struct facts facts = FACTS(FACT("aws:SourceIp", "10.0.0.1"));
    CU_ASSERT(holds("\"IpAddress\":{\"AWS:sourceip\":\"10.0.0.0/8\"}", facts));
}

static void variables_stand_for_values_in_strings(void)
{
    struct facts facts = FACTS(FACT("x:key", "alice-1"), FACT("aws:username", "alice"),
                               FACT_MANY("x:list", "alice-1"));
    CU_ASSERT(holds("\"StringEquals\":{\"x:key\":\"${aws:username}-1\"}", facts));
    CU_ASSERT(holds("\"StringLike\":{\"x:key\":\"${aws:username}*\"}", facts));
    CU_ASSERT(!holds("\"StringEquals\":{\"x:key\":\"${aws:username}\"}", facts));
    CU_ASSERT(!holds("\"StringEquals\":{\"x:key\":\"${x:list}\"}", facts));
    CU_ASSERT(holds("\"StringEquals\":{\"x:key\":\"${x:none, 'alice-1'}\"}", facts));
    CU_ASSERT(holds("\"StringEquals\":{\"x:key\":[\"${x:none}\",\"alice-1\"]}", facts));
}

UNIT_SUITE("kms policy conditions",
           UNIT_CASE(strings_are_compared_with_and_without_case_and_by_pattern),
           UNIT_CASE(numbers_are_compared_as_numbers), UNIT_CASE(dates_are_compared_as_moments),
           UNIT_CASE(truth_values_are_compared), UNIT_CASE(bytes_are_compared),
           UNIT_CASE(addresses_are_in_their_networks), UNIT_CASE(arns_are_compared_part_by_part),
           UNIT_CASE(null_tells_whether_the_key_is_there),
           UNIT_CASE(if_exists_holds_for_what_is_not_there),
           UNIT_CASE(sets_are_compared_by_all_or_any_of_their_values),
           UNIT_CASE(all_operators_and_keys_must_hold), UNIT_CASE(names_of_keys_have_no_case),
           UNIT_CASE(variables_stand_for_values_in_strings));
