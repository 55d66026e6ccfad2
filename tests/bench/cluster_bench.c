/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of tests/bench/cluster: applications over the module of QHSM_MODULE that measure what
 * they do, and print it as JSON.
 *   cluster-bench setup                        makes the keys to sign with
 *   cluster-bench load OP THREADS SECONDS [N]  does OP until the time or N of them are over
 *   cluster-bench watch OP                     goes on doing OP; a line on stdin: how it went since
 * the last one cluster-bench visible SECONDS CONF...      one client makes keys, one of each CONF
 * looks out for them OP: generate, create (an AES key on the token), write (generate and destroy in
 * turn), rsa, ec. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/module.h"

#define THREADS_MAX 128U
#define ZONES_MAX   5U
#define PACE_US     2000U /* between two operations of a watch */
#define POLL_US     100U
#define LATE_MS     10000.0
#define LAST_ROUND  UINT32_MAX

static CK_FUNCTION_LIST_PTR p11;

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void rest_us(unsigned us)
{
    struct timespec time = {.tv_sec = us / 1000000U, .tv_nsec = (long)(us % 1000000U) * 1000};
    (void)nanosleep(&time, NULL);
}

static unsigned long number(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    CHECK(errno == 0 && end != text && *end == 0);
    return value;
}

/* ---- times */

struct times {
    double *ms;
    size_t count, room;
};

static void times_add(struct times *times, double ms)
{
    if (times->count == times->room) {
        times->room = times->room == 0 ? 4096 : 2 * times->room;
        times->ms = realloc(times->ms, times->room * sizeof *times->ms);
        CHECK(times->ms != NULL);
    }
    times->ms[times->count++] = ms;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void times_print(const char *name, struct times *times)
{
    static double none;
    double *ms = times->count > 0 ? times->ms : &none;
    size_t last = times->count > 0 ? times->count - 1 : 0;
    qsort(ms, last + 1, sizeof *ms, by_value);
    (void)printf("\"%s\": {\"count\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}",
                 name, times->count, ms[last / 2], ms[last * 99 / 100], ms[last]);
}

/* ---- operations */

struct worker {
    pthread_t thread;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object; /* the key to sign with, or the last one written */
    uint32_t id, made;
    struct times times;
    unsigned errors;
    CK_RV error;
};

typedef CK_RV (*operation)(struct worker *worker);

static CK_BBOOL yes = CK_TRUE;
static CK_KEY_TYPE aes = CKK_AES;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;

static CK_RV generate_labelled(CK_SESSION_HANDLE session, char *label, CK_OBJECT_HANDLE *out)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {{CKA_TOKEN, &yes, sizeof yes},
                               {CKA_ENCRYPT, &yes, sizeof yes},
                               {CKA_VALUE_LEN, &len, sizeof len},
                               {CKA_LABEL, label, strlen(label)}};
    return p11->C_GenerateKey(session, &mechanism, template, 4, out);
}

static void next_label(struct worker *worker, char label[64])
{
    (void)snprintf(label, 64, "bench %d %u %u", (int)getpid(), worker->id, worker->made++);
}

static CK_RV op_generate(struct worker *worker)
{
    char label[64];
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    next_label(worker, label);
    return generate_labelled(worker->session, label, &object);
}

static CK_RV op_create(struct worker *worker)
{
    char label[64];
    CK_BYTE value[32] = {0};
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    next_label(worker, label);
    memcpy(value, label, sizeof value);
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_key, sizeof secret_key},
                               {CKA_KEY_TYPE, &aes, sizeof aes},
                               {CKA_TOKEN, &yes, sizeof yes},
                               {CKA_ENCRYPT, &yes, sizeof yes},
                               {CKA_VALUE, value, sizeof value},
                               {CKA_LABEL, label, strlen(label)}};
    return p11->C_CreateObject(worker->session, template, 6, &object);
}

static CK_RV op_write(struct worker *worker)
{
    char label[64];
    if (worker->object != CK_INVALID_HANDLE) {
        CK_RV rv = p11->C_DestroyObject(worker->session, worker->object);
        worker->object = CK_INVALID_HANDLE;
        return rv;
    }
    next_label(worker, label);
    return generate_labelled(worker->session, label, &worker->object);
}

