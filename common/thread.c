/* SPDX-License-Identifier: Apache-2.0 */
/* Starting threads. */
#include "common/thread.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/* Locked memory counts whole stacks where the kernel has no lock-on-fault; sanitizers need more. */
#if defined(__SANITIZE_ADDRESS__)
#define STACK_LEN ((size_t)4 * 1024 * 1024)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_LEN ((size_t)4 * 1024 * 1024)
#endif
#endif
#ifndef STACK_LEN
#define STACK_LEN ((size_t)256 * 1024)
#endif

void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

enum rc thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_LEN);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(out, &attributes, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (error != 0)
        return rc_fail(RC_NO_MEMORY, "thread %s: %s", name, strerror(error));
    (void)pthread_setname_np(*out, name);
    return RC_OK;
}
