/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated trouble. */
#include <stdio.h>
#include <string.h>

#include "cluster/chaos.h"
#include "cluster/handlers.h"
#include "cluster/peer_inspect.h"

#define TROUBLES_MAX (PEER_MEMBERS_MAX + 3U)

struct telling {
    struct call *call;
    Qhsm__ChaosReply *reply;
};

static enum rc add(void *context, const char *text)
{
    struct telling *telling = context;
    size_t len = strlen(text) + 1;
    char *copy = call_alloc(telling->call, len, 1);
    if (copy == NULL || telling->reply->n_troubles == TROUBLES_MAX)
        return RC_NO_MEMORY;
    (void)snprintf(copy, len, "%s", text);
    telling->reply->troubles[telling->reply->n_troubles++] = copy;
    return RC_OK;
}

enum rc handlers_chaos(struct call *call)
{
    struct chaos *chaos = call->service->chaos;
    Qhsm__ChaosReply *reply = &call->body.chaos;
    struct telling telling = {.call = call, .reply = reply};
    if (chaos == NULL)
        return rc_fail(RC_NOT_PERMITTED, "qhsmd.conf of this HSM has no `chaos = yes`");
    TRY(chaos_make(chaos, call->request->chaos));
    qhsm__chaos_reply__init(reply);
    reply->troubles = call_alloc(call, TROUBLES_MAX, sizeof *reply->troubles);
    if (reply->troubles == NULL)
        return RC_NO_MEMORY;
    TRY(chaos_describe(chaos, add, &telling));
    call->response.body_case = QHSM__RESPONSE__BODY_CHAOS;
    call->response.chaos = reply;
    return RC_OK;
}