static CK_RV sign(struct worker *worker, CK_MECHANISM_TYPE type)
{
    CK_MECHANISM mechanism = {.mechanism = type};
    CK_BYTE data[32] = {1};
    CK_BYTE signature[512];
    CK_ULONG len = sizeof signature;
    CK_RV rv = p11->C_SignInit(worker->session, &mechanism, worker->object);
    return rv != CKR_OK ? rv : p11->C_Sign(worker->session, data, sizeof data, signature, &len);
}

static CK_RV op_rsa(struct worker *worker)
{
    return sign(worker, CKM_SHA256_RSA_PKCS);
}

static CK_RV op_ec(struct worker *worker)
{
    return sign(worker, CKM_ECDSA);
}

static CK_RV op_nothing(struct worker *worker)
{
    (void)worker;
    return CKR_OK;
}

static const struct named {
    const char *name;
    operation run;
    bool signs;
} operations[] = {
    {"generate", op_generate, false}, {"create", op_create, false}, {"write", op_write, false},
    {"nothing", op_nothing, false},   {"rsa", op_rsa, true},        {"ec", op_ec, true}};

static const struct named *operation_named(const char *name)
{
    const struct named *found = NULL;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, name) == 0)
            found = &operations[i];
    CHECK(found != NULL);
    return found;
}

static CK_ULONG find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS *class, char *label,
                     CK_OBJECT_HANDLE *out)
{
    CK_ULONG count = 0;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, class, sizeof *class},
                               {CKA_LABEL, label, strlen(label)}};
    EXPECT(CKR_OK, p11->C_FindObjectsInit(session, template, 2));
    EXPECT(CKR_OK, p11->C_FindObjects(session, out, 1, &count));
    EXPECT(CKR_OK, p11->C_FindObjectsFinal(session));
    return count;
}

/* The first session logs the application in. */
static void worker_open(struct worker *worker, uint32_t id, const struct named *named)
{
    char label[16];
    worker->id = id;
    worker->session = id == 0 ? module_login(p11) : module_session(p11);
    if (!named->signs)
        return;
    (void)snprintf(label, sizeof label, "%s", named->name);
    CHECK(find(worker->session, &private_key, label, &worker->object) == 1);
}

/* ---- setup */

static void generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE kind,
                          char *label)
{
    CK_MECHANISM mechanism = {.mechanism = type};
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE, private = CK_INVALID_HANDLE;
    CK_ATTRIBUTE verifying[] = {{CKA_TOKEN, &yes, sizeof yes},
                                {CKA_LABEL, label, strlen(label)},
                                {CKA_VERIFY, &yes, sizeof yes},
                                kind};
    CK_ATTRIBUTE signing[] = {{CKA_TOKEN, &yes, sizeof yes},
                              {CKA_LABEL, label, strlen(label)},
                              {CKA_SIGN, &yes, sizeof yes}};
    EXPECT(CKR_OK, p11->C_GenerateKeyPair(session, &mechanism, verifying, 4, signing, 3, &public,
                                          &private));
}

static void setup(void)
{
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static char rsa[] = "rsa", ec[] = "ec";
    CK_ULONG bits = 2048;
    CK_SESSION_HANDLE session = module_login(p11);
    generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN,
                  (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits}, rsa);
    generate_pair(session, CKM_EC_KEY_PAIR_GEN, (CK_ATTRIBUTE){CKA_EC_PARAMS, p256, sizeof p256},
                  ec);
}

/* ---- load */

static struct {
    operation run;
    double end_ms;
    unsigned long wanted;
    _Atomic unsigned long begun;
    pthread_barrier_t ready;
} load;

static void *load_thread(void *context)
{
    struct worker *worker = context;
    (void)pthread_barrier_wait(&load.ready);
    double begin = now_ms();
    while (begin < load.end_ms && atomic_fetch_add(&load.begun, 1) < load.wanted) {
        CK_RV rv = load.run(worker);
        double end = now_ms();
        if (rv == CKR_OK)
            times_add(&worker->times, end - begin);
        else
            worker->error = worker->errors++ == 0 ? rv : worker->error;
        begin = end;
    }
    return NULL;
}

