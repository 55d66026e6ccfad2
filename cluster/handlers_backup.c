/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of this HSM, and restoring into this cluster. */
#include <string.h>

#include "cluster/backup.h"
#include "cluster/handlers.h"
#include "cluster/requests.h"

#define LIST_MAX 1000U

/* Some tests run a daemon without them. */
static enum rc find_backups(const struct call *call, struct backups **out)
{
    *out = call->service->backups;
    return *out != NULL ? RC_OK : rc_fail(RC_UNAVAILABLE, "this HSM makes no backups");
}

static void put_info(struct backup_info *info, Qhsm__BackupInfo *out)
{
    qhsm__backup_info__init(out);
    out->name = info->name;
    out->bytes = info->bytes;
    out->time_ms = info->time_ms;
    out->index = info->index;
    out->objects = info->objects;
    out->cluster = handlers_data(bytes_of(info->cluster, sizeof info->cluster));
    out->threshold = info->threshold;
    out->shares = info->shares;
    out->reason = info->reason;
}

/* `infos` live until the call's reset. */
static enum rc reply_with(struct call *call, struct backup_info *infos, size_t count)
{
    Qhsm__BackupInfo *items = call_alloc(call, count + 1, sizeof *items);
    Qhsm__BackupInfo **list = call_alloc(call, count + 1, sizeof *list);
    if (items == NULL || list == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        put_info(&infos[i], &items[i]);
        list[i] = &items[i];
    }
    Qhsm__BackupReply *reply = &call->body.backups;
    qhsm__backup_reply__init(reply);
    reply->n_backups = count;
    reply->backups = list;
    call->response.body_case = QHSM__RESPONSE__BODY_BACKUPS;
    call->response.backups = reply;
    return RC_OK;
}

enum rc handlers_backup_create(struct call *call)
{
    struct backups *backups = NULL;
    struct backup_info *info = call_alloc(call, 1, sizeof *info);
    if (info == NULL)
        return RC_NO_MEMORY;
    TRY(find_backups(call, &backups));
    TRY(backups_make(backups, "manual", info));
    return reply_with(call, info, 1);
}

enum rc handlers_backup_list(struct call *call)
{
    struct backups *backups = NULL;
    struct backup_info *infos = call_alloc(call, LIST_MAX, sizeof *infos);
    if (infos == NULL)
        return RC_NO_MEMORY;
    TRY(find_backups(call, &backups));
    size_t count = backups_list(backups, infos, LIST_MAX);
    return reply_with(call, infos, count < LIST_MAX ? count : LIST_MAX);
}

enum rc handlers_backup_verify(struct call *call)
{
    struct backups *backups = NULL;
    struct backup_info *info = call_alloc(call, 1, sizeof *info);
    if (info == NULL)
        return RC_NO_MEMORY;
    TRY(find_backups(call, &backups));
    TRY(backups_verify(backups, call->request->backup_verify->name, info));
    return reply_with(call, info, 1);
}

static enum rc reply_progress(struct call *call, struct backups *backups)
{
    struct backup_restore_status *status = call_alloc(call, 1, sizeof *status);
    if (status == NULL)
        return RC_NO_MEMORY;
    TRY(backups_restore_status(backups, status));
    Qhsm__RestoreReply *reply = &call->body.restore;
    qhsm__restore_reply__init(reply);
    reply->done = status->done;
    reply->total = status->total;
    reply->finished = status->finished;
    reply->rc = (uint32_t)status->rc;
    reply->detail = status->detail;
    call->response.body_case = QHSM__RESPONSE__BODY_RESTORE;
    call->response.restore = reply;
    return RC_OK;
}

enum rc handlers_backup_restore(struct call *call)
{
    const Qhsm__RestoreRequest *in = call->request->backup_restore;
    struct backups *backups = NULL;
    TRY(find_backups(call, &backups));
    TRY(backups_restore(backups, in->path, (const char *const *)in->shares, in->n_shares));
    return reply_progress(call, backups);
}

enum rc handlers_backup_restore_status(struct call *call)
{
    struct backups *backups = NULL;
    TRY(find_backups(call, &backups));
    return reply_progress(call, backups);
}
