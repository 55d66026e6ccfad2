/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical mechanism parameters and templates as a hostile peer may send them. The first byte
 * chooses the parser. */
#include <stdlib.h>

#include "rpc/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* {row, has_param, parameter}. What decodes must decode again from a copy of the bytes. */
static void fuzz_mechanism(struct bytes input)
{
    struct reader r = reader_of(input);
    const struct mechanism *mech = mechanism_at(reader_u8(&r) % mechanism_count());
    bool has_param = (reader_u8(&r) & 1) != 0;
    struct mech_call call;
    if (codec_mechanism_decode(mech->type, has_param, r.rest, &call) != RC_OK)
        return;
    must(call.mech == mech && call.has_param == has_param);
    AUTO_BUF copy = BUF_INIT;
    must(buf_append(&copy, r.rest) == RC_OK);
    must(codec_mechanism_decode(mech->type, has_param, buf_bytes(&copy), &call) == RC_OK);
}

/* As C_GetAttributeValue would hand a value out, to a buffer of just its length. */
static void hand_out(const struct attr *attr)
{
    CK_ATTRIBUTE ck = {.type = attr->type};
    if (codec_attribute_out(&ck, attr->value) != RC_OK || ck.ulValueLen == 0)
        return;
    ck.pValue = calloc(1, ck.ulValueLen);
    must(ck.pValue != NULL);
    must(codec_attribute_out(&ck, attr->value) == RC_OK);
    free(ck.pValue);
}

/* The encoding is unique: what decodes encodes to the same bytes. */
static void fuzz_list(struct bytes input)
{
    struct attr_list list;
    if (attrs_decode(input, &list) != RC_OK)
        return;
    AUTO_BUF again = BUF_INIT;
    must(attrs_encode(&again, attrs_of(&list)) == RC_OK);
    must(bytes_equal(buf_bytes(&again), input));
    for (size_t i = 0; i < list.count; i++)
        if (attr_check(&list.items[i]) == RC_OK)
            hand_out(&list.items[i]);
}

static void fuzz_template(struct bytes input)
{
    Qhsm__CreateObjectRequest *pb = qhsm__create_object_request__unpack(NULL, input.len, input.ptr);
    if (pb == NULL)
        return;
    struct attr_list list;
    if (codec_template_from_pb(pb->attributes, pb->n_attributes, &list) == RC_OK) {
        must(list.count == pb->n_attributes);
        for (size_t i = 0; i < list.count; i++)
            hand_out(&list.items[i]);
    }
    qhsm__create_object_request__free_unpacked(pb, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_mechanism(rest);
        break;
    case 1:
        fuzz_list(rest);
        break;
    default:
        fuzz_template(rest);
        break;
    }
    return 0;
}
