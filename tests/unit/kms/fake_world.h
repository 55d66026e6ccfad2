/* SPDX-License-Identifier: Apache-2.0 */
/* A front end without HSM, daemon and network: documents in memory, a caller by name, backing keys
 * that are numbers. Pipeline, operations, policies, grants and records are the real ones. */
#ifndef QHSM_TESTS_KMS_FAKE_WORLD_H
#define QHSM_TESTS_KMS_FAKE_WORLD_H

#include "kms/request.h"
#include "kms/store.h"

#define WORLD_REGION  "us-east-1"
#define WORLD_ACCOUNT "111122223333"
#define WORLD_OTHER   "444455556666"
#define WORLD_TIME_MS UINT64_C(1763818859123)

struct world {
    struct kms kms;
    struct kms_config config;
    char *regions[2];
    /* The caller: root of an account, or a user with this policy of his own, NULL: without any. */
    char account[KMS_ACCOUNT_LEN + 1];
    bool is_user;
    struct policy *policy;
    bool is_made_again; /* he was deleted, and made under his name: with another unique id */
    char region[KMS_REGION_MAX + 1];
    uint64_t now_ms;
    bool is_store_connected;
    unsigned lose_commits; /* so many compare-and-swaps meet somebody else's */
    unsigned commits, refreshes;
    unsigned permits;       /* of the throttle */
    bool is_throttled;      /* there are no more */
    void (*on_admit)(void); /* once: what another front end does while a store's key is made */
    bool is_trail_full;
    bool is_stale; /* a use of a key met documents that had changed */
    unsigned backing_made, backing_deleted;
    json_t *parameters, *additional; /* of the last record of the trail; NULL */
    char error_code[64];
    char resources[512]; /* ARNs in the last one of the caller's own trail */
    unsigned records;
    /* of the last answer */
    unsigned status;
    char type[64];
    char text[4096];
};
extern struct world world;

/* Empty, root of WORLD_ACCOUNT in WORLD_REGION. */
void world_begin(void);
void world_end(void);
/* Answer's JSON (an object, empty for an empty body), a new reference; status, type and text are in
 * the world. */
json_t *world_call(const char *operation, const char *body);
json_t *world_call_json(const char *operation, json_t *body); /* takes the reference */
/* Does the call end with this error, NULL for none? */
bool world_ends(const char *operation, const char *error, const char *body);
/* CreateKey's KeyId. */
void world_make_key(const char *body, char out_id[KMS_KEY_ID_MAX + 1]);
/* All to the account's root user; to user ann what the condition allows: "Operator":{...} */
void world_put_condition(const char *id, const char *condition);
/* The caller is user ann, and has a policy of these statements: "{...},{...}" */
void world_set_policy(const char *statements);
/* A copy of the key's record, changed and put back beside the API. */
struct key *world_key(const char *id);
void world_put_key(struct key *key); /* frees it */
/* What the chores do at a key's date, and when its backing keys are gone. */
void world_doom_key(const char *region, const char *id);
void world_forget_key(const char *region, const char *id);

#endif
