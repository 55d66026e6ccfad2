/* SPDX-License-Identifier: Apache-2.0 */
/* Reads forms (WHATWG URL 5.1), and names of lists' members. */
#include "kms/iam_form.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 6U

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false for a NUL. */
static bool decode(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        char c = *at;
        if (c == '+')
            c = ' ';
        int high = c == '%' ? hex_digit(at[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(at[2]);
        if (low >= 0) {
            c = (char)(high * 16 + low);
            at += 2;
        }
        if (c == '\0')
            return false;
        *out++ = c;
    }
    *out = '\0';
    return true;
}

static bool add_item(struct iam_form *form, char *pair)
{
    if (*pair == '\0')
        return true;
    char *equals = strchr(pair, '=');
    if (equals != NULL)
        *equals = '\0';
    char *value = equals == NULL ? pair + strlen(pair) : equals + 1;
    if (form->count == IAM_FORM_MAX || !decode(pair) || !decode(value))
        return false;
    form->items[form->count].name = pair;
    form->items[form->count].value = value;
    form->count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct iam_parameter *left = a, *right = b;
    return strcmp(left->name, right->name);
}

bool iam_form_parse(struct bytes text, struct iam_form *out)
{
    out->count = 0;
    out->text = (struct buf)BUF_INIT;
    bool has_nul = text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
    if (has_nul || buf_append(&out->text, text) != RC_OK || buf_put_u8(&out->text, 0) != RC_OK)
        return false;
    char *at = (char *)out->text.ptr;
    while (at != NULL) {
        char *next = strchr(at, '&');
        if (next != NULL)
            *next++ = '\0';
        if (!add_item(out, at))
            return false;
        at = next;
    }
    qsort(out->items, out->count, sizeof out->items[0], by_name);
    return true;
}

void iam_form_clear(struct iam_form *form)
{
    buf_clear(&form->text);
    form->count = 0;
}

const char *iam_form_get(const struct iam_form *form, const char *name)
{
    const struct iam_parameter wanted = {.name = name};
    const struct iam_parameter *found =
        bsearch(&wanted, form->items, form->count, sizeof form->items[0], by_name);
    return found == NULL ? NULL : found->value;
}

static int begins_with(const void *prefix, const void *item)
{
    const struct iam_parameter *parameter = item;
    const struct bytes *wanted = prefix;
    return strncmp((const char *)wanted->ptr, parameter->name, wanted->len);
}

/* The member before that one, or a part of it. */
static bool has_before(const struct iam_form *form, const char *name, size_t list_len,
                       unsigned long number)
{
    AUTO_BUF prefix = BUF_INIT;
    if (buf_printf(&prefix, "%.*s%lu", (int)list_len, name, number - 1) != RC_OK)
        return false;
    const char *exact = buf_str(&prefix);
    if (iam_form_get(form, exact) != NULL)
        return true;
    if (buf_put_u8(&prefix, '.') != RC_OK)
        return false;
    const struct bytes wanted = buf_bytes(&prefix);
    return bsearch(&wanted, form->items, form->count, sizeof form->items[0], begins_with) != NULL;
}

/* Of "Tags.member.2.Key" whether there is a Tags.member.1 too; numbers as they are counted. */
static bool is_in_list(const struct iam_form *form, const char *name)
{
    static const char member[] = ".member.";
    for (const char *at = strstr(name, member); at != NULL; at = strstr(at, member)) {
        char *end = NULL;
        at += sizeof member - 1;
        unsigned long number = strtoul(at, &end, 10);
        if (*at < '1' || *at > '9' || number > IAM_FORM_MAX || (*end != '\0' && *end != '.') ||
            (number > 1 && !has_before(form, name, (size_t)(at - name), number)))
            return false;
    }
    return true;
}

enum kms_error iam_form_check(const struct iam_form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        const char *name = form->items[i].name;
        if (i > 0 && strcmp(name, form->items[i - 1].name) == 0)
            return kms_fail(KMS_VALIDATION, "The parameter %.64s is given more than once.", name);
        if (!is_in_list(form, name))
            return kms_fail(KMS_VALIDATION,
                            "The parameter %.64s has no member before it: the members of a list "
                            "are numbered from 1 without a gap.",
                            name);
    }
    return KMS_OK;
}

