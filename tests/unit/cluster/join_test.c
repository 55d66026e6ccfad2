/* SPDX-License-Identifier: Apache-2.0 */
/* The joiner's side without a cluster: what it takes for a ticket, and what it leaves behind. The
 * rest is tests/integration/joining.sh. */
#include "cluster/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/keyfile.h"
#include "rpc/pki.h"
#include "rpc/qhsm.pb-c.h"
#include "rpc/text_code.h"
#include "tests/unit/cluster/harness.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"
#include "token/seal.h"

#define NOBODY "tcp:127.0.0.1:1" /* tcpmux: nobody listens */

struct joining {
    struct harness harness;
    struct buf ca, cert, spki;
    struct secret ca_key, key;
};

static void put_file(struct joining *j, const char *name, struct bytes content)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", j->harness.config.state_dir, name);
    UNIT_OK(keyfile_write(path, content));
}

static bool has_file(const struct joining *j, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", j->harness.config.state_dir, name);
    return access(path, F_OK) == 0;
}

static void set_path(struct joining *j, char **field, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", j->harness.dir, name);
    harness_set(field, path);
}

/* Configuration and key of an HSM that is to join, an authority, and a certificate for the key. */
static void joining_init(struct joining *j)
{
    int fd = -1;
    memset(j, 0, sizeof *j);
    j->ca = j->cert = j->spki = (struct buf)BUF_INIT;
    harness_init(&j->harness);
    struct server_config *config = &j->harness.config;
    config->bootstrap = false;
    harness_set(&config->listen_tcp, "127.0.0.1:7001");
    harness_set(&config->listen_peer, "127.0.0.1:7002");
    set_path(j, &config->ca, "ca.pem");
    set_path(j, &config->cert, "node.pem");
    set_path(j, &config->key, "node.key");
    UNIT_OK(server_config_check(config));
    UNIT_OK(crypto_lib_init());
    UNIT_OK(keyfile_lock_dir(config->state_dir, &fd));
    (void)close(fd);
    UNIT_OK(pki_ca_new(crypto_lib(), HARNESS_CLUSTER, 10, &j->ca, &j->ca_key));
    UNIT_OK(pki_key_new(crypto_lib(), &j->key));
    UNIT_OK(pki_key_public(crypto_lib(), &j->key, &j->spki));
    UNIT_OK(keyfile_write(config->key, secret_expose(&j->key)));
    const struct pki_subject subject = {.role = TLS_ROLE_JOINER,
                                        .cluster = HARNESS_CLUSTER,
                                        .name = "00112233445566778899aabbccddeeff",
                                        .days = 1};
    UNIT_OK(pki_certify(crypto_lib(), buf_bytes(&j->ca), &j->ca_key, &subject, buf_bytes(&j->spki),
                        &j->cert));
}

static void joining_clear(struct joining *j)
{
    buf_clear(&j->ca);
    buf_clear(&j->cert);
    buf_clear(&j->spki);
    secret_clear(&j->ca_key);
    secret_clear(&j->key);
    harness_clear(&j->harness);
}

static ProtobufCBinaryData data_of(const struct buf *buf)
{
    return (ProtobufCBinaryData){.data = buf->ptr, .len = buf->len};
}

static void put_ticket(struct joining *j, uint8_t cluster_first, const char *endpoint, bool as_text)
{
    Qhsm__JoinTicket ticket = QHSM__JOIN_TICKET__INIT;
    uint8_t cluster[16];
    uint8_t packed[4096];
    char text[64];
    char *endpoints[1] = {text};
    struct buf code = BUF_INIT;
    memcpy(cluster, j->harness.config.cluster_id, sizeof cluster);
    cluster[0] ^= cluster_first;
    ticket.cluster = (ProtobufCBinaryData){.data = cluster, .len = sizeof cluster};
    ticket.ca_pem = data_of(&j->ca);
    ticket.cert_pem = data_of(&j->cert);
    if (endpoint != NULL) {
        (void)snprintf(text, sizeof text, "%s", endpoint);
        ticket.n_endpoints = 1;
        ticket.endpoints = endpoints;
    }
    CU_ASSERT_FATAL(qhsm__join_ticket__get_packed_size(&ticket) <= sizeof packed);
    struct bytes content = bytes_of(packed, qhsm__join_ticket__pack(&ticket, packed));
    if (as_text) {
        UNIT_OK(text_code_write(TEXT_CODE_JOIN, content, &code));
        content = buf_bytes(&code);
    }
    put_file(j, JOIN_TICKET_FILE, content);
    buf_clear(&code);
}

static void join_is_wanted_with_a_ticket_and_without_a_master_key(void)
{
    struct joining j;
    joining_init(&j);
    CU_ASSERT_FALSE(join_is_wanted(&j.harness.config));
    put_file(&j, JOIN_TICKET_FILE, bytes_of_str("x"));
    CU_ASSERT(join_is_wanted(&j.harness.config));
    put_file(&j, "master.key", bytes_of_str("x"));
    CU_ASSERT_FALSE(join_is_wanted(&j.harness.config));
    joining_clear(&j);
}

