/* SPDX-License-Identifier: Apache-2.0 */
/* The client over TCP with TLS: whom it trusts, whom it is trusted by, and forks. */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/tls.h"
#include "rpc/wire.h"
#include "tests/unit/rpc/fake_hsm.h"
#include "tests/unit/unit.h"

#define OTHER_CLUSTER "11111111-2222-4333-8444-555555555555"

static struct test_ca ca;
static struct credentials server;
static struct credentials user;
static struct fake_hsm hsm;
static struct fake_client client;

static void issue_good(void)
{
    test_ca_init(&ca);
    test_ca_issue(&ca, TLS_ROLE_NODE, &server);
    test_ca_issue(&ca, TLS_ROLE_CLIENT, &user);
}

static void begin(void)
{
    struct fake_hsm *const hsms[] = {&hsm};
    fake_hsm_start_tls(&hsm, 3, &ca, &server);
    fake_client_init(&client, hsms, 1);
    client.config.ca_pem = user.ca;
    client.config.cert_pem = user.cert;
    client.config.key_pem = user.key;
}

static void end(void)
{
    fake_client_clear(&client);
    fake_hsm_stop(&hsm);
    credentials_clear(&server);
    credentials_clear(&user);
    test_ca_clear(&ca);
}

static enum rc call(void)
{
    return fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 32);
}

static void check_refused(const char *why)
{
    begin();
    UNIT_RC(call(), RC_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), why));
    if (strstr(rc_detail(), why) == NULL)
        CU_FAIL(rc_detail());
    CU_ASSERT_EQUAL(hsm.served, 0);
    end();
}

static void call_goes_through_and_the_connection_is_kept(void)
{
    issue_good();
    begin();
    for (unsigned i = 0; i < 50; i++)
        UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 1);
    end();
}

static void large_data_goes_there_and_back(void)
{
    issue_good();
    begin();
    UNIT_OK(fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, WIRE_DATA_MAX));
    UNIT_OK(call());
    end();
}

static void hsm_of_another_number_is_refused_where_one_is_asked_for(void)
{
    issue_good(); /* HSM 1 */
    begin();
    client.config.peer = "1";
    UNIT_OK(call());
    end();
    issue_good();
    begin();
    client.config.peer = "2";
    UNIT_RC(call(), RC_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "HSM 1 answers there, not HSM 2"));
    CU_ASSERT_EQUAL(hsm.served, 0);
    end();
}

static void daemon_of_another_ca_is_refused(void)
{
    issue_good();
    struct test_ca other;
    test_ca_init(&other);
    credentials_clear(&user);
    test_ca_issue(&other, TLS_ROLE_CLIENT, &user);
    test_ca_clear(&other);
    check_refused("the peer's certificate is refused");
}

static void daemon_with_an_expired_certificate_is_refused(void)
{
    issue_good();
    credentials_clear(&server);
    test_ca_issue_at(&ca, TLS_ROLE_NODE, TEST_CLUSTER, 3, &server);
    check_refused("certificate has expired");
}

static void daemon_with_a_clients_certificate_is_refused(void)
{
    issue_good();
    credentials_clear(&server);
    test_ca_issue(&ca, TLS_ROLE_CLIENT, &server);
    check_refused("unsuitable certificate purpose");
}

static void daemon_of_another_cluster_is_refused(void)
{
    issue_good();
    credentials_clear(&server);
    test_ca_issue_at(&ca, TLS_ROLE_NODE, OTHER_CLUSTER, 0, &server);
    check_refused("belongs to cluster " OTHER_CLUSTER);
}

static void own_expired_certificate_is_named_as_the_reason(void)
{
    issue_good();
    credentials_clear(&user);
    test_ca_issue_at(&ca, TLS_ROLE_CLIENT, TEST_CLUSTER, 3, &user);
    check_refused("expired");
}

static void missing_key_is_an_error_of_the_configuration(void)
{
    issue_good();
    secret_clear(&user.key);
    check_refused("key");
}

static void daemon_that_is_mute_after_the_handshake_costs_the_connect_timeout(void)
{
    issue_good();
    begin();
    hsm.manners = HSM_MUTE_AT_HELLO;
    client.config.connect_timeout_ms = 300;
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_UNAVAILABLE);
    fake_client_check_took(start, 300);
    end();
}

