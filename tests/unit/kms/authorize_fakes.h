/* SPDX-License-Identifier: Apache-2.0 */
/* Callers, keys and grants for the suites of authorisation, without a view or an HSM. */
#ifndef QHSM_TESTS_AUTHORIZE_FAKES_H
#define QHSM_TESTS_AUTHORIZE_FAKES_H

#include "kms/authorize.h"
#include "kms/grant.h"

#define ACCOUNT "111122223333"
#define OTHER   "444455556666"
#define ALICE   "arn:aws:iam::" ACCOUNT ":user/alice"
#define ROLE    "arn:aws:iam::" ACCOUNT ":role/worker"
#define SESSION "arn:aws:sts::" ACCOUNT ":assumed-role/worker/s1"
#define BOB     "arn:aws:iam::" OTHER ":user/bob"

/* The only grant there is; NULL: none. Of the fake grant_allowing(). */
extern struct grant *fake_grant;
/* Aliases of the fake view_each(): up to NULL. */
extern struct alias *fake_aliases[4];

/* Stops the test when it does not parse. */
struct policy *fake_policy(enum policy_kind kind, const char *text);

/* A request with its caller and key; policies are parsed from texts, NULL: none. */
struct fake_world {
    struct kms_request request;
    struct http_request http;
    struct kms kms;
    struct key key;
    struct record record;
};
void fake_world_init(struct fake_world *world, const char *key_policy);
void fake_world_clear(struct fake_world *world);
/* By the ARN: root, user, or session (of ROLE). */
void fake_world_caller(struct fake_world *world, const char *arn);
void fake_world_allow(struct fake_world *world, const char *identity_policy);

#endif
