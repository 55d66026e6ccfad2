/* SPDX-License-Identifier: Apache-2.0 */
/* Times of signatures: ISO 8601 basic format in UTC, and RFC 9110's IMF-fixdate for Date. */
#include <string.h>
#include <time.h>

#include "kms/sigv4_internal.h"

static bool digits(const char *text, size_t count, int *out)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

/* timegm() makes the 31st of February the 3rd of March: only what comes back the same is a date. */
static bool to_ms(const struct tm *given, uint64_t *out_ms)
{
    struct tm copy = *given;
    time_t seconds = timegm(&copy);
    if (seconds < 0 || copy.tm_year != given->tm_year || copy.tm_mon != given->tm_mon ||
        copy.tm_mday != given->tm_mday || copy.tm_hour != given->tm_hour ||
        copy.tm_min != given->tm_min || copy.tm_sec != given->tm_sec)
        return false;
    *out_ms = (uint64_t)seconds * 1000;
    return true;
}

static bool parse_basic(const char *text, struct tm *out)
{
    if (strlen(text) != SIGV4_TIME_LEN - 1 || text[8] != 'T' || text[15] != 'Z')
        return false;
    bool good = digits(text, 4, &out->tm_year) && digits(text + 4, 2, &out->tm_mon) &&
                digits(text + 6, 2, &out->tm_mday) && digits(text + 9, 2, &out->tm_hour) &&
                digits(text + 11, 2, &out->tm_min) && digits(text + 13, 2, &out->tm_sec);
    out->tm_year -= 1900;
    out->tm_mon -= 1;
    return good;
}

/* "Sun, 22 Nov 2026 13:40:00 GMT", whatever the locale. */
static bool parse_http(const char *text, struct tm *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    if (strlen(text) != 29 || strcmp(text + 25, " GMT") != 0 || text[3] != ',' || text[4] != ' ' ||
        text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
        return false;
    memcpy(month, text + 8, 3);
    month[3] = 0;
    const char *at = strstr(months, month);
    if (at == NULL || (at - months) % 3 != 0)
        return false;
    out->tm_mon = (int)(at - months) / 3;
    bool good = digits(text + 5, 2, &out->tm_mday) && digits(text + 12, 4, &out->tm_year) &&
                digits(text + 17, 2, &out->tm_hour) && digits(text + 20, 2, &out->tm_min) &&
                digits(text + 23, 2, &out->tm_sec);
    out->tm_year -= 1900;
    return good;
}

bool sigv4_time_parse(const char *text, uint64_t *out_ms)
{
    struct tm parts = {.tm_isdst = 0};
    if (!parse_basic(text, &parts)) {
        parts = (struct tm){.tm_isdst = 0};
        if (!parse_http(text, &parts))
            return false;
    }
    return to_ms(&parts, out_ms);
}

static char *put_digits(char *out, int value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + count;
}

/* By hand: it is done for every request. */
void sigv4_time_print(uint64_t time_ms, char out[SIGV4_TIME_LEN])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL)
        parts = (struct tm){.tm_mday = 1};
    out = put_digits(out, parts.tm_year + 1900, 4);
    out = put_digits(out, parts.tm_mon + 1, 2);
    out = put_digits(out, parts.tm_mday, 2);
    *out++ = 'T';
    out = put_digits(out, parts.tm_hour, 2);
    out = put_digits(out, parts.tm_min, 2);
    out = put_digits(out, parts.tm_sec, 2);
    *out++ = 'Z';
    *out = 0;
}
