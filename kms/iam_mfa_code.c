/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of MFA devices: clocks are compared, codes taken once. What is taken, and what was guessed,
 * is in the device's document, so that all front ends know. */
#include "kms/iam_call.h"
#include "kms/totp.h"
#include "kms/vault.h"

#define SYNC_STEPS  20 /* ten minutes: how far a device's clock may be off */
#define DRIFT_STEPS 1  /* since it was last compared */
/* In a step of 30 s. Three of a million codes are right: for an even chance somebody who has the
 * user's access key must guess for two weeks, and each guess is in the trail. */
#define WRONG_MAX 5U

static struct record *find_by_serial(const struct iam_call *call, const char *serial)
{
    struct iam_arn parts;
    const char *account = call->identity.account;
    if (!iam_arn_parse(serial, &parts) || parts.is_root || parts.kind != IAM_MFA ||
        strcmp(parts.account, account) != 0)
        return NULL;
    struct record *record = iam_find(call->kms->view, account, IAM_MFA, parts.name);
    const struct iam_mfa *device = iam_mfa_of(record);
    if (device != NULL && strcmp(device->head.arn, serial) == 0)
        return record;
    record_unref(record);
    return NULL;
}

enum kms_error iam_mfa_find(const struct iam_call *call, struct record **out)
{
    const char *serial;
    KMS_TRY(iam_call_need(call, "SerialNumber", &serial));
    *out = find_by_serial(call, serial);
    return *out != NULL
               ? KMS_OK
               : kms_fail(KMS_NO_SUCH_ENTITY,
                          "VirtualMFADevice with serial number %.256s doesn't exist.", serial);
}

static enum kms_error open_seed(const struct iam_call *call, const struct record *record,
                                struct secret *out)
{
    return kms_from_rc(
        vault_open(call->kms->vault, record->key, buf_bytes(&iam_mfa_of(record)->closed), out));
}

/* The value is in no text: it may be a code. */
static enum kms_error check_code(const char *parameter, const char *code)
{
    return totp_is_code(code)
               ? KMS_OK
               : kms_fail(KMS_IAM_VALIDATION,
                          "1 validation error detected: Value at '%s' failed to satisfy "
                          "constraint: Member must satisfy regular expression pattern: [\\d]{6}",
                          parameter);
}

static uint64_t step_of(const struct iam_call *call)
{
    return call->now_ms / TOTP_STEP_MS;
}

/* `around` steps on each side, but none whose code was taken. */
static enum kms_error find_step(const struct iam_call *call, const struct record *record,
                                const char *code, const char *next, int64_t middle, int64_t around,
                                bool *out_is_found, uint64_t *out_step)
{
    AUTO_SECRET seed = SECRET_INIT;
    uint64_t taken = iam_mfa_of(record)->taken_step;
    uint64_t first = middle < around ? 0 : (uint64_t)(middle - around);
    KMS_TRY(open_seed(call, record, &seed));
    return kms_from_rc(totp_find(&seed, code, next, first > taken ? first : taken + 1,
                                 (uint64_t)(middle + around), out_is_found, out_step));
}

static void set_number(json_t *document, const char *name, int64_t value)
{
    (void)json_object_set_new(document, name, json_integer(value));
}

enum kms_error iam_mfa_synchronise(const struct iam_call *call, const struct record *device,
                                   json_t *fresh)
{
    const char *code, *next;
    bool is_found = false;
    uint64_t step = 0;
    int64_t now = (int64_t)step_of(call);
    KMS_TRY(iam_call_need(call, "AuthenticationCode1", &code));
    KMS_TRY(iam_call_need(call, "AuthenticationCode2", &next));
    KMS_TRY(check_code("authenticationCode1", code));
    KMS_TRY(check_code("authenticationCode2", next));
    KMS_TRY(find_step(call, device, code, next, now, SYNC_STEPS, &is_found, &step));
    if (!is_found)
        return kms_fail_plain(KMS_INVALID_AUTHENTICATION_CODE);
    set_number(fresh, "ahead", (int64_t)step + 1 - now); /* the second was shown just now */
    set_number(fresh, "taken", (int64_t)step + 1);
    return KMS_OK;
}

/* ---- AssumeRole, GetSessionToken */

static enum kms_error not_callers(void)
{
    return kms_fail(KMS_IAM_ACCESS_DENIED, "MultiFactorAuthentication failed, unable to validate "
                                           "MFA code.  Please verify your MFA serial number is "
                                           "valid and associated with this user.");
}

static enum kms_error find_callers(const struct iam_call *call, const char *serial,
                                   struct record **out)
{
    if (call->identity.type != IDENTITY_USER)
        return not_callers();
    AUTO_RECORD *record =
        iam_find(call->kms->view, call->identity.account, IAM_USER, call->identity.name);
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    struct record *device = find_by_serial(call, serial);
    if (user != NULL && device != NULL &&
        iam_names_has(&user->devices, iam_mfa_of(device)->head.name)) {
        *out = device;
        return KMS_OK;
    }
    record_unref(device);
    return not_callers();
}

static enum kms_error note(struct iam_call *call, const struct record *record, bool is_right,
                           uint64_t step)
{
    const struct iam_mfa *device = iam_mfa_of(record);
    uint64_t now = step_of(call);
    struct view_changes changes = {.count = 0};
    json_t *fresh = json_deep_copy(record->json);
    if (is_right) {
        set_number(fresh, "taken", (int64_t)step);
    } else {
        set_number(fresh, "wrong", (int64_t)now);
        set_number(fresh, "wrongCount", device->wrong_step == now ? device->wrong_count + 1 : 1);
    }
    KMS_TRY(iam_call_add(&changes, record->key, record->version, fresh));
    return iam_call_commit(call, &changes);
}

static enum kms_error take_code(struct iam_call *call, const struct record *record,
                                const char *code)
{
    const struct iam_mfa *device = iam_mfa_of(record);
    bool is_right = false;
    uint64_t step = 0;
    if (device->wrong_step == step_of(call) && device->wrong_count >= WRONG_MAX)
        return kms_fail(KMS_IAM_ACCESS_DENIED, "MultiFactorAuthentication failed, too many invalid "
                                               "one time pass codes. Wait 30 seconds.");
    KMS_TRY(find_step(call, record, code, NULL, (int64_t)step_of(call) + device->ahead, DRIFT_STEPS,
                      &is_right, &step));
    KMS_TRY(note(call, record, is_right, step));
    return is_right ? KMS_OK
                    : kms_fail(KMS_IAM_ACCESS_DENIED, "MultiFactorAuthentication failed with "
                                                      "invalid MFA one time pass code.");
}

enum kms_error iam_mfa_authenticate(struct iam_call *call, bool *out_has_mfa)
{
    AUTO_RECORD *device = NULL;
    const char *serial = iam_call_get(call, "SerialNumber");
    const char *code = iam_call_get(call, "TokenCode");
    *out_has_mfa = false;
    if (serial == NULL && code == NULL)
        return KMS_OK;
    if (serial == NULL || code == NULL)
        return kms_fail(KMS_IAM_ACCESS_DENIED, "MultiFactorAuthentication failed, must provide "
                                               "both MFA serial number and one time pass code.");
    KMS_TRY(check_code("tokenCode", code));
    KMS_TRY(find_callers(call, serial, &device));
    KMS_TRY(take_code(call, device, code));
    *out_has_mfa = true;
    return KMS_OK;
}
