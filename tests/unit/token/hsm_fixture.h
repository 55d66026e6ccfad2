/* SPDX-License-Identifier: Apache-2.0 */
/* An HSM without a daemon: a token with SO and users, and mutations applied at once. */
#ifndef QHSM_TESTS_HSM_FIXTURE_H
#define QHSM_TESTS_HSM_FIXTURE_H

#include "common/mechanism.h"
#include "tests/unit/unit.h"
#include "token/hsm.h"

#define FIXTURE_SO_PIN   "so-pin-1"
#define FIXTURE_USER_PIN "1234"

struct fixture {
    struct hsm *hsm;
    uint64_t index; /* of the last effect */
    uint64_t slot;
    struct caller nobody; /* of application 1, as the others */
    struct caller so;
    struct caller user;
    struct caller stranger; /* application 2, not logged in */
};

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* One for all cases of a suite, made at first use. */
struct fixture *fixture_shared(void);

/* What the daemon does after hsm_*(): the effect's own refusal, else the verdict. Takes `made`'s
 * code through. */
int fixture_settle(struct fixture *fixture, const struct caller *caller, enum rc made,
                   struct mutation *mutation);
/* settle and clear; the first handle (0 when none). */
int fixture_done(struct fixture *fixture, const struct caller *caller, enum rc made,
                 struct mutation *mutation, uint64_t *out_handle);
int fixture_login(struct fixture *fixture, struct caller *caller, CK_USER_TYPE type,
                  const char *name, const char *pin);
void fixture_policy(struct fixture *fixture, const struct policy *policy);

/* A template being written. */
struct wanted {
    struct attr_list list;
    uint8_t numbers[24][8];
    size_t used;
};
void wanted_bytes(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, const void *ptr, size_t len);
void wanted_str(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, const char *str);
void wanted_bool(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, bool value);
void wanted_ulong(struct wanted *wanted, CK_ATTRIBUTE_TYPE type, CK_ULONG value);
static inline struct attrs wanted_attrs(const struct wanted *wanted)
{
    return attrs_of(&wanted->list);
}

/* A call without parameter. */
struct mech_call call_of(CK_MECHANISM_TYPE type);

/* An AES key with what `wanted` adds; its handle, 0 on failure (which is asserted against). */
uint64_t fixture_aes(struct fixture *fixture, size_t len, const struct wanted *wanted);
/* Public and private handle of a P-256 pair. */
void fixture_ec(struct fixture *fixture, const struct wanted *wanted_public,
                const struct wanted *wanted_private, uint64_t out[2]);
/* One attribute: true when it is there and a boolean TRUE. */
bool fixture_bool(struct fixture *fixture, const struct caller *caller, uint64_t handle,
                  CK_ATTRIBUTE_TYPE type);
/* The code of reading an attribute; the value appended to out unless NULL. */
int fixture_read(struct fixture *fixture, const struct caller *caller, uint64_t handle,
                 CK_ATTRIBUTE_TYPE type, struct secret *out);
/* How many objects the caller finds. */
size_t fixture_count(struct fixture *fixture, const struct caller *caller,
                     const struct wanted *wanted);

#endif