const char *iam_form_member(const struct iam_form *form, const char *list, size_t number,
                            const char *part)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s.member.%zu%s%s", list, number, *part == '\0' ? "" : ".",
                   part);
    return iam_form_get(form, name);
}

size_t iam_form_count(const struct iam_form *form, const char *list, const char *part)
{
    size_t count = 0;
    while (iam_form_member(form, list, count + 1, part) != NULL)
        count++;
    return count;
}

/* ---- for the trail */

/* Lists are as long as their last member's number, and parameters come in any order: what is put
 * into lists is counted, so that a form without most of their members cannot make more than an
 * honest one of as many parameters does. */
struct trail {
    json_t *root;
    size_t room;
};

static json_t *list_item(struct trail *trail, json_t *list, const char *part)
{
    size_t index = (size_t)strtoul(part, NULL, 10), size = json_array_size(list);
    if (index == 0 || index > IAM_FORM_MAX || (index > size && index - size > trail->room))
        return NULL;
    for (; size < index; size++, trail->room--)
        if (json_array_append_new(list, json_object()) != 0)
            return NULL;
    return json_array_get(list, index - 1);
}

/* "Tags", "member", "1", "Key": "member" is passed over, numbers are places in a list. */
static json_t *child(struct trail *trail, json_t *at, const char *part, bool is_list)
{
    if (json_is_array(at))
        return list_item(trail, at, part);
    json_t *found = json_object_get(at, part);
    if (found == NULL && json_object_set_new(at, part, is_list ? json_array() : json_object()) == 0)
        found = json_object_get(at, part);
    return found;
}

static void set_leaf(struct trail *trail, json_t *at, const char *part, const char *value)
{
    json_t *text = json_string(value);
    if (json_is_object(at))
        (void)json_object_set_new(at, part, text);
    else if (json_is_array(at) && list_item(trail, at, part) != NULL)
        (void)json_array_set_new(at, (size_t)strtoul(part, NULL, 10) - 1, text);
    else
        json_decref(text);
}

static void put(struct trail *trail, const char *name, const char *value)
{
    char parts[128];
    char *names[DEPTH_MAX], *rest = parts;
    size_t count = 0;
    if (snprintf(parts, sizeof parts, "%s", name) >= (int)sizeof parts)
        return;
    while (rest != NULL && count < DEPTH_MAX) {
        names[count] = strsep(&rest, ".");
        names[count][0] = (char)tolower((unsigned char)names[count][0]);
        count++;
    }
    json_t *at = trail->root;
    for (size_t i = 0; at != NULL && i + 1 < count; i++) {
        bool is_list = strcmp(names[i + 1], "member") == 0;
        if (strcmp(names[i], "member") != 0)
            at = child(trail, at, names[i], is_list);
    }
    if (at != NULL)
        set_leaf(trail, at, names[count - 1], value);
}

/* One-time passwords, and what the record says elsewhere. */
static bool is_hidden(const char *name)
{
    static const char *const hidden[] = {"Action", "Version", "TokenCode", "AuthenticationCode1",
                                         "AuthenticationCode2"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (strcmp(name, hidden[i]) == 0)
            return true;
    return strncmp(name, "X-Amz-", 6) == 0;
}

json_t *iam_form_trail(const struct iam_form *form)
{
    struct trail trail = {.root = json_object(), .room = form->count * DEPTH_MAX / 2};
    for (size_t i = 0; trail.root != NULL && i < form->count; i++)
        if (!is_hidden(form->items[i].name))
            put(&trail, form->items[i].name, form->items[i].value);
    return trail.root;
}
