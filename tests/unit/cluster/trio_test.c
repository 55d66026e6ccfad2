/* SPDX-License-Identifier: Apache-2.0 */
/* Three daemons as clients see them: written anywhere, read everywhere; the leader lost, a majority
 * lost, one drained. The cases share two clusters; a case leaves its cluster whole. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cluster.h"
#include "common/cryptoki.h"
#include "common/policy_settings.h"
#include "tests/unit/cluster/trio.h"
#include "tests/unit/unit.h"

static struct trio trio;
static bool is_up;
static bool is_hasty;

static void begin(void)
{
    if (!is_up)
        trio_begin(&trio);
    is_up = true;
    (void)trio_leader(&trio);
}

/* For cases that lose a leader; those that do not, come first. */
static void begin_hasty(void)
{
    if (is_up && !is_hasty) {
        CU_ASSERT(trio_end(&trio));
        is_up = false;
    }
    if (!is_up)
        trio_begin_hasty(&trio);
    is_up = is_hasty = true;
    (void)trio_leader(&trio);
}

static void join(struct peer_client *client, unsigned i)
{
    client_join(client, &trio.node[i]);
}

static unsigned other_than(unsigned a, unsigned b)
{
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        if (i != a && i != b)
            return i;
    return TRIO_COUNT;
}

static Qhsm__Response *sign(struct peer_client *client, uint64_t key)
{
    static uint8_t digest[32] = {1, 2, 3};
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    Qhsm__CryptRequest crypt = QHSM__CRYPT_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    mechanism.type = CKM_ECDSA;
    crypt.operation = CRYPT_SIGN;
    crypt.key = key;
    crypt.mechanism = &mechanism;
    crypt.data = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &crypt;
    return client_call(client, &request);
}

/* ---- written anywhere, read everywhere */

static void what_one_writes_each_reads_at_once(void)
{
    struct peer_client clients[TRIO_COUNT];
    begin();
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        join(&clients[i], i);
    for (unsigned round = 0; round < 30; round++) {
        struct peer_client *writer = &clients[round % TRIO_COUNT];
        char label[32];
        enum rc rc = RC_OK;
        (void)snprintf(label, sizeof label, "round %u", round);
        CU_ASSERT(client_create_data(writer, label, &rc) != 0);
        UNIT_OK(rc);
        for (unsigned i = 0; i < TRIO_COUNT; i++) {
            clients[i].seen = writer->seen;
            CU_ASSERT_EQUAL(client_find_label(&clients[i], label), 1);
        }
    }
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        client_close(&clients[i]);
    CU_ASSERT(trio_settle(&trio));
}

static void a_follower_takes_changes_to_the_leader(void)
{
    struct peer_client client;
    enum rc rc = RC_OK;
    begin();
    unsigned follower = other_than(trio_leader(&trio), TRIO_COUNT);
    uint64_t before = trio_status(&trio, follower)->forwarded;
    join(&client, follower);
    CU_ASSERT(client_create_data(&client, "forwarded", &rc) != 0);
    UNIT_OK(rc);
    CU_ASSERT(trio_status(&trio, follower)->forwarded > before);
    client_close(&client);
}

static void a_change_told_to_two_hsms_is_made_once(void)
{
    struct peer_client first;
    struct peer_client second;
    enum rc rc = RC_OK;
    begin();
    join(&first, 1);
    client_open(&second, &trio.node[2]);
    memcpy(second.application, first.application, sizeof second.application);
    UNIT_OK(client_hello(&second));
    UNIT_OK(buf_append(&second.ticket, buf_bytes(&first.ticket)));
    uint64_t once = client_create_data(&first, "told twice", &rc);
    UNIT_OK(rc);
    second.sequence = first.sequence - 1;
    CU_ASSERT(once != 0 && client_create_data(&second, "told twice", &rc) == once);
    UNIT_OK(rc);
    CU_ASSERT_EQUAL(client_find_label(&second, "told twice"), 1);
    client_close(&first);
    client_close(&second);
}