/* A port that accepts and says nothing at all, and one that speaks something else. */
static void peer_without_tls_is_refused_in_time(void)
{
    issue_good();
    begin();
    hsm.forgets_tls = true; /* it waits for a plain frame; the ClientHello announces far too much */
    uint64_t start = now_ms();
    UNIT_RC(call(), RC_UNAVAILABLE);
    fake_client_check_took(start, 0);
    end();
}

/* It would take more than a minute for the whole answer. */
static void trickling_daemon_costs_the_call_timeout_and_no_more(void)
{
    issue_good();
    begin();
    UNIT_OK(call());
    hsm.manners = HSM_TRICKLES;
    client.config.call_timeout_ms = 600;
    uint64_t start = now_ms();
    UNIT_RC(fake_client_crypt(&client, RPC_REPEAT_SAFE, NULL, 4000), RC_DEADLINE);
    fake_client_check_took(start, 600);
    end();
}

static void cut_connection_is_replaced_unnoticed(void)
{
    issue_good();
    begin();
    UNIT_OK(call());
    fake_hsm_cut(&hsm);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 2);
    end();
}

static void no_sigpipe_is_raised_by_a_peer_that_went_away(void)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    CU_ASSERT_EQUAL(sigaction(SIGPIPE, &act, NULL), 0);
    issue_good();
    begin();
    for (unsigned i = 0; i < 10; i++) {
        UNIT_OK(call());
        fake_hsm_cut(&hsm);
    }
    end();
}

static void error_queue_of_the_host_is_left_as_it_was(void)
{
    issue_good();
    begin();
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 77);
    hsm.manners = HSM_HANGS_UP;
    UNIT_OK(call() == RC_OK ? RC_INTERNAL : RC_OK);
    hsm.manners = HSM_ANSWERS;
    UNIT_OK(call());
    /* A handshake empties the queue (libssl does that itself); nothing of ours may be left. */
    unsigned long left = ERR_get_error();
    CU_ASSERT(left == 0 || ERR_GET_REASON(left) == 77);
    CU_ASSERT_EQUAL(ERR_get_error(), 0);
    end();
}

static void goodbye_is_said_at_the_end(void)
{
    issue_good();
    begin();
    UNIT_OK(call());
    rpc_client_free(client.rpc);
    client.rpc = NULL;
    CU_ASSERT(fake_hsm_comes_to(&hsm.goodbyes, 1));
    end();
}

static int child_status(pid_t child)
{
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void child_leaves_the_parents_session_alone(void)
{
    issue_good();
    begin();
    UNIT_OK(call());
    pid_t child = fork();
    if (child == 0) {
        rpc_client_abandon(client.rpc);
        static const uint8_t other[16] = {2};
        if (rpc_client_new(&client.config, "child", other, &client.rpc) != RC_OK)
            _exit(2);
        _exit(call() == RC_OK ? 0 : 1);
    }
    CU_ASSERT_EQUAL(child_status(child), 0);
    CU_ASSERT_EQUAL(hsm.goodbyes, 0);
    UNIT_OK(call());
    CU_ASSERT_EQUAL(hsm.accepted, 2);
    end();
}

/* An engine's or provider's clean-up may finalise the module after libcrypto is gone. */
static void client_can_be_freed_after_libcrypto_is_gone(void)
{
    issue_good();
    begin();
    UNIT_OK(call());
    pid_t child = fork();
    if (child == 0) {
        OPENSSL_cleanup();
        CU_ASSERT(tls_library_gone());
        rpc_client_free(client.rpc);
        OSSL_LIB_CTX *lib = NULL;
        _exit(tls_library_gone() && tls_library_new(&lib) == RC_TLS ? 0 : 1);
    }
    CU_ASSERT_EQUAL(child_status(child), 0);
    end();
}

static atomic_bool busy_stop;

static void *busy_main(void *data)
{
    (void)data;
    while (!busy_stop)
        UNIT_OK(call());
    return NULL;
}

static void forks_amid_calls_of_other_threads_hang_nobody(void)
{
    issue_good();
    begin();
    pthread_t threads[3];
    busy_stop = false;
    for (unsigned i = 0; i < 3; i++)
        (void)pthread_create(&threads[i], NULL, busy_main, NULL);
    for (unsigned i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)alarm(60);
            rpc_client_abandon(client.rpc);
            _exit(0);
        }
        CU_ASSERT_EQUAL(child_status(child), 0);
    }
    busy_stop = true;
    for (unsigned i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT(hsm.accepted <= 3);
    end();
}

