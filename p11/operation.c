/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/operation.h"

#include <stdlib.h>

void operation_reset(struct operation *operation)
{
    struct digest digest = operation->digest;
    facts_unref(operation->facts);
    ticket_unref(operation->context);
    wire_mechanism_clear(&operation->mechanism);
    secret_clear(&operation->parts);
    secret_clear(&operation->result);
    buf_clear(&operation->signature);
    *operation = (struct operation){.stage = STAGE_NONE,
                                    .digest = digest,
                                    .parts = SECRET_INIT,
                                    .result = SECRET_INIT,
                                    .signature = BUF_INIT};
}

void operation_free(struct operation *operation)
{
    if (operation == NULL)
        return;
    operation_reset(operation);
    digest_clear(&operation->digest);
    free(operation);
}
