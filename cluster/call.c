/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a request. */
#include "cluster/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/admission.h"
#include "cluster/login_gate.h"
#include "cluster/requests.h"
#include "common/log.h"
#include "rpc/codec.h"

#define KEEP_MAX        ((size_t)128 * 1024) /* a reused buffer above it is freed */
#define WAIT_MS         2000U                /* for the state to catch up with the client */
#define SERVER_LIMIT_MS 600000U              /* of a request that names no deadline */

struct call_memory {
    struct call_memory *next;
    size_t len;
    max_align_t content[];
};

/* ---- peer */

void peer_clear(struct peer *peer, const struct service *service)
{
    if (service->logins != NULL)
        logins_forget(service->logins, &peer->note);
    secret_clear(&peer->ticket_sealed);
    *peer = (struct peer){.ticket_sealed = SECRET_INIT};
}

/* The front ends' own logins are nobody else's. */
static bool is_to_note(const struct peer *peer, const struct service *service)
{
    return service->logins != NULL &&
           (peer->role == TLS_ROLE_CLIENT || peer->role == TLS_ROLE_ADMIN);
}

enum rc peer_login(struct peer *peer, const struct service *service, struct bytes ticket)
{
    if (ticket.len > WIRE_TICKET_MAX)
        return rc_fail(RC_TICKET_VOID, "a ticket of %zu bytes", ticket.len);
    bool is_noted = atomic_load_explicit(&peer->note.is_noted, memory_order_relaxed);
    uint64_t now_ms = clock_wall_ms();
    if (!secret_equal(&peer->ticket_sealed, ticket)) {
        struct ticket opened;
        TRY(ticket_open(service->hsm->keys, ticket, &opened));
        TRY(secret_from_bytes(&peer->ticket_sealed, ticket));
        peer->ticket = opened;
        is_noted = false;
    }
    TRY(ticket_check(service->hsm->state, &peer->ticket, peer->application, now_ms));
    peer->logged_in = true;
    if (!is_noted && is_to_note(peer, service))
        logins_note(service->logins, &peer->note, &peer->ticket, peer->name, now_ms);
    return RC_OK;
}

/* ---- life of a call */

enum rc call_new(struct call **out)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return RC_NO_MEMORY;
    call->mutation = (struct mutation)MUTATION_INIT;
    call->data = (struct buf)BUF_INIT;
    call->iv = (struct buf)BUF_INIT;
    call->values = (struct secret)SECRET_INIT;
    enum rc rc = arena_new(&call->arena);
    if (rc != RC_OK) {
        free(call);
        return rc;
    }
    *out = call;
    return RC_OK;
}

static void free_memory(struct call *call)
{
    while (call->memory != NULL) {
        struct call_memory *memory = call->memory;
        call->memory = memory->next;
        secret_wipe(memory->content, memory->len);
        free(memory);
    }
}

void call_free(struct call *call)
{
    if (call == NULL)
        return;
    free_memory(call);
    mutation_clear(&call->mutation);
    buf_clear(&call->data);
    buf_clear(&call->iv);
    secret_clear(&call->values);
    arena_free(call->arena);
    free(call);
}

static void empty_buf(struct buf *buf)
{
    if (buf->cap > KEEP_MAX || buf_resize(buf, 0) != RC_OK)
        buf_clear(buf);
}

void call_reset(struct call *call)
{
    free_memory(call);
    if (call->row != NULL && call->row->changes == CHANGES_STATE) {
        mutation_clear(&call->mutation);
        call->mutation = (struct mutation)MUTATION_INIT;
    }
    empty_buf(&call->data);
    empty_buf(&call->iv);
    secret_clear(&call->values);
    arena_reset(call->arena);
    call->next = NULL;
    call->request = NULL;
    call->row = NULL;
    call->gate_key = 0;
    call->wanted_index = 0;
    call->step = CALL_ANSWER;
    call->is_applied = false;
    call->pending = NULL;
    call->rc = RC_OK;
    call->detail[0] = 0;
    call->applied_index = 0;
}

void *call_alloc(struct call *call, size_t count, size_t size)
{
    size_t len = 0;
    if (__builtin_mul_overflow(count, size, &len))
        return NULL;
    struct call_memory *memory = calloc(1, sizeof *memory + len);
    if (memory == NULL)
        return NULL;
    memory->len = len;
    memory->next = call->memory;
    call->memory = memory;
    return memory->content;
}

