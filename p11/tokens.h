/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon tells of its tokens, kept for a second so that storms of C_GetTokenInfo and
 * C_GetSlotList cost no traffic. */
#ifndef QHSM_P11_TOKENS_H
#define QHSM_P11_TOKENS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/cryptoki.h"
#include "common/rc.h"
#include "rpc/qhsm.pb-c.h"

#define TOKEN_LABEL_LEN  32U
#define TOKEN_SERIAL_LEN 16U

struct token_info {
    CK_SLOT_ID slot;
    bool initialized;
    char label[TOKEN_LABEL_LEN + 1];
    char serial[TOKEN_SERIAL_LEN + 1];
    CK_FLAGS flags;
    CK_ULONG pin_len_min;
    CK_ULONG pin_len_max;
    size_t disabled_count;
    CK_MECHANISM_TYPE *disabled;
};

/* One answer of the daemon; immutable. */
struct token_list {
    atomic_uint references;
    int64_t fetched_ms;
    uint64_t time_ms; /* of the daemon */
    size_t count;
    struct token_info items[];
};

void token_list_unref(struct token_list *list);
static inline void token_list_auto_unref(struct token_list **list)
{
    token_list_unref(*list);
}
#define AUTO_TOKENS __attribute__((cleanup(token_list_auto_unref))) struct token_list *

/* Borrowed from the list, or NULL. */
const struct token_info *token_list_find(const struct token_list *list, CK_SLOT_ID slot);
bool token_info_allows(const struct token_info *token, CK_MECHANISM_TYPE type);

struct token_cache {
    pthread_mutex_t lock;
    struct token_list *newest;
};

void token_cache_init(struct token_cache *cache);
void token_cache_clear(struct token_cache *cache);
/* New reference to what was fetched last, at most max_age_ms ago (negative: any age); NULL when
 * there is none. */
struct token_list *token_cache_get(struct token_cache *cache, int64_t max_age_ms);
/* In a child of fork: what the parent knew. Takes no lock of the parent. */
void token_cache_carry(struct token_cache *child, const struct token_cache *parent);
/* *out is a new reference. RC_NO_MEMORY. */
enum rc token_cache_put(struct token_cache *cache, const Qhsm__SlotsReply *pb,
                        struct token_list **out);

#endif
