/* SPDX-License-Identifier: Apache-2.0 */
/* Words of use and rights that the wire, the token and the module share. Numbers are on the wire
 * and on disk. */
#ifndef QHSM_COMMON_CRYPT_H
#define QHSM_COMMON_CRYPT_H

/* CryptRequest.operation, OperationBeginRequest.operation. */
enum crypt_op {
    CRYPT_SIGN = 1,
    CRYPT_VERIFY = 2,
    CRYPT_ENCRYPT = 3,
    CRYPT_DECRYPT = 4,
    CRYPT_SIGN_RECOVER = 5,
    CRYPT_VERIFY_RECOVER = 6,
};

/* KeyFacts.usage. */
enum key_usage {
    USAGE_ENCRYPT = 1 << 0,
    USAGE_DECRYPT = 1 << 1,
    USAGE_SIGN = 1 << 2,
    USAGE_VERIFY = 1 << 3,
    USAGE_SIGN_RECOVER = 1 << 4,
    USAGE_VERIFY_RECOVER = 1 << 5,
    USAGE_WRAP = 1 << 6,
    USAGE_UNWRAP = 1 << 7,
    USAGE_DERIVE = 1 << 8,
};

/* UserChangeRequest.change. */
enum user_change {
    USER_CHANGE_PIN = 1,    /* by the security officer; also unlocks */
    USER_CHANGE_UNLOCK = 2, /* lock and disabled are lifted, tries start again */
    USER_CHANGE_DISABLE = 3,
    USER_CHANGE_DELETE = 4,
};

/* Role of a user or of a login. */
enum user_role {
    ROLE_NONE = 0, /* public session */
    ROLE_SO = 1,   /* security officer; CloudHSM's crypto officer of the token */
    ROLE_USER = 2, /* crypto user */
};

#endif
