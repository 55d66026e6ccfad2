/* SPDX-License-Identifier: Apache-2.0 */
/* A front end over a cluster in memory (fake_cluster.h), and callers who sign: view, vault,
 * signatures, policies, IAM and trail are the real ones. */
#ifndef QHSM_TESTS_KMS_IAM_WORLD_H
#define QHSM_TESTS_KMS_IAM_WORLD_H

#include "kms/http.h"
#include "kms/identity.h"
#include "kms/kms.h"
#include "tests/unit/kms/fake_cluster.h"

#define IAM_WORLD_ACCOUNT "111122223333"
#define IAM_WORLD_OTHER   "444455556666"
#define IAM_WORLD_REGION  "eu-central-1"
#define IAM_WORLD_TIME_MS UINT64_C(1795354800000)

struct iam_caller {
    char key[129];
    char secret[64];
    char token[8192]; /* "" */
};

struct iam_world {
    struct fake_cluster cluster;
    struct hsm_client client;
    struct kms_config config;
    struct kms kms;
    char *accounts[2], *regions[2];
    uint64_t now_ms;
    struct iam_caller root, other_root;
    /* of the last answer */
    unsigned status;
    char *body;
};
extern struct iam_world iam_world;

/* `trail_dir` NULL: in memory. */
void iam_world_begin(const char *trail_dir);
void iam_world_end(void);

/* A POST signed by `caller`; `target` NULL: a form. The pointers live until the next one. */
const struct http_request *iam_world_sign(const struct iam_caller *caller, const char *service,
                                          const char *region, const char *target, const char *body);
/* The query protocol: the answer's status. */
unsigned iam_world_call(const struct iam_caller *caller, const char *service, const char *form);
/* As that, and asserts success. */
void iam_world_do(const struct iam_caller *caller, const char *service, const char *form);
/* Asserts that the last answer is that error. */
void iam_world_expect(unsigned status, const char *code);
bool iam_world_has(const char *text);
/* Text of the first <element> of the last answer. */
void iam_world_get(const char *element, char *out, size_t size);
/* A new user with an access key. */
void iam_world_user(const char *name, struct iam_caller *out);
/* AccessKeyId, SecretAccessKey and SessionToken of the last answer. */
void iam_world_take(struct iam_caller *out);
/* PolicyDocument=… percent-encoded, static. */
const char *iam_world_encode(const char *text);

#endif
