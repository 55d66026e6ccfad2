/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of a backup and the pieces that its writer and its reader share. */
#ifndef QHSM_TOKEN_BACKUP_FORMAT_H
#define QHSM_TOKEN_BACKUP_FORMAT_H

#include "token/backup_file.h"
#include "token/seal_gcm.h"

#define BACKUP_MAGIC       "QHSMBKUP"
#define BACKUP_MAGIC_END   "QHSMBEND"
#define BACKUP_MAGIC_LEN   8U
#define BACKUP_HASH_LEN    32U
#define BACKUP_MAC_LEN     32U
#define BACKUP_KEY_LEN     32U
#define BACKUP_MASTER_LEN  (MASTER_KEY_LEN + GCM_TAG_LEN)
#define BACKUP_LENGTH_AT   12U /* of the header's own length */
#define BACKUP_PREFIX_LEN  16U /* magic, format, header's length: the same in every format */
#define BACKUP_CHUNK_EXTRA (GCM_TAG_LEN + BACKUP_MAC_LEN)
/* magic, chunks, snapshot's length, tag, MAC */
#define BACKUP_TRAILER_LEN (BACKUP_MAGIC_LEN + 16U + GCM_TAG_LEN + BACKUP_MAC_LEN)

/* What the content key seals, each under a nonce of its own: the key is drawn for one file. */
enum backup_part { BACKUP_MASTER = 1, BACKUP_CHUNK = 2, BACKUP_TRAILER = 3 };

/* magic, format, room for the header's length, then the facts. */
enum rc backup_facts_encode(const struct backup_facts *facts, struct buf *out);
/* The same, of this format; marks the reader failed. */
void backup_facts_decode(struct reader *in, struct backup_facts *out);

uint64_t backup_chunk_count(uint64_t snapshot_len);
/* Of that chunk's plain text. */
size_t backup_chunk_len(uint64_t snapshot_len, uint64_t chunk);

void backup_nonce(enum backup_part part, uint64_t number, uint8_t out[GCM_NONCE_LEN]);
/* {hash of the header, part, number, count of chunks}: what a part is bound to. */
enum rc backup_place(const uint8_t header_hash[BACKUP_HASH_LEN], enum backup_part part,
                     uint64_t number, uint64_t count, struct buf *out);
enum rc backup_part_mac(const struct seal_keys *keys, struct bytes place, struct bytes sealed,
                        uint8_t out[BACKUP_MAC_LEN]);
enum rc backup_hash(struct bytes data, uint8_t out[BACKUP_HASH_LEN]);
/* What the envelope is bound to: purpose and hash of the facts. */
enum rc backup_envelope_context(struct bytes facts, struct buf *out);

#endif
