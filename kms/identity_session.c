/* SPDX-License-Identifier: Apache-2.0 */
/* Session tokens: written, sealed, opened and read. */
#include "kms/identity_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "rpc/text_code.h"

#define SESSION_FORMAT 1U

void identity_session_clear(struct identity_session *session)
{
    secret_clear(&session->secret);
    free(session->policy);
    for (size_t i = 0; i < session->tag_count; i++) {
        free(session->tags[i].key);
        free(session->tags[i].value);
    }
    *session = (struct identity_session){0};
}

enum rc identity_session_add_tag(struct identity_session *session, const char *key,
                                 const char *value)
{
    if (session->tag_count == KMS_TAGS_MAX)
        return RC_LIMIT;
    struct key_tag *tag = &session->tags[session->tag_count++];
    tag->key = strdup(key);
    tag->value = strdup(value);
    return tag->key == NULL || tag->value == NULL ? RC_NO_MEMORY : RC_OK;
}

static void session_purpose(const char *access_key, char out[160])
{
    (void)snprintf(out, 160, "session/%.128s", access_key);
}

static enum rc put_text(struct secret *out, const char *text)
{
    return secret_put_bytes(out, bytes_of_str(text));
}

static enum rc session_write(const struct identity_session *session, struct secret *out)
{
    TRY(secret_put_u8(out, SESSION_FORMAT));
    TRY(secret_put_u8(out, (uint8_t)session->type));
    TRY(put_text(out, session->account));
    TRY(put_text(out, session->principal));
    TRY(put_text(out, session->principal_id));
    TRY(put_text(out, session->session_name));
    TRY(secret_put_bytes(out, secret_expose(&session->secret)));
    TRY(secret_put_u64(out, session->created_ms));
    TRY(secret_put_u64(out, session->expires_ms));
    TRY(secret_put_u8(out, session->has_mfa));
    TRY(put_text(out, session->policy));
    TRY(secret_put_u32(out, (uint32_t)session->tag_count));
    for (size_t i = 0; i < session->tag_count; i++) {
        TRY(put_text(out, session->tags[i].key));
        TRY(put_text(out, session->tags[i].value));
    }
    return RC_OK;
}

enum rc identity_session_seal(const struct vault *vault, const char *access_key,
                              const struct identity_session *session, struct buf *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF sealed = BUF_INIT;
    char purpose[160];
    TRY(session_write(session, &plain));
    session_purpose(access_key, purpose);
    TRY(vault_seal(vault, purpose, secret_expose(&plain), &sealed));
    return text_code_write("", buf_bytes(&sealed), out);
}

static void read_text(struct reader *in, char *out, size_t size)
{
    struct bytes text = reader_bytes(in);
    if (text.len >= size)
        in->failed = true;
    else
        (void)snprintf(out, size, "%.*s", (int)text.len, (const char *)text.ptr);
}

static enum rc read_copy(struct reader *in, char **out)
{
    struct bytes text = reader_bytes(in);
    if (!reader_ok(in))
        return RC_TAMPERED;
    *out = strndup(text.len == 0 ? "" : (const char *)text.ptr, text.len);
    return *out == NULL ? RC_NO_MEMORY : RC_OK;
}

static enum rc read_tags(struct reader *in, struct identity_session *out)
{
    uint32_t count = reader_u32(in);
    if (!reader_ok(in) || count > KMS_TAGS_MAX)
        return RC_TAMPERED;
    enum rc rc = RC_OK;
    out->tag_count = count; /* absent ones are NULL: freed as such */
    for (uint32_t i = 0; rc == RC_OK && i < count; i++) {
        rc = read_copy(in, &out->tags[i].key);
        if (rc == RC_OK)
            rc = read_copy(in, &out->tags[i].value);
    }
    return rc;
}

static enum rc session_read(struct bytes plain, struct identity_session *out)
{
    struct reader in = reader_of(plain);
    uint8_t format = reader_u8(&in), type = reader_u8(&in);
    if (format != SESSION_FORMAT || type > IDENTITY_ASSUMED_ROLE)
        return rc_fail(RC_TAMPERED, "a session token of another release");
    out->type = (enum identity_type)type;
    read_text(&in, out->account, sizeof out->account);
    read_text(&in, out->principal, sizeof out->principal);
    read_text(&in, out->principal_id, sizeof out->principal_id);
    read_text(&in, out->session_name, sizeof out->session_name);
    TRY(secret_from_bytes(&out->secret, reader_bytes(&in)));
    out->created_ms = reader_u64(&in);
    out->expires_ms = reader_u64(&in);
    out->has_mfa = reader_u8(&in) != 0;
    TRY(read_copy(&in, &out->policy));
    if (*out->policy == '\0') {
        free(out->policy);
        out->policy = NULL;
    }
    TRY(read_tags(&in, out));
    return reader_done(&in) ? RC_OK : rc_fail(RC_TAMPERED, "a session token of wrong length");
}

enum rc identity_session_unseal(const struct vault *vault, const char *access_key,
                                const char *token, struct identity_session *out)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    char purpose[160];
    if (text_code_read("", token, &sealed) != RC_OK)
        return rc_fail(RC_TAMPERED, "a session token that is no text code");
    session_purpose(access_key, purpose);
    TRY(vault_unseal(vault, purpose, buf_bytes(&sealed), &plain));
    struct identity_session session = {.secret = SECRET_INIT};
    enum rc rc = session_read(secret_expose(&plain), &session);
    if (rc != RC_OK)
        identity_session_clear(&session);
    else
        *out = session;
    return rc;
}
