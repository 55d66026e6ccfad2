/* SPDX-License-Identifier: Apache-2.0 */
/* The token that holds the keys of a development cluster's KMS, and the user that it logs in as. */
#include <stdio.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "tools/connection.h"
#include "tools/kms_dev.h"

#define PASSWORD_LEN 24U

static enum rc put(const struct kms_dev *kms, const char *file, const char *text)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF line = BUF_INIT;
    TRY(kms_dev_path(kms, file, &path));
    TRY(buf_printf(&line, "%s\n", text));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&line));
}

/* The slot of the token, or 0; and that of the next one that may be made. */
static enum rc find(struct connection *connection, uint64_t *out_slot, uint64_t *out_next)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    struct rpc_reply reply = {0};
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &empty;
    enum rc rc = connection_call(connection, &request, false, &reply);
    const Qhsm__SlotsReply *slots = rc == RC_OK ? reply.msg->slots : NULL;
    *out_slot = 0;
    *out_next = 0;
    for (size_t i = 0; slots != NULL && i < slots->n_slots; i++) {
        const Qhsm__TokenInfo *token = slots->slots[i];
        if (!token->initialized)
            *out_next = token->slot;
        else if (strcmp(token->label, KMS_DEV_TOKEN) == 0)
            *out_slot = token->slot;
    }
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc make_user(struct connection *connection, const char *password)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__UserCreateRequest body = QHSM__USER_CREATE_REQUEST__INIT;
    body.name = (char *)(uintptr_t)KMS_DEV_USER;
    body.pin = pb_bytes(bytes_of_str(password));
    request.body_case = QHSM__REQUEST__BODY_USER_CREATE;
    request.user_create = &body;
    return connection_do(connection, &request, true);
}

static enum rc open_any(const struct dev *dev, struct connection *out)
{
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (dev_daemon_pid(dev, zone) != 0 && !dev_daemon_is_paused(dev, zone))
            return dev_zone_open(dev, zone, out);
    return rc_fail(RC_UNAVAILABLE, "no HSM of %s runs: qhsm dev up --dir %s", dev->dir, dev->dir);
}

static enum rc get(const struct kms_dev *kms, const char *file, char out[PASSWORD_LEN + 1])
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(kms_dev_path(kms, file, &path));
    TRY(dev_file_read(buf_str(&path), &text));
    (void)snprintf(out, PASSWORD_LEN + 1, "%.*s", (int)strcspn(buf_str(&text), "\n"),
                   buf_str(&text));
    return RC_OK;
}

/* The user, with the password that was noted for it; `password` says that it is done. */
static enum rc finish(const struct kms_dev *kms, struct connection *connection)
{
    char so_pin[PASSWORD_LEN + 1], password[PASSWORD_LEN + 1];
    TRY(get(kms, "so-pin", so_pin));
    TRY(get(kms, "password.new", password));
    TRY(connection_login_pin(connection, CKU_SO, NULL, bytes_of_str(so_pin)));
    enum rc rc = make_user(connection, password);
    if (rc != RC_OK && rc != RC_EXISTS)
        return rc;
    TRY(dev_token_patience(kms->dev, connection));
    AUTO_BUF noted = BUF_INIT;
    TRY(put(kms, "password", password));
    TRY(kms_dev_path(kms, "password.new", &noted));
    return dev_remove(buf_str(&noted));
}

/* Both are written down before they are set: a start that breaks off can be repeated. */
static enum rc make(const struct kms_dev *kms, struct connection *connection, uint64_t next)
{
    char so_pin[PASSWORD_LEN + 1], password[PASSWORD_LEN + 1];
    TRY(dev_random_pin(so_pin, PASSWORD_LEN));
    TRY(dev_random_pin(password, PASSWORD_LEN));
    TRY(put(kms, "so-pin", so_pin));
    TRY(put(kms, "password.new", password));
    connection->slot = next;
    TRY(dev_token_init(connection, KMS_DEV_TOKEN, so_pin));
    return finish(kms, connection);
}

enum rc kms_dev_token(const struct kms_dev *kms)
{
    AUTO_CONNECTION connection = {0};
    AUTO_BUF path = BUF_INIT;
    uint64_t slot = 0, next = 0;
    TRY(kms_dev_path(kms, "password", &path));
    TRY(open_any(kms->dev, &connection));
    TRY(find(&connection, &slot, &next));
    if (slot == 0)
        return make(kms, &connection, next);
    connection.slot = slot;
    if (access(buf_str(&path), F_OK) == 0 || finish(kms, &connection) == RC_OK)
        return RC_OK;
    return rc_fail(RC_CONFLICT,
                   "the cluster has a token " KMS_DEV_TOKEN ", and %s, its user's password, is "
                   "not there",
                   buf_str(&path));
}
