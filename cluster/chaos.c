/* SPDX-License-Identifier: Apache-2.0 */
/* Trouble is noted here for requests, and handed to the engine for its own links. */
#include "cluster/chaos.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/commit.h"
#include "cluster/peer_trouble.h"
#include "cluster/zeroize.h"
#include "common/log.h"

#define FAREWELL_MS  2000U
#define DELAY_MAX_MS 60000U
#define TEXT_MAX     160U
/* Ten years, so that nothing overflows. */
#define CLOCK_MAX_MS ((int64_t)10 * 366 * 86400 * 1000)

struct chaos {
    struct service *service;
    struct peer_notes *notes;
    _Atomic bool has_notes; /* there is something in them */
    _Atomic bool cuts_clients;
    _Atomic bool disk_full;
};

enum rc chaos_new(struct service *service, struct chaos **out)
{
    struct chaos *chaos = calloc(1, sizeof *chaos);
    if (chaos == NULL)
        return RC_NO_MEMORY;
    chaos->notes = calloc(1, sizeof *chaos->notes);
    if (chaos->notes == NULL) {
        free(chaos);
        return RC_NO_MEMORY;
    }
    peer_notes_init(chaos->notes);
    chaos->service = service;
    log_warn("chaos_is_allowed", "notice=\"administrators may make this HSM misbehave\"");
    *out = chaos;
    return RC_OK;
}

void chaos_free(struct chaos *chaos)
{
    if (chaos == NULL)
        return;
    atomic_store(&clock_offset_ms, 0);
    peer_notes_clear(chaos->notes);
    free(chaos->notes);
    free(chaos);
}

struct peer_trouble chaos_link(const struct chaos *chaos, uint64_t id)
{
    if (!atomic_load_explicit(&chaos->has_notes, memory_order_acquire))
        return (struct peer_trouble){.cut_in = false};
    return peer_notes_trouble_of(chaos->notes, id);
}

bool chaos_cuts_clients(const struct chaos *chaos)
{
    return atomic_load_explicit(&chaos->cuts_clients, memory_order_relaxed);
}

/* ---- making trouble */

static enum rc make_link(struct chaos *chaos, uint64_t id, const struct peer_trouble *trouble)
{
    struct consensus *consensus = chaos->service->consensus;
    TRY(peer_notes_trouble(chaos->notes, id, trouble));
    atomic_store_explicit(&chaos->has_notes, true, memory_order_release);
    enum rc rc = consensus == NULL ? RC_OK : consensus_trouble(consensus, id, trouble);
    return rc == RC_UNSUPPORTED ? RC_OK : rc; /* talks to nobody */
}

static enum rc link_of(struct chaos *chaos, const Qhsm__ChaosRequest *request)
{
    if (request->delay_ms > DELAY_MAX_MS || request->drop_permille > 1000)
        return rc_fail(RC_BAD_ARGUMENT, "a delay of at most %u ms, a loss of at most 1000 permille",
                       DELAY_MAX_MS);
    const struct peer_trouble trouble = {.cut_in = request->in,
                                         .cut_out = request->out,
                                         .delay_ms = request->delay_ms,
                                         .drop_permille = request->drop_permille};
    TRY(make_link(chaos, request->peer, &trouble));
    if (request->peer == 0)
        atomic_store(&chaos->cuts_clients, request->clients);
    return RC_OK;
}

static enum rc set_clock(int64_t offset_ms)
{
    if (offset_ms > CLOCK_MAX_MS || offset_ms < -CLOCK_MAX_MS)
        return rc_fail(RC_BAD_ARGUMENT, "the clock may be off by ten years");
    atomic_store(&clock_offset_ms, offset_ms);
    return RC_OK;
}

static void fill_disk(struct chaos *chaos, bool full)
{
    atomic_store(&chaos->disk_full, full);
    if (chaos->service->consensus != NULL)
        consensus_pretend_disk_full(chaos->service->consensus, full);
}

