/* SPDX-License-Identifier: Apache-2.0 */
/* An application that forks, exits, unloads, initialises twice, uses many threads and loses its
 * HSM: a case a run, silent when all is well. */
#include <fcntl.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/module.h"

#define THREAD_COUNT 64
#define KEY_LABEL    "process"
#define NOBODY       65534

static CK_FUNCTION_LIST_PTR p11;

/* The private key that `process make` made. */
static CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    char label[] = KEY_LABEL;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_LABEL, label, sizeof label - 1}};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    EXPECT(CKR_OK, p11->C_FindObjectsInit(session, wanted, 2));
    EXPECT(CKR_OK, p11->C_FindObjects(session, found, 2, &count));
    EXPECT(CKR_OK, p11->C_FindObjectsFinal(session));
    CHECK(count == 1);
    return found[0];
}

static CK_RV try_sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA_SHA256};
    CK_BYTE data[] = "what is signed";
    CK_BYTE signature[64];
    CK_ULONG len = sizeof signature;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);
    return rv != CKR_OK ? rv : p11->C_Sign(session, data, sizeof data, signature, &len);
}

static void make(void)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BBOOL yes = CK_TRUE;
    char label[] = KEY_LABEL;
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof p256},
                             {CKA_TOKEN, &yes, sizeof yes},
                             {CKA_LABEL, label, sizeof label - 1}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, sizeof yes}, {CKA_LABEL, label, sizeof label - 1}};
    CK_OBJECT_HANDLE keys[2];
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE session = module_login(p11);
    EXPECT(CKR_OK,
           p11->C_GenerateKeyPair(session, &mechanism, public, 3, private, 2, &keys[0], &keys[1]));
    EXPECT(CKR_OK, try_sign(session, keys[1]));
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

static void wait_for(pid_t child)
{
    int status = 0;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child finds no library, makes its own, and its parent's handle means the same key. */
static void be_child(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, bool as_nobody)
{
    CK_INFO info;
    if (as_nobody && geteuid() == 0)
        CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&info));
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, try_sign(session, key));
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE own = module_session(p11);
    EXPECT(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(own));
    EXPECT(CKR_OK, p11->C_CloseSession(own));
    own = module_login(p11);
    for (unsigned i = 0; i < 20; i++)
        EXPECT(CKR_OK, try_sign(own, key));
    CHECK(find_key(own) == key);
}

static pid_t start_child(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, unsigned number)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    be_child(session, key, number == 1);
    if (number == 2) { /* a grandchild */
        pid_t next = fork();
        if (next == 0) {
            be_child(session, key, false);
            _exit(0);
        }
        wait_for(next);
    }
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
    exit(0);
}

