/* SPDX-License-Identifier: Apache-2.0 */
/* Managed policies of AWS that concern KMS. Source: AWS Managed Policy Reference Guide. */
#include <pthread.h>
#include <stdio.h>

#include "kms/iam_records.h"

#define STATEMENT(text) "{\"Version\":\"2012-10-17\",\"Statement\":[{" text "}]}"

static const struct iam_builtin builtins[] = {
    {
        .name = "AdministratorAccess",
        .path = "/",
        .id = "ANPAIWMBCKSKIEE64ZLYK",
        .description = "Provides full access to AWS services and resources.",
        .created = "2015-02-06T18:39:46Z",
        .text = STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\""),
    },
    {
        .name = "AWSKeyManagementServicePowerUser",
        .path = "/",
        .id = "ANPAJNPP7PPPPMJRV2SA4",
        .description = "Provides access to AWS Key Management Service (KMS).",
        .created = "2015-02-06T18:40:40Z",
        .text =
            STATEMENT("\"Effect\":\"Allow\",\"Action\":[\"kms:CreateAlias\",\"kms:CreateKey\","
                      "\"kms:DeleteAlias\",\"kms:Describe*\",\"kms:GenerateRandom\",\"kms:Get*\","
                      "\"kms:List*\",\"kms:TagResource\",\"kms:UntagResource\",\"iam:ListGroups\","
                      "\"iam:ListRoles\",\"iam:ListUsers\"],\"Resource\":\"*\""),
    },
    {
        .name = "ROSAKMSProviderPolicy",
        .path = "/service-role/",
        .id = "ANPAROSAKMSPROVIDER01", /* AWS does not publish it */
        .description = "Allows the built-in ROSA AWS Encryption Provider to manage AWS Key "
                       "Management Service (KMS) keys to support etcd data encryption using a "
                       "customer provided AWS KMS key.",
        .created = "2023-04-27T20:10:00Z",
        .text = STATEMENT(
            "\"Sid\":\"VolumeEncryption\",\"Effect\":\"Allow\",\"Action\":[\"kms:Encrypt\","
            "\"kms:Decrypt\",\"kms:DescribeKey\"],\"Resource\":\"*\",\"Condition\":"
            "{\"StringEquals\":{\"aws:ResourceTag/red-hat\":\"true\"}}"),
    },
};
#define BUILTIN_COUNT (sizeof builtins / sizeof builtins[0])

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct policy *compiled[BUILTIN_COUNT];

static void compile(void)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        const char *text = builtins[i].text;
        if (policy_parse(POLICY_IDENTITY, text, strlen(text), &compiled[i]) != KMS_OK)
            compiled[i] = NULL;
    }
}

const struct iam_builtin *iam_builtin_at(size_t index)
{
    return index < BUILTIN_COUNT ? &builtins[index] : NULL;
}

void iam_builtin_arn(const struct iam_builtin *builtin, char out[IAM_ARN_MAX + 1])
{
    (void)snprintf(out, IAM_ARN_MAX + 1, "arn:aws:iam::aws:policy%s%s", builtin->path,
                   builtin->name);
}

const struct iam_builtin *iam_builtin_find(const char *arn)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        char own[IAM_ARN_MAX + 1];
        iam_builtin_arn(&builtins[i], own);
        if (strcmp(own, arn) == 0)
            return &builtins[i];
    }
    return NULL;
}

const struct policy *iam_builtin_policy(const struct iam_builtin *builtin)
{
    (void)pthread_once(&once, compile);
    return compiled[builtin - builtins];
}
