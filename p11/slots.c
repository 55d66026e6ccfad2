/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 3.1 5.5: slots, tokens and mechanisms. Every token of the cluster is a slot of the same
 * number on every HSM; the last slot shows the token that C_InitToken would make. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "p11/release.h"
#include "p11/remote.h"

#define MANUFACTURER "QuorumHSM"
#define MODEL        "emulator"

/* Blank-padded, never a NUL (PKCS#11 3.1 3.1). */
static void pad(CK_UTF8CHAR *out, size_t len, const char *text)
{
    size_t text_len = strnlen(text, len);
    memset(out, ' ', len);
    memcpy(out, text, text_len);
}

static enum rc slot_list(const struct token_list *tokens, CK_SLOT_ID_PTR out, CK_ULONG_PTR count)
{
    CK_ULONG room = out == NULL ? 0 : load_ulong(count);
    store_ulong(count, tokens->count);
    if (out == NULL)
        return RC_OK;
    if (room < tokens->count)
        return RC_BUFFER_TOO_SMALL;
    for (size_t i = 0; i < tokens->count; i++)
        store_ulong((CK_BYTE_PTR)(void *)out + i * sizeof(CK_SLOT_ID), tokens->items[i].slot);
    return RC_OK;
}

CK_RV C_GetSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID_PTR pSlotList, CK_ULONG_PTR pulCount)
{
    (void)tokenPresent; /* every slot has a token */
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetSlotList);
    AUTO_TOKENS tokens = NULL;
    if (rc == RC_OK && pulCount == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL count");
    if (rc == RC_OK)
        rc = remote_tokens_known(&call, &tokens);
    if (rc == RC_OK)
        rc = slot_list(tokens, pSlotList, pulCount);
    return call_end(&call, rc);
}

/* The token of a slot; fetched anew before a slot is denied. What never changes may be told of the
 * list that was fetched `last`, while no HSM can be asked. */
enum token_age { TOKEN_NOW, TOKEN_LAST };
static enum rc token_of(struct call *call, CK_SLOT_ID slot, enum token_age age,
                        struct token_list **tokens, const struct token_info **out)
{
    TRY(age == TOKEN_LAST ? remote_tokens_known(call, tokens)
                          : remote_tokens(call, REMOTE_TOKENS_AGE_MS, tokens));
    *out = token_list_find(*tokens, slot);
    if (*out != NULL)
        return RC_OK;
    token_list_unref(*tokens);
    *tokens = NULL;
    TRY(remote_tokens(call, 0, tokens));
    *out = token_list_find(*tokens, slot);
    return *out != NULL ? RC_OK : rc_fail(RC_SLOT_INVALID, "there is no slot %lu", slot);
}

static void fill_slot(const struct token_info *token, CK_SLOT_INFO_PTR out)
{
    CK_SLOT_INFO info = {.flags = CKF_TOKEN_PRESENT, .firmwareVersion = release_version()};
    char description[64];
    (void)snprintf(description, sizeof description, "QuorumHSM slot %lu", token->slot);
    pad(info.slotDescription, sizeof info.slotDescription, description);
    pad(info.manufacturerID, sizeof info.manufacturerID, MANUFACTURER);
    memcpy((void *)out, &info, sizeof info);
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slotID, CK_SLOT_INFO_PTR pInfo)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetSlotInfo);
    trace_handle(&call.trace, "slot", slotID);
    AUTO_TOKENS tokens = NULL;
    const struct token_info *token = NULL;
    if (rc == RC_OK && pInfo == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL info");
    if (rc == RC_OK)
        rc = token_of(&call, slotID, TOKEN_LAST, &tokens, &token);
    if (rc == RC_OK)
        fill_slot(token, pInfo);
    return call_end(&call, rc);
}

static void fill_time(CK_CHAR out[16], uint64_t time_ms)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(time_ms / 1000);
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof text, "%Y%m%d%H%M%S00", &utc);
    pad(out, 16, text);
}

