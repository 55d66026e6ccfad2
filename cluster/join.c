/* SPDX-License-Identifier: Apache-2.0 */
/* The joiner's side. Everything that it is given is stored before the master key, which ends the
 * joining: a start that was cut short anywhere before asks again. */
#include "cluster/join.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster/join_internal.h"
#include "cluster/keyfile.h"
#include "cluster/service.h"
#include "rpc/text_code.h"
#include "token/crypto_lib.h"
#include "token/seal.h"

#define TICKET_MAX   ((size_t)64 * 1024)
#define ASK_STEP_MS  250U
#define LOOK_STEP_MS 25U
#define TELL_MS      5000U

static enum rc in_state(const struct server_config *config, const char *name, struct buf *out)
{
    return buf_printf(out, "%s/%s", config->state_dir, name);
}

static bool has_file(const struct server_config *config, const char *name)
{
    AUTO_BUF path = BUF_INIT;
    return in_state(config, name, &path) == RC_OK && access(buf_str(&path), F_OK) == 0;
}

bool join_is_wanted(const struct server_config *config)
{
    return has_file(config, JOIN_TICKET_FILE) && !has_file(config, "master.key");
}

enum rc join_number(struct server_config *config)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    char *end = NULL;
    if (!has_file(config, JOIN_NUMBER_FILE))
        return RC_OK;
    TRY(in_state(config, JOIN_NUMBER_FILE, &path));
    TRY(keyfile_read(buf_str(&path), &text));
    unsigned long number = strtoul(buf_str(&text), &end, 10);
    if (number == 0 || number > JOIN_NUMBER_MAX || (*end != 0 && *end != '\n'))
        return rc_fail(RC_TAMPERED, "%s has no number of an HSM", buf_str(&path));
    config->node = number;
    return RC_OK;
}

enum rc join_master_context(const uint8_t cluster[16], uint64_t node, struct buf *out)
{
    TRY(buf_put_str(out, "qhsm master key for a joiner"));
    TRY(buf_append(out, bytes_of(cluster, 16)));
    return buf_put_u64(out, node);
}

/* ---- what is there */

static enum rc read_ticket(const struct server_config *config, struct joiner *joiner)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF content = BUF_INIT_MAX(TICKET_MAX);
    AUTO_BUF packed = BUF_INIT_MAX(TICKET_MAX);
    TRY(in_state(config, JOIN_TICKET_FILE, &path));
    TRY(keyfile_read(buf_str(&path), &content));
    if (strstr(buf_str(&content), TEXT_CODE_JOIN) != NULL)
        TRY(text_code_read(TEXT_CODE_JOIN, buf_str(&content), &packed));
    else
        TRY(buf_append(&packed, buf_bytes(&content)));
    joiner->ticket = qhsm__join_ticket__unpack(NULL, packed.len, packed.ptr);
    if (joiner->ticket == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "%s is no join token", buf_str(&path));
    struct bytes cluster = bytes_of(joiner->ticket->cluster.data, joiner->ticket->cluster.len);
    if (!bytes_equal(cluster, bytes_of(config->cluster_id, sizeof config->cluster_id)))
        return rc_fail(RC_CONFIG, "the join token is of another cluster than `cluster` (%s)",
                       config->cluster);
    return RC_OK;
}

/* Made by `qhsm cluster join`; the token is good for this key alone. */
static enum rc read_key(const struct server_config *config, struct joiner *joiner)
{
    AUTO_BUF path = BUF_INIT;
    TRY(in_state(config, JOIN_KEY_FILE, &path));
    const char *name = buf_str(&path);
    if (access(name, F_OK) != 0 && config->key != NULL)
        name = config->key;
    TRY(keyfile_read_secret(name, &joiner->key_pem));
    TRY(pki_key_public(joiner->lib, &joiner->key_pem, &joiner->spki));
    return pki_key_scalar(joiner->lib, &joiner->key_pem, &joiner->scalar);
}

static enum rc check_config(const struct server_config *config)
{
    if (config->listen_peer == NULL || config->listen_tcp == NULL || config->ca == NULL ||
        config->cert == NULL || config->key == NULL)
        return rc_fail(RC_CONFIG, "an HSM that joins needs listen_peer, listen_tcp, ca, cert and "
                                  "key; the files are written when it is approved");
    return RC_OK;
}

static enum rc joiner_open(const struct server_config *config, struct joiner *joiner)
{
    TRY(check_config(config));
    TRY(tls_library_new(&joiner->lib));
    TRY(read_ticket(config, joiner));
    TRY(read_key(config, joiner));
    TRY(keyfile_unlock_key(config->unlock_key, &joiner->unlock));
    return join_dial(joiner);
}

static void joiner_close(struct joiner *joiner)
{
    rpc_client_free(joiner->client);
    client_config_free(joiner->client_config);
    if (joiner->ticket != NULL)
        qhsm__join_ticket__free_unpacked(joiner->ticket, NULL);
    buf_clear(&joiner->spki);
    secret_clear(&joiner->key_pem);
    secret_clear(&joiner->scalar);
    secret_clear(&joiner->unlock);
    tls_library_free(joiner->lib);
    if (joiner->lock_fd >= 0)
        (void)close(joiner->lock_fd);
}

/* ---- what is given */

static enum rc open_master(const struct server_config *config, const struct joiner *joiner,
                           const Qhsm__JoinReply *reply, struct secret *out)
{
    AUTO_BUF context = BUF_INIT;
    TRY(join_master_context(config->cluster_id, reply->node, &context));
    TRY(envelope_open(&joiner->scalar, buf_bytes(&context),
                      bytes_of(reply->master.data, reply->master.len), out));
    return out->len == MASTER_KEY_LEN ? RC_OK
                                      : rc_fail(RC_TAMPERED, "a master key of %zu bytes", out->len);
}