static void a_linearizable_read_is_never_stale(void)
{
    struct peer_client writer;
    struct peer_client readers[TRIO_COUNT];
    begin();
    join(&writer, trio_leader(&trio));
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        join(&readers[i], i);
        readers[i].linearizable = true;
    }
    for (unsigned round = 0; round < 30; round++) {
        char label[32];
        enum rc rc = RC_OK;
        (void)snprintf(label, sizeof label, "linear %u", round);
        CU_ASSERT(client_create_data(&writer, label, &rc) != 0);
        for (unsigned i = 0; i < TRIO_COUNT; i++) {
            readers[i].seen = 0; /* knows nothing of the writer */
            CU_ASSERT_EQUAL(client_find_label(&readers[i], label), 1);
        }
    }
    client_close(&writer);
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        client_close(&readers[i]);
}

static enum rc make_user(struct peer_client *so, char *name, uint64_t sequence)
{
    static uint8_t pin[] = "new-user-pin";
    Qhsm__UserCreateRequest create = QHSM__USER_CREATE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    create.name = name;
    create.pin = (ProtobufCBinaryData){.data = pin, .len = sizeof pin - 1};
    request.sequence = sequence;
    request.body_case = QHSM__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    return client_rc(client_call(so, &request));
}

/* By an HSM too that was cut off when he was made, and by a client that knows nothing. */
static void a_user_is_known_everywhere_once_he_is_made(void)
{
    struct peer_client so;
    struct peer_client user;
    char name[] = "anna";
    begin();
    unsigned leader = trio_leader(&trio);
    unsigned behind = (leader + 1) % TRIO_COUNT;
    join(&so, leader);
    join(&user, behind);
    UNIT_OK(client_login(&so, CKU_SO, HARNESS_SO_PIN));
    UNIT_OK(trio_cut(&trio, behind, true));
    UNIT_OK(make_user(&so, name, 2));
    UNIT_OK(trio_cut(&trio, behind, false));
    user.seen = 0;
    UNIT_OK(client_login(&user, CKU_USER, "anna:new-user-pin"));
    client_close(&so);
    client_close(&user);
}

/* ---- many */

#define WRITERS 8U
#define WRITES  20U

struct writer {
    struct peer_client client;
    pthread_t thread;
    unsigned done;
};

static void *write_run(void *context)
{
    struct writer *writer = context;
    for (unsigned i = 0; i < WRITES; i++) {
        enum rc rc = RC_OK;
        if (client_create_data(&writer->client, "many", &rc) != 0 && rc == RC_OK)
            writer->done++;
    }
    return NULL;
}

static void many_clients_of_followers_all_have_their_changes(void)
{
    struct writer writers[WRITERS];
    struct peer_client reader;
    begin();
    unsigned leader = trio_leader(&trio);
    memset(writers, 0, sizeof writers);
    for (unsigned i = 0; i < WRITERS; i++)
        join(&writers[i].client, i % 2 == 0 ? other_than(leader, TRIO_COUNT)
                                            : other_than(leader, other_than(leader, TRIO_COUNT)));
    for (unsigned i = 0; i < WRITERS; i++)
        CU_ASSERT_EQUAL(pthread_create(&writers[i].thread, NULL, write_run, &writers[i]), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(writers[i].thread, NULL);
        CU_ASSERT_EQUAL(writers[i].done, WRITES);
        client_close(&writers[i].client);
    }
    CU_ASSERT(trio_settle(&trio));
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        join(&reader, i);
        CU_ASSERT_EQUAL(client_find_label(&reader, "many"), WRITERS * WRITES);
        client_close(&reader);
    }
}

/* ---- who may ask as a node */

static enum rc propose_as(struct rpc_client *client, const ProtobufCBinaryData *effects,
                          size_t count)
{
    Qhsm__ProposeRequest propose = QHSM__PROPOSE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    struct rpc_reply reply = {.msg = NULL};
    union {
        const ProtobufCBinaryData *in;
        ProtobufCBinaryData *out;
    } list = {.in = effects};
    propose.effects = list.out;
    propose.n_effects = count;
    request.body_case = QHSM__REQUEST__BODY_PROPOSE;
    request.propose = &propose;
    enum rc rc = rpc_call(client, &request, RPC_REPEAT_NEVER, &reply);
    rpc_reply_clear(client, &reply);
    return rc;
}

struct stranger {
    struct client_config config;
    struct rpc_client *client;
};

static void stranger_open(struct stranger *stranger, unsigned i, enum tls_role role,
                          const char *name)
{
    static const uint8_t application[16] = {9};
    trio_client_config(&trio, i, role, name, &stranger->config);
    UNIT_OK(rpc_client_new(&stranger->config, "rogue", application, &stranger->client));
}

