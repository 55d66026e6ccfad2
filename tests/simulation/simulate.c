/* SPDX-License-Identifier: Apache-2.0 */
/* simulate: runs seeds of the simulated cluster, each in a process of its own, and says which one
 * failed and how to repeat it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/simulation/sim.h"
#include "tests/unit/token/state_fixture.h"

#define START_MS  100000000U /* of the virtual clock */
#define SETTLE_MS 30000U
#define VERIFY_MS 60000U

struct sim sim;

static const char usage[] =
    "Usage: simulate --seed N [--verbose]      one seed; --verbose prints the trace\n"
    "       simulate --seeds FIRST..LAST       many; prints the command that repeats a failure\n"
    "       simulate --mutations               each fault that is built in must be found\n"
    "       --strict                           clocks jump by hours; a refusal is the last word\n"
    "                                          on a request that was repeated\n"
    "       --mutate NAME                      build that fault in: index, early, requests,\n"
    "                                          sequence, guard, stale, vote, fsync\n";

static const char *const mutation_names[MUTATION_COUNT] = {
    [MUTATION_NONE] = "none",         [MUTATION_INDEX] = "index",       [MUTATION_EARLY] = "early",
    [MUTATION_REQUESTS] = "requests", [MUTATION_SEQUENCE] = "sequence", [MUTATION_GUARD] = "guard",
    [MUTATION_STALE] = "stale",       [MUTATION_VOTE] = "vote",         [MUTATION_FSYNC] = "fsync",
};

/* ---- for all parts */

void trace(const char *format, ...)
{
    va_list args;
    if (!sim.verbose)
        return;
    printf("%9.3f ms  ", (double)(sim.now - START_MS * MS) / 1000.0);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

/* The first failure is the one that counts. */
void sim_fail(const char *format, ...)
{
    va_list args;
    if (sim.failed)
        return;
    sim.failed = true;
    va_start(args, format);
    (void)vsnprintf(sim.failure, sizeof sim.failure, format, args);
    va_end(args);
    trace("FAILED: %s", sim.failure);
}

void *sim_alloc(size_t len)
{
    static char *block;
    static size_t left;
    len = (len + 15) & ~(size_t)15;
    if (len > left) {
        left = len > (size_t)256 * 1024 ? len : (size_t)256 * 1024;
        block = calloc(1, left);
        if (block == NULL)
            exit(2);
    }
    void *memory = block;
    block += len;
    left -= len;
    return memory;
}

/* ---- one seed */

static void run_for(uint64_t ms)
{
    uint64_t until = sim.now + ms * MS;
    while (sim.now < until && event_next())
        ;
}

static bool run_until(bool (*holds)(void), uint64_t ms)
{
    uint64_t until = sim.now + ms * MS;
    while (!holds() && sim.now < until && event_next())
        ;
    return holds();
}

/* A leader, and nobody behind it. */
static bool is_settled(void)
{
    const struct node *leader = node_leader();
    if (leader == NULL || !clients_idle())
        return false;
    const struct raft *raft = &leader->consensus->raft;
    if (raft->last_applied != raft_last_index(&leader->consensus->raft) ||
        leader->consensus->member_queue.change != NULL ||
        raft->configuration_uncommitted_index != 0)
        return false;
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        const struct node *node = node_of_id(server->id);
        if (server->role == RAFT_SPARE)
            continue;
        const struct raft *other = &node->consensus->raft;
        if (!node->up || other->last_applied != raft->last_applied ||
            other->configuration_uncommitted_index != 0 ||
            other->configuration_committed_index != raft->configuration_committed_index)
            return false;
    }
    return true;
}

