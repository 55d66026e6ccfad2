/* SPDX-License-Identifier: Apache-2.0 */
/* Hash-and-sign: here or at the caller's. */
#include "token/mech_sign.h"

enum rc mech_sign_input(const struct mech_work *work, enum digest_id digest_id, uint8_t *digest,
                        struct bytes *out)
{
    const struct digest_info *info = digest_info(digest_id);
    size_t len = 0;
    *out = work->data;
    if (info == NULL)
        return RC_OK;
    if (work->prehashed || work->call->mech->digest == DIGEST_NONE) {
        if (work->data.len != info->len)
            return rc_fail(RC_DATA_LEN, "a digest of %zu bytes, %s has %zu", work->data.len,
                           info->name, info->len);
        return RC_OK;
    }
    TRY(crypto_digest(digest_id, work->data, digest, &len));
    *out = bytes_of(digest, len);
    return RC_OK;
}
