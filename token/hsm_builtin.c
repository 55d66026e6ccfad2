/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that every token shows and nobody made: the profiles (PKCS#11 Profiles 3.1) that this
 * HSM conforms to. Not the authentication token: it would have to hold a certificate already. */
#include "token/hsm_internal.h"

static const struct {
    CK_PROFILE_ID id;
    const char *label;
} profiles[BUILTINS_COUNT] = {
    {CKP_BASELINE_PROVIDER, "Baseline Provider"},
    {CKP_EXTENDED_PROVIDER, "Extended Provider"},
};

static enum rc profile_new(const struct seal_keys *keys, size_t index, struct object **out)
{
    AUTO_BUF record = BUF_INIT;
    uint8_t numbers[2][8];
    char unique[2 * UNIQUE_ID_LEN + 1];
    struct object_parts parts = {.version = 1};
    struct attr_list *list = &parts.public_attrs;
    parts.unique_id[UNIQUE_ID_LEN - 1] = (uint8_t)profiles[index].id;
    (void)snprintf(unique, sizeof unique, "%032lx", profiles[index].id);
    TRY(attr_list_add(list, CKA_CLASS, attr_ulong(numbers[0], CKO_PROFILE)));
    TRY(attr_list_add(list, CKA_PROFILE_ID, attr_ulong(numbers[1], profiles[index].id)));
    TRY(attr_list_add(list, CKA_TOKEN, attr_true()));
    TRY(attr_list_add(list, CKA_PRIVATE, attr_false()));
    TRY(attr_list_add(list, CKA_MODIFIABLE, attr_false()));
    TRY(attr_list_add(list, CKA_COPYABLE, attr_false()));
    TRY(attr_list_add(list, CKA_DESTROYABLE, attr_false()));
    TRY(attr_list_add(list, CKA_LABEL, bytes_of_str(profiles[index].label)));
    TRY(attr_list_add(list, CKA_UNIQUE_ID, bytes_of_str(unique)));
    TRY(object_build(keys, &parts, &record));
    return object_from_record(BUILTIN_HANDLE_BIT + index, buf_bytes(&record), out);
}

enum rc hsm_builtins_new(struct hsm *hsm)
{
    for (size_t i = 0; i < BUILTINS_COUNT; i++)
        TRY(profile_new(hsm->keys, i, &hsm->builtins[i]));
    return RC_OK;
}

void hsm_builtins_free(struct hsm *hsm)
{
    for (size_t i = 0; i < BUILTINS_COUNT; i++)
        object_unref(hsm->builtins[i]);
}

struct object *hsm_builtin(const struct hsm *hsm, uint64_t handle)
{
    uint64_t index = handle - BUILTIN_HANDLE_BIT;
    return index < BUILTINS_COUNT ? object_ref(hsm->builtins[index]) : NULL;
}

bool hsm_builtins_find(const struct hsm *hsm, struct attrs wanted, uint64_t after,
                       state_visit visit, void *context)
{
    for (size_t i = 0; i < BUILTINS_COUNT; i++) {
        struct object *object = hsm->builtins[i];
        if (object->handle > after && object_matches(object, wanted, false) &&
            !visit(object, context))
            return false;
    }
    return true;
}
