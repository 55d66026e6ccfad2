/* SPDX-License-Identifier: Apache-2.0 */
/* What changed since: the ring of changes, and the state that answers from it. */
#include "token/document_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

/* ---- the ring */

static void add(struct document_log *log, uint64_t index, const char *key)
{
    UNIT_OK(document_log_add(log, index, bytes_of_str(key)));
}

/* Keys since then, one line. */
static const char *since(const struct document_log *log, uint64_t index, const char *after)
{
    static char line[256];
    struct bytes *keys = NULL;
    size_t count = 0, len = 0;
    UNIT_OK(document_log_since(log, index, bytes_of_str(after), &keys, &count));
    line[0] = 0;
    for (size_t i = 0; i < count && len < sizeof line; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, "%.*s ", (int)keys[i].len,
                                (const char *)keys[i].ptr);
    free(keys);
    return line;
}

static void keys_come_once_and_in_order(void)
{
    struct document_log log = {.floor = 0};
    CU_ASSERT_STRING_EQUAL(since(&log, 0, ""), "");
    add(&log, 3, "b");
    add(&log, 3, "d");
    add(&log, 5, "a");
    add(&log, 6, "b");
    CU_ASSERT_STRING_EQUAL(since(&log, 0, ""), "a b d ");
    CU_ASSERT_STRING_EQUAL(since(&log, 3, ""), "a b ");
    CU_ASSERT_STRING_EQUAL(since(&log, 3, "a"), "b ");
    CU_ASSERT_STRING_EQUAL(since(&log, 6, ""), "");
    CU_ASSERT_EQUAL(atomic_load(&log.last), 6);
    document_log_clear(&log);
}

static void a_full_ring_forgets_whole_changes(void)
{
    struct document_log log = {.floor = 0};
    add(&log, 1, "first");
    add(&log, 1, "second");
    for (uint64_t i = 2; i < DOCUMENT_LOG_MAX; i++)
        add(&log, i, "x");
    CU_ASSERT_EQUAL(log.floor, 0);
    CU_ASSERT_EQUAL(log.count, DOCUMENT_LOG_MAX);
    add(&log, DOCUMENT_LOG_MAX, "y");
    CU_ASSERT_EQUAL(log.floor, 1);
    CU_ASSERT_STRING_EQUAL(since(&log, log.floor, ""), "x y ");
    for (uint64_t i = 1; i < 3 * DOCUMENT_LOG_MAX; i++)
        add(&log, DOCUMENT_LOG_MAX + i, "z");
    CU_ASSERT_STRING_EQUAL(since(&log, log.floor, ""), "z ");
    CU_ASSERT_EQUAL(log.floor + log.count, atomic_load(&log.last));
    document_log_clear(&log);
}

static void a_renewed_log_knows_nothing_before(void)
{
    struct document_log log = {.floor = 0};
    add(&log, 4, "a");
    document_log_renew(&log, 9);
    CU_ASSERT_EQUAL(log.floor, 9);
    CU_ASSERT_EQUAL(atomic_load(&log.last), 9);
    CU_ASSERT_STRING_EQUAL(since(&log, 9, ""), "");
    add(&log, 10, "b");
    CU_ASSERT_STRING_EQUAL(since(&log, 9, ""), "b ");
    document_log_clear(&log);
}

/* ---- the state's answer */

static void put(struct replica *r, enum document_space space, const char *key, uint64_t version,
                const char *value)
{
    const struct document_change change = {.space = space,
                                           .key = bytes_of_str(key),
                                           .expected_version = version,
                                           .is_removal = value == NULL,
                                           .value = bytes_of_str(value)};
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_documents_change(&effect, &r->head, &change, 1));
    UNIT_OK(replica_apply(r, &effect).rc);
}

struct seen {
    char line[256];
    size_t len;
    size_t max; /* 0: all */
    size_t count;
};

static bool see(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct seen *seen = context;
    if (seen->max != 0 && seen->count == seen->max)
        return false;
    seen->count++;
    seen->len +=
        (size_t)snprintf(seen->line + seen->len, sizeof seen->line - seen->len, "%.*s=%.*s/%u ",
                         (int)key.len, (const char *)key.ptr, (int)value.len,
                         value.ptr == NULL ? "" : (const char *)value.ptr, (unsigned)version);
    return true;
}

struct told {
    struct seen seen;
    uint64_t index;
    bool whole;
};

static struct told tell(const struct replica *r, uint64_t index, const char *after, size_t max)
{
    struct told told = {.seen = {.max = max}};
    UNIT_OK(state_documents_since(r->state, DOCUMENT_KMS, index, bytes_of_str(after), see,
                                  &told.seen, &told.index, &told.whole));
    return told;
}

static void what_changed_and_what_is_gone_is_told(void)
{
    struct replica r;
    replica_open(&r);
    put(&r, DOCUMENT_KMS, "a", 0, "1");
    put(&r, DOCUMENT_KMS, "b", 0, "1");
    uint64_t since_then = r.index;
    put(&r, DOCUMENT_KMS, "b", 1, "2");
    put(&r, DOCUMENT_KMS, "a", 1, NULL);
    put(&r, DOCUMENT_KMS, "c", 0, "1");
    struct told told = tell(&r, since_then, "", 0);
    CU_ASSERT(!told.whole);
    CU_ASSERT_EQUAL(told.index, r.index);
    CU_ASSERT_STRING_EQUAL(told.seen.line, "a=/0 b=2/2 c=1/1 ");
    CU_ASSERT_STRING_EQUAL(tell(&r, since_then, "a", 1).seen.line, "b=2/2 ");
    CU_ASSERT_STRING_EQUAL(tell(&r, r.index, "", 0).seen.line, "");
    told = tell(&r, 0, "", 0);
    CU_ASSERT(told.whole);
    CU_ASSERT_STRING_EQUAL(told.seen.line, "b=2/2 c=1/1 ");
    CU_ASSERT_STRING_EQUAL(tell(&r, 0, "b", 0).seen.line, "c=1/1 ");
    CU_ASSERT(tell(&r, r.index + 5, "", 0).whole);
    replica_close(&r);
}

