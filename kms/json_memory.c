/* SPDX-License-Identifier: Apache-2.0 */
/* jansson's allocator. */
#include "kms/json_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

#include "common/secret.h"

static void *take(size_t len)
{
    return calloc(1, len);
}

static void give(void *block)
{
    if (block != NULL)
        secret_wipe(block, malloc_usable_size(block));
    free(block);
}

void json_memory_protect(void)
{
    json_set_alloc_funcs(take, give);
}