/* ---- steps */

enum call_step call_refuse(struct call *call, enum rc rc)
{
    call->rc = rc;
    call->response.body_case = QHSM__RESPONSE__BODY__NOT_SET;
    (void)snprintf(call->detail, sizeof call->detail, "%s", rc_detail());
    return CALL_ANSWER;
}

enum rc call_decode(struct call *call, struct service *service, struct peer *peer,
                    struct bytes message)
{
    call->service = service;
    call->peer = peer;
    qhsm__response__init(&call->response);
    rc_detail_clear();
    atomic_fetch_add_explicit(&service->requests, 1, memory_order_relaxed);
    enum rc rc = frame_request(call->arena, message, &call->request);
    if (rc != RC_OK) {
        call->id = frame_request_id(message);
        (void)call_refuse(call, rc);
        return rc;
    }
    call->id = call->request->id;
    uint64_t limit = call->request->deadline_ms != 0 ? call->request->deadline_ms : SERVER_LIMIT_MS;
    call->expires_ms = clock_steady_ms() + limit;
    return RC_OK;
}

static enum rc admit_connection(struct call *call)
{
    const struct peer *peer = call->peer;
    bool is_hello = call->request->body_case == QHSM__REQUEST__BODY_HELLO;
    call->row = request_find(call->request->body_case);
    if (call->row == NULL)
        return rc_fail(RC_UNSUPPORTED, "request %d is not known here",
                       (int)call->request->body_case);
    if (!peer->greeted && !is_hello)
        return rc_fail(RC_PROTOCOL, "%s before hello", call->row->name);
    if ((call->row->may & (1U << peer->role)) == 0)
        return rc_fail(RC_NOT_PERMITTED, "a connection as %s may not ask %s",
                       tls_role_name(peer->role), call->row->name);
    return admission_place(call);
}

static enum rc need_login(const struct call *call)
{
    const struct caller *caller = &call->caller;
    switch (call->row->login) {
    case LOGIN_IGNORED:
    case LOGIN_OPTIONAL:
        return RC_OK;
    case LOGIN_NEEDED:
        return caller->logged_in ? RC_OK : rc_fail(RC_NOT_LOGGED_IN, "%s", call->row->name);
    case LOGIN_SO:
        if (caller->logged_in && caller->ticket.role == ROLE_SO)
            return RC_OK;
        return rc_fail(RC_NOT_LOGGED_IN, "%s is the security officer's", call->row->name);
    case LOGIN_OR_ADMIN:
        if (caller->logged_in || call->peer->role == TLS_ROLE_ADMIN)
            return RC_OK;
        return rc_fail(RC_NOT_LOGGED_IN, "%s needs a login or an administrator's connection",
                       call->row->name);
    }
    return RC_INTERNAL;
}

static enum rc admit_login(struct call *call)
{
    struct bytes ticket = bytes_of(call->request->ticket.data, call->request->ticket.len);
    struct caller *caller = &call->caller;
    memcpy(caller->application, call->peer->application, sizeof caller->application);
    caller->sequence = call->request->sequence;
    caller->now_ms = clock_wall_ms();
    caller->logged_in = false;
    caller->is_admin = call->peer->role == TLS_ROLE_ADMIN;
    caller->context = BYTES_NONE;
    if (call->row->login != LOGIN_IGNORED && ticket.len > 0) {
        enum rc rc = peer_login(call->peer, call->service, ticket);
        if (secret_equal(&call->peer->ticket_sealed, ticket)) /* it was opened, now or before */
            caller->ticket = call->peer->ticket;
        if (rc != RC_OK)
            return rc;
        caller->logged_in = true;
    }
    return need_login(call);
}

static enum call_step where(struct call *call)
{
    switch (call->row->runs) {
    case RUNS_ON_WORKER:
        return CALL_RUN;
    case RUNS_SHORT:
        return CALL_POOL;
    case RUNS_BY_COST:
        return request_is_costly(call->request) ? CALL_POOL : CALL_RUN;
    }
    return CALL_RUN;
}

static bool is_behind(const struct call *call)
{
    return call->wanted_index > 0 && state_applied(call->service->hsm->state) < call->wanted_index;
}