static void stranger_close(struct stranger *stranger)
{
    rpc_client_free(stranger->client);
    trio_client_config_clear(&stranger->config);
}

static enum rc try_as(enum tls_role role, const char *name, const ProtobufCBinaryData *effects,
                      size_t count)
{
    struct stranger stranger;
    stranger_open(&stranger, trio_leader(&trio), role, name);
    enum rc rc = propose_as(stranger.client, effects, count);
    stranger_close(&stranger);
    return rc;
}

static void only_members_propose(void)
{
    uint8_t junk[] = {1, 2, 3};
    const ProtobufCBinaryData effect = {.data = junk, .len = sizeof junk};
    begin();
    UNIT_RC(try_as(TLS_ROLE_CLIENT, "web", &effect, 1), RC_NOT_PERMITTED);
    UNIT_RC(try_as(TLS_ROLE_ADMIN, "root", &effect, 1), RC_NOT_PERMITTED);
    UNIT_RC(try_as(TLS_ROLE_NODE, "99", &effect, 1), RC_NOT_PERMITTED);
    UNIT_RC(try_as(TLS_ROLE_NODE, "2.1", &effect, 1), RC_NOT_PERMITTED);
    UNIT_RC(try_as(TLS_ROLE_NODE, "02", &effect, 1), RC_NOT_PERMITTED);
    UNIT_RC(try_as(TLS_ROLE_JOINER, "00112233445566778899aabbccddeeff", &effect, 1),
            RC_NOT_PERMITTED);
}

/* ---- a disk that went back in time */

/* What node `i` knows that `of` had stored, told to that one; `gave_up`: after it said that it does
 * not start with an empty log. */
static uint64_t known_at(unsigned i, unsigned of, bool gave_up)
{
    Qhsm__PositionRequest position = QHSM__POSITION_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    struct rpc_reply reply = {.msg = NULL};
    struct stranger stranger;
    char name[16];
    (void)snprintf(name, sizeof name, "%u", of + 1);
    stranger_open(&stranger, i, TLS_ROLE_NODE, name);
    position.gave_up = gave_up;
    request.body_case = QHSM__REQUEST__BODY_POSITION;
    request.position = &position;
    UNIT_OK(rpc_call(stranger.client, &request, RPC_REPEAT_FAREWELL, &reply));
    CU_ASSERT_FATAL(reply.msg != NULL && reply.msg->body_case == QHSM__RESPONSE__BODY_POSITION);
    uint64_t known = reply.msg->position->known;
    rpc_reply_clear(stranger.client, &reply);
    stranger_close(&stranger);
    return known;
}

/* Only the leader sees how far the others' logs reach; the next leader was told nothing by one that
 * does not start. */
static void what_one_that_gave_up_had_is_known_to_all_before_it_is_answered(void)
{
    begin();
    CU_ASSERT(trio_settle(&trio));
    unsigned leader = trio_leader(&trio);
    unsigned gone = (leader + 1) % TRIO_COUNT;
    unsigned next = (leader + 2) % TRIO_COUNT;
    uint64_t applied = trio_status(&trio, gone)->applied;
    CU_ASSERT(known_at(next, gone, false) < applied);
    CU_ASSERT(known_at(leader, gone, true) >= applied);
    CU_ASSERT(trio_settle(&trio));
    CU_ASSERT(known_at(next, gone, false) >= applied);
}

/* What would stop every HSM when it is applied must not come into the log. */
static void a_malformed_effect_is_refused_with_its_message(void)
{
    uint8_t junk[64] = {0};
    ProtobufCBinaryData effects[65];
    begin();
    for (size_t len = 0; len <= sizeof junk; len += 8) {
        for (unsigned kind = 0; kind < 12; kind++) {
            junk[0] = 1;
            junk[1] = (uint8_t)kind;
            effects[0] = (ProtobufCBinaryData){.data = junk, .len = len};
            UNIT_RC(try_as(TLS_ROLE_NODE, "2", effects, 1), RC_PROTOCOL);
        }
    }
    for (size_t i = 0; i < 65; i++)
        effects[i] = (ProtobufCBinaryData){.data = junk, .len = sizeof junk};
    UNIT_RC(try_as(TLS_ROLE_NODE, "2", effects, 65), RC_PROTOCOL);
    UNIT_RC(try_as(TLS_ROLE_NODE, "2", effects, 0), RC_PROTOCOL);
    CU_ASSERT(trio_settle(&trio));
}

