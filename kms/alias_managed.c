/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of services, "alias/aws/NAME": made when first named; nobody but the service uses them,
 * and nobody changes them. Source: AWS KMS Developer Guide, "AWS managed keys". */
#include <stdio.h>
#include <stdlib.h>

#include "kms/alias.h"
#include "kms/backing.h"
#include "kms/key_new.h"
#include "kms/policy.h"

#define PREFIX      "alias/aws/"
#define DAY_MS      ((uint64_t)24 * 60 * 60 * 1000)
#define ROTATE_DAYS 365U

struct service {
    const char *alias;   /* after the prefix */
    const char *service; /* of kms:ViaService */
    const char *description;
};

static const struct service services[] = {
    {"acm", "acm", "Default key that protects my ACM private keys when no other key is defined"},
    {"backup", "backup", "Default key that protects my Backup data when no other key is defined"},
    {"dynamodb", "dynamodb",
     "Default key that protects my DynamoDB data when no other key is defined"},
    {"ebs", "ec2", "Default key that protects my EBS volumes when no other key is defined"},
    {"elasticfilesystem", "elasticfilesystem",
     "Default key that protects my EFS filesystems when no other key is defined"},
    {"es", "es", "Default key that protects my Elasticsearch data when no other key is defined"},
    {"fsx", "fsx", "Default key that protects my FSx resources when no other key is defined"},
    {"glue", "glue", "Default key that protects my Glue data when no other key is defined"},
    {"kinesis", "kinesis",
     "Default key that protects my Kinesis data when no other key is defined"},
    {"lambda", "lambda",
     "Default key that protects my Lambda functions when no other key is defined"},
    {"rds", "rds",
     "Default key that protects my RDS database volumes when no other key is defined"},
    {"redshift", "redshift",
     "Default key that protects my Redshift clusters when no other key is defined"},
    {"s3", "s3", "Default key that protects my S3 objects when no other key is defined"},
    {"secretsmanager", "secretsmanager",
     "Default key that protects my Secrets Manager data when no other key is defined"},
    {"sns", "sns", "Default key that protects my SNS data when no other key is defined"},
    {"sqs", "sqs", "Default key that protects my SQS messages when no other key is defined"},
    {"ssm", "ssm", "Default key that protects my SSM parameters when no other key is defined"},
    {"workspaces", "workspaces",
     "Default key that protects my WorkSpaces volumes when no other key is defined"},
};

static const struct service *service_of(const char *name)
{
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (strcmp(services[i].alias, name + strlen(PREFIX)) == 0)
            return &services[i];
    return NULL;
}

bool alias_is_of_service(const char *name)
{
    return service_of(name) != NULL;
}

static enum kms_error fill(const struct kms_request *request, const struct service *service,
                           struct key *key)
{
    AUTO_BUF policy = BUF_INIT;
    key->aws_managed = true;
    key->rotation = (struct key_rotation){
        .enabled = true,
        .period_days = ROTATE_DAYS,
        .next_ms = request->now_ms + ROTATE_DAYS * DAY_MS,
    };
    KMS_TRY(kms_from_rc(key_set_description(key, service->description)));
    KMS_TRY(kms_from_rc(policy_default_managed(request->identity.account, request->region,
                                               service->service, &policy)));
    return key_set_policy(key, buf_str(&policy));
}

/* Key and alias at once. */
static enum rc commit(struct kms_request *request, const struct key *key, const char *name)
{
    struct alias alias = {.created_ms = request->now_ms, .updated_ms = request->now_ms};
    (void)snprintf(alias.name, sizeof alias.name, "%s", name);
    (void)snprintf(alias.target, sizeof alias.target, "%s", key->id);
    char path[ALIAS_PATH_MAX];
    json_t *value = NULL;
    struct view_changes changes = {.count = 0};
    if (!alias_path(key->region, key->account, name, path))
        return rc_fail(RC_INTERNAL, "%s is no alias", name);
    TRY(key_add_change(&changes, NULL, key));
    enum rc rc = alias_encode(&alias, &value);
    if (rc == RC_OK)
        rc = view_changes_add(&changes, path, 0, value);
    if (rc == RC_OK)
        rc = view_commit(request->kms->view, &changes);
    view_changes_clear(&changes);
    return rc;
}

enum kms_error alias_make_managed(struct kms_request *request, const char *name)
{
    const struct service *service = service_of(name);
    if (service == NULL)
        return kms_fail_plain(KMS_NOT_FOUND);
    AUTO_KEY *key = NULL;
    KMS_TRY(key_new(request, false, &key));
    KMS_TRY(fill(request, service, key));
    KMS_TRY(backing_create(request, key));
    enum rc rc = commit(request, key, name);
    if (rc == RC_OK)
        return KMS_OK;
    if (rc != RC_OUTCOME_UNKNOWN)
        backing_delete(request->kms, key, &key->materials[0]);
    return request_from_commit(request, rc);
}
