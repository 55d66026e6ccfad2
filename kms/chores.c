/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks for what is due. */
#include "kms/chores.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/thread.h"
#include "kms/audit.h"
#include "kms/chores_internal.h"

#define PERIOD_MS       10000L
#define FAST_MS         100L
#define WRAPPING_PERIOD 60U /* in turns: they are found by looking at every backing key */

struct chores {
    struct kms *kms;
    struct kms_request *request; /* on nobody's behalf */
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool is_stopping;
    bool has_thread;
    pthread_t thread;
};

bool chores_due_add(struct chores_due *due, struct record *record)
{
    if (due->count == CHORES_DUE_MAX)
        return false;
    due->list[due->count++] = record_ref(record);
    return true;
}

void chores_due_clear(struct chores_due *due)
{
    for (size_t i = 0; i < due->count; i++)
        record_unref(due->list[i]);
    due->count = 0;
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

/* Nothing is decided on a view that may be old, or done without a record. */
static void take_turn(struct chores *chores, unsigned turn)
{
    struct kms *kms = chores->kms;
    uint64_t now_ms = wall_ms();
    if (audit_admit(kms->audit) != KMS_OK || view_refresh(kms->view) != RC_OK)
        return;
    *chores->request =
        (struct kms_request){.kms = kms, .now_ms = now_ms, .view = view_index(kms->view)};
    chores_delete_keys(kms, now_ms);
    chores_expire(kms, now_ms);
    chores_rotate(chores->request);
    chores_write_used(kms);
    if (turn % WRAPPING_PERIOD == 0)
        chores_drop_wrapping_keys(kms, now_ms);
}

/* False when the chores end. */
static bool wait_a_turn(struct chores *chores)
{
    long ms = chores->kms->config->fast_time ? FAST_MS : PERIOD_MS;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int failed = 0;
    (void)pthread_mutex_lock(&chores->mutex);
    while (!chores->is_stopping && failed != ETIMEDOUT)
        failed = pthread_cond_timedwait(&chores->stop, &chores->mutex, &until);
    bool goes_on = !chores->is_stopping;
    (void)pthread_mutex_unlock(&chores->mutex);
    return goes_on;
}

static void *run(void *context)
{
    struct chores *chores = context;
    for (unsigned turn = 1; wait_a_turn(chores); turn++)
        take_turn(chores, turn);
    return NULL;
}

static void init_locks(struct chores *chores)
{
    (void)pthread_mutex_init(&chores->mutex, NULL);
    thread_cond_init(&chores->stop);
}

enum rc chores_start(struct kms *kms, struct chores **out)
{
    struct chores *chores = calloc(1, sizeof *chores);
    if (chores == NULL)
        return RC_NO_MEMORY;
    chores->kms = kms;
    init_locks(chores);
    chores->request = calloc(1, sizeof *chores->request);
    chores->has_thread =
        chores->request != NULL && pthread_create(&chores->thread, NULL, run, chores) == 0;
    if (!chores->has_thread) {
        chores_stop(chores);
        return rc_fail(RC_NO_MEMORY, "no thread for what comes due");
    }
    *out = chores;
    return RC_OK;
}

void chores_stop(struct chores *chores)
{
    (void)pthread_mutex_lock(&chores->mutex);
    chores->is_stopping = true;
    (void)pthread_cond_broadcast(&chores->stop);
    (void)pthread_mutex_unlock(&chores->mutex);
    if (chores->has_thread)
        (void)pthread_join(chores->thread, NULL);
    (void)pthread_cond_destroy(&chores->stop);
    (void)pthread_mutex_destroy(&chores->mutex);
    free(chores->request);
    free(chores);
}
