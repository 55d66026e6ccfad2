/* SPDX-License-Identifier: Apache-2.0 */
/* The token of a development cluster: random PINs, the default user, and the file to source. */
#include <stdio.h>
#include <sys/random.h>

#include "common/cryptoki.h"
#include "common/policy_settings.h"
#include "tools/dev.h"
#include "tools/policy_ask.h"

enum rc dev_random_pin(char *out, size_t len)
{
    /* No letters that people confuse; 32 of them, so that a byte's low bits choose without bias. */
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    for (size_t i = 0; i < len; i++) {
        uint8_t raw = 0;
        if (getrandom(&raw, sizeof raw, 0) != (ssize_t)sizeof raw)
            return rc_fail(RC_RANDOM, "getrandom failed");
        out[i] = letters[raw & 31];
    }
    out[len] = 0;
    return RC_OK;
}

enum rc dev_token_init(struct connection *connection, const char *label, const char *so_pin)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitTokenRequest body = QHSM__INIT_TOKEN_REQUEST__INIT;
    body.slot = connection->slot;
    body.label = (char *)(uintptr_t)label;
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

static enum rc put_patience(const struct dev *dev, struct connection *connection, uint64_t epoch)
{
    const struct policy_setting_info *info = policy_setting_find(POLICY_SERVE_WITHOUT_LEADER_S);
    Qhsm__PolicySetRequest change = QHSM__POLICY_SET_REQUEST__INIT;
    Qhsm__PolicySetting setting = QHSM__POLICY_SETTING__INIT;
    Qhsm__PolicySetting *settings[] = {&setting};
    struct rpc_reply reply = {0};
    setting.setting = (uint32_t)info->setting;
    setting.value = info->initial * dev->patience;
    change.epoch = epoch;
    change.changes = settings;
    change.n_changes = 1;
    enum rc rc = policy_change(connection, &change, &reply);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

enum rc dev_token_patience(const struct dev *dev, struct connection *connection)
{
    struct rpc_reply reply = {0};
    if (dev->patience == 1)
        return RC_OK;
    enum rc rc = policy_ask(connection, &reply);
    if (rc == RC_OK)
        rc = put_patience(dev, connection, reply.msg->policy->epoch);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

/* export NAME='VALUE', for every shell: a quote ends the quotation, is escaped, and begins it
 * again. */
enum rc dev_put_export(struct buf *text, const char *name, const char *value)
{
    TRY(buf_printf(text, "export %s='", name));
    for (const char *at = value; *at != 0; at++)
        TRY(*at == '\'' ? buf_printf(text, "'\\''") : buf_printf(text, "%c", *at));
    return buf_printf(text, "'\n");
}

/* To be sourced: programs that use all zones. */
static enum rc write_env(const struct dev *dev, const char *so_pin, const char *user_pin)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF module = BUF_INIT;
    AUTO_BUF conf = BUF_INIT;
    TRY(dev_program(QHSM_INSTALL_MODULE, "p11/libqhsm-pkcs11.so", &module));
    TRY(buf_printf(&conf, "%s/client.conf", dev->dir));
    TRY(dev_put_export(&text, "QHSM_CONF", buf_str(&conf)));
    TRY(dev_put_export(&text, "QHSM_MODULE", buf_str(&module)));
    TRY(dev_put_export(&text, "QHSM_TOKEN", DEV_TOKEN_LABEL));
    TRY(dev_put_export(&text, "QHSM_USER_PIN", user_pin));
    TRY(dev_put_export(&text, "QHSM_SO_PIN", so_pin));
    TRY(buf_printf(&path, "%s/env", dev->dir));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&text));
}

/* As DIR/env, but for its first line: the client configuration that knows this zone alone. */
enum rc dev_zone_env(const struct dev *dev, unsigned zone)
{
    AUTO_BUF all = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF conf = BUF_INIT;
    TRY(buf_printf(&path, "%s/env", dev->dir));
    TRY(dev_file_read(buf_str(&path), &all));
    const char *rest = strstr(buf_str(&all), "export QHSM_MODULE=");
    if (rest == NULL)
        return rc_fail(RC_CONFIG, "%s is not of qhsm dev up", buf_str(&path));
    TRY(dev_zone_path(dev, zone, "client.conf", &conf));
    TRY(dev_put_export(&text, "QHSM_CONF", buf_str(&conf)));
    TRY(buf_printf(&text, "%s", rest));
    TRY(buf_printf(&path, ".%c", dev_letter(zone)));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&text));
}

/* What is not there was not wanted. */
static enum rc renew_module(const char *path, const char *module)
{
    AUTO_BUF old = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    enum rc rc = dev_file_read(path, &old);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    const char *begin = strstr(buf_str(&old), "export QHSM_MODULE=");
    const char *end = begin == NULL ? NULL : strchr(begin, '\n');
    if (end == NULL)
        return rc_fail(RC_CONFIG, "%s is not of qhsm dev up", path);
    TRY(buf_append(&text, bytes_of(old.ptr, (size_t)(begin - buf_str(&old)))));
    TRY(dev_put_export(&text, "QHSM_MODULE", module));
    TRY(buf_printf(&text, "%s", end + 1));
    return dev_file_write(path, 0600, buf_bytes(&text));
}

enum rc dev_renew_env(const struct dev *dev)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF module = BUF_INIT;
    TRY(dev_program(QHSM_INSTALL_MODULE, "p11/libqhsm-pkcs11.so", &module));
    TRY(buf_printf(&path, "%s/env", dev->dir));
    TRY(renew_module(buf_str(&path), buf_str(&module)));
    size_t len = path.len;
    for (unsigned zone = 0; zone < dev->zones; zone++) {
        TRY(buf_resize(&path, len));
        TRY(buf_printf(&path, ".%c", dev_letter(zone)));
        TRY(renew_module(buf_str(&path), buf_str(&module)));
    }
    return RC_OK;
}

enum rc dev_token(const struct dev *dev)
{
    char so_pin[DEV_PIN_LEN + 1], user_pin[DEV_PIN_LEN + 1];
    TRY(dev_random_pin(so_pin, DEV_PIN_LEN));
    TRY(dev_random_pin(user_pin, DEV_PIN_LEN));
    AUTO_CONNECTION connection = {0};
    TRY(dev_zone_open(dev, 0, &connection));
    connection.slot = 1;
    TRY(dev_token_init(&connection, DEV_TOKEN_LABEL, so_pin));
    TRY(connection_login_pin(&connection, CKU_SO, NULL, bytes_of_str(so_pin)));
    TRY(init_user(&connection, user_pin));
    TRY(dev_token_patience(dev, &connection));
    TRY(write_env(dev, so_pin, user_pin));
    for (unsigned zone = 0; zone < dev->zones; zone++)
        TRY(dev_zone_env(dev, zone));
    return RC_OK;
}
