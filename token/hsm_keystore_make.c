/* SPDX-License-Identifier: Apache-2.0 */
/* A key store's keys come to be and go: templates from the table, generation, import. */
#include "token/hsm_internal.h"
#include "token/hsm_keystore.h"
#include "token/hsm_keystore_internal.h"
#include "token/key_internal.h"

#define MECHANISMS_MAX 8U

/* A template with the numbers that its views need. */
struct draft_template {
    struct attr_list list;
    uint8_t class_number[8], type_number[8], size_number[8];
    uint8_t mechanisms[MECHANISMS_MAX * 8];
    size_t mechanism_count;
};

/* One use each: who encrypts does not sign. A public half verifies and encrypts; agreement and
 * import need nothing of it here. */
static const struct {
    CK_OBJECT_CLASS object_class;
    CK_ATTRIBUTE_TYPE type;
    enum keystore_use use; /* 0: of no key */
} usages[] = {
    {CKO_SECRET_KEY, CKA_ENCRYPT, KEYSTORE_ENCRYPT},
    {CKO_SECRET_KEY, CKA_DECRYPT, KEYSTORE_ENCRYPT},
    {CKO_SECRET_KEY, CKA_SIGN, KEYSTORE_MAC},
    {CKO_SECRET_KEY, CKA_VERIFY, KEYSTORE_MAC},
    {CKO_SECRET_KEY, CKA_WRAP, 0},
    {CKO_SECRET_KEY, CKA_UNWRAP, 0},
    {CKO_SECRET_KEY, CKA_DERIVE, 0},
    {CKO_PRIVATE_KEY, CKA_DECRYPT, KEYSTORE_ENCRYPT},
    {CKO_PRIVATE_KEY, CKA_SIGN, KEYSTORE_SIGN},
    {CKO_PRIVATE_KEY, CKA_SIGN_RECOVER, 0},
    {CKO_PRIVATE_KEY, CKA_UNWRAP, KEYSTORE_UNWRAP},
    {CKO_PRIVATE_KEY, CKA_DERIVE, KEYSTORE_AGREE},
    {CKO_PUBLIC_KEY, CKA_ENCRYPT, KEYSTORE_ENCRYPT},
    {CKO_PUBLIC_KEY, CKA_VERIFY, KEYSTORE_SIGN},
    {CKO_PUBLIC_KEY, CKA_VERIFY_RECOVER, 0},
    {CKO_PUBLIC_KEY, CKA_WRAP, 0},
    {CKO_PUBLIC_KEY, CKA_DERIVE, 0},
};

static enum rc add_usages(struct attr_list *list, CK_OBJECT_CLASS object_class, uint32_t use)
{
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++)
        if (usages[i].object_class == object_class)
            TRY(attr_list_add(list, usages[i].type, attr_bool(usages[i].use == use)));
    return RC_OK;
}

static bool is_listed(const struct draft_template *draft, uint64_t type)
{
    CK_ULONG listed = 0;
    for (size_t i = 0; i < draft->mechanism_count; i++)
        if (attr_value_ulong(bytes_of(draft->mechanisms + 8 * i, 8), &listed) && listed == type)
            return true;
    return false;
}

/* The law then keeps the key to the algorithms of its spec and use. */
static enum rc add_mechanisms(struct draft_template *draft, const struct keystore_spec_row *spec,
                              uint32_t use)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    struct mech_call call;
    for (size_t i = 0; (algorithm = keystore_algorithm_at(i)) != NULL; i++) {
        if (algorithm->use != use || !keystore_goes_with(spec, algorithm))
            continue;
        TRY(hsm_keystore_call(algorithm, BYTES_NONE, &call));
        if (draft->mechanism_count < MECHANISMS_MAX && !is_listed(draft, call.mech->type))
            (void)attr_ulong(draft->mechanisms + 8 * draft->mechanism_count++, call.mech->type);
    }
    return attr_list_add(&draft->list, CKA_ALLOWED_MECHANISMS,
                         bytes_of(draft->mechanisms, 8 * draft->mechanism_count));
}

