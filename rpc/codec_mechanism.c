/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms: from the caller's struct, to and from the wire, and decoded for use. */
#include "rpc/codec.h"
#include "rpc/codec_params.h"

void wire_mechanism_clear(struct wire_mechanism *m)
{
    buf_clear(&m->param);
    m->mech = NULL;
    m->has_param = false;
}

static enum rc find(CK_MECHANISM_TYPE type, const struct mechanism **out)
{
    *out = mechanism_find(type);
    return *out != NULL ? RC_OK : rc_fail(RC_MECHANISM, "mechanism 0x%lx is not known", type);
}

static enum rc presence(const struct mechanism *mech, bool has_param)
{
    const struct param_codec *codec = param_codec(mech->param);
    if (has_param && !codec->may_be_present)
        return rc_fail(RC_MECHANISM_PARAM, "%s takes no parameter", mech->name);
    if (!has_param && !codec->may_be_absent)
        return rc_fail(RC_MECHANISM_PARAM, "%s needs a parameter", mech->name);
    return RC_OK;
}

static enum rc decode(const struct mechanism *mech, bool has_param, struct bytes param,
                      struct mech_call *out)
{
    TRY(presence(mech, has_param));
    if (!has_param && param.len > 0)
        return rc_fail(RC_MECHANISM_PARAM, "%s: a parameter that is said to be absent", mech->name);
    struct mech_call call = {.mech = mech, .has_param = has_param};
    if (has_param) {
        struct reader r = reader_of(param);
        TRY(param_codec(mech->param)->decode(&r, &call));
        if (!reader_done(&r))
            return rc_fail(RC_MECHANISM_PARAM, "%s: the parameter is malformed", mech->name);
    }
    *out = call;
    return RC_OK;
}

enum rc codec_mechanism_in(const CK_MECHANISM *ck, struct wire_mechanism *out)
{
    if (ck == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "the mechanism is NULL");
    CK_MECHANISM copy;
    memcpy(&copy, (const void *)ck, sizeof copy);
    const struct mechanism *mech = NULL;
    TRY(find(copy.mechanism, &mech));
    if (copy.pParameter == NULL && copy.ulParameterLen > 0)
        return rc_fail(RC_MECHANISM_PARAM, "%s: pParameter is NULL, ulParameterLen is not 0",
                       mech->name);
    bool has_param = copy.ulParameterLen > 0;
    TRY(presence(mech, has_param));
    AUTO_BUF param = BUF_INIT_MAX(PARAM_MAX);
    if (has_param) {
        enum rc rc =
            param_codec(mech->param)->in(bytes_of(copy.pParameter, copy.ulParameterLen), &param);
        if (rc == RC_TOO_LARGE)
            return rc_fail(RC_MECHANISM_PARAM, "%s: the parameter is over %zu bytes", mech->name,
                           PARAM_MAX);
        TRY(rc);
    }
    struct mech_call call;
    TRY(decode(mech, has_param, buf_bytes(&param), &call));
    *out = (struct wire_mechanism){.mech = mech, .has_param = has_param, .param = buf_take(&param)};
    return RC_OK;
}

void codec_mechanism_pb(const struct wire_mechanism *m, Qhsm__Mechanism *pb)
{
    qhsm__mechanism__init(pb);
    pb->type = m->mech->type;
    pb->has_param = m->has_param;
    pb->param.data = m->param.ptr;
    pb->param.len = m->param.len;
}

enum rc codec_mechanism_decode(CK_MECHANISM_TYPE type, bool has_param, struct bytes param,
                               struct mech_call *out)
{
    const struct mechanism *mech = NULL;
    TRY(find(type, &mech));
    if (param.len > PARAM_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "%s: the parameter is over %zu bytes", mech->name,
                       PARAM_MAX);
    return decode(mech, has_param, param, out);
}

enum rc codec_mechanism_from_pb(const Qhsm__Mechanism *pb, struct mech_call *out)
{
    if (pb == NULL)
        return rc_fail(RC_MECHANISM, "the request names no mechanism");
    return codec_mechanism_decode(pb->type, pb->has_param, bytes_of(pb->param.data, pb->param.len),
                                  out);
}

enum rc codec_mechanism_call(const struct wire_mechanism *m, struct mech_call *out)
{
    return decode(m->mech, m->has_param, buf_bytes(&m->param), out);
}

enum rc codec_mechanism_iv_back(const CK_MECHANISM *ck, struct bytes iv)
{
    CK_MECHANISM copy;
    memcpy(&copy, (const void *)ck, sizeof copy);
    bool known = copy.pParameter != NULL && (copy.ulParameterLen == sizeof(CK_GCM_PARAMS) ||
                                             copy.ulParameterLen == sizeof(CK_GCM_PARAMS_LEGACY));
    if (!known)
        return rc_fail(RC_MECHANISM_PARAM, "no CK_GCM_PARAMS to write the IV to");
    /* pIv and ulIvLen lead in both layouts. */
    struct {
        CK_BYTE_PTR ptr;
        CK_ULONG len;
    } target;
    memcpy(&target, copy.pParameter, sizeof target);
    if (target.ptr == NULL || target.len < iv.len)
        return rc_fail(RC_MECHANISM_PARAM, "the IV's buffer has %lu bytes, %zu are needed",
                       target.len, iv.len);
    if (iv.len > 0)
        memcpy(target.ptr, iv.ptr, iv.len);
    return RC_OK;
}
