/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and users: every wrong PIN is an effect, counted before it is answered. */
#include <stdio.h>

#include "token/hsm_internal.h"

#define SERIAL_BYTES 8U

/* A PIN try that may be made at all. */
static enum rc may_try(const struct policy *policy, const struct user_row *user)
{
    if (user->disabled)
        return rc_fail(RC_USER_DISABLED, "user %s", user->name);
    if (!user->has_pin)
        return rc_fail(RC_USER_PIN_NOT_INITIALIZED, "user %s", user->name);
    if (policy->pin_tries_max != 0 && user->tries >= policy->pin_tries_max)
        return rc_fail(RC_PIN_LOCKED, "user %s: %u wrong PINs in a row", user->name, user->tries);
    return RC_OK;
}

/* Without the request's number, which the client chooses: a try that seems a repetition of an
 * answered request would be answered like that one, and not counted. */
static enum rc count_try(const struct caller *caller, const struct user_row *user, bool right,
                         struct mutation *out)
{
    struct effect_head head = hsm_head(caller);
    head.sequence = 0;
    return effect_user_tried(&out->effect, &head, user->id, user->version, right);
}

/* Tries the PIN. A wrong one: the effect counts it, out->verdict says so, *out_right is false. */
static enum rc try_pin(const struct hsm *hsm, const struct caller *caller,
                       const struct policy *policy, const struct user_row *user, struct bytes pin,
                       struct mutation *out, bool *out_right)
{
    TRY(may_try(policy, user));
    enum rc rc = user_verify_pin(hsm->state, user, pin);
    *out_right = rc == RC_OK;
    if (rc != RC_PIN_INCORRECT)
        return rc;
    out->verdict = RC_PIN_INCORRECT;
    return count_try(caller, user, false, out);
}

static enum rc put_user(const struct caller *caller, const struct user_row *user,
                        uint64_t expected_version, struct mutation *out)
{
    struct effect_head head = hsm_head(caller);
    return effect_user_put(&out->effect, &head, user, expected_version);
}

static enum rc set_pin(const struct hsm *hsm, const struct policy *policy, struct user_row *user,
                       struct bytes pin)
{
    TRY(pin_check(policy, pin));
    TRY(user_set_pin(hsm->state, user, pin));
    user->tries = 0;
    return RC_OK;
}

static void set_name(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s", name);
}

/* ---- tokens ---- */

static enum rc check_label(const char *label)
{
    size_t len = strlen(label);
    struct attr attr = {.type = CKA_LABEL, .value = bytes_of(label, len)};
    if (len > TOKEN_LABEL_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "a token's label has at most %u bytes", TOKEN_LABEL_MAX);
    if (attr_check(&attr) != RC_OK)
        return rc_fail(RC_BAD_ARGUMENT, "a token's label is UTF-8");
    return RC_OK;
}

static enum rc make_serial(char out[2 * SERIAL_BYTES + 1])
{
    uint8_t random[SERIAL_BYTES];
    TRY(random_bytes(random, sizeof random));
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", random[i]);
    return RC_OK;
}

static enum rc init_new(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                        const char *label, struct bytes so_pin, struct mutation *out)
{
    struct effect_head head = hsm_head(caller);
    struct policy policy = policy_default();
    struct user_row so = {.token = slot, .role = ROLE_SO};
    char serial[2 * SERIAL_BYTES + 1];
    set_name(so.name, sizeof so.name, SO_USER_NAME);
    TRY(set_pin(hsm, &policy, &so, so_pin));
    TRY(make_serial(serial));
    return effect_token_init(&out->effect, &head, slot, label, serial, &so);
}

/* Everything on the token goes, so that its SO's PIN is asked; SO and serial stay. */
static enum rc init_again(struct hsm *hsm, const struct caller *caller,
                          const struct token_row *token, const char *label, struct bytes so_pin,
                          struct mutation *out)
{
    struct user_row so = {.id = 0};
    bool right = false;
    TRY(state_user(hsm->state, token->number, SO_USER_NAME, &so));
    TRY(try_pin(hsm, caller, &token->policy, &so, so_pin, out, &right));
    if (!right)
        return RC_OK;
    struct effect_head head = hsm_head(caller);
    so.tries = 0;
    return effect_token_init(&out->effect, &head, token->number, label, token->serial, &so);
}

enum rc hsm_init_token(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                       const char *label, struct bytes so_pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    TRY(check_label(label));
    if (slot == state_next_token(hsm->state))
        return init_new(hsm, caller, slot, label, so_pin, out);
    TRY(state_token(hsm->state, slot, &token));
    return init_again(hsm, caller, &token, label, so_pin, out);
}

enum rc hsm_reset_token(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                        const char *label, struct bytes so_pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row so = {.token = slot, .role = ROLE_SO};
    if (!caller->is_admin)
        return rc_fail(RC_NOT_PERMITTED,
                       "initialising slot %llu again without its SO's PIN is an "
                       "administrator's",
                       (unsigned long long)slot);
    TRY(check_label(label));
    TRY(hsm_token(hsm, slot, &token));
    set_name(so.name, sizeof so.name, SO_USER_NAME);
    TRY(set_pin(hsm, &token.policy, &so, so_pin));
    struct effect_head head = hsm_head(caller);
    return effect_token_init(&out->effect, &head, slot, label, token.serial, &so);
}

