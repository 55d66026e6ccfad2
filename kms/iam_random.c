/* SPDX-License-Identifier: Apache-2.0 */
/* Random names from getrandom(2). */
#include "kms/iam_random.h"

#include <stdlib.h>
#include <sys/random.h>

#include "common/log.h"
#include "kms/hash.h"

#define AT_ONCE 256U /* what getrandom() gives whole */

void iam_random(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        size_t some = len < AT_ONCE ? len : AT_ONCE;
        if (getrandom(at, some, 0) != (ssize_t)some) {
            log_error("no_randomness", "call=getrandom");
            abort();
        }
        at += some;
        len -= some;
    }
}

void iam_random_text(const char *alphabet, size_t len, char *out)
{
    size_t count = strlen(alphabet);
    size_t limit = 256 - 256 % count;
    for (size_t i = 0; i < len;) {
        uint8_t byte;
        iam_random(&byte, 1);
        if (byte < limit)
            out[i++] = alphabet[byte % count];
    }
    out[len] = '\0';
}

void iam_random_uuid(const uint8_t random[16], char out[37])
{
    uint8_t id[16];
    char hex[33];
    memcpy(id, random, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    hash_hex(bytes_of(id, sizeof id), hex);
    static const uint8_t lengths[] = {8, 4, 4, 4, 12};
    const char *from = hex;
    for (size_t i = 0; i < sizeof lengths; i++) {
        memcpy(out, from, lengths[i]);
        from += lengths[i];
        out += lengths[i];
        *out++ = i + 1 < sizeof lengths ? '-' : '\0';
    }
}
