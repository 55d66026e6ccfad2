/* SPDX-License-Identifier: Apache-2.0 */
/* The client's TLS context, and the BIO between libssl and the connection. */
#include "rpc/client_tls.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "rpc/client_io.h"

static int bio_read(BIO *bio, char *out, size_t cap, size_t *out_len)
{
    struct client_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return client_io_receive(conn, out, cap, out_len) ? 1 : 0;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *out_len)
{
    struct client_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!client_io_send(conn, data, len))
        return 0;
    *out_len = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static enum rc fill(struct client_tls *tls, const struct client_config *config)
{
    tls->peer = config->peer;
    TRY(tls_library_new(&tls->lib));
    struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&config->ca_pem),
        .cert_pem = buf_bytes(&config->cert_pem),
        .key_pem = &config->key_pem,
    };
    TRY(tls_client_new(tls->lib, &credentials, &tls->ctx));
    TRY(tls_own_identity(tls->ctx, &tls->own));
    /* No number from BIO_get_new_index(): a process has only about a hundred of them. */
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "qhsm connection");
    if (tls->method == NULL || BIO_meth_set_read_ex(tls->method, bio_read) != 1 ||
        BIO_meth_set_write_ex(tls->method, bio_write) != 1 ||
        BIO_meth_set_ctrl(tls->method, bio_ctrl) != 1)
        return RC_NO_MEMORY;
    return RC_OK;
}

enum rc client_tls_new(const struct client_config *config, struct client_tls **out)
{
    struct client_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return RC_NO_MEMORY;
    (void)ERR_set_mark();
    enum rc rc = fill(tls, config);
    (void)ERR_pop_to_mark();
    if (rc != RC_OK) {
        client_tls_free(tls);
        return rc;
    }
    *out = tls;
    return RC_OK;
}

void client_tls_free(struct client_tls *tls)
{
    if (tls == NULL)
        return;
    if (!tls_library_gone()) {
        BIO_meth_free(tls->method);
        SSL_CTX_free(tls->ctx);
        tls_library_free(tls->lib);
    }
    free(tls);
}
