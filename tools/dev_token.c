/* SPDX-License-Identifier: Apache-2.0 */
/* The token of a development cluster: random PINs, the default user, and the file to source. */
#include <stdio.h>
#include <sys/random.h>

#include "common/cryptoki.h"
#include "tools/connection.h"
#include "tools/dev.h"

#define PIN_DIGITS 12U

static enum rc random_pin(char out[PIN_DIGITS + 1])
{
    /* No letters that people confuse; 32 of them, so that a byte's low bits choose without bias. */
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t raw[PIN_DIGITS];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return rc_fail(RC_RANDOM, "getrandom failed");
    for (size_t i = 0; i < PIN_DIGITS; i++)
        out[i] = letters[raw[i] & 31];
    out[PIN_DIGITS] = 0;
    return RC_OK;
}

static enum rc init(struct connection *connection, const char *so_pin)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitTokenRequest body = QHSM__INIT_TOKEN_REQUEST__INIT;
    body.slot = connection->slot;
    body.label = (char *)(uintptr_t)DEV_TOKEN_LABEL;
    body.so_pin = pb_bytes(bytes_of_str(so_pin));
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &body;
    return connection_do(connection, &request, true);
}

static enum rc init_user(struct connection *connection, const char *user_pin)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitPinRequest body = QHSM__INIT_PIN_REQUEST__INIT;
    body.pin = pb_bytes(bytes_of_str(user_pin));
    request.body_case = QHSM__REQUEST__BODY_INIT_PIN;
    request.init_pin = &body;
    return connection_do(connection, &request, true);
}

/* export NAME='VALUE', for every shell: a quote ends the quotation, is escaped, and begins it
 * again. */
static enum rc put_export(struct buf *text, const char *name, const char *value)
{
    TRY(buf_printf(text, "export %s='", name));
    for (const char *at = value; *at != 0; at++)
        TRY(*at == '\'' ? buf_printf(text, "'\\''") : buf_printf(text, "%c", *at));
    return buf_printf(text, "'\n");
}

static enum rc write_env(const struct dev *dev, const char *so_pin, const char *user_pin)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF module = BUF_INIT;
    TRY(dev_program(QHSM_INSTALL_MODULE, "p11/libqhsm-pkcs11.so", &module));
    AUTO_BUF conf = BUF_INIT;
    TRY(buf_printf(&conf, "%s/client.conf", dev->dir));
    TRY(put_export(&text, "QHSM_CONF", buf_str(&conf)));
    TRY(put_export(&text, "QHSM_MODULE", buf_str(&module)));
    TRY(put_export(&text, "QHSM_TOKEN", DEV_TOKEN_LABEL));
    TRY(put_export(&text, "QHSM_USER_PIN", user_pin));
    TRY(put_export(&text, "QHSM_SO_PIN", so_pin));
    TRY(buf_printf(&path, "%s/env", dev->dir));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&text));
}

enum rc dev_token(const struct dev *dev)
{
    char so_pin[PIN_DIGITS + 1], user_pin[PIN_DIGITS + 1];
    AUTO_BUF path = BUF_INIT;
    TRY(random_pin(so_pin));
    TRY(random_pin(user_pin));
    TRY(buf_printf(&path, "%s/client.conf", dev->dir));
    struct cli cli = {.config = buf_str(&path), .pin_fd = -1};
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(&cli, &connection));
    connection.slot = 1;
    TRY(init(&connection, so_pin));
    TRY(connection_login_pin(&connection, CKU_SO, NULL, bytes_of_str(so_pin)));
    TRY(init_user(&connection, user_pin));
    return write_env(dev, so_pin, user_pin);
}
