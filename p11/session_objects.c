/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/session_objects.h"

#include "p11/object_remote.h"

#define BATCH 64U

void session_objects_destroy(struct call *call, const struct owned_wanted *wanted)
{
    if (owned_count(&call->library->owned) == 0)
        return;
    CK_OBJECT_HANDLE handles[BATCH];
    size_t count;
    bool told = true; /* an HSM that is gone is told once */
    do {
        count = owned_list(&call->library->owned, wanted, handles, BATCH);
        for (size_t i = 0; i < count; i++) {
            if (told)
                told = !remote_is_trouble(object_remote_forget(call, handles[i]));
            owned_remove(&call->library->owned, handles[i]);
            facts_cache_drop(&call->library->facts, handles[i]);
        }
    } while (count == BATCH);
    rc_detail_clear();
}
