/* SPDX-License-Identifier: Apache-2.0 */
/* External keys: names of the configuration for AES-256 keys of the token. */
#include <stdlib.h>
#include <time.h>

#include "kms/xks_proxy_internal.h"

#define LOOK_AGAIN_MS 30000U /* for keys that were added beside those that are known */

uint64_t xks_proxy_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the configuration */

struct restriction {
    const char *word;
    bool can_encrypt, can_decrypt, is_enabled;
};
static const struct restriction restrictions[] = {
    {"encrypt-only", true, false, true},
    {"decrypt-only", false, true, true},
    {"no-use", false, false, true},
    {"disabled", true, true, false},
};

/* Takes a restriction off the label's end. */
static struct bytes take_restriction(struct bytes label, struct xks_key *key)
{
    for (size_t i = 0; i < sizeof restrictions / sizeof restrictions[0]; i++) {
        const struct restriction *one = &restrictions[i];
        struct bytes word = bytes_of_str(one->word);
        if (label.len <= word.len + 1 || label.ptr[label.len - word.len - 1] != ' ' ||
            !bytes_equal(bytes_slice(label, label.len - word.len, word.len), word))
            continue;
        key->can_encrypt = one->can_encrypt;
        key->can_decrypt = one->can_decrypt;
        key->is_enabled = one->is_enabled;
        label.len -= word.len + 1;
    }
    while (label.len > 0 && label.ptr[label.len - 1] == ' ')
        label.len--;
    return label;
}

static enum rc read_line(const char *line, struct xks_key *out)
{
    *out = (struct xks_key){.can_encrypt = true, .can_decrypt = true, .is_enabled = true};
    size_t len = strcspn(line, " \t");
    struct bytes label = bytes_of_str(line + len + strspn(line + len, " \t"));
    label = take_restriction(label, out);
    if (!xks_is_key_id(line, len) || label.len == 0 || label.len > HSM_LABEL_MAX)
        return rc_fail(RC_CONFIG,
                       "xks_keys = %s: write it as EXTERNAL_KEY_ID LABEL, the label of at most %u "
                       "bytes",
                       line, HSM_LABEL_MAX);
    memcpy(out->id, line, len);
    memcpy(out->label, label.ptr, label.len);
    return RC_OK;
}

static struct xks_key *find(const struct xks_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->list[i].id, id) == 0)
            return &keys->list[i];
    }
    return NULL;
}

enum rc xks_keys_read(const struct config_list *lines, struct xks_keys *out)
{
    struct xks_keys found = {.list = calloc(lines->count + 1, sizeof *found.list)};
    enum rc rc = found.list == NULL ? RC_NO_MEMORY : RC_OK;
    for (size_t i = 0; i < lines->count && rc == RC_OK; i++) {
        struct xks_key fresh;
        rc = read_line(lines->items[i], &fresh);
        if (rc == RC_OK && find(&found, fresh.id) != NULL)
            rc = rc_fail(RC_CONFIG, "xks_keys: %s is there twice", fresh.id);
        if (rc == RC_OK)
            found.list[found.count++] = fresh;
    }
    if (rc != RC_OK) {
        xks_keys_clear(&found);
        return rc;
    }
    *out = found;
    return RC_OK;
}

void xks_keys_clear(struct xks_keys *keys)
{
    free(keys->list);
    *keys = (struct xks_keys){.list = NULL};
}

/* ---- the token */

/* Handles grow with time. */
static bool take_material(void *context, const struct hsm_key *found)
{
    struct xks_key *key = context;
    if (found->spec != KEYSTORE_SPEC_AES_256 || found->use != KEYSTORE_ENCRYPT)
        return true;
    if (key->material_count == XKS_MATERIALS_MAX)
        key->material_count--;
    size_t at = key->material_count++;
    for (; at > 0 && key->materials[at - 1].handle < found->handle; at--)
        key->materials[at] = key->materials[at - 1];
    key->materials[at].handle = found->handle;
    memcpy(key->materials[at].id, found->id, HSM_ID_LEN);
    return true;
}

static void remember(struct xks_proxy *proxy, const struct xks_key *fresh)
{
    (void)pthread_rwlock_wrlock(&proxy->lock);
    struct xks_key *key = find(&proxy->keys, fresh->id);
    if (key != NULL && strcmp(key->label, fresh->label) == 0)
        *key = *fresh;
    (void)pthread_rwlock_unlock(&proxy->lock);
}

static enum rc look(struct xks_proxy *proxy, struct xks_key *key)
{
    key->material_count = 0;
    TRY(hsm_find(proxy->kms->hsm, key->label, NULL, take_material, key));
    key->looked_ms = xks_proxy_now_ms();
    remember(proxy, key);
    return RC_OK;
}

enum rc xks_proxy_key(struct xks_proxy *proxy, const char *id, bool is_fresh, struct xks_key *out)
{
    (void)pthread_rwlock_rdlock(&proxy->lock);
    const struct xks_key *known = find(&proxy->keys, id);
    if (known != NULL)
        *out = *known;
    (void)pthread_rwlock_unlock(&proxy->lock);
    if (known == NULL)
        return rc_fail(RC_NOT_FOUND, "no external key %s in xks_keys", id);
    bool is_old = out->looked_ms == 0 || xks_proxy_now_ms() >= out->looked_ms + LOOK_AGAIN_MS;
    if (is_fresh || is_old || out->material_count == 0)
        TRY(look(proxy, out));
    return out->material_count > 0
               ? RC_OK
               : rc_fail(RC_NOT_FOUND, "the token has no AES-256 key of label %s", out->label);
}
