/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of members: JSON types, then constraints, in AWS's words. */
#include "kms/members.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>

#include "common/buf.h"
#include "kms/pattern.h"

#define SHOWN_MAX  1024U /* bytes of a value that a text repeats */
#define ERRORS_MAX 32U

void member_camel(const char *name, char out[MEMBER_NAME_MAX])
{
    (void)snprintf(out, MEMBER_NAME_MAX, "%s", name);
    out[0] = (char)tolower((unsigned char)out[0]);
}

/* ---- types */

static const char *value_kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return "STRING_VALUE";
    case JSON_INTEGER:
    case JSON_REAL:
        return "NUMBER_VALUE";
    case JSON_TRUE:
        return "TRUE_VALUE";
    case JSON_FALSE:
        return "FALSE_VALUE";
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL:
    default:
        return "NULL_VALUE";
    }
}

static enum kms_error unlike(const json_t *value, const char *wanted)
{
    if (json_is_object(value))
        return kms_fail(KMS_SERIALIZATION, "Start of structure or map found where not expected.");
    if (json_is_array(value))
        return kms_fail(KMS_SERIALIZATION, "Start of list found where not expected");
    return kms_fail(KMS_SERIALIZATION, "%s can not be converted to %s", value_kind(value), wanted);
}

static enum kms_error unlike_list(const json_t *value)
{
    if (json_is_object(value))
        return kms_fail(KMS_SERIALIZATION, "Start of structure or map found where not expected.");
    return kms_fail(KMS_SERIALIZATION, "Expected list or null");
}

static enum kms_error check_strings(const json_t *list)
{
    if (!json_is_array(list))
        return unlike_list(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item) && !json_is_null(item))
            return unlike(item, "a String");
    }
    return KMS_OK;
}

static enum kms_error check_map(const json_t *map)
{
    if (!json_is_object(map))
        return kms_fail(KMS_SERIALIZATION, "Expected map or null");
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        if (!json_is_string(value) && !json_is_null(value))
            return unlike(value, "a String");
    }
    return KMS_OK;
}

static enum kms_error check_tag_part(const json_t *tag, const char *name)
{
    const json_t *part = json_object_get(tag, name);
    if (part == NULL || json_is_string(part) || json_is_null(part))
        return KMS_OK;
    return unlike(part, "a String");
}

static enum kms_error check_tags(const json_t *list)
{
    if (!json_is_array(list))
        return unlike_list(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tag = json_array_get(list, i);
        if (!json_is_object(tag))
            return kms_fail(KMS_SERIALIZATION, "Expected structure or null");
        KMS_TRY(check_tag_part(tag, "TagKey"));
        KMS_TRY(check_tag_part(tag, "TagValue"));
    }
    return KMS_OK;
}

static enum kms_error check_int(const json_t *value)
{
    if (!json_is_integer(value))
        return unlike(value, "an Integer");
    json_int_t number = json_integer_value(value);
    if (number < INT_MIN || number > INT_MAX)
        return kms_fail(KMS_SERIALIZATION, "NUMBER_VALUE can not be converted to an Integer");
    return KMS_OK;
}

/* RFC 4648 3.5: what the last character has beyond the last byte is zero, or decoding refuses it.
 */
static bool has_spare_bits(char last, size_t padding)
{
    static const char *const clean[] = {NULL, "AEIMQUYcgkosw048", "AQgw"};
    return padding > 0 && padding <= 2 && strchr(clean[padding], last) == NULL;
}

/* Bytes of a base64 text, -1 when it is none (RFC 4648 4). */
static long decoded_len(const char *text, size_t len)
{
    if (len % 4 != 0)
        return -1;
    size_t padding = 0;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < len - padding; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!is_known)
            return -1;
    }
    if (len > 0 && has_spare_bits(text[len - padding - 1], padding))
        return -1;
    return (long)(len / 4 * 3 - padding);
}

static enum kms_error check_blob(const json_t *value)
{
    if (!json_is_string(value))
        return unlike(value, "a ByteBuffer");
    if (decoded_len(json_string_value(value), json_string_length(value)) < 0)
        return kms_fail(KMS_SERIALIZATION, "A blob is not valid base64");
    return KMS_OK;
}

