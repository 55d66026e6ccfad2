/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the daemon. */
#include "cluster/memory.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/log.h"

#define ARENAS_MAX 4 /* of malloc: as many as threads would spread 64 MiB reservations */

/* Under a limit later allocations would fail, so memory is locked only where there is none. */
static bool may_lock(void)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        return true;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return false;
    if (limit.rlim_max == RLIM_INFINITY && limit.rlim_cur != RLIM_INFINITY) {
        limit.rlim_cur = RLIM_INFINITY;
        return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
    }
    return limit.rlim_cur == RLIM_INFINITY;
}

/* On fault: a thread's stack counts as it is used, not by its size. */
static bool lock_all(void)
{
    return may_lock() && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

enum rc memory_protect(enum memory_lock lock, bool *out_locked)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return rc_fail(RC_INTERNAL, "cannot switch core dumps off: %s", strerror(errno));
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
    *out_locked = lock != MEMORY_LOCK_NO && lock_all();
    if (lock == MEMORY_LOCK_YES && !*out_locked)
        return rc_fail(RC_CONFIG, "memory_lock = yes, but the limit forbids it: raise "
                                  "LimitMEMLOCK (ulimit -l) to infinity");
    if (lock == MEMORY_LOCK_AUTO && !*out_locked)
        log_warn("memory_not_locked",
                 "next=\"raise LimitMEMLOCK (ulimit -l) to infinity, or encrypt the swap\"");
    return RC_OK;
}
