/* SPDX-License-Identifier: Apache-2.0 */
/* Two chained hash tables of fixed width (so that no change ever stops to grow them) and one queue
 * in order of answer. */
#include "token/request_table.h"

#include <stdlib.h>

#define REQUEST_BUCKETS     16384U
#define APPLICATION_BUCKETS 4096U
/* At most so many are forgotten with one effect: a burst of answers must not stop the apply thread
 * when it expires. */
#define EXPIRE_MAX 64U

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are stored as they are in memory");
_Static_assert(sizeof(struct request_row) == 64 && sizeof(struct application_row) == 24,
               "rows without padding");

struct application {
    struct application_row row;
    struct application *chain;
    struct request *oldest, *newest;
    size_t count;
};

struct request {
    struct request_row row;
    struct application *application;
    struct request *chain;
    struct request *before, *after;   /* in the queue of all */
    struct request *application_next; /* towards the newest */
};

struct request_table {
    const struct seal_keys *keys;
    struct sip_key seed;
    struct request **requests;
    struct application **applications;
    struct request *oldest, *newest;
    size_t count;
    size_t floors; /* applications with a floor */
};

enum rc request_table_new(const struct seal_keys *keys, struct request_table **out)
{
    struct request_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return RC_NO_MEMORY;
    table->keys = keys;
    table->requests = calloc(REQUEST_BUCKETS, sizeof table->requests[0]);
    table->applications = calloc(APPLICATION_BUCKETS, sizeof table->applications[0]);
    enum rc rc = table->requests == NULL || table->applications == NULL ? RC_NO_MEMORY : RC_OK;
    if (rc == RC_OK)
        rc = random_bytes(&table->seed, sizeof table->seed);
    if (rc == RC_OK)
        *out = table;
    else
        request_table_free(table);
    return rc;
}

void request_table_free(struct request_table *table)
{
    if (table == NULL)
        return;
    for (struct request *next, *at = table->oldest; at != NULL; at = next) {
        next = at->after;
        if (--at->application->count == 0) /* it has no row without requests */
            free(at->application);
        free(at);
    }
    free(table->requests);
    free(table->applications);
    free(table);
}

static struct request **request_bucket(const struct request_table *table,
                                       const uint8_t application[16], uint64_t sequence)
{
    uint64_t hash = sip_hash(&table->seed, sequence, 1, bytes_of(application, 16));
    return &table->requests[hash & (REQUEST_BUCKETS - 1)];
}

static struct application **application_bucket(const struct request_table *table,
                                               const uint8_t application[16])
{
    uint64_t hash = sip_hash(&table->seed, 0, 2, bytes_of(application, 16));
    return &table->applications[hash & (APPLICATION_BUCKETS - 1)];
}

static bool same(const uint8_t a[16], const uint8_t b[16])
{
    return bytes_equal(bytes_of(a, 16), bytes_of(b, 16));
}

static struct application *application_find(const struct request_table *table,
                                            const uint8_t application[16])
{
    struct application *at = *application_bucket(table, application);
    while (at != NULL && !same(at->row.application, application))
        at = at->chain;
    return at;
}

enum request_seen request_table_find(const struct request_table *table,
                                     const uint8_t application[16], uint64_t sequence,
                                     const struct request_row **out_row)
{
    const struct request *at = *request_bucket(table, application, sequence);
    while (at != NULL && (at->row.sequence != sequence || !same(at->row.application, application)))
        at = at->chain;
    if (at != NULL) {
        *out_row = &at->row;
        return REQUEST_REPEATED;
    }
    const struct application *owner = application_find(table, application);
    return owner != NULL && sequence <= owner->row.floor ? REQUEST_TOO_OLD : REQUEST_NEW;
}

/* Found or made, with a floor of 0. */
static struct application *application_get(struct request_table *table,
                                           const uint8_t application[16])
{
    struct application *owner = application_find(table, application);
    if (owner != NULL)
        return owner;
    owner = calloc(1, sizeof *owner);
    if (owner == NULL)
        return NULL;
    struct application **bucket = application_bucket(table, application);
    memcpy(owner->row.application, application, 16);
    owner->chain = *bucket;
    *bucket = owner;
    return owner;
}

static struct bytes floor_bytes(const struct application *owner)
{
    return bytes_of(&owner->row, sizeof owner->row);
}

static enum rc floor_leave(struct request_table *table, struct state_sum *sum,
                           const struct application *owner)
{
    if (owner->row.floor == 0)
        return RC_OK;
    TRY(state_sum_leave(sum, table->keys, SUM_APPLICATION, floor_bytes(owner)));
    table->floors--;
    return RC_OK;
}

static enum rc floor_set(struct request_table *table, struct state_sum *sum,
                         struct application *owner, uint64_t floor)
{
    if (floor <= owner->row.floor)
        return RC_OK;
    TRY(floor_leave(table, sum, owner));
    owner->row.floor = floor;
    table->floors++;
    return state_sum_enter(sum, table->keys, SUM_APPLICATION, floor_bytes(owner));
}

static enum rc application_drop(struct request_table *table, struct state_sum *sum,
                                struct application *owner)
{
    TRY(floor_leave(table, sum, owner));
    struct application **link = application_bucket(table, owner->row.application);
    while (*link != owner)
        link = &(*link)->chain;
    *link = owner->chain;
    free(owner);
    return RC_OK;
}