static enum kms_error check_type(const struct member *member, const json_t *value)
{
    switch (member->type) {
    case MEMBER_STRING:
        return json_is_string(value) ? KMS_OK : unlike(value, "a String");
    case MEMBER_BLOB:
        return check_blob(value);
    case MEMBER_BOOL:
        return json_is_boolean(value) ? KMS_OK : unlike(value, "a Boolean");
    case MEMBER_INT:
        return check_int(value);
    case MEMBER_TIME:
        return json_is_number(value) ? KMS_OK : unlike(value, "a Timestamp");
    case MEMBER_STRINGS:
        return check_strings(value);
    case MEMBER_MAP:
        return check_map(value);
    case MEMBER_TAGS:
        return check_tags(value);
    case MEMBER_STRUCT:
    default:
        return json_is_object(value) ? KMS_OK
                                     : kms_fail(KMS_SERIALIZATION, "Expected structure or null");
    }
}

/* ---- constraints */

/* What is wrong, one after another: "Value 'x' at 'y' failed to satisfy constraint: …; …". */
struct errors {
    struct buf text;
    size_t count;
};

/* A whole number of UTF-8 characters of at most SHOWN_MAX bytes. */
static int shown_len(const char *text)
{
    size_t len = strlen(text);
    if (len <= SHOWN_MAX)
        return (int)len;
    len = SHOWN_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return (int)len;
}

/* `value` NULL: null. */
static void add(struct errors *errors, const struct member *member, const char *path,
                const char *value, const char *constraint)
{
    if (errors->count++ >= ERRORS_MAX)
        return;
    const char *lead = errors->count == 1 ? "" : "; ";
    if (value == NULL)
        (void)buf_printf(&errors->text, "%sValue null at '%s' failed to satisfy constraint: %s",
                         lead, path, constraint);
    else if (member->is_secret)
        (void)buf_printf(&errors->text, "%sValue at '%s' failed to satisfy constraint: %s", lead,
                         path, constraint);
    else
        (void)buf_printf(&errors->text, "%sValue '%.*s' at '%s' failed to satisfy constraint: %s",
                         lead, shown_len(value), value, path, constraint);
}

/* As Java counts: a character beyond the first plane is two. */
static long length_of(const char *text)
{
    long count = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        count += (*c & 0xc0) == 0x80 ? 0 : *c >= 0xf0 ? 2 : 1;
    return count;
}

static void check_length(struct errors *errors, const struct member *member, const char *path,
                         const char *value, long len)
{
    char text[96];
    const char *what = member->type == MEMBER_INT ? "value" : "length";
    if (member->max == 0 && member->min == 0)
        return;
    if (member->max != 0 && len > member->max) {
        (void)snprintf(text, sizeof text, "Member must have %s less than or equal to %ld", what,
                       member->max);
        add(errors, member, path, value, text);
    }
    if (len < member->min) {
        (void)snprintf(text, sizeof text, "Member must have %s greater than or equal to %ld", what,
                       member->min);
        add(errors, member, path, value, text);
    }
}

static bool is_choice(const char *const *choices, const char *value)
{
    for (; *choices != NULL; choices++)
        if (strcmp(*choices, value) == 0)
            return true;
    return false;
}

static void put_choices(struct buf *out, const char *const *choices)
{
    (void)buf_printf(out, "Member must satisfy enum value set: [");
    for (size_t i = 0; choices[i] != NULL; i++)
        (void)buf_printf(out, "%s%s", i == 0 ? "" : ", ", choices[i]);
    (void)buf_printf(out, "]");
}

static void check_string(struct errors *errors, const struct member *member, const char *path,
                         const char *value)
{
    if (member->pattern != NULL && !pattern_matches(member->pattern, value)) {
        AUTO_BUF text = BUF_INIT;
        (void)buf_printf(&text, "Member must satisfy regular expression pattern: %s",
                         member->pattern_text == NULL ? member->pattern : member->pattern_text);
        add(errors, member, path, value, buf_str(&text));
    }
    check_length(errors, member, path, value, length_of(value));
    if (member->choices != NULL && !is_choice(member->choices, value)) {
        AUTO_BUF text = BUF_INIT;
        put_choices(&text, member->choices);
        add(errors, member, path, value, buf_str(&text));
    }
}

/* "[a, b]" */
static void put_list(struct buf *out, const json_t *list)
{
    (void)buf_printf(out, "[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        (void)buf_printf(out, "%s%s", i == 0 ? "" : ", ", item == NULL ? "null" : item);
    }
    (void)buf_printf(out, "]");
}

static bool is_item_good(const struct member *member, const json_t *item)
{
    const char *value = json_string_value(item);
    if (value == NULL)
        return false;
    if (member->choices != NULL && !is_choice(member->choices, value))
        return false;
    return member->item_max == 0 || (value[0] != '\0' && length_of(value) <= member->item_max);
}

