/* SPDX-License-Identifier: Apache-2.0 */
/* TagResource, UntagResource, ListResourceTags. */
#include <stdlib.h>
#include <strings.h>

#include "kms/key_new.h"
#include "kms/operations.h"
#include "kms/page.h"

#define LIST_PAGE 50U

enum kms_error op_tag_resource(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(key_to_change(request, &key));
    KMS_TRY(key_admit_tags(request, key));
    return request_commit_key(request, key);
}

enum kms_error op_untag_resource(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    const json_t *names = json_object_get(request->in, "TagKeys");
    KMS_TRY(key_to_change(request, &key));
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (strncasecmp(name, "aws:", 4) == 0)
            return kms_fail(KMS_TAG, "Tags beginning with aws: are reserved");
        key_unset_tag(key, name);
    }
    return request_commit_key(request, key);
}

static int compare_tags(const void *a, const void *b)
{
    return strcmp(((const struct key_tag *)a)->key, ((const struct key_tag *)b)->key);
}

enum kms_error op_list_resource_tags(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    struct key_tag tags[KMS_TAGS_MAX];
    AUTO_PAGE page = PAGE_INIT;
    KMS_TRY(page_open(request, LIST_PAGE, LIST_PAGE, &page));
    memcpy(tags, key->tags, sizeof tags);
    qsort(tags, key->tag_count, sizeof tags[0], compare_tags);
    for (size_t i = 0; i < key->tag_count; i++) {
        if (strcmp(tags[i].key, page.after) <= 0)
            continue;
        if (!page_add(&page, tags[i].key,
                      json_pack("{s:s, s:s}", "TagKey", tags[i].key, "TagValue", tags[i].value)))
            break;
    }
    return page_close(request, &page, "Tags");
}
