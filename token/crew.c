/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for one piece of work: made for it, joined at its end. */
#include "token/crew.h"

#include <sched.h>
#include <stdbool.h>

#include "common/thread.h"

#define ROWS_WORTH 2048U /* below, a thread costs more than it saves */

struct worker {
    pthread_t thread;
    bool is_running;
    void (*job)(void *context, unsigned part);
    void *context;
    unsigned part;
};

unsigned crew_size(size_t count)
{
    cpu_set_t processors;
    if (count < ROWS_WORTH || sched_getaffinity(0, sizeof processors, &processors) != 0)
        return 1;
    unsigned size = (unsigned)CPU_COUNT(&processors);
    return size < CREW_MAX ? size : CREW_MAX;
}

size_t crew_first(size_t count, unsigned parts, unsigned part)
{
    return count * part / parts;
}

static void *work(void *context)
{
    const struct worker *worker = context;
    worker->job(worker->context, worker->part);
    return NULL;
}

void crew_run(unsigned parts, void (*job)(void *context, unsigned part), void *context)
{
    struct worker workers[CREW_MAX] = {0};
    for (unsigned i = 1; i < parts; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.job = job, .context = context, .part = i};
        worker->is_running = thread_start(&worker->thread, "qhsmd-crew", work, worker) == RC_OK;
    }
    job(context, 0);
    for (unsigned i = 1; i < parts; i++) {
        if (workers[i].is_running)
            (void)pthread_join(workers[i].thread, NULL);
        else
            job(context, i);
    }
}
