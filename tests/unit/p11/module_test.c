/* SPDX-License-Identifier: Apache-2.0 */
/* The shared object itself in a foreign process: loaded and unloaded, with threads, after
 * libcrypto is gone, from a destructor, and silent all the while. */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

/* A child of fork that starts threads of its own is what is tested here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* What a child leaves to its end is no leak, and its LeakSanitizer would wait for the parent's
 * threads. */
static int is_child;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

static void *module;
static CK_FUNCTION_LIST_PTR p11;
static CK_SESSION_HANDLE session;

static bool load(void)
{
    union {
        void *symbol;
        CK_C_GetFunctionList function;
    } get;
    module = dlopen(QHSM_MODULE_PATH, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return false;
    get.symbol = dlsym(module, "C_GetFunctionList");
    return get.symbol != NULL && get.function(&p11) == CKR_OK;
}

static CK_RV use(void)
{
    CK_BYTE bytes[32];
    CK_ULONG len = sizeof bytes;
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256};
    CK_RV rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session);
    if (rv == CKR_OK)
        rv = p11->C_GenerateRandom(session, bytes, sizeof bytes);
    if (rv == CKR_OK)
        rv = p11->C_DigestInit(session, &mechanism);
    return rv != CKR_OK ? rv : p11->C_Digest(session, bytes, 3, bytes, &len);
}

static void *use_in_thread(void *unused)
{
    (void)unused;
    CK_SESSION_HANDLE own = 0;
    CK_BYTE bytes[16];
    for (unsigned i = 0; i < 20; i++)
        if (p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK ||
            p11->C_GenerateRandom(own, bytes, sizeof bytes) != CKR_OK ||
            p11->C_CloseSession(own) != CKR_OK)
            return &module;
    return NULL;
}

static int load_and_unload(void)
{
    pthread_t threads[4];
    void *failed = NULL;
    for (unsigned i = 0; i < 5; i++) {
        if (!load() || use() != CKR_OK)
            return 1;
        for (size_t k = 0; k < 4; k++)
            if (pthread_create(&threads[k], NULL, use_in_thread, NULL) != 0)
                return 2;
        for (size_t k = 0; k < 4; k++)
            if (pthread_join(threads[k], &failed) != 0 || failed != NULL)
                return 3;
        if (p11->C_Finalize(NULL) != CKR_OK || dlclose(module) != 0)
            return 4;
        if (dlopen(QHSM_MODULE_PATH, RTLD_NOLOAD | RTLD_NOW) != NULL)
            return 5;
    }
    return 0;
}

static int finalize_after_libcrypto_is_gone(void)
{
    if (!load() || use() != CKR_OK)
        return 1;
    OPENSSL_cleanup();
    if (p11->C_CloseSession(session) != CKR_OK)
        return 2;
    return p11->C_Finalize(NULL) == CKR_OK && dlclose(module) == 0 ? 0 : 3;
}

static bool finalize_at_exit;

__attribute__((destructor)) static void last_words(void)
{
    if (finalize_at_exit &&
        (p11->C_CloseAllSessions(1) != CKR_OK || p11->C_Finalize(NULL) != CKR_OK))
        _exit(9);
}

static int finalize_in_a_destructor(void)
{
    if (!load() || use() != CKR_OK)
        return 1;
    finalize_at_exit = true;
    exit(0);
}

static int exit_without_finalize(void)
{
    if (!load() || use() != CKR_OK)
        return 1;
    exit(0);
}

static void print_file(int fd)
{
    char text[4096];
    ssize_t got = pread(fd, text, sizeof text, 0);
    if (got > 0)
        (void)fwrite(text, 1, (size_t)got, stdout);
}

/* Runs the steps in a child whose output goes to a file; the exit code, or 100 when it wrote
 * anything. */
static int in_child(int (*steps)(void))
{
    script_start(NULL);
    char output[] = "/tmp/qhsm-p11-output-XXXXXX";
    int fd = mkstemp(output);
    CU_ASSERT_FATAL(fd >= 0);
    pid_t child = fork();
    if (child == 0) {
        is_child = 1;
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        _exit(steps());
    }
    int status = -1;
    struct stat written;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(fstat(fd, &written), 0);
    if (written.st_size != 0)
        print_file(fd);
    (void)close(fd);
    (void)unlink(output);
    script_stop();
    if (written.st_size != 0)
        return 100;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static void module_is_loaded_and_unloaded_many_times(void)
{
    CU_ASSERT_EQUAL(in_child(load_and_unload), 0);
}

static void finalize_comes_after_the_end_of_libcrypto(void)
{
    CU_ASSERT_EQUAL(in_child(finalize_after_libcrypto_is_gone), 0);
}

static void finalize_comes_from_a_destructor(void)
{
    CU_ASSERT_EQUAL(in_child(finalize_in_a_destructor), 0);
}

static void process_exits_without_finalize(void)
{
    CU_ASSERT_EQUAL(in_child(exit_without_finalize), 0);
}

UNIT_SUITE("p11/module", UNIT_CASE(module_is_loaded_and_unloaded_many_times),
           UNIT_CASE(finalize_comes_after_the_end_of_libcrypto),
           UNIT_CASE(finalize_comes_from_a_destructor), UNIT_CASE(process_exits_without_finalize));
