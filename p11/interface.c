/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.4.4 to 5.4.6: the function lists of 2.40, 3.0 and 3.2, each with a C_GetInfo that
 * tells its own version. The only symbols that the module exports are here. */
#include "p11/call.h"
#include "p11/release.h"

#define EXPORT        __attribute__((visibility("default")))
#define LIBRARY_TEXT  "QuorumHSM client module         "
#define VENDOR_TEXT   "QuorumHSM                       "
#define INTERFACE_MAX 3U

static CK_RV info(CK_INFO_PTR out, CK_BYTE major, CK_BYTE minor)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetInfo);
    if (rc == RC_OK && out == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL info");
    if (rc == RC_OK) {
        CK_INFO filled = {.cryptokiVersion = {.major = major, .minor = minor},
                          .libraryVersion = release_version()};
        memcpy(filled.manufacturerID, VENDOR_TEXT, sizeof filled.manufacturerID);
        memcpy(filled.libraryDescription, LIBRARY_TEXT, sizeof filled.libraryDescription);
        memcpy((void *)out, &filled, sizeof filled);
    }
    return call_end(&call, rc);
}

CK_RV C_GetInfo(CK_INFO_PTR pInfo)
{
    return info(pInfo, 2, 40);
}

static CK_RV info_3_0(CK_INFO_PTR out)
{
    return info(out, 3, 0);
}

static CK_RV info_3_2(CK_INFO_PTR out)
{
    return info(out, 3, 2);
}

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a designator */
#define MEMBER(name, parameters) .name = name,

/* C_GetInfo is set twice on purpose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

static CK_FUNCTION_LIST list_2_40 = {.version = {.major = 2, .minor = 40},
                                     CK_FUNCTIONS_2_40(MEMBER)};

static CK_FUNCTION_LIST_3_0 list_3_0 = {
    .version = {.major = 3, .minor = 0},
    CK_FUNCTIONS_2_40(MEMBER) CK_FUNCTIONS_3_0(MEMBER).C_GetInfo = info_3_0};

static CK_FUNCTION_LIST_3_2 list_3_2 = {
    .version = {.major = 3, .minor = 2},
    CK_FUNCTIONS_2_40(MEMBER) CK_FUNCTIONS_3_0(MEMBER) CK_FUNCTIONS_3_2(MEMBER).C_GetInfo =
        info_3_2};

#pragma GCC diagnostic pop

static CK_UTF8CHAR interface_name[] = "PKCS 11";

/* The first is the one that a caller without wishes gets. */
static CK_INTERFACE interfaces[INTERFACE_MAX] = {
    {.pInterfaceName = interface_name, .pFunctionList = &list_3_2, .flags = 0},
    {.pInterfaceName = interface_name, .pFunctionList = &list_3_0, .flags = 0},
    {.pInterfaceName = interface_name, .pFunctionList = &list_2_40, .flags = 0},
};

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
    if (ppFunctionList == NULL)
        return CKR_ARGUMENTS_BAD;
    CK_FUNCTION_LIST_PTR list = &list_2_40;
    memcpy((void *)ppFunctionList, (const void *)&list, sizeof list);
    return CKR_OK;
}

EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
    if (pulCount == NULL)
        return CKR_ARGUMENTS_BAD;
    CK_ULONG room = pInterfacesList == NULL ? 0 : load_ulong(pulCount);
    store_ulong(pulCount, INTERFACE_MAX);
    if (pInterfacesList == NULL)
        return CKR_OK;
    if (room < INTERFACE_MAX)
        return CKR_BUFFER_TOO_SMALL;
    memcpy((void *)pInterfacesList, interfaces, sizeof interfaces);
    return CKR_OK;
}

static bool fits(const CK_INTERFACE *interface, const CK_UTF8CHAR *name, const CK_VERSION *version,
                 CK_FLAGS flags)
{
    if (name != NULL && strcmp((const char *)name, (const char *)interface->pInterfaceName) != 0)
        return false;
    CK_VERSION offered;
    memcpy(&offered, interface->pFunctionList, sizeof offered);
    if (version != NULL && (version->major != offered.major || version->minor != offered.minor))
        return false;
    return (interface->flags & flags) == flags;
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                            CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
    if (ppInterface == NULL)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < INTERFACE_MAX; i++) {
        if (!fits(&interfaces[i], pInterfaceName, pVersion, flags))
            continue;
        CK_INTERFACE_PTR found = &interfaces[i];
        memcpy((void *)ppInterface, (const void *)&found, sizeof found);
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
