/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: one operation at a time each, repeated under its id at another HSM until its outcome is
 * known or its time is over; what they saw becomes the history. */
#include <stdio.h>
#include <string.h>

#include "tests/simulation/sim.h"
#include "tests/simulation/world.h"

#define CALL_MS      1500U
#define OPERATION_MS 8000U
#define THINK_MS     120U
#define OBJECTS_MAX  64U
#define VERIFY_MAX   1024U
#define SETUP_STEPS  (2U + WORLD_PIN_USERS)

struct client {
    unsigned number;
    uint64_t sequence; /* the last operation's */
    uint64_t seen;
    bool busy, maybe;
    unsigned attempt;
    uint64_t deadline;
    struct request request;
    struct lin_op op;
    struct node *only; /* ask no other */
    struct node *prefers;
};

struct verify {
    struct request request;
    struct node *node;
};

static struct client clients[SIM_CLIENTS];
static char objects[OBJECTS_MAX][32];
static size_t object_count;
static uint64_t next_value;
static unsigned setup_done;
static bool stopped;
static struct verify *verify_list;
static size_t verify_count, verify_next;
/* The value that a document had when it was last read, by client. */
static uint64_t document_seen[SIM_CLIENTS][WORLD_DOCUMENTS];

static void attempt(struct client *client);
static void think(struct client *client, uint64_t delay_us);

/* ---- the history */

struct meaning {
    enum lin_model_kind model;
    enum lin_function function;
    enum lin_answer done;
};

static const struct meaning meanings[REQUEST_KIND_COUNT] = {
    [REQUEST_USER_ADD] = {LIN_SET, LIN_ADD, LIN_DONE},
    [REQUEST_USER_REMOVE] = {LIN_SET, LIN_REMOVE, LIN_DONE},
    [REQUEST_USERS_READ] = {LIN_SET, LIN_READ, LIN_DONE},
    [REQUEST_PIN_WRONG] = {LIN_PIN, LIN_WRONG, LIN_INCORRECT},
    [REQUEST_PIN_RIGHT] = {LIN_PIN, LIN_RIGHT, LIN_DONE},
    [REQUEST_PIN_UNLOCK] = {LIN_PIN, LIN_UNLOCK, LIN_DONE},
    [REQUEST_PIN_READ] = {LIN_PIN, LIN_READ, LIN_DONE},
    [REQUEST_OBJECT_CREATE] = {LIN_OBJECT, LIN_CREATE, LIN_DONE},
    [REQUEST_OBJECT_MODIFY] = {LIN_OBJECT, LIN_MODIFY, LIN_DONE},
    [REQUEST_OBJECT_DESTROY] = {LIN_OBJECT, LIN_DESTROY, LIN_DONE},
    [REQUEST_OBJECT_READ] = {LIN_OBJECT, LIN_READ, LIN_DONE},
    [REQUEST_DOCUMENT_CAS] = {LIN_OBJECT, LIN_CAS, LIN_DONE},
    [REQUEST_DOCUMENT_READ] = {LIN_OBJECT, LIN_READ, LIN_DONE},
};

static bool is_recorded(const struct request *request)
{
    bool pin_user = request->kind == REQUEST_USER_ADD && request->name[0] == 'p';
    return request->kind > REQUEST_SETUP_POLICY && !pin_user;
}

static struct lin_history *history_of(const struct request *request)
{
    enum lin_model_kind model = meanings[request->kind].model;
    const char *key = model == LIN_SET ? "users" : request->name;
    return lin_histories_key(&sim.histories, model, key, WORLD_PIN_LIMIT);
}

static void fill_op(struct client *client)
{
    const struct request *request = &client->request;
    client->op = (struct lin_op){.process = client->number,
                                 .function = meanings[request->kind].function,
                                 .arg = request->value,
                                 .from = request->from,
                                 .called = sim.now};
    if (request->kind == REQUEST_DOCUMENT_CAS && request->from == LIN_ABSENT)
        client->op.function = LIN_CREATE;
}

