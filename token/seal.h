/* SPDX-License-Identifier: Apache-2.0 */
/* Keys under keys: everything that is kept or sent out of the HSM is sealed under a key derived
 * from the cluster master key. */
#ifndef QHSM_TOKEN_SEAL_H
#define QHSM_TOKEN_SEAL_H

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"

#define MASTER_KEY_LEN 32U
#define SEAL_OVERHEAD  (1U + 12U + 16U) /* format, nonce, tag */

enum seal_purpose { /* the HKDF label; numbers are never reused */
                    SEAL_OBJECT,
                    SEAL_TICKET,
                    SEAL_SESSION_OBJECT,
                    SEAL_LOG,     /* Raft entries */
                    SEAL_PIN,     /* pepper of PIN verifiers */
                    SEAL_STATE,   /* keyed hash of records, MAC of snapshots */
                    SEAL_CLUSTER, /* the cluster's own secrets in documents: CA key */
                    SEAL_BACKUP,  /* MAC of backups, for members of the same cluster */
                    SEAL_PURPOSE_COUNT,
};

struct seal_keys;

/* HKDF-SHA256 (RFC 5869) of the master key, salt = cluster id, one key a purpose. Owned by the
 * caller; thread-safe after. */
enum rc seal_keys_new(const struct secret *master, const uint8_t cluster[16],
                      struct seal_keys **out);
void seal_keys_free(struct seal_keys *keys);

/* AES-256-GCM, random 96-bit nonce, appended to out. Any thread. */
enum rc seal(const struct seal_keys *keys, enum seal_purpose purpose, struct bytes aad,
             struct bytes plain, struct buf *out);
/* RC_TAMPERED when the seal does not hold. */
enum rc unseal(const struct seal_keys *keys, enum seal_purpose purpose, struct bytes aad,
               struct bytes sealed, struct secret *out);
/* HMAC-SHA256 of the parts in order, lengths included. */
enum rc seal_mac(const struct seal_keys *keys, enum seal_purpose purpose, const struct bytes *parts,
                 size_t count, uint8_t out[32]);
/* The key behind SEAL_PIN, for a restore into another cluster alone; and a MAC by such a key, the
 * same as seal_mac() gives where the key is. */
enum rc seal_pepper(const struct seal_keys *keys, struct secret *out);
enum rc seal_mac_by(const struct secret *key, const struct bytes *parts, size_t count,
                    uint8_t out[32]);
/* Wraps the master key under a node's unlock key (file of 32 bytes or a passphrase through scrypt):
 * the file `master.key`. */
enum rc master_key_wrap(const struct secret *unlock, const struct secret *master, struct buf *out);
enum rc master_key_unwrap(const struct secret *unlock, struct bytes wrapped,
                          struct secret *out); /* RC_SEALED */
/* libcrypto's private RAND of our library context. RC_RANDOM. */
enum rc random_bytes(void *out, size_t len);

#endif
