/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at any moment loses nothing that was acknowledged, and makes nothing twice. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "tests/unit/cluster/harness.h"
#include "tests/unit/unit.h"

#define ROUNDS      6U
#define OBJECTS_MAX 400U

static void label_of(unsigned round, unsigned number, char out[32])
{
    (void)snprintf(out, 32, "object-%u-%u", round, number);
}

/* Creates until the daemon is dead; returns how many were acknowledged. */
static unsigned create_until_killed(struct harness *harness, struct peer_client *client,
                                    unsigned round)
{
    unsigned kill_after = 20 + (unsigned)(random() % 60);
    unsigned acknowledged = 0;
    for (unsigned i = 0; i < OBJECTS_MAX; i++) {
        char label[32];
        enum rc rc = RC_OK;
        label_of(round, i, label);
        if (i == kill_after)
            harness_kill(harness);
        if (client_create_data(client, label, &rc) == 0)
            break;
        acknowledged = i + 1;
    }
    return acknowledged;
}

static void acknowledged_objects_survive_kill(void)
{
    struct harness harness;
    struct peer_client client;
    unsigned acknowledged[ROUNDS];
    srandom(7);
    harness_init(&harness);
    harness.config.snapshot_threshold = 32;
    harness.config.snapshot_trailing = 64;
    harness_fork(&harness);
    client_ready(&client, &harness);
    for (unsigned round = 0; round < ROUNDS; round++) {
        acknowledged[round] = create_until_killed(&harness, &client, round);
        CU_ASSERT(acknowledged[round] >= 20);
        client_close(&client);
        harness_fork(&harness);
        client_join(&client, &harness);
    }
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < acknowledged[round]; i++) {
            char label[32];
            label_of(round, i, label);
            CU_ASSERT_EQUAL(client_find_label(&client, label), 1);
        }
    client_close(&client);
    harness_clear(&harness);
}

/* Many requests are in flight when it dies: those answered are there, the others once at most. */
static void requests_in_flight_at_the_kill_are_all_or_nothing(void)
{
    struct harness harness;
    struct peer_client clients[16];
    bool acknowledged[16] = {false};
    harness_init(&harness);
    harness_fork(&harness);
    client_ready(&clients[0], &harness);
    for (unsigned i = 1; i < 16; i++)
        client_join(&clients[i], &harness);
    for (unsigned i = 0; i < 16; i++) {
        char label[32];
        enum rc rc = RC_OK;
        label_of(0, i, label);
        if (i == 12)
            harness_kill(&harness);
        acknowledged[i] = client_create_data(&clients[i], label, &rc) != 0;
    }
    for (unsigned i = 0; i < 16; i++)
        client_close(&clients[i]);
    harness_fork(&harness);
    client_join(&clients[0], &harness);
    for (unsigned i = 0; i < 16; i++) {
        char label[32];
        label_of(0, i, label);
        size_t found = client_find_label(&clients[0], label);
        CU_ASSERT(found == (acknowledged[i] ? 1U : 0U) || (!acknowledged[i] && found <= 1));
    }
    client_close(&clients[0]);
    harness_clear(&harness);
}

/* The same application tells its last request again to the restarted daemon. */
static void a_request_repeated_after_the_restart_makes_one_object(void)
{
    struct harness harness;
    struct peer_client client;
    struct peer_client again;
    enum rc rc = RC_OK;
    harness_init(&harness);
    harness_fork(&harness);
    client_ready(&client, &harness);
    uint64_t first = client_create_data(&client, "once", &rc);
    UNIT_OK(rc);
    harness_kill(&harness);
    harness_fork(&harness);
    client_open(&again, &harness);
    memcpy(again.application, client.application, sizeof again.application);
    UNIT_OK(client_hello(&again));
    UNIT_OK(buf_append(&again.ticket, buf_bytes(&client.ticket)));
    again.sequence = client.sequence - 1;
    uint64_t second = client_create_data(&again, "once", &rc);
    UNIT_OK(rc);
    CU_ASSERT_EQUAL(first, second);
    CU_ASSERT_EQUAL(client_find_label(&again, "once"), 1);
    client_close(&client);
    client_close(&again);
    harness_clear(&harness);
}

