/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a call: with the login's ticket, and with what the module does by itself when an HSM
 * has lost a session object or finds the login void. */
#ifndef QHSM_P11_REMOTE_H
#define QHSM_P11_REMOTE_H

#include "p11/call.h"

#define REMOTE_HANDLES_MAX 3U

/* An answer that clears itself. */
struct remote_reply {
    struct rpc_client *client;
    struct rpc_reply reply;
    uint64_t node; /* the HSM that answered */
};
void remote_reply_clear(struct remote_reply *reply);
#define AUTO_REPLY __attribute__((cleanup(remote_reply_clear))) struct remote_reply
#define REMOTE_REPLY_INIT                             \
    {                                                 \
        .client = NULL, .reply = {.msg = NULL, NULL } \
    }

/* A view for packing. protobuf-c has no const form of it, but packing only reads. */
static inline ProtobufCBinaryData remote_binary(struct bytes data)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } ptr = {.in = data.ptr};
    return (ProtobufCBinaryData){.len = data.len, .data = ptr.out};
}

/* How a request is to be sent. Zero: repeatable, anywhere, with the slot's login. */
struct remote_how {
    enum rpc_repeat repeat;
    uint64_t *pin;      /* of a multi-part operation; NULL: any daemon */
    bool without_login; /* no ticket */
    bool at_home;       /* makes or finds session objects: where the others are */
    /* objects that the request names: session objects among them are used at their home */
    CK_OBJECT_HANDLE handles[REMOTE_HANDLES_MAX];
    size_t handle_count;
};

/* Sends and waits; `how` may be NULL. RC_PROTOCOL when an answer without error has another body
 * than `expected` (QHSM__RESPONSE__BODY__NOT_SET: any). */
enum rc remote_call(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                    Qhsm__Response__BodyCase expected, struct remote_reply *out);

/* The same for a change: with a sequence, so that a repeated request is done once. */
enum rc remote_mutate(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                      Qhsm__Response__BodyCase expected, struct remote_reply *out);

/* Key facts from the cache or the daemon; *out is a new reference. RC_OBJECT_HANDLE. */
enum rc remote_facts(struct call *call, CK_OBJECT_HANDLE handle, struct facts **out);

/* Takes in new objects of an answer: facts, and session objects as this session's. `out` has
 * `count` handles. RC_PROTOCOL when the answer has another number of objects. */
enum rc remote_objects(struct call *call, const struct remote_reply *answer, size_t count,
                       CK_OBJECT_HANDLE *out);
/* No HSM, or not the one asked, can do it at the moment; another might. */
bool remote_is_trouble(enum rc rc);

/* Sends once, without looking after session objects. */
enum rc remote_send(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                    struct remote_reply *out);

/* Tokens, at most max_age_ms old (0: fetched now). */
enum rc remote_tokens(struct call *call, int64_t max_age_ms, struct token_list **out);
/* The same, but when no HSM can be asked what was known last: slots never change. */
enum rc remote_tokens_known(struct call *call, struct token_list **out);

/* RC_MECHANISM when the token's policy has disabled it, as far as is known here. */
enum rc remote_check_mechanism(struct call *call, const struct mechanism *mech);

/* Tokens may be this old where nothing is decided by them. */
#define REMOTE_TOKENS_AGE_MS 1000

#endif