/* For the trace of one that does not settle. */
static void describe(void)
{
    const struct node *leader = node_leader();
    for (unsigned i = 0; leader != NULL && i < leader->consensus->raft.configuration.n; i++) {
        const struct raft_server *server = &leader->consensus->raft.configuration.servers[i];
        trace("leader %llu has member %llu, role %d", leader->id, server->id, server->role);
    }
    if (leader != NULL)
        trace("clients are %s; change of members: %s, uncommitted at %llu",
              clients_idle() ? "idle" : "busy",
              leader->consensus->member_queue.change != NULL ? "under way" : "none",
              leader->consensus->raft.configuration_uncommitted_index);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        const struct node *node = &sim.nodes[i];
        if (!node->up || node->removed)
            continue;
        struct raft *raft = &node->consensus->raft;
        trace("node %llu: role %d, state %d, term %llu, applied %llu, commit %llu, last %llu, "
              "stored %llu%s",
              node->id, raft_role(raft), raft->state, raft->current_term, raft->last_applied,
              raft->commit_index, raft_last_index(raft), raft->last_stored,
              raft->snapshot.installing ? ", installing" : "");
    }
}

/* Who is no member, or a spare, knows nothing and is asked nothing. */
static void dismiss_strangers(void)
{
    const struct raft_configuration *members = &node_leader()->consensus->raft.configuration;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct node *node = &sim.nodes[i];
        bool member = false;
        for (unsigned j = 0; j < members->n; j++)
            member = member ||
                     (members->servers[j].id == node->id && members->servers[j].role != RAFT_SPARE);
        if (node->exists && !member) {
            node_crash(node, "no member at the end");
            node->removed = true;
        }
    }
}

static void setup(uint64_t seed)
{
    random_seed(seed);
    sim.seed = seed;
    sim.now = START_MS * MS;
    sim.reorder = random_chance(300);
    sim.threshold = (unsigned)random_between(8, 64);
    sim.trailing = (unsigned)random_between(1, 64);
    trace("snapshots every %u entries, %u kept%s", sim.threshold, sim.trailing,
          sim.reorder ? ", messages out of order" : "");
    network_init();
    clients_start();
    for (unsigned i = 0; i < 3; i++)
        (void)node_new();
    for (unsigned i = 0; i < 3; i++)
        node_start(&sim.nodes[i]);
    nemesis_start();
}

static void run_seed(uint64_t seed)
{
    setup(seed);
    run_for(random_between(8000, 20000));
    trace("trouble is over");
    clients_stop();
    nemesis_stop();
    if (!run_until(is_settled, SETTLE_MS)) {
        describe();
        sim_fail("the cluster does not settle within %u s", SETTLE_MS / 1000);
    }
    if (!sim.failed) {
        dismiss_strangers();
        clients_verify();
    }
    if (!sim.failed && !run_until(is_settled, VERIFY_MS)) {
        describe();
        sim_fail("the state cannot be read within %u s", VERIFY_MS / 1000);
    }
    if (sim.failed)
        return;
    checks_end();
    (void)checks_histories();
}

/* ---- many seeds */

struct shared {
    struct sim_stats stats;
    bool failed;
    char failure[256];
};

static struct shared *shared;

static void report_child(void)
{
    shared->stats = sim.stats;
    shared->failed = sim.failed;
    memcpy(shared->failure, sim.failure, sizeof sim.failure);
}

