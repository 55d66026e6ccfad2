/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: who sees them, where they live, how they change and go. */
#include "tests/unit/token/hsm_fixture.h"

static int create(const struct caller *caller, const struct wanted *wanted, uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_create_object(f->hsm, caller, f->slot, wanted_attrs(wanted), &made);
    return fixture_done(f, caller, rc, &made, out);
}

static int set(const struct caller *caller, uint64_t handle, const struct wanted *wanted)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_set_attributes(f->hsm, caller, handle, wanted_attrs(wanted), &made);
    return fixture_done(f, caller, rc, &made, NULL);
}

static int copy(const struct caller *caller, uint64_t handle, const struct wanted *wanted,
                uint64_t *out)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_copy_object(f->hsm, caller, handle, wanted_attrs(wanted), &made);
    return fixture_done(f, caller, rc, &made, out);
}

static int destroy(const struct caller *caller, uint64_t handle)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    enum rc rc = hsm_destroy_object(f->hsm, caller, handle, &made);
    return fixture_done(f, caller, rc, &made, NULL);
}

static void data_object(struct wanted *wanted, const char *label, bool is_token, bool is_private)
{
    wanted_ulong(wanted, CKA_CLASS, CKO_DATA);
    wanted_str(wanted, CKA_LABEL, label);
    wanted_str(wanted, CKA_VALUE, "what it holds");
    wanted_bool(wanted, CKA_TOKEN, is_token);
    wanted_bool(wanted, CKA_PRIVATE, is_private);
}

static size_t found(const struct caller *caller, const char *label)
{
    struct wanted wanted = {.used = 0};
    wanted_str(&wanted, CKA_LABEL, label);
    return fixture_count(fixture_shared(), caller, &wanted);
}

static uint64_t make(const struct caller *caller, const char *label, bool is_token, bool is_private)
{
    struct wanted wanted = {.used = 0};
    uint64_t handle = 0;
    data_object(&wanted, label, is_token, is_private);
    UNIT_OK(create(caller, &wanted, &handle));
    return handle;
}

static void a_token_object_is_seen_by_every_application(void)
{
    struct fixture *f = fixture_shared();
    uint64_t handle = make(&f->nobody, "everybody's", true, false);
    CU_ASSERT_EQUAL(handle & SESSION_HANDLE_BIT, 0);
    CU_ASSERT_EQUAL(found(&f->stranger, "everybody's"), 1);
    UNIT_OK(fixture_read(f, &f->stranger, handle, CKA_VALUE, NULL));
    UNIT_OK(destroy(&f->nobody, handle));
    CU_ASSERT_EQUAL(found(&f->stranger, "everybody's"), 0);
    UNIT_RC(fixture_read(f, &f->nobody, handle, CKA_VALUE, NULL), RC_OBJECT_HANDLE);
    UNIT_RC(destroy(&f->nobody, handle), RC_OBJECT_HANDLE);
}

static void a_private_object_does_not_exist_for_others(void)
{
    struct fixture *f = fixture_shared();
    uint64_t handle = make(&f->user, "mine", true, true);
    const struct caller *others[] = {&f->nobody, &f->so, &f->stranger};
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(found(others[i], "mine"), 0);
        UNIT_RC(fixture_read(f, others[i], handle, CKA_LABEL, NULL), RC_OBJECT_HANDLE);
        UNIT_RC(destroy(others[i], handle), RC_OBJECT_HANDLE);
    }
    CU_ASSERT_EQUAL(found(&f->user, "mine"), 1);
    AUTO_SECRET value = SECRET_INIT;
    UNIT_OK(fixture_read(f, &f->user, handle, CKA_VALUE, &value));
    CU_ASSERT_TRUE(secret_equal(&value, bytes_of_str("what it holds")));
    UNIT_OK(destroy(&f->user, handle));
}

static void a_login_on_another_token_opens_nothing_here(void)
{
    struct fixture *f = fixture_shared();
    struct caller elsewhere = f->user;
    uint64_t handle = make(&f->user, "here", true, true);
    elsewhere.ticket.token = 2;
    UNIT_RC(fixture_read(f, &elsewhere, handle, CKA_LABEL, NULL), RC_OBJECT_HANDLE);
    CU_ASSERT_EQUAL(found(&elsewhere, "here"), 0);
    UNIT_OK(destroy(&f->user, handle));
}

