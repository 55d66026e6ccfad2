/* SPDX-License-Identifier: Apache-2.0 */
/* The curves: names, OIDs, sizes, and the forms in which their points come. */
#ifndef QHSM_TOKEN_KEY_CURVE_H
#define QHSM_TOKEN_KEY_CURVE_H

#include <stdbool.h>

#include "common/bytes.h"
#include "common/cryptoki.h"
#include "common/rc.h"

struct key_curve {
    const char *name;      /* PrintableString form of CKA_EC_PARAMS */
    const char *libcrypto; /* group name (CKK_EC) or key type */
    CK_KEY_TYPE key_type;
    int nid;             /* CKK_EC */
    uint32_t bits;       /* of the field */
    uint32_t len;        /* of a coordinate and of a private key, bytes */
    uint32_t output_len; /* of a signature; 0: does not sign */
    uint32_t strength;   /* SP 800-57 part 1, table 2 */
    bool approved; /* SP 800-186: not secp256k1, which is for block chains, nor X25519 and X448 */
    struct bytes oid; /* DER, with tag */
};

/* By CKA_EC_PARAMS: an OID or a PrintableString. RC_CURVE, also for a curve of another key type. */
enum rc key_curve_find(CK_KEY_TYPE key_type, struct bytes params, const struct key_curve **out);
/* By OID alone (DER with tag) over all key types; NULL when unknown. */
const struct key_curve *key_curve_by_oid(struct bytes oid);
/* CKA_EC_POINT, raw or in a DER OCTET STRING, told apart by the curve's length: the raw form.
 * RC_PUBLIC_KEY. */
enum rc key_curve_point(const struct key_curve *curve, struct bytes point, struct bytes *out);

#endif
