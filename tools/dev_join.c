/* SPDX-License-Identifier: Apache-2.0 */
/* From daemons to a cluster: the first HSM forms it, the others join with tokens. */
#include <stdio.h>

#include "tools/dev.h"
#include "tools/forming.h"
#include "tools/members.h"

#define SHARES    3U
#define THRESHOLD 2U
#define STEP_MS   20U
#define LEFT_MS   1000U

static enum rc read_file(const struct dev *dev, const char *name, struct buf *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s/%s", dev->dir, name));
    return dev_file_read(buf_str(&path), out);
}

static enum rc write_shares(const struct dev *dev, const Qhsm__ClusterInitReply *reply)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < reply->n_shares; i++)
        TRY(buf_printf(&text, "%s\n", reply->shares[i]));
    TRY(buf_printf(&path, "%s/shares", dev->dir));
    return dev_file_write(buf_str(&path), 0600, buf_bytes(&text));
}

enum rc dev_form(const struct dev *dev)
{
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF pem = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    AUTO_CONNECTION connection = {0};
    TRY(read_file(dev, "ca.pem", &ca));
    TRY(read_file(dev, "ca.key", &pem));
    TRY(secret_from_bytes(&key, buf_bytes(&pem)));
    TRY(dev_zone_open(dev, 0, &connection));
    struct rpc_reply reply = {0};
    enum rc rc = forming_init(&connection, buf_bytes(&ca), &key, THRESHOLD, SHARES, &reply);
    if (rc == RC_OK)
        rc = write_shares(dev, reply.msg->cluster_init);
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

static enum rc make_key(const struct dev *dev, unsigned zone, struct buf *out_spki)
{
    AUTO_BUF path = BUF_INIT;
    OSSL_LIB_CTX *lib = NULL;
    TRY(dev_zone_path(dev, zone, "node.key", &path));
    TRY(tls_library_new(&lib));
    enum rc rc = forming_key(lib, buf_str(&path), out_spki);
    tls_library_free(lib);
    return rc;
}

/* ---- waiting */

/* The HSM of a zone as the others see it: the newest one, when an older was removed. */
static const Qhsm__NodeView *view_of(const Qhsm__ClusterStatusReply *status, unsigned zone)
{
    const Qhsm__NodeView *found = NULL;
    const char name[] = {dev_letter(zone), 0};
    for (size_t i = 0; i < status->n_nodes; i++) {
        const Qhsm__Node *node = status->nodes[i]->node;
        if (strcmp(node->zone, name) == 0 && (found == NULL || node->id > found->node->id))
            found = status->nodes[i];
    }
    return found;
}

/* On the roll, so that zones are numbered in their order. A daemon that ends says why in its log.
 */
static enum rc wait_known(const struct dev *dev, unsigned zone, struct connection *connection)
{
    bool is_known = false;
    while (!is_known && dev_daemon_pid(dev, zone) != 0) {
        struct rpc_reply reply = {0};
        enum rc rc = members_status(connection, &reply);
        const Qhsm__NodeView *view = rc == RC_OK ? view_of(reply.msg->cluster_status, zone) : NULL;
        is_known = view != NULL && view->node->status != NODE_REMOVED &&
                   view->node->status != NODE_ZEROIZED;
        rpc_reply_clear(connection->client, &reply);
        TRY(rc);
        dev_rest_ms(STEP_MS);
    }
    return is_known ? RC_OK : dev_daemon_wait(dev, zone, STEP_MS);
}

static enum rc look_left(unsigned zone, struct connection *connection)
{
    struct rpc_reply reply = {0};
    enum rc rc = members_status(connection, &reply);
    const Qhsm__NodeView *view = rc == RC_OK ? view_of(reply.msg->cluster_status, zone) : NULL;
    if (view != NULL && view->node->status != NODE_REMOVED && view->node->status != NODE_ZEROIZED)
        rc = rc_fail(RC_EXISTS, "HSM %llu of zone %c is %s: qhsm member remove %llu, then again",
                     (unsigned long long)view->node->id, dev_letter(zone),
                     members_status_name(view->node->status), (unsigned long long)view->node->id);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

/* The HSM that is asked may be a moment behind the one that removed it. */
enum rc dev_check_left(const struct dev *dev, unsigned zone, unsigned by)
{
    AUTO_CONNECTION connection = {0};
    TRY(dev_zone_open(dev, by, &connection));
    enum rc rc = look_left(zone, &connection);
    for (unsigned waited = 0; rc == RC_EXISTS && waited < LEFT_MS; waited += STEP_MS) {
        dev_rest_ms(STEP_MS);
        rc = look_left(zone, &connection);
    }
    return rc;
}

enum rc dev_join(const struct dev *dev, unsigned zone, unsigned by)
{
    AUTO_BUF spki = BUF_INIT;
    AUTO_BUF token = BUF_INIT;
    AUTO_BUF state = BUF_INIT;
    AUTO_CONNECTION connection = {0};
    TRY(make_key(dev, zone, &spki));
    TRY(dev_zone_open(dev, by, &connection));
    TRY(forming_token(&connection, buf_bytes(&spki), true, 0, &token));
    TRY(dev_zone_path(dev, zone, "state", &state));
    TRY(forming_ticket(buf_str(&state), buf_str(&token)));
    TRY(dev_daemon_start(dev, zone));
    return wait_known(dev, zone, &connection);
}

static enum rc note_node(const struct dev *dev, unsigned zone, uint64_t id)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(dev_zone_path(dev, zone, "node", &path));
    TRY(buf_printf(&text, "%llu\n", (unsigned long long)id));
    return dev_file_write(buf_str(&path), 0644, buf_bytes(&text));
}

/* All zones of a development cluster vote, unless somebody wanted it otherwise. */
static bool is_settled(const Qhsm__NodeView *view)
{
    const char *health = members_health(view);
    bool counts = strcmp(view->role, "leader") == 0 || strcmp(view->role, "voter") == 0 ||
                  view->node->wanted == NODE_STANDBY;
    return counts && (strcmp(health, "ok") == 0 || strcmp(health, "draining") == 0);
}

/* `missing`: the first zone that is not there yet, or dev->zones. */
static enum rc look(const struct dev *dev, struct connection *connection, unsigned *missing,
                    char why[64])
{
    struct rpc_reply reply = {0};
    enum rc rc = members_status(connection, &reply);
    *missing = 0;
    for (unsigned zone = 0; rc == RC_OK && zone < dev->zones; zone++) {
        const Qhsm__NodeView *view = view_of(reply.msg->cluster_status, zone);
        bool is_there = (view != NULL && is_settled(view)) || dev_daemon_pid(dev, zone) == 0 ||
                        dev_daemon_is_paused(dev, zone);
        if (view != NULL && view->status != NULL)
            rc = note_node(dev, zone, view->node->id);
        if (view != NULL)
            (void)snprintf(why, 64, "%s, %s", view->role, members_health(view));
        *missing = zone;
        if (!is_there)
            break;
        *missing = zone + 1;
    }
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

/* One that runs and is not paused. */
static unsigned live_zone(const struct dev *dev)
{
    unsigned zone = 0;
    while (zone + 1 < dev->zones &&
           (dev_daemon_pid(dev, zone) == 0 || dev_daemon_is_paused(dev, zone)))
        zone++;
    return zone;
}

enum rc dev_wait_members(const struct dev *dev, unsigned timeout_ms)
{
    AUTO_CONNECTION connection = {0};
    TRY(dev_zone_open(dev, live_zone(dev), &connection));
    unsigned missing = 0;
    char why[64] = "not known";
    for (unsigned waited = 0; waited < timeout_ms; waited += STEP_MS) {
        enum rc rc = look(dev, &connection, &missing, why);
        if (rc != RC_OK && rc != RC_NO_QUORUM && rc != RC_NO_LEADER)
            return rc;
        if (rc == RC_OK && missing == dev->zones)
            return RC_OK;
        dev_rest_ms(STEP_MS);
    }
    return rc_fail(RC_DEADLINE, "the HSM of zone %c is %s after %u ms: see %s/zone-%c/qhsmd.log",
                   dev_letter(missing), why, timeout_ms, dev->dir, dev_letter(missing));
}