static void a_session_object_is_its_applications_alone(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct wanted wanted = {.used = 0};
    data_object(&wanted, "session", false, false);
    UNIT_OK(hsm_create_object(f->hsm, &f->nobody, f->slot, wanted_attrs(&wanted), &made));
    CU_ASSERT_EQUAL(made.effect.len, 0);
    CU_ASSERT_EQUAL(made.result.handle_count, 1);
    CU_ASSERT_TRUE(made.sealed[0].len > 0);
    uint64_t handle = made.result.handles[0];
    mutation_clear(&made);
    CU_ASSERT_NOT_EQUAL(handle & SESSION_HANDLE_BIT, 0);
    UNIT_OK(fixture_read(f, &f->nobody, handle, CKA_VALUE, NULL));
    UNIT_RC(fixture_read(f, &f->stranger, handle, CKA_VALUE, NULL), RC_SESSION_OBJECT_LOST);
    CU_ASSERT_EQUAL(found(&f->nobody, "session"), 1);
    CU_ASSERT_EQUAL(found(&f->stranger, "session"), 0);
    UNIT_OK(destroy(&f->nobody, handle));
    CU_ASSERT_EQUAL(found(&f->nobody, "session"), 0);
}

static void a_public_session_cannot_make_private_objects(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0};
    data_object(&wanted, "not mine", true, true);
    UNIT_RC(create(&f->nobody, &wanted, NULL), RC_NOT_LOGGED_IN);
    UNIT_RC(create(&f->so, &wanted, NULL), RC_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(found(&f->user, "not mine"), 0);
}

static void a_token_that_is_not_there_takes_no_object(void)
{
    struct fixture *f = fixture_shared();
    struct mutation made = MUTATION_INIT;
    struct wanted wanted = {.used = 0};
    data_object(&wanted, "x", false, false);
    UNIT_RC(hsm_create_object(f->hsm, &f->nobody, 2, wanted_attrs(&wanted), &made),
            RC_TOKEN_NOT_INITIALIZED);
    UNIT_RC(hsm_create_object(f->hsm, &f->nobody, 9, wanted_attrs(&wanted), &made),
            RC_SLOT_INVALID);
    mutation_clear(&made);
}

static void set_changes_and_counts_versions_for_token_and_session(void)
{
    struct fixture *f = fixture_shared();
    for (int is_token = 0; is_token <= 1; is_token++) {
        struct wanted wanted = {.used = 0};
        AUTO_OBJECT *object = NULL;
        uint64_t handle = make(&f->user, "old", is_token == 1, true);
        wanted_str(&wanted, CKA_LABEL, "new");
        wanted_str(&wanted, CKA_VALUE, "another value");
        UNIT_OK(set(&f->user, handle, &wanted));
        UNIT_OK(hsm_object(f->hsm, &f->user, handle, &object));
        CU_ASSERT_PTR_NOT_NULL_FATAL(object);
        CU_ASSERT_EQUAL(object->version, 2);
        CU_ASSERT_EQUAL(object->handle, handle);
        AUTO_SECRET value = SECRET_INIT;
        UNIT_OK(hsm_get_attribute(f->hsm, object, CKA_VALUE, &value));
        CU_ASSERT_TRUE(secret_equal(&value, bytes_of_str("another value")));
        CU_ASSERT_EQUAL(found(&f->user, "old"), 0);
        CU_ASSERT_EQUAL(found(&f->user, "new"), 1);
        UNIT_OK(destroy(&f->user, handle));
    }
}

static void two_changes_of_one_version_conflict(void)
{
    struct fixture *f = fixture_shared();
    struct mutation first = MUTATION_INIT, second = MUTATION_INIT;
    struct wanted wanted = {.used = 0};
    uint64_t handle = make(&f->nobody, "raced", true, false);
    wanted_str(&wanted, CKA_APPLICATION, "x");
    enum rc rc1 = hsm_set_attributes(f->hsm, &f->nobody, handle, wanted_attrs(&wanted), &first);
    enum rc rc2 = hsm_set_attributes(f->hsm, &f->nobody, handle, wanted_attrs(&wanted), &second);
    UNIT_OK(fixture_done(f, &f->nobody, rc1, &first, NULL));
    UNIT_RC(fixture_done(f, &f->nobody, rc2, &second, NULL), RC_CONFLICT);
    UNIT_OK(destroy(&f->nobody, handle));
}

