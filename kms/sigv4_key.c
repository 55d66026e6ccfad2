/* SPDX-License-Identifier: Apache-2.0 */
/* Signing keys: four HMACs a scope and day, so they are kept, in sets of four under a lock each. An
 * entry is found by a hash of the secret and the scope, so another secret of the same access key
 * finds nothing. */
#include <pthread.h>
#include <stdlib.h>

#include "kms/sigv4_internal.h"

#define SETS 256U
#define WAYS 4U

struct entry {
    uint8_t name[HASH_LEN];
    uint8_t key[HASH_LEN];
    bool is_used;
};

struct set {
    pthread_mutex_t lock;
    unsigned next; /* way that is replaced next */
};

static struct set sets[SETS];
static struct secret entries; /* struct entry[SETS][WAYS]; empty: nothing is kept */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    for (size_t i = 0; i < SETS; i++)
        (void)pthread_mutex_init(&sets[i].lock, NULL);
    if (secret_alloc(&entries, sizeof(struct entry) * SETS * WAYS) != RC_OK)
        secret_clear(&entries);
}

static struct entry *set_entries(uint8_t number)
{
    return entries.ptr == NULL ? NULL : (struct entry *)(void *)entries.ptr + number * WAYS;
}

static bool find(const uint8_t name[HASH_LEN], uint8_t out[HASH_LEN])
{
    struct set *set = &sets[name[0]];
    struct entry *list = set_entries(name[0]);
    bool found = false;
    if (list == NULL)
        return false;
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < WAYS && !found; i++) {
        found = list[i].is_used &&
                bytes_equal(bytes_of(list[i].name, HASH_LEN), bytes_of(name, HASH_LEN));
        if (found)
            memcpy(out, list[i].key, HASH_LEN);
    }
    (void)pthread_mutex_unlock(&set->lock);
    return found;
}

static void keep(const uint8_t name[HASH_LEN], const uint8_t key[HASH_LEN])
{
    struct set *set = &sets[name[0]];
    struct entry *list = set_entries(name[0]);
    if (list == NULL)
        return;
    (void)pthread_mutex_lock(&set->lock);
    struct entry *entry = &list[set->next++ % WAYS];
    memcpy(entry->name, name, HASH_LEN);
    memcpy(entry->key, key, HASH_LEN);
    entry->is_used = true;
    (void)pthread_mutex_unlock(&set->lock);
}

static enum rc name_of(const struct secret *secret, const struct sigv4_scope *scope,
                       uint8_t out[HASH_LEN])
{
    const struct bytes parts[] = {
        secret_expose(secret),       bytes_of("", 1), bytes_of_str(scope->date),   bytes_of("", 1),
        bytes_of_str(scope->region), bytes_of("", 1), bytes_of_str(scope->service)};
    return hash_sha256_of(parts, sizeof parts / sizeof parts[0], out);
}

static enum rc derive(const struct secret *secret, const struct sigv4_scope *scope,
                      uint8_t out[HASH_LEN])
{
    const char *const steps[] = {scope->date, scope->region, scope->service, "aws4_request"};
    AUTO_SECRET key = SECRET_INIT;
    TRY(secret_from_bytes(&key, bytes_of_str("AWS4")));
    TRY(secret_append(&key, secret_expose(secret)));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint8_t next[HASH_LEN];
        enum rc rc = hash_hmac(secret_expose(&key), bytes_of_str(steps[i]), next);
        if (rc == RC_OK)
            rc = secret_from_bytes(&key, bytes_of(next, sizeof next));
        secret_wipe(next, sizeof next);
        TRY(rc);
    }
    memcpy(out, secret_expose(&key).ptr, HASH_LEN);
    return RC_OK;
}

enum rc sigv4_key(const struct secret *secret, const struct sigv4_scope *scope,
                  uint8_t out[HASH_LEN])
{
    uint8_t name[HASH_LEN];
    (void)pthread_once(&once, set_up);
    TRY(name_of(secret, scope, name));
    if (find(name, out))
        return RC_OK;
    TRY(derive(secret, scope, out));
    keep(name, out);
    return RC_OK;
}

void sigv4_forget(void)
{
    (void)pthread_once(&once, set_up);
    for (size_t i = 0; i < SETS; i++) {
        struct entry *list = set_entries((uint8_t)i);
        (void)pthread_mutex_lock(&sets[i].lock);
        if (list != NULL)
            secret_wipe(list, sizeof *list * WAYS);
        (void)pthread_mutex_unlock(&sets[i].lock);
    }
}
