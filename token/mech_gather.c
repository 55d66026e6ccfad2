/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering the parts of an operation whose output must wait for its last part. */
#include "token/mech_gather.h"

#include <stdlib.h>

static void gather_free(void *state)
{
    struct gather *gather = state;
    EVP_CIPHER_CTX_free(gather->context);
    buf_clear(&gather->params);
    buf_clear(&gather->data);
    free(gather);
}

/* The parameter's views die with the request that began the operation. */
static enum rc keep_params(struct gather *gather)
{
    struct mech_call *call = &gather->call;
    bool gcm = call->mech->param == PARAM_GCM;
    struct bytes *iv = gcm ? &call->u.gcm.iv : &call->u.ccm.nonce;
    struct bytes *aad = gcm ? &call->u.gcm.aad : &call->u.ccm.aad;
    TRY(buf_append(&gather->params, *iv));
    TRY(buf_append(&gather->params, *aad));
    *iv = bytes_slice(buf_bytes(&gather->params), 0, iv->len);
    *aad = bytes_slice(buf_bytes(&gather->params), iv->len, aad->len);
    return RC_OK;
}

enum rc mech_gather_begin(const struct mech_call *call, const struct gather_kind *kind,
                          struct operation *operation, struct gather **out)
{
    struct gather *gather = calloc(1, sizeof *gather);
    if (gather == NULL)
        return RC_NO_MEMORY;
    gather->kind = *kind;
    gather->call = *call;
    gather->params = (struct buf)BUF_INIT;
    gather->data = (struct buf)BUF_INIT_MAX(operation->hold_max);
    operation->state = gather;
    operation->state_free = gather_free;
    *out = gather;
    TRY(keep_params(gather));
    operation->held_len = gather->params.cap;
    return mech_aes_new(secret_expose(&operation->key->value), &kind->setup, &gather->context);
}

enum rc mech_gather_update(struct operation *operation, struct bytes data)
{
    struct gather *gather = operation->state;
    TRY(buf_append(&gather->data, data));
    operation->held_len = gather->params.cap + gather->data.cap;
    return RC_OK;
}

enum rc mech_gather_final(struct operation *operation, struct bytes data, struct buf *out)
{
    struct gather *gather = operation->state;
    AUTO_BUF no_iv = BUF_INIT;
    TRY(buf_append(&gather->data, data));
    const struct mech_work work = {.call = &gather->call,
                                   .op = operation->op,
                                   .data = buf_bytes(&gather->data),
                                   .out_iv = &no_iv};
    return gather->kind.run(gather->context, &work, out);
}
