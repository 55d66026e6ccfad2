/* SPDX-License-Identifier: Apache-2.0 */
/* An HSM without a daemon, for the suites of hsm_*(). */
#include "tests/unit/token/hsm_fixture.h"

#include <stdlib.h>

#include "token/crypto_lib.h"

#define NOW_MS 1767225600000ULL /* 2026-01-01 */

static const uint8_t cluster[16] = "a test's cluster";

static void must(int rc, const char *what)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "%s: %d %s\n", what, rc, rc_detail());
    abort();
}

static void caller_init(struct caller *caller, uint8_t application)
{
    *caller = (struct caller){.now_ms = NOW_MS};
    memset(caller->application, application, sizeof caller->application);
}

int fixture_settle(struct fixture *fixture, const struct caller *caller, enum rc made,
                   struct mutation *mutation)
{
    struct effect_result applied = {.rc = RC_OK};
    if (made != RC_OK)
        return (int)made;
    if (mutation->effect.len == 0)
        return (int)mutation->verdict;
    state_apply(fixture->hsm->state, ++fixture->index, buf_bytes(&mutation->effect), &applied);
    hsm_settle(fixture->hsm, caller, mutation, &applied);
    return (int)(applied.rc != RC_OK ? applied.rc : mutation->verdict);
}

int fixture_done(struct fixture *fixture, const struct caller *caller, enum rc made,
                 struct mutation *mutation, uint64_t *out_handle)
{
    int rc = fixture_settle(fixture, caller, made, mutation);
    if (out_handle != NULL)
        *out_handle =
            rc == RC_OK && mutation->result.handle_count > 0 ? mutation->result.handles[0] : 0;
    mutation_clear(mutation);
    return rc;
}

int fixture_login(struct fixture *fixture, struct caller *caller, CK_USER_TYPE type,
                  const char *name, const char *pin)
{
    struct mutation made = MUTATION_INIT;
    enum rc rc =
        hsm_login(fixture->hsm, caller, fixture->slot, type, name, bytes_of_str(pin), &made);
    int settled = fixture_settle(fixture, caller, rc, &made);
    if (settled == RC_OK) {
        must((int)ticket_open(fixture->hsm->keys, buf_bytes(&made.reply), &caller->ticket),
             "ticket");
        caller->logged_in = true;
    }
    mutation_clear(&made);
    return settled;
}

void fixture_policy(struct fixture *fixture, const struct policy *policy)
{
    AUTO_BUF effect = BUF_INIT;
    struct effect_head head = {.time_ms = NOW_MS};
    struct effect_result applied;
    struct token_row token;
    must((int)effect_policy_put(&effect, &head, fixture->slot, 0, policy), "policy");
    state_apply(fixture->hsm->state, ++fixture->index, buf_bytes(&effect), &applied);
    must((int)applied.rc, "policy");
    must((int)state_token(fixture->hsm->state, fixture->slot, &token), "token");
    fixture->so.ticket.token_epoch = token.epoch;
    fixture->user.ticket.token_epoch = token.epoch;
}

void fixture_open(struct fixture *fixture)
{
    static bool ready;
    AUTO_SECRET master = SECRET_INIT;
    struct mutation made = MUTATION_INIT;
    if (!ready)
        must((int)crypto_lib_init(), "libcrypto");
    ready = true;
    *fixture = (struct fixture){.slot = 1};
    must((int)secret_alloc(&master, MASTER_KEY_LEN), "master key");
    must((int)hsm_new(&master, cluster, 1, &fixture->hsm), "HSM");
    caller_init(&fixture->nobody, 1);
    caller_init(&fixture->stranger, 2);
    fixture->so = fixture->nobody;
    fixture->user = fixture->nobody;
    enum rc rc = hsm_init_token(fixture->hsm, &fixture->nobody, 1, "test",
                                bytes_of_str(FIXTURE_SO_PIN), &made);
    must(fixture_done(fixture, &fixture->nobody, rc, &made, NULL), "token");
    must(fixture_login(fixture, &fixture->so, CKU_SO, NULL, FIXTURE_SO_PIN), "SO");
    made = (struct mutation)MUTATION_INIT;
    rc = hsm_init_pin(fixture->hsm, &fixture->so, bytes_of_str(FIXTURE_USER_PIN), &made);
    must(fixture_done(fixture, &fixture->so, rc, &made, NULL), "user PIN");
    must(fixture_login(fixture, &fixture->user, CKU_USER, NULL, FIXTURE_USER_PIN), "user");
}