/* ---- PINs ---- */

static enum rc so_token(const struct hsm *hsm, const struct caller *caller, struct token_row *out)
{
    if (!caller->logged_in || caller->ticket.role != ROLE_SO)
        return rc_fail(RC_NOT_LOGGED_IN, "that is the security officer's to do");
    return hsm_token(hsm, caller->ticket.token, out);
}

/* `name:rest` with that very name of a crypto user in front: the rest. */
static struct bytes without_name(struct bytes pin, enum user_role role, const char *name)
{
    size_t len = strlen(name);
    bool named = role == ROLE_USER && pin.len > len && pin.ptr[len] == ':' &&
                 bytes_equal(bytes_slice(pin, 0, len), bytes_of(name, len));
    return named ? bytes_slice(pin, len + 1, pin.len - len - 1) : pin;
}

enum rc hsm_init_pin(struct hsm *hsm, const struct caller *caller, struct bytes pin,
                     struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    struct bytes password = pin;
    TRY(so_token(hsm, caller, &token));
    bool is_new = state_user(hsm->state, token.number, DEFAULT_USER_NAME, &user) != RC_OK;
    rc_detail_clear();
    enum rc rc = user_pick(hsm->state, token.number, ROLE_USER, pin, NULL, &user, &password);
    is_new = is_new && rc == RC_USER_PIN_NOT_INITIALIZED;
    if (rc != RC_OK && rc != RC_USER_PIN_NOT_INITIALIZED)
        return rc;
    if (is_new) {
        user = (struct user_row){.token = token.number, .role = ROLE_USER};
        set_name(user.name, sizeof user.name, DEFAULT_USER_NAME);
    }
    TRY(set_pin(hsm, &token.policy, &user, password));
    return put_user(caller, &user, is_new ? 0 : user.version, out);
}

static enum rc role_of(CK_USER_TYPE type, const struct caller *caller, enum user_role *out)
{
    switch (type) {
    case CKU_SO:
        *out = ROLE_SO;
        return RC_OK;
    case CKU_USER:
        *out = ROLE_USER;
        return RC_OK;
    case CKU_CONTEXT_SPECIFIC:
        if (!caller->logged_in)
            return rc_fail(RC_NOT_LOGGED_IN, "a context-specific login needs a login before");
        *out = caller->ticket.role;
        return RC_OK;
    default:
        return rc_fail(RC_USER_TYPE, "user type %lu", type);
    }
}

/* The user whose PIN that is; the caller's own when there is a login on that token, so that a plain
 * PIN is enough. */
static enum rc pick(const struct hsm *hsm, const struct caller *caller, uint64_t slot,
                    enum user_role role, const char *name, struct bytes pin, struct user_row *out,
                    struct bytes *out_password)
{
    bool own = hsm_role(caller, slot) == role && (name == NULL || name[0] == 0);
    if (own) {
        *out_password = without_name(pin, role, caller->ticket.user);
        return state_user_by_id(hsm->state, caller->ticket.user_id, out);
    }
    return user_pick(hsm->state, slot, role, pin, name, out, out_password);
}

enum rc hsm_set_pin(struct hsm *hsm, const struct caller *caller, uint64_t slot, CK_USER_TYPE type,
                    struct bytes old_pin, struct bytes new_pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    struct bytes password = BYTES_NONE;
    enum user_role role = ROLE_NONE;
    bool right = false;
    TRY(hsm_token(hsm, slot, &token));
    TRY(role_of(type, caller, &role));
    TRY(pick(hsm, caller, slot, role, NULL, old_pin, &user, &password));
    struct bytes fresh = without_name(new_pin, role, user.name);
    TRY(pin_check(&token.policy, fresh));
    TRY(try_pin(hsm, caller, &token.policy, &user, password, out, &right));
    if (!right)
        return RC_OK;
    TRY(set_pin(hsm, &token.policy, &user, fresh));
    return put_user(caller, &user, user.version, out);
}

enum rc hsm_set_password(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                         const char *name, struct bytes old, struct bytes fresh,
                         struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    struct bytes password = BYTES_NONE;
    bool right = false;
    TRY(hsm_token(hsm, slot, &token));
    TRY(user_pick(hsm->state, slot, ROLE_USER, old, name, &user, &password));
    TRY(pin_check(&token.policy, fresh));
    TRY(try_pin(hsm, caller, &token.policy, &user, password, out, &right));
    if (!right)
        return RC_OK;
    TRY(set_pin(hsm, &token.policy, &user, fresh));
    return put_user(caller, &user, user.version, out);
}

/* ---- logins ---- */