/* A wrong PIN is a fact before it is answered. */
static void counted_tries_survive_kill(void)
{
    struct harness harness;
    struct peer_client client;
    harness_init(&harness);
    harness_fork(&harness);
    client_ready(&client, &harness);
    for (unsigned i = 0; i < 10; i++) {
        UNIT_RC(client_login(&client, CKU_USER, "no such pin"), RC_PIN_INCORRECT);
        client_close(&client);
        harness_kill(&harness);
        harness_fork(&harness);
        client_open(&client, &harness);
        UNIT_OK(client_hello(&client));
    }
    UNIT_RC(client_login(&client, CKU_USER, HARNESS_USER_PIN), RC_PIN_LOCKED);
    client_close(&client);
    harness_clear(&harness);
}

/* The engine crashes on a failed write of its log: that must be all. */
static void a_failed_log_write_loses_nothing_acknowledged(void)
{
    struct harness harness;
    struct peer_client client;
    const struct rlimit tight = {.rlim_cur = 64 * 1024, .rlim_max = 64 * 1024};
    unsigned acknowledged = 0;
    enum rc rc = RC_OK;
    harness_init(&harness);
    harness_fork(&harness);
    client_ready(&client, &harness);
    CU_ASSERT(prlimit(harness.child, RLIMIT_FSIZE, &tight, NULL) == 0);
    for (unsigned i = 0; i < OBJECTS_MAX && rc == RC_OK; i++) {
        char label[32];
        label_of(0, i, label);
        acknowledged += client_create_data(&client, label, &rc) != 0 ? 1 : 0;
    }
    CU_ASSERT(rc != RC_OK && acknowledged > 0);
    client_close(&client);
    harness_kill(&harness);
    harness_fork(&harness);
    client_join(&client, &harness);
    for (unsigned i = 0; i < acknowledged; i++) {
        char label[32];
        label_of(0, i, label);
        CU_ASSERT_EQUAL(client_find_label(&client, label), 1);
    }
    client_close(&client);
    harness_clear(&harness);
}

static void a_directory_without_its_log_is_refused(void)
{
    struct harness harness;
    char from[128];
    char to[128];
    harness_init(&harness);
    harness_fork(&harness);
    harness_kill(&harness);
    (void)snprintf(from, sizeof from, "%s/raft", harness.config.state_dir);
    (void)snprintf(to, sizeof to, "%s/gone", harness.config.state_dir);
    CU_ASSERT(rename(from, to) == 0);
    CU_ASSERT_EQUAL(harness_run_to_end(&harness), rc_info(RC_DISK)->exit_code);
    harness_clear(&harness);
}

static void a_wrong_unlock_key_is_refused(void)
{
    struct harness harness;
    harness_init(&harness);
    harness_fork(&harness);
    harness_kill(&harness);
    FILE *file = fopen(harness.config.unlock_key, "w");
    CU_ASSERT_FATAL(file != NULL);
    (void)fputs("another passphrase", file);
    (void)fclose(file);
    CU_ASSERT_EQUAL(harness_run_to_end(&harness), rc_info(RC_SEALED)->exit_code);
    harness_clear(&harness);
}

UNIT_SUITE("durability", UNIT_CASE(acknowledged_objects_survive_kill),
           UNIT_CASE(requests_in_flight_at_the_kill_are_all_or_nothing),
           UNIT_CASE(a_request_repeated_after_the_restart_makes_one_object),
           UNIT_CASE(counted_tries_survive_kill),
           UNIT_CASE(a_failed_log_write_loses_nothing_acknowledged),
           UNIT_CASE(a_directory_without_its_log_is_refused),
           UNIT_CASE(a_wrong_unlock_key_is_refused));