static enum rc check_certificate(const struct joiner *joiner, const Qhsm__JoinReply *reply)
{
    AUTO_BUF certified = BUF_INIT;
    struct bytes pem = bytes_of(reply->cert_pem.data, reply->cert_pem.len);
    TRY(pki_key_of_cert(joiner->lib, pem, &certified));
    if (!bytes_equal(buf_bytes(&certified), buf_bytes(&joiner->spki)))
        return rc_fail(RC_TLS, "the certificate that came is for another key");
    return RC_OK;
}

/* Files that several HSMs of a host share keep their mode. */
static enum rc store(const char *path, struct bytes content)
{
    AUTO_BUF present = BUF_INIT;
    if (access(path, F_OK) == 0 && keyfile_read(path, &present) == RC_OK &&
        bytes_equal(buf_bytes(&present), content))
        return RC_OK;
    return keyfile_write(path, content);
}

static enum rc take_in(struct server_config *config, struct joiner *joiner,
                       const Qhsm__JoinReply *reply)
{
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF number = BUF_INIT;
    TRY(check_certificate(joiner, reply));
    TRY(open_master(config, joiner, reply, &master));
    TRY(store(config->ca, bytes_of(reply->ca_pem.data, reply->ca_pem.len)));
    TRY(store(config->cert, bytes_of(reply->cert_pem.data, reply->cert_pem.len)));
    TRY(store(config->key, secret_expose(&joiner->key_pem)));
    TRY(in_state(config, JOIN_NUMBER_FILE, &path));
    TRY(buf_printf(&number, "%llu\n", (unsigned long long)reply->node));
    TRY(keyfile_write(buf_str(&path), buf_bytes(&number)));
    TRY(keyfile_store_master(config->state_dir, &joiner->unlock, &master));
    config->node = (unsigned long)reply->node;
    buf_clear(&path);
    TRY(in_state(config, JOIN_TICKET_FILE, &path));
    return keyfile_remove(buf_str(&path));
}

/* ---- waiting */

static enum rc pause_ms(unsigned ms, const volatile bool *stop)
{
    const struct timespec step = {.tv_nsec = (long)LOOK_STEP_MS * 1000 * 1000};
    for (unsigned done = 0; done < ms; done += LOOK_STEP_MS) {
        if (stop != NULL && *stop)
            return rc_fail(RC_CANCELLED, "stopped while waiting to join");
        (void)nanosleep(&step, NULL);
    }
    return RC_OK;
}

/* Now and then, and when it is something else. */
static void tell(struct joiner *joiner, enum rc rc, const Qhsm__JoinReply *reply)
{
    uint64_t now = clock_steady_ms();
    if (joiner->told_rc == rc && joiner->told_ms != 0 && now < joiner->told_ms + TELL_MS)
        return;
    joiner->told_rc = rc;
    joiner->told_ms = now;
    if (rc == RC_OK)
        log_info("join_waits_for_approval", "node=%llu next=\"qhsm member approve %llu\"",
                 (unsigned long long)reply->node, (unsigned long long)reply->node);
    else
        log_warn("join_waits", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
}

static bool is_passing(enum rc rc)
{
    static const enum rc passing[] = {RC_UNAVAILABLE, RC_DEADLINE,       RC_NO_QUORUM,
                                      RC_OVERLOADED,  RC_CONFLICT,       RC_DRAINING,
                                      RC_NO_LEADER,   RC_OUTCOME_UNKNOWN};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (rc == passing[i])
            return true;
    return false;
}

/* *out_done: it is in. */
static enum rc ask_once(struct server_config *config, struct joiner *joiner, bool *out_done)
{
    struct rpc_reply reply = {.msg = NULL};
    enum rc rc = join_ask(config, joiner, &reply);
    const Qhsm__JoinReply *join = NULL;
    if (rc == RC_OK && reply.msg->body_case == QHSM__RESPONSE__BODY_JOIN)
        join = reply.msg->join;
    if (rc == RC_OK && join == NULL)
        rc = rc_fail(RC_PROTOCOL, "the answer is not one to a joiner");
    *out_done = rc == RC_OK && join->cert_pem.len > 0;
    if (*out_done)
        rc = take_in(config, joiner, join);
    else if (rc == RC_OK || is_passing(rc))
        tell(joiner, rc, join);
    rpc_reply_clear(joiner->client, &reply);
    return !*out_done && is_passing(rc) ? RC_OK : rc;
}

static enum rc ask_in(struct server_config *config, struct joiner *joiner,
                      const volatile bool *stop)
{
    bool done = false;
    log_info("joining", "cluster=%s zone=%s address=%s endpoint=%s", config->cluster, config->zone,
             config->address, config->endpoint);
    for (;;) {
        TRY(ask_once(config, joiner, &done));
        if (done)
            return RC_OK;
        TRY(pause_ms(ASK_STEP_MS, stop));
    }
}

enum rc join_cluster(struct server_config *config, const volatile bool *stop)
{
    struct joiner joiner = {.lock_fd = -1,
                            .spki = BUF_INIT,
                            .key_pem = SECRET_INIT,
                            .scalar = SECRET_INIT,
                            .unlock = SECRET_INIT};
    enum rc rc = crypto_lib_init(); /* the server, which comes after, finds it done */
    if (rc == RC_OK)
        rc = keyfile_lock_dir(config->state_dir, &joiner.lock_fd);
    if (rc == RC_OK)
        rc = joiner_open(config, &joiner);
    if (rc == RC_OK)
        rc = ask_in(config, &joiner, stop);
    joiner_close(&joiner);
    if (rc == RC_OK)
        log_info("joined", "cluster=%s node=%lu", config->cluster, config->node);
    return rc;
}
