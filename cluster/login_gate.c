/* SPDX-License-Identifier: Apache-2.0 */
/* The login gate: a fixed number of lanes, a user always takes the same. */
#include "cluster/login_gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "cluster/handlers.h"
#include "cluster/requests.h"
#include "token/user.h"

#define GATE_LANES  64U
#define WAITING_MAX 256U

struct gate_lane {
    bool busy;
    struct call *first;
    struct call **last;
};

struct login_gate {
    pthread_mutex_t lock;
    bool is_closed;
    unsigned waiting;
    struct gate_lane lanes[GATE_LANES];
};

enum rc login_gate_new(struct login_gate **out)
{
    struct login_gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_init(&gate->lock, NULL);
    for (unsigned i = 0; i < GATE_LANES; i++)
        gate->lanes[i].last = &gate->lanes[i].first;
    *out = gate;
    return RC_OK;
}

void login_gate_free(struct login_gate *gate)
{
    if (gate == NULL)
        return;
    (void)pthread_mutex_destroy(&gate->lock);
    free(gate);
}

enum rc login_gate_enter(struct login_gate *gate, struct call *call, uint64_t key,
                         bool *out_entered)
{
    struct gate_lane *lane = &gate->lanes[key % GATE_LANES];
    (void)pthread_mutex_lock(&gate->lock);
    bool closed = gate->is_closed;
    bool full = lane->busy && gate->waiting >= WAITING_MAX;
    *out_entered = !lane->busy;
    if (!full && !closed) {
        call->gate_key = key;
        call->next = NULL;
        if (lane->busy) {
            *lane->last = call;
            lane->last = &call->next;
            gate->waiting++;
        }
        lane->busy = true;
    }
    (void)pthread_mutex_unlock(&gate->lock);
    if (closed)
        return rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    return full ? rc_fail(RC_OVERLOADED, "%u logins wait already", WAITING_MAX) : RC_OK;
}

struct call *login_gate_leave(struct login_gate *gate, struct call *call)
{
    struct gate_lane *lane = &gate->lanes[call->gate_key % GATE_LANES];
    call->gate_key = 0;
    (void)pthread_mutex_lock(&gate->lock);
    struct call *following = lane->first;
    if (following == NULL) {
        lane->busy = false;
    } else {
        lane->first = following->next;
        if (lane->first == NULL)
            lane->last = &lane->first;
        following->next = NULL;
        gate->waiting--;
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return following;
}

static struct call *take_lane(struct gate_lane *lane, struct call *list)
{
    while (lane->first != NULL) {
        struct call *call = lane->first;
        lane->first = call->next;
        call->gate_key = 0;
        call->next = list;
        list = call;
    }
    lane->last = &lane->first;
    return list;
}

struct call *login_gate_close(struct login_gate *gate)
{
    struct call *list = NULL;
    if (gate == NULL)
        return NULL;
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_closed = true;
    gate->waiting = 0;
    for (unsigned i = 0; i < GATE_LANES; i++)
        list = take_lane(&gate->lanes[i], list);
    (void)pthread_mutex_unlock(&gate->lock);
    return list;
}

static struct bytes pin_of(const struct call *call, uint64_t *slot, enum user_role *role,
                           const char **name)
{
    const Qhsm__Request *request = call->request;
    *name = NULL;
    if (request->body_case == QHSM__REQUEST__BODY_INIT_TOKEN) {
        *slot = request->init_token->slot;
        *role = ROLE_SO;
        return bytes_of(request->init_token->so_pin.data, request->init_token->so_pin.len);
    }
    if (request->body_case == QHSM__REQUEST__BODY_SET_PIN) {
        *slot = request->set_pin->slot;
        *role = request->set_pin->user_type == CKU_SO ? ROLE_SO : ROLE_USER;
        return bytes_of(request->set_pin->old_pin.data, request->set_pin->old_pin.len);
    }
    *slot = request->login->slot;
    *role = request->login->user_type == CKU_SO ? ROLE_SO : ROLE_USER;
    if (request->login->user[0] != 0)
        *name = request->login->user;
    return bytes_of(request->login->pin.data, request->login->pin.len);
}

/* A context-specific login is by whoever is logged in. */
static bool is_own_pin(const struct call *call)
{
    return call->request->body_case == QHSM__REQUEST__BODY_LOGIN &&
           call->request->login->user_type == CKU_CONTEXT_SPECIFIC && call->caller.logged_in;
}

static uint64_t key_of(const struct user_row *user)
{
    return user->id + 1;
}

/* A key store names its user. */
static uint64_t keystore_key(const struct call *call)
{
    const Qhsm__KeystoreConnectRequest *connect = call->request->keystore_connect;
    const Qhsm__KeystoreRotateRequest *rotate = call->request->keystore_rotate;
    bool connects = call->request->body_case == QHSM__REQUEST__BODY_KEYSTORE_CONNECT;
    struct user_row user;
    enum rc rc =
        handlers_keystore_user(call->service->hsm->state, connects ? connect->token : rotate->token,
                               connects ? connect->user : rotate->user, &user);
    rc_detail_clear();
    return rc == RC_OK ? key_of(&user) : GATE_LANES;
}

/* By the user that the PIN's grammar picks: a default user's PIN may hold a colon, so the text
 * before one does not tell. Whoever names nobody shares a lane. */
uint64_t login_gate_key(const struct call *call)
{
    uint64_t slot = 0;
    enum user_role role = ROLE_NONE;
    const char *name = NULL;
    struct user_row user;
    struct bytes password;
    if (call->row->may == MAY(KEYSTORE))
        return keystore_key(call);
    struct bytes pin = pin_of(call, &slot, &role, &name);
    if (name == NULL && is_own_pin(call))
        return call->caller.ticket.user_id + 1;
    if (user_pick(call->service->hsm->state, slot, role, pin, name, &user, &password) != RC_OK) {
        rc_detail_clear();
        return GATE_LANES;
    }
    return key_of(&user);
}