static void number_that_was_given_overrides_the_configuration(void)
{
    static const char *const bad[] = {"", "0\n", "x\n", "7x\n", "16384\n", "-1\n"};
    struct joining j;
    joining_init(&j);
    j.harness.config.node = 1;
    UNIT_OK(join_number(&j.harness.config));
    CU_ASSERT_EQUAL(j.harness.config.node, 1);
    put_file(&j, JOIN_NUMBER_FILE, bytes_of_str("7\n"));
    UNIT_OK(join_number(&j.harness.config));
    CU_ASSERT_EQUAL(j.harness.config.node, 7);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(&j, JOIN_NUMBER_FILE, bytes_of_str(bad[i]));
        UNIT_RC(join_number(&j.harness.config), RC_TAMPERED);
    }
    CU_ASSERT_EQUAL(j.harness.config.node, 7);
    joining_clear(&j);
}

static void ticket_that_is_none_or_of_another_cluster_is_refused(void)
{
    struct joining j;
    const bool stop = true;
    joining_init(&j);
    put_file(&j, JOIN_TICKET_FILE, bytes_of_str("qhsm-join-1.*"));
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_BAD_ARGUMENT);
    put_file(&j, JOIN_TICKET_FILE, bytes_of_str("\xFF\xFF\xFF"));
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_BAD_ARGUMENT);
    put_ticket(&j, 1, NOBODY, true);
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "another cluster"));
    put_ticket(&j, 0, NULL, true);
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_BAD_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "no HSM"));
    joining_clear(&j);
}

static void ticket_for_another_key_is_refused(void)
{
    struct joining j;
    struct secret other = SECRET_INIT;
    const bool stop = true;
    joining_init(&j);
    put_ticket(&j, 0, NOBODY, false);
    UNIT_OK(pki_key_new(crypto_lib(), &other));
    UNIT_OK(keyfile_write(j.harness.config.key, secret_expose(&other)));
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "not for the key"));
    secret_clear(&other);
    joining_clear(&j);
}

static void joiner_without_a_door_for_the_others_is_refused(void)
{
    struct joining j;
    const bool stop = true;
    joining_init(&j);
    put_ticket(&j, 0, NOBODY, true);
    free(j.harness.config.listen_peer);
    j.harness.config.listen_peer = NULL;
    UNIT_RC(join_cluster(&j.harness.config, &stop), RC_CONFIG);
    joining_clear(&j);
}

/* Nobody answers: it waits until it is told to stop, and the ticket stays. */
static void wait_for_a_cluster_ends_when_it_is_told_to(void)
{
    struct joining j;
    const bool stop = true;
    joining_init(&j);
    for (unsigned as_text = 0; as_text < 2; as_text++) {
        put_ticket(&j, 0, NOBODY, as_text == 1);
        UNIT_RC(join_cluster(&j.harness.config, &stop), RC_CANCELLED);
        CU_ASSERT(has_file(&j, JOIN_TICKET_FILE));
        CU_ASSERT_FALSE(has_file(&j, "master.key"));
    }
    joining_clear(&j);
}

static void directory_of_a_joiner_is_taken_without_a_log_only_once(void)
{
    struct joining j;
    struct secret unlock = SECRET_INIT;
    struct secret master = SECRET_INIT;
    struct secret got = SECRET_INIT;
    bool forming = true;
    joining_init(&j);
    const char *dir = j.harness.config.state_dir;
    UNIT_OK(keyfile_unlock_key(j.harness.config.unlock_key, &unlock));
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(random_bytes(master.ptr, master.len));
    UNIT_OK(keyfile_store_master(dir, &unlock, &master));
    UNIT_OK(keyfile_master(dir, &unlock, false, &got, &forming));
    CU_ASSERT(secret_equal(&got, secret_expose(&master)));
    CU_ASSERT_FALSE(forming);
    UNIT_OK(keyfile_joined(dir));
    UNIT_OK(keyfile_joined(dir)); /* again */
    UNIT_RC(keyfile_master(dir, &unlock, false, &got, &forming), RC_DISK);
    secret_clear(&unlock);
    secret_clear(&master);
    secret_clear(&got);
    joining_clear(&j);
}

static void context_of_a_master_key_is_of_one_cluster_and_one_number(void)
{
    const uint8_t one[16] = {1};
    const uint8_t two[16] = {2};
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    struct buf c = BUF_INIT;
    UNIT_OK(join_master_context(one, 5, &a));
    UNIT_OK(join_master_context(two, 5, &b));
    UNIT_OK(join_master_context(one, 6, &c));
    CU_ASSERT_FALSE(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    CU_ASSERT_FALSE(bytes_equal(buf_bytes(&a), buf_bytes(&c)));
    buf_clear(&a);
    buf_clear(&b);
    buf_clear(&c);
}

UNIT_SUITE("join", UNIT_CASE(join_is_wanted_with_a_ticket_and_without_a_master_key),
           UNIT_CASE(number_that_was_given_overrides_the_configuration),
           UNIT_CASE(ticket_that_is_none_or_of_another_cluster_is_refused),
           UNIT_CASE(ticket_for_another_key_is_refused),
           UNIT_CASE(joiner_without_a_door_for_the_others_is_refused),
           UNIT_CASE(wait_for_a_cluster_ends_when_it_is_told_to),
           UNIT_CASE(directory_of_a_joiner_is_taken_without_a_log_only_once),
           UNIT_CASE(context_of_a_master_key_is_of_one_cluster_and_one_number));
