/* SPDX-License-Identifier: Apache-2.0 */
/* The call trace: what it says, and what it must never say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static char path[64];
static char text[65536];

static void read_trace(void)
{
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = 0;
    (void)fclose(file);
}

static void trace_some_calls(void)
{
    (void)snprintf(path, sizeof path, "/tmp/qhsm-p11-%d.trace", (int)getpid());
    (void)unlink(path);
    (void)setenv("QHSM_TRACE", path, 1);
    script_start(NULL);
    CK_SESSION_HANDLE session = script_session();
    CK_UTF8CHAR pin[] = "verysecretpin";
    CK_BYTE value[] = "verysecretvalue";
    CK_OBJECT_HANDLE object = 0;
    CK_ATTRIBUTE items[] = {{CKA_VALUE, value, 15}, {CKA_LABEL, value, 4}, {0x8000BEEF, value, 1}};
    (void)C_Login(session, CKU_USER, pin, 13);
    (void)C_CreateObject(session, items, 2, &object);
    (void)C_CreateObject(session, items, 3, &object);
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_RSA_PKCS};
    (void)C_SignInit(session, &mechanism, 7);
    (void)C_SignInit(session, &mechanism, 7);
    (void)C_Finalize(NULL);
    script_stop();
    (void)unsetenv("QHSM_TRACE");
    read_trace();
}

static void trace_names_call_arguments_result_and_detail(void)
{
    trace_some_calls();
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " C_Initialize -> CKR_OK us="));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " user_type=1 pin=*** -> CKR_OK"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, " template=[CKA_VALUE:15 CKA_LABEL:4] object=0x65 -> CKR_OK"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0x8000beef:1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "mechanism=CKM_SHA256_RSA_PKCS key=0x7 -> CKR_OK"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "-> CKR_OPERATION_ACTIVE us="));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "rc=OPERATION_ACTIVE detail="));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " C_Finalize -> CKR_OK"));
    (void)unlink(path);
}

static void trace_holds_no_secret_and_is_for_its_owner_alone(void)
{
    trace_some_calls();
    CU_ASSERT_PTR_NULL(strstr(text, "verysecret"));
    CU_ASSERT_PTR_NULL(strstr(text, "very"));
    struct stat status;
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
    (void)unlink(path);
}

static void initialize_that_fails_is_traced_with_its_reason(void)
{
    (void)snprintf(path, sizeof path, "/tmp/qhsm-p11-%d.trace", (int)getpid());
    (void)unlink(path);
    (void)setenv("QHSM_TRACE", path, 1);
    (void)setenv("QHSM_CONF", "/nonexistent/client.conf", 1);
    CU_ASSERT_EQUAL(C_Initialize(NULL), CKR_FUNCTION_FAILED);
    (void)unsetenv("QHSM_TRACE");
    read_trace();
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "C_Initialize -> CKR_FUNCTION_FAILED"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/nonexistent/client.conf"));
    (void)unlink(path);
}

static void trace_that_cannot_be_opened_fails_initialize(void)
{
    script_start("trace = /nonexistent/trace\n");
    CU_ASSERT_EQUAL(C_Initialize(NULL), CKR_FUNCTION_FAILED);
    script_stop();
}

UNIT_SUITE("p11/trace", UNIT_CASE(trace_names_call_arguments_result_and_detail),
           UNIT_CASE(trace_holds_no_secret_and_is_for_its_owner_alone),
           UNIT_CASE(initialize_that_fails_is_traced_with_its_reason),
           UNIT_CASE(trace_that_cannot_be_opened_fails_initialize));
