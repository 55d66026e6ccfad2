/* SPDX-License-Identifier: Apache-2.0 */
/* Reads such lines. */
#include "tests/fuzz/http_input.h"

#include <string.h>

/* Up to the newline, which becomes the end. */
static char *take_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = 0;
    *rest = end + 1;
    return line;
}

static bool take_head(char **rest, struct http_request *out)
{
    static char nothing[] = "";
    char *line = take_line(rest);
    char *target = line == NULL ? NULL : strchr(line, ' ');
    if (target == NULL)
        return false;
    *target++ = 0;
    char *query = strchr(target, '?');
    if (query != NULL)
        *query++ = 0;
    *out = (struct http_request){
        .method = line, .path = target, .query = query == NULL ? nothing : query};
    return true;
}

static void take_headers(char **rest, struct http_request *out)
{
    for (char *line; out->header_count < HTTP_HEADERS_MAX && (line = take_line(rest)) != NULL;) {
        char *colon = strchr(line, ':');
        if (*line == 0)
            return;
        if (colon != NULL) {
            *colon = 0;
            out->headers[out->header_count++] = (struct http_header){line, colon + 1};
        }
    }
}

bool http_input_read(const uint8_t *data, size_t size, struct http_request *out)
{
    static char text[HTTP_INPUT_MAX + 1];
    if (size > HTTP_INPUT_MAX || size == 0)
        return false;
    memcpy(text, data, size);
    text[size] = 0;
    char *rest = text;
    if (!take_head(&rest, out))
        return false;
    take_headers(&rest, out);
    out->body = bytes_of_str(rest);
    return true;
}
