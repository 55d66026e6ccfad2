/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: rows in one allocation each, and a sorted shelf for each space. */
#include "token/documents.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ROW_FORMAT   1U
#define ROW_HEAD_LEN (1U + 1U + 8U)
#define FRAME_LEN    4U

struct document {
    atomic_uint refs;
    enum document_space space;
    uint64_t version;
    struct bytes key, value; /* views into the row */
    size_t row_len;
    uint8_t frame[]; /* u32 length of the row, row */
};

struct bytes document_frame(const struct document *document)
{
    return bytes_of(document->frame, FRAME_LEN + document->row_len);
}

struct bytes document_row(const struct document *document)
{
    return bytes_of(document->frame + FRAME_LEN, document->row_len);
}

uint64_t document_version(const struct document *document)
{
    return document->version;
}

struct document_name document_name(const struct document *document)
{
    return (struct document_name){.space = document->space, .key = document->key};
}

struct bytes document_value(const struct document *document)
{
    return document->value;
}

static struct document *document_ref(struct document *document)
{
    atomic_fetch_add_explicit(&document->refs, 1, memory_order_relaxed);
    return document;
}

void document_unref(struct document *document)
{
    if (document == NULL ||
        atomic_fetch_sub_explicit(&document->refs, 1, memory_order_acq_rel) != 1)
        return;
    secret_wipe(document->frame, FRAME_LEN + document->row_len);
    free(document);
}

bool document_fits(enum document_space space, struct bytes key, struct bytes value)
{
    return space > 0 && space < DOCUMENT_SPACE_END && key.len > 0 && key.len <= DOCUMENT_KEY_MAX &&
           value.len <= DOCUMENT_VALUE_MAX;
}

enum rc document_from_row(struct bytes row, struct document **out)
{
    struct reader in = reader_of(row);
    uint8_t format = reader_u8(&in);
    enum document_space space = (enum document_space)reader_u8(&in);
    uint64_t version = reader_u64(&in);
    struct bytes key = reader_bytes(&in);
    struct bytes value = reader_bytes(&in);
    if (!reader_done(&in) || format != ROW_FORMAT || version == 0 ||
        !document_fits(space, key, value))
        return rc_fail(RC_TAMPERED, "malformed document");
    struct document *document = calloc(1, sizeof *document + FRAME_LEN + row.len);
    if (document == NULL)
        return RC_NO_MEMORY;
    uint8_t *copy = document->frame + FRAME_LEN;
    for (unsigned i = 0; i < FRAME_LEN; i++)
        document->frame[i] = (uint8_t)(row.len >> (8 * i));
    memcpy(copy, row.ptr, row.len);
    atomic_init(&document->refs, 1);
    document->space = space;
    document->version = version;
    document->row_len = row.len;
    document->key = bytes_of(copy + ROW_HEAD_LEN + 4, key.len);
    document->value = bytes_of(copy + row.len - value.len, value.len);
    *out = document;
    return RC_OK;
}

struct document_name document_name_of(struct bytes row)
{
    struct reader in = reader_of(bytes_slice(row, 1, row.len));
    struct document_name name = {.space = (enum document_space)reader_u8(&in)};
    (void)reader_u64(&in); /* version */
    name.key = reader_bytes(&in);
    return name;
}

enum rc document_new(enum document_space space, struct bytes key, uint64_t version,
                     struct bytes value, struct document **out)
{
    AUTO_BUF row = BUF_INIT;
    if (!document_fits(space, key, value))
        return rc_fail(RC_BAD_ARGUMENT, "document of %zu bytes with a key of %zu in space %d",
                       value.len, key.len, (int)space);
    TRY(buf_put_u8(&row, ROW_FORMAT));
    TRY(buf_put_u8(&row, (uint8_t)space));
    TRY(buf_put_u64(&row, version));
    TRY(buf_put_bytes(&row, key));
    TRY(buf_put_bytes(&row, value));
    return document_from_row(buf_bytes(&row), out);
}

