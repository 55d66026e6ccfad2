/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the 3.0 and 3.2 lists that the module does not have yet: present in the lists,
 * answering CKR_FUNCTION_NOT_SUPPORTED. */
#include "p11/call.h"

#define UNSUPPORTED_C_MessageEncryptInit     ~, DEFINE
#define UNSUPPORTED_C_EncryptMessage         ~, DEFINE
#define UNSUPPORTED_C_EncryptMessageBegin    ~, DEFINE
#define UNSUPPORTED_C_EncryptMessageNext     ~, DEFINE
#define UNSUPPORTED_C_MessageEncryptFinal    ~, DEFINE
#define UNSUPPORTED_C_MessageDecryptInit     ~, DEFINE
#define UNSUPPORTED_C_DecryptMessage         ~, DEFINE
#define UNSUPPORTED_C_DecryptMessageBegin    ~, DEFINE
#define UNSUPPORTED_C_DecryptMessageNext     ~, DEFINE
#define UNSUPPORTED_C_MessageDecryptFinal    ~, DEFINE
#define UNSUPPORTED_C_MessageSignInit        ~, DEFINE
#define UNSUPPORTED_C_SignMessage            ~, DEFINE
#define UNSUPPORTED_C_SignMessageBegin       ~, DEFINE
#define UNSUPPORTED_C_SignMessageNext        ~, DEFINE
#define UNSUPPORTED_C_MessageSignFinal       ~, DEFINE
#define UNSUPPORTED_C_MessageVerifyInit      ~, DEFINE
#define UNSUPPORTED_C_VerifyMessage          ~, DEFINE
#define UNSUPPORTED_C_VerifyMessageBegin     ~, DEFINE
#define UNSUPPORTED_C_VerifyMessageNext      ~, DEFINE
#define UNSUPPORTED_C_MessageVerifyFinal     ~, DEFINE
#define UNSUPPORTED_C_EncapsulateKey         ~, DEFINE
#define UNSUPPORTED_C_DecapsulateKey         ~, DEFINE
#define UNSUPPORTED_C_AsyncComplete          ~, DEFINE
#define UNSUPPORTED_C_AsyncGetID             ~, DEFINE
#define UNSUPPORTED_C_AsyncJoin              ~, DEFINE
#define UNSUPPORTED_C_WrapKeyAuthenticated   ~, DEFINE
#define UNSUPPORTED_C_UnwrapKeyAuthenticated ~, DEFINE

static CK_RV refuse(enum function function, CK_SESSION_HANDLE session)
{
    struct call call;
    enum rc rc = call_begin_session(&call, function, session);
    return call_end(&call, rc == RC_OK ? RC_UNSUPPORTED : rc);
}

/* A name listed above becomes two arguments, so that the second one picked is DEFINE. */
#define SECOND(first, second, ...) second
#define PICK(...)                  SECOND(__VA_ARGS__, SKIP, ~)
#define SKIP(name, parameters)
#define DEFINE(name, parameters)            \
    CK_RV name parameters                   \
    {                                       \
        return refuse(FN_##name, hSession); \
    }
#define EACH(name, parameters) PICK(UNSUPPORTED_##name)(name, parameters)

#pragma GCC diagnostic ignored "-Wunused-parameter"
CK_FUNCTIONS_3_0(EACH)
CK_FUNCTIONS_3_2(EACH)