/* ---- trouble */

static void the_leader_is_killed_and_nothing_is_lost(void)
{
    struct peer_client client;
    enum rc rc = RC_OK;
    begin_hasty();
    unsigned leader = trio_leader(&trio);
    unsigned survivor = other_than(leader, TRIO_COUNT);
    join(&client, survivor);
    uint64_t key = client_generate_p256(&client);
    CU_ASSERT(key != 0);
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT(client_create_data(&client, "before", &rc) != 0);
    trio_kill(&trio, leader);
    uint64_t killed_ms = trio_now_ms();
    UNIT_OK(client_rc(sign(&client, key)));
    CU_ASSERT(client_create_data(&client, "after", &rc) != 0);
    UNIT_OK(rc);
    uint64_t gap_ms = trio_now_ms() - killed_ms;
    (void)fprintf(stderr, " first change %llu ms after the kill ", (unsigned long long)gap_ms);
    CU_ASSERT_EQUAL(client_find_label(&client, "before"), 10);
    CU_ASSERT_EQUAL(client_find_label(&client, "after"), 1);
    client_close(&client);
    trio_restart(&trio, leader);
    CU_ASSERT(trio_settle(&trio));
}

/* Its followers elect another; what it took meanwhile is made once, wherever it is asked again. */
static void a_leader_that_is_cut_off_serves_nothing_stale(void)
{
    struct peer_client inside;
    struct peer_client outside;
    enum rc rc = RC_OK;
    begin_hasty();
    unsigned leader = trio_leader(&trio);
    join(&inside, leader);
    join(&outside, other_than(leader, TRIO_COUNT));
    UNIT_OK(trio_cut(&trio, leader, true));
    CU_ASSERT(client_create_data(&outside, "outside", &rc) != 0);
    UNIT_OK(rc);
    inside.insists = false;
    inside.linearizable = true;
    CU_ASSERT_EQUAL(client_find_label(&inside, "outside"), SIZE_MAX);
    inside.linearizable = false;
    CU_ASSERT(client_create_data(&inside, "inside", &rc) == 0);
    CU_ASSERT(rc == RC_NO_QUORUM || rc == RC_OUTCOME_UNKNOWN);
    UNIT_OK(trio_cut(&trio, leader, false));
    (void)trio_leader(&trio);
    inside.insists = true;
    inside.sequence--;
    CU_ASSERT(client_create_data(&inside, "inside", &rc) != 0);
    UNIT_OK(rc);
    outside.seen = inside.seen;
    CU_ASSERT_EQUAL(client_find_label(&outside, "inside"), 1);
    CU_ASSERT_EQUAL(client_find_label(&inside, "outside"), 1);
    client_close(&inside);
    client_close(&outside);
    CU_ASSERT(trio_settle(&trio));
}

/* It is asked while nobody has noticed yet: it waits for the next leader, and both are right. */
static void a_change_under_way_when_the_leader_is_cut_off_is_made_once(void)
{
    struct writer writer;
    struct peer_client reader;
    begin_hasty();
    unsigned leader = trio_leader(&trio);
    memset(&writer, 0, sizeof writer);
    join(&writer.client, other_than(leader, TRIO_COUNT));
    size_t before = client_find_label(&writer.client, "many");
    CU_ASSERT_EQUAL(pthread_create(&writer.thread, NULL, write_run, &writer), 0);
    UNIT_OK(trio_cut(&trio, leader, true));
    (void)pthread_join(writer.thread, NULL);
    UNIT_OK(trio_cut(&trio, leader, false));
    CU_ASSERT_EQUAL(writer.done, WRITES);
    client_close(&writer.client);
    CU_ASSERT(trio_settle(&trio));
    join(&reader, leader);
    CU_ASSERT_EQUAL(client_find_label(&reader, "many"), before + WRITES);
    client_close(&reader);
}

