/* SPDX-License-Identifier: Apache-2.0 */
/* The template engine as an enemy sees it: every footnote, duplicates, contradictions. */
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "token/class_rules.h"
#include "token/crypto_lib.h"
#include "token/template.h"

static const uint8_t cluster[16] = "a test's cluster";
static const uint8_t sixteen[16] = "sixteen bytes!!";
static struct seal_keys *keys;
static struct policy policy;

static void setup(void)
{
    AUTO_SECRET master = SECRET_INIT;
    if (keys != NULL)
        return;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(seal_keys_new(&master, cluster, &keys));
    policy = policy_default();
}

/* A template that owns its numbers. */
struct list {
    struct attr_list attrs;
    uint8_t numbers[ATTRS_MAX][8];
};

static void add(struct list *list, CK_ATTRIBUTE_TYPE type, const void *ptr, size_t len)
{
    UNIT_OK(attr_list_add(&list->attrs, type, bytes_of(ptr, len)));
}

static void add_ulong(struct list *list, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    struct bytes number = attr_ulong(list->numbers[list->attrs.count], value);
    add(list, type, number.ptr, number.len);
}

static void add_bool(struct list *list, CK_ATTRIBUTE_TYPE type, bool value)
{
    UNIT_OK(attr_list_add(&list->attrs, type, attr_bool(value)));
}

/* Some value of the attribute's kind. */
static void add_some(struct list *list, CK_ATTRIBUTE_TYPE type)
{
    static const uint8_t empty_template[4];
    const struct attr_info *info = attr_info(type);
    CU_ASSERT_PTR_NOT_NULL_FATAL(info);
    switch (info->kind) {
    case ATTR_BOOL:
        add_bool(list, type, false);
        break;
    case ATTR_ULONG:
        add_ulong(list, type, 1);
        break;
    case ATTR_MECHANISMS:
        add_ulong(list, type, CKM_AES_CBC);
        break;
    case ATTR_DATE:
        add(list, type, "20260102", 8);
        break;
    case ATTR_TEMPLATE:
        add(list, type, empty_template, sizeof empty_template);
        break;
    case ATTR_BYTES:
    case ATTR_BIGINT:
    case ATTR_STRING:
        add(list, type, "x", 1);
        break;
    }
}

static struct template_request request_of(enum template_use use, const struct list *wanted)
{
    return (struct template_request){
        .use = use,
        .wanted = attrs_of(&wanted->attrs),
        .object_class = CK_UNAVAILABLE_INFORMATION,
        .key_type = CK_UNAVAILABLE_INFORMATION,
        .mechanism = CK_UNAVAILABLE_INFORMATION,
        .role = ROLE_USER,
        .policy = &policy,
    };
}

static enum rc apply(const struct template_request *request, struct object **out)
{
    AUTO_SECRET store = SECRET_INIT;
    AUTO_BUF record = BUF_INIT;
    struct object_parts parts = {.version = 1};
    TRY(template_apply(request, &store, &parts));
    parts.token = 1;
    if (out == NULL)
        return RC_OK;
    TRY(object_build(keys, &parts, &record));
    return object_from_record(7, buf_bytes(&record), out);
}

static enum rc create(const struct list *wanted, struct object **out)
{
    struct template_request request = request_of(TEMPLATE_CREATE, wanted);
    return apply(&request, out);
}