/* False for an answer that no such operation has. */
static bool lin_answer_of(const struct client *client, const struct answer *answer, uint64_t *out)
{
    enum request_kind kind = client->request.kind;
    *out = meanings[kind].done;
    if (request_is_read(kind))
        *out = answer->value;
    if (answer->rc == RC_OK)
        return true;
    *out = answer->rc == RC_PIN_LOCKED  ? LIN_LOCKED
           : answer->rc == RC_EXISTS    ? LIN_EXISTS
           : answer->rc == RC_NOT_FOUND ? LIN_IS_ABSENT
                                        : LIN_CONFLICT;
    if (answer->rc == RC_CONFLICT && client->op.function == LIN_CREATE)
        *out = LIN_EXISTS;
    return answer->rc == RC_PIN_LOCKED || answer->rc == RC_EXISTS || answer->rc == RC_NOT_FOUND ||
           answer->rc == RC_CONFLICT || answer->rc == RC_OBJECT_HANDLE;
}

static void note_unknown(struct client *client)
{
    sim.stats.unknown++;
    if (!is_recorded(&client->request))
        return;
    client->op.outcome = LIN_UNKNOWN;
    client->op.returned = LIN_NEVER;
    (void)lin_add(history_of(&client->request), &client->op);
}

static void note_done(struct client *client, const struct answer *answer)
{
    uint64_t result = 0;
    if (!lin_answer_of(client, answer, &result))
        sim_fail("%s %s was answered %s", request_name(client->request.kind), client->request.name,
                 rc_info(answer->rc)->name);
    if (answer->rc == RC_OBJECT_HANDLE)
        result = LIN_IS_ABSENT;
    bool gave_up = answer->rc == RC_CONFLICT && client->request.kind != REQUEST_DOCUMENT_CAS;
    if (!is_recorded(&client->request))
        return;
    if (answer->rc != RC_OK && client->maybe && !sim.strict) {
        note_unknown(client); /* an earlier copy of the request may still be on its way */
        return;
    }
    if (gave_up)
        return;
    client->op.outcome = LIN_OK;
    client->op.result = result;
    client->op.returned = sim.now;
    (void)lin_add(history_of(&client->request), &client->op);
}

/* ---- which operation */

static void set_name(struct request *request, char letter, uint64_t number)
{
    (void)snprintf(request->name, sizeof request->name, "%c%llu", letter,
                   (unsigned long long)number);
}

static void choose_object(struct request *request, uint64_t dice)
{
    if (object_count == 0 || (dice < 12 && object_count < OBJECTS_MAX)) {
        request->kind = REQUEST_OBJECT_CREATE;
        set_name(request, 'o', object_count);
        memcpy(objects[object_count++], request->name, sizeof request->name);
        return;
    }
    request->kind = dice < 26   ? REQUEST_OBJECT_MODIFY
                    : dice < 32 ? REQUEST_OBJECT_DESTROY
                                : REQUEST_OBJECT_READ;
    size_t recent = object_count < 8 ? object_count : 8;
    memcpy(request->name, objects[object_count - 1 - random_below(recent)], sizeof request->name);
}

static void choose_user(struct request *request, uint64_t dice)
{
    request->kind = dice < 48   ? REQUEST_USER_ADD
                    : dice < 54 ? REQUEST_USER_REMOVE
                                : REQUEST_USERS_READ;
    request->value = random_below(WORLD_SET_USERS);
    set_name(request, 's', request->value);
}

static void choose_pin(struct request *request, uint64_t dice)
{
    request->kind = dice < 74   ? REQUEST_PIN_WRONG
                    : dice < 78 ? REQUEST_PIN_RIGHT
                    : dice < 81 ? REQUEST_PIN_UNLOCK
                                : REQUEST_PIN_READ;
    set_name(request, 'p', random_below(WORLD_PIN_USERS));
}

static void choose_document(struct client *client, uint64_t dice)
{
    uint64_t number = random_below(WORLD_DOCUMENTS);
    client->request.kind = dice < 94 ? REQUEST_DOCUMENT_CAS : REQUEST_DOCUMENT_READ;
    client->request.from = document_seen[client->number][number];
    set_name(&client->request, 'd', number);
}

