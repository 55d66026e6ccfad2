/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, calls and repeatable bytes for the suites of the symmetric mechanisms. */
#include "mech_fixture.h"

static uint64_t state = 88172645463325252U;

size_t fixture_random(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % limit);
}

const uint8_t *fixture_data(void)
{
    static uint8_t data[FIXTURE_DATA];
    if (data[0] != 0) /* threads come here only afterwards */
        return data;
    UNIT_OK(crypto_lib_init());
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 131 + (i >> 8) * 29 + 7);
    return data;
}

struct key *fixture_key(CK_KEY_TYPE type, size_t len)
{
    struct key *key = NULL;
    const struct attr value = {.type = CKA_VALUE, .value = bytes_of(fixture_data() + 1000, len)};
    UNIT_OK(key_parse(CKO_SECRET_KEY, type, (struct attrs){.ptr = &value, .count = 1}, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    return key;
}

struct mech_call fixture_call(const char *name, size_t data_len)
{
    const uint8_t *data = fixture_data();
    struct mech_call call = {.mech = mechanism_by_name(name)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(call.mech);
    if (call.mech == NULL)
        return call;
    call.has_param = call.mech->param != PARAM_NONE;
    if (call.mech->param == PARAM_IV) {
        call.u.iv = bytes_of(data + 50, 16);
    } else if (call.mech->param == PARAM_CTR) {
        memcpy(call.u.ctr.block, data + 50, 16);
        call.u.ctr.counter_bits = 128;
    } else if (call.mech->param == PARAM_GCM) {
        call.u.gcm.iv = bytes_of(data + 50, 12);
        call.u.gcm.aad = bytes_of(data + 70, 33);
        call.u.gcm.tag_bits = 128;
    } else if (call.mech->param == PARAM_CCM) {
        call.u.ccm.nonce = bytes_of(data + 50, 12);
        call.u.ccm.aad = bytes_of(data + 70, 33);
        call.u.ccm.data_len = data_len;
        call.u.ccm.mac_len = 16;
    } else if (call.mech->param == PARAM_LENGTH) {
        call.u.length = 10;
    }
    return call;
}

enum rc fixture_crypt(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out)
{
    AUTO_BUF iv = BUF_INIT;
    enum rc rc = mech_crypt(call, op, key, 0, false, data, signature, out, &iv);
    CU_ASSERT_EQUAL(iv.len, 0);
    return rc;
}

enum rc fixture_parts(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out)
{
    AUTO_BUF iv = BUF_INIT;
    struct operation *operation = NULL;
    TRY(operation_begin(call, op, key, FIXTURE_DATA, &iv, &operation));
    enum rc rc = RC_OK;
    while (rc == RC_OK && fixture_random(8) != 0) {
        size_t len = fixture_random(data.len + 2);
        rc = operation_update(operation, bytes_slice(data, 0, len), out);
        data = bytes_slice(data, len, data.len);
    }
    if (rc == RC_OK)
        rc = operation_final(operation, data, signature, out);
    operation_free(operation);
    return rc;
}