static enum rc seal_ticket(const struct hsm *hsm, const struct caller *caller,
                           const struct token_row *token, const struct user_row *user,
                           bool is_context, struct buf *out)
{
    uint64_t life_ms =
        is_context ? TICKET_CONTEXT_LIFE_MS : (uint64_t)token->policy.ticket_life_s * 1000;
    struct ticket ticket = {
        .token = token->number,
        .user_id = user->id,
        .role = user->role,
        .user_version = user->version,
        .token_epoch = token->epoch,
        .expires_ms = life_ms == 0 ? 0 : caller->now_ms + life_ms,
        .is_context = is_context,
    };
    memcpy(ticket.application, caller->application, sizeof ticket.application);
    set_name(ticket.user, sizeof ticket.user, user->name);
    return ticket_seal(hsm->keys, &ticket, out);
}

/* A right PIN is an effect too: only a majority knows how many tries went before. */
enum rc hsm_login(struct hsm *hsm, const struct caller *caller, uint64_t slot, CK_USER_TYPE type,
                  const char *name, struct bytes pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    struct bytes password = BYTES_NONE;
    enum user_role role = ROLE_NONE;
    bool right = false;
    TRY(hsm_token(hsm, slot, &token));
    TRY(role_of(type, caller, &role));
    if (type == CKU_CONTEXT_SPECIFIC && hsm_role(caller, slot) == ROLE_NONE)
        return rc_fail(RC_NOT_LOGGED_IN, "a context-specific login needs a login before");
    struct caller fresh = *caller;
    fresh.logged_in = caller->logged_in && type == CKU_CONTEXT_SPECIFIC;
    TRY(pick(hsm, &fresh, slot, role, name, pin, &user, &password));
    TRY(try_pin(hsm, caller, &token.policy, &user, password, out, &right));
    if (!right)
        return RC_OK;
    TRY(count_try(caller, &user, true, out));
    return seal_ticket(hsm, caller, &token, &user, type == CKU_CONTEXT_SPECIFIC, &out->reply);
}

void hsm_logout(struct hsm *hsm, const struct caller *caller)
{
    if (caller->logged_in)
        session_objects_drop_private(hsm->sessions, caller->application, caller->ticket.token);
}

/* ---- administration by the SO ---- */

/* No colon, which ends a name in `user:password`, and nothing that a shell or a log would mangle.
 */
static enum rc check_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._@-";
    size_t len = strlen(name);
    if (len == 0 || len > USER_NAME_MAX || strspn(name, allowed) != len)
        return rc_fail(RC_BAD_ARGUMENT,
                       "a user's name has 1 to %u characters: letters, digits and . _ @ -",
                       USER_NAME_MAX);
    return RC_OK;
}

enum rc hsm_user_create(struct hsm *hsm, const struct caller *caller, const char *name,
                        struct bytes pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    TRY(so_token(hsm, caller, &token));
    TRY(check_name(name));
    if (state_user(hsm->state, token.number, name, &user) == RC_OK)
        return rc_fail(RC_EXISTS, "user %s", name);
    rc_detail_clear();
    size_t count = state_users(hsm->state, token.number, NULL, 0); /* the SO is one of them */
    if (token.policy.users_max != 0 && count > token.policy.users_max)
        return rc_fail(RC_LIMIT, "the token has %u users", token.policy.users_max);
    user = (struct user_row){.token = token.number, .role = ROLE_USER};
    set_name(user.name, sizeof user.name, name);
    TRY(set_pin(hsm, &token.policy, &user, pin));
    return put_user(caller, &user, 0, out);
}

enum rc hsm_user_change(struct hsm *hsm, const struct caller *caller, const char *name,
                        enum user_change change, struct bytes pin, struct mutation *out)
{
    struct token_row token = {.number = 0};
    struct user_row user = {.id = 0};
    TRY(so_token(hsm, caller, &token));
    TRY(state_user(hsm->state, token.number, name, &user));
    if (user.role == ROLE_SO)
        return rc_fail(RC_NOT_PERMITTED,
                       "the security officer changes the own PIN by C_SetPIN, and stays");
    struct effect_head head = hsm_head(caller);
    switch (change) {
    case USER_CHANGE_PIN:
        TRY(set_pin(hsm, &token.policy, &user, pin));
        break;
    case USER_CHANGE_UNLOCK:
        user.tries = 0;
        user.disabled = false;
        break;
    case USER_CHANGE_DISABLE:
        user.disabled = true;
        break;
    case USER_CHANGE_DELETE:
        return effect_user_delete(&out->effect, &head, token.number, user.name);
    default:
        return rc_fail(RC_BAD_ARGUMENT, "no change %d of a user", (int)change);
    }
    return put_user(caller, &user, user.version, out);
}

enum rc hsm_policy_set(struct hsm *hsm, const struct caller *caller, const struct policy *policy,
                       uint64_t expected_epoch, struct mutation *out)
{
    struct token_row token = {.number = 0};
    TRY(so_token(hsm, caller, &token));
    TRY(policy_check(policy));
    if (expected_epoch != token.epoch)
        return rc_fail(RC_CONFLICT,
                       "the policy has changed since it was read: epoch %llu, not %llu",
                       (unsigned long long)token.epoch, (unsigned long long)expected_epoch);
    struct effect_head head = hsm_head(caller);
    return effect_policy_put(&out->effect, &head, token.number, expected_epoch, policy);
}
