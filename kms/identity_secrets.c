/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of opened secrets: one slot a hash value, the newest wins. An entry stands for the
 * closed secret it was opened from, so a changed document is never served an old one. */
#include "kms/identity_secrets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 1024U

struct identity_secret {
    _Atomic unsigned refs;
    char id[129];
    struct buf closed;
    struct secret value;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct identity_secret *slots[SLOTS];

/* FNV-1a. */
static size_t slot_of(const char *id)
{
    uint32_t hash = 2166136261U;
    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619U;
    return hash % SLOTS;
}

const struct secret *identity_secrets_value(const struct identity_secret *secret)
{
    return &secret->value;
}

void identity_secrets_done(struct identity_secret *secret)
{
    if (secret == NULL || atomic_fetch_sub(&secret->refs, 1) != 1)
        return;
    secret_clear(&secret->value);
    buf_clear(&secret->closed);
    free(secret);
}

static struct identity_secret *cached(const struct iam_key *key)
{
    (void)pthread_rwlock_rdlock(&lock);
    struct identity_secret *found = slots[slot_of(key->id)];
    if (found != NULL && strcmp(found->id, key->id) == 0 &&
        bytes_equal(buf_bytes(&found->closed), buf_bytes(&key->closed)))
        atomic_fetch_add(&found->refs, 1);
    else
        found = NULL;
    (void)pthread_rwlock_unlock(&lock);
    return found;
}

static enum rc open_new(struct vault *vault, const struct iam_key *key, struct identity_secret *out)
{
    char path[129];
    if (!iam_key_path(key->id, path))
        return rc_fail(RC_TAMPERED, "no name of an access key");
    TRY(buf_append(&out->closed, buf_bytes(&key->closed)));
    memcpy(out->id, key->id, sizeof out->id);
    return vault_open(vault, path, buf_bytes(&key->closed), &out->value);
}

static void put(struct identity_secret *secret)
{
    atomic_fetch_add(&secret->refs, 1);
    (void)pthread_rwlock_wrlock(&lock);
    struct identity_secret **slot = &slots[slot_of(secret->id)];
    struct identity_secret *old = *slot;
    *slot = secret;
    (void)pthread_rwlock_unlock(&lock);
    identity_secrets_done(old);
}

enum rc identity_secrets_get(struct vault *vault, const struct iam_key *key,
                             struct identity_secret **out)
{
    struct identity_secret *secret = cached(key);
    if (secret == NULL) {
        secret = calloc(1, sizeof *secret);
        if (secret == NULL)
            return RC_NO_MEMORY;
        atomic_init(&secret->refs, 1);
        secret->closed = (struct buf)BUF_INIT;
        enum rc rc = open_new(vault, key, secret);
        if (rc != RC_OK) {
            identity_secrets_done(secret);
            return rc;
        }
        put(secret);
    }
    *out = secret;
    return RC_OK;
}

void identity_secrets_clear(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        (void)pthread_rwlock_wrlock(&lock);
        struct identity_secret *old = slots[i];
        slots[i] = NULL;
        (void)pthread_rwlock_unlock(&lock);
        identity_secrets_done(old);
    }
}