static bool is_login(const struct call *call)
{
    return call->request->body_case == QHSM__REQUEST__BODY_LOGIN ||
           call->request->body_case == QHSM__REQUEST__BODY_KEYSTORE_CONNECT;
}

/* What the request rests on, wherever it was read. */
static uint64_t known_index(const Qhsm__Request *request)
{
    uint64_t since = request->body_case == QHSM__REQUEST__BODY_KEYSTORE_DOCUMENTS
                         ? request->keystore_documents->since
                         : 0;
    uint64_t most = request->seen_index > request->view ? request->seen_index : request->view;
    return since > most ? since : most;
}

/* A key store's front end has decided by its documents: when they have changed, but for notes of
 * last use, it decides again. */
static enum rc check_view(const struct call *call)
{
    uint64_t view = call->request->view;
    if (view == 0)
        return RC_OK;
    uint64_t changed = state_documents_decided(call->service->hsm->state, DOCUMENT_KMS);
    return changed <= view ? RC_OK
                           : rc_fail(RC_VIEW_OLD,
                                     "the documents changed at %" PRIu64 ", the request rests "
                                     "on %" PRIu64,
                                     changed, view);
}

/* A login is always: an HSM that is behind does not know a new user, and would call his PIN
 * incorrect without counting a try. */
static bool is_linearizable(const struct call *call)
{
    bool is_read = call->request->linearizable && call->row->changes == CHANGES_NOTHING;
    return (is_read || is_login(call)) && call->service->proposer != NULL;
}

bool call_needs_no_index(const struct call *call, enum rc rc)
{
    return rc == RC_DISK && is_login(call);
}

/* A request that comes again, and is refused for what it did itself: the name that it gave exists,
 * the object that it destroyed is gone, the login that it came with has ended. Or that was refused
 * before, and is so again for the same reason. A login has more to answer than that it was done. */
static bool was_answered(struct call *call)
{
    struct effect_result result = {.rc = RC_OK};
    const struct state *state = call->service->hsm->state;
    if (call->row->changes != CHANGES_STATE || is_login(call) ||
        call->peer->role == TLS_ROLE_NODE || call->peer->role == TLS_ROLE_JOINER ||
        !state_request_done(state, call->caller.application, call->caller.sequence, &result))
        return false;
    mutation_clear(&call->mutation);
    call->mutation = (struct mutation)MUTATION_INIT;
    call->detail[0] = 0;
    call_applied(call, RC_OK, &result, state_applied(state));
    return true;
}

static enum call_step begin(struct call *call)
{
    enum rc rc = admit_login(call);
    if (rc == RC_OK)
        return where(call);
    return rc == RC_TICKET_VOID && was_answered(call) ? CALL_ANSWER : call_refuse(call, rc);
}

enum call_step call_admit(struct call *call)
{
    enum rc rc = admit_connection(call);
    call->wanted_index = known_index(call->request);
    if (rc == RC_OK && (is_linearizable(call) || is_behind(call))) {
        uint64_t limit = clock_steady_ms() + WAIT_MS;
        if (limit < call->expires_ms && !is_login(call)) /* who may wait for a leader anyway */
            call->expires_ms = limit;
        return is_linearizable(call) ? CALL_ASK_INDEX : CALL_WAIT;
    }
    return rc == RC_OK ? begin(call) : call_refuse(call, rc);
}

/* The ticket is looked at now: what it says may be in what was waited for. */
enum call_step call_resume(struct call *call)
{
    if (is_behind(call)) {
        if (clock_steady_ms() < call->expires_ms)
            return CALL_WAIT;
        return call_refuse(
            call, rc_fail(RC_DEADLINE, "this HSM is at index %" PRIu64 ", the client saw %" PRIu64,
                          state_applied(call->service->hsm->state), call->wanted_index));
    }
    return begin(call);
}