/* An AES key of known value with what `more` adds. */
static void aes_list(struct list *list)
{
    add_ulong(list, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(list, CKA_KEY_TYPE, CKK_AES);
    add(list, CKA_VALUE, sixteen, sizeof sixteen);
}

static enum rc change(enum template_use use, const struct object *source, const struct list *wanted,
                      enum user_role role, struct object **out)
{
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list secrets = {.count = 0};
    struct template_request request = request_of(use, wanted);
    if (source->sealed.len > 0)
        TRY(object_secrets(keys, source, &store, &secrets));
    request.source = source;
    request.source_secrets = attrs_of(&secrets);
    request.role = role;
    return apply(&request, out);
}

/* ---- every footnote of every table ---- */

static const struct kind {
    CK_OBJECT_CLASS object_class;
    CK_ULONG type;
} kinds[] = {
    {CKO_DATA, CK_UNAVAILABLE_INFORMATION},
    {CKO_CERTIFICATE, CKC_X_509},
    {CKO_PUBLIC_KEY, CKK_RSA},
    {CKO_PUBLIC_KEY, CKK_EC},
    {CKO_PUBLIC_KEY, CKK_EC_EDWARDS},
    {CKO_PUBLIC_KEY, CKK_EC_MONTGOMERY},
    {CKO_PUBLIC_KEY, CKK_ML_DSA},
    {CKO_PRIVATE_KEY, CKK_RSA},
    {CKO_PRIVATE_KEY, CKK_EC},
    {CKO_PRIVATE_KEY, CKK_EC_EDWARDS},
    {CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY},
    {CKO_PRIVATE_KEY, CKK_ML_DSA},
    {CKO_SECRET_KEY, CKK_AES},
    {CKO_SECRET_KEY, CKK_GENERIC_SECRET},
    {CKO_SECRET_KEY, CKK_HKDF},
    {CKO_SECRET_KEY, CKK_SHA256_HMAC},
    {CKO_SECRET_KEY, CKK_SHA3_512_HMAC},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

typedef void (*row_check)(const struct kind *kind, const struct attr_rule *row);

static void walk(row_check check)
{
    setup();
    for (size_t k = 0; k < KIND_COUNT; k++) {
        const struct class_rules *rules = class_rules_find(kinds[k].object_class, kinds[k].type);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
        for (size_t set = 0; set < RULE_SETS_MAX; set++)
            for (size_t i = 0; i < rules->sets[set].count; i++)
                check(&kinds[k], &rules->sets[set].rows[i]);
    }
}

static bool names_type(const struct kind *kind, CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_CLASS || type == class_rules_type_attr(kind->object_class);
}

/* Class, type, and some value for every attribute with that note, but `left_out`. */
static void fill_required(struct list *list, const struct kind *kind, uint32_t note,
                          CK_ATTRIBUTE_TYPE left_out)
{
    const struct class_rules *rules = class_rules_find(kind->object_class, kind->type);
    if (left_out != CKA_CLASS)
        add_ulong(list, CKA_CLASS, kind->object_class);
    CK_ATTRIBUTE_TYPE type_attr = class_rules_type_attr(kind->object_class);
    if (type_attr != CK_UNAVAILABLE_INFORMATION && left_out != type_attr)
        add_ulong(list, type_attr, kind->type);
    for (size_t set = 0; set < RULE_SETS_MAX; set++) {
        for (size_t i = 0; i < rules->sets[set].count; i++) {
            const struct attr_rule *row = &rules->sets[set].rows[i];
            if ((row->notes & note) != 0 && row->type != left_out && !names_type(kind, row->type))
                add_some(list, row->type);
        }
    }
}

static void expect(enum rc rc, enum rc expected, CK_ATTRIBUTE_TYPE named)
{
    const struct attr_info *info = attr_info(named);
    UNIT_RC(rc, (int)expected);
    CU_ASSERT(info != NULL && strstr(rc_detail(), info->name) != NULL);
    if (rc != expected || info == NULL || strstr(rc_detail(), info->name) == NULL)
        (void)fprintf(stderr, "%s: %d %s\n", info == NULL ? "?" : info->name, (int)rc, rc_detail());
    rc_detail_clear();
}

static void check_missing(const struct kind *kind, const struct attr_rule *row, uint32_t note,
                          enum template_use use)
{
    struct list list = {.attrs.count = 0};
    if ((row->notes & note) == 0)
        return;
    if (use == TEMPLATE_UNWRAP && kind->object_class != CKO_SECRET_KEY &&
        kind->object_class != CKO_PRIVATE_KEY)
        return;
    fill_required(&list, kind, note, row->type);
    struct template_request request = request_of(use, &list);
    if (use == TEMPLATE_GENERATE && !names_type(kind, row->type)) {
        request.object_class = kind->object_class;
        request.key_type = kind->type;
    }
    expect(template_check(&request, NULL, NULL), RC_TEMPLATE_INCOMPLETE, row->type);
}

static void missing_row(const struct kind *kind, const struct attr_rule *row)
{
    check_missing(kind, row, NOTE_1, TEMPLATE_CREATE);
    check_missing(kind, row, NOTE_3, TEMPLATE_GENERATE);
    check_missing(kind, row, NOTE_5, TEMPLATE_UNWRAP);
}

static void what_notes_1_3_and_5_require_is_asked_for_by_name(void)
{
    walk(missing_row);
}

static void check_forbidden(const struct kind *kind, const struct attr_rule *row, uint32_t note,
                            enum template_use use)
{
    static const uint32_t required[] = {
        [TEMPLATE_CREATE] = NOTE_1,
        [TEMPLATE_GENERATE] = NOTE_3,
        [TEMPLATE_UNWRAP] = NOTE_5,
        [TEMPLATE_DERIVE] = 0,
    };
    struct list list = {.attrs.count = 0};
    bool made_so = use == TEMPLATE_CREATE || kind->object_class == CKO_SECRET_KEY ||
                   (kind->object_class == CKO_PRIVATE_KEY && use != TEMPLATE_DERIVE);
    if ((row->notes & note) == 0 || !made_so)
        return;
    fill_required(&list, kind, required[use], row->type);
    add_some(&list, row->type);
    struct template_request request = request_of(use, &list);
    expect(template_check(&request, NULL, NULL), RC_ATTRIBUTE_READ_ONLY, row->type);
}

static void forbidden_row(const struct kind *kind, const struct attr_rule *row)
{
    check_forbidden(kind, row, NOTE_2, TEMPLATE_CREATE);
    check_forbidden(kind, row, NOTE_4, TEMPLATE_GENERATE);
    check_forbidden(kind, row, NOTE_6, TEMPLATE_UNWRAP);
    check_forbidden(kind, row, NOTE_6, TEMPLATE_DERIVE);
}

static void what_notes_2_4_and_6_forbid_is_refused_by_name(void)
{
    walk(forbidden_row);
}

static void the_tables_say_what_the_specification_says(void)
{
    static const struct {
        CK_OBJECT_CLASS object_class;
        CK_ULONG type;
        CK_ATTRIBUTE_TYPE attr;
        uint32_t notes;
    } golden[] = {
        {CKO_SECRET_KEY, CKK_AES, CKA_VALUE, NOTE_1 | NOTE_4 | NOTE_6 | NOTE_7},
        {CKO_SECRET_KEY, CKK_AES, CKA_SENSITIVE, NOTE_8 | NOTE_9 | NOTE_11},
        {CKO_SECRET_KEY, CKK_AES, CKA_EXTRACTABLE, NOTE_8 | NOTE_9 | NOTE_12},
        {CKO_SECRET_KEY, CKK_AES, CKA_LOCAL, NOTE_2 | NOTE_4 | NOTE_6},
        {CKO_PUBLIC_KEY, CKK_RSA, CKA_MODULUS_BITS, NOTE_2 | NOTE_3},
        {CKO_PUBLIC_KEY, CKK_RSA, CKA_MODULUS, NOTE_1 | NOTE_4},
        {CKO_PUBLIC_KEY, CKK_EC, CKA_EC_PARAMS, NOTE_1 | NOTE_3},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_COEFFICIENT, NOTE_4 | NOTE_6 | NOTE_7},
        {CKO_PRIVATE_KEY, CKK_EC, CKA_VALUE, NOTE_1 | NOTE_4 | NOTE_6 | NOTE_7},
        {CKO_CERTIFICATE, CKC_X_509, CKA_SUBJECT, NOTE_1},
        {CKO_DATA, CK_UNAVAILABLE_INFORMATION, CKA_LABEL, NOTE_8},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        const struct class_rules *rules = class_rules_find(golden[i].object_class, golden[i].type);
        const struct attr_rule *row = class_rules_attr(rules, golden[i].attr);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        CU_ASSERT_EQUAL(row->notes, golden[i].notes);
    }
}

static void no_table_has_an_attribute_twice(void)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        const struct class_rules *rules = class_rules_find(kinds[k].object_class, kinds[k].type);
        for (size_t set = 0; set < RULE_SETS_MAX; set++)
            for (size_t i = 0; i < rules->sets[set].count; i++)
                CU_ASSERT_PTR_EQUAL(class_rules_attr(rules, rules->sets[set].rows[i].type),
                                    &rules->sets[set].rows[i]);
    }
}