static void what_was_removed_and_made_again_is_there(void)
{
    struct replica r;
    replica_open(&r);
    put(&r, DOCUMENT_KMS, "a", 0, "1");
    uint64_t since_then = r.index;
    put(&r, DOCUMENT_KMS, "a", 1, NULL);
    put(&r, DOCUMENT_KMS, "a", 0, "2");
    CU_ASSERT_STRING_EQUAL(tell(&r, since_then, "", 0).seen.line, "a=2/1 ");
    replica_close(&r);
}

static void the_last_change_is_of_its_space_alone(void)
{
    struct replica r;
    replica_open(&r);
    CU_ASSERT_EQUAL(state_documents_changed(r.state, DOCUMENT_KMS), 0);
    put(&r, DOCUMENT_KMS, "a", 0, "1");
    CU_ASSERT_EQUAL(state_documents_changed(r.state, DOCUMENT_KMS), r.index);
    put(&r, DOCUMENT_NODE, "1", 0, "x");
    CU_ASSERT_EQUAL(state_documents_changed(r.state, DOCUMENT_KMS), r.index - 1);
    CU_ASSERT_EQUAL(tell(&r, r.index - 1, "", 0).index, r.index);
    put(&r, DOCUMENT_KMS, "a", 1, NULL);
    CU_ASSERT_EQUAL(state_documents_changed(r.state, DOCUMENT_KMS), r.index);
    replica_close(&r);
}

/* Keys that begin with "used/" decide nothing: they are told, and make no view old. */
static void last_uses_decide_nothing(void)
{
    struct replica r;
    replica_open(&r);
    put(&r, DOCUMENT_KMS, "key/a", 0, "1");
    uint64_t decided = r.index;
    put(&r, DOCUMENT_KMS, "used/a", 0, "1");
    CU_ASSERT_EQUAL(state_documents_changed(r.state, DOCUMENT_KMS), r.index);
    CU_ASSERT_EQUAL(state_documents_decided(r.state, DOCUMENT_KMS), decided);
    CU_ASSERT_STRING_EQUAL(tell(&r, decided, "", 0).seen.line, "used/a=1/1 ");
    put(&r, DOCUMENT_KMS, "used", 0, "1");
    CU_ASSERT_EQUAL(state_documents_decided(r.state, DOCUMENT_KMS), r.index);
    put(&r, DOCUMENT_KMS, "key/a", 1, NULL);
    CU_ASSERT_EQUAL(state_documents_decided(r.state, DOCUMENT_KMS), r.index);
    replica_close(&r);
}

static void a_snapshot_read_back_tells_everything_again(void)
{
    struct replica from, into;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&from);
    replica_open(&into);
    put(&from, DOCUMENT_KMS, "a", 0, "1");
    uint64_t since_then = from.index;
    put(&from, DOCUMENT_NODE, "1", 0, "x");
    replica_snapshot(&from, &snapshot);
    UNIT_OK(state_restore(into.state, buf_bytes(&snapshot)));
    into.index = from.index;
    CU_ASSERT_EQUAL(state_documents_changed(into.state, DOCUMENT_KMS), from.index);
    CU_ASSERT_EQUAL(state_documents_decided(into.state, DOCUMENT_KMS), from.index);
    struct told told = tell(&into, since_then, "", 0);
    CU_ASSERT(told.whole);
    CU_ASSERT_STRING_EQUAL(told.seen.line, "a=1/1 ");
    told = tell(&into, told.index, "", 0);
    CU_ASSERT(!told.whole);
    CU_ASSERT_STRING_EQUAL(told.seen.line, "");
    put(&into, DOCUMENT_KMS, "a", 1, NULL);
    CU_ASSERT_STRING_EQUAL(tell(&into, told.index, "", 0).seen.line, "a=/0 ");
    replica_close(&from);
    replica_close(&into);
}

static void the_log_is_no_part_of_the_state(void)
{
    struct replica a, b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    put(&a, DOCUMENT_KMS, "a", 0, "1");
    replica_snapshot(&a, &snapshot);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    CU_ASSERT(replica_same_hash(&a, &b));
    replica_close(&a);
    replica_close(&b);
}

UNIT_SUITE("document_log", UNIT_CASE(keys_come_once_and_in_order),
           UNIT_CASE(a_full_ring_forgets_whole_changes),
           UNIT_CASE(a_renewed_log_knows_nothing_before),
           UNIT_CASE(what_changed_and_what_is_gone_is_told),
           UNIT_CASE(what_was_removed_and_made_again_is_there),
           UNIT_CASE(the_last_change_is_of_its_space_alone), UNIT_CASE(last_uses_decide_nothing),
           UNIT_CASE(a_snapshot_read_back_tells_everything_again),
           UNIT_CASE(the_log_is_no_part_of_the_state));