static void choose(struct client *client)
{
    struct request *request = &client->request;
    uint64_t dice = random_below(100);
    request->value = ++next_value;
    if (dice < 40)
        choose_object(request, dice);
    else if (dice < 58)
        choose_user(request, dice);
    else if (dice < 86)
        choose_pin(request, dice);
    else
        choose_document(client, dice);
}

static void choose_setup(struct request *request)
{
    request->kind = setup_done == 0   ? REQUEST_SETUP_TOKEN
                    : setup_done == 1 ? REQUEST_SETUP_POLICY
                                      : REQUEST_USER_ADD;
    if (setup_done >= 2)
        set_name(request, 'p', setup_done - 2);
}

/* ---- one operation */

static void begin(struct client *client)
{
    client->request.client = client->number;
    client->request.sequence = ++client->sequence;
    client->busy = true;
    client->maybe = false;
    client->attempt = 0;
    client->deadline = sim.now + OPERATION_MS * MS;
    sim.stats.operations++;
    fill_op(client);
    attempt(client);
}

static void next_operation(struct node *node, void *context)
{
    (void)node;
    struct client *client = context;
    if (client->busy)
        return;
    client->request = (struct request){.kind = REQUEST_KIND_COUNT};
    client->only = NULL;
    if (!clients_ready()) {
        if (client->number != 0)
            return;
        choose_setup(&client->request);
    } else if (stopped) {
        if (client->number != 0 || verify_next >= verify_count)
            return;
        client->request = verify_list[verify_next].request;
        client->only = verify_list[verify_next++].node;
    } else {
        choose(client);
    }
    begin(client);
}

static void think(struct client *client, uint64_t delay_us)
{
    event_after(delay_us, NULL, next_operation, client);
}

static void end(struct client *client)
{
    client->busy = false;
    think(client, stopped ? 1 : random_below(THINK_MS * MS));
}

static void note_document(const struct client *client, const struct answer *answer)
{
    const struct request *request = &client->request;
    if (request->name[0] != 'd')
        return;
    uint64_t *seen = &document_seen[client->number][request->name[1] - '0'];
    if (request->kind == REQUEST_DOCUMENT_READ && answer->rc == RC_OK)
        *seen = answer->value;
    if (request->kind == REQUEST_DOCUMENT_CAS && answer->rc == RC_OK)
        *seen = request->value;
}

static void succeed(struct client *client, const struct answer *answer)
{
    trace("client %u: %s %s: %s (index %llu)", client->number, request_name(client->request.kind),
          client->request.name, rc_info(answer->rc)->name, (unsigned long long)answer->index);
    if (answer->index > client->seen)
        client->seen = answer->index;
    note_done(client, answer);
    note_document(client, answer);
    if (!clients_ready()) {
        setup_done++;
        for (unsigned i = 1; clients_ready() && i < SIM_CLIENTS; i++)
            think(&clients[i], random_below(THINK_MS * MS));
    }
    end(client);
}

/* The time is over. */
static void give_up(struct client *client)
{
    trace("client %u: %s %s: %s", client->number, request_name(client->request.kind),
          client->request.name, client->maybe ? "unknown" : "refused");
    if (!clients_ready())
        sim_fail("the cluster could not be set up");
    if (client->only != NULL)
        sim_fail("node %llu does not answer at the end", client->only->id);
    if (client->maybe && !request_is_read(client->request.kind))
        note_unknown(client);
    else
        sim.stats.refused++;
    end(client);
}

/* ---- attempts */

struct call {
    struct client *client;
    struct request request;
    unsigned attempt;
};

static void attempt_later(struct node *node, void *context)
{
    (void)node;
    const struct call *call = context;
    if (call->client->busy && call->client->sequence == call->request.sequence &&
        call->client->attempt == call->attempt)
        attempt(call->client);
}

static struct call *call_of(struct client *client)
{
    struct call *call = sim_alloc(sizeof *call);
    *call = (struct call){.client = client, .request = client->request, .attempt = client->attempt};
    call->request.sequence = client->sequence;
    return call;
}

