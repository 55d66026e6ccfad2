/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/renewal.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cluster/keyfile.h"
#include "cluster/members.h"
#include "common/log.h"
#include "common/thread.h"
#include "token/crypto_lib.h"

#define BEFORE_S (60 * 86400) /* a month before anybody is warned */
#define LOOK_S   3600

struct renewal {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping, is_wanted;
    int64_t replaced_s; /* when the certificate ended that was replaced last; its own thread's */
};

/* ---- the certificate */

/* What an operator brought along, of another authority or for another key, is his to renew. */
static enum rc check_ours(const struct server_config *config, const struct roll_node *self,
                          struct bytes authority)
{
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF spki = BUF_INIT;
    uint8_t hash[32];
    TRY(keyfile_read(config->cert, &cert));
    TRY(keyfile_read(config->ca, &ca));
    TRY(pki_key_of_cert(crypto_lib(), buf_bytes(&cert), &spki));
    TRY(pki_key_hash(crypto_lib(), buf_bytes(&spki), hash));
    if (!bytes_equal(bytes_of(hash, sizeof hash), bytes_of(self->key_hash, sizeof hash)))
        return rc_fail(RC_CONFLICT, "%s is for another key than the cluster knows of HSM %lu",
                       config->cert, config->node);
    if (!bytes_equal(buf_bytes(&ca), authority))
        return rc_fail(RC_CONFLICT, "%s is not the cluster's own authority alone", config->ca);
    return RC_OK;
}

static enum rc renew(const struct renewal *renewal)
{
    struct service *service = renewal->service;
    const struct server_config *config = service->config;
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    struct roll_node self;
    TRY(roll_node(service->hsm->state, config->node, &self));
    if (self.status != NODE_MEMBER)
        return rc_fail(RC_CONFLICT, "HSM %lu is no member", config->node);
    TRY(members_certify_node(service, &self, &cert, &ca));
    TRY(check_ours(config, &self, buf_bytes(&ca)));
    return keyfile_write(config->cert, buf_bytes(&cert));
}

/* SIGHUP goes to the thread that waits for it, and brings us here again with another date. */
static void look(struct renewal *renewal, bool is_hour)
{
    int64_t expires_s = atomic_load(&renewal->service->certificate_expires_s);
    bool is_soon = expires_s != 0 && expires_s < (int64_t)time(NULL) + BEFORE_S;
    if (!is_soon || (expires_s == renewal->replaced_s && !is_hour))
        return;
    rc_detail_clear();
    enum rc rc = renew(renewal);
    if (rc != RC_OK) {
        log_warn("certificate_not_renewed", "error=%s detail=\"%s\" next=\"%s\"", rc_info(rc)->name,
                 rc_detail(), "put another into its file, then systemctl reload qhsmd");
        return;
    }
    log_info("certificate_renewed", "file=%s days=%u", renewal->service->config->cert,
             MEMBERS_CERTIFICATE_DAYS);
    renewal->replaced_s = expires_s;
    (void)kill(getpid(), SIGHUP);
}

/* ---- the thread */

/* The lock is held. Is it for the hour's sake? */
static bool rest(struct renewal *renewal)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_S;
    int error = 0;
    while (!renewal->is_stopping && !renewal->is_wanted && error == 0)
        error = pthread_cond_timedwait(&renewal->changed, &renewal->lock, &until);
    return !renewal->is_wanted;
}

static void *run(void *context)
{
    struct renewal *renewal = context;
    bool is_hour = true;
    (void)pthread_mutex_lock(&renewal->lock);
    while (!renewal->is_stopping) {
        renewal->is_wanted = false;
        (void)pthread_mutex_unlock(&renewal->lock);
        look(renewal, is_hour);
        (void)pthread_mutex_lock(&renewal->lock);
        is_hour = rest(renewal);
    }
    (void)pthread_mutex_unlock(&renewal->lock);
    return NULL;
}

enum rc renewal_start(struct service *service, struct renewal **out)
{
    struct renewal *renewal = calloc(1, sizeof *renewal);
    if (renewal == NULL)
        return RC_NO_MEMORY;
    renewal->service = service;
    (void)pthread_mutex_init(&renewal->lock, NULL);
    thread_cond_init(&renewal->changed);
    enum rc rc = thread_start(&renewal->thread, "renewal", run, renewal);
    if (rc != RC_OK)
        free(renewal);
    else
        *out = renewal;
    return rc;
}

void renewal_look(struct renewal *renewal)
{
    (void)pthread_mutex_lock(&renewal->lock);
    renewal->is_wanted = true;
    (void)pthread_cond_signal(&renewal->changed);
    (void)pthread_mutex_unlock(&renewal->lock);
}

void renewal_stop(struct renewal *renewal)
{
    if (renewal == NULL)
        return;
    (void)pthread_mutex_lock(&renewal->lock);
    renewal->is_stopping = true;
    (void)pthread_cond_signal(&renewal->changed);
    (void)pthread_mutex_unlock(&renewal->lock);
    (void)pthread_join(renewal->thread, NULL);
    (void)pthread_cond_destroy(&renewal->changed);
    (void)pthread_mutex_destroy(&renewal->lock);
    free(renewal);
}
