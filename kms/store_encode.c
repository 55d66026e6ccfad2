/* SPDX-License-Identifier: Apache-2.0 */
/* A custom key store to and from its document. Passwords and secrets are in it closed by the vault
 * alone. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/base64.h"
#include "kms/store.h"

/* Names as AWS gives them. */
static const char *const type_names[] = {
    [STORE_CLOUDHSM] = "AWS_CLOUDHSM",
    [STORE_XKS] = "EXTERNAL_KEY_STORE",
};
static const char *const state_names[] = {
    [STORE_DISCONNECTED] = "DISCONNECTED",
    [STORE_CONNECTING] = "CONNECTING",
    [STORE_CONNECTED] = "CONNECTED",
    [STORE_DISCONNECTING] = "DISCONNECTING",
    [STORE_FAILED] = "FAILED",
};

const char *store_state_name(enum store_state state)
{
    return state_names[state];
}

const char *store_type_name(enum store_type type)
{
    return type_names[type];
}

/* Members that are text of a fixed place, and those that are bytes. */
struct text_member {
    const char *name;
    size_t offset;
    size_t size;
};
#define TEXT(name, member)                                                                   \
    {                                                                                        \
        (name), offsetof(struct store, member), sizeof(((const struct store *)NULL)->member) \
    }
static const struct text_member texts[] = {
    TEXT("name", name),
    TEXT("error", error_code),
    TEXT("cluster", cluster_id),
    TEXT("endpoint", xks_endpoint),
    TEXT("path", xks_path),
    TEXT("connectivity", xks_connectivity),
    TEXT("vpc", xks_vpc_name),
    TEXT("vpc_owner", xks_vpc_owner),
    TEXT("access_key", xks_access_key),
    TEXT("holder", holder),
};
struct blob_member {
    const char *name;
    size_t offset;
};
static const struct blob_member blobs[] = {
    {"password", offsetof(struct store, password)},
    {"password_next", offsetof(struct store, password_next)},
    {"secret", offsetof(struct store, xks_secret)},
};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static enum rc fail(const char *path, const char *member)
{
    return rc_fail(RC_TAMPERED, "document %s: %s is not what it should be", path, member);
}

static enum rc copy_text(const char *path, const char *name, const char *text, char *out,
                         size_t size)
{
    if (strlen(text) >= size)
        return fail(path, name);
    (void)snprintf(out, size, "%s", text);
    return RC_OK;
}

/* "store/REGION/ACCOUNT/ID" */
static enum rc read_path(const char *path, struct store *store)
{
    char copy[129];
    TRY(copy_text(path, "path", path, copy, sizeof copy));
    char *rest = copy;
    const char *kind = strsep(&rest, "/");
    const char *region = strsep(&rest, "/");
    const char *account = strsep(&rest, "/");
    if (rest == NULL || strcmp(kind, "store") != 0 || strchr(rest, '/') != NULL)
        return fail(path, "path");
    TRY(copy_text(path, "region", region, store->region, sizeof store->region));
    TRY(copy_text(path, "account", account, store->account, sizeof store->account));
    return copy_text(path, "id", rest, store->id, sizeof store->id);
}

static enum rc read_name(const char *path, const json_t *value, const char *member,
                         const char *const *names, size_t count, unsigned *out)
{
    const char *text = json_string_value(json_object_get(value, member));
    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return RC_OK;
        }
    }
    return fail(path, member);
}

static enum rc read_members(const char *path, const json_t *value, struct store *store)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        const json_t *found = json_object_get(value, texts[i].name);
        if (found == NULL)
            continue;
        if (!json_is_string(found))
            return fail(path, texts[i].name);
        TRY(copy_text(path, texts[i].name, json_string_value(found),
                      (char *)store + texts[i].offset, texts[i].size));
    }
    for (size_t i = 0; i < COUNT(blobs); i++) {
        const json_t *found = json_object_get(value, blobs[i].name);
        if (found == NULL)
            continue;
        void *place = (char *)store + blobs[i].offset;
        struct buf *out = place;
        if (!json_is_string(found) ||
            base64_decode(bytes_of(json_string_value(found), json_string_length(found)), out) !=
                RC_OK)
            return fail(path, blobs[i].name);
    }
    return RC_OK;
}

static enum rc read_time(const char *path, const json_t *value, const char *member, uint64_t *out)
{
    const json_t *found = json_object_get(value, member);
    if (found == NULL)
        return RC_OK;
    if (!json_is_integer(found) || json_integer_value(found) < 0)
        return fail(path, member);
    *out = (uint64_t)json_integer_value(found);
    return RC_OK;
}

