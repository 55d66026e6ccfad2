/* SPDX-License-Identifier: Apache-2.0 */
/* DeriveSharedSecret: ECDH (SP 800-56A 5.7.1.2), the x coordinate as it is. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "kms/backing.h"
#include "kms/crypto.h"
#include "kms/digest.h"
#include "kms/operations.h"

static EVP_PKEY *public_key(struct bytes der)
{
    const unsigned char *at = der.ptr;
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &at, (long)der.len, digest_lib(), NULL);
    if (key != NULL && at == der.ptr + der.len)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* A point of the key's own curve: said here, where the caller can be told. */
static bool is_fit(const struct key *key, struct bytes peer)
{
    EVP_PKEY *own = public_key(buf_bytes(&key->public_der));
    EVP_PKEY *other = public_key(peer);
    EVP_PKEY_CTX *ctx =
        other == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(digest_lib(), other, NULL);
    bool fit = own != NULL && ctx != NULL && EVP_PKEY_parameters_eq(own, other) == 1 &&
               EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    ERR_clear_error();
    return fit;
}

enum kms_error op_derive_shared_secret(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    const struct keystore_algorithm_row *algorithm = NULL;
    KMS_TRY(crypto_check_recipient(request));
    KMS_TRY(crypto_algorithm(request, "KeyAgreementAlgorithm", NULL, request->key, &algorithm));
    AUTO_BUF peer = BUF_INIT;
    KMS_TRY(kms_from_rc(request_blob(request, "PublicKey", &peer)));
    if (!is_fit(key, buf_bytes(&peer)))
        return kms_fail(KMS_VALIDATION, "The public key is not valid for key spec %s.",
                        keystore_spec(key->spec)->name);
    AUTO_SECRET shared = SECRET_INIT;
    KMS_TRY(backing_agree(request, request->key, buf_bytes(&peer), &shared));
    KMS_TRY(crypto_answer_secret(request, "SharedSecret", &shared));
    KMS_TRY(kms_from_rc(request_put_string(request, "KeyAgreementAlgorithm", algorithm->name)));
    KMS_TRY(kms_from_rc(request_put_string(request, "KeyOrigin", key_origin_name(key->origin))));
    return crypto_answer_key(request, "KeyId", request->key);
}
