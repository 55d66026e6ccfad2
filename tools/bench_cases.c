/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench measures: one row a case. */
#include "tools/bench.h"

#define KIB 1024

const struct bench_case bench_cases[] = {
    {.name = "rsa2048-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_RSA,
     .size = 2048,
     .mechanism = CKM_SHA256_RSA_PKCS,
     .data_len = 32},
    {.name = "rsa3072-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_RSA,
     .size = 3072,
     .mechanism = CKM_SHA256_RSA_PKCS,
     .data_len = 32},
    {.name = "rsa4096-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_RSA,
     .size = 4096,
     .mechanism = CKM_SHA256_RSA_PKCS,
     .data_len = 32},
    {.name = "p256-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_EC,
     .size = 256,
     .mechanism = CKM_ECDSA,
     .data_len = 32},
    {.name = "p384-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_EC,
     .size = 384,
     .mechanism = CKM_ECDSA,
     .data_len = 48},
    {.name = "ed25519-sign",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_ED25519,
     .mechanism = CKM_EDDSA,
     .data_len = 32},
    {.name = "hmac-sha256-1k",
     .kind = BENCH_SIGN,
     .key = BENCH_KEY_HMAC,
     .size = 256,
     .mechanism = CKM_SHA256_HMAC,
     .data_len = KIB},
    {.name = "aes256-gcm-64",
     .kind = BENCH_ENCRYPT,
     .key = BENCH_KEY_AES,
     .size = 256,
     .mechanism = CKM_AES_GCM,
     .is_gcm = true,
     .data_len = 64},
    {.name = "aes256-gcm-16k",
     .kind = BENCH_ENCRYPT,
     .key = BENCH_KEY_AES,
     .size = 256,
     .mechanism = CKM_AES_GCM,
     .is_gcm = true,
     .data_len = 16 * KIB},
    {.name = "aes256-cbc-64",
     .kind = BENCH_ENCRYPT,
     .key = BENCH_KEY_AES,
     .size = 256,
     .mechanism = CKM_AES_CBC,
     .iv_len = 16,
     .data_len = 64},
    {.name = "aes256-cbc-16k",
     .kind = BENCH_ENCRYPT,
     .key = BENCH_KEY_AES,
     .size = 256,
     .mechanism = CKM_AES_CBC,
     .iv_len = 16,
     .data_len = 16 * KIB},
    {.name = "generate-aes256", .kind = BENCH_GENERATE, .key = BENCH_KEY_AES, .size = 256},
    {.name = "generate-p256", .kind = BENCH_GENERATE_PAIR, .key = BENCH_KEY_EC, .size = 256},
    {.name = "generate-rsa2048", .kind = BENCH_GENERATE_PAIR, .key = BENCH_KEY_RSA, .size = 2048},
    {.name = "create-object", .kind = BENCH_CREATE, .data_len = 32},
    {.name = "find-label", .kind = BENCH_FIND_LABEL},
    {.name = "find-id", .kind = BENCH_FIND_ID},
    {.name = "get-attributes", .kind = BENCH_GET_ATTRIBUTES, .key = BENCH_KEY_RSA, .size = 2048},
    {.name = "session", .kind = BENCH_SESSION},
    {.name = "login", .kind = BENCH_LOGIN, .is_single = true},
};
const unsigned bench_case_count = sizeof bench_cases / sizeof bench_cases[0];

CK_MECHANISM_TYPE bench_key_mechanism(enum bench_key key)
{
    switch (key) {
    case BENCH_KEY_RSA:
        return CKM_RSA_PKCS_KEY_PAIR_GEN;
    case BENCH_KEY_EC:
        return CKM_EC_KEY_PAIR_GEN;
    case BENCH_KEY_ED25519:
        return CKM_EC_EDWARDS_KEY_PAIR_GEN;
    case BENCH_KEY_AES:
        return CKM_AES_KEY_GEN;
    case BENCH_KEY_HMAC:
        return CKM_GENERIC_SECRET_KEY_GEN;
    case BENCH_KEY_NONE:
        break;
    }
    return CK_UNAVAILABLE_INFORMATION;
}

const uint8_t *bench_curve(enum bench_key key, unsigned size, CK_ULONG *out_len)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    static const uint8_t ed25519[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                                      'd',  's',  '2', '5', '5', '1', '9'};
    if (key == BENCH_KEY_ED25519) {
        *out_len = sizeof ed25519;
        return ed25519;
    }
    if (key != BENCH_KEY_EC)
        return NULL;
    *out_len = size == 256 ? sizeof p256 : sizeof p384;
    return size == 256 ? p256 : p384;
}
