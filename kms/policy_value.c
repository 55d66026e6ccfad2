/* SPDX-License-Identifier: Apache-2.0 */
/* Values of conditions: numbers, moments, truth values, networks. Of policies and of requests. */
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kms/policy_tree.h"

bool policy_value_number(const char *text, double *out)
{
    char *end;
    size_t len = strlen(text);
    if (len == 0 || len > 64 || strspn(text, "+-.0123456789eE") != len)
        return false;
    *out = strtod(text, &end);
    return *end == 0 && isfinite(*out);
}

bool policy_value_bool(const char *text, bool *out)
{
    *out = strcasecmp(text, "true") == 0;
    return *out || strcasecmp(text, "false") == 0;
}

/* Digits of a fixed width; -1. */
static int digits(const char **at, int width)
{
    int value = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* Days since 1970 of a day of the Gregorian calendar. */
static long days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    long era = (y >= 0 ? y : y - 399) / 400;
    long year_of_era = y - era * 400;
    long day_of_year = (153L * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* "Z", "+hh:mm" or nothing, in seconds east. */
static bool parse_zone(const char *at, double *out)
{
    *out = 0;
    if (*at == 0 || strcasecmp(at, "Z") == 0)
        return true;
    int sign = *at == '-' ? -1 : 1;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    int hours = digits(&at, 2);
    at += *at == ':';
    int minutes = digits(&at, 2);
    *out = sign * (hours * 3600.0 + minutes * 60.0);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && *at == 0;
}

static bool skip(const char **at, char what)
{
    bool is_there = **at == what;
    *at += is_there;
    return is_there;
}

/* ISO 8601 as W3C's note has it: a year, a month, a day, or a moment. */
static bool parse_date(const char *at, double *out)
{
    int month = 1, day = 1, hour = 0, minute = 0;
    double second = 0, zone = 0;
    int year = digits(&at, 4);
    if (skip(&at, '-'))
        month = digits(&at, 2);
    if (skip(&at, '-'))
        day = digits(&at, 2);
    if (skip(&at, 'T') || skip(&at, 't')) {
        hour = digits(&at, 2);
        if (!skip(&at, ':'))
            return false;
        minute = digits(&at, 2);
        if (skip(&at, ':'))
            second = digits(&at, 2);
        if (*at == '.' && second >= 0)
            for (double part = 0.1; *++at >= '0' && *at <= '9'; part /= 10)
                second += part * (*at - '0');
    }
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 24 ||
        minute < 0 || minute > 59 || second < 0 || second >= 61 || !parse_zone(at, &zone))
        return false;
    *out =
        (double)days_of(year, month, day) * 86400 + hour * 3600.0 + minute * 60.0 + second - zone;
    return true;
}

/* A date, or seconds since 1970. */
bool policy_value_time(const char *text, double *out)
{
    size_t len = strlen(text);
    if (len > 4 && strspn(text, "0123456789.") == len)
        return policy_value_number(text, out);
    return parse_date(text, out);
}

/* IPv4 among IPv6: ::ffff:a.b.c.d */
#define V4_BITS 96U
static const uint8_t v4_prefix[V4_BITS / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool parse_host(const char *text, size_t len, struct policy_address *out, bool *out_is_v6)
{
    char host[INET6_ADDRSTRLEN + 1];
    struct in_addr v4;
    struct in6_addr v6;
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    *out = (struct policy_address){.prefix = 128};
    *out_is_v6 = inet_pton(AF_INET6, host, &v6) == 1;
    if (*out_is_v6) {
        memcpy(out->bytes, &v6, sizeof v6);
        return true;
    }
    if (inet_pton(AF_INET, host, &v4) != 1)
        return false;
    memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
    memcpy(out->bytes + 12, &v4, sizeof v4);
    return true;
}

/* "203.0.113.0/24", "2001:db8::/32", or one address. */
bool policy_value_network(const char *text, struct policy_address *out)
{
    bool is_v6;
    size_t len = strcspn(text, "/");
    if (!parse_host(text, len, out, &is_v6))
        return false;
    if (text[len] == 0)
        return true;
    const char *bits = text + len + 1;
    size_t count = strspn(bits, "0123456789");
    unsigned long prefix =
        count == 0 || count > 3 || bits[count] != 0 ? 999 : strtoul(bits, NULL, 10);
    if (prefix > (is_v6 ? 128U : 32U))
        return false;
    out->prefix = (unsigned)prefix + (is_v6 ? 0 : V4_BITS);
    return true;
}

bool policy_value_in_network(const struct policy_address *network, const char *text)
{
    struct policy_address address;
    bool is_v6;
    if (!parse_host(text, strlen(text), &address, &is_v6))
        return false;
    bool is_v4 = bytes_equal(bytes_of(address.bytes, sizeof v4_prefix),
                             bytes_of(v4_prefix, sizeof v4_prefix));
    if (network->prefix < V4_BITS && is_v4)
        return false; /* "::/0" is of IPv6 alone */
    size_t whole = network->prefix / 8;
    if (!bytes_equal(bytes_of(network->bytes, whole), bytes_of(address.bytes, whole)))
        return false;
    unsigned rest = network->prefix % 8;
    return rest == 0 ||
           (network->bytes[whole] >> (8 - rest)) == (address.bytes[whole] >> (8 - rest));
}

bool policy_value_is_base64(const char *text)
{
    size_t len = strlen(text);
    size_t body = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return len % 4 == 0 && len - body <= 2 && strspn(text + body, "=") == len - body;
}
