/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the engine with three nodes in one process: how soon a change is seen everywhere, what
 * idleness costs, how long a newcomer, a restart and a snapshot of many objects take. Run by hand:
 * engine-bench [CASE]; QHSM_BENCH_OBJECTS sets how many objects there are (100,000). */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/cluster/zones.h"
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

#define ROUNDS        200U
#define OBJECTS       100000U
#define BATCH         2U
#define RECORD_FILLER 900U /* to make a record of about 1.3 KB */
#define ASKED_MAX     2048U
#define PROBE_US      500U

static struct zones zones;

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void print_spread(const char *what, double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    (void)printf("\n    %s: p50 %.2f ms, p99 %.2f ms, max %.2f ms", what, values[count / 2],
                 values[count * 99 / 100], values[count - 1]);
    (void)fflush(stdout);
}

static double cpu_ms(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static size_t resident_mib(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int n = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file);
    return n == 2 ? (size_t)(resident * 4096 / 1048576) : 0;
}

/* ---- seen everywhere */

static bool all_applied(uint64_t index)
{
    for (unsigned i = 0; i < 3; i++)
        if (state_applied(zones.zone[i].state) < index)
            return false;
    return true;
}

static void a_change_is_seen_in_every_zone(void)
{
    static double visible[ROUNDS];
    static double answered[ROUNDS];
    zones_init(&zones);
    zones.heartbeat_ms = 100;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    uint64_t first = state_applied(zones.zone[leader].state);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double start = now_ms();
        UNIT_OK(zones_token(&zones, leader));
        answered[i] = now_ms() - start;
        while (!all_applied(first + i + 1))
            (void)usleep(100);
        visible[i] = now_ms() - start;
        (void)usleep(5000 + (unsigned)rand() % 200000);
    }
    print_spread("answered by the leader", answered, ROUNDS);
    print_spread("applied on all three", visible, ROUNDS);
    (void)printf("\n    ");
    CU_ASSERT(visible[ROUNDS * 99 / 100] < 50);
    zones_clear(&zones);
}

static void three_idle_nodes_cost_little(void)
{
    enum { SECONDS = 10 };
    zones_init(&zones);
    zones.heartbeat_ms = 100;
    zones_form(&zones, 3);
    (void)sleep(1);
    double before = cpu_ms();
    (void)sleep(SECONDS);
    double percent = (cpu_ms() - before) / SECONDS / 10 / 3;
    (void)printf("\n    idle: %.2f %% of a core for each of three nodes\n    ", percent);
    CU_ASSERT(percent < 3);
    zones_clear(&zones);
}

/* ---- many objects */

static unsigned wanted_objects(void)
{
    const char *text = getenv("QHSM_BENCH_OBJECTS");
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : OBJECTS;
}

static _Atomic unsigned asked, done, failed;

static void added(void *context, enum rc rc, const struct effect_result *result, uint64_t index)
{
    (void)context;
    (void)index;
    if (rc != RC_OK || result->rc != RC_OK)
        failed++;
    done++;
}

static void add_objects(unsigned node, uint64_t first, unsigned count)
{
    char label[RECORD_FILLER + 32];
    char id[24];
    struct buf records[BATCH];
    struct bytes views[BATCH];
    struct buf effect = BUF_INIT;
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(label, sizeof label, "key %llu %0*d", (unsigned long long)(first + i),
                       (int)RECORD_FILLER, 0);
        (void)snprintf(id, sizeof id, "%llx", (unsigned long long)(first + i));
        struct sample sample = SAMPLE_AES(first + i, label);
        sample.id = id;
        records[i] = (struct buf)BUF_INIT;
        sample_record(zones.zone[node].keys, &sample, &records[i]);
        views[i] = buf_bytes(&records[i]);
    }
    zones.head.time_ms++;
    UNIT_OK(effect_objects_add(&effect, &zones.head, 1, views, count));
    asked++;
    UNIT_OK(consensus_propose(zones.zone[node].consensus, &effect, added, NULL));
    for (unsigned i = 0; i < count; i++)
        buf_clear(&records[i]);
}