/* First place at or above the key. */
static size_t find_place(const struct document_shelf *shelf, struct bytes key)
{
    size_t low = 0;
    size_t high = shelf->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(shelf->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct document_shelf *shelf, size_t place, struct bytes key)
{
    return place < shelf->count && bytes_equal(shelf->items[place]->key, key);
}

struct document *documents_find(const struct documents *documents, enum document_space space,
                                struct bytes key)
{
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return NULL;
    const struct document_shelf *shelf = &documents->shelves[space];
    size_t place = find_place(shelf, key);
    return is_at(shelf, place, key) ? shelf->items[place] : NULL;
}

void documents_each(const struct documents *documents, enum document_space space,
                    struct bytes after, document_visit visit, void *context)
{
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return;
    const struct document_shelf *shelf = &documents->shelves[space];
    size_t first = find_place(shelf, after);
    first += is_at(shelf, first, after) ? 1 : 0;
    for (size_t i = first; i < shelf->count; i++) {
        const struct document *document = shelf->items[i];
        if (!visit(context, document->key, document->value, document->version))
            return;
    }
}

static enum rc make_room(struct document_shelf *shelf)
{
    if (shelf->count < shelf->cap)
        return RC_OK;
    size_t cap = shelf->cap == 0 ? 8 : shelf->cap * 2;
    struct document **grown = realloc(shelf->items, cap * sizeof grown[0]);
    if (grown == NULL)
        return RC_NO_MEMORY;
    shelf->items = grown;
    shelf->cap = cap;
    return RC_OK;
}

enum rc documents_put(struct documents *documents, struct document *document)
{
    struct document_shelf *shelf = &documents->shelves[document->space];
    size_t place = find_place(shelf, document->key);
    if (is_at(shelf, place, document->key)) {
        documents->bytes -= document_frame(shelf->items[place]).len;
        document_unref(shelf->items[place]);
    } else {
        TRY(make_room(shelf));
        memmove(shelf->items + place + 1, shelf->items + place,
                (shelf->count - place) * sizeof shelf->items[0]);
        shelf->count++;
        documents->count++;
    }
    shelf->items[place] = document;
    documents->bytes += document_frame(document).len;
    return RC_OK;
}

void documents_remove(struct documents *documents, enum document_space space, struct bytes key)
{
    struct document_shelf *shelf = &documents->shelves[space];
    size_t place = find_place(shelf, key);
    if (!is_at(shelf, place, key))
        return;
    documents->bytes -= document_frame(shelf->items[place]).len;
    document_unref(shelf->items[place]);
    shelf->count--;
    memmove(shelf->items + place, shelf->items + place + 1,
            (shelf->count - place) * sizeof shelf->items[0]);
    documents->count--;
}

void documents_drop(struct documents *documents, enum document_space space)
{
    struct document_shelf *shelf = &documents->shelves[space];
    while (shelf->count > 0)
        documents_remove(documents, space, document_name(shelf->items[shelf->count - 1]).key);
}

void documents_clear(struct documents *documents)
{
    for (unsigned space = 0; space < DOCUMENT_SPACE_END; space++) {
        struct document_shelf *shelf = &documents->shelves[space];
        for (size_t i = 0; i < shelf->count; i++)
            document_unref(shelf->items[i]);
        free(shelf->items);
    }
    *documents = (struct documents){.count = 0};
}

static enum rc share_shelf(const struct document_shelf *shelf, struct document_shelf *out)
{
    if (shelf->count == 0)
        return RC_OK;
    out->items = calloc(shelf->count, sizeof out->items[0]);
    if (out->items == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < shelf->count; i++)
        out->items[i] = document_ref(shelf->items[i]);
    out->count = shelf->count;
    out->cap = shelf->count;
    return RC_OK;
}

enum rc documents_share(const struct documents *documents, struct documents *out)
{
    struct documents copy = {.count = documents->count, .bytes = documents->bytes};
    for (unsigned space = 0; space < DOCUMENT_SPACE_END; space++) {
        enum rc rc = share_shelf(&documents->shelves[space], &copy.shelves[space]);
        if (rc != RC_OK) {
            documents_clear(&copy);
            return rc;
        }
    }
    *out = copy;
    return RC_OK;
}

void documents_frames(const struct documents *documents, struct iovec *out)
{
    for (unsigned space = 0; space < DOCUMENT_SPACE_END; space++)
        for (size_t i = 0; i < documents->shelves[space].count; i++) {
            struct bytes frame = document_frame(documents->shelves[space].items[i]);
            *out++ = (struct iovec){.iov_base = (void *)(uintptr_t)frame.ptr, .iov_len = frame.len};
        }
}