static void load_print(const struct worker *workers, unsigned threads, double took_ms)
{
    struct times all = {0};
    unsigned errors = 0;
    CK_RV error = CKR_OK;
    for (unsigned i = 0; i < threads; i++) {
        for (size_t j = 0; j < workers[i].times.count; j++)
            times_add(&all, workers[i].times.ms[j]);
        errors += workers[i].errors;
        error = error == CKR_OK ? workers[i].error : error;
    }
    (void)printf("{\"per_s\": %.1f, \"errors\": %u, \"error\": \"0x%lx\", ",
                 (double)all.count * 1e3 / took_ms, errors, error);
    times_print("times", &all);
    (void)printf("}\n");
}

static void run_load(const struct named *named, unsigned long threads, double seconds,
                     unsigned long wanted)
{
    static struct worker workers[THREADS_MAX];
    CHECK(threads >= 1 && threads <= THREADS_MAX);
    load.run = named->run;
    load.wanted = wanted;
    CHECK(pthread_barrier_init(&load.ready, NULL, (unsigned)threads + 1) == 0);
    for (unsigned i = 0; i < threads; i++) {
        worker_open(&workers[i], i, named);
        CHECK(named->run(&workers[i]) == CKR_OK); /* connected, and facts of the key known */
    }
    load.end_ms = now_ms() + seconds * 1e3;
    for (unsigned i = 0; i < threads; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, load_thread, &workers[i]) == 0);
    (void)pthread_barrier_wait(&load.ready);
    double begin = now_ms();
    for (unsigned i = 0; i < threads; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    load_print(workers, (unsigned)threads, now_ms() - begin);
}

/* ---- watch */

static struct {
    pthread_mutex_t lock;
    operation run;
    double begun_ms; /* of the operation under way */
    double last_ms;  /* end of the last one that was well */
    double longest_ms, gap_ms;
    unsigned long count;
    unsigned errors;
    CK_RV error;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void watch_note(CK_RV rv, double end)
{
    (void)pthread_mutex_lock(&watch.lock);
    watch.longest_ms = larger(watch.longest_ms, end - watch.begun_ms);
    watch.begun_ms = 0;
    if (rv == CKR_OK) {
        watch.gap_ms = larger(watch.gap_ms, end - watch.last_ms);
        watch.last_ms = end;
        watch.count++;
    } else if (watch.errors++ == 0) {
        watch.error = rv;
    }
    (void)pthread_mutex_unlock(&watch.lock);
}

static void *watch_thread(void *context)
{
    for (;;) {
        (void)pthread_mutex_lock(&watch.lock);
        watch.begun_ms = now_ms();
        (void)pthread_mutex_unlock(&watch.lock);
        CK_RV rv = watch.run(context);
        watch_note(rv, now_ms());
        rest_us(PACE_US);
    }
    return NULL;
}

/* What is under way counts up to now, and again in the next answer. */
static void watch_print(void)
{
    (void)pthread_mutex_lock(&watch.lock);
    double now = now_ms();
    double waited = watch.begun_ms == 0 ? 0 : now - watch.begun_ms;
    (void)printf("{\"count\": %lu, \"longest_ms\": %.2f, \"gap_ms\": %.2f, \"errors\": %u, "
                 "\"error\": \"0x%lx\"}\n",
                 watch.count, larger(watch.longest_ms, waited),
                 larger(watch.gap_ms, now - watch.last_ms), watch.errors, watch.error);
    (void)fflush(stdout);
    watch.longest_ms = watch.gap_ms = 0;
    watch.count = 0;
    watch.errors = 0;
    watch.error = CKR_OK;
    (void)pthread_mutex_unlock(&watch.lock);
}

_Noreturn static void run_watch(const struct named *named)
{
    static struct worker worker;
    char line[16];
    watch.run = named->run;
    worker_open(&worker, 0, named);
    CHECK(named->run(&worker) == CKR_OK);
    watch.last_ms = now_ms();
    CHECK(pthread_create(&worker.thread, NULL, watch_thread, &worker) == 0);
    while (fgets(line, sizeof line, stdin) != NULL)
        watch_print();
    _exit(0); /* in the middle of an operation */
}

/* ---- visible */

struct shared {
    _Atomic uint32_t round;
    _Atomic unsigned ready;
    struct {
        _Atomic uint32_t round;
        _Atomic double ms;
    } found[ZONES_MAX];
};

static void round_label(uint32_t round, char label[32])
{
    (void)snprintf(label, 32, "visible %u", round);
}

/* Looks out for the label of each round as soon as the round begins. */
_Noreturn static void run_finder(struct shared *shared, unsigned zone, const char *conf)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    CHECK(setenv("QHSM_CONF", conf, 1) == 0);
    p11 = module_load();
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE session = module_login(p11);
    atomic_fetch_add(&shared->ready, 1);
    for (uint32_t done = 0, round = 0; round != LAST_ROUND; round = atomic_load(&shared->round)) {
        char label[32];
        CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
        round_label(round, label);
        if (round != done && find(session, &secret_key, label, &object) == 1) {
            atomic_store(&shared->found[zone].ms, now_ms());
            atomic_store(&shared->found[zone].round, done = round);
        }
        rest_us(POLL_US);
    }
    _exit(0);
}