/* ---- shape and contradictions ---- */

static void a_type_twice_is_refused_even_when_equal(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_ENCRYPT, true);
    add_bool(&list, CKA_ENCRYPT, true);
    expect(create(&list, NULL), RC_TEMPLATE_INCONSISTENT, CKA_ENCRYPT);
}

static void an_attribute_of_another_class_is_refused(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add(&list, CKA_MODULUS, "\x05", 1);
    expect(create(&list, NULL), RC_ATTRIBUTE_TYPE, CKA_MODULUS);
}

static void an_attribute_that_nobody_knows_is_refused(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add(&list, 0x12345678UL, "x", 1);
    UNIT_RC(create(&list, NULL), RC_ATTRIBUTE_TYPE);
}

static void a_boolean_of_eight_bytes_is_refused(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_ulong(&list, CKA_ENCRYPT, 1);
    expect(create(&list, NULL), RC_ATTRIBUTE_VALUE, CKA_ENCRYPT);
}

static void dates_in_the_wrong_order_are_refused(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add(&list, CKA_START_DATE, "20260102", 8);
    add(&list, CKA_END_DATE, "20260101", 8);
    expect(create(&list, NULL), RC_TEMPLATE_INCONSISTENT, CKA_END_DATE);
}

static void a_private_object_needs_a_crypto_user(void)
{
    struct list list = {.attrs.count = 0}, open = {.attrs.count = 0};
    setup();
    aes_list(&list);
    struct template_request request = request_of(TEMPLATE_CREATE, &list);
    request.role = ROLE_NONE;
    expect(apply(&request, NULL), RC_NOT_LOGGED_IN, CKA_PRIVATE);
    request.role = ROLE_SO;
    expect(apply(&request, NULL), RC_NOT_LOGGED_IN, CKA_PRIVATE);
    aes_list(&open);
    add_bool(&open, CKA_PRIVATE, false);
    request = request_of(TEMPLATE_CREATE, &open);
    request.role = ROLE_NONE;
    UNIT_OK(apply(&request, NULL));
}