static enum rc begin_template(struct draft_template *draft,
                              const struct hsm_keystore_wanted *wanted,
                              const struct keystore_spec_row *spec, CK_OBJECT_CLASS object_class)
{
    struct attr_list *list = &draft->list;
    *draft = (struct draft_template){.mechanism_count = 0};
    TRY(attr_list_add(list, CKA_CLASS, attr_ulong(draft->class_number, object_class)));
    TRY(attr_list_add(list, CKA_KEY_TYPE, attr_ulong(draft->type_number, hsm_keystore_type(spec))));
    TRY(attr_list_add(list, CKA_TOKEN, attr_true()));
    TRY(attr_list_add(list, CKA_PRIVATE, attr_true()));
    TRY(attr_list_add(list, CKA_LABEL, wanted->label));
    TRY(attr_list_add(list, CKA_ID, wanted->id));
    if (object_class != CKO_PUBLIC_KEY) {
        TRY(attr_list_add(list, CKA_SENSITIVE, attr_true()));
        TRY(attr_list_add(list, CKA_EXTRACTABLE, attr_false()));
    }
    TRY(add_usages(list, object_class, wanted->use));
    return add_mechanisms(draft, spec, wanted->use);
}

static enum rc check_wanted(const struct hsm_keystore_wanted *wanted,
                            const struct keystore_spec_row **out)
{
    *out = keystore_spec(wanted->spec);
    if (*out == NULL || wanted->use == 0 || wanted->use >= KEYSTORE_USE_END ||
        !keystore_may_be_for(*out, (enum keystore_use)wanted->use))
        return rc_fail(RC_BAD_ARGUMENT, "no key of spec %u for use %u", wanted->spec, wanted->use);
    return RC_OK;
}

/* ---- made here ---- */

/* What a pair is made by: modulus bits, parameter set or curve. */
static enum rc add_size(struct draft_template *draft, const struct keystore_spec_row *spec)
{
    struct bytes params = BYTES_NONE;
    if (spec->kind == KEYSTORE_RSA)
        return attr_list_add(&draft->list, CKA_MODULUS_BITS,
                             attr_ulong(draft->size_number, spec->bits));
    if (spec->kind == KEYSTORE_ML_DSA)
        return attr_list_add(&draft->list, CKA_PARAMETER_SET,
                             key_ml_dsa_by_bits(spec->bits)->number);
    TRY(hsm_keystore_params(spec, &params));
    return attr_list_add(&draft->list, CKA_EC_PARAMS, params);
}

static enum rc create_pair(struct hsm *hsm, const struct caller *caller,
                           const struct hsm_keystore_wanted *wanted,
                           const struct keystore_spec_row *spec, const struct mech_call *call,
                           struct mutation *out)
{
    struct draft_template public_half, private_half;
    TRY(begin_template(&public_half, wanted, spec, CKO_PUBLIC_KEY));
    TRY(begin_template(&private_half, wanted, spec, CKO_PRIVATE_KEY));
    TRY(add_size(&public_half, spec));
    return hsm_generate_key_pair(hsm, caller, caller->ticket.token, call,
                                 attrs_of(&public_half.list), attrs_of(&private_half.list), out);
}

enum rc hsm_keystore_create(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_wanted *wanted, struct mutation *out)
{
    const struct keystore_spec_row *spec = NULL;
    struct mech_call call;
    struct draft_template draft;
    TRY(check_wanted(wanted, &spec));
    TRY(hsm_keystore_generator(spec, &call));
    if (hsm_keystore_class(spec) == CKO_PRIVATE_KEY)
        return create_pair(hsm, caller, wanted, spec, &call, out);
    TRY(begin_template(&draft, wanted, spec, CKO_SECRET_KEY));
    TRY(attr_list_add(&draft.list, CKA_VALUE_LEN, attr_ulong(draft.size_number, spec->bits / 8)));
    return hsm_generate_key(hsm, caller, caller->ticket.token, &call, attrs_of(&draft.list), out);
}

