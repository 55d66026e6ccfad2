/* SPDX-License-Identifier: Apache-2.0 */
/* The key store service of three HSMs: the same on each, and what is left when zones are gone. */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tests/unit/cluster/keystore_fixture.h"
#include "tests/unit/cluster/trio.h"
#include "tests/unit/unit.h"

static struct trio trio;
static struct client_config configs[TRIO_COUNT];
static struct front fronts[TRIO_COUNT];

/* A front end that asks HSM i alone. */
static void open_front(unsigned i)
{
    static const char *const names[] = {"kms-a", "kms-b", "kms-c"};
    uint8_t application[16];
    fronts[i] = (struct front){.ticket = BUF_INIT};
    trio_client_config(&trio, i, TLS_ROLE_KEYSTORE, names[i], &configs[i]);
    CU_ASSERT(getrandom(application, sizeof application, 0) == sizeof application);
    UNIT_OK(rpc_client_new(&configs[i], "unit test", application, &fronts[i].client));
    UNIT_OK(front_connect(&fronts[i], KEYSTORE_TOKEN, DEFAULT_USER_NAME, HARNESS_USER_PIN));
}

static void close_front(unsigned i)
{
    rpc_reply_clear(fronts[i].client, &fronts[i].reply);
    rpc_client_free(fronts[i].client);
    trio_client_config_clear(&configs[i]);
    buf_clear(&fronts[i].ticket);
}

static void open_fronts(void)
{
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        open_front(i);
}

static void begin(void)
{
    trio_begin(&trio);
    open_fronts();
}

static void end(void)
{
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        close_front(i);
    (void)trio_end(&trio);
}

static enum rc encrypt(struct front *front, uint64_t key, struct buf *out)
{
    const struct front_encrypt in = {
        .key = key, .algorithm = KEYSTORE_GCM, .plain = bytes_of_str("text")};
    return front_encrypt(front, &in, out);
}

static uint64_t view_of(struct front *front)
{
    UNIT_OK(front_documents(front, 0, ""));
    CU_ASSERT_EQUAL(front->reply.msg->keystore_documents->n_documents, 1);
    return front->reply.msg->keystore_documents->index;
}

static void keys_documents_and_views_are_the_clusters(void)
{
    uint64_t key = 0;
    AUTO_BUF sealed = BUF_INIT, plain = BUF_INIT;
    begin();
    UNIT_OK(front_create(&fronts[0], KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "k", &key));
    UNIT_OK(encrypt(&fronts[0], key, &sealed));
    const struct front_change made = {"key/a", 0, "{}"}, changed = {"key/a", 1, "{}"};
    UNIT_OK(front_change(&fronts[1], &made, 1));
    uint64_t view = view_of(&fronts[1]);
    for (unsigned i = 0; i < TRIO_COUNT; i++) { /* who is behind catches up with the view */
        buf_clear(&plain);
        fronts[i].view = view;
        UNIT_OK(
            front_decrypt(&fronts[i], key, KEYSTORE_GCM, BYTES_NONE, buf_bytes(&sealed), &plain));
        CU_ASSERT_STRING_EQUAL(buf_str(&plain), "text");
        fronts[i].view = 0;
    }
    UNIT_RC(front_change(&fronts[2], &made, 1), RC_CONFLICT);
    UNIT_OK(front_change(&fronts[2], &changed, 1));
    CU_ASSERT(trio_settle(&trio));
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        fronts[i].view = view;
        UNIT_RC(encrypt(&fronts[i], key, &sealed), RC_VIEW_OLD);
        fronts[i].view = 0;
        fronts[i].view = view_of(&fronts[i]);
        UNIT_OK(encrypt(&fronts[i], key, &sealed));
    }
    end();
}

struct health {
    size_t hsms, active;
    bool has_quorum;
    char zones[TRIO_COUNT + 1];
};