static bool is_refused_naming(struct peer_client *client, enum rc expected, const char *first,
                              const char *second)
{
    Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    char pin[] = HARNESS_USER_PIN;
    union {
        char *in;
        uint8_t *out;
    } bytes = {.in = pin};
    login.slot = HARNESS_SLOT;
    login.user_type = CKU_USER;
    login.pin = (ProtobufCBinaryData){.data = bytes.out, .len = strlen(pin)};
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &login;
    const Qhsm__Response *response = client_call(client, &request);
    if (client_rc(response) != expected)
        return false;
    return strstr(response->detail, first) != NULL && strstr(response->detail, second) != NULL;
}

static void make_patience(uint64_t seconds)
{
    struct peer_client officer;
    client_open(&officer, &trio.node[0]);
    UNIT_OK(client_hello(&officer));
    UNIT_OK(client_login(&officer, CKU_SO, HARNESS_SO_PIN));
    uint64_t epoch = client_policy_epoch(&officer);
    UNIT_OK(client_set_policy(&officer, epoch, POLICY_SERVE_WITHOUT_LEADER_S, seconds));
    client_close(&officer);
    CU_ASSERT(trio_settle(&trio));
}

/* At once: an answer of the engine's would not come before the deadline. A pause of the machine may
 * fall upon any one change, not upon all. */
static void changes_are_refused_at_once(struct peer_client *client)
{
    uint64_t quickest_ms = UINT64_MAX;
    for (unsigned i = 0; i < 10; i++) {
        enum rc rc = RC_OK;
        uint64_t asked_ms = trio_now_ms();
        CU_ASSERT(client_create_data(client, "refused", &rc) == 0);
        UNIT_RC(rc, RC_NO_QUORUM);
        uint64_t took_ms = trio_now_ms() - asked_ms;
        quickest_ms = took_ms < quickest_ms ? took_ms : quickest_ms;
    }
    CU_ASSERT(quickest_ms < 1000);
}

/* Until a login is refused for it. */
static bool wait_no_quorum(struct peer_client *client, const char *first, const char *second)
{
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (!is_refused_naming(client, RC_NO_QUORUM, first, second)) {
        if (trio_now_ms() > end)
            return false;
        (void)usleep(20000);
    }
    return true;
}

#define PATIENCE_S 6U

static enum rc destroy(struct peer_client *client, uint64_t object)
{
    Qhsm__DestroyObjectRequest body = QHSM__DESTROY_OBJECT_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    body.handle = object;
    request.body_case = QHSM__REQUEST__BODY_DESTROY_OBJECT;
    request.destroy_object = &body;
    request.sequence = 1;
    return client_rc(client_call(client, &request));
}

/* Another application has it in use, at every HSM: none of them has been told that anything
 * changed. */
static void a_destroyed_key_is_used_nowhere_any_more(void)
{
    struct peer_client owner;
    struct peer_client users[TRIO_COUNT];
    begin();
    join(&owner, 0);
    uint64_t key = client_generate_p256(&owner);
    CU_ASSERT(trio_settle(&trio));
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        join(&users[i], i);
        UNIT_OK(client_rc(sign(&users[i], key)));
    }
    UNIT_OK(destroy(&owner, key));
    for (unsigned i = 0; i < TRIO_COUNT; i++) {
        uint64_t end_ms = trio_now_ms() + TRIO_WAIT_MS;
        while (client_rc(sign(&users[i], key)) == RC_OK && trio_now_ms() < end_ms)
            (void)usleep(1000);
        UNIT_RC(client_rc(sign(&users[i], key)), RC_KEY_HANDLE);
        client_close(&users[i]);
    }
    client_close(&owner);
}