static void unlink_request(struct request_table *table, struct request *request)
{
    struct request **link = request_bucket(table, request->row.application, request->row.sequence);
    while (*link != request)
        link = &(*link)->chain;
    *link = request->chain;
    *(request->before == NULL ? &table->oldest : &request->before->after) = request->after;
    *(request->after == NULL ? &table->newest : &request->after->before) = request->before;
    table->count--;
}

/* The oldest of an application goes; with its last one the application is forgotten. */
static enum rc forget_oldest(struct request_table *table, struct state_sum *sum,
                             struct application *owner)
{
    struct request *request = owner->oldest;
    TRY(state_sum_leave(sum, table->keys, SUM_REQUEST,
                        bytes_of(&request->row, sizeof request->row)));
    unlink_request(table, request);
    owner->oldest = request->application_next;
    if (owner->oldest == NULL)
        owner->newest = NULL;
    owner->count--;
    uint64_t sequence = request->row.sequence;
    free(request);
    if (owner->count == 0)
        return application_drop(table, sum, owner);
    return floor_set(table, sum, owner, sequence);
}

static void link_request(struct request_table *table, struct request *request)
{
    struct application *owner = request->application;
    struct request **bucket =
        request_bucket(table, request->row.application, request->row.sequence);
    request->chain = *bucket;
    *bucket = request;
    request->before = table->newest;
    *(table->newest == NULL ? &table->oldest : &table->newest->after) = request;
    table->newest = request;
    *(owner->newest == NULL ? &owner->oldest : &owner->newest->application_next) = request;
    owner->newest = request;
    owner->count++;
    table->count++;
}

enum rc request_table_add(struct request_table *table, struct state_sum *sum,
                          const struct request_row *row)
{
    struct request *request = calloc(1, sizeof *request);
    struct application *owner = request == NULL ? NULL : application_get(table, row->application);
    if (owner == NULL) {
        free(request);
        return RC_NO_MEMORY;
    }
    request->row = *row;
    request->application = owner;
    link_request(table, request);
    TRY(state_sum_enter(sum, table->keys, SUM_REQUEST, bytes_of(row, sizeof *row)));
    return owner->count > REQUESTS_PER_APPLICATION ? forget_oldest(table, sum, owner) : RC_OK;
}

/* By its age, and by how many were answered since, whether those are still known or not. */
static bool is_old(const struct request_table *table, const struct request_row *row,
                   uint64_t clock_ms)
{
    return clock_ms - row->time_ms > REQUEST_LIFE_MS &&
           table->newest->row.ordinal - row->ordinal > REQUESTS_KEPT;
}

enum rc request_table_expire(struct request_table *table, struct state_sum *sum, uint64_t clock_ms)
{
    for (unsigned i = 0; i < EXPIRE_MAX && table->oldest != NULL; i++) {
        if (!is_old(table, &table->oldest->row, clock_ms) && table->count <= REQUESTS_TOTAL)
            break;
        TRY(forget_oldest(table, sum, table->oldest->application));
    }
    return RC_OK;
}

size_t request_table_count(const struct request_table *table)
{
    return table->count;
}

size_t request_table_floor_count(const struct request_table *table)
{
    return table->floors;
}

enum rc request_table_encode(const struct request_table *table, struct buf *out)
{
    TRY(buf_reserve(out, table->count * sizeof(struct request_row) +
                             table->floors * sizeof(struct application_row)));
    for (const struct request *at = table->oldest; at != NULL; at = at->after)
        TRY(buf_append(out, bytes_of(&at->row, sizeof at->row)));
    for (size_t i = 0; table->floors > 0 && i < APPLICATION_BUCKETS; i++)
        for (const struct application *at = table->applications[i]; at != NULL; at = at->chain)
            if (at->row.floor != 0)
                TRY(buf_append(out, floor_bytes(at)));
    return RC_OK;
}

static bool is_row(const struct request_row *row)
{
    bool is_known = rc_from_wire(row->refusal) == (enum rc)row->refusal;
    return is_known && row->handle_count <= (row->refusal == RC_OK ? EFFECT_HANDLES_MAX : 0);
}

static enum rc decode_requests(struct request_table *table, struct state_sum *sum,
                               struct reader *in, uint64_t count)
{
    uint64_t time_ms = 0;
    uint64_t ordinal = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct request_row row;
        reader_copy(in, &row, sizeof row);
        if (!reader_ok(in) || row.ordinal <= ordinal || row.time_ms < time_ms || !is_row(&row))
            return rc_fail(RC_TAMPERED, "malformed table of answered requests");
        time_ms = row.time_ms;
        ordinal = row.ordinal;
        TRY(request_table_add(table, sum, &row));
    }
    return RC_OK;
}

enum rc request_table_decode(struct request_table *table, struct state_sum *sum, struct reader *in,
                             uint64_t count, uint64_t floor_count)
{
    TRY(decode_requests(table, sum, in, count));
    for (uint64_t i = 0; i < floor_count; i++) {
        struct application_row row;
        reader_copy(in, &row, sizeof row);
        struct application *owner = reader_ok(in) ? application_find(table, row.application) : NULL;
        if (owner == NULL || owner->row.floor != 0 || row.floor == 0)
            return rc_fail(RC_TAMPERED, "malformed floors of answered requests");
        TRY(floor_set(table, sum, owner, row.floor));
    }
    return RC_OK;
}
