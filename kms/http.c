/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers apart from the HTTP library. */
#include "kms/http.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

const char http_json_type[] = "application/x-amz-json-1.1";

const char *http_header(const struct http_request *request, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = request->headers[i].value;
    }
    return found;
}

size_t http_header_count(const struct http_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += strcasecmp(request->headers[i].name, name) == 0;
    return count;
}

/* Parts of headers may come back in texts: what JSON cannot carry is shown as '?'. */
static json_t *printable(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    AUTO_BUF copy = BUF_INIT_MAX(4096);
    for (; *text != 0; text++) {
        uint8_t byte = (uint8_t)*text;
        if (buf_put_u8(&copy, byte < 0x20 || byte > 0x7e ? '?' : byte) != RC_OK)
            break;
    }
    return json_string(buf_str(&copy));
}

void http_answer_error(struct http_answer *answer, enum kms_error error)
{
    const struct kms_error_row *row = kms_error_row(error);
    answer->status = row->status;
    answer->content_type = http_json_type;
    answer->error_type = row->name;
    buf_clear(&answer->body);
    json_t *body =
        json_pack("{s:s, s:o*}", "__type", row->name, "message", printable(kms_error_text()));
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    /* Without memory the status and x-amzn-ErrorType still tell. */
    if (text == NULL || buf_append(&answer->body, bytes_of_str(text)) != RC_OK)
        buf_clear(&answer->body);
    free(text);
    json_decref(body);
}
