/* SPDX-License-Identifier: Apache-2.0 */
/* The external key store proxy API 1.0.3, as both sides of it see it: limits, errors, and how what
 * is authenticated is put together. Source: AWS KMS External Key Store Proxy API Specification. */
#ifndef QHSM_KMS_XKS_H
#define QHSM_KMS_XKS_H

#include "common/buf.h"
#include "kms/error.h"
#include "kms/hash.h"

#define XKS_SERVICE        "kms-xks-proxy"
#define XKS_API_PATH       "/kms/xks/v1"
#define XKS_KEY_ID_MAX     128U
#define XKS_URI_MAX        256U
#define XKS_TEXT_MAX       4300U /* plaintext and ciphertext */
#define XKS_AAD_MAX        8192U
#define XKS_METADATA_MAX   20U
#define XKS_TAG_LEN        16U
#define XKS_IV_LEN         12U
#define XKS_IV_LONG_LEN    16U
#define XKS_ACCESS_KEY_MIN 20U
#define XKS_ACCESS_KEY_MAX 30U
#define XKS_SECRET_MIN     43U
#define XKS_SECRET_MAX     64U
#define XKS_MESSAGE_MAX    511U /* of errorMessage */
#define XKS_FLEET_MAX      10U

enum [[nodiscard]] xks_error{
    XKS_OK,
#define XKS_ERROR(symbol, name, status, store, create_key, code, text) XKS_E_##symbol,
#include "kms/xks_errors.def"
#undef XKS_ERROR
    XKS_ERROR_END,
};

struct xks_error_row {
    const char *name;
    unsigned status;
    enum kms_error store;      /* of Create- and UpdateCustomKeyStore */
    enum kms_error create_key; /* of CreateKey */
    const char *code;          /* ConnectionErrorCode */
    const char *text;
};
const struct xks_error_row *xks_error_row(enum xks_error error);
/* By errorName; XKS_E_MALFORMED for a name that the API does not have. */
enum xks_error xks_error_by_name(const char *name);

/* What an encryption gives. Views. */
struct xks_sealed {
    struct bytes metadata;
    struct bytes iv;
    struct bytes text;
    struct bytes tag;
};
/* The AAD of the key manager: u16 length of aad (big-endian), aad, u8 length of metadata, metadata.
 * RC_TOO_LARGE. Appends. */
enum rc xks_aad_join(struct bytes aad, struct bytes metadata, struct buf *out);
/* CiphertextDataIntegrityValue: SHA-256 of aad, metadata, IV, ciphertext and tag. */
enum rc xks_aad_cdiv(struct bytes aad, const struct xks_sealed *sealed, uint8_t out[HASH_LEN]);

/* What the other side says, for a log's quotes: printable ASCII without quotes, cut at size. NULL:
 * "". */
void xks_print(const char *text, char *out, size_t size);

/* An externalKeyId: 1 to 128 of A-Z a-z 0-9 - . _ */
bool xks_is_key_id(const char *text, size_t len);
bool xks_is_access_key(const char *text);
bool xks_is_secret(const char *text, size_t len);

#endif
