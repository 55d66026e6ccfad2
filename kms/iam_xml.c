/* SPDX-License-Identifier: Apache-2.0 */
/* Writes XML (XML 1.0 2.4: what must be escaped, 2.2: what must not be there at all). */
#include "kms/iam_xml.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "kms/utc.h"

static void put(struct iam_xml *xml, const char *text, size_t len)
{
    if (!xml->has_failed && buf_append(xml->out, bytes_of(text, len)) != RC_OK)
        xml->has_failed = true;
}

static void put_str(struct iam_xml *xml, const char *text)
{
    put(xml, text, strlen(text));
}

void iam_xml_open(struct iam_xml *xml, const char *name)
{
    put_str(xml, "<");
    put_str(xml, name);
    put_str(xml, ">");
}

void iam_xml_close(struct iam_xml *xml, const char *name)
{
    put_str(xml, "</");
    put_str(xml, name);
    put_str(xml, ">");
}

static const char *escape_of(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#13;";
    case '\n':
    case '\t':
        return NULL;
    default:
        return (unsigned char)c < 0x20 ? "?" : NULL;
    }
}

void iam_xml_text(struct iam_xml *xml, const char *name, const char *value)
{
    iam_xml_open(xml, name);
    const char *from = value;
    for (const char *at = value; *at != '\0'; at++) {
        const char *escape = escape_of(*at);
        if (escape == NULL)
            continue;
        put(xml, from, (size_t)(at - from));
        put_str(xml, escape);
        from = at + 1;
    }
    put_str(xml, from);
    iam_xml_close(xml, name);
}

void iam_xml_text_if(struct iam_xml *xml, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        iam_xml_text(xml, name, value);
}

void iam_xml_number(struct iam_xml *xml, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    iam_xml_text(xml, name, text);
}

void iam_xml_bool(struct iam_xml *xml, const char *name, bool value)
{
    iam_xml_text(xml, name, value ? "true" : "false");
}

void iam_xml_time(struct iam_xml *xml, const char *name, uint64_t time_ms)
{
    char text[UTC_LEN];
    utc_print(time_ms, text);
    iam_xml_text(xml, name, text);
}

void iam_xml_policy(struct iam_xml *xml, const char *name, const char *text)
{
    iam_xml_open(xml, name);
    for (; *text != '\0'; text++) {
        char code[4];
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && (isalnum(c) || strchr("-_.~", c) != NULL))
            (void)snprintf(code, sizeof code, "%c", c);
        else
            (void)snprintf(code, sizeof code, "%%%02X", c);
        put_str(xml, code);
    }
    iam_xml_close(xml, name);
}