static void fill_token(const struct token_list *tokens, const struct token_info *token,
                       CK_TOKEN_INFO_PTR out)
{
    CK_TOKEN_INFO info = {.flags = token->flags | CKF_CLOCK_ON_TOKEN,
                          .ulMaxSessionCount = SESSION_COUNT_MAX,
                          .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
                          .ulMaxRwSessionCount = SESSION_COUNT_MAX,
                          .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
                          .ulMaxPinLen = token->pin_len_max,
                          .ulMinPinLen = token->pin_len_min,
                          .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
                          .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
                          .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
                          .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
                          .hardwareVersion = {.major = 0, .minor = 0},
                          .firmwareVersion = release_version()};
    pad(info.label, sizeof info.label, token->label);
    pad(info.manufacturerID, sizeof info.manufacturerID, MANUFACTURER);
    pad(info.model, sizeof info.model, MODEL);
    pad(info.serialNumber, sizeof info.serialNumber, token->serial);
    fill_time(info.utcTime, tokens->time_ms);
    memcpy((void *)out, &info, sizeof info);
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slotID, CK_TOKEN_INFO_PTR pInfo)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetTokenInfo);
    trace_handle(&call.trace, "slot", slotID);
    AUTO_TOKENS tokens = NULL;
    const struct token_info *token = NULL;
    if (rc == RC_OK && pInfo == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL info");
    if (rc == RC_OK)
        rc = token_of(&call, slotID, TOKEN_NOW, &tokens, &token);
    if (rc == RC_OK)
        fill_token(tokens, token, pInfo);
    return call_end(&call, rc);
}

static enum rc mechanism_list(const struct token_info *token, CK_MECHANISM_TYPE_PTR out,
                              CK_ULONG_PTR count)
{
    CK_ULONG room = out == NULL ? 0 : load_ulong(count);
    CK_ULONG found = 0;
    for (size_t i = 0; i < mechanism_count(); i++) {
        CK_MECHANISM_TYPE type = mechanism_at(i)->type;
        if (!token_info_allows(token, type))
            continue;
        if (found < room)
            store_ulong((CK_BYTE_PTR)(void *)out + found * sizeof type, type);
        found++;
    }
    store_ulong(count, found);
    return out != NULL && found > room ? RC_BUFFER_TOO_SMALL : RC_OK;
}

CK_RV C_GetMechanismList(CK_SLOT_ID slotID, CK_MECHANISM_TYPE_PTR pMechanismList,
                         CK_ULONG_PTR pulCount)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetMechanismList);
    trace_handle(&call.trace, "slot", slotID);
    AUTO_TOKENS tokens = NULL;
    const struct token_info *token = NULL;
    if (rc == RC_OK && pulCount == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL count");
    if (rc == RC_OK)
        rc = token_of(&call, slotID, TOKEN_LAST, &tokens, &token);
    if (rc == RC_OK)
        rc = mechanism_list(token, pMechanismList, pulCount);
    return call_end(&call, rc);
}

static enum rc mechanism_info(const struct token_info *token, CK_MECHANISM_TYPE type,
                              CK_MECHANISM_INFO_PTR out)
{
    const struct mechanism *mech = mechanism_find(type);
    if (mech == NULL || !token_info_allows(token, type))
        return rc_fail(RC_MECHANISM, "mechanism 0x%lx is unknown or disabled", type);
    CK_MECHANISM_INFO info = {
        .ulMinKeySize = mech->min_size, .ulMaxKeySize = mech->max_size, .flags = mech->flags};
    memcpy((void *)out, &info, sizeof info);
    return RC_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR pInfo)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_GetMechanismInfo);
    trace_handle(&call.trace, "slot", slotID);
    trace_handle(&call.trace, "type", type);
    AUTO_TOKENS tokens = NULL;
    const struct token_info *token = NULL;
    if (rc == RC_OK && pInfo == NULL)
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL info");
    if (rc == RC_OK)
        rc = token_of(&call, slotID, TOKEN_LAST, &tokens, &token);
    if (rc == RC_OK)
        rc = mechanism_info(token, type, pInfo);
    return call_end(&call, rc);
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR pSlot, CK_VOID_PTR pReserved)
{
    struct call call;
    enum rc rc = call_begin(&call, FN_C_WaitForSlotEvent);
    if (rc == RC_OK && (pSlot == NULL || pReserved != NULL))
        rc = rc_fail(RC_BAD_ARGUMENT, "NULL slot, or pReserved is not NULL");
    if (rc == RC_OK && (flags & CKF_DONT_BLOCK) == 0)
        rc = rc_fail(RC_UNSUPPORTED, "waiting for a slot event; ask with CKF_DONT_BLOCK");
    if (rc == RC_OK)
        rc = RC_NO_EVENT;
    return call_end(&call, rc);
}
