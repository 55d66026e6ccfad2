/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that keys have when nobody gives one. Source: AWS KMS Developer Guide, "Default key
 * policy" and "View the key policy of an AWS managed key". */
#include "common/buf.h"
#include "kms/policy.h"

enum rc policy_default(const char *account, struct buf *out)
{
    return buf_printf(out,
                      "{\n"
                      "  \"Version\" : \"2012-10-17\",\n"
                      "  \"Id\" : \"key-default-1\",\n"
                      "  \"Statement\" : [ {\n"
                      "    \"Sid\" : \"Enable IAM User Permissions\",\n"
                      "    \"Effect\" : \"Allow\",\n"
                      "    \"Principal\" : {\n"
                      "      \"AWS\" : \"arn:aws:iam::%s:root\"\n"
                      "    },\n"
                      "    \"Action\" : \"kms:*\",\n"
                      "    \"Resource\" : \"*\"\n"
                      "  } ]\n"
                      "}",
                      account);
}

enum rc policy_default_managed(const char *account, const char *region, const char *service,
                               struct buf *out)
{
    TRY(buf_printf(out,
                   "{\n"
                   "  \"Version\" : \"2012-10-17\",\n"
                   "  \"Id\" : \"auto-%s-1\",\n"
                   "  \"Statement\" : [ {\n"
                   "    \"Sid\" : \"Allow access through %s for all principals in the account that "
                   "are authorized to use it\",\n"
                   "    \"Effect\" : \"Allow\",\n"
                   "    \"Principal\" : {\n"
                   "      \"AWS\" : \"*\"\n"
                   "    },\n"
                   "    \"Action\" : [ \"kms:Encrypt\", \"kms:Decrypt\", \"kms:ReEncrypt*\", "
                   "\"kms:GenerateDataKey*\", \"kms:CreateGrant\", \"kms:DescribeKey\" ],\n"
                   "    \"Resource\" : \"*\",\n",
                   service, service));
    return buf_printf(out,
                      "    \"Condition\" : {\n"
                      "      \"StringEquals\" : {\n"
                      "        \"kms:CallerAccount\" : \"%s\",\n"
                      "        \"kms:ViaService\" : \"%s.%s.amazonaws.com\"\n"
                      "      }\n"
                      "    }\n"
                      "  }, {\n"
                      "    \"Sid\" : \"Allow direct access to key metadata to the account\",\n"
                      "    \"Effect\" : \"Allow\",\n"
                      "    \"Principal\" : {\n"
                      "      \"AWS\" : \"arn:aws:iam::%s:root\"\n"
                      "    },\n"
                      "    \"Action\" : [ \"kms:Describe*\", \"kms:Get*\", \"kms:List*\", "
                      "\"kms:RevokeGrant\" ],\n"
                      "    \"Resource\" : \"*\"\n"
                      "  } ]\n"
                      "}",
                      account, service, region, account);
}
