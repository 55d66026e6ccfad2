/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/policy_ask.h"

static enum rc call(struct connection *connection, Qhsm__Request *request, bool mutates,
                    struct rpc_reply *out)
{
    TRY(connection_call(connection, request, mutates, out));
    return out->msg->body_case == QHSM__RESPONSE__BODY_POLICY
               ? RC_OK
               : rc_fail(RC_PROTOCOL, "no policy in the answer");
}

enum rc policy_ask(struct connection *connection, struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__PolicyGetRequest body = QHSM__POLICY_GET_REQUEST__INIT;
    body.slot = connection->slot;
    request.body_case = QHSM__REQUEST__BODY_POLICY_GET;
    request.policy_get = &body;
    return call(connection, &request, false, out);
}

enum rc policy_change(struct connection *connection, Qhsm__PolicySetRequest *change,
                      struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_POLICY_SET;
    request.policy_set = change;
    return call(connection, &request, true, out);
}