static struct health health_of(struct front *front)
{
    struct health health = {.hsms = 0};
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    if (front_call(front, &request, false) != RC_OK)
        return health;
    const Qhsm__KeystoreHealthReply *reply = front->reply.msg->keystore_health;
    health.hsms = reply->n_hsms;
    health.has_quorum = reply->has_quorum;
    CU_ASSERT(bytes_equal(bytes_of(reply->ca_pem.data, reply->ca_pem.len), buf_bytes(&trio.ca)));
    for (size_t i = 0; i < reply->n_hsms && i < TRIO_COUNT; i++) {
        health.active += reply->hsms[i]->active ? 1 : 0;
        health.zones[i] = reply->hsms[i]->zone[0];
    }
    return health;
}

static bool awaits(unsigned node, size_t active, bool has_quorum)
{
    uint64_t limit = trio_now_ms() + TRIO_WAIT_MS;
    while (trio_now_ms() < limit) {
        struct health health = health_of(&fronts[node]);
        if (health.active == active && health.has_quorum == has_quorum)
            return true;
        (void)usleep(50000);
    }
    return false;
}

/* A busy machine may lose a leader that is soon replaced. */
static enum rc create_under_some_leader(const char *label, uint64_t *out_key)
{
    uint64_t limit = trio_now_ms() + TRIO_WAIT_MS;
    enum rc rc = RC_NO_QUORUM;
    while (rc == RC_NO_QUORUM && trio_now_ms() < limit)
        rc = front_create(&fronts[0], KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, label, out_key);
    return rc;
}

static void health_tells_lost_zones_and_a_lost_quorum(void)
{
    uint64_t key = 0, other = 0;
    AUTO_BUF sealed = BUF_INIT;
    trio_begin_hasty(&trio);
    open_fronts();
    UNIT_OK(create_under_some_leader("k", &key));
    CU_ASSERT(awaits(0, 3, true));
    struct health health = health_of(&fronts[0]);
    CU_ASSERT_EQUAL(health.hsms, 3);
    CU_ASSERT_STRING_EQUAL(health.zones, "abc");
    trio_kill(&trio, 2);
    CU_ASSERT(awaits(0, 2, true));
    CU_ASSERT_EQUAL(health_of(&fronts[0]).hsms, 3);
    UNIT_OK(create_under_some_leader("l", &other));
    trio_kill(&trio, 1);
    UNIT_OK(encrypt(&fronts[0], key, &sealed)); /* as long as the policy lets it */
    CU_ASSERT(awaits(0, 1, false));
    UNIT_RC(front_create(&fronts[0], KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "m", &other),
            RC_NO_QUORUM);
    end();
}

/* Of the third HSM, asked at that one. */
static uint32_t logins_at_third(struct front *front)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    char token[] = KEYSTORE_TOKEN, user[] = DEFAULT_USER_NAME;
    body.token = token;
    body.user = user;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    UNIT_OK(front_call(front, &request, false));
    const Qhsm__KeystoreHealthReply *reply = front->reply.msg->keystore_health;
    CU_ASSERT_EQUAL_FATAL(reply->n_hsms, TRIO_COUNT);
    return reply->hsms[2]->logins;
}

/* An HSM that does not answer within half a second has none. */
static bool becomes(struct front *front, uint32_t logins)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (logins_at_third(front) != logins)
        if (trio_now_ms() > end)
            return false;
    return true;
}

static void a_login_at_another_hsm_is_counted_there(void)
{
    struct peer_client client;
    begin();
    CU_ASSERT(awaits(0, 3, true));
    uint32_t before = logins_at_third(&fronts[0]);
    client_join(&client, &trio.node[2]);
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        CU_ASSERT(becomes(&fronts[i], before + 1));
    client_close(&client);
    end();
}

UNIT_SUITE("keystore_trio", UNIT_CASE(a_login_at_another_hsm_is_counted_there),
           UNIT_CASE(keys_documents_and_views_are_the_clusters),
           UNIT_CASE(health_tells_lost_zones_and_a_lost_quorum));
