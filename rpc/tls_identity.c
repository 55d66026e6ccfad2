/* SPDX-License-Identifier: Apache-2.0 */
/* Who a certificate speaks for: the SAN URI qhsm:CLUSTER-UUID/ROLE/NAME. */
#include <openssl/x509v3.h>
#include <time.h>

#include "rpc/tls.h"

#define SCHEME   "qhsm:"
#define UUID_LEN 36U

static const char *const role_names[] = {
    [TLS_ROLE_NONE] = "none",   [TLS_ROLE_NODE] = "node",         [TLS_ROLE_CLIENT] = "client",
    [TLS_ROLE_ADMIN] = "admin", [TLS_ROLE_KEYSTORE] = "keystore", [TLS_ROLE_JOINER] = "joiner",
};

const char *tls_role_name(enum tls_role role)
{
    return (size_t)role < sizeof role_names / sizeof role_names[0] ? role_names[role] : "none";
}

static bool is_uuid(struct bytes text)
{
    if (text.len != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++) {
        uint8_t c = text.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}

static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return text.len > 0 && text.len < sizeof((struct tls_identity *)NULL)->name;
}

static enum tls_role role_of(struct bytes text)
{
    for (size_t i = TLS_ROLE_NODE; i < sizeof role_names / sizeof role_names[0]; i++)
        if (bytes_equal(text, bytes_of_str(role_names[i])))
            return (enum tls_role)i;
    return TLS_ROLE_NONE;
}

/* Takes what stands before the next slash; everything when there is none. */
static struct bytes part_take(struct bytes *rest)
{
    const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - rest->ptr) : rest->len;
    struct bytes part = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, len + (slash != NULL ? 1 : 0), rest->len);
    return part;
}

static bool is_ours(struct bytes uri)
{
    return bytes_equal(bytes_slice(uri, 0, sizeof SCHEME - 1), bytes_of_str(SCHEME));
}

enum rc tls_identity_parse(struct bytes uri, struct tls_identity *out)
{
    if (!is_ours(uri))
        return rc_fail(RC_TLS, "not a SAN URI of the form qhsm:CLUSTER-UUID/ROLE/NAME");
    struct bytes rest = bytes_slice(uri, sizeof SCHEME - 1, uri.len);
    struct bytes cluster = part_take(&rest);
    struct bytes role = part_take(&rest);
    struct tls_identity identity = {.role = role_of(role)};
    if (!is_uuid(cluster) || identity.role == TLS_ROLE_NONE || !is_name(rest))
        return rc_fail(RC_TLS, "malformed SAN URI: qhsm:CLUSTER-UUID/ROLE/NAME is asked, with role "
                               "node, client, admin, keystore or joiner");
    memcpy(identity.cluster, cluster.ptr, cluster.len);
    memcpy(identity.name, rest.ptr, rest.len);
    *out = identity;
    return RC_OK;
}

static struct bytes uri_of(const GENERAL_NAME *name)
{
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type != GEN_URI || ASN1_STRING_length(value) <= 0)
        return BYTES_NONE;
    return bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

static enum rc identity_of_names(const GENERAL_NAMES *names, struct tls_identity *out)
{
    struct bytes found = BYTES_NONE;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        struct bytes uri = uri_of(sk_GENERAL_NAME_value(names, i));
        if (!is_ours(uri))
            continue;
        if (found.len > 0)
            return rc_fail(RC_TLS, "the certificate has more than one SAN URI qhsm:...");
        found = uri;
    }
    return tls_identity_parse(found, out);
}

static enum rc identity_of(const X509 *cert, struct tls_identity *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    if (names == NULL)
        return rc_fail(RC_TLS, "the certificate has no SAN URI qhsm:CLUSTER-UUID/ROLE/NAME");
    struct tls_identity identity;
    enum rc rc = identity_of_names(names, &identity);
    GENERAL_NAMES_free(names);
    TRY(rc);
    struct tm end = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) != 1)
        return rc_fail(RC_TLS, "the certificate's end of validity cannot be read");
    identity.expires_s = timegm(&end);
    *out = identity;
    return RC_OK;
}

enum rc tls_peer_identity(const SSL *ssl, struct tls_identity *out)
{
    const X509 *cert = SSL_get0_peer_certificate(ssl);
    return cert != NULL ? identity_of(cert, out) : rc_fail(RC_TLS, "the peer has no certificate");
}

enum rc tls_own_identity(const SSL_CTX *ctx, struct tls_identity *out)
{
    const X509 *cert = SSL_CTX_get0_certificate(ctx);
    return cert != NULL ? identity_of(cert, out) : rc_fail(RC_TLS, "no certificate is loaded");
}