static void fill(unsigned node, unsigned count)
{
    double start = now_ms();
    zones_tokens(&zones, 1);
    for (unsigned i = 0; i < count; i += BATCH) {
        while (asked - done > ASKED_MAX / BATCH)
            (void)usleep(200);
        add_objects(node, i + 1, BATCH);
    }
    while (done < asked)
        (void)usleep(1000);
    CU_ASSERT_EQUAL(failed, 0);
    (void)printf("\n    %u objects made in %.1f s, %zu MiB resident", count,
                 (now_ms() - start) / 1e3, resident_mib());
    (void)fflush(stdout);
}

/* What a client of the leader sees meanwhile. */
static double probe(unsigned node)
{
    double start = now_ms();
    struct buf effect = BUF_INIT;
    zones_policy_effect(&zones, &effect);
    UNIT_OK(zones_propose(&zones, node, &effect));
    return now_ms() - start;
}

static void print_loop(const char *what, unsigned node)
{
    struct consensus_status status = zones_status(&zones, node);
    (void)printf("\n    %s: longest stall %.1f ms, %llu over 10 ms, snapshots %llu", what,
                 (double)status.loop_max_us / 1e3, (unsigned long long)status.loop_slow_count,
                 (unsigned long long)status.snapshots);
    (void)fflush(stdout);
}

static void join_and_watch(unsigned node, double limit_ms)
{
    double slowest = 0;
    size_t before = resident_mib();
    size_t peak = before;
    double start = now_ms();
    zone_start(&zones, node);
    UNIT_OK(zones_add(&zones, 0, zones.zone[node].id, zones.zone[node].address));
    UNIT_OK(zones_assign(&zones, 0, zones.zone[node].id, CONSENSUS_STANDBY));
    uint64_t wanted = state_applied(zones.zone[0].state);
    while (state_applied(zones.zone[node].state) < wanted && now_ms() - start < 120000) {
        double took = probe(0);
        slowest = took > slowest ? took : slowest;
        size_t resident = resident_mib();
        peak = resident > peak ? resident : peak;
        (void)usleep(PROBE_US);
    }
    double joined = now_ms() - start;
    (void)printf("\n    node %u has the state after %.2f s; slowest change meanwhile %.1f ms; "
                 "resident %zu -> %zu MiB (all nodes)",
                 node + 1, joined / 1e3, slowest, before, peak);
    print_loop("leader", 0);
    print_loop("newcomer", node);
    CU_ASSERT(joined < limit_ms);
    CU_ASSERT(slowest < 200);
    CU_ASSERT(zones_settle(&zones));
}

static void restart_first(const char *what)
{
    zone_stop(&zones, 0);
    (void)malloc_trim(0);
    double start = now_ms();
    double cpu = cpu_ms();
    zone_start(&zones, 0);
    double took = now_ms() - start;
    (void)printf("\n    restart from %s: %.2f s (%.2f s of a core), %zu MiB resident", what,
                 took / 1e3, (cpu_ms() - cpu) / 1e3, resident_mib());
    (void)fflush(stdout);
    CU_ASSERT(took < 10000);
}

static void wait_for_snapshot(void)
{
    uint64_t before = zones_status(&zones, 0).snapshots;
    for (unsigned i = 0; i < 300; i++)
        (void)probe(0);
    while (zones_status(&zones, 0).snapshots == before)
        (void)usleep(10000);
}

static void many_objects_reach_a_newcomer_and_survive_a_restart(void)
{
    unsigned count = wanted_objects();
    double limit_ms = count <= OBJECTS ? 5000 : 60000;
    zones_init(&zones);
    zones.heartbeat_ms = 100;
    zones.threshold = 16384;
    zones.trailing = 32768;
    zone_start(&zones, 0);
    fill(0, count);
    restart_first("snapshot and log");
    zones.threshold = 256; /* a snapshot soon, and nothing before it in the log */
    zones.trailing = 256;
    restart_first("the same");
    wait_for_snapshot();
    print_loop("snapshot", 0);
    zones.threshold = 16384;
    restart_first("the snapshot");
    join_and_watch(1, limit_ms);
    join_and_watch(2, limit_ms);
    (void)printf("\n    ");
    zones_clear(&zones);
}

UNIT_SUITE("engine bench", UNIT_CASE(a_change_is_seen_in_every_zone),
           UNIT_CASE(three_idle_nodes_cost_little),
           UNIT_CASE(many_objects_reach_a_newcomer_and_survive_a_restart));