static void call_lost(struct node *node, void *context)
{
    (void)node;
    const struct call *call = context;
    struct client *client = call->client;
    if (!client->busy || client->sequence != call->request.sequence ||
        client->attempt != call->attempt)
        return;
    client->maybe = true;
    attempt(client);
}

static void call_arrives(struct node *node, void *context)
{
    const struct call *call = context;
    task_begin(node, &call->request, call->attempt);
}

static struct node *pick_node(const struct client *client)
{
    if (client->only != NULL)
        return client->only;
    for (unsigned tries = 0; tries < 64; tries++) {
        struct node *node = &sim.nodes[random_below(SIM_NODES)];
        if (node->exists && !node->removed)
            return node;
    }
    return &sim.nodes[0];
}

static void attempt(struct client *client)
{
    if (sim.now >= client->deadline) {
        give_up(client);
        return;
    }
    client->attempt++;
    if (client->prefers == NULL || client->attempt > 1 || client->only != NULL)
        client->prefers = pick_node(client);
    struct call *call = call_of(client);
    if (!client->prefers->up || client->prefers->removed) { /* connection refused */
        event_after(random_between(5, 40) * MS, NULL, attempt_later, call);
        return;
    }
    struct call *sent = call_of(client);
    trace("client %u asks node %llu: request %llu, %s %s", client->number, client->prefers->id,
          (unsigned long long)client->sequence, request_name(client->request.kind),
          client->request.name);
    sent->request.seen = client->seen;
    if (sim.mutation == MUTATION_SEQUENCE)
        sent->request.sequence += (uint64_t)client->attempt << 32;
    event_after(CALL_MS * MS, NULL, call_lost, call);
    if (!random_chance(10))
        event_after(random_between(50, 400), client->prefers, call_arrives, sent);
}

void clients_answered(const struct request *request, unsigned attempt_number,
                      const struct answer *answer)
{
    struct client *client = &clients[request->client];
    if (!client->busy || (uint32_t)request->sequence != client->sequence)
        return;
    bool unknown = answer->rc == RC_OUTCOME_UNKNOWN;
    if (unknown)
        client->maybe = true;
    if (!unknown && answer->rc != RC_NO_QUORUM) {
        succeed(client, answer);
        return;
    }
    if (attempt_number == client->attempt)
        event_after(random_between(20, 100) * MS, NULL, attempt_later, call_of(client));
}

/* ---- all of them */

void clients_start(void)
{
    for (unsigned i = 0; i < SIM_CLIENTS; i++) {
        clients[i].number = i;
        for (unsigned j = 0; j < WORLD_DOCUMENTS; j++)
            document_seen[i][j] = LIN_ABSENT;
    }
    think(&clients[0], MS);
}

bool clients_ready(void)
{
    return setup_done >= SETUP_STEPS;
}

void clients_stop(void)
{
    stopped = true;
}

bool clients_idle(void)
{
    for (unsigned i = 0; i < SIM_CLIENTS; i++)
        if (clients[i].busy)
            return false;
    return verify_next >= verify_count;
}

static void verify_add(const struct lin_history *history, struct node *node)
{
    struct verify *verify = &verify_list[verify_count];
    *verify = (struct verify){.node = node};
    verify->request.kind = history->model == LIN_SET   ? REQUEST_USERS_READ
                           : history->model == LIN_PIN ? REQUEST_PIN_READ
                           : history->key[0] == 'd'    ? REQUEST_DOCUMENT_READ
                                                       : REQUEST_OBJECT_READ;
    memcpy(verify->request.name, history->key, sizeof verify->request.name);
    verify_count++;
}

void clients_verify(void)
{
    verify_list = sim_alloc(VERIFY_MAX * sizeof *verify_list);
    for (size_t i = 0; i < sim.histories.count; i++)
        for (unsigned j = 0; j < SIM_NODES; j++)
            if (sim.nodes[j].up && !sim.nodes[j].removed && verify_count < VERIFY_MAX)
                verify_add(&sim.histories.items[i], &sim.nodes[j]);
    think(&clients[0], 1);
}