static void without_a_majority_changes_stop_at_once_and_keys_after_a_while(void)
{
    struct peer_client client;
    begin_hasty();
    make_patience(PATIENCE_S);
    join(&client, 0);
    uint64_t key = client_generate_p256(&client);
    uint64_t end_ms = trio_now_ms() + 1000 * PATIENCE_S; /* at the earliest */
    trio_kill(&trio, 1);
    trio_kill(&trio, 2);
    client.insists = false;
    CU_ASSERT(wait_no_quorum(&client, "", ""));
    changes_are_refused_at_once(&client);
    CU_ASSERT(client_rc(sign(&client, key)) == RC_OK || trio_now_ms() >= end_ms);
    CU_ASSERT(client_generate_aes(&client, false) != 0 || trio_now_ms() >= end_ms);
    /* who is missing is known after a few elections more */
    CU_ASSERT(wait_no_quorum(&client, "HSM 2 (zone b)", "HSM 3 (zone c)"));
    while (client_rc(sign(&client, key)) == RC_OK && trio_now_ms() < end_ms + TRIO_WAIT_MS)
        (void)usleep(20000);
    CU_ASSERT(trio_now_ms() >= end_ms);
    UNIT_RC(client_rc(sign(&client, key)), RC_NO_LEADER);
    CU_ASSERT(client_generate_aes(&client, false) == 0);
    client.linearizable = true;
    CU_ASSERT_EQUAL(client_find_label(&client, "before"), SIZE_MAX);
    client.linearizable = false;
    trio_restart(&trio, 1);
    trio_restart(&trio, 2);
    (void)trio_leader(&trio);
    client.insists = true;
    UNIT_OK(client_rc(sign(&client, key)));
    CU_ASSERT_EQUAL(client_find_label(&client, "refused"), 0);
    client_close(&client);
    make_patience(10);
}

/* What it has may be as old as its disk, whatever the policy's time. */
static void an_hsm_that_starts_alone_uses_no_keys(void)
{
    struct peer_client client;
    begin_hasty();
    join(&client, 0);
    uint64_t key = client_generate_p256(&client);
    CU_ASSERT(trio_settle(&trio));
    UNIT_OK(client_rc(sign(&client, key)));
    client_close(&client);
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        trio_kill(&trio, i);
    trio_restart(&trio, 0);
    client_open(&client, &trio.node[0]);
    client.insists = false;
    UNIT_OK(client_hello(&client));
    UNIT_RC(client_rc(sign(&client, key)), RC_NO_LEADER);
    client_close(&client);
    trio_restart(&trio, 1);
    trio_restart(&trio, 2);
    (void)trio_leader(&trio);
    join(&client, 0);
    UNIT_OK(client_rc(sign(&client, key)));
    client_close(&client);
}

static void a_drained_hsm_sends_clients_elsewhere(void)
{
    struct peer_client client;
    begin();
    join(&client, 1);
    uint64_t key = client_generate_p256(&client);
    UNIT_OK(trio_member(&trio, 0, 2, MEMBER_DRAIN));
    uint64_t end = trio_now_ms() + TRIO_WAIT_MS;
    while (client_rc(sign(&client, key)) == RC_OK && trio_now_ms() < end)
        (void)usleep(10000);
    UNIT_RC(client_rc(sign(&client, key)), RC_DRAINING);
    const Qhsm__StatusReply *status = trio_status(&trio, 1);
    CU_ASSERT(status != NULL && status->draining);
    UNIT_OK(trio_member(&trio, 0, 2, MEMBER_UNDRAIN));
    while (client_rc(sign(&client, key)) == RC_DRAINING && trio_now_ms() < end)
        (void)usleep(10000);
    UNIT_OK(client_rc(sign(&client, key)));
    client_close(&client);
}

/* A client of an HSM that is stopped. */
struct visitor {
    struct peer_client client;
    uint64_t key;
    pthread_t thread;
    _Atomic unsigned served, sent_away, cut;
};

/* Until it is sent away, or cut off. */
static void *visit_run(void *context)
{
    struct visitor *visitor = context;
    while (visitor->sent_away == 0 && visitor->cut == 0) {
        enum rc rc = client_rc(sign(&visitor->client, visitor->key));
        visitor->served += rc == RC_OK ? 1 : 0;
        visitor->sent_away += rc == RC_DRAINING ? 1 : 0;
        visitor->cut += rc != RC_OK && rc != RC_DRAINING ? 1 : 0;
    }
    return NULL;
}

static void stop_under(struct visitor *visitor, unsigned leader)
{
    memset(visitor, 0, sizeof *visitor);
    join(&visitor->client, leader);
    visitor->key = client_generate_p256(&visitor->client);
    CU_ASSERT_EQUAL(pthread_create(&visitor->thread, NULL, visit_run, visitor), 0);
    while (visitor->served == 0 && visitor->cut == 0)
        (void)usleep(1000);
    CU_ASSERT_EQUAL(trio_stop(&trio, leader), 0);
    (void)pthread_join(visitor->thread, NULL);
    CU_ASSERT(visitor->served > 0);
    client_close(&visitor->client);
}