static void check_items(struct errors *errors, const struct member *member, const char *path,
                        const json_t *list)
{
    AUTO_BUF shown = BUF_INIT;
    put_list(&shown, list);
    check_length(errors, member, path, buf_str(&shown), (long)json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (is_item_good(member, json_array_get(list, i)))
            continue;
        AUTO_BUF text = BUF_INIT;
        (void)buf_printf(&text, "Member must satisfy constraint: [");
        if (member->choices != NULL)
            put_choices(&text, member->choices);
        else
            (void)buf_printf(&text,
                             "Member must have length less than or equal to %ld, Member must have "
                             "length greater than or equal to 1",
                             member->item_max);
        (void)buf_printf(&text, "]");
        add(errors, member, path, buf_str(&shown), buf_str(&text));
        return;
    }
}

static void check_entries(struct errors *errors, const struct member *member, const char *path,
                          const json_t *map)
{
    long total = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        if (json_is_null(value)) {
            add(errors, member, path, NULL, "Map value must not be null");
            return;
        }
        total += (long)strlen(name) + (long)json_string_length(value);
    }
    if (member->max != 0 && total > member->max)
        check_length(errors, member, path, "{...}", total);
}

static void check_tag(struct errors *errors, const char *path, size_t index, const json_t *tag,
                      const struct member *part)
{
    char name[MEMBER_NAME_MAX];
    char whole[2 * MEMBER_NAME_MAX + 32];
    member_camel(part->name, name);
    (void)snprintf(whole, sizeof whole, "%s.%zu.member.%s", path, index + 1, name);
    const char *value = json_string_value(json_object_get(tag, part->name));
    if (value == NULL)
        add(errors, part, whole, NULL, "Member must not be null");
    else
        check_length(errors, part, whole, value, length_of(value));
}

static void check_tag_list(struct errors *errors, const char *path, const json_t *list)
{
    static const struct member parts[] = {
        {.name = "TagKey", .type = MEMBER_STRING, .min = 1, .max = 128},
        {.name = "TagValue", .type = MEMBER_STRING, .min = 0, .max = 256},
    };
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t part = 0; part < 2; part++)
            check_tag(errors, path, i, json_array_get(list, i), &parts[part]);
}

static void check_number(struct errors *errors, const struct member *member, const char *path,
                         const json_t *value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    check_length(errors, member, path, text, (long)json_integer_value(value));
}

static void check_bytes(struct errors *errors, const struct member *member, const char *path,
                        const json_t *value)
{
    char text[96];
    long len = decoded_len(json_string_value(value), json_string_length(value));
    (void)snprintf(text, sizeof text, "java.nio.HeapByteBuffer[pos=0 lim=%ld cap=%ld]", len, len);
    check_length(errors, member, path, text, len);
}

static void check_value(struct errors *errors, const struct member *member, const json_t *value)
{
    char path[MEMBER_NAME_MAX];
    member_camel(member->name, path);
    switch (member->type) {
    case MEMBER_STRING:
        check_string(errors, member, path, json_string_value(value));
        break;
    case MEMBER_BLOB:
        check_bytes(errors, member, path, value);
        break;
    case MEMBER_INT:
        check_number(errors, member, path, value);
        break;
    case MEMBER_STRINGS:
        check_items(errors, member, path, value);
        break;
    case MEMBER_MAP:
        check_entries(errors, member, path, value);
        break;
    case MEMBER_TAGS:
        check_tag_list(errors, path, value);
        break;
    case MEMBER_BOOL:
    case MEMBER_TIME:
    case MEMBER_STRUCT:
    default:
        break;
    }
}

static void check_required(struct errors *errors, const struct member *member)
{
    char path[MEMBER_NAME_MAX];
    if (!member->is_required)
        return;
    member_camel(member->name, path);
    add(errors, member, path, NULL, "Member must not be null");
}

enum kms_error members_check(const struct member *members, size_t count, const json_t *in)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(in, members[i].name);
        if (value != NULL && !json_is_null(value))
            KMS_TRY(check_type(&members[i], value));
    }
    struct errors errors = {.text = BUF_INIT};
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(in, members[i].name);
        if (value == NULL || json_is_null(value))
            check_required(&errors, &members[i]);
        else
            check_value(&errors, &members[i], value);
    }
    if (errors.count == 0)
        return KMS_OK;
    enum kms_error error =
        kms_fail(KMS_VALIDATION, "%zu validation error%s detected: %s", errors.count,
                 errors.count == 1 ? "" : "s", buf_str(&errors.text));
    buf_clear(&errors.text);
    return error;
}
