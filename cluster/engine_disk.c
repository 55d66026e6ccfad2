/* SPDX-License-Identifier: Apache-2.0 */
/* Room on the disk. The engine learns that there is none when a write fails, and survives some of
 * these only; so changes are refused before, and what needs no room goes on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cluster/consensus_internal.h"
#include "common/log.h"

#define LOOK_NS      ((uint64_t)250 * 1000 * 1000)
#define HAND_OVER_NS ((uint64_t)2 * 1000 * 1000 * 1000)
#define MIB          ((uint64_t)1024 * 1024)
#define AGAIN_PART   8U /* with an eighth more than the reserve free there is room again */
#define FAILED_WRITE "retry failed write"

void consensus_pretend_disk_full(struct consensus *consensus, bool full)
{
    atomic_store(&consensus->disk.pretended, full);
    (void)pthread_mutex_lock(&consensus->lock);
    if (consensus_check_running(consensus) == RC_OK)
        (void)uv_async_send(&consensus->wake);
    (void)pthread_mutex_unlock(&consensus->lock);
}

/* ---- looking */

static bool read_free(const struct consensus *consensus, uint64_t *out)
{
    struct statvfs info;
    if (statvfs(consensus->dir, &info) != 0)
        return false;
    *out = (uint64_t)info.f_bavail * info.f_frsize;
    return true;
}

static void tell(const struct consensus *consensus)
{
    const struct disk_watch *disk = &consensus->disk;
    uint64_t reserve = consensus->config.disk_reserve_bytes;
    if (disk->full)
        log_error("disk_full",
                  "dir=%s free_mib=%" PRIu64 " reserve_mib=%" PRIu64 " pretended=%s next=\"free "
                  "space there: changes are refused until then, keys that exist are served\"",
                  consensus->dir, disk->free / MIB, reserve / MIB,
                  atomic_load(&consensus->disk.pretended) ? "yes" : "no");
    else
        log_info("disk_has_room", "dir=%s free_mib=%" PRIu64, consensus->dir, disk->free / MIB);
}

static void look(struct consensus *consensus)
{
    struct disk_watch *disk = &consensus->disk;
    uint64_t reserve = consensus->config.disk_reserve_bytes;
    bool was_full = disk->full;
    disk->looked_ns = uv_hrtime();
    if (read_free(consensus, &disk->free) && disk->short_of_room)
        reserve += reserve / AGAIN_PART;
    disk->short_of_room = disk->free < reserve;
    disk->full = disk->short_of_room || atomic_load(&disk->pretended);
    if (disk->full != was_full)
        tell(consensus);
}

enum rc disk_check(const struct consensus *consensus)
{
    const struct disk_watch *disk = &consensus->disk;
    if (!disk->full)
        return RC_OK;
    return rc_fail(RC_DISK,
                   "the disk of HSM %" PRIu64 " is full: %" PRIu64 " MiB are free in %s, %" PRIu64
                   " MiB are kept in reserve",
                   consensus->config.node, disk->free / MIB, consensus->dir,
                   consensus->config.disk_reserve_bytes / MIB);
}

bool disk_has_room_for(struct consensus *consensus, uint64_t len)
{
    look(consensus);
    return !consensus->disk.full &&
           consensus->disk.free >= consensus->config.disk_reserve_bytes + len;
}

/* ---- the lead goes to who has room */

static void handed_over(void *context, enum rc rc)
{
    struct consensus *consensus = context;
    if (rc != RC_OK)
        log_warn("lead_not_handed_over", "node=%" PRIu64 " rc=%s detail=\"%s\"",
                 consensus->config.node, rc_info(rc)->name, rc_detail());
}

static void hand_over(struct consensus *consensus)
{
    struct disk_watch *disk = &consensus->disk;
    uint64_t now = uv_hrtime();
    if (!engine_leads(consensus) || members_transferring(consensus) ||
        (disk->handed_ns != 0 && now - disk->handed_ns < HAND_OVER_NS))
        return;
    disk->handed_ns = now;
    members_give_lead_away(consensus, handed_over);
}

void disk_tick(struct consensus *consensus)
{
    struct disk_watch *disk = &consensus->disk;
    if (uv_hrtime() - disk->looked_ns >= LOOK_NS || (atomic_load(&disk->pretended) && !disk->full))
        look(consensus);
    if (disk->full)
        hand_over(consensus);
}

/* ---- a write that failed after all */

/* The engine would try it again with a timer whose data is of another kind, and crash: the process
 * ends here instead. Nothing that was acknowledged is lost: it was stored before. */
static void emit(struct raft_tracer *tracer, int type, const void *data)
{
    const struct raft_tracer_info *info = data;
    (void)tracer;
    if (type != RAFT_TRACER_DIAGNOSTIC ||
        strncmp(info->diagnostic.message, FAILED_WRITE, strlen(FAILED_WRITE)) != 0)
        return;
    log_error("log_not_written",
              "reason=\"%s\" next=\"free or repair the disk of the log, then start again\"",
              info->diagnostic.message);
    abort();
}

struct raft_tracer *disk_tracer(void)
{
    static struct raft_tracer tracer = {.version = 2, .emit = emit};
    return &tracer;
}