/* When the last zone found it. */
static double wait_found(struct shared *shared, unsigned zones, uint32_t round, double begin)
{
    double last = 0;
    for (unsigned zone = 0; zone < zones; zone++) {
        while (atomic_load(&shared->found[zone].round) != round && now_ms() - begin < LATE_MS)
            rest_us(POLL_US);
        CHECK(atomic_load(&shared->found[zone].round) == round);
        last = larger(last, atomic_load(&shared->found[zone].ms));
    }
    return last;
}

static void make_visible(struct shared *shared, unsigned zones, double seconds)
{
    struct times answered = {0}, from_call = {0}, from_answer = {0};
    CK_SESSION_HANDLE session = module_login(p11);
    double end = now_ms() + seconds * 1e3;
    for (uint32_t round = 1; now_ms() < end; round++) {
        char label[32];
        CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
        round_label(round, label);
        atomic_store(&shared->round, round);
        rest_us(2000U + (unsigned)(random() % 20000)); /* any time of the heartbeat */
        double begin = now_ms();
        EXPECT(CKR_OK, generate_labelled(session, label, &object));
        double answer = now_ms();
        double last = wait_found(shared, zones, round, begin);
        times_add(&answered, answer - begin);
        times_add(&from_call, last - begin);
        times_add(&from_answer, larger(0, last - answer));
        EXPECT(CKR_OK, p11->C_DestroyObject(session, object));
    }
    (void)printf("{");
    times_print("answered", &answered);
    (void)printf(", ");
    times_print("from_call", &from_call);
    (void)printf(", ");
    times_print("from_answer", &from_answer);
    (void)printf("}\n");
}

/* The finders are processes of their own from before the module is loaded: a configuration belongs
 * to a process. */
static void run_visible(double seconds, char **conf, unsigned zones)
{
    CHECK(zones <= ZONES_MAX);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (unsigned zone = 0; zone < zones; zone++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            run_finder(shared, zone, conf[zone]);
    }
    p11 = module_load();
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    for (double begin = now_ms(); atomic_load(&shared->ready) < zones;) {
        CHECK(now_ms() - begin < LATE_MS);
        rest_us(POLL_US);
    }
    make_visible(shared, zones, seconds);
    atomic_store(&shared->round, LAST_ROUND);
    while (wait(NULL) > 0)
        ;
}

int main(int argc, char **argv)
{
    CHECK(argc >= 2);
    if (strcmp(argv[1], "visible") == 0) {
        CHECK(argc >= 4);
        run_visible((double)number(argv[2]), argv + 3, (unsigned)argc - 3);
        return 0;
    }
    p11 = module_load();
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    if (strcmp(argv[1], "setup") == 0) {
        setup();
    } else if (strcmp(argv[1], "watch") == 0) {
        CHECK(argc == 3);
        run_watch(operation_named(argv[2]));
    } else {
        CHECK(strcmp(argv[1], "load") == 0 && (argc == 5 || argc == 6));
        run_load(operation_named(argv[2]), number(argv[3]), (double)number(argv[4]),
                 argc == 6 ? number(argv[5]) : ULONG_MAX);
    }
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
    module_unload();
    return 0;
}
