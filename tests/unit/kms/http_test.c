/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, error answers, and which service a request goes to. */
#include "kms/http.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "kms/audit.h"
#include "kms/explain.h"
#include "kms/iam.h"
#include "kms/request.h"
#include "kms/sigv4.h"
#include "kms/xks_proxy.h"
#include "tests/unit/unit.h"

/* ---- the services */

static char reached[128];

void pipeline_run(struct kms *kms, const struct http_request *http, const char *operation,
                  struct http_answer *answer)
{
    (void)kms;
    (void)http;
    answer->status = 200;
    (void)snprintf(reached, sizeof reached, "kms:%s", operation);
}

void audit_lookup(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    (void)kms;
    (void)http;
    answer->status = 200;
    (void)snprintf(reached, sizeof reached, "trail");
}

void explain_answer(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    (void)kms;
    (void)http;
    answer->status = 200;
    (void)snprintf(reached, sizeof reached, "explain");
}

void iam_answer(struct kms *kms, const struct http_request *request, const char *service,
                struct http_answer *answer)
{
    (void)kms;
    (void)request;
    answer->status = 200;
    (void)snprintf(reached, sizeof reached, "%s", service);
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
    answer->status = 200;
    (void)snprintf(reached, sizeof reached, "xks");
}

static struct http_request request_of(const char *method, const char *path, const char *query,
                                      const char *body)
{
    return (struct http_request){
        .method = method, .path = path, .query = query, .body = bytes_of_str(body)};
}

static void put(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] = (struct http_header){name, value};
}

static struct http_answer answer;

static void routed(const struct http_request *request, unsigned status, const char *where)
{
    buf_clear(&answer.body);
    answer = (struct http_answer){.body = BUF_INIT_MAX(65536)};
    reached[0] = 0;
    http_route(NULL, request, &answer);
    CU_ASSERT_EQUAL(answer.status, status);
    CU_ASSERT_STRING_EQUAL(reached, where);
    if (status != 200) {
        json_t *body = json_loadb((const char *)answer.body.ptr, answer.body.len, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(json_object_get(body, "message"));
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(body, "__type")),
                               answer.error_type);
        CU_ASSERT_PTR_EQUAL(answer.content_type, http_json_type);
        json_decref(body);
    }
    buf_clear(&answer.body);
}

/* ---- headers and errors */

static void a_header_that_is_there_twice_is_none(void)
{
    struct http_request request = request_of("POST", "/", "", "");
    put(&request, "X-Amz-Date", "a");
    put(&request, "X-Amz-Target", "b");
    put(&request, "x-amz-target", "c");
    CU_ASSERT_STRING_EQUAL(http_header(&request, "x-AMZ-date"), "a");
    CU_ASSERT_PTR_NULL(http_header(&request, "x-amz-target"));
    CU_ASSERT_PTR_NULL(http_header(&request, "host"));
    CU_ASSERT_EQUAL(http_header_count(&request, "X-AMZ-TARGET"), 2);
    CU_ASSERT_EQUAL(http_header_count(&request, "x-amz"), 0);
}

static void errors_have_the_shape_of_aws(void)
{
    struct http_answer error = {.body = BUF_INIT_MAX(65536)};
    http_answer_error(&error, kms_fail(KMS_NOT_FOUND, "Key '%s' does not exist", "a\"b"));
    CU_ASSERT_EQUAL(error.status, 400);
    CU_ASSERT_STRING_EQUAL(error.error_type, "NotFoundException");
    CU_ASSERT_STRING_EQUAL(
        buf_str(&error.body),
        "{\"__type\":\"NotFoundException\",\"message\":\"Key 'a\\\"b' does not exist\"}");
    http_answer_error(&error, kms_fail(KMS_SERIALIZATION, "got \xff\x01'"));
    CU_ASSERT_STRING_EQUAL(buf_str(&error.body),
                           "{\"__type\":\"SerializationException\",\"message\":\"got ?\?'\"}");
    http_answer_error(&error, kms_fail_plain(KMS_INVALID_CIPHERTEXT));
    CU_ASSERT_STRING_EQUAL(buf_str(&error.body),
                           "{\"__type\":\"InvalidCiphertextException\",\"message\":\"\"}");
    buf_clear(&error.body);
}

/* ---- routes */

static void load_balancers_need_no_signature(void)
{
    struct http_request request = request_of("GET", "/ping", "", "");
    routed(&request, 200, "");
    request.path = "/health";
    routed(&request, 200, "");
    request.method = "HEAD";
    routed(&request, 200, "");
    request.method = "POST";
    routed(&request, 404, "");
}

static void targets_are_told_apart(void)
{
    struct http_request request = request_of("POST", "/", "", "{}");
    put(&request, "X-Amz-Target", "TrentService.Encrypt");
    routed(&request, 200, "kms:Encrypt");
    request.headers[0].value =
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    routed(&request, 200, "trail");
    request.headers[0].value = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DeleteTrail";
    routed(&request, 400, "");
    CU_ASSERT_STRING_EQUAL(answer.error_type, "UnknownOperationException");
    request.headers[0].value = "DynamoDB_20120810.ListTables";
    routed(&request, 400, "");
    request.headers[0].value = "";
    routed(&request, 400, "");
    request.headers[0].value = "TrentService.Encrypt";
    put(&request, "x-amz-target", "TrentService.Decrypt");
    routed(&request, 400, "");
    CU_ASSERT_STRING_EQUAL(answer.error_type, "SerializationException");
}

static void forms_go_to_the_service_of_the_signature(void)
{
    struct http_request request =
        request_of("POST", "/", "", "Version=2011-06-15&Action=GetCallerIdentity");
    routed(&request, 200, "iam");
    put(&request, "Host", "sts.us-east-1.amazonaws.com");
    routed(&request, 200, "sts");
    put(&request, "X-Amz-Date", "20150830T123600Z");
    request.time_ms = 1440938160000ULL;
    put(&request, "Authorization",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=0000000000000000000000000000000000000000000000000000000000000000");
    routed(&request, 200, "iam");
    request.body = bytes_of_str("Version=1&NoAction=x");
    routed(&request, 404, "");
    request = request_of("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", "");
    routed(&request, 200, "iam");
}

static void the_proxy_has_its_own_paths(void)
{
    struct http_request request = request_of("POST", "/a/kms/xks/v1/health", "", "{}");
    routed(&request, 200, "xks");
    request.method = "GET";
    routed(&request, 200, "xks");
}

static void explanations_have_a_path(void)
{
    struct http_request request = request_of("POST", "/qhsm/explain", "", "{}");
    routed(&request, 200, "explain");
    request.method = "GET";
    routed(&request, 405, "");
}

static void other_methods_are_refused(void)
{
    static const char *const methods[] = {"GET", "PUT", "DELETE", "OPTIONS", "TRACE", "post", "X"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct http_request request = request_of(methods[i], "/", "", "");
        put(&request, "X-Amz-Target", "TrentService.Encrypt");
        routed(&request, 405, "");
    }
}

UNIT_SUITE("http", UNIT_CASE(a_header_that_is_there_twice_is_none),
           UNIT_CASE(errors_have_the_shape_of_aws), UNIT_CASE(load_balancers_need_no_signature),
           UNIT_CASE(targets_are_told_apart), UNIT_CASE(forms_go_to_the_service_of_the_signature),
           UNIT_CASE(the_proxy_has_its_own_paths), UNIT_CASE(explanations_have_a_path),
           UNIT_CASE(other_methods_are_refused));
