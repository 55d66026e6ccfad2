/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way through the daemon, from frame to answer, without any socket: the worker
 * drives it by steps, a test or fuzzer can do the same inline.
 *
 *   call_decode -> call_admit -> [CALL_ASK_INDEX] -> [CALL_WAIT] -> CALL_RUN | CALL_POOL ->
 * call_work
 *     -> [CALL_PROPOSE -> call_applied | CALL_PENDING] -> CALL_ANSWER -> call_pack
 */
#ifndef QHSM_CLUSTER_CALL_H
#define QHSM_CLUSTER_CALL_H

#include "cluster/logins.h"
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
    struct login_note note; /* of a client: see logins.h */
};
void peer_clear(struct peer *peer, const struct service *service);
/* Opens (or knows already) and checks a ticket. RC_TICKET_VOID. */
enum rc peer_login(struct peer *peer, const struct service *service, struct bytes ticket);

enum call_step {
    CALL_ASK_INDEX, /* a linearizable read: wanted_index is to be asked for */
    CALL_WAIT,      /* the state is behind wanted_index */
    CALL_RUN,       /* call_work() here, on the worker */
    CALL_POOL,      /* call_work() on the pool */
    CALL_PROPOSE,   /* mutation.effect to the proposer, then call_applied() */
    CALL_PENDING,   /* the handler awaits something: call->home() is called at the end */
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
    uint64_t expires_ms;   /* steady clock */
    uint64_t gate_key;     /* 0: not in the login gate */
    uint64_t wanted_index; /* of the state, before the handler runs */
    enum call_step step;   /* of a call that comes home: CALL_WAIT (look again) or CALL_ANSWER */
    bool is_applied;       /* consensus has spoken: the reply is still to be built */

    /* What a handler awaits, see call_await(). */
    _Atomic unsigned awaited;
    void (*home)(struct call *call);
    void *pending; /* the handler's own */

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
        Qhsm__ProposeReply propose;
        Qhsm__ReadIndexReply read_index;
        Qhsm__ClusterInitReply cluster_init;
        Qhsm__ClusterStatusReply cluster_status;
        Qhsm__JoinTokenReply join_token;
        Qhsm__JoinReply join;
        Qhsm__CertificateReply certificate;
        Qhsm__BackupReply backups;
        Qhsm__RestoreReply restore;
        Qhsm__ChaosReply chaos;
        Qhsm__PositionReply position;
        Qhsm__KeystoreConnectReply keystore_connect;
        Qhsm__KeystoreKeyReply keystore_key;
        Qhsm__KeystoreFindReply keystore_find;
        Qhsm__KeystoreEncryptReply keystore_encrypt;
        Qhsm__KeystoreHealthReply keystore_health;
        Qhsm__KeystoreDocumentsReply keystore_documents;
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
/* The index could not be asked for: may the call go on without? A login when the disks are full:
 * nothing new can have come that this HSM would not hear of. */
bool call_needs_no_index(const struct call *call, enum rc rc);
/* When there is news of the state: ready, still waiting, or out of time. */
enum call_step call_resume(struct call *call);
/* Runs the handler on this thread. */
enum call_step call_work(struct call *call, unsigned lane);
/* Outcome of CALL_PROPOSE; any thread. The reply is built by call_pack(). */
void call_applied(struct call *call, enum rc rc, const struct effect_result *result,
                  uint64_t index);
/* For a handler that is answered by other threads: it awaits each of its parts before it begins
 * them, and returns RC_OK; call_arrived() for each ends them, in any order, on any thread, at once
 * if need be. Then the row's `reply` builds the answer, on the worker; a part that fails says so in
 * what call->pending points to. Neither handler nor part touches the call after its last one. */
void call_await(struct call *call);
void call_arrived(struct call *call);
/* Refuses: the answer will be rc with this thread's rc_detail(). */
enum call_step call_refuse(struct call *call, enum rc rc);
/* Appends the answer's frame. Falls back to a refusal when the reply is over frame_max. */
enum rc call_pack(struct call *call, struct buf *out);

/* For handlers: zeroed memory until the reset. NULL when there is none. */
void *call_alloc(struct call *call, size_t count, size_t size);

#endif