/* ---- brought along ---- */

/* A value on its way in. */
struct arrival {
    const struct hsm_keystore_wanted *wanted;
    const struct keystore_spec_row *spec;
    struct token_row token;
    struct material material;
    struct key *key;
};

static void arrival_clear(struct arrival *arrival)
{
    material_clear(&arrival->material);
    key_free(arrival->key);
}
#define AUTO_ARRIVAL __attribute__((cleanup(arrival_clear))) struct arrival

static enum rc parse(struct arrival *arrival, const struct secret *plain)
{
    CK_OBJECT_CLASS object_class = hsm_keystore_class(arrival->spec);
    CK_KEY_TYPE type = hsm_keystore_type(arrival->spec);
    TRY(key_import(object_class, type, secret_expose(plain), &arrival->material));
    TRY(hsm_keystore_parse(object_class, type, &arrival->material, &arrival->key));
    return hsm_keystore_is_spec(arrival->spec, arrival->key)
               ? RC_OK
               : rc_fail(RC_WRAPPED_KEY, "the unwrapped key is not of %s", arrival->spec->name);
}

static enum rc check_material(const struct arrival *arrival, struct bytes expected)
{
    uint8_t material[KEYSTORE_MATERIAL_LEN];
    if (expected.len == 0)
        return RC_OK;
    TRY(hsm_keystore_material(arrival->key, material));
    return bytes_equal(expected, bytes_of(material, sizeof material))
               ? RC_OK
               : rc_fail(RC_CONFLICT, "the unwrapped key has another value than the one expected");
}

static struct template_request request_of(const struct caller *caller,
                                          const struct arrival *arrival, enum template_use use,
                                          const struct draft_template *draft)
{
    return (struct template_request){
        .use = use,
        .wanted = attrs_of(&draft->list),
        .object_class = CK_UNAVAILABLE_INFORMATION,
        .key_type = CK_UNAVAILABLE_INFORMATION,
        .mechanism = CK_UNAVAILABLE_INFORMATION,
        .role = hsm_role(caller, arrival->token.number),
        .policy = &arrival->token.policy,
    };
}

static enum rc add_secret(struct hsm *hsm, const struct caller *caller,
                          const struct arrival *arrival, struct mutation *out)
{
    struct draft_template draft;
    TRY(begin_template(&draft, arrival->wanted, arrival->spec, CKO_SECRET_KEY));
    struct template_request request = request_of(caller, arrival, TEMPLATE_UNWRAP, &draft);
    request.material = &arrival->material;
    return hsm_make(hsm, caller, arrival->token.number, &request, out);
}

/* The public half is an object that is created: its numbers come from the private one. */
static enum rc add_public_parts(const struct arrival *arrival, struct material *parts,
                                struct draft_template *draft)
{
    struct attr_list numbers;
    TRY(key_parts_material(arrival->key, CKO_PUBLIC_KEY, BYTES_NONE, parts));
    TRY(attrs_decode(buf_bytes(&parts->public_attrs), &numbers));
    for (size_t i = 0; i < numbers.count; i++)
        TRY(attr_list_add(&draft->list, numbers.items[i].type, numbers.items[i].value));
    return RC_OK;
}

static enum rc add_pair(struct hsm *hsm, const struct caller *caller, const struct arrival *arrival,
                        struct mutation *out)
{
    struct draft_template drafts[2];
    AUTO_MATERIAL numbers = MATERIAL_INIT;
    AUTO_SECRET store_public = SECRET_INIT, store_private = SECRET_INIT;
    struct object_parts parts[2] = {{.version = 1}, {.version = 1}};
    TRY(begin_template(&drafts[0], arrival->wanted, arrival->spec, CKO_PUBLIC_KEY));
    TRY(add_public_parts(arrival, &numbers, &drafts[0]));
    TRY(begin_template(&drafts[1], arrival->wanted, arrival->spec, CKO_PRIVATE_KEY));
    struct template_request of_public = request_of(caller, arrival, TEMPLATE_CREATE, &drafts[0]);
    struct template_request of_private = request_of(caller, arrival, TEMPLATE_UNWRAP, &drafts[1]);
    of_private.material = &arrival->material;
    TRY(template_apply(&of_public, &store_public, &parts[0]));
    TRY(template_apply(&of_private, &store_private, &parts[1]));
    return hsm_add(hsm, caller, arrival->token.number, parts, 2, out);
}