enum call_step call_work(struct call *call, unsigned lane)
{
    call->caller.lane = lane;
    if (call->row->runs != RUNS_ON_WORKER && clock_steady_ms() > call->expires_ms)
        return call_refuse(
            call, rc_fail(RC_DEADLINE, "%s waited too long for its turn", call->row->name));
    atomic_store_explicit(&call->awaited, 1, memory_order_relaxed); /* by this function */
    enum rc rc = admission_leader(call);
    if (rc == RC_OK)
        rc = check_view(call);
    if (rc == RC_OK)
        rc = call->row->handle(call);
    if (rc == RC_OK && atomic_fetch_sub(&call->awaited, 1) > 1)
        return CALL_PENDING;
    if (rc != RC_OK)
        return was_answered(call) ? CALL_ANSWER : call_refuse(call, rc);
    if (call->row->changes != CHANGES_STATE)
        return CALL_ANSWER;
    const struct mutation *mutation = &call->mutation;
    call->rc = mutation->result.rc != RC_OK ? mutation->result.rc : mutation->verdict;
    if (call->rc != RC_OK)
        (void)snprintf(call->detail, sizeof call->detail, "%s", rc_detail());
    if (mutation->effect.len > 0)
        return CALL_PROPOSE;
    call->is_applied = true;
    return CALL_ANSWER;
}

void call_await(struct call *call)
{
    call->is_applied = true;
    (void)atomic_fetch_add(&call->awaited, 1);
}

void call_arrived(struct call *call)
{
    if (atomic_fetch_sub(&call->awaited, 1) > 1)
        return;
    call->step = CALL_ANSWER;
    call->home(call);
}

/* The detail of a verdict (a wrong PIN) was recorded by the thread that came to it. */
void call_applied(struct call *call, enum rc rc, const struct effect_result *result, uint64_t index)
{
    struct effect_result outcome = *result;
    if (rc != RC_OK)
        outcome = (struct effect_result){.rc = rc};
    if (outcome.rc != RC_OK)
        (void)snprintf(call->detail, sizeof call->detail, "%s", rc == RC_OK ? "" : rc_detail());
    hsm_settle(call->service->hsm, &call->caller, &call->mutation, &outcome);
    call->applied_index = rc == RC_OK ? index : 0;
    call->rc = outcome.rc != RC_OK ? outcome.rc : call->mutation.verdict;
    call->is_applied = true;
}

/* ---- the answer */

static void build_reply(struct call *call)
{
    if (call->rc != RC_OK || !call->is_applied || call->row->reply == NULL)
        return;
    enum rc rc = call->row->reply(call);
    if (rc != RC_OK)
        (void)call_refuse(call, rc);
}

static void log_peer_refused(const struct call *call, const char *name, const char *error)
{
    log_warn("request_refused", "request=%s error=%s peer=%s/%s detail=\"%s\"", name, error,
             tls_role_name(call->peer->role), call->peer->name, call->detail);
}

static void log_refusal(const struct call *call)
{
    const char *name = call->row == NULL ? "unknown" : call->row->name;
    const char *error = rc_info(call->rc)->name;
    switch ((int)call->rc) {
    case RC_INTERNAL:
    case RC_NO_MEMORY:
    case RC_TAMPERED:
    case RC_DISK:
    case RC_SELF_TEST:
    case RC_RANDOM:
        if (log_admits())
            log_error("request_failed", "request=%s error=%s detail=\"%s\"", name, error,
                      call->detail);
        break;
    case RC_PIN_LOCKED:
    case RC_NOT_PERMITTED:
    case RC_OVERLOADED:
        if (log_admits())
            log_peer_refused(call, name, error);
        break;
    case RC_PIN_INCORRECT: /* a try costs time, and each counts */
        log_peer_refused(call, name, error);
        break;
    default:
        log_debug("request_refused", "request=%s error=%s detail=\"%s\"", name, error,
                  call->detail);
        break;
    }
}

enum rc call_pack(struct call *call, struct buf *out)
{
    build_reply(call);
    size_t frame_max = atomic_load_explicit(&call->service->limits.frame_max, memory_order_relaxed);
    Qhsm__Response *response = &call->response;
    response->id = call->id;
    response->applied_index = call->applied_index;
    if (call->rc == RC_OK) {
        enum rc rc = frame_put(out, &response->base, frame_max);
        if (rc == RC_OK)
            return RC_OK;
        (void)call_refuse(call, rc);
    }
    log_refusal(call);
    response->rc = (uint32_t)call->rc;
    response->detail = call->detail;
    response->body_case = QHSM__RESPONSE__BODY__NOT_SET;
    return frame_put(out, &response->base, frame_max);
}