void fixture_close(struct fixture *fixture)
{
    hsm_free(fixture->hsm);
    fixture->hsm = NULL;
}

static struct fixture shared;

static void close_shared(void)
{
    fixture_close(&shared);
}

struct fixture *fixture_shared(void)
{
    if (shared.hsm == NULL) {
        fixture_open(&shared);
        (void)atexit(close_shared);
    }
    return &shared;
}

void wanted_bytes(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, const void *ptr, size_t len)
{
    must((int)attr_list_add(&wanted->list, type, bytes_of(ptr, len)), "template");
}

void wanted_str(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, const char *str)
{
    wanted_bytes(wanted, type, str, strlen(str));
}

void wanted_bool(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, bool value)
{
    must((int)attr_list_add(&wanted->list, type, attr_bool(value)), "template");
}

void wanted_ulong(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    struct bytes number = attr_ulong(wanted->numbers[wanted->used++], value);
    wanted_bytes(wanted, type, number.ptr, number.len);
}

struct mech_call call_of(CK_MECHANISM_TYPE type)
{
    return (struct mech_call){.mech = mechanism_find(type)};
}

static void append(struct wanted *to, const struct wanted *more)
{
    for (size_t i = 0; more != NULL && i < more->list.count; i++)
        must((int)attr_list_add(&to->list, more->list.items[i].type, more->list.items[i].value),
             "template");
}

uint64_t fixture_aes(struct fixture *fixture, size_t len, const struct wanted *wanted)
{
    struct wanted all = {.used = 0};
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_AES_KEY_GEN);
    uint64_t handle = 0;
    wanted_ulong(&all, CKA_VALUE_LEN, len);
    append(&all, wanted);
    enum rc rc = hsm_generate_key(fixture->hsm, &fixture->user, fixture->slot, &call,
                                  wanted_attrs(&all), &made);
    UNIT_OK(fixture_done(fixture, &fixture->user, rc, &made, &handle));
    return handle;
}

void fixture_ec(struct fixture *fixture, const struct wanted *wanted_public,
                const struct wanted *wanted_private, uint64_t out[2])
{
    static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    struct wanted all_public = {.used = 0}, all_private = {.used = 0};
    struct mutation made = MUTATION_INIT;
    struct mech_call call = call_of(CKM_EC_KEY_PAIR_GEN);
    wanted_bytes(&all_public, CKA_EC_PARAMS, p256, sizeof p256);
    append(&all_public, wanted_public);
    append(&all_private, wanted_private);
    enum rc rc =
        hsm_generate_key_pair(fixture->hsm, &fixture->user, fixture->slot, &call,
                              wanted_attrs(&all_public), wanted_attrs(&all_private), &made);
    UNIT_OK(fixture_settle(fixture, &fixture->user, rc, &made));
    CU_ASSERT_EQUAL(made.result.handle_count, 2);
    out[0] = made.result.handles[0];
    out[1] = made.result.handles[1];
    mutation_clear(&made);
}

int fixture_read(struct fixture *fixture, const struct caller *caller, uint64_t handle,
                 CK_ATTRIBUTE_TYPE type, struct secret *out)
{
    AUTO_OBJECT *object = NULL;
    AUTO_SECRET value = SECRET_INIT;
    enum rc rc = hsm_object(fixture->hsm, caller, handle, &object);
    if (rc == RC_OK)
        rc = hsm_get_attribute(fixture->hsm, object, type, out == NULL ? &value : out);
    return (int)rc;
}

bool fixture_bool(struct fixture *fixture, const struct caller *caller, uint64_t handle,
                  CK_ATTRIBUTE_TYPE type)
{
    AUTO_SECRET value = SECRET_INIT;
    UNIT_OK(fixture_read(fixture, caller, handle, type, &value));
    CU_ASSERT_EQUAL(value.len, 1);
    return value.len == 1 && value.ptr[0] == 1;
}

static bool count_one(struct object *object, void *context)
{
    (void)object;
    (*(size_t *)context)++;
    return true;
}

size_t fixture_count(struct fixture *fixture, const struct caller *caller,
                     const struct wanted *wanted)
{
    size_t count = 0;
    UNIT_OK(
        hsm_find(fixture->hsm, caller, fixture->slot, wanted_attrs(wanted), 0, count_one, &count));
    return count;
}
