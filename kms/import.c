/* SPDX-License-Identifier: Apache-2.0 */
/* Import tokens, and imported materials in a key's list. */
#include "kms/import.h"

#include <stdio.h>

#define TOKEN_VERSION 1U

enum rc import_token_write(const struct import_token *token, struct buf *out)
{
    TRY(buf_put_u8(out, TOKEN_VERSION));
    TRY(buf_put_str(out, token->region));
    TRY(buf_put_str(out, token->key_id));
    TRY(buf_put_u64(out, token->wrapping));
    TRY(buf_put_u32(out, token->algorithm));
    return buf_put_u64(out, token->valid_to_ms);
}

static bool copy_text(struct bytes text, char *out, size_t room)
{
    if (text.len >= room || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
        return false;
    memcpy(out, text.ptr == NULL ? (const uint8_t *)"" : text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

enum rc import_token_read(struct bytes text, struct import_token *out)
{
    struct import_token token = {0};
    struct reader reader = reader_of(text);
    uint8_t version = reader_u8(&reader);
    struct bytes region = reader_bytes(&reader);
    struct bytes key = reader_bytes(&reader);
    token.wrapping = reader_u64(&reader);
    const struct keystore_algorithm_row *row = keystore_algorithm(reader_u32(&reader));
    token.valid_to_ms = reader_u64(&reader);
    if (!reader_done(&reader) || version != TOKEN_VERSION || row == NULL ||
        row->use != KEYSTORE_UNWRAP || !copy_text(region, token.region, sizeof token.region) ||
        !copy_text(key, token.key_id, sizeof token.key_id))
        return rc_fail(RC_TAMPERED, "an import token that this release cannot read");
    token.algorithm = row->algorithm;
    *out = token;
    return RC_OK;
}

bool import_is_over(const struct hsm_key *wrapping, uint64_t now_ms)
{
    uint64_t end_ms = 0;
    for (size_t i = 0; i < sizeof end_ms; i++)
        end_ms = end_ms << 8 | wrapping->id[i];
    return end_ms <= now_ms;
}

static bool is_there(const struct key_material *material, uint64_t now_ms)
{
    return material->is_present && (material->valid_to_ms == 0 || material->valid_to_ms > now_ms);
}

const struct key_material *import_pending(const struct key *key, uint64_t now_ms)
{
    for (size_t i = 0; i < key->material_count; i++)
        if (key->materials[i].is_pending && is_there(&key->materials[i], now_ms))
            return &key->materials[i];
    return NULL;
}

void import_drop(struct key *key, size_t index)
{
    key->material_count--;
    memmove(&key->materials[index], &key->materials[index + 1],
            (key->material_count - index) * sizeof key->materials[0]);
}

bool import_promote(struct key *key, uint64_t now_ms)
{
    for (size_t i = 0; i < key->material_count; i++) {
        if (&key->materials[i] != import_pending(key, now_ms))
            continue;
        struct key_material fresh = key->materials[i];
        fresh.is_pending = false;
        fresh.on_demand = true;
        fresh.created_ms = now_ms;
        memmove(&key->materials[1], &key->materials[0], i * sizeof fresh);
        key->materials[0] = fresh;
        return true;
    }
    return false;
}
