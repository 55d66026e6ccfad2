/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the front end as a hostile caller may send them, up to the services, which are fake:
 * every request has one answer, and errors are JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "kms/audit.h"
#include "kms/explain.h"
#include "kms/iam.h"
#include "kms/request.h"
#include "kms/xks_proxy.h"
#include "tests/fuzz/http_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned reached;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void reach(struct http_answer *answer)
{
    reached++;
    answer->status = 200;
    answer->content_type = http_json_type;
    must(buf_append(&answer->body, bytes_of_str("{}")) == RC_OK);
}

void pipeline_run(struct kms *kms, const struct http_request *http, const char *operation,
                  struct http_answer *answer)
{
    (void)kms;
    must(http->method[0] == 'P' && strlen(operation) < HTTP_INPUT_MAX);
    reach(answer);
}

void audit_lookup(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    (void)kms;
    must(http->method[0] == 'P');
    reach(answer);
}

void explain_answer(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    (void)kms;
    must(http->method[0] == 'P');
    reach(answer);
}

void iam_answer(struct kms *kms, const struct http_request *request, const char *service,
                struct http_answer *answer)
{
    (void)kms;
    (void)request;
    must(strcmp(service, "iam") == 0 || strcmp(service, "sts") == 0);
    reach(answer);
}

bool xks_proxy_owns(const struct kms *kms, const struct http_request *request)
{
    (void)kms;
    return strstr(request->path, "/kms/xks/v1") != NULL;
}

void xks_proxy_answer(struct kms *kms, const struct http_request *request,
                      struct http_answer *answer)
{
    (void)kms;
    (void)request;
    reach(answer);
}

static void check_error(const struct http_answer *answer)
{
    json_t *body = json_loadb((const char *)answer->body.ptr, answer->body.len, 0, NULL);
    must(answer->status >= 400 && body != NULL);
    must(json_is_string(json_object_get(body, "message")));
    must(strcmp(json_string_value(json_object_get(body, "__type")), answer->error_type) == 0);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request;
    struct http_answer answer = {.body = BUF_INIT_MAX(65536)};
    if (!http_input_read(data, size, &request))
        return 0;
    reached = 0;
    http_route(NULL, &request, &answer);
    must(reached <= 1 && answer.status >= 200 && answer.content_type != NULL);
    if (reached == 0 && answer.status != 200)
        check_error(&answer);
    buf_clear(&answer.body);
    return 0;
}
