/* SPDX-License-Identifier: Apache-2.0 */
/* A token's policy: asking for it, and changing it from what was told. */
#ifndef QHSM_TOOLS_POLICY_ASK_H
#define QHSM_TOOLS_POLICY_ASK_H

#include "tools/connection.h"

/* Both answer with the policy as it is then, in out->msg->policy. Clear it with rpc_reply_clear(),
 * whatever comes back. */
enum rc policy_ask(struct connection *connection, struct rpc_reply *out);
/* As security officer; every login of the token ends. `change` names the epoch that it was made
 * from: RC_CONFLICT when another one changed it meanwhile. */
enum rc policy_change(struct connection *connection, Qhsm__PolicySetRequest *change,
                      struct rpc_reply *out);

#endif
