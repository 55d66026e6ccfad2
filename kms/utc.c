/* SPDX-License-Identifier: Apache-2.0 */
/* The proleptic Gregorian calendar in years that begin in March, so that leap days come last. */
#include "kms/utc.h"

#include <string.h>

#define ERA_DAYS   146097U /* 400 years */
#define EPOCH_DAYS 719468U /* from 0000-03-01 to 1970-01-01 */

struct utc {
    unsigned year, month, day, hour, minute, second;
};

static void split(uint64_t time_ms, struct utc *out)
{
    uint64_t seconds = time_ms / 1000;
    uint64_t days = seconds / 86400 + EPOCH_DAYS;
    unsigned rest = (unsigned)(seconds % 86400);
    unsigned of_era = (unsigned)(days % ERA_DAYS);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153; /* 0: March */
    out->day = of_year - (153 * month + 2) / 5 + 1;
    out->month = month < 10 ? month + 3 : month - 9;
    out->year = year + (unsigned)(days / ERA_DAYS) * 400 + (out->month <= 2);
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;
}

static uint64_t join(const struct utc *in)
{
    unsigned year = in->year - (in->month <= 2);
    unsigned month = in->month > 2 ? in->month - 3 : in->month + 9;
    unsigned of_year = (153 * month + 2) / 5 + in->day - 1;
    unsigned of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    uint64_t days = (uint64_t)(year / 400) * ERA_DAYS + of_era - EPOCH_DAYS;
    return (days * 86400 + in->hour * 3600 + in->minute * 60 + in->second) * 1000;
}

/* Each letter of `shape` takes a digit: Y M D h m s. */
static void print(uint64_t time_ms, const char *shape, char out[UTC_LEN])
{
    struct utc utc;
    size_t len = strlen(shape);
    split(time_ms, &utc);
    unsigned left[] = {utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second};
    static const char letters[] = "YMDhms";
    memcpy(out, shape, len + 1);
    for (size_t i = len; i-- > 0;) {
        const char *letter = strchr(letters, shape[i]);
        if (letter == NULL)
            continue;
        unsigned *value = &left[letter - letters];
        out[i] = (char)('0' + *value % 10);
        *value /= 10;
    }
}

static const char long_shape[] = "YYYY-MM-DDThh:mm:ssZ";
static const char short_shape[] = "YYYYMMDDThhmmssZ";

void utc_print(uint64_t time_ms, char out[UTC_LEN])
{
    print(time_ms, long_shape, out);
}

void utc_print_compact(uint64_t time_ms, char out[UTC_LEN])
{
    print(time_ms, short_shape, out);
}

static bool read_shape(const char *text, const char *shape, struct utc *out)
{
    static const char letters[] = "YMDhms";
    unsigned values[6] = {0};
    if (strlen(text) != strlen(shape))
        return false;
    for (size_t i = 0; shape[i] != '\0'; i++) {
        const char *letter = strchr(letters, shape[i]);
        if (letter == NULL && text[i] != shape[i])
            return false;
        if (letter == NULL)
            continue;
        if (text[i] < '0' || text[i] > '9')
            return false;
        values[letter - letters] = values[letter - letters] * 10 + (unsigned)(text[i] - '0');
    }
    *out = (struct utc){values[0], values[1], values[2], values[3], values[4], values[5]};
    return true;
}

bool utc_parse(const char *text, uint64_t *out_ms)
{
    struct utc utc;
    char again[UTC_LEN];
    const char *shape = strlen(text) == sizeof long_shape - 1 ? long_shape : short_shape;
    if (!read_shape(text, shape, &utc) || utc.year < 1970 || utc.month == 0 || utc.month > 12 ||
        utc.day == 0)
        return false;
    uint64_t time_ms = join(&utc);
    print(time_ms, shape, again); /* only what comes back the same is a time */
    if (strcmp(again, text) != 0)
        return false;
    *out_ms = time_ms;
    return true;
}