enum rc hsm_keystore_import(struct hsm *hsm, const struct caller *caller,
                            const struct hsm_keystore_import *import,
                            const struct hsm_keystore_wanted *wanted, struct mutation *out)
{
    AUTO_ARRIVAL arrival = {.wanted = wanted, .material = MATERIAL_INIT};
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_OBJECT *wrapping = NULL;
    struct mech_call call;
    const struct keystore_algorithm_row *algorithm = keystore_algorithm(import->algorithm);
    TRY(check_wanted(wanted, &arrival.spec));
    if (algorithm == NULL || algorithm->use != KEYSTORE_UNWRAP)
        return rc_fail(RC_BAD_ARGUMENT, "algorithm %u does not unwrap", import->algorithm);
    TRY(hsm_keystore_call(algorithm, BYTES_NONE, &call));
    TRY(hsm_keystore_object(hsm, caller, import->wrapping, &wrapping));
    enum rc rc = hsm_unwrap_value(hsm, caller, import->wrapping, &call, import->wrapped,
                                  &arrival.token, &plain);
    if (rc == RC_UNWRAPPING_KEY_HANDLE)
        return RC_OBJECT_HANDLE;
    TRY(rc == RC_WRAPPED_KEY_LEN ? RC_WRAPPED_KEY : rc);
    TRY(parse(&arrival, &plain));
    TRY(check_material(&arrival, import->material));
    return hsm_keystore_class(arrival.spec) == CKO_SECRET_KEY
               ? add_secret(hsm, caller, &arrival, out)
               : add_pair(hsm, caller, &arrival, out);
}

/* ---- gone ---- */

static enum rc check_destroyable(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                                 CK_OBJECT_CLASS *out_class)
{
    AUTO_OBJECT *object = NULL;
    TRY(hsm_keystore_object(hsm, caller, handle, &object));
    if ((object->flags & OBJECT_DESTROYABLE) == 0)
        return rc_fail(RC_ACTION_PROHIBITED, "CKA_DESTROYABLE of the object is FALSE");
    *out_class = object->object_class;
    return RC_OK;
}

enum rc hsm_keystore_delete(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                            struct mutation *out)
{
    CK_OBJECT_CLASS object_class = CK_UNAVAILABLE_INFORMATION, half = object_class;
    uint64_t public_half = 0;
    if (handle >= BUILTIN_HANDLE_BIT)
        return rc_fail(RC_OBJECT_HANDLE, "no key of a key store has handle 0x%lx",
                       (unsigned long)handle);
    TRY(check_destroyable(hsm, caller, handle, &object_class));
    if (object_class != CKO_SECRET_KEY && object_class != CKO_PRIVATE_KEY)
        return rc_fail(RC_OBJECT_HANDLE, "object 0x%lx is no key of a key store",
                       (unsigned long)handle);
    struct effect_head head = hsm_head(caller);
    enum rc rc = object_class == CKO_SECRET_KEY
                     ? RC_OBJECT_HANDLE
                     : hsm_keystore_public(hsm, caller, handle, &public_half);
    if (rc == RC_OBJECT_HANDLE) {
        rc_detail_clear();
        return effect_object_destroy(&out->effect, &head, handle);
    }
    TRY(rc);
    TRY(check_destroyable(hsm, caller, public_half, &half));
    return effect_pair_destroy(&out->effect, &head, handle, public_half);
}
