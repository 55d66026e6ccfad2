/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of administration: users, status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cluster/backup.h"
#include "cluster/handlers.h"
#include "cluster/proposer.h"
#include "common/log.h"
#include "token/restore.h"

#define USERS_MAX          1025U /* those of the policy, and the security officer */
#define WARNINGS_MAX       8U
#define WARNING_LEN        256U
#define CERTIFICATE_SOON_S (30 * 24 * 3600)
#define DISK_LOW_BYTES     ((uint64_t)256 * 1024 * 1024)

/* ---- users */

static void put_user(const struct user_row *user, const struct policy *policy, Qhsm__UserInfo *out)
{
    uint32_t tries = user->tries < policy->pin_tries_max ? user->tries : policy->pin_tries_max;
    qhsm__user_info__init(out);
    out->role = (uint32_t)user->role;
    out->disabled = user->disabled;
    out->tries_left = policy->pin_tries_max - tries;
    out->locked = out->tries_left == 0;
    out->has_pin = user->has_pin;
    out->is_default = strcmp(user->name, DEFAULT_USER_NAME) == 0;
}

enum rc handlers_admin_user_list(struct call *call)
{
    const struct state *state = call->service->hsm->state;
    uint64_t slot = call->request->user_list->slot;
    struct token_row token;
    TRY(state_token(state, slot, &token));
    if (call->caller.logged_in && call->caller.ticket.token != slot)
        return rc_fail(RC_NOT_LOGGED_IN, "the login is of another token");
    struct user_row *users = call_alloc(call, USERS_MAX, sizeof *users);
    if (users == NULL)
        return RC_NO_MEMORY;
    size_t count = state_users(state, slot, users, USERS_MAX);
    if (count > USERS_MAX)
        count = USERS_MAX;
    Qhsm__UserInfo *infos = call_alloc(call, count + 1, sizeof *infos);
    Qhsm__UserInfo **list = call_alloc(call, count + 1, sizeof *list);
    if (infos == NULL || list == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        put_user(&users[i], &token.policy, &infos[i]);
        infos[i].name = users[i].name;
        list[i] = &infos[i];
    }
    Qhsm__UserListReply *reply = &call->body.users;
    qhsm__user_list_reply__init(reply);
    reply->n_users = count;
    reply->users = list;
    call->response.body_case = QHSM__RESPONSE__BODY_USERS;
    call->response.users = reply;
    return RC_OK;
}

enum rc handlers_admin_user_create(struct call *call)
{
    const Qhsm__UserCreateRequest *in = call->request->user_create;
    return hsm_user_create(call->service->hsm, &call->caller, in->name, handlers_bytes(in->pin),
                           &call->mutation);
}

enum rc handlers_admin_user_change(struct call *call)
{
    const Qhsm__UserChangeRequest *in = call->request->user_change;
    if (in->change < USER_CHANGE_PIN || in->change > USER_CHANGE_DELETE)
        return rc_fail(RC_PROTOCOL, "change %u of a user is not known", in->change);
    return hsm_user_change(call->service->hsm, &call->caller, in->name,
                           (enum user_change)in->change, handlers_bytes(in->pin), &call->mutation);
}

/* ---- status */