static void modifiable_copyable_and_destroyable_are_obeyed(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, label = {.used = 0};
    uint64_t handle = 0;
    data_object(&wanted, "stone", false, false);
    wanted_bool(&wanted, CKA_MODIFIABLE, false);
    wanted_bool(&wanted, CKA_COPYABLE, false);
    wanted_bool(&wanted, CKA_DESTROYABLE, false);
    UNIT_OK(create(&f->nobody, &wanted, &handle));
    wanted_str(&label, CKA_LABEL, "sand");
    UNIT_RC(set(&f->nobody, handle, &label), RC_ACTION_PROHIBITED);
    UNIT_RC(copy(&f->nobody, handle, &label, NULL), RC_ACTION_PROHIBITED);
    UNIT_RC(destroy(&f->nobody, handle), RC_ACTION_PROHIBITED);
}

static void a_copy_to_the_token_keeps_the_secret(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, to_token = {.used = 0};
    AUTO_SECRET before = SECRET_INIT, after = SECRET_INIT;
    uint64_t made = 0;
    wanted_bool(&wanted, CKA_EXTRACTABLE, true);
    uint64_t handle = fixture_aes(f, 32, &wanted);
    wanted_bool(&to_token, CKA_TOKEN, true);
    UNIT_OK(copy(&f->user, handle, &to_token, &made));
    CU_ASSERT_EQUAL(made & SESSION_HANDLE_BIT, 0);
    UNIT_OK(fixture_read(f, &f->user, handle, CKA_VALUE, &before));
    UNIT_OK(fixture_read(f, &f->user, made, CKA_VALUE, &after));
    CU_ASSERT_EQUAL(before.len, 32);
    CU_ASSERT_TRUE(secret_equal(&before, secret_expose(&after)));
    CU_ASSERT_TRUE(fixture_bool(f, &f->user, made, CKA_LOCAL));
    UNIT_OK(destroy(&f->user, made));
}

static void the_SO_trusts_a_public_key_and_users_cannot(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, trust = {.used = 0};
    wanted_bool(&wanted, CKA_PRIVATE, false);
    wanted_bool(&wanted, CKA_TOKEN, true);
    uint64_t handle = fixture_aes(f, 16, &wanted);
    wanted_bool(&trust, CKA_TRUSTED, true);
    UNIT_RC(set(&f->user, handle, &trust), RC_ATTRIBUTE_READ_ONLY);
    UNIT_OK(set(&f->so, handle, &trust));
    CU_ASSERT_TRUE(fixture_bool(f, &f->user, handle, CKA_TRUSTED));
    UNIT_OK(destroy(&f->user, handle));
}

static void profiles_are_found_and_cannot_be_changed(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, label = {.used = 0};
    wanted_ulong(&wanted, CKA_CLASS, CKO_PROFILE);
    CU_ASSERT_EQUAL(fixture_count(f, &f->nobody, &wanted), BUILTINS_COUNT);
    uint64_t handle = BUILTIN_HANDLE_BIT;
    AUTO_SECRET id = SECRET_INIT;
    UNIT_OK(fixture_read(f, &f->nobody, handle, CKA_PROFILE_ID, &id));
    CU_ASSERT_TRUE(id.len == 8 && id.ptr[0] == CKP_BASELINE_PROVIDER);
    UNIT_RC(fixture_read(f, &f->nobody, handle, CKA_VALUE, NULL), RC_ATTRIBUTE_TYPE);
    wanted_str(&label, CKA_LABEL, "x");
    UNIT_RC(set(&f->so, handle, &label), RC_ACTION_PROHIBITED);
    UNIT_RC(copy(&f->so, handle, &label, NULL), RC_ACTION_PROHIBITED);
    UNIT_RC(destroy(&f->so, handle), RC_ACTION_PROHIBITED);
    UNIT_RC(destroy(&f->so, BUILTIN_HANDLE_BIT + BUILTINS_COUNT), RC_OBJECT_HANDLE);
}

struct collected {
    uint64_t handles[8];
    size_t count;
    size_t limit;
};

static bool collect(struct object *object, void *context)
{
    struct collected *all = context;
    all->handles[all->count++] = object->handle;
    return all->count < all->limit;
}

