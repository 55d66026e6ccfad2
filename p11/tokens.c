/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void token_list_unref(struct token_list *list)
{
    if (list == NULL || atomic_fetch_sub(&list->references, 1) != 1)
        return;
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].disabled);
    free(list);
}

const struct token_info *token_list_find(const struct token_list *list, CK_SLOT_ID slot)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].slot == slot)
            return &list->items[i];
    return NULL;
}

bool token_info_allows(const struct token_info *token, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < token->disabled_count; i++)
        if (token->disabled[i] == type)
            return false;
    return true;
}

void token_cache_init(struct token_cache *cache)
{
    (void)pthread_mutex_init(&cache->lock, NULL);
    cache->newest = NULL;
}

void token_cache_clear(struct token_cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    struct token_list *old = cache->newest;
    cache->newest = NULL;
    (void)pthread_mutex_unlock(&cache->lock);
    token_list_unref(old);
}

struct token_list *token_cache_get(struct token_cache *cache, int64_t max_age_ms)
{
    int64_t now = now_ms();
    (void)pthread_mutex_lock(&cache->lock);
    struct token_list *list = cache->newest;
    if (list != NULL && max_age_ms >= 0 && now - list->fetched_ms > max_age_ms)
        list = NULL;
    if (list != NULL)
        atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&cache->lock);
    return list;
}

void token_cache_carry(struct token_cache *child, const struct token_cache *parent)
{
    child->newest = parent->newest;
    if (child->newest != NULL)
        atomic_fetch_add_explicit(&child->newest->references, 1, memory_order_relaxed);
}

static void copy_text(char *out, size_t room, const char *text)
{
    size_t len = strnlen(text, room - 1);
    memcpy(out, text, len);
    out[len] = 0;
}

static enum rc token_from_pb(const Qhsm__TokenInfo *pb, struct token_info *out)
{
    out->slot = pb->slot;
    out->initialized = pb->initialized;
    copy_text(out->label, sizeof out->label, pb->label);
    copy_text(out->serial, sizeof out->serial, pb->serial);
    out->flags = pb->flags;
    out->pin_len_min = pb->pin_len_min;
    out->pin_len_max = pb->pin_len_max;
    if (pb->n_disabled_mechanisms == 0)
        return RC_OK;
    out->disabled = calloc(pb->n_disabled_mechanisms, sizeof out->disabled[0]);
    if (out->disabled == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < pb->n_disabled_mechanisms; i++)
        out->disabled[i] = pb->disabled_mechanisms[i];
    out->disabled_count = pb->n_disabled_mechanisms;
    return RC_OK;
}

enum rc token_cache_put(struct token_cache *cache, const Qhsm__SlotsReply *pb,
                        struct token_list **out)
{
    struct token_list *list = calloc(1, sizeof *list + pb->n_slots * sizeof list->items[0]);
    if (list == NULL)
        return RC_NO_MEMORY;
    atomic_init(&list->references, 1);
    list->fetched_ms = now_ms();
    list->time_ms = pb->time_ms;
    for (size_t i = 0; i < pb->n_slots; i++) {
        list->count = i + 1;
        enum rc rc = token_from_pb(pb->slots[i], &list->items[i]);
        if (rc != RC_OK) {
            token_list_unref(list);
            return rc;
        }
    }
    atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
    (void)pthread_mutex_lock(&cache->lock);
    struct token_list *old = cache->newest;
    cache->newest = list;
    (void)pthread_mutex_unlock(&cache->lock);
    token_list_unref(old);
    *out = list;
    return RC_OK;
}
