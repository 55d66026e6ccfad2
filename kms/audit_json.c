/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text, written straight into a buf: cheaper than a tree for each record. */
#include <stdio.h>

#include "kms/audit_internal.h"

#define DEPTH_MAX 16U

static void put(struct audit_json *json, const void *text, size_t len)
{
    struct buf *out = json->out;
    if (out->ptr != NULL && out->cap - out->len >= len) { /* nearly always */
        memcpy(out->ptr + out->len, text, len);
        out->len += len;
    } else if (buf_append(out, bytes_of(text, len)) != RC_OK)
        json->has_failed = true;
}

void audit_json_raw(struct audit_json *json, const char *text)
{
    put(json, text, strlen(text));
}

/* Stands for itself in a string. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Length of a well-formed sequence (RFC 3629 4); 0: none. */
static size_t sequence_len(const uint8_t *at)
{
    uint8_t least = 0x80, most = 0xbf;
    size_t len = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
    if (*at < 0xc2 || *at > 0xf4)
        return 0;
    if (*at == 0xe0)
        least = 0xa0;
    else if (*at == 0xed)
        most = 0x9f;
    else if (*at == 0xf0)
        least = 0x90;
    else if (*at == 0xf4)
        most = 0x8f;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static size_t put_special(struct audit_json *json, const uint8_t *at)
{
    char text[8];
    if (*at == '"' || *at == '\\')
        (void)snprintf(text, sizeof text, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f)
        (void)snprintf(text, sizeof text, "\\u%04x", *at);
    else
        (void)snprintf(text, sizeof text, "\\ufffd");
    audit_json_raw(json, text);
    return 1;
}

void audit_json_string(struct audit_json *json, const char *text)
{
    const uint8_t *from = (const uint8_t *)text, *at = from;
    put(json, "\"", 1);
    while (*at != 0) {
        while (is_plain(*at))
            at++;
        bool is_special = *at < 0x80;
        size_t len = is_special ? 0 : sequence_len(at);
        if (*at == 0)
            break;
        if (len > 0) {
            at += len;
            continue;
        }
        put(json, from, (size_t)(at - from));
        at += put_special(json, at);
        from = at;
    }
    put(json, from, (size_t)(at - from));
    put(json, "\"", 1);
}

static void put_value(struct audit_json *json, const json_t *value, bool is_lower, unsigned depth);

static bool is_context(const char *name)
{
    return strstr(name, "EncryptionContext") != NULL || strstr(name, "encryptionContext") != NULL;
}

static void put_name(struct audit_json *json, const char *name, bool is_lower)
{
    char small[64];
    if (!is_lower || name[0] < 'A' || name[0] > 'Z' || strlen(name) >= sizeof small) {
        audit_json_string(json, name);
        return;
    }
    (void)snprintf(small, sizeof small, "%s", name);
    small[0] = (char)(name[0] - 'A' + 'a');
    audit_json_string(json, small);
}

static void put_object(struct audit_json *json, const json_t *value, bool is_lower, unsigned depth)
{
    const char *name, *comma = "{";
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        audit_json_raw(json, comma);
        put_name(json, name, is_lower);
        audit_json_raw(json, ":");
        put_value(json, member, is_lower && !is_context(name), depth + 1);
        comma = ",";
    }
    audit_json_raw(json, *comma == '{' ? "{}" : "}");
}

static void put_array(struct audit_json *json, const json_t *value, bool is_lower, unsigned depth)
{
    audit_json_raw(json, "[");
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i > 0)
            audit_json_raw(json, ",");
        put_value(json, json_array_get(value, i), is_lower, depth + 1);
    }
    audit_json_raw(json, "]");
}

static void put_number(struct audit_json *json, const json_t *value)
{
    char text[40];
    if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        (void)snprintf(text, sizeof text, "%.17g", json_real_value(value));
    audit_json_raw(json, text);
}

static void put_value(struct audit_json *json, const json_t *value, bool is_lower, unsigned depth)
{
    if (depth > DEPTH_MAX || json_is_null(value) || value == NULL)
        audit_json_raw(json, "null");
    else if (json_is_string(value))
        audit_json_string(json, json_string_value(value));
    else if (json_is_object(value))
        put_object(json, value, is_lower, depth);
    else if (json_is_array(value))
        put_array(json, value, is_lower, depth);
    else if (json_is_boolean(value))
        audit_json_raw(json, json_is_true(value) ? "true" : "false");
    else
        put_number(json, value);
}

void audit_json_value(struct audit_json *json, const json_t *value)
{
    put_value(json, value, true, 0);
}