static uint64_t memory_bytes(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    const char *read = fgets(line, sizeof line, file);
    (void)fclose(file);
    const char *resident = read == NULL ? NULL : strchr(line, ' '); /* after the total */
    uint64_t pages = resident == NULL ? 0 : strtoull(resident, NULL, 10);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t disk_free_bytes(const char *dir)
{
    struct statvfs info;
    return statvfs(dir, &info) == 0 ? (uint64_t)info.f_bavail * info.f_frsize : 0;
}

static enum rc warn(struct call *call, Qhsm__StatusReply *reply, const char *text)
{
    char *copy = call_alloc(call, WARNING_LEN, 1);
    if (copy == NULL)
        return RC_NO_MEMORY;
    (void)snprintf(copy, WARNING_LEN, "%s", text);
    reply->warnings[reply->n_warnings++] = copy;
    return RC_OK;
}

static enum rc put_warnings(struct call *call, Qhsm__StatusReply *reply)
{
    reply->warnings = call_alloc(call, WARNINGS_MAX, sizeof(char *));
    if (reply->warnings == NULL)
        return RC_NO_MEMORY;
    if (!reply->memory_locked)
        TRY(warn(call, reply, "memory is not locked: raise LimitMEMLOCK (ulimit -l)"));
    if (reply->certificate_expires_s != 0 &&
        reply->certificate_expires_s < reply->time_ms / 1000 + CERTIFICATE_SOON_S)
        TRY(warn(call, reply, "the certificate expires in less than 30 days: renew it"));
    if (reply->disk_full)
        TRY(warn(call, reply, "the disk is full: changes are refused until there is space"));
    else if (reply->disk_free_bytes < DISK_LOW_BYTES)
        TRY(warn(call, reply, "less than 256 MiB are free in the state directory"));
    if (reply->draining)
        TRY(warn(call, reply, "this HSM is drained: qhsm member undrain ends it"));
    if (!call->service->config->bootstrap && strcmp(reply->membership, "none") == 0)
        TRY(warn(call, reply, "this HSM is no member of the cluster yet"));
    if (restore_is_under_way(call->service->hsm->state))
        TRY(warn(call, reply, "a backup is being restored, or was in part: qhsm backup status"));
    if (call->service->backups != NULL && backups_are_failing(call->service->backups))
        TRY(warn(call, reply, "the last backup by schedule failed: see the log"));
    if (call->service->proposer != NULL && proposer_check(call->service->proposer) != RC_OK)
        TRY(warn(call, reply, rc_detail()));
    rc_detail_clear();
    return RC_OK;
}

static void put_consensus(struct call *call, Qhsm__StatusReply *reply)
{
    if (call->service->consensus == NULL)
        return;
    struct consensus_status status;
    consensus_status(call->service->consensus, &status);
    reply->role = handlers_text(status.role);
    reply->term = status.term;
    reply->applied = status.applied;
    reply->commit = status.commit;
    reply->loop_max_us = status.loop_max_us;
    reply->leader = status.leader;
    reply->leader_silence_ms = status.silence_ms;
    reply->membership = handlers_text(status.membership);
    reply->audits = status.audits;
    reply->audited = status.audited;
    reply->disk_full = status.disk_full;
    reply->loop_slow = status.loop_slow_count;
    reply->snapshots = status.snapshots;
    reply->snapshots_sent = status.snapshots_sent;
    reply->snapshots_received = status.snapshots_received;
    reply->draining = atomic_load(&call->service->draining);
    if (call->service->proposer != NULL)
        reply->forwarded = proposer_forwarded(call->service->proposer);
}

static enum rc put_counts(struct call *call, Qhsm__StatusReply *reply)
{
    struct service *service = call->service;
    const struct state *state = service->hsm->state;
    uint8_t *hash = call_alloc(call, 32, 1);
    if (hash == NULL)
        return RC_NO_MEMORY;
    reply->state_index = state_hash(state, hash);
    reply->state_hash = handlers_data(bytes_of(hash, 32));
    reply->tokens = state_tokens(state, NULL, 0);
    reply->objects = state_object_count(state);
    reply->session_objects = session_objects_count(service->hsm->sessions);
    reply->connections = atomic_load(&service->connections);
    reply->requests = atomic_load(&service->requests);
    return RC_OK;
}

/* Who is logged in is for the other HSMs alone. The status may be asked for by another request. */
static void put_logins(const struct call *call, Qhsm__StatusReply *reply)
{
    const struct service *service = call->service;
    if (call->request->body_case != QHSM__REQUEST__BODY_STATUS ||
        call->peer->role != TLS_ROLE_NODE || service->logins == NULL)
        return;
    uint64_t user = call->request->status->login_of;
    if (user != 0)
        reply->logins =
            logins_count(service->logins, service->hsm->state, user, call->caller.now_ms);
}

enum rc handlers_admin_status(struct call *call)
{
    struct service *service = call->service;
    const struct server_config *config = service->config;
    Qhsm__StatusReply *reply = &call->body.status;
    qhsm__status_reply__init(reply);
    reply->release = handlers_text(QHSM_VERSION);
    reply->cluster = handlers_data(bytes_of(config->cluster_id, sizeof config->cluster_id));
    reply->node = config->node;
    reply->zone = handlers_text(config->zone);
    put_consensus(call, reply);
    TRY(put_counts(call, reply));
    reply->uptime_ms = clock_steady_ms() - service->started_ms;
    reply->time_ms = clock_wall_ms();
    reply->memory_bytes = memory_bytes();
    reply->memory_locked = service->memory_locked;
    reply->certificate_expires_s = (uint64_t)atomic_load(&service->certificate_expires_s);
    reply->workers = config->workers;
    reply->disk_free_bytes = disk_free_bytes(config->state_dir);
    TRY(put_warnings(call, reply));
    put_logins(call, reply);
    call->response.body_case = QHSM__RESPONSE__BODY_STATUS;
    call->response.status = reply;
    return RC_OK;
}