static void an_unknown_class_or_type_is_refused(void)
{
    struct list list = {.attrs.count = 0}, other = {.attrs.count = 0};
    setup();
    add_ulong(&list, CKA_CLASS, CKO_PROFILE);
    UNIT_RC(create(&list, NULL), RC_ATTRIBUTE_VALUE);
    add_ulong(&other, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(&other, CKA_KEY_TYPE, CKK_DES3);
    add(&other, CKA_VALUE, sixteen, sizeof sixteen);
    UNIT_RC(create(&other, NULL), RC_ATTRIBUTE_VALUE);
}

static void a_generated_key_cannot_say_that_it_is_another_type(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    add_ulong(&list, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    add_ulong(&list, CKA_VALUE_LEN, 16);
    struct template_request request = request_of(TEMPLATE_GENERATE, &list);
    request.object_class = CKO_SECRET_KEY;
    request.key_type = CKK_AES;
    expect(template_check(&request, NULL, NULL), RC_TEMPLATE_INCONSISTENT, CKA_KEY_TYPE);
}

static void an_AES_key_of_15_bytes_is_refused(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    add_ulong(&list, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(&list, CKA_KEY_TYPE, CKK_AES);
    add(&list, CKA_VALUE, sixteen, 15);
    UNIT_RC(create(&list, NULL), RC_ATTRIBUTE_VALUE);
}

static void a_certificate_needs_a_value_or_a_URL_with_hashes(void)
{
    struct list list = {.attrs.count = 0}, url = {.attrs.count = 0};
    setup();
    add_ulong(&list, CKA_CLASS, CKO_CERTIFICATE);
    add_ulong(&list, CKA_CERTIFICATE_TYPE, CKC_X_509);
    add(&list, CKA_SUBJECT, "x", 1);
    url = list;
    expect(create(&list, NULL), RC_TEMPLATE_INCOMPLETE, CKA_VALUE);
    add(&list, CKA_VALUE, "x", 1);
    UNIT_OK(create(&list, NULL));
    add(&url, CKA_URL, "https://example.org/ca", 22);
    expect(create(&url, NULL), RC_TEMPLATE_INCOMPLETE, CKA_HASH_OF_SUBJECT_PUBLIC_KEY);
    add(&url, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "x", 1);
    add(&url, CKA_HASH_OF_ISSUER_PUBLIC_KEY, "x", 1);
    UNIT_OK(create(&url, NULL));
}

static void trust_is_the_security_officers_to_give(void)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_PRIVATE, false);
    add_bool(&list, CKA_TRUSTED, true);
    expect(create(&list, NULL), RC_ATTRIBUTE_READ_ONLY, CKA_TRUSTED);
    struct template_request request = request_of(TEMPLATE_CREATE, &list);
    request.role = ROLE_SO;
    UNIT_OK(apply(&request, NULL));
}

/* ---- what an object has in the end ---- */

static struct bytes value_of(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    struct bytes value = BYTES_NONE;
    CU_ASSERT_TRUE(object_attr(object, type, &value));
    return value;
}

static bool is_true(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    CU_ASSERT_TRUE(object_has(object, type));
    return object_bool(object, type, false);
}

static void a_created_key_was_seen_outside_and_says_so(void)
{
    AUTO_OBJECT *key = NULL;
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    UNIT_OK(create(&list, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_TRUE(is_true(key, CKA_SENSITIVE));
    CU_ASSERT_FALSE(is_true(key, CKA_ALWAYS_SENSITIVE));
    CU_ASSERT_FALSE(is_true(key, CKA_EXTRACTABLE));
    CU_ASSERT_FALSE(is_true(key, CKA_NEVER_EXTRACTABLE));
    CU_ASSERT_FALSE(is_true(key, CKA_LOCAL));
    CU_ASSERT_TRUE(is_true(key, CKA_PRIVATE));
    CU_ASSERT_FALSE(is_true(key, CKA_TOKEN));
    CU_ASSERT_TRUE(is_true(key, CKA_ENCRYPT) && is_true(key, CKA_UNWRAP));
    CU_ASSERT_FALSE(is_true(key, CKA_DERIVE));
    CU_ASSERT_EQUAL(value_of(key, CKA_UNIQUE_ID).len, 32);
    CU_ASSERT_EQUAL(value_of(key, CKA_CHECK_VALUE).len, 3);
    CU_ASSERT_EQUAL(value_of(key, CKA_LABEL).len, 0);
    CU_ASSERT_EQUAL(key->size_bits, 128);
    CU_ASSERT_FALSE(object_has(key, CKA_VALUE));
    UNIT_RC(template_readable(key, CKA_VALUE), RC_ATTRIBUTE_SENSITIVE);
    UNIT_RC(template_readable(key, CKA_MODULUS), RC_ATTRIBUTE_TYPE);
    UNIT_OK(template_readable(key, CKA_VALUE_LEN));
}

static void an_extractable_secret_key_is_readable_unless_sensitive(void)
{
    AUTO_OBJECT *open = NULL;
    AUTO_OBJECT *closed = NULL;
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_EXTRACTABLE, true);
    UNIT_OK(create(&list, &open));
    CU_ASSERT_PTR_NOT_NULL_FATAL(open);
    UNIT_OK(template_readable(open, CKA_VALUE));
    add_bool(&list, CKA_SENSITIVE, true);
    UNIT_OK(create(&list, &closed));
    CU_ASSERT_PTR_NOT_NULL_FATAL(closed);
    UNIT_RC(template_readable(closed, CKA_VALUE), RC_ATTRIBUTE_SENSITIVE);
}

static void a_wrong_check_value_is_refused_and_an_empty_one_means_none(void)
{
    AUTO_OBJECT *key = NULL;
    struct list wrong = {.attrs.count = 0}, none = {.attrs.count = 0};
    setup();
    aes_list(&wrong);
    add(&wrong, CKA_CHECK_VALUE, "abc", 3);
    expect(create(&wrong, NULL), RC_ATTRIBUTE_VALUE, CKA_CHECK_VALUE);
    aes_list(&none);
    add(&none, CKA_CHECK_VALUE, NULL, 0);
    UNIT_OK(create(&none, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_EQUAL(value_of(key, CKA_CHECK_VALUE).len, 0);
}

static void an_EC_point_is_taken_raw_and_as_DER_and_kept_as_DER(void)
{
    /* the generator of P-256 (SEC 2 2.4.2) */
    static const uint8_t params[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    static const uint8_t der[67] = {
        0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
        0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
        0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f,
        0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b,
        0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
    setup();
    for (size_t skip = 0; skip <= 2; skip += 2) {
        AUTO_OBJECT *key = NULL;
        struct list list = {.attrs.count = 0};
        add_ulong(&list, CKA_CLASS, CKO_PUBLIC_KEY);
        add_ulong(&list, CKA_KEY_TYPE, CKK_EC);
        add(&list, CKA_EC_PARAMS, params, sizeof params);
        add(&list, CKA_EC_POINT, der + skip, sizeof der - skip);
        UNIT_OK(create(&list, &key));
        CU_ASSERT_PTR_NOT_NULL_FATAL(key);
        CU_ASSERT_TRUE(bytes_equal(value_of(key, CKA_EC_POINT), bytes_of(der, sizeof der)));
        CU_ASSERT_TRUE(value_of(key, CKA_PUBLIC_KEY_INFO).len > sizeof der);
        CU_ASSERT_FALSE(is_true(key, CKA_PRIVATE));
    }
}

static void leading_zeros_of_big_integers_are_dropped(void)
{
    uint8_t modulus[257] = {0};
    AUTO_OBJECT *key = NULL;
    struct list list = {.attrs.count = 0};
    setup();
    memset(modulus + 1, 0xc1, sizeof modulus - 1);
    add_ulong(&list, CKA_CLASS, CKO_PUBLIC_KEY);
    add_ulong(&list, CKA_KEY_TYPE, CKK_RSA);
    add(&list, CKA_MODULUS, modulus, sizeof modulus);
    add(&list, CKA_PUBLIC_EXPONENT, "\0\0\x01\0\x01", 5);
    UNIT_OK(create(&list, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_EQUAL(value_of(key, CKA_MODULUS).len, 256);
    CU_ASSERT_EQUAL(value_of(key, CKA_PUBLIC_EXPONENT).len, 3);
    CK_ULONG bits = 0;
    CU_ASSERT_TRUE(attr_value_ulong(value_of(key, CKA_MODULUS_BITS), &bits));
    CU_ASSERT_EQUAL(bits, 2048);
}

/* ---- changes ---- */

static void make_aes(struct object **out, bool extractable)
{
    struct list list = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_EXTRACTABLE, extractable);
    UNIT_OK(create(&list, out));
    CU_ASSERT_PTR_NOT_NULL_FATAL(*out);
}

static void changed_row(const struct kind *kind, const struct attr_rule *row)
{
    AUTO_OBJECT *key = NULL;
    struct list list = {.attrs.count = 0};
    if (kind->object_class != CKO_SECRET_KEY || kind->type != CKK_AES || (row->notes & NOTE_8) != 0)
        return;
    make_aes(&key, true);
    add_some(&list, row->type);
    expect(change(TEMPLATE_SET, key, &list, ROLE_USER, NULL), RC_ATTRIBUTE_READ_ONLY, row->type);
}

static void what_lacks_note_8_cannot_be_changed(void)
{
    walk(changed_row);
}

static void sensitivity_is_a_one_way_street(void)
{
    AUTO_OBJECT *open = NULL;
    AUTO_OBJECT *closed = NULL;
    struct list up = {.attrs.count = 0}, down = {.attrs.count = 0}, out = {.attrs.count = 0};
    make_aes(&open, true);
    add_bool(&up, CKA_SENSITIVE, true);
    add_bool(&up, CKA_EXTRACTABLE, false);
    UNIT_OK(change(TEMPLATE_SET, open, &up, ROLE_USER, &closed));
    CU_ASSERT_PTR_NOT_NULL_FATAL(closed);
    CU_ASSERT_EQUAL(closed->version, 2);
    CU_ASSERT_EQUAL(memcmp(closed->unique_id, open->unique_id, UNIQUE_ID_LEN), 0);
    CU_ASSERT_FALSE(is_true(closed, CKA_ALWAYS_SENSITIVE));
    CU_ASSERT_FALSE(is_true(closed, CKA_NEVER_EXTRACTABLE));
    add_bool(&down, CKA_SENSITIVE, false);
    add_bool(&out, CKA_EXTRACTABLE, true);
    for (int use = TEMPLATE_COPY; use <= TEMPLATE_SET; use++) {
        expect(change((enum template_use)use, closed, &down, ROLE_USER, NULL),
               RC_ATTRIBUTE_READ_ONLY, CKA_SENSITIVE);
        expect(change((enum template_use)use, closed, &out, ROLE_USER, NULL),
               RC_ATTRIBUTE_READ_ONLY, CKA_EXTRACTABLE);
    }
}

static void a_copy_may_move_to_the_token_but_not_become_public(void)
{
    AUTO_OBJECT *key = NULL;
    AUTO_OBJECT *copy = NULL;
    struct list list = {.attrs.count = 0}, open = {.attrs.count = 0}, value = {.attrs.count = 0};
    make_aes(&key, false);
    add_bool(&list, CKA_TOKEN, true);
    add(&list, CKA_LABEL, "copy", 4);
    UNIT_OK(change(TEMPLATE_COPY, key, &list, ROLE_USER, &copy));
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT_TRUE(is_true(copy, CKA_TOKEN));
    CU_ASSERT_EQUAL(copy->version, 1);
    CU_ASSERT_NOT_EQUAL(memcmp(copy->unique_id, key->unique_id, UNIQUE_ID_LEN), 0);
    CU_ASSERT_TRUE(copy->sealed.len > 0);
    add_bool(&open, CKA_PRIVATE, false);
    expect(change(TEMPLATE_COPY, key, &open, ROLE_USER, NULL), RC_TEMPLATE_INCONSISTENT,
           CKA_PRIVATE);
    add(&value, CKA_VALUE, sixteen, sizeof sixteen - 1);
    expect(change(TEMPLATE_COPY, key, &value, ROLE_USER, NULL), RC_ATTRIBUTE_READ_ONLY, CKA_VALUE);
}

static void a_copy_is_not_trusted_because_its_original_was(void)
{
    AUTO_OBJECT *key = NULL;
    AUTO_OBJECT *copy = NULL;
    struct list list = {.attrs.count = 0}, nothing = {.attrs.count = 0}, off = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_PRIVATE, false);
    add_bool(&list, CKA_TRUSTED, true);
    struct template_request request = request_of(TEMPLATE_CREATE, &list);
    request.role = ROLE_SO;
    UNIT_OK(apply(&request, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    UNIT_OK(change(TEMPLATE_COPY, key, &nothing, ROLE_USER, &copy));
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT_FALSE(is_true(copy, CKA_TRUSTED));
    add_bool(&off, CKA_TRUSTED, false);
    expect(change(TEMPLATE_SET, key, &off, ROLE_USER, NULL), RC_ATTRIBUTE_READ_ONLY, CKA_TRUSTED);
    UNIT_OK(change(TEMPLATE_SET, key, &off, ROLE_SO, NULL));
}

static void COPYABLE_once_false_stays_false(void)
{
    AUTO_OBJECT *key = NULL;
    struct list list = {.attrs.count = 0}, on = {.attrs.count = 0};
    setup();
    aes_list(&list);
    add_bool(&list, CKA_COPYABLE, false);
    UNIT_OK(create(&list, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    add_bool(&on, CKA_COPYABLE, true);
    expect(change(TEMPLATE_SET, key, &on, ROLE_USER, NULL), RC_ATTRIBUTE_READ_ONLY, CKA_COPYABLE);
}

/* ---- unwrapped and derived ---- */

static void material_of(struct material *material, const void *value, size_t len)
{
    UNIT_OK(key_import(CKO_SECRET_KEY, CKK_GENERIC_SECRET, bytes_of(value, len), material));
}

static void the_template_of_the_unwrapping_key_is_enforced_for_bytes_too(void)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    AUTO_OBJECT *key = NULL;
    struct list list = {.attrs.count = 0}, enforced = {.attrs.count = 0};
    setup();
    material_of(&material, sixteen, sizeof sixteen);
    add_ulong(&list, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(&list, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    add(&enforced, CKA_ID, "partition 7", 11);
    add_bool(&enforced, CKA_SIGN, false);
    struct template_request request = request_of(TEMPLATE_UNWRAP, &list);
    request.material = &material;
    request.enforced = attrs_of(&enforced.attrs);
    UNIT_OK(apply(&request, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_TRUE(bytes_equal(value_of(key, CKA_ID), bytes_of("partition 7", 11)));
    CU_ASSERT_FALSE(is_true(key, CKA_SIGN));
    add(&list, CKA_ID, "partition 8", 11);
    request.wanted = attrs_of(&list.attrs);
    expect(apply(&request, NULL), RC_TEMPLATE_INCONSISTENT, CKA_ID);
}

static void the_length_that_was_asked_for_must_be_the_keys(void)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    struct list list = {.attrs.count = 0};
    setup();
    material_of(&material, sixteen, sizeof sixteen);
    add_ulong(&list, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(&list, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    struct template_request request = request_of(TEMPLATE_UNWRAP, &list);
    request.material = &material;
    UNIT_OK(apply(&request, NULL));
    add_ulong(&list, CKA_VALUE_LEN, 15);
    request.wanted = attrs_of(&list.attrs);
    expect(apply(&request, NULL), RC_TEMPLATE_INCONSISTENT, CKA_VALUE_LEN);
}

static enum rc derive(const struct object *base, const struct list *list, bool inherits,
                      struct object **out)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    material_of(&material, sixteen, sizeof sixteen);
    struct template_request request = request_of(TEMPLATE_DERIVE, list);
    request.source = base;
    request.inherits = inherits;
    request.material = &material;
    return apply(&request, out);
}

static void a_concatenation_is_as_sensitive_as_its_base(void)
{
    AUTO_OBJECT *base = NULL;
    AUTO_OBJECT *key = NULL;
    struct list nothing = {.attrs.count = 0}, open = {.attrs.count = 0}, out = {.attrs.count = 0};
    make_aes(&base, false);
    add_bool(&open, CKA_SENSITIVE, false);
    add_bool(&out, CKA_EXTRACTABLE, true);
    expect(derive(base, &open, true, NULL), RC_TEMPLATE_INCONSISTENT, CKA_SENSITIVE);
    expect(derive(base, &out, true, NULL), RC_TEMPLATE_INCONSISTENT, CKA_EXTRACTABLE);
    UNIT_OK(derive(base, &open, false, NULL));
    UNIT_OK(derive(base, &nothing, true, &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_TRUE(is_true(key, CKA_SENSITIVE));
    CU_ASSERT_FALSE(is_true(key, CKA_ALWAYS_SENSITIVE)); /* the base was imported */
    CU_ASSERT_FALSE(is_true(key, CKA_LOCAL));
    CU_ASSERT_EQUAL(key->key_type, CKK_GENERIC_SECRET);
}

static void a_public_key_is_neither_unwrapped_nor_derived(void)
{
    AUTO_OBJECT *base = NULL;
    struct list list = {.attrs.count = 0};
    make_aes(&base, false);
    add_ulong(&list, CKA_CLASS, CKO_PUBLIC_KEY);
    add_ulong(&list, CKA_KEY_TYPE, CKK_RSA);
    struct template_request request = request_of(TEMPLATE_UNWRAP, &list);
    UNIT_RC(template_check(&request, NULL, NULL), RC_TEMPLATE_INCONSISTENT);
    UNIT_RC(derive(base, &list, false, NULL), RC_TEMPLATE_INCONSISTENT);
}

UNIT_SUITE(
    "token/template", UNIT_CASE(what_notes_1_3_and_5_require_is_asked_for_by_name),
    UNIT_CASE(what_notes_2_4_and_6_forbid_is_refused_by_name),
    UNIT_CASE(the_tables_say_what_the_specification_says),
    UNIT_CASE(no_table_has_an_attribute_twice), UNIT_CASE(a_type_twice_is_refused_even_when_equal),
    UNIT_CASE(an_attribute_of_another_class_is_refused),
    UNIT_CASE(an_attribute_that_nobody_knows_is_refused),
    UNIT_CASE(a_boolean_of_eight_bytes_is_refused), UNIT_CASE(dates_in_the_wrong_order_are_refused),
    UNIT_CASE(a_private_object_needs_a_crypto_user), UNIT_CASE(an_unknown_class_or_type_is_refused),
    UNIT_CASE(a_generated_key_cannot_say_that_it_is_another_type),
    UNIT_CASE(an_AES_key_of_15_bytes_is_refused),
    UNIT_CASE(a_certificate_needs_a_value_or_a_URL_with_hashes),
    UNIT_CASE(trust_is_the_security_officers_to_give),
    UNIT_CASE(a_created_key_was_seen_outside_and_says_so),
    UNIT_CASE(an_extractable_secret_key_is_readable_unless_sensitive),
    UNIT_CASE(a_wrong_check_value_is_refused_and_an_empty_one_means_none),
    UNIT_CASE(an_EC_point_is_taken_raw_and_as_DER_and_kept_as_DER),
    UNIT_CASE(leading_zeros_of_big_integers_are_dropped),
    UNIT_CASE(what_lacks_note_8_cannot_be_changed), UNIT_CASE(sensitivity_is_a_one_way_street),
    UNIT_CASE(a_copy_may_move_to_the_token_but_not_become_public),
    UNIT_CASE(a_copy_is_not_trusted_because_its_original_was),
    UNIT_CASE(COPYABLE_once_false_stays_false),
    UNIT_CASE(the_template_of_the_unwrapping_key_is_enforced_for_bytes_too),
    UNIT_CASE(the_length_that_was_asked_for_must_be_the_keys),
    UNIT_CASE(a_concatenation_is_as_sensitive_as_its_base),
    UNIT_CASE(a_public_key_is_neither_unwrapped_nor_derived));
