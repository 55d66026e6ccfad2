/* SPDX-License-Identifier: Apache-2.0 */
/* Searches: the index with the fewest candidates, page by page. */
#include "token/store_internal.h"

#define PAGE 64U

struct search {
    uint64_t token;
    struct attrs wanted;
    bool see_private;
    state_visit visit;
    void *context;
};

/* The key of the index with the fewest candidates. */
static uint64_t best_key(const struct store *store, const struct search *search)
{
    uint64_t best = store_index_key(store, search->token, STORE_INDEX_ALL, BYTES_NONE);
    size_t fewest = store_index_count(store, best);
    for (size_t i = 0; i < search->wanted.count && fewest > 1; i++) {
        const struct attr *attr = &search->wanted.ptr[i];
        if (!store_index_has(attr->type))
            continue;
        uint64_t key = store_index_key(store, search->token, attr->type, attr->value);
        size_t count = store_index_count(store, key);
        if (count < fewest) {
            best = key;
            fewest = count;
        }
    }
    return best;
}

/* False when the visitor has enough. */
static bool offer(const struct store *store, const struct search *search, uint64_t handle)
{
    AUTO_OBJECT *object = store_get(store, handle);
    if (object == NULL || object->token != search->token ||
        !object_matches(object, search->wanted, search->see_private))
        return true;
    return search->visit(object, search->context);
}

enum rc store_find(const struct store *store, uint64_t token, struct attrs wanted, bool see_private,
                   uint64_t after, state_visit visit, void *context)
{
    const struct search search = {token, wanted, see_private, visit, context};
    uint64_t key = best_key(store, &search);
    uint64_t handles[PAGE];
    size_t count = PAGE;
    while (count == PAGE) {
        count = store_index_page(store, key, after, handles, PAGE);
        for (size_t i = 0; i < count; i++)
            if (!offer(store, &search, handles[i]))
                return RC_OK;
        if (count > 0)
            after = handles[count - 1];
    }
    return RC_OK;
}
