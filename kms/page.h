/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pages: Limit, Marker, NextMarker, Truncated. A marker is the sealed name of the last
 * item, bound to operation, account, Region and key: a caller cannot make or move one. */
#ifndef QHSM_KMS_PAGE_H
#define QHSM_KMS_PAGE_H

#include "kms/request.h"

#define PAGE_CURSOR_MAX 512U

struct page {
    size_t limit;
    char after[PAGE_CURSOR_MAX + 1]; /* items up to and with this one were given; "" */
    char last[PAGE_CURSOR_MAX + 1];
    json_t *items;
    bool is_truncated;
    bool has_failed; /* no memory */
};
#define PAGE_INIT     \
    {                 \
        .items = NULL \
    }
void page_clear(struct page *page);
#define AUTO_PAGE __attribute__((cleanup(page_clear))) struct page

/* Reads Limit (`fallback` when absent, `most` at most) and Marker. KMS_INVALID_MARKER. */
enum kms_error page_open(const struct kms_request *request, size_t fallback, size_t most,
                         struct page *out);
/* Adds an item (its reference is taken, NULL: no memory) that stands at `cursor`; items come in the
 * order of their cursors, each after page->after. False: the page is full, `item` was not added,
 * and no further one is asked for: the value to return from a view_visit. */
bool page_add(struct page *page, const char *cursor, json_t *item);
/* The same test before an item is made. */
bool page_is_full(struct page *page);
/* `member` (a list), Truncated, NextMarker into the answer. */
enum kms_error page_close(struct kms_request *request, struct page *page, const char *member);

#endif