static void forks(void)
{
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE session = module_login(p11);
    CK_OBJECT_HANDLE key = find_key(session);
    EXPECT(CKR_OK, try_sign(session, key));
    pid_t children[4];
    for (unsigned i = 0; i < 4; i++)
        children[i] = start_child(session, key, i);
    for (unsigned i = 0; i < 200; i++)
        EXPECT(CKR_OK, try_sign(session, key));
    for (unsigned i = 0; i < 4; i++)
        wait_for(children[i]);
    /* A child that only exits, as those of system() and popen() do. */
    pid_t idle = fork();
    if (idle == 0)
        exit(0);
    wait_for(idle);
    EXPECT(CKR_OK, try_sign(session, key));
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

static void use_once(void)
{
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE session = module_login(p11);
    EXPECT(CKR_OK, try_sign(session, find_key(session)));
}

static void finalize_late(void)
{
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

/* atexit() runs the last given first: the host's libcrypto is gone when the module is told. */
static void exits_after_libcrypto(void)
{
    CHECK(OPENSSL_init_crypto(0, NULL) == 1);
    CHECK(atexit(finalize_late) == 0);
    CHECK(atexit(OPENSSL_cleanup) == 0);
    use_once();
    exit(0);
}

static void exits_without_a_word(void)
{
    use_once();
    exit(0);
}

static bool is_destructor_wanted;

__attribute__((destructor)) static void finalize_in_destructor(void)
{
    if (is_destructor_wanted)
        EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

static void exits_by_destructor(void)
{
    is_destructor_wanted = true;
    use_once();
    exit(0);
}

static void unloads(void)
{
    for (unsigned i = 0; i < 5; i++) {
        use_once();
        EXPECT(CKR_OK, p11->C_Finalize(NULL));
        module_unload();
        EVP_MD *host = EVP_MD_fetch(NULL, "SHA2-256", NULL); /* the host's libcrypto goes on */
        CHECK(host != NULL);
        EVP_MD_free(host);
        p11 = module_load();
    }
    use_once();
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
}

static CK_RV no_mutex(CK_VOID_PTR mutex)
{
    (void)mutex;
    return CKR_OK;
}

static CK_RV no_mutex_made(CK_VOID_PTR_PTR mutex)
{
    *mutex = NULL;
    return CKR_OK;
}

static void initializes_in_every_way(void)
{
    CK_C_INITIALIZE_ARGS ways[] = {
        {.flags = 0},
        {.flags = CKF_OS_LOCKING_OK},
        {.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS},
        {.CreateMutex = no_mutex_made,
         .DestroyMutex = no_mutex,
         .LockMutex = no_mutex,
         .UnlockMutex = no_mutex,
         .flags = CKF_OS_LOCKING_OK},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        EXPECT(CKR_OK, p11->C_Initialize(&ways[i]));
        EXPECT(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(&ways[i]));
        EXPECT(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));
        CK_SESSION_HANDLE session = module_login(p11);
        CK_UTF8CHAR pin[] = "any";
        EXPECT(CKR_USER_ALREADY_LOGGED_IN, p11->C_Login(session, CKU_USER, pin, 3));
        EXPECT(CKR_OK, try_sign(session, find_key(session)));
        EXPECT(CKR_OK, p11->C_Finalize(NULL));
    }
    /* Only the caller's own mutexes: either they are used, or CKR_CANT_LOCK says so. */
    ways[3].flags = 0;
    CK_RV rv = p11->C_Initialize(&ways[3]);
    CHECK(rv == CKR_OK || rv == CKR_CANT_LOCK);
    if (rv == CKR_OK)
        EXPECT(CKR_OK, p11->C_Finalize(NULL));
    ways[3].LockMutex = NULL; /* some of the four */
    EXPECT(CKR_ARGUMENTS_BAD, p11->C_Initialize(&ways[3]));
    ways[0].pReserved = &ways;
    EXPECT(CKR_ARGUMENTS_BAD, p11->C_Initialize(&ways[0]));
}

static struct timespec deadline;

static bool is_time_left(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec < deadline.tv_sec;
}

static void *work(void *unused)
{
    (void)unused;
    while (is_time_left()) {
        CK_SESSION_HANDLE session = module_session(p11);
        CK_OBJECT_HANDLE key = find_key(session); /* it must come once, whoever else is searching */
        for (unsigned i = 0; i < 5; i++)
            EXPECT(CKR_OK, try_sign(session, key));
        EXPECT(CKR_OK, p11->C_CloseSession(session));
    }
    return NULL;
}

static void *log_in(void *rv)
{
    CK_SESSION_HANDLE session = module_session(p11);
    const char *pin = module_setting("QHSM_USER_PIN");
    CK_UTF8CHAR copy[256];
    size_t len = strlen(pin);
    CHECK(len < sizeof copy);
    memcpy(copy, pin, len);
    *(CK_RV *)rv = p11->C_Login(session, CKU_USER, copy, len);
    return NULL;
}

static void threads(void)
{
    pthread_t running[THREAD_COUNT];
    CK_RV logins[THREAD_COUNT];
    unsigned first = 0;
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        CHECK(pthread_create(&running[i], NULL, log_in, &logins[i]) == 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        CHECK(pthread_join(running[i], NULL) == 0);
        CHECK(logins[i] == CKR_OK || logins[i] == CKR_USER_ALREADY_LOGGED_IN);
        first += logins[i] == CKR_OK;
    }
    CHECK(first == 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += strtol(module_setting("PROCESS_SECONDS"), NULL, 10);
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        CHECK(pthread_create(&running[i], NULL, work, NULL) == 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

/* What a library must leave as it finds it. */
struct surroundings {
    void (*handlers[NSIG])(int);
    char cwd[4096];
    char locale[64];
    mode_t mask;
};

static void look_round(struct surroundings *out)
{
    memset(out, 0, sizeof *out);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0)
            out->handlers[number] = action.sa_handler;
    }
    CHECK(getcwd(out->cwd, sizeof out->cwd) != NULL);
    (void)snprintf(out->locale, sizeof out->locale, "%s", setlocale(LC_ALL, NULL));
    out->mask = umask(0);
    (void)umask(out->mask);
}

static void leaves_its_surroundings(void)
{
    struct surroundings before;
    struct surroundings after;
    look_round(&before);
    use_once();
    look_round(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
    look_round(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

/* Waits until the script has restarted the HSM: the old connections are broken pipes by then. */
static void outlives_its_hsm(void)
{
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE session = module_login(p11);
    CK_OBJECT_HANDLE key = find_key(session);
    EXPECT(CKR_OK, try_sign(session, key));
    int told = open(module_setting("PROCESS_READY"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(told >= 0);
    (void)close(told);
    char line[8];
    CHECK(fgets(line, sizeof line, stdin) != NULL);
    for (unsigned i = 0; i < 20; i++)
        EXPECT(CKR_OK, try_sign(session, key));
    CHECK(find_key(session) == key);
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"make", make},
    {"forks", forks},
    {"exits-after-libcrypto", exits_after_libcrypto},
    {"exits-without-a-word", exits_without_a_word},
    {"exits-by-destructor", exits_by_destructor},
    {"unloads", unloads},
    {"initializes-in-every-way", initializes_in_every_way},
    {"threads", threads},
    {"leaves-its-surroundings", leaves_its_surroundings},
    {"outlives-its-hsm", outlives_its_hsm},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            p11 = module_load();
            cases[i].run();
            return 0;
        }
    (void)fprintf(stderr, "no such case\n");
    return 2;
}
