/* SPDX-License-Identifier: Apache-2.0 */
/* What a request means at this HSM: a read is answered from its state, a change becomes an effect
 * on what it sees. Refusals are left to apply(), so that a repeated request is known as such. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"
#include "tests/simulation/world.h"
#include "tests/unit/token/state_fixture.h"

#define TOKEN  1U
#define NOBODY ((uint64_t)1 << 60) /* no version, and no user */

const char *request_name(enum request_kind kind)
{
    static const char *const names[REQUEST_KIND_COUNT] = {
        [REQUEST_SETUP_TOKEN] = "init-token",
        [REQUEST_SETUP_POLICY] = "set-policy",
        [REQUEST_USER_ADD] = "add-user",
        [REQUEST_USER_REMOVE] = "remove-user",
        [REQUEST_USERS_READ] = "list-users",
        [REQUEST_PIN_WRONG] = "wrong-pin",
        [REQUEST_PIN_RIGHT] = "right-pin",
        [REQUEST_PIN_UNLOCK] = "unlock",
        [REQUEST_PIN_READ] = "read-tries",
        [REQUEST_OBJECT_CREATE] = "create",
        [REQUEST_OBJECT_MODIFY] = "modify",
        [REQUEST_OBJECT_DESTROY] = "destroy",
        [REQUEST_OBJECT_READ] = "read",
        [REQUEST_DOCUMENT_CAS] = "swap",
        [REQUEST_DOCUMENT_READ] = "read-document",
    };
    return names[kind];
}

bool request_is_read(enum request_kind kind)
{
    return kind == REQUEST_USERS_READ || kind == REQUEST_PIN_READ || kind == REQUEST_OBJECT_READ ||
           kind == REQUEST_DOCUMENT_READ;
}

static void must(enum rc rc)
{
    if (rc == RC_OK)
        return;
    sim_fail("an effect cannot be made: %s %s", rc_info(rc)->name, rc_detail());
}

/* ---- looking things up */

struct found_object {
    struct object *object;
    unsigned count;
};

static bool visit(struct object *object, void *context)
{
    struct found_object *found = context;
    found->object = object;
    found->count++;
    return true;
}

/* A request that was done twice shows as two objects of one name. */
static struct object *find_object(const struct state *state, const char *label)
{
    struct found_object found = {.count = 0};
    const struct attr wanted = {.type = CKA_LABEL, .value = bytes_of_str(label)};
    must(state_find(state, TOKEN, (struct attrs){.ptr = &wanted, .count = 1}, true, 0, visit,
                    &found));
    if (found.count > 1)
        sim_fail("object %s is there %u times", label, found.count);
    return found.object != NULL ? state_object(state, found.object->handle) : NULL;
}

static uint64_t object_value(const struct object *object)
{
    char text[24] = "";
    struct bytes id;
    if (object == NULL || !object_attr(object, CKA_ID, &id) || id.len >= sizeof text)
        return LIN_ABSENT;
    memcpy(text, id.ptr, id.len);
    return strtoull(text, NULL, 10);
}

static uint64_t document_value(const struct state *state, const char *name, uint64_t *out_version)
{
    AUTO_BUF value = BUF_INIT;
    *out_version = 0;
    if (state_document(state, DOCUMENT_JOIN, bytes_of_str(name), &value, out_version) != RC_OK)
        return LIN_ABSENT;
    struct reader in = reader_of(buf_bytes(&value));
    return reader_u64(&in);
}

static uint64_t users_mask(const struct state *state)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < WORLD_SET_USERS; i++) {
        char name[32];
        struct user_row row;
        (void)snprintf(name, sizeof name, "s%u", i);
        if (state_user(state, TOKEN, name, &row) == RC_OK)
            mask |= UINT64_C(1) << i;
    }
    return mask;
}

static uint64_t read_value(const struct state *state, const struct request *request)
{
    struct user_row row;
    uint64_t version = 0;
    if (request->kind == REQUEST_USERS_READ)
        return users_mask(state);
    if (request->kind == REQUEST_PIN_READ)
        return state_user(state, TOKEN, request->name, &row) == RC_OK ? row.tries : LIN_ABSENT;
    if (request->kind == REQUEST_DOCUMENT_READ)
        return document_value(state, request->name, &version);
    AUTO_OBJECT *object = find_object(state, request->name);
    return object_value(object);
}

/* ---- making effects */

struct making {
    const struct state *state;
    const struct request *request;
    struct effect_head head;
    struct buf *out;
};

