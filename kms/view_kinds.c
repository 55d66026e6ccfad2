/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of documents. What begins with none of these prefixes is kept undecoded. */
#include "kms/chores_internal.h"
#include "kms/grant.h"
#include "kms/iam_records.h"
#include "kms/key.h"
#include "kms/store.h"
#include "kms/used.h"
#include "kms/view.h"

static const struct view_kind kinds[] = {
    {.prefix = "key/", .decode = key_decode, .free = key_free},
    {.prefix = "alias/", .decode = alias_decode, .free = alias_free},
    {.prefix = CHORES_DOOMED, .decode = chores_doomed_decode, .free = key_free},
    {.prefix = "grant/", .decode = grant_decode, .free = grant_free},
    {.prefix = "iam/", .decode = iam_decode, .free = iam_free},
    {.prefix = "store/", .decode = store_decode, .free = store_free},
    {.prefix = "storeguard/", .decode = store_guard_decode, .free = store_guard_free},
    {.prefix = "used/", .decode = used_decode, .free = used_free},
};

const struct view_kind *view_kind_at(size_t index)
{
    return index < sizeof kinds / sizeof kinds[0] ? &kinds[index] : NULL;
}
