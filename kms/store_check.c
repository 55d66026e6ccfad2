/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of clusters, in AWS's terms. */
#include "kms/store_check.h"

#include <ctype.h>

#include "common/log.h"
#include "kms/store_link.h"

#define ZONES_LEAST 2U

static bool is_new_zone(const struct hsm_health *health, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (health->hsms[i].active && strcmp(health->hsms[i].zone, health->hsms[index].zone) == 0)
            return false;
    }
    return true;
}

size_t store_check_zones(const struct hsm_health *health)
{
    size_t count = 0;
    for (size_t i = 0; i < health->count; i++)
        count += health->hsms[i].active && is_new_zone(health, i);
    return count;
}

/* The base64 between the first BEGIN and its END, without white space. */
static enum rc certificate_body(const char *pem, struct buf *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char *at = strstr(pem, begin);
    const char *end = at == NULL ? NULL : strstr(at, "-----END CERTIFICATE-----");
    if (end == NULL)
        return RC_NOT_FOUND;
    for (at += sizeof begin - 1; at < end; at++) {
        if (!isspace((unsigned char)*at))
            TRY(buf_put_u8(out, (uint8_t)*at));
    }
    return out->len > 0 ? RC_OK : RC_NOT_FOUND;
}

bool store_check_anchor(const char *pem, struct bytes other)
{
    AUTO_BUF text = BUF_INIT;
    AUTO_BUF left = BUF_INIT;
    AUTO_BUF right = BUF_INIT;
    return buf_append(&text, other) == RC_OK && certificate_body(pem, &left) == RC_OK &&
           certificate_body(buf_str(&text), &right) == RC_OK &&
           bytes_equal(buf_bytes(&left), buf_bytes(&right));
}

bool store_check_related(const struct kms_config *config, const char *cluster_id,
                         const char *anchor, struct bytes ca)
{
    bool is_related = store_check_anchor(anchor, ca);
    for (size_t i = 0; i < config->former_ca_count && !is_related; i++)
        is_related = strcmp(config->former_cas[i].cluster_id, cluster_id) == 0 &&
                     store_check_anchor(anchor, bytes_of_str(config->former_cas[i].pem));
    return is_related;
}

static enum kms_error fail_zones(const char *cluster_id, size_t zones)
{
    return kms_fail(KMS_HSM_CLUSTER_INVALID_CONFIGURATION,
                    "The AWS CloudHSM cluster %s must contain at least two active HSMs in "
                    "different Availability Zones; it has them in %zu.",
                    cluster_id, zones);
}

static enum kms_error check_health(const struct kms_config *config, const char *cluster_id,
                                   const char *anchor, const struct hsm_health *health,
                                   enum kms_error wrong_anchor)
{
    if (!store_check_related(config, cluster_id, anchor, buf_bytes(&health->ca_pem)))
        return wrong_anchor == KMS_HSM_CLUSTER_NOT_RELATED
                   ? kms_fail(wrong_anchor,
                              "The AWS CloudHSM cluster %s has another cluster certificate than "
                              "the original cluster of this custom key store.",
                              cluster_id)
                   : kms_fail(wrong_anchor,
                              "The trust anchor certificate in the request is not the trust "
                              "anchor certificate of the AWS CloudHSM cluster %s.",
                              cluster_id);
    size_t zones = store_check_zones(health);
    return zones >= ZONES_LEAST ? KMS_OK : fail_zones(cluster_id, zones);
}

/* kmsuser of KMS's own token would get a password that KMS's configuration does not have. */
static enum kms_error check_not_own(const struct kms *kms, const struct kms_cluster *cluster,
                                    const struct hsm_health *health)
{
    uint8_t own[16];
    hsm_client_cluster(kms->hsm, own);
    if (!bytes_equal(bytes_of(own, sizeof own), bytes_of(health->cluster, sizeof own)) ||
        strcmp(cluster->token, kms->config->hsm_token) != 0)
        return KMS_OK;
    return kms_fail(
        KMS_HSM_CLUSTER_INVALID_CONFIGURATION,
        "The AWS CloudHSM cluster %s is the token %s, where AWS KMS keeps its own keys.",
        cluster->id, cluster->token);
}

enum kms_error store_check_cluster(const struct kms *kms, const char *cluster_id,
                                   const char *anchor, enum kms_error wrong_anchor)
{
    struct hsm_client *client = NULL;
    struct hsm_health health = {.ca_pem = BUF_INIT};
    if (kms_config_cluster(kms->config, cluster_id) == NULL)
        return kms_fail(KMS_HSM_CLUSTER_NOT_FOUND,
                        "AWS KMS cannot find the AWS CloudHSM cluster with the specified cluster "
                        "ID: %s",
                        cluster_id);
    enum rc rc = store_link_client(kms, cluster_id, &client);
    if (rc == RC_OK)
        rc = hsm_health(client, &health);
    hsm_client_free(client);
    if (rc != RC_OK) {
        log_warn("store_cluster_refused", "cluster=%s error=%s detail=\"%s\"", cluster_id,
                 rc_info(rc)->name, rc_detail());
        return kms_fail(KMS_HSM_CLUSTER_NOT_ACTIVE, "The AWS CloudHSM cluster %s is not active.",
                        cluster_id);
    }
    enum kms_error error = check_not_own(kms, kms_config_cluster(kms->config, cluster_id), &health);
    if (error == KMS_OK)
        error = check_health(kms->config, cluster_id, anchor, &health, wrong_anchor);
    hsm_health_clear(&health);
    return error;
}

enum kms_error store_check_hsms(struct hsm_client *client, const char *cluster_id)
{
    struct hsm_health health = {.ca_pem = BUF_INIT};
    enum rc rc = hsm_health(client, &health);
    if (rc != RC_OK)
        return kms_from_rc(rc);
    size_t zones = store_check_zones(&health);
    hsm_health_clear(&health);
    return zones >= ZONES_LEAST ? KMS_OK : fail_zones(cluster_id, zones);
}
