/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pages. */
#include "kms/page.h"

#include <stdio.h>

#include "kms/base64.h"
#include "kms/vault.h"

#define PURPOSE_MAX 256U

void page_clear(struct page *page)
{
    json_decref(page->items);
    page->items = NULL;
}

/* A marker is good for the list that it is of, and no other. */
static void purpose_of(const struct kms_request *request, char out[PURPOSE_MAX])
{
    const char *key = request->key == NULL ? "" : key_of(request->key)->id;
    (void)snprintf(out, PURPOSE_MAX, "marker/%s/%s/%s/%s", request->operation->name,
                   request->region, request->identity.account, key);
}

static bool open_marker(const struct kms_request *request, const char *marker, struct page *out)
{
    char purpose[PURPOSE_MAX];
    purpose_of(request, purpose);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    if (base64_decode(bytes_of_str(marker), &sealed) != RC_OK ||
        vault_unseal(request->kms->vault, purpose, buf_bytes(&sealed), &plain) != RC_OK ||
        plain.len > PAGE_CURSOR_MAX)
        return false;
    struct bytes cursor = secret_expose(&plain);
    (void)snprintf(out->after, sizeof out->after, "%.*s", (int)cursor.len,
                   (const char *)cursor.ptr);
    return true;
}

enum kms_error page_open(const struct kms_request *request, size_t fallback, size_t most,
                         struct page *out)
{
    *out = (struct page){.limit = (size_t)request_int(request, "Limit", (json_int_t)fallback)};
    if (out->limit > most)
        out->limit = most;
    const char *marker = request_string(request, "Marker");
    if (marker != NULL && !open_marker(request, marker, out))
        return kms_fail_plain(KMS_INVALID_MARKER);
    out->items = json_array();
    return KMS_OK;
}

bool page_is_full(struct page *page)
{
    if (json_array_size(page->items) < page->limit)
        return page->has_failed;
    page->is_truncated = true;
    return true;
}

bool page_add(struct page *page, const char *cursor, json_t *item)
{
    if (page_is_full(page)) {
        json_decref(item);
        return false;
    }
    (void)snprintf(page->last, sizeof page->last, "%s", cursor);
    if (json_array_append_new(page->items, item) != 0)
        page->has_failed = true;
    return !page->has_failed;
}

static enum rc put_marker(struct kms_request *request, const struct page *page)
{
    char purpose[PURPOSE_MAX];
    purpose_of(request, purpose);
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(vault_seal(request->kms->vault, purpose, bytes_of_str(page->last), &sealed));
    TRY(base64_encode(buf_bytes(&sealed), &text));
    return request_put_string(request, "NextMarker", buf_str(&text));
}

enum kms_error page_close(struct kms_request *request, struct page *page, const char *member)
{
    if (page->has_failed || page->items == NULL)
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "list of %s", request->operation->name));
    if (json_object_set(request->out, member, page->items) != 0 ||
        json_object_set_new(request->out, "Truncated", json_boolean(page->is_truncated)) != 0)
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "list of %s", request->operation->name));
    return page->is_truncated ? kms_from_rc(put_marker(request, page)) : KMS_OK;
}