/* Who does not ask while it takes leave finds it gone; on a busy machine that may happen. */
static void a_leader_that_stops_sends_clients_away_and_hands_the_lead_over(void)
{
    struct visitor visitor = {.sent_away = 0};
    struct peer_client other;
    enum rc rc = RC_OK;
    begin();
    for (unsigned i = 0; i < 5 && visitor.sent_away == 0; i++) {
        unsigned leader = trio_leader(&trio);
        join(&other, other_than(leader, TRIO_COUNT));
        other.insists = false; /* no election: it would take long */
        stop_under(&visitor, leader);
        CU_ASSERT_NOT_EQUAL(trio_leader(&trio), leader);
        CU_ASSERT(client_create_data(&other, "no election", &rc) != 0);
        UNIT_OK(rc);
        client_close(&other);
        trio_restart(&trio, leader);
        CU_ASSERT(trio_settle(&trio));
    }
    CU_ASSERT_EQUAL(visitor.sent_away, 1);
    CU_ASSERT_EQUAL(visitor.cut, 0);
}

/* The last of the patient cluster, whose members would take a minute to elect. */
static void a_leader_without_a_majority_ends_when_it_is_told_to(void)
{
    struct peer_client client;
    enum rc rc = RC_OK;
    begin();
    unsigned leader = trio_leader(&trio);
    join(&client, leader);
    CU_ASSERT(client_create_data(&client, "what they had", &rc) != 0);
    client_close(&client);
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        if (i != leader)
            trio_kill(&trio, i);
    (void)sleep(2); /* it notes in the log what they had */
    uint64_t start = trio_now_ms();
    CU_ASSERT_EQUAL(trio_stop(&trio, leader), 0);
    CU_ASSERT(trio_now_ms() - start < TRIO_WAIT_MS);
    CU_ASSERT(trio_end(&trio));
    is_up = false;
}

/* There is nobody to tell when it starts: the others learn where it is when it dials them. */
static void one_that_moved_is_found_after_all_were_down(void)
{
    begin_hasty();
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        CU_ASSERT_EQUAL(trio_stop(&trio, i), 0);
    trio_move(&trio, 0);
    for (unsigned i = 0; i < TRIO_COUNT; i++)
        trio_restart(&trio, i);
    CU_ASSERT(trio_leader(&trio) < TRIO_COUNT);
    CU_ASSERT(trio_settle(&trio));
}

static void all_end_with_the_same(void)
{
    begin_hasty();
    CU_ASSERT(trio_settle(&trio));
    CU_ASSERT(trio_end(&trio));
    is_up = false;
}

UNIT_SUITE("trio", UNIT_CASE(what_one_writes_each_reads_at_once),
           UNIT_CASE(a_follower_takes_changes_to_the_leader),
           UNIT_CASE(a_change_told_to_two_hsms_is_made_once),
           UNIT_CASE(a_linearizable_read_is_never_stale),
           UNIT_CASE(a_user_is_known_everywhere_once_he_is_made),
           UNIT_CASE(many_clients_of_followers_all_have_their_changes),
           UNIT_CASE(only_members_propose),
           UNIT_CASE(what_one_that_gave_up_had_is_known_to_all_before_it_is_answered),
           UNIT_CASE(a_malformed_effect_is_refused_with_its_message),
           UNIT_CASE(a_drained_hsm_sends_clients_elsewhere),
           UNIT_CASE(a_leader_that_stops_sends_clients_away_and_hands_the_lead_over),
           UNIT_CASE(a_leader_without_a_majority_ends_when_it_is_told_to),
           UNIT_CASE(the_leader_is_killed_and_nothing_is_lost),
           UNIT_CASE(a_leader_that_is_cut_off_serves_nothing_stale),
           UNIT_CASE(a_change_under_way_when_the_leader_is_cut_off_is_made_once),
           UNIT_CASE(a_destroyed_key_is_used_nowhere_any_more),
           UNIT_CASE(without_a_majority_changes_stop_at_once_and_keys_after_a_while),
           UNIT_CASE(an_hsm_that_starts_alone_uses_no_keys),
           UNIT_CASE(one_that_moved_is_found_after_all_were_down),
           UNIT_CASE(all_end_with_the_same));
