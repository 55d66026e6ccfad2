/* SPDX-License-Identifier: Apache-2.0 */
/* A small table under a lock. */
#include "cluster/peer_trouble.h"

#include <stdio.h>

void peer_notes_init(struct peer_notes *notes)
{
    memset(notes, 0, sizeof *notes);
    (void)pthread_mutex_init(&notes->lock, NULL);
}

void peer_notes_clear(struct peer_notes *notes)
{
    (void)pthread_mutex_destroy(&notes->lock);
}

static struct peer_note *find(struct peer_notes *notes, uint64_t id)
{
    for (size_t i = 0; i < PEER_MEMBERS_MAX; i++)
        if (notes->notes[i].used && notes->notes[i].id == id)
            return &notes->notes[i];
    return NULL;
}

static struct peer_note *find_or_add(struct peer_notes *notes, uint64_t id)
{
    struct peer_note *note = find(notes, id);
    for (size_t i = 0; note == NULL && i < PEER_MEMBERS_MAX; i++) {
        if (notes->notes[i].used)
            continue;
        note = &notes->notes[i];
        *note = (struct peer_note){.id = id, .used = true};
    }
    return note;
}

/* What says nothing any more makes room: any number of peers come and go while a daemon runs. */
static void release(struct peer_note *note)
{
    note->used = note->in_trouble || note->address[0] != 0;
}

static enum rc too_many(void)
{
    return rc_fail(RC_LIMIT, "more than %u peers", PEER_MEMBERS_MAX);
}

enum rc peer_notes_trouble(struct peer_notes *notes, uint64_t id,
                           const struct peer_trouble *trouble)
{
    bool is_some =
        trouble->cut_in || trouble->cut_out || trouble->delay_ms > 0 || trouble->drop_permille > 0;
    (void)pthread_mutex_lock(&notes->lock);
    struct peer_note *note = is_some ? find_or_add(notes, id) : find(notes, id);
    if (note != NULL) {
        note->trouble = *trouble;
        note->in_trouble = is_some;
        release(note);
    }
    (void)pthread_mutex_unlock(&notes->lock);
    return note != NULL || !is_some ? RC_OK : too_many();
}

static enum rc locate(struct peer_notes *notes, uint64_t id, const char *address, bool replaces)
{
    if (address != NULL && strlen(address) > PEER_ADDRESS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "an address of more than %u characters", PEER_ADDRESS_MAX);
    bool is_some = address != NULL && address[0] != 0;
    (void)pthread_mutex_lock(&notes->lock);
    struct peer_note *note = is_some ? find_or_add(notes, id) : find(notes, id);
    if (note != NULL && (replaces || note->address[0] == 0)) {
        (void)snprintf(note->address, sizeof note->address, "%s", is_some ? address : "");
        release(note);
    }
    (void)pthread_mutex_unlock(&notes->lock);
    return note != NULL || !is_some ? RC_OK : too_many();
}

enum rc peer_notes_locate(struct peer_notes *notes, uint64_t id, const char *address)
{
    return locate(notes, id, address, true);
}

enum rc peer_notes_suggest(struct peer_notes *notes, uint64_t id, const char *address)
{
    return locate(notes, id, address, false);
}

struct peer_trouble peer_notes_trouble_of(struct peer_notes *notes, uint64_t id)
{
    struct peer_trouble trouble = {.cut_in = false};
    (void)pthread_mutex_lock(&notes->lock);
    const struct peer_note *note = find(notes, id);
    if (note == NULL || !note->in_trouble)
        note = find(notes, 0);
    if (note != NULL && note->in_trouble)
        trouble = note->trouble;
    (void)pthread_mutex_unlock(&notes->lock);
    return trouble;
}

bool peer_notes_address_of(struct peer_notes *notes, uint64_t id, char out[PEER_ADDRESS_MAX + 1])
{
    (void)pthread_mutex_lock(&notes->lock);
    const struct peer_note *note = find(notes, id);
    bool known = note != NULL && note->address[0] != 0;
    if (known)
        memcpy(out, note->address, sizeof note->address);
    (void)pthread_mutex_unlock(&notes->lock);
    return known;
}