/* False: the seed failed, shared->failure says how. */
static bool run_apart(uint64_t seed)
{
    memset(shared, 0, sizeof *shared);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run_seed(seed);
        report_child();
        (void)fflush(stdout);
        _exit(sim.failed ? 1 : 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        (void)fprintf(stderr, "simulate: %s\n", strerror(errno));
        exit(2);
    }
    if (WIFSIGNALED(status))
        (void)snprintf(shared->failure, sizeof shared->failure, "ended by signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (status != 0 && shared->failure[0] == 0)
        (void)snprintf(shared->failure, sizeof shared->failure, "ended with %d",
                       WEXITSTATUS(status));
    return status == 0;
}

static void add_stats(struct sim_stats *total)
{
    const uint64_t *from = (const uint64_t *)&shared->stats;
    uint64_t *to = (uint64_t *)total;
    for (size_t i = 0; i < sizeof *total / sizeof *from; i++)
        to[i] += from[i];
}

static void print_stats(const struct sim_stats *s)
{
    printf("%" PRIu64 " events, %" PRIu64 " operations (%" PRIu64 " of unknown outcome, %" PRIu64
           " refused), %" PRIu64 " changes applied, %" PRIu64 " forwarded\n",
           s->events, s->operations, s->unknown, s->refused, s->applied, s->forwards);
    printf("%" PRIu64 " crashes (%" PRIu64 " by disk faults), %" PRIu64 " pauses, %" PRIu64
           " cuts, %" PRIu64 " elections, %" PRIu64 " member changes, %" PRIu64
           " snapshots, %" PRIu64 " installed\n",
           s->crashes, s->stops, s->pauses, s->cuts, s->elections, s->members, s->snapshots,
           s->installs);
    printf("%" PRIu64 " histories linearizable\n", s->histories);
}

static const char *mutation_text(void)
{
    static char text[48];
    if (sim.mutation != MUTATION_NONE)
        (void)snprintf(text, sizeof text, " --mutate %s", mutation_names[sim.mutation]);
    return sim.strict ? " --strict" : text;
}

static int run_seeds(uint64_t first, uint64_t last)
{
    struct sim_stats total = {.events = 0};
    unsigned failures = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        if (!run_apart(seed)) {
            failures++;
            printf("seed %" PRIu64 ": %s\n  repeat: simulate --seed %" PRIu64 "%s --verbose\n",
                   seed, shared->failure, seed, mutation_text());
        }
        add_stats(&total);
    }
    print_stats(&total);
    printf("%" PRIu64 " seeds, %u failed\n", last - first + 1, failures);
    return failures > 0 ? 1 : 0;
}

static int run_one(uint64_t seed)
{
    bool good = run_apart(seed);
    print_stats(&shared->stats);
    printf("seed %" PRIu64 ": %s\n", seed, good ? "good" : shared->failure);
    return good ? 0 : 1;
}

/* Each must be found by one of so many seeds. */
#define MUTATION_SEEDS 2000U /* a snapshot that comes while one is written is rare */

static int run_mutations(void)
{
    int missed = 0;
    for (unsigned i = MUTATION_NONE + 1; i < MUTATION_COUNT; i++) {
        uint64_t seed = 1;
        sim.mutation = (enum mutation)i;
        while (seed <= MUTATION_SEEDS && run_apart(seed))
            seed++;
        bool found = seed <= MUTATION_SEEDS;
        printf("%-9s %s", mutation_names[i], found ? "found" : "NOT FOUND");
        if (found)
            printf(" by seed %" PRIu64 ": %s", seed, shared->failure);
        (void)putchar('\n');
        missed += found ? 0 : 1;
    }
    return missed > 0 ? 1 : 0;
}

/* ---- the command line */

struct arguments {
    uint64_t first, last;
    bool many, mutations;
};

static bool take_mutation(const char *name)
{
    for (unsigned i = 0; i < MUTATION_COUNT; i++) {
        if (strcmp(name, mutation_names[i]) == 0) {
            sim.mutation = (enum mutation)i;
            return true;
        }
    }
    return false;
}

static bool take_argument(struct arguments *arguments, const char *name, const char *value)
{
    if (strcmp(name, "--mutate") == 0)
        return take_mutation(value);
    if (strcmp(name, "--seed") == 0)
        return sscanf(value, "%" SCNu64, &arguments->first) == 1;
    arguments->many = true;
    return strcmp(name, "--seeds") == 0 &&
           sscanf(value, "%" SCNu64 "..%" SCNu64, &arguments->first, &arguments->last) == 2;
}

static bool take_arguments(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            sim.verbose = true;
        else if (strcmp(argv[i], "--strict") == 0)
            sim.strict = true;
        else if (strcmp(argv[i], "--mutations") == 0)
            arguments->mutations = true;
        else if (i + 1 >= argc || !take_argument(arguments, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return arguments->mutations || arguments->first > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 0};
    if (!take_arguments(&arguments, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    log_set_level(LOG_LEVEL_ERROR);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!sim.verbose)
        log_open("/dev/null", LOG_LEVEL_ERROR);
    sim.keys = fixture_keys(42);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    if (arguments.mutations)
        return run_mutations();
    return arguments.many ? run_seeds(arguments.first, arguments.last) : run_one(arguments.first);
}
