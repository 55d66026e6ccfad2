/* SPDX-License-Identifier: Apache-2.0 */
/* C_Initialize, C_Finalize, the interfaces, and functions before and after. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static CK_RV no_mutex(CK_VOID_PTR mutex)
{
    (void)mutex;
    return CKR_OK;
}

static CK_RV no_create(CK_VOID_PTR_PTR mutex)
{
    *mutex = NULL;
    return CKR_OK;
}

static void every_combination_of_locking_arguments_is_accepted(void)
{
    script_start(NULL);
    CK_C_INITIALIZE_ARGS args[] = {
        {.flags = 0},
        {.flags = CKF_OS_LOCKING_OK},
        {.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS},
        {no_create, no_mutex, no_mutex, no_mutex, 0, NULL},
        {no_create, no_mutex, no_mutex, no_mutex, CKF_OS_LOCKING_OK, NULL},
    };
    for (size_t i = 0; i < sizeof args / sizeof args[0]; i++) {
        CU_ASSERT_EQUAL(C_Initialize(&args[i]), CKR_OK);
        CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    }
    script_stop();
}

static void half_a_set_of_mutex_functions_is_refused(void)
{
    script_start(NULL);
    CK_C_INITIALIZE_ARGS args = {.LockMutex = no_mutex};
    CU_ASSERT_EQUAL(C_Initialize(&args), CKR_ARGUMENTS_BAD);
    CK_C_INITIALIZE_ARGS reserved = {.pReserved = &args};
    CU_ASSERT_EQUAL(C_Initialize(&reserved), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    script_stop();
}

static void second_initialize_says_so_and_harms_nothing(void)
{
    script_start(NULL);
    CK_SESSION_HANDLE session = script_session();
    CU_ASSERT_EQUAL(C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    CK_SESSION_INFO info;
    CU_ASSERT_EQUAL(C_GetSessionInfo(session, &info), CKR_OK);
    CU_ASSERT_EQUAL(info.state, CKS_RW_PUBLIC_SESSION);
    CU_ASSERT_EQUAL(C_Finalize(&info), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    script_stop();
}

static void no_function_works_before_initialize(void)
{
    CK_ULONG count = 0;
    CK_INFO info;
    CU_ASSERT_EQUAL(C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_GetSlotList(CK_TRUE, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_Sign(1, NULL, 0, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_MessageSignFinal(1), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void initialize_a_hundred_times_keeps_working(void)
{
    script_start(NULL);
    for (unsigned i = 0; i < 100; i++) {
        CK_SESSION_HANDLE session = script_session();
        CU_ASSERT_NOT_EQUAL(session, 0);
        CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
        if (i % 20 == 19) {
            script_stop();
            script_start(NULL);
        }
    }
    script_stop();
}

static void missing_configuration_is_named(void)
{
    (void)setenv("QHSM_CONF", "/nonexistent/client.conf", 1);
    CU_ASSERT_EQUAL(C_Initialize(NULL), CKR_FUNCTION_FAILED);
    CK_INFO info;
    CU_ASSERT_EQUAL(C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void each_interface_tells_its_own_version(void)
{
    script_start(NULL);
    CK_ULONG count = 0;
    CU_ASSERT_EQUAL(C_GetInterfaceList(NULL, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GetInterfaceList(NULL, &count), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CK_INTERFACE interfaces[3];
    count = 2;
    CU_ASSERT_EQUAL(C_GetInterfaceList(interfaces, &count), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(C_GetInterfaceList(interfaces, &count), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(C_Initialize(NULL), CKR_OK);
    for (size_t i = 0; i < count; i++) {
        CK_FUNCTION_LIST_PTR list = interfaces[i].pFunctionList;
        CK_INFO info;
        CU_ASSERT_STRING_EQUAL((const char *)interfaces[i].pInterfaceName, "PKCS 11");
        CU_ASSERT_EQUAL(list->C_GetInfo(&info), CKR_OK);
        CU_ASSERT_EQUAL(info.cryptokiVersion.major, list->version.major);
        CU_ASSERT_EQUAL(info.cryptokiVersion.minor, list->version.minor);
    }
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

static void function_list_is_a_2_40_list_and_full(void)
{
    CK_FUNCTION_LIST_PTR list = NULL;
    CU_ASSERT_EQUAL(C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GetFunctionList(&list), CKR_OK);
    CU_ASSERT_EQUAL(list->version.major, 2);
    CU_ASSERT_EQUAL(list->version.minor, 40);
    CK_INTERFACE_PTR interface = NULL;
    CK_VERSION version = {.major = 3, .minor = 2};
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_UTF8CHAR other[] = "Vendor";
    CU_ASSERT_EQUAL(C_GetInterface(name, &version, &interface, 0), CKR_OK);
    void *members[sizeof(CK_FUNCTION_LIST_3_2) / sizeof(void *)];
    memcpy(members, interface->pFunctionList, sizeof members);
    for (size_t i = 1; i < sizeof members / sizeof members[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(members[i]);
    CU_ASSERT_EQUAL(C_GetInterface(other, NULL, &interface, 0), CKR_FUNCTION_FAILED);
    CU_ASSERT_EQUAL(C_GetInterface(name, NULL, &interface, CKF_INTERFACE_FORK_SAFE),
                    CKR_FUNCTION_FAILED);
    CU_ASSERT_EQUAL(C_GetInterface(NULL, NULL, &interface, 0), CKR_OK);
}

static void slots_and_tokens_cost_one_request(void)
{
    script_start(NULL);
    CU_ASSERT_EQUAL_FATAL(C_Initialize(NULL), CKR_OK);
    CK_SLOT_ID slots[4];
    CK_ULONG count = 0;
    CU_ASSERT_EQUAL(C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
    CU_ASSERT_EQUAL(count, 2);
    count = 1;
    CU_ASSERT_EQUAL(C_GetSlotList(CK_TRUE, slots, &count), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    CU_ASSERT_EQUAL(slots[0], 1);
    CK_TOKEN_INFO token;
    CU_ASSERT_EQUAL(C_GetTokenInfo(1, &token), CKR_OK);
    CU_ASSERT_EQUAL(memcmp(token.label, "unit                            ", 32), 0);
    CU_ASSERT_EQUAL(memcmp(token.serialNumber, "0123456789abcdef", 16), 0);
    CK_SLOT_INFO slot;
    CU_ASSERT_EQUAL(C_GetSlotInfo(2, &slot), CKR_OK);
    CU_ASSERT_EQUAL(script_total(), 1);
    CU_ASSERT_EQUAL(C_GetSlotInfo(3, &slot), CKR_SLOT_ID_INVALID);
    CU_ASSERT_EQUAL(C_GetTokenInfo(1, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

static void disabled_mechanism_is_not_listed_nor_begun(void)
{
    script_start(NULL);
    script.disabled = true;
    CK_SESSION_HANDLE session = script_session();
    CK_MECHANISM_INFO info;
    CU_ASSERT_EQUAL(C_GetMechanismInfo(1, CKM_ECDSA, &info), CKR_MECHANISM_INVALID);
    CU_ASSERT_EQUAL(C_GetMechanismInfo(1, CKM_SHA256_RSA_PKCS, &info), CKR_OK);
    CU_ASSERT_EQUAL(C_GetMechanismInfo(1, CKM_VENDOR_DEFINED, &info), CKR_MECHANISM_INVALID);
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 5), CKR_MECHANISM_INVALID);
    CK_ULONG with = 0;
    CK_ULONG without = 0;
    CU_ASSERT_EQUAL(C_GetMechanismList(1, NULL, &without), CKR_OK);
    CU_ASSERT_EQUAL(C_GetMechanismList(2, NULL, &with), CKR_OK);
    CU_ASSERT_EQUAL(with, without + 1);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

static void waiting_for_a_slot_event_never_blocks(void)
{
    script_start(NULL);
    CU_ASSERT_EQUAL_FATAL(C_Initialize(NULL), CKR_OK);
    CK_SLOT_ID slot;
    CU_ASSERT_EQUAL(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    CU_ASSERT_EQUAL(C_WaitForSlotEvent(0, &slot, NULL), CKR_FUNCTION_NOT_SUPPORTED);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

UNIT_SUITE("p11/lifecycle", UNIT_CASE(no_function_works_before_initialize),
           UNIT_CASE(every_combination_of_locking_arguments_is_accepted),
           UNIT_CASE(half_a_set_of_mutex_functions_is_refused),
           UNIT_CASE(second_initialize_says_so_and_harms_nothing),
           UNIT_CASE(initialize_a_hundred_times_keeps_working),
           UNIT_CASE(missing_configuration_is_named),
           UNIT_CASE(each_interface_tells_its_own_version),
           UNIT_CASE(function_list_is_a_2_40_list_and_full),
           UNIT_CASE(slots_and_tokens_cost_one_request),
           UNIT_CASE(disabled_mechanism_is_not_listed_nor_begun),
           UNIT_CASE(waiting_for_a_slot_event_never_blocks));
