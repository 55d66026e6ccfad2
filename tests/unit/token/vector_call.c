/* SPDX-License-Identifier: Apache-2.0 */
/* A mechanism with its parameter from the lines `param.NAME` of a vector. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vector_file.h"

static const char *text_of(const struct vector *vector, const char *name)
{
    char full[64];
    (void)snprintf(full, sizeof full, "param.%s", name);
    return vector_text(vector, full);
}

static CK_ULONG number_of(const struct vector *vector, const char *name)
{
    const char *text = text_of(vector, name);
    return text == NULL ? 0 : strtoul(text, NULL, 0);
}

static struct bytes value_of(const struct vector *vector, struct vector_call *out, const char *text)
{
    struct buf *buf = &out->store[out->used++];
    *buf = (struct buf)BUF_INIT;
    if (text != NULL)
        vector_value(vector, text, buf);
    return buf_bytes(buf);
}

static struct bytes bytes_param(const struct vector *vector, struct vector_call *out,
                                const char *name)
{
    return value_of(vector, out, text_of(vector, name));
}

static enum digest_id digest_of(const struct vector *vector, const char *name)
{
    const char *text = text_of(vector, name);
    for (int id = DIGEST_NONE + 1; text != NULL && id < DIGEST_COUNT; id++)
        if (strcmp(digest_info((enum digest_id)id)->name, text) == 0)
            return (enum digest_id)id;
    if (text != NULL)
        vector_fail(vector, "no digest %s", text);
    return DIGEST_NONE;
}

/* "32 be keys": width, byte order, method. */
static void prf_number(struct prf_field *field, const char *text)
{
    field->width_bits = strtoul(text, NULL, 10);
    field->little_endian = strstr(text, " le") != NULL;
    field->dkm_method = strstr(text, "segments") != NULL ? CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS
                                                         : CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS;
}

static void prf_field(const struct vector *vector, struct vector_call *out, const char *name,
                      const char *text)
{
    struct prf_field *field = &out->call.u.kdf.fields[out->call.u.kdf.field_count];
    *field = (struct prf_field){.type = CK_SP800_108_BYTE_ARRAY};
    if (strcmp(name, "bytes") == 0) {
        field->data = value_of(vector, out, text);
    } else if (strcmp(name, "variable") == 0) {
        field->type = CK_SP800_108_ITERATION_VARIABLE;
        prf_number(field, text);
    } else if (strcmp(name, "counter") == 0) {
        field->type = CK_SP800_108_COUNTER;
        prf_number(field, text);
    } else if (strcmp(name, "length") == 0) {
        field->type = CK_SP800_108_DKM_LENGTH;
        prf_number(field, text);
    } else {
        return;
    }
    out->call.u.kdf.field_count++;
}

static void kdf_param(const struct vector *vector, struct vector_call *out)
{
    const char *prf = text_of(vector, "prf");
    const struct mechanism *mech = prf == NULL ? NULL : mechanism_by_name(prf);
    out->call.u.kdf.prf = mech == NULL ? CK_UNAVAILABLE_INFORMATION : mech->type;
    for (size_t i = 0; i < vector->count && out->call.u.kdf.field_count < PRF_FIELDS_MAX; i++)
        if (strncmp(vector->lines[i].name, "param.", 6) == 0)
            prf_field(vector, out, vector->lines[i].name + 6, vector->lines[i].value);
}

static void aead_param(const struct vector *vector, struct vector_call *out)
{
    if (out->call.mech->param == PARAM_GCM) {
        out->call.u.gcm.iv = bytes_param(vector, out, "iv");
        out->call.u.gcm.iv_bits = number_of(vector, "iv_bits");
        out->call.u.gcm.aad = bytes_param(vector, out, "aad");
        out->call.u.gcm.tag_bits = number_of(vector, "tag_bits");
        return;
    }
    out->call.u.ccm.data_len = number_of(vector, "data_len");
    out->call.u.ccm.nonce = bytes_param(vector, out, "nonce");
    out->call.u.ccm.aad = bytes_param(vector, out, "aad");
    out->call.u.ccm.mac_len = number_of(vector, "mac_len");
}

