/* SPDX-License-Identifier: Apache-2.0 */
/* The front ends' documents and logins of other tokens and users: refused, with what to do. */
#include <string.h>

#include "tests/unit/cluster/keystore_fixture.h"
#include "tests/unit/unit.h"

#define OTHER_TOKEN "other"

static const struct front_change key_made = {"key/a", 0, "{}"};
static const struct front_change key_changed = {"key/a", 1, "{}"};

/* Another holder of a keystore certificate, logged in. */
static void open_other(struct front *front, const char *token, const char *user)
{
    front_open(front, TLS_ROLE_KEYSTORE, "second");
    UNIT_OK(front_connect(front, token, user, KEYSTORE_PASSWORD));
}

static void begin(struct front *other)
{
    fixture_begin();
    UNIT_OK(fixture_other_token(OTHER_TOKEN));
    fixture_user(KEYSTORE_OTHER_SLOT, KEYSTORE_USER);
    open_other(other, OTHER_TOKEN, KEYSTORE_USER);
}

static void end(struct front *other)
{
    front_close(other);
    fixture_end();
}

static enum rc release(bool erase)
{
    Qhsm__KeystoreReleaseRequest body = QHSM__KEYSTORE_RELEASE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    body.erase = erase;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_RELEASE;
    request.keystore_release = &body;
    request.sequence = 1;
    return client_rc(client_call(&fixture.local, &request));
}

static size_t count_documents(struct front *front)
{
    UNIT_OK(front_documents(front, 0, ""));
    return front->reply.msg->keystore_documents->n_documents;
}

static void another_tokens_user_neither_reads_nor_changes_them(void)
{
    struct front other;
    begin(&other);
    UNIT_OK(front_change(&fixture.front, &key_made, 1));
    UNIT_RC(front_documents(&other, 0, ""), RC_NOT_OWNER);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "kmsuser of the token in slot 1"));
    UNIT_RC(front_change(&other, &key_changed, 1), RC_NOT_OWNER);
    UNIT_RC(front_change(&other, NULL, 0), RC_NOT_OWNER);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_info(RC_NOT_OWNER)->next, "qhsm keystore release"));
    /* Its own keys it has as ever: a custom key store. */
    uint64_t key = 0;
    UNIT_OK(front_create(&other, KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "own", &key));
    UNIT_OK(front_change(&fixture.front, &key_changed, 1));
    end(&other);
}

static void another_user_of_the_same_token_is_refused_too(void)
{
    struct front other;
    fixture_begin();
    fixture_user(HARNESS_SLOT, "another");
    open_other(&other, KEYSTORE_TOKEN, "another");
    UNIT_OK(front_change(&fixture.front, &key_made, 1));
    UNIT_RC(front_documents(&other, 0, ""), RC_NOT_OWNER);
    UNIT_RC(front_change(&other, &key_changed, 1), RC_NOT_OWNER);
    end(&other);
}

static void before_the_first_change_anybody_may_be_the_owner(void)
{
    struct front other;
    begin(&other);
    CU_ASSERT_EQUAL(count_documents(&other), 0);
    CU_ASSERT_EQUAL(count_documents(&fixture.front), 0);
    UNIT_OK(front_change(&other, NULL, 0));
    UNIT_RC(front_documents(&fixture.front, 0, ""), RC_NOT_OWNER);
    UNIT_RC(front_change(&fixture.front, &key_made, 1), RC_NOT_OWNER);
    end(&other);
}

static void the_binding_is_there_after_a_restart(void)
{
    struct front other;
    begin(&other);
    UNIT_OK(front_change(&fixture.front, &key_made, 1));
    front_close(&other);
    fixture_restart();
    open_other(&other, OTHER_TOKEN, KEYSTORE_USER);
    UNIT_RC(front_change(&other, &key_changed, 1), RC_NOT_OWNER);
    UNIT_OK(front_change(&fixture.front, &key_changed, 1));
    end(&other);
}

static void an_administrator_gives_them_up_or_erases_them(void)
{
    struct front other;
    begin(&other);
    UNIT_RC(release(false), RC_NOT_FOUND);
    UNIT_OK(front_change(&fixture.front, &key_made, 1));
    UNIT_OK(release(false));
    UNIT_OK(front_change(&other, &key_changed, 1));
    UNIT_RC(front_documents(&fixture.front, 0, ""), RC_NOT_OWNER);
    UNIT_OK(release(true));
    CU_ASSERT_EQUAL(count_documents(&fixture.front), 0);
    UNIT_OK(front_change(&fixture.front, &key_made, 1));
    UNIT_RC(front_documents(&other, 0, ""), RC_NOT_OWNER);
    end(&other);
}

static void a_front_end_gives_nothing_up(void)
{
    Qhsm__KeystoreReleaseRequest body = QHSM__KEYSTORE_RELEASE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    fixture_begin();
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_RELEASE;
    request.keystore_release = &body;
    UNIT_RC(front_call(&fixture.front, &request, true), RC_NOT_PERMITTED);
    fixture_end();
}

UNIT_SUITE("keystore_owner", UNIT_CASE(another_tokens_user_neither_reads_nor_changes_them),
           UNIT_CASE(another_user_of_the_same_token_is_refused_too),
           UNIT_CASE(before_the_first_change_anybody_may_be_the_owner),
           UNIT_CASE(the_binding_is_there_after_a_restart),
           UNIT_CASE(an_administrator_gives_them_up_or_erases_them),
           UNIT_CASE(a_front_end_gives_nothing_up));