static void a_search_goes_on_where_it_stopped_across_all_places(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0};
    struct collected all = {.limit = 8}, first = {.limit = 1};
    uint64_t made[4];
    for (size_t i = 0; i < 4; i++)
        made[i] = make(&f->user, "page", i < 2, false);
    wanted_str(&wanted, CKA_LABEL, "page");
    struct attrs attrs = wanted_attrs(&wanted);
    UNIT_OK(hsm_find(f->hsm, &f->user, f->slot, attrs, 0, collect, &all));
    CU_ASSERT_EQUAL_FATAL(all.count, 4);
    uint64_t after = 0;
    for (size_t i = 0; i < 4; i++) {
        first.count = 0;
        UNIT_OK(hsm_find(f->hsm, &f->user, f->slot, attrs, after, collect, &first));
        CU_ASSERT_EQUAL(first.count, 1);
        CU_ASSERT_EQUAL(first.handles[0], all.handles[i]);
        CU_ASSERT_TRUE(first.handles[0] > after);
        after = first.handles[0];
    }
    for (size_t i = 0; i < 4; i++)
        UNIT_OK(destroy(&f->user, made[i]));
}

static void a_secret_value_finds_nothing(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0}, search = {.used = 0};
    AUTO_SECRET value = SECRET_INIT;
    wanted_bool(&wanted, CKA_EXTRACTABLE, true);
    uint64_t handle = fixture_aes(f, 16, &wanted);
    UNIT_OK(fixture_read(f, &f->user, handle, CKA_VALUE, &value));
    wanted_bytes(&search, CKA_VALUE, value.ptr, value.len);
    CU_ASSERT_EQUAL(fixture_count(f, &f->user, &search), 0);
}

static void a_repeated_request_makes_one_object(void)
{
    struct fixture *f = fixture_shared();
    struct caller caller = f->nobody;
    struct wanted wanted = {.used = 0};
    uint64_t first = 0, second = 0;
    data_object(&wanted, "once", true, false);
    caller.sequence = 77;
    UNIT_OK(create(&caller, &wanted, &first));
    UNIT_OK(create(&caller, &wanted, &second));
    CU_ASSERT_EQUAL(first, second);
    CU_ASSERT_EQUAL(found(&f->nobody, "once"), 1);
    UNIT_OK(destroy(&f->nobody, first));
}

static void a_certificate_is_kept_and_read(void)
{
    struct fixture *f = fixture_shared();
    struct wanted wanted = {.used = 0};
    uint64_t handle = 0;
    wanted_ulong(&wanted, CKA_CLASS, CKO_CERTIFICATE);
    wanted_ulong(&wanted, CKA_CERTIFICATE_TYPE, CKC_X_509);
    wanted_str(&wanted, CKA_SUBJECT, "a name in DER");
    wanted_str(&wanted, CKA_VALUE, "a certificate in DER");
    wanted_bool(&wanted, CKA_TOKEN, true);
    UNIT_OK(create(&f->nobody, &wanted, &handle));
    CU_ASSERT_FALSE(fixture_bool(f, &f->nobody, handle, CKA_TRUSTED));
    UNIT_OK(fixture_read(f, &f->nobody, handle, CKA_VALUE, NULL));
    UNIT_RC(fixture_read(f, &f->nobody, handle, CKA_MODULUS, NULL), RC_ATTRIBUTE_TYPE);
    UNIT_OK(destroy(&f->nobody, handle));
}

UNIT_SUITE("token/hsm_objects", UNIT_CASE(a_token_object_is_seen_by_every_application),
           UNIT_CASE(a_private_object_does_not_exist_for_others),
           UNIT_CASE(a_login_on_another_token_opens_nothing_here),
           UNIT_CASE(a_session_object_is_its_applications_alone),
           UNIT_CASE(a_public_session_cannot_make_private_objects),
           UNIT_CASE(a_token_that_is_not_there_takes_no_object),
           UNIT_CASE(set_changes_and_counts_versions_for_token_and_session),
           UNIT_CASE(two_changes_of_one_version_conflict),
           UNIT_CASE(modifiable_copyable_and_destroyable_are_obeyed),
           UNIT_CASE(a_copy_to_the_token_keeps_the_secret),
           UNIT_CASE(the_SO_trusts_a_public_key_and_users_cannot),
           UNIT_CASE(profiles_are_found_and_cannot_be_changed),
           UNIT_CASE(a_search_goes_on_where_it_stopped_across_all_places),
           UNIT_CASE(a_secret_value_finds_nothing), UNIT_CASE(a_repeated_request_makes_one_object),
           UNIT_CASE(a_certificate_is_kept_and_read));