static void probe_tells_when_the_daemons_certificate_ends(void)
{
    issue_good();
    begin();
    struct rpc_probe probe;
    rpc_probe(&client.config, hsm.endpoint, &probe);
    UNIT_OK(probe.rc);
    CU_ASSERT(probe.certificate_expires_s > time(NULL) + 86000);
    end();
}

/* ---- library contexts that are given back */

static OSSL_LIB_CTX *lib;
static sem_t has_drawn, is_freed;

static void *draw(void *context)
{
    uint8_t byte = 0;
    int *result = context;
    *result = RAND_bytes_ex(lib, &byte, 1, 0);
    (void)sem_post(&has_drawn);
    (void)sem_wait(&is_freed);
    return NULL;
}

/* The thread ends after the context that it used was given back, and the memory used again. */
static int outlive_context(void)
{
    pthread_t thread;
    int drawn = 0;
    (void)sem_init(&has_drawn, 0, 0);
    (void)sem_init(&is_freed, 0, 0);
    if (tls_library_new(&lib) != RC_OK || pthread_create(&thread, NULL, draw, &drawn) != 0)
        return 1;
    (void)sem_wait(&has_drawn);
    tls_library_free(lib);
    void *again[512];
    for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
        again[i] = malloc(8 * (i + 1));
        if (again[i] != NULL)
            memset(again[i], 0x5A, 8 * (i + 1));
    }
    (void)sem_post(&is_freed);
    (void)pthread_join(thread, NULL);
    for (size_t i = 0; i < sizeof again / sizeof again[0]; i++)
        free(again[i]);
    return drawn == 1 ? 0 : 1;
}

static void a_thread_may_outlive_the_context_that_it_used_in_a_child_too(void)
{
    int status = -1;
    UNIT_OK(tls_program_init());
    CU_ASSERT_EQUAL(outlive_context(), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(outlive_context());
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
}

UNIT_SUITE("client_tls", UNIT_CASE(call_goes_through_and_the_connection_is_kept),
           UNIT_CASE(large_data_goes_there_and_back),
           UNIT_CASE(hsm_of_another_number_is_refused_where_one_is_asked_for),
           UNIT_CASE(daemon_of_another_ca_is_refused),
           UNIT_CASE(daemon_with_an_expired_certificate_is_refused),
           UNIT_CASE(daemon_with_a_clients_certificate_is_refused),
           UNIT_CASE(daemon_of_another_cluster_is_refused),
           UNIT_CASE(own_expired_certificate_is_named_as_the_reason),
           UNIT_CASE(missing_key_is_an_error_of_the_configuration),
           UNIT_CASE(daemon_that_is_mute_after_the_handshake_costs_the_connect_timeout),
           UNIT_CASE(peer_without_tls_is_refused_in_time),
           UNIT_CASE(trickling_daemon_costs_the_call_timeout_and_no_more),
           UNIT_CASE(cut_connection_is_replaced_unnoticed),
           UNIT_CASE(no_sigpipe_is_raised_by_a_peer_that_went_away),
           UNIT_CASE(error_queue_of_the_host_is_left_as_it_was),
           UNIT_CASE(goodbye_is_said_at_the_end), UNIT_CASE(child_leaves_the_parents_session_alone),
           UNIT_CASE(client_can_be_freed_after_libcrypto_is_gone),
           UNIT_CASE(forks_amid_calls_of_other_threads_hang_nobody),
           UNIT_CASE(probe_tells_when_the_daemons_certificate_ends),
           UNIT_CASE(a_thread_may_outlive_the_context_that_it_used_in_a_child_too));
