/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way through the daemon, from frame to answer, without any socket: the worker
 * drives it by steps, a test or fuzzer can do the same inline.
 *
 *   call_decode -> call_admit -> [CALL_WAIT] -> CALL_RUN | CALL_POOL -> call_work
 *     -> [CALL_PROPOSE -> call_applied] -> CALL_ANSWER -> call_pack
 */
#ifndef QHSM_CLUSTER_CALL_H
#define QHSM_CLUSTER_CALL_H

#include "cluster/pool.h"
#include "cluster/service.h"
#include "rpc/frame.h"
#include "rpc/tls.h"
#include "rpc/wire.h"

#define CALL_DETAIL_MAX 256U

struct request_row;

/* Who is at the other end of a connection. The worker's thread only. */
struct peer {
    enum tls_role role;
    bool is_local;
    char name[65];
    bool greeted;
    bool logged_in; /* a ticket was good: large frames from now on */
    uint8_t application[16];
    struct secret ticket_sealed; /* the last good ticket, and what is in it */
    struct ticket ticket;
};
void peer_clear(struct peer *peer);
/* Opens (or knows already) and checks a ticket. RC_TICKET_VOID. */
enum rc peer_login(struct peer *peer, const struct service *service, struct bytes ticket);

enum call_step {
    CALL_WAIT,    /* the state is behind what the client has seen */
    CALL_RUN,     /* call_work() here, on the worker */
    CALL_POOL,    /* call_work() on the pool */
    CALL_PROPOSE, /* mutation.effect to consensus, then call_applied() */
    CALL_ANSWER,
};

struct call_memory;

struct call {
    struct call *next;   /* in the list that holds it */
    struct pool_job job; /* when it goes to the pool */
    struct service *service;
    struct peer *peer; /* of the connection */
    void *owner;       /* the driver's: connection */
    struct arena *arena;
    Qhsm__Request *request;
    const struct request_row *row;
    struct caller caller;
    uint64_t expires_ms; /* steady clock */
    uint64_t gate_key;   /* 0: not in the login gate */
    bool is_applied;     /* consensus has spoken: the reply is still to be built */

    struct mutation mutation;
    struct buf data; /* output of cryptography, reused */
    struct buf iv;
    struct secret values; /* attribute values on their way out */
    struct call_memory *memory;

    enum rc rc;
    char detail[CALL_DETAIL_MAX];
    uint64_t applied_index;
    uint64_t id;
    Qhsm__Response response;
    union {
        Qhsm__HelloReply hello;
        Qhsm__SlotsReply slots;
        Qhsm__LoginReply login;
        Qhsm__ObjectReply object;
        Qhsm__GetAttributesReply attributes;
        Qhsm__FindReply find;
        Qhsm__DataReply data;
        Qhsm__OperationReply operation;
        Qhsm__UserListReply users;
        Qhsm__StatusReply status;
        Qhsm__TokenInfo token;
        Qhsm__PolicyReply policy;
    } body;
};

enum rc call_new(struct call **out);
void call_free(struct call *call);
/* Wipes everything of the request; buffers of moderate size are kept for the next. */
void call_reset(struct call *call);

/* Unpacks the frame's message. On failure the call can be answered at once. */
enum rc call_decode(struct call *call, struct service *service, struct peer *peer,
                    struct bytes message);
/* Rights of the connection, login, read-your-writes. */
enum call_step call_admit(struct call *call);
/* After CALL_WAIT: ready, still waiting, or out of time. */
enum call_step call_resume(struct call *call);
/* Runs the handler on this thread. */
enum call_step call_work(struct call *call, unsigned lane);
/* Outcome of CALL_PROPOSE; any thread. The reply is built by call_pack(). */
void call_applied(struct call *call, enum rc rc, const struct effect_result *result,
                  uint64_t index);
/* Refuses: the answer will be rc with this thread's rc_detail(). */
enum call_step call_refuse(struct call *call, enum rc rc);
/* Appends the answer's frame. Falls back to a refusal when the reply is over frame_max. */
enum rc call_pack(struct call *call, struct buf *out);

/* For handlers: zeroed memory until the reset. NULL when there is none. */
void *call_alloc(struct call *call, size_t count, size_t size);

#endif
