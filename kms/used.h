/* SPDX-License-Identifier: Apache-2.0 */
/* When keys and access keys were last used, in memory: written on every use without a lock, and now
 * and then put into documents "used/REGION/ID" and "used/akid/ACCESSKEYID" by the chores. */
#ifndef QHSM_KMS_USED_H
#define QHSM_KMS_USED_H

#include "common/buf.h"
#include "kms/key.h"

/* Of a document and in memory. */
struct used {
    bool is_access_key;
    uint64_t time_ms;
    char what[65];  /* "Decrypt"; of an access key the service: "kms" */
    char where[37]; /* KmsRequestId; of an access key the Region */
};
enum rc used_decode(const char *path, const json_t *value, void **out);
void used_free(void *used);
/* A new reference. */
enum rc used_encode(const struct used *used, json_t **out);

struct kms_request;
/* The key was used by the request, with success. */
void used_note(const struct kms_request *request, const struct record *key);
/* The access key signed a request. `service` lives as long as the process. */
void used_note_access_key(const char *id, const char *service, const char *region,
                          uint64_t time_ms);
/* "used/akid/ACCESSKEYID" */
void used_access_key_path(const char *id, char out[129]);
/* Keys that were used after their document was last written, oldest entry last: `visit` writes
 * it and returns true, or false to leave it for the next time. One thread at a time. */
typedef bool (*used_visit)(void *context, const char *path, const struct used *used);
void used_drain(used_visit visit, void *context);
/* The latest that is known, of the document or of this process; false when there is none. */
bool used_latest(struct view *view, const struct key *key, struct used *out);
bool used_latest_access_key(struct view *view, const char *id, struct used *out);

#endif
