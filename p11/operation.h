/* SPDX-License-Identifier: Apache-2.0 */
/* An operation of a session from Init to its end: what was checked at Init, what its parts have
 * gathered so far, and the result that waits for a large enough buffer. */
#ifndef QHSM_P11_OPERATION_H
#define QHSM_P11_OPERATION_H

#include "common/crypt.h"
#include "p11/digest.h"
#include "p11/facts.h"
#include "p11/ticket.h"
#include "rpc/codec.h"

/* Indexes of a session's operations: digesting, then enum crypt_op. */
#define OPERATION_DIGEST 0U
#define OPERATION_COUNT  7U

/*
 *            Init             Update             result does not fit
 *   NONE ----------> READY ----------> PARTS ----------------------> DONE
 *    ^                 |  one-shot        |  Final                     |
 *    +-----------------+------------------+---------- delivered -------+
 */
enum operation_stage { STAGE_NONE, STAGE_READY, STAGE_PARTS, STAGE_DONE };

/* How parts are gathered. */
enum operation_path {
    PATH_BUFFER, /* in the module, sent at the end */
    PATH_DIGEST, /* hashed in the module, the digest is sent at the end */
    PATH_REMOTE, /* the daemon keeps the state */
};

struct operation {
    enum operation_stage stage;
    enum operation_path path;
    CK_OBJECT_HANDLE key;
    struct facts *facts;
    struct wire_mechanism mechanism;
    CK_MECHANISM caller_mechanism; /* for the IV that the HSM writes back */
    struct ticket *context;        /* proof of C_Login(CKU_CONTEXT_SPECIFIC) */
    bool digesting;                /* digest has begun */
    struct digest digest;
    struct secret parts;
    uint64_t pin; /* the daemon that keeps the state, its number there */
    uint64_t number;
    struct secret result; /* waits for a buffer: of an update (PARTS) or of the end (DONE) */
    bool has_result;
    bool has_signature; /* given at Init: C_VerifySignatureInit */
    struct buf signature;
};

/* Forgets everything; the digest context is kept for the next one. The daemon's state, when there
 * is any, is the caller's to abort first. */
void operation_reset(struct operation *operation);
/* As reset, and frees. NULL is allowed. */
void operation_free(struct operation *operation);

#endif
