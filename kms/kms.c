/* SPDX-License-Identifier: Apache-2.0 */
/* The front end put together: one after the other, each on what the ones before offer. */
#include "kms/kms.h"

#include <stdlib.h>

#include "common/log.h"
#include "kms/audit.h"
#include "kms/backing_handles.h"
#include "kms/chores.h"
#include "kms/identity.h"
#include "kms/identity_secrets.h"
#include "kms/secret_file.h"
#include "kms/seed.h"
#include "kms/store.h"
#include "kms/throttle.h"
#include "kms/vault.h"
#include "kms/xks_proxy.h"

#define PROBE_LABEL "probe/login" /* no key's */

static enum rc connect_hsm(struct kms *kms)
{
    const struct hsm_client_config hsm = {.conf = kms->config->hsm_conf,
                                          .token = kms->config->hsm_token,
                                          .user = kms->config->hsm_user};
    AUTO_SECRET password = SECRET_INIT;
    TRY(secret_file_line(kms->config->hsm_password_file, &password));
    TRY(hsm_client_new(&hsm, &kms->hsm));
    return hsm_client_connect(kms->hsm, &password);
}

/* ---- the first administrators */

static bool take_text(struct bytes word, char *out, size_t size)
{
    bool fits = word.len > 0 && word.len < size;
    if (fits) {
        memcpy(out, word.ptr, word.len);
        out[word.len] = 0;
    }
    return fits;
}

static enum rc add_administrator(struct kms *kms, struct bytes line, unsigned number)
{
    const char *path = kms->config->administrators_file;
    char account[KMS_ACCOUNT_LEN + 1];
    char access_key[129];
    AUTO_SECRET value = SECRET_INIT;
    struct bytes first = secret_file_word(&line);
    if (first.len == 0 || first.ptr[0] == '#')
        return RC_OK;
    bool is_well = take_text(first, account, sizeof account) &&
                   take_text(secret_file_word(&line), access_key, sizeof access_key);
    TRY(secret_from_bytes(&value, secret_file_word(&line)));
    if (!is_well || value.len == 0)
        return rc_fail(RC_CONFIG, "%s:%u: want ACCOUNT ACCESS_KEY SECRET", path, number);
    return identity_bootstrap(kms, account, access_key, &value);
}

static enum rc add_administrators(struct kms *kms)
{
    AUTO_SECRET content = SECRET_INIT;
    if (kms->config->administrators_file == NULL)
        return RC_OK;
    TRY(secret_file_read(kms->config->administrators_file, &content));
    struct bytes rest = secret_expose(&content);
    struct bytes line = BYTES_NONE;
    for (unsigned number = 1; secret_file_next(&rest, &line); number++)
        TRY(add_administrator(kms, line, number));
    return RC_OK;
}

/* ---- all parts */

static enum rc start(struct kms *kms)
{
    TRY(connect_hsm(kms));
    TRY(hsm_claim(kms->hsm));
    TRY(view_new(kms->hsm, &kms->view));
    TRY(vault_new(kms->hsm, &kms->vault));
    TRY(backing_handles_new(&kms->handles));
    TRY(throttle_new(kms->config, &kms->throttle));
    TRY(audit_new(kms, &kms->audit));
    TRY(stores_new(kms, &kms->stores));
    TRY(add_administrators(kms));
    if (kms->config->seed_file != NULL)
        TRY(seed_load(kms, kms->config->seed_file));
    if (kms->config->xks_credentials.count > 0)
        TRY(xks_proxy_new(kms, &kms->xks));
    return chores_start(kms, &kms->chores);
}

enum rc kms_new(const struct kms_config *config, struct kms **out)
{
    struct kms *kms = calloc(1, sizeof *kms);
    if (kms == NULL)
        return RC_NO_MEMORY;
    kms->config = config;
    enum rc rc = start(kms);
    if (rc != RC_OK) {
        kms_free(kms);
        return rc;
    }
    *out = kms;
    return RC_OK;
}

void kms_free(struct kms *kms)
{
    if (kms == NULL)
        return;
    if (kms->chores != NULL)
        chores_stop(kms->chores);
    if (kms->xks != NULL)
        xks_proxy_free(kms->xks);
    if (kms->stores != NULL)
        stores_free(kms->stores);
    if (kms->audit != NULL)
        audit_free(kms->audit);
    if (kms->throttle != NULL)
        throttle_free(kms->throttle);
    backing_handles_free(kms->handles);
    identity_secrets_clear();
    vault_free(kms->vault);
    view_free(kms->view);
    hsm_client_free(kms->hsm);
    free(kms);
}

static bool visit_none(void *context, const struct hsm_key *key)
{
    (void)context;
    (void)key;
    return false;
}

/* A password that was changed beside the front end: only when the one at hand was refused, since
 * each wrong try counts. Keys are shown to those alone who are logged in. */
static enum rc reconnect(struct kms *kms, const char *password_file)
{
    AUTO_SECRET password = SECRET_INIT;
    enum rc rc = hsm_find(kms->hsm, PROBE_LABEL, NULL, visit_none, NULL);
    if (rc != RC_PIN_INCORRECT && rc != RC_NOT_LOGGED_IN)
        return RC_OK;
    TRY(secret_file_line(password_file, &password));
    return hsm_client_connect(kms->hsm, &password);
}

enum rc kms_reload(struct kms *kms, const struct kms_config *config)
{
    log_set_level((enum log_level)config->log_level);
    log_reopen();
    TRY(reconnect(kms, config->hsm_password_file));
    if (kms->xks != NULL)
        TRY(xks_proxy_reload(kms->xks, config));
    log_info("reloaded", "file=%s", config->path);
    return RC_OK;
}