static bool make_setup(const struct making *making)
{
    if (making->request->kind == REQUEST_SETUP_TOKEN) {
        const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
        must(
            effect_token_init(making->out, &making->head, TOKEN, "token", "0123456789abcdef", &so));
        return true;
    }
    struct policy policy = policy_default();
    policy.pin_tries_max = WORLD_PIN_LIMIT;
    must(effect_policy_put(making->out, &making->head, TOKEN, 0, &policy));
    return true;
}

/* False: what it is about does not seem to be there. */
static bool make_user(const struct making *making)
{
    const struct request *request = making->request;
    struct user_row row = {.role = ROLE_USER, .token = TOKEN, .has_pin = true};
    bool there = state_user(making->state, TOKEN, request->name, &row) == RC_OK;
    uint64_t id = there ? row.id : NOBODY;
    (void)snprintf(row.name, sizeof row.name, "%s", request->name);
    if (request->kind == REQUEST_USER_ADD) {
        row.tries = 0;
        must(effect_user_put(making->out, &making->head, &row, 0));
        return true;
    }
    if (request->kind == REQUEST_USER_REMOVE) {
        must(effect_user_delete(making->out, &making->head, TOKEN, request->name));
        return true;
    }
    if (request->kind == REQUEST_PIN_UNLOCK) {
        row.tries = 0;
        must(effect_user_put(making->out, &making->head, &row, there ? row.version : NOBODY));
        return there;
    }
    must(effect_user_tried(making->out, &making->head, id, row.version,
                           request->kind == REQUEST_PIN_RIGHT));
    return there;
}

static void make_record(const struct request *request, uint64_t number, uint64_t version,
                        struct buf *out)
{
    char id[24];
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)request->value);
    struct sample sample = SAMPLE_AES(number, request->name);
    sample.id = id;
    sample.version = version;
    sample_record(sim.keys, &sample, out);
}

static bool make_object(const struct making *making)
{
    const struct request *request = making->request;
    AUTO_BUF record = BUF_INIT;
    if (request->kind == REQUEST_OBJECT_CREATE) {
        make_record(request, random_between(1, UINT64_MAX - 1), 1, &record);
        const struct bytes records[] = {buf_bytes(&record)};
        must(effect_objects_add(making->out, &making->head, TOKEN, records, 1));
        return true;
    }
    AUTO_OBJECT *object = find_object(making->state, request->name);
    uint64_t handle = object != NULL ? object->handle : SESSION_HANDLE_BIT - 1;
    if (request->kind == REQUEST_OBJECT_DESTROY) {
        must(effect_object_destroy(making->out, &making->head, handle));
        return object != NULL;
    }
    uint64_t number = 0;
    if (object != NULL)
        memcpy(&number, object->unique_id, sizeof number);
    make_record(request, number, object != NULL ? object->version + 1 : 1, &record);
    must(effect_object_replace(making->out, &making->head, handle, buf_bytes(&record)));
    return object != NULL;
}

static bool make_document(const struct making *making)
{
    const struct request *request = making->request;
    uint64_t version = 0;
    uint64_t now = document_value(making->state, request->name, &version);
    bool same = now == request->from;
    AUTO_BUF value = BUF_INIT;
    must(buf_put_u64(&value, request->value));
    const struct document_change change = {.space = DOCUMENT_JOIN,
                                           .key = bytes_of_str(request->name),
                                           .expected_version = same ? version : NOBODY,
                                           .value = buf_bytes(&value)};
    must(effect_documents_change(making->out, &making->head, &change, 1));
    return same;
}

static struct effect_head head_of(const struct node *node, const struct request *request)
{
    struct effect_head head = {.sequence = request->sequence,
                               .time_ms =
                                   (uint64_t)((int64_t)(sim.now / MS) + node->clock_skew_ms)};
    head.application[0] = (uint8_t)(request->client + 1);
    return head;
}

enum prepared effects_prepare(const struct node *node, const struct request *request,
                              struct buf *effect, struct answer *answer)
{
    const struct making making = {.state = node->consensus->state,
                                  .request = request,
                                  .head = head_of(node, request),
                                  .out = effect};
    *answer = (struct answer){.rc = RC_OK, .index = node_applied(node)};
    if (request_is_read(request->kind)) {
        answer->value = read_value(making.state, request);
        return PREPARED_ANSWER;
    }
    if (request->kind <= REQUEST_SETUP_POLICY)
        return make_setup(&making) ? PREPARED_EFFECT : PREPARED_DOUBT;
    if (request->kind <= REQUEST_PIN_READ)
        return make_user(&making) ? PREPARED_EFFECT : PREPARED_DOUBT;
    if (request->kind <= REQUEST_OBJECT_READ)
        return make_object(&making) ? PREPARED_EFFECT : PREPARED_DOUBT;
    return make_document(&making) ? PREPARED_EFFECT : PREPARED_DOUBT;
}
