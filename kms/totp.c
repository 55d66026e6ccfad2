/* SPDX-License-Identifier: Apache-2.0 */
/* HOTP (RFC 4226 5.3) of the number of a step of time (RFC 6238 4.2). */
#include "kms/totp.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "kms/digest.h"

#define SHA1_LEN 20U
#define MODULUS  1000000U /* 10 to the power of TOTP_DIGITS */

bool totp_is_code(const char *text)
{
    return strlen(text) == TOTP_DIGITS && strspn(text, "0123456789") == TOTP_DIGITS;
}

enum rc totp_code(const struct secret *seed, uint64_t step, char out[TOTP_DIGITS + 1])
{
    struct bytes key = secret_expose(seed);
    uint8_t counter[8], mac[SHA1_LEN];
    size_t len = 0;
    for (unsigned i = 0; i < 8; i++)
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    if (EVP_Q_mac(digest_lib(), "HMAC", NULL, "SHA1", NULL, key.ptr, key.len, counter,
                  sizeof counter, mac, sizeof mac, &len) == NULL ||
        len != sizeof mac)
        return rc_fail(RC_INTERNAL, "HMAC-SHA-1 of a one-time password");
    const uint8_t *at = mac + (mac[SHA1_LEN - 1] & 0x0f);
    uint32_t value =
        (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    (void)snprintf(out, TOTP_DIGITS + 1, "%06" PRIu32, value % MODULUS);
    secret_wipe(mac, sizeof mac);
    return RC_OK;
}

static enum rc is_code_of(const struct secret *seed, uint64_t step, const char *code, bool *out)
{
    AUTO_SECRET own = SECRET_INIT;
    char text[TOTP_DIGITS + 1];
    TRY(totp_code(seed, step, text));
    enum rc rc = secret_from_bytes(&own, bytes_of(text, TOTP_DIGITS));
    secret_wipe(text, sizeof text);
    TRY(rc);
    *out = secret_equal(&own, bytes_of_str(code));
    return RC_OK;
}

enum rc totp_find(const struct secret *seed, const char *code, const char *next, uint64_t first,
                  uint64_t last, bool *out_is_found, uint64_t *out_step)
{
    bool is_found = false;
    uint64_t step = first;
    for (; !is_found && step <= last; step++) {
        TRY(is_code_of(seed, step, code, &is_found));
        if (is_found && next != NULL)
            TRY(is_code_of(seed, step + 1, next, &is_found));
    }
    *out_is_found = is_found;
    *out_step = step - 1;
    return RC_OK;
}
