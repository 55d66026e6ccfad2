/* SPDX-License-Identifier: Apache-2.0 */
/* What Init checks and what a result's length is, from key facts and the mechanism table alone: no
 * traffic. The daemon's law decides again. */
#ifndef QHSM_P11_CRYPT_RULES_H
#define QHSM_P11_CRYPT_RULES_H

#include "p11/operation.h"

/* How a family of mechanisms works in parts. */
struct crypt_family {
    bool asymmetric;          /* sizes are bits */
    bool hashes;              /* with a digest in its row: only the digest travels */
    enum operation_path path; /* of parts that are not hashed */
};
const struct crypt_family *crypt_family(const struct mechanism *mech);

/* RC_MECHANISM when the row lacks the flag of the operation. */
enum rc crypt_check_mechanism(const struct mechanism *mech, enum crypt_op op);
/* RC_KEY_HANDLE, RC_KEY_TYPE, RC_KEY_SIZE, RC_KEY_FUNCTION, RC_MECHANISM. */
enum rc crypt_check_key(const struct facts *facts, const struct mechanism *mech, enum crypt_op op);

/* Length of the result for `in_len` bytes of input; an upper bound when *out_exact is false. */
enum rc crypt_result_len(const struct operation *operation, enum crypt_op op, size_t in_len,
                         size_t *out_len, bool *out_exact);

#endif
