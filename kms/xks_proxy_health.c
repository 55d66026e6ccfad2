/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's health, its quota, and what errors of the HSM are to its clients. */
#include <stdio.h>

#include "common/log.h"
#include "kms/xks_proxy_internal.h"
#include "kms/xks_proxy_json.h"

#define HEALTH_KEPT_MS 10000U /* the API: at most a minute */
#define MODEL          "qhsm-kms " QHSM_VERSION " (emulator)"

enum xks_error xks_proxy_error(enum rc rc)
{
    switch ((int)rc) {
    case RC_OK:
        return XKS_OK;
    case RC_NOT_FOUND:
    case RC_OBJECT_HANDLE:
    case RC_KEY_HANDLE:
        return XKS_E_KEY_NOT_FOUND;
    case RC_ENCRYPTED_DATA:
    case RC_ENCRYPTED_DATA_LEN:
    case RC_AEAD_FAILED:
        return XKS_E_INVALID_CIPHERTEXT;
    case RC_KEY_FUNCTION:
    case RC_ACTION_PROHIBITED:
    case RC_KEY_TYPE:
        return XKS_E_INVALID_KEY_USAGE;
    case RC_KEY_DATE:
    case RC_KEY_EXHAUSTED:
        return XKS_E_INVALID_STATE;
    case RC_NOT_PERMITTED:
        return XKS_E_ACCESS_DENIED;
    case RC_OVERLOADED:
    case RC_LIMIT:
        return XKS_E_THROTTLING;
    case RC_TOO_LARGE:
    case RC_UNSUPPORTED:
        return XKS_E_UNSUPPORTED;
    case RC_UNAVAILABLE:
    case RC_DEADLINE:
    case RC_NO_QUORUM:
    case RC_NO_LEADER:
    case RC_DRAINING:
    case RC_TLS:
        return XKS_E_DEPENDENCY_TIMEOUT;
    default:
        return XKS_E_INTERNAL;
    }
}

/* ---- health; health_lock is held */

/* Deep: HSMs are asked for their state, and for random bytes of the logged-in user. */
static enum rc ask(struct xks_proxy *proxy, struct hsm_health *out)
{
    AUTO_SECRET bytes = SECRET_INIT;
    TRY(hsm_random(proxy->kms->hsm, 0, 16, &bytes));
    return hsm_health(proxy->kms->hsm, out);
}

static enum rc refresh(struct xks_proxy *proxy)
{
    struct hsm_health fresh = {.ca_pem = BUF_INIT};
    uint64_t now = xks_proxy_now_ms();
    if (proxy->is_healthy && now < proxy->health_ms + HEALTH_KEPT_MS)
        return RC_OK;
    enum rc rc = ask(proxy, &fresh);
    proxy->is_healthy = rc == RC_OK;
    proxy->health_ms = now;
    if (rc != RC_OK)
        return rc;
    hsm_health_clear(&proxy->health);
    proxy->health = fresh;
    return RC_OK;
}

static json_t *describe_hsm(const struct hsm_health *health, size_t index)
{
    char id[64];
    (void)snprintf(id, sizeof id, "hsm-%llu-%s", (unsigned long long)health->hsms[index].node,
                   health->hsms[index].zone);
    const char *state = !health->hsms[index].active ? "UNAVAILABLE"
                        : health->has_quorum        ? "ACTIVE"
                                                    : "DEGRADED";
    return json_pack("{s:s,s:s,s:s}", "id", id, "model", MODEL, "healthStatus", state);
}

static json_t *describe(const struct hsm_health *health)
{
    json_t *fleet = json_array();
    for (size_t i = 0; i < health->count && i < XKS_FLEET_MAX; i++)
        (void)json_array_append_new(fleet, describe_hsm(health, i));
    return json_pack("{s:i,s:s,s:s,s:s,s:o}", "xksProxyFleetSize", 1, "xksProxyVendor", "QuorumHSM",
                     "xksProxyModel", MODEL, "ekmVendor", "QuorumHSM", "ekmFleetDetails", fleet);
}

void xks_proxy_health(struct xks_proxy *proxy, struct http_answer *answer)
{
    (void)pthread_mutex_lock(&proxy->health_lock);
    enum rc rc = refresh(proxy);
    json_t *json = rc == RC_OK ? describe(&proxy->health) : NULL;
    (void)pthread_mutex_unlock(&proxy->health_lock);
    if (rc == RC_OK) {
        xks_answer_put(json, 200, answer);
        return;
    }
    log_warn("xks_unhealthy", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
    xks_answer_put_error(xks_proxy_error(rc), "no HSM answered", answer);
}

bool xks_proxy_take_permit(struct xks_proxy *proxy)
{
    double quota = (double)proxy->kms->config->quota_store;
    if (!proxy->kms->config->throttle || quota < 1.0)
        return true;
    (void)pthread_mutex_lock(&proxy->health_lock);
    uint64_t now = xks_proxy_now_ms();
    proxy->permits += (double)(now - proxy->permits_ms) * quota / 1000.0;
    proxy->permits_ms = now;
    if (proxy->permits > quota)
        proxy->permits = quota;
    bool is_given = proxy->permits >= 1.0;
    if (is_given)
        proxy->permits -= 1.0;
    (void)pthread_mutex_unlock(&proxy->health_lock);
    return is_given;
}
