/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-part operations of modes that may or can give nothing out before the end: the parts are
 * gathered, within the operation's limit, and worked on at the end. */
#ifndef QHSM_TOKEN_MECH_GATHER_H
#define QHSM_TOKEN_MECH_GATHER_H

#include "token/mech_aes.h"

/* The one-shot of the mode, on a context made for `setup`. `work` has neither lane nor key. */
struct gather_kind {
    mech_aes_run run;
    struct aes_setup setup;
};

struct gather {
    struct gather_kind kind;
    EVP_CIPHER_CTX *context;
    bool streams;          /* the family feeds the context itself */
    struct mech_call call; /* its views are into `params` */
    struct buf params;
    struct buf data;
};

/* Makes the state of `operation`, with a copy of the parameter (GCM or CCM); also when it fails,
 * the operation owns what there is. */
enum rc mech_gather_begin(const struct mech_call *call, const struct gather_kind *kind,
                          struct operation *operation, struct gather **out);
/* RC_TOO_LARGE beyond the operation's hold_max. */
enum rc mech_gather_update(struct operation *operation, struct bytes data);
enum rc mech_gather_final(struct operation *operation, struct bytes data, struct buf *out);

#endif