static enum rc heal(struct chaos *chaos)
{
    static const struct peer_trouble none = {.cut_in = false};
    uint64_t ids[PEER_MEMBERS_MAX];
    size_t count = 0;
    (void)pthread_mutex_lock(&chaos->notes->lock);
    for (size_t i = 0; i < PEER_MEMBERS_MAX; i++)
        if (chaos->notes->notes[i].used)
            ids[count++] = chaos->notes->notes[i].id;
    (void)pthread_mutex_unlock(&chaos->notes->lock);
    enum rc rc = RC_OK;
    for (size_t i = 0; i < count; i++) {
        enum rc one = make_link(chaos, ids[i], &none);
        rc = rc != RC_OK ? rc : one; /* the rest ends all the same */
    }
    atomic_store(&chaos->cuts_clients, false);
    fill_disk(chaos, false);
    TRY(set_clock(0));
    return rc;
}

/* ---- tampering */

static enum rc mark_self(void *context, struct roll_changes *changes)
{
    const struct service *service = context;
    struct roll_node self;
    enum rc rc = roll_node(service->hsm->state, service->config->node, &self);
    if (rc == RC_NOT_FOUND)
        return RC_OK;
    TRY(rc);
    self.status = NODE_ZEROIZED;
    return roll_changes_node(changes, &self);
}

/* The cluster is told as long as there are keys to speak with; whether it hears or not, they go.
 * What is in memory is wiped by the orderly end of the process, which starts here. */
static enum rc tamper(struct service *service)
{
    enum rc told = commit_retry(service, mark_self, service, clock_steady_ms() + FAREWELL_MS);
    if (told != RC_OK)
        log_warn("zeroized_untold", "error=%s detail=\"%s\"", rc_info(told)->name, rc_detail());
    atomic_store(&service->stopping, true);
    enum rc rc = zeroize_begin(service->config, "asked for by an administrator");
    (void)kill(getpid(), SIGTERM);
    return rc;
}

enum rc chaos_make(struct chaos *chaos, const Qhsm__ChaosRequest *request)
{
    log_warn("chaos", "kind=%u peer=%" PRIu64 " in=%d out=%d delay_ms=%u drop=%u clock_ms=%" PRId64,
             request->kind, request->peer, request->in, request->out, request->delay_ms,
             request->drop_permille, request->clock_ms);
    switch (request->kind) {
    case CHAOS_HEAL:
        return heal(chaos);
    case CHAOS_LINK:
        return link_of(chaos, request);
    case CHAOS_CLOCK:
        return set_clock(request->clock_ms);
    case CHAOS_DISK_FULL:
        fill_disk(chaos, true);
        return RC_OK;
    case CHAOS_TAMPER:
        return tamper(chaos->service);
    case CHAOS_STATUS:
        return RC_OK;
    default:
        return rc_fail(RC_BAD_ARGUMENT, "trouble %u is not known", request->kind);
    }
}

/* ---- telling it */

static enum rc tell_link(const struct peer_note *note, chaos_tell tell, void *context)
{
    const struct peer_trouble *trouble = &note->trouble;
    AUTO_BUF text = BUF_INIT;
    TRY(note->id == 0 ? buf_printf(&text, "links")
                      : buf_printf(&text, "link with HSM %" PRIu64, note->id));
    if (trouble->cut_in || trouble->cut_out)
        TRY(buf_printf(&text, " cut%s",
                       trouble->cut_in && trouble->cut_out ? ""
                       : trouble->cut_in                   ? " inwards"
                                                           : " outwards"));
    if (trouble->delay_ms > 0)
        TRY(buf_printf(&text, " slow by %u ms", trouble->delay_ms));
    if (trouble->drop_permille > 0)
        TRY(buf_printf(&text, " losing %u of 1000", trouble->drop_permille));
    return tell(context, buf_str(&text));
}

enum rc chaos_describe(struct chaos *chaos, chaos_tell tell, void *context)
{
    int64_t offset_ms = atomic_load(&clock_offset_ms);
    for (size_t i = 0; i < PEER_MEMBERS_MAX; i++) {
        (void)pthread_mutex_lock(&chaos->notes->lock);
        const struct peer_note note = chaos->notes->notes[i];
        (void)pthread_mutex_unlock(&chaos->notes->lock);
        if (note.used && note.in_trouble)
            TRY(tell_link(&note, tell, context));
    }
    if (chaos_cuts_clients(chaos))
        TRY(tell(context, "clients over TCP cut off"));
    if (atomic_load(&chaos->disk_full))
        TRY(tell(context, "disk full"));
    if (offset_ms == 0)
        return RC_OK;
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "clock off by %" PRId64 " ms", offset_ms);
    return tell(context, text);
}
