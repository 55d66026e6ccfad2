/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the listener, by GnuTLS: certificates that can be replaced while it runs, and mutual TLS,
 * where a caller without the demanded certificate gets no further than the handshake. */
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "kms/server_internal.h"

/* Forward secrecy and AEAD only: XKS Proxy API 1.0.3, "Security considerations". */
const char server_tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-AES-128-CBC:-AES-256-CBC:"
    "-AES-128-CCM:-AES-256-CCM:-SHA1";

struct server_tls {
    _Atomic unsigned refs;
    gnutls_certificate_credentials_t credentials;
    bool is_mutual;
    char subject[SERVER_SUBJECT_MAX]; /* "": any of the CA's */
};

static enum rc load_trust(struct server_tls *tls, const struct kms_config *config)
{
    if (config->client_ca == NULL)
        return RC_OK;
    int count = gnutls_certificate_set_x509_trust_file(tls->credentials, config->client_ca,
                                                       GNUTLS_X509_FMT_PEM);
    if (count <= 0)
        return rc_fail(RC_CONFIG, "client_ca %s: %s", config->client_ca,
                       count == 0 ? "there is no certificate in it" : gnutls_strerror(count));
    tls->is_mutual = true;
    if (config->client_subject == NULL)
        return RC_OK;
    if (strlen(config->client_subject) >= sizeof tls->subject)
        return rc_fail(RC_CONFIG, "client_subject is over %zu characters", sizeof tls->subject - 1);
    memcpy(tls->subject, config->client_subject, strlen(config->client_subject) + 1);
    return RC_OK;
}

static enum rc load(struct server_tls *tls, const struct kms_config *config)
{
    int rv = gnutls_certificate_allocate_credentials(&tls->credentials);
    if (rv < 0)
        return rc_fail(RC_NO_MEMORY, "TLS credentials: %s", gnutls_strerror(rv));
    rv = gnutls_certificate_set_x509_key_file(tls->credentials, config->cert, config->key,
                                              GNUTLS_X509_FMT_PEM);
    if (rv < 0)
        return rc_fail(RC_CONFIG, "cert %s, key %s: %s", config->cert, config->key,
                       gnutls_strerror(rv));
    return load_trust(tls, config);
}

enum rc server_tls_new(const struct kms_config *config, struct server_tls **out)
{
    struct server_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return RC_NO_MEMORY;
    tls->refs = 1;
    enum rc rc = load(tls, config);
    if (rc != RC_OK) {
        server_tls_unref(tls);
        return rc;
    }
    *out = tls;
    return RC_OK;
}

struct server_tls *server_tls_ref(struct server_tls *tls)
{
    atomic_fetch_add(&tls->refs, 1);
    return tls;
}

void server_tls_unref(struct server_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->refs, 1) > 1)
        return;
    if (tls->credentials != NULL)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls);
}

/* ---- the caller's certificate */

/* "" when there is none. */
static void read_subject(gnutls_session_t session, char out[SERVER_SUBJECT_MAX])
{
    unsigned count = 0;
    gnutls_x509_crt_t certificate = NULL;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    size_t len = SERVER_SUBJECT_MAX;
    out[0] = 0;
    if (chain == NULL || count == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return;
    if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) < 0 ||
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &len) <
            0 ||
        strlen(out) != len)
        out[0] = 0;
    gnutls_x509_crt_deinit(certificate);
}

/* In the handshake; anything but 0 ends it. */
static int verify(gnutls_session_t session)
{
    const struct caller *caller = gnutls_session_get_ptr(session);
    char subject[SERVER_SUBJECT_MAX];
    unsigned status = 0;
    char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st demand = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                    .data = (unsigned char *)purpose};
    int rv = gnutls_certificate_verify_peers(session, &demand, 1, &status);
    read_subject(session, subject);
    bool is_named = caller->tls->subject[0] == 0 || strcmp(subject, caller->tls->subject) == 0;
    if (rv == 0 && status == 0 && is_named)
        return 0;
    if (log_admits())
        log_warn("client_certificate_refused", "peer=%s reason=\"%s\"", caller->peer,
                 rv != 0       ? gnutls_strerror(rv)
                 : status != 0 ? "not of client_ca, out of date, or for another purpose"
                               : "its common name is not client_subject");
    return GNUTLS_E_CERTIFICATE_ERROR;
}

void server_tls_attach(struct caller *caller, gnutls_session_t session)
{
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, caller->tls->credentials);
    gnutls_session_set_ptr(session, caller);
    gnutls_certificate_server_set_request(session, caller->tls->is_mutual ? GNUTLS_CERT_REQUIRE
                                                                          : GNUTLS_CERT_IGNORE);
    if (caller->tls->is_mutual)
        gnutls_session_set_verify_function(session, verify);
}

void server_tls_describe(struct caller *caller, gnutls_session_t session)
{
    const char *version = gnutls_protocol_get_name(gnutls_protocol_get_version(session));
    const char *cipher = gnutls_ciphersuite_get(session);
    /* "TLS1.3" as AWS writes it */
    (void)snprintf(caller->tls_version, sizeof caller->tls_version, "TLSv%s",
                   version != NULL && strncmp(version, "TLS", 3) == 0 ? version + 3 : "");
    (void)snprintf(caller->tls_cipher, sizeof caller->tls_cipher, "%s",
                   cipher == NULL ? "" : cipher);
    if (caller->tls->is_mutual)
        read_subject(session, caller->subject);
}