static enum rc decode(const char *path, const json_t *value, struct store *store)
{
    if (!json_is_object(value))
        return fail(path, "value");
    TRY(read_path(path, store));
    unsigned type = 0;
    unsigned state = 0;
    TRY(read_name(path, value, "type", type_names, COUNT(type_names), &type));
    TRY(read_name(path, value, "state", state_names, COUNT(state_names), &state));
    store->type = type;
    store->state = state;
    TRY(read_members(path, value, store));
    TRY(read_time(path, value, "created", &store->created_ms));
    TRY(read_time(path, value, "since", &store->since_ms));
    const char *anchor = json_string_value(json_object_get(value, "anchor"));
    if (store->type == STORE_CLOUDHSM && anchor == NULL)
        return fail(path, "anchor");
    if (anchor == NULL)
        return RC_OK;
    store->trust_anchor = strdup(anchor);
    return store->trust_anchor != NULL ? RC_OK : RC_NO_MEMORY;
}

static struct store *store_blank(void)
{
    struct store *store = calloc(1, sizeof *store);
    for (size_t i = 0; store != NULL && i < COUNT(blobs); i++) {
        void *place = (char *)store + blobs[i].offset;
        *(struct buf *)place = (struct buf)BUF_INIT_MAX(4096);
    }
    return store;
}

enum rc store_decode(const char *path, const json_t *value, void **out)
{
    struct store *store = store_blank();
    if (store == NULL)
        return RC_NO_MEMORY;
    enum rc rc = decode(path, value, store);
    if (rc != RC_OK) {
        store_free(store);
        return rc;
    }
    *out = store;
    return RC_OK;
}

void store_free(void *data)
{
    struct store *store = data;
    if (store == NULL)
        return;
    free(store->trust_anchor);
    buf_clear(&store->password);
    buf_clear(&store->password_next);
    buf_clear(&store->xks_secret);
    free(store);
}

static enum rc put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 ? RC_OK : RC_NO_MEMORY;
}

static enum rc put_members(const struct store *store, json_t *object)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *text = (const char *)store + texts[i].offset;
        if (text[0] != 0)
            TRY(put(object, texts[i].name, json_string(text)));
    }
    for (size_t i = 0; i < COUNT(blobs); i++) {
        const void *place = (const char *)store + blobs[i].offset;
        const struct buf *blob = place;
        if (blob->len == 0)
            continue;
        AUTO_BUF text = BUF_INIT;
        TRY(base64_encode(buf_bytes(blob), &text));
        TRY(put(object, blobs[i].name, json_stringn(buf_str(&text), text.len)));
    }
    return RC_OK;
}

static enum rc put_all(const struct store *store, json_t *object)
{
    TRY(put(object, "type", json_string(type_names[store->type])));
    TRY(put(object, "state", json_string(state_names[store->state])));
    TRY(put_members(store, object));
    TRY(put(object, "created", json_integer((json_int_t)store->created_ms)));
    if (store->since_ms != 0)
        TRY(put(object, "since", json_integer((json_int_t)store->since_ms)));
    return store->trust_anchor == NULL ? RC_OK
                                       : put(object, "anchor", json_string(store->trust_anchor));
}

enum rc store_encode(const struct store *store, json_t **out)
{
    json_t *object = json_object();
    if (object == NULL)
        return RC_NO_MEMORY;
    enum rc rc = put_all(store, object);
    if (rc != RC_OK) {
        json_decref(object);
        return rc;
    }
    *out = object;
    return RC_OK;
}

void store_path(const struct store *store, char out[129])
{
    (void)snprintf(out, 129, "store/%s/%s/%s", store->region, store->account, store->id);
}

enum rc store_new(struct store **out)
{
    *out = store_blank();
    return *out != NULL ? RC_OK : RC_NO_MEMORY;
}

static enum rc copy_blob(struct buf *to, const struct buf *from)
{
    *to = (struct buf)BUF_INIT_MAX(from->max);
    return buf_append(to, buf_bytes(from));
}

enum rc store_copy(const struct store *store, struct store **out)
{
    struct store *copy = store_blank();
    if (copy == NULL)
        return RC_NO_MEMORY;
    *copy = *store;
    copy->trust_anchor = NULL;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < COUNT(blobs); i++) {
        void *to = (char *)copy + blobs[i].offset;
        const void *from = (const char *)store + blobs[i].offset;
        enum rc copied = copy_blob(to, from);
        rc = rc == RC_OK ? copied : rc;
    }
    if (rc == RC_OK && store->trust_anchor != NULL) {
        copy->trust_anchor = strdup(store->trust_anchor);
        rc = copy->trust_anchor == NULL ? RC_NO_MEMORY : RC_OK;
    }
    if (rc != RC_OK) {
        store_free(copy);
        return rc;
    }
    *out = copy;
    return RC_OK;
}

enum rc store_guard_decode(const char *path, const json_t *value, void **out)
{
    if (!json_is_object(value))
        return fail(path, "value");
    *out = calloc(1, 1);
    return *out != NULL ? RC_OK : RC_NO_MEMORY;
}

void store_guard_free(void *guard)
{
    free(guard);
}
