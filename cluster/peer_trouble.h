/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of single peers from other threads: emulated trouble, and where they are found. */
#ifndef QHSM_CLUSTER_PEER_TROUBLE_H
#define QHSM_CLUSTER_PEER_TROUBLE_H

#include <pthread.h>

#include "cluster/peer_inspect.h"
#include "cluster/peer_transport.h"

struct peer_note {
    uint64_t id;
    bool used;
    bool in_trouble;
    struct peer_trouble trouble;
    char address[PEER_ADDRESS_MAX + 1]; /* "": as the engine's configuration says */
};

struct peer_notes {
    pthread_mutex_t lock;
    struct peer_note notes[PEER_MEMBERS_MAX];
};

void peer_notes_init(struct peer_notes *notes);
void peer_notes_clear(struct peer_notes *notes);
/* RC_LIMIT. */
enum rc peer_notes_trouble(struct peer_notes *notes, uint64_t id,
                           const struct peer_trouble *trouble);
enum rc peer_notes_locate(struct peer_notes *notes, uint64_t id, const char *address);
/* Where nothing is noted. */
enum rc peer_notes_suggest(struct peer_notes *notes, uint64_t id, const char *address);
/* That of the peer, else that of 0, else none. */
struct peer_trouble peer_notes_trouble_of(struct peer_notes *notes, uint64_t id);
/* False when nothing is noted. */
bool peer_notes_address_of(struct peer_notes *notes, uint64_t id, char out[PEER_ADDRESS_MAX + 1]);

#endif
