/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/forming.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/text_code.h"
#include "tools/dev.h"

#define DAEMON_USER "qhsm"

enum rc forming_init(struct connection *connection, struct bytes ca_pem,
                     const struct secret *ca_key_pem, unsigned threshold, unsigned shares,
                     struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__ClusterInitRequest body = QHSM__CLUSTER_INIT_REQUEST__INIT;
    body.ca_cert_pem = pb_bytes(ca_pem);
    body.ca_key_pem = pb_bytes(secret_expose(ca_key_pem));
    body.threshold = threshold;
    body.shares = shares;
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_INIT;
    request.cluster_init = &body;
    TRY(connection_call(connection, &request, true, out));
    return out->msg->body_case == QHSM__RESPONSE__BODY_CLUSTER_INIT
               ? RC_OK
               : rc_fail(RC_PROTOCOL, "no shares in the answer to cluster init");
}

enum rc forming_token(struct connection *connection, struct bytes spki, bool approved,
                      unsigned life_s, struct buf *out_token)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__JoinTokenRequest body = QHSM__JOIN_TOKEN_REQUEST__INIT;
    body.key = pb_bytes(spki);
    body.approved = approved;
    body.life_s = life_s;
    request.body_case = QHSM__REQUEST__BODY_JOIN_TOKEN;
    request.join_token = &body;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, &request, true, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_JOIN_TOKEN)
        rc = rc_fail(RC_PROTOCOL, "no join token in the answer");
    if (rc == RC_OK)
        rc = text_code_write(
            TEXT_CODE_JOIN,
            bytes_of(reply.msg->join_token->ticket.data, reply.msg->join_token->ticket.len),
            out_token);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc give(const char *path, uid_t user, gid_t group)
{
    if (geteuid() != 0 || user == 0 || chown(path, user, group) == 0)
        return RC_OK;
    return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
}

/* On a host without that user the daemon runs as somebody else: as who made the file. */
static enum rc give_to(const char *name, const char *path)
{
    const struct passwd *user = getpwnam(name);
    return user == NULL ? RC_OK : give(path, user->pw_uid, user->pw_gid);
}

enum rc forming_give(const char *state_dir, const char *path)
{
    struct stat info;
    return stat(state_dir, &info) == 0 ? give(path, info.st_uid, info.st_gid)
                                       : give_to(DAEMON_USER, path);
}

enum rc forming_state_dir(const char *state_dir)
{
    if (access(state_dir, F_OK) == 0)
        return RC_OK;
    TRY(dev_dir_make(state_dir, 0700));
    return give_to(DAEMON_USER, state_dir);
}

enum rc forming_key(OSSL_LIB_CTX *lib, const char *path, struct buf *out_spki)
{
    AUTO_BUF content = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    enum rc rc = dev_file_read(path, &content);
    if (rc == RC_OK) {
        TRY(secret_from_bytes(&key, buf_bytes(&content)));
    } else if (rc == RC_NOT_FOUND) {
        TRY(pki_key_new(lib, &key));
        TRY(dev_file_write(path, 0600, secret_expose(&key)));
    } else {
        return rc;
    }
    return pki_key_public(lib, &key, out_spki);
}

enum rc forming_ticket(const char *state_dir, const char *token)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF ticket = BUF_INIT;
    TRY(text_code_read(TEXT_CODE_JOIN, token, &ticket));
    TRY(buf_printf(&path, "%s/master.key", state_dir));
    if (access(buf_str(&path), F_OK) == 0)
        return rc_fail(RC_EXISTS, "%s is of an HSM that has joined: let it join with an empty one",
                       state_dir);
    TRY(forming_state_dir(state_dir));
    buf_clear(&path);
    TRY(buf_printf(&path, "%s/join.ticket", state_dir));
    TRY(dev_file_write(buf_str(&path), 0600, buf_bytes(&ticket)));
    return forming_give(state_dir, buf_str(&path));
}
