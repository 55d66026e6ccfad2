/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may put into a key. */
#include "kms/key_new.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "kms/hash.h"
#include "kms/iam_random.h"
#include "kms/principal.h"

#define RESERVED_TAG "aws:"

static void make_id(bool multi_region, char out[KMS_KEY_ID_MAX + 1])
{
    uint8_t random[16];
    iam_random(random, sizeof random);
    if (!multi_region) {
        iam_random_uuid(random, out);
        return;
    }
    (void)snprintf(out, KMS_KEY_ID_MAX + 1, "mrk-");
    hash_hex(bytes_of(random, sizeof random), out + 4);
}

enum kms_error key_new(const struct kms_request *request, bool multi_region, struct key **out)
{
    struct key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "a new key"));
    make_id(multi_region, key->id);
    (void)snprintf(key->region, sizeof key->region, "%s", request->region);
    (void)snprintf(key->account, sizeof key->account, "%s", request->identity.account);
    key_name_itself(key);
    key->spec = KEYSTORE_SPEC_AES_256;
    key->use = KEYSTORE_ENCRYPT;
    key->created_ms = request->now_ms;
    key->enabled = true;
    key->multi_region = multi_region;
    if (multi_region)
        (void)snprintf(key->primary_region, sizeof key->primary_region, "%s", request->region);
    key->public_der = (struct buf)BUF_INIT;
    *out = key;
    return KMS_OK;
}

enum kms_error key_to_change(const struct kms_request *request, struct key **out)
{
    return kms_from_rc(key_copy(key_of(request->key), out));
}

/* ---- policies */

static enum kms_error check_lockout(const struct kms_request *request, const struct key *key)
{
    const struct policy_principal caller = identity_as_principal(&request->identity);
    if (request_bool(request, "BypassPolicyLockoutSafetyCheck") ||
        policy_lets(key->policy, &caller, "kms:PutKeyPolicy"))
        return KMS_OK;
    return kms_fail(KMS_MALFORMED_POLICY, "The new key policy will not allow you to update the key "
                                          "policy in the future.");
}

static enum kms_error set_default(const struct kms_request *request, struct key *key)
{
    AUTO_BUF policy = BUF_INIT;
    KMS_TRY(kms_from_rc(policy_default(request->identity.account, &policy)));
    return key_set_policy(key, buf_str(&policy));
}

enum kms_error key_admit_policy(const struct kms_request *request, struct key *key,
                                const char *text)
{
    if (text == NULL)
        return set_default(request, key);
    if (strlen(text) > KEY_POLICY_MAX)
        return kms_fail(KMS_LIMIT_EXCEEDED, "The key policy is longer than the limit of %u bytes",
                        KEY_POLICY_MAX);
    json_t *ids;
    const char *unknown;
    KMS_TRY(key_set_policy(key, text));
    KMS_TRY(principal_ids(request->kms, key->policy, &ids, &unknown));
    KMS_TRY(key_bind_policy(key, ids));
    return check_lockout(request, key);
}

/* ---- tags */

static enum kms_error check_tag(const json_t *list, size_t index)
{
    const char *name = json_string_value(json_object_get(json_array_get(list, index), "TagKey"));
    if (strncasecmp(name, RESERVED_TAG, strlen(RESERVED_TAG)) == 0)
        return kms_fail(KMS_TAG, "Tags beginning with aws: are reserved");
    for (size_t i = 0; i < index; i++) {
        const json_t *other = json_object_get(json_array_get(list, i), "TagKey");
        if (strcmp(json_string_value(other), name) == 0)
            return kms_fail(KMS_TAG, "Duplicate tag keys");
    }
    return KMS_OK;
}

enum kms_error key_admit_tags(const struct kms_request *request, struct key *key)
{
    const json_t *list = json_object_get(request->in, "Tags");
    if (json_array_size(list) > KMS_TAGS_MAX)
        return kms_fail(KMS_TAG, "Too many tags");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tag = json_array_get(list, i);
        KMS_TRY(check_tag(list, i));
        enum rc rc = key_set_tag(key, json_string_value(json_object_get(tag, "TagKey")),
                                 json_string_value(json_object_get(tag, "TagValue")));
        if (rc == RC_LIMIT)
            return kms_fail(KMS_LIMIT_EXCEEDED, "A key can have at most %u tags", KMS_TAGS_MAX);
        KMS_TRY(kms_from_rc(rc));
    }
    return KMS_OK;
}
