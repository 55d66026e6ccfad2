/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.h"

struct bytes bytes_slice(struct bytes b, size_t offset, size_t len)
{
    if (offset >= b.len)
        return BYTES_NONE;
    size_t rest = b.len - offset;
    return (struct bytes){.ptr = b.ptr + offset, .len = len < rest ? len : rest};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool bytes_copy_exact(struct bytes b, void *out, size_t out_len)
{
    if (b.len != out_len)
        return false;
    if (out_len > 0)
        memcpy(out, b.ptr, out_len);
    return true;
}
