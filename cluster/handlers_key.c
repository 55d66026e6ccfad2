/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that make keys from keys: generate, wrap, unwrap, derive. */
#include "cluster/handlers.h"
#include "rpc/codec.h"

enum rc handlers_key_generate(struct call *call)
{
    const Qhsm__GenerateKeyRequest *in = call->request->generate_key;
    struct mech_call mech;
    struct attr_list wanted;
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_generate_key(call->service->hsm, &call->caller, in->slot, &mech, attrs_of(&wanted),
                            &call->mutation);
}

enum rc handlers_key_generate_pair(struct call *call)
{
    const Qhsm__GenerateKeyPairRequest *in = call->request->generate_key_pair;
    struct mech_call mech;
    struct attr_list wanted_public;
    struct attr_list wanted_private;
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    TRY(codec_template_from_pb(in->public_attributes, in->n_public_attributes, &wanted_public));
    TRY(codec_template_from_pb(in->private_attributes, in->n_private_attributes, &wanted_private));
    return hsm_generate_key_pair(call->service->hsm, &call->caller, in->slot, &mech,
                                 attrs_of(&wanted_public), attrs_of(&wanted_private),
                                 &call->mutation);
}

enum rc handlers_key_wrap(struct call *call)
{
    const Qhsm__WrapRequest *in = call->request->wrap;
    struct mech_call mech;
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    TRY(hsm_wrap(call->service->hsm, &call->caller, in->wrapping_key, in->key, &mech, &call->data));
    Qhsm__DataReply *reply = &call->body.data;
    qhsm__data_reply__init(reply);
    reply->data = handlers_data(buf_bytes(&call->data));
    call->response.body_case = QHSM__RESPONSE__BODY_DATA;
    call->response.data = reply;
    return RC_OK;
}

enum rc handlers_key_unwrap(struct call *call)
{
    const Qhsm__UnwrapRequest *in = call->request->unwrap;
    struct mech_call mech;
    struct attr_list wanted;
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_unwrap(call->service->hsm, &call->caller, in->unwrapping_key, &mech,
                      handlers_bytes(in->wrapped), attrs_of(&wanted), &call->mutation);
}

enum rc handlers_key_derive(struct call *call)
{
    const Qhsm__DeriveRequest *in = call->request->derive;
    struct mech_call mech;
    struct attr_list wanted;
    TRY(codec_mechanism_from_pb(in->mechanism, &mech));
    TRY(codec_template_from_pb(in->attributes, in->n_attributes, &wanted));
    return hsm_derive(call->service->hsm, &call->caller, in->base_key, &mech, attrs_of(&wanted),
                      &call->mutation);
}
