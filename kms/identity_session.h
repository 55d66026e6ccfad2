/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary credentials: all that a session is travels in its token, sealed for its access key. */
#ifndef QHSM_KMS_IDENTITY_SESSION_H
#define QHSM_KMS_IDENTITY_SESSION_H

#include "kms/identity.h"
#include "kms/vault.h"

struct identity_session {
    enum identity_type type; /* root, user or assumed role */
    char account[KMS_ACCOUNT_LEN + 1];
    char principal[129];    /* name of role or user; "" of root */
    char principal_id[22];  /* of role or user: the principal of now must be the same */
    char session_name[129]; /* of an assumed role */
    struct secret secret;
    uint64_t created_ms, expires_ms;
    bool has_mfa;
    char *policy; /* session policies, as one document; NULL: none */
    struct key_tag tags[KMS_TAGS_MAX];
    size_t tag_count;
};
void identity_session_clear(struct identity_session *session);
/* At most KMS_TAGS_MAX. */
enum rc identity_session_add_tag(struct identity_session *session, const char *key,
                                 const char *value);

/* The token for `access_key`, text, appended. */
enum rc identity_session_seal(const struct vault *vault, const char *access_key,
                              const struct identity_session *session, struct buf *out);
/* RC_TAMPERED for any token that is not one for this access key. Whether it has expired, the caller
 * looks. */
enum rc identity_session_unseal(const struct vault *vault, const char *access_key,
                                const char *token, struct identity_session *out);

#endif