static void rsa_param(const struct vector *vector, struct vector_call *out)
{
    struct mech_call *call = &out->call;
    enum digest_id digest = digest_of(vector, "digest");
    enum digest_id mgf = digest_of(vector, "mgf");
    if (call->mech->param == PARAM_PSS) {
        call->u.pss.digest = digest;
        call->u.pss.mgf = mgf;
        call->u.pss.salt_len = number_of(vector, "salt_len");
    } else if (call->mech->param == PARAM_OAEP) {
        call->u.oaep.digest = digest;
        call->u.oaep.mgf = mgf;
        call->u.oaep.label = bytes_param(vector, out, "label");
    } else {
        call->u.rsa_aes.aes_bits = number_of(vector, "aes_bits");
        call->u.rsa_aes.digest = digest;
        call->u.rsa_aes.mgf = mgf;
        call->u.rsa_aes.label = bytes_param(vector, out, "label");
    }
}

static void derive_param(const struct vector *vector, struct vector_call *out)
{
    struct mech_call *call = &out->call;
    if (call->mech->param == PARAM_HKDF) {
        call->u.hkdf.extract = number_of(vector, "extract") != 0;
        call->u.hkdf.expand = number_of(vector, "expand") != 0;
        call->u.hkdf.prf = digest_of(vector, "prf");
        call->u.hkdf.salt_type = number_of(vector, "salt_type");
        call->u.hkdf.salt = bytes_param(vector, out, "salt");
        call->u.hkdf.info = bytes_param(vector, out, "info");
    } else if (call->mech->param == PARAM_PBKDF2) {
        call->u.pbkdf2.prf = digest_of(vector, "prf");
        call->u.pbkdf2.salt = bytes_param(vector, out, "salt");
        call->u.pbkdf2.iterations = number_of(vector, "iterations");
        call->u.pbkdf2.password = bytes_param(vector, out, "password");
    } else if (call->mech->param == PARAM_CBC_DATA) {
        call->u.cbc_data.iv = bytes_param(vector, out, "iv");
        call->u.cbc_data.data = bytes_param(vector, out, "data");
    } else {
        call->u.ecdh.kdf = number_of(vector, "kdf");
        call->u.ecdh.shared_info = bytes_param(vector, out, "shared_info");
        call->u.ecdh.peer = bytes_param(vector, out, "peer");
    }
}

static void ctr_param(const struct vector *vector, struct vector_call *out)
{
    struct bytes block = bytes_param(vector, out, "block");
    if (!bytes_copy_exact(block, out->call.u.ctr.block, sizeof out->call.u.ctr.block))
        vector_fail(vector, "param.block is not 16 bytes");
    out->call.u.ctr.counter_bits = number_of(vector, "counter_bits");
}

static void fill(const struct vector *vector, struct vector_call *out)
{
    switch (out->call.mech->param) {
    case PARAM_NONE:
    case PARAM_OBJECT:
        break;
    case PARAM_IV:
    case PARAM_IV_OPTIONAL:
        out->call.u.iv = bytes_param(vector, out, "iv");
        break;
    case PARAM_STRING:
        out->call.u.iv = bytes_param(vector, out, "data");
        break;
    case PARAM_CTR:
        ctr_param(vector, out);
        break;
    case PARAM_GCM:
    case PARAM_CCM:
        aead_param(vector, out);
        break;
    case PARAM_LENGTH:
        out->call.u.length = number_of(vector, "length");
        break;
    case PARAM_PSS:
    case PARAM_OAEP:
    case PARAM_RSA_AES:
        rsa_param(vector, out);
        break;
    case PARAM_EDDSA:
        out->call.u.eddsa.ph = number_of(vector, "ph") != 0;
        out->call.u.eddsa.context = bytes_param(vector, out, "context");
        break;
    case PARAM_SIGN_CONTEXT:
        out->call.u.sign_context.hedge = number_of(vector, "hedge");
        out->call.u.sign_context.context = bytes_param(vector, out, "context");
        break;
    case PARAM_SP800_108:
        kdf_param(vector, out);
        break;
    case PARAM_ECDH:
    case PARAM_HKDF:
    case PARAM_PBKDF2:
    case PARAM_CBC_DATA:
        derive_param(vector, out);
        break;
    }
}

void vector_call_make(const struct vector *vector, struct vector_call *out)
{
    const char *name = vector_text(vector, "mechanism");
    *out = (struct vector_call){.call = {.mech = name == NULL ? NULL : mechanism_by_name(name)}};
    if (out->call.mech == NULL) {
        vector_fail(vector, "no row of that name");
        return;
    }
    for (size_t i = 0; i < vector->count; i++)
        out->call.has_param |= strncmp(vector->lines[i].name, "param.", 6) == 0;
    out->call.has_param |= out->call.mech->param == PARAM_OBJECT;
    fill(vector, out);
}

void vector_call_clear(struct vector_call *call)
{
    for (size_t i = 0; i < call->used; i++)
        buf_clear(&call->store[i]);
}
