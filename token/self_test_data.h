/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of the self-tests, in hex. Sources: FIPS 180-4 and FIPS 202 examples ("abc"), RFC
 * 4231 4.2, SP 800-38A F.1.5, F.2.5, F.5.5, SP 800-38B D.1, SP 800-38C C.2, McGrew and Viega's GCM
 * test case 4, RFC 3394 4.1, RFC 5649 6, RFC 5869 A.1, CAVS 14.4 KDFCTR_gen, RFC 6070 2, RFC 6979
 * A.2.5, RFC 5903 8.1, RFC 8032 7.1, Wycheproof's mldsa_*_sign_seed_test.json, test 1; the RSA key
 * was made for this file, its signature by the openssl command. */
#ifndef QHSM_TOKEN_SELF_TEST_DATA_H
#define QHSM_TOKEN_SELF_TEST_DATA_H

#include "token/mech_internal.h"

static const char *const self_test_abc[DIGEST_COUNT] = {
    [DIGEST_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
    [DIGEST_SHA224] = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    [DIGEST_SHA256] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    [DIGEST_SHA384] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072b"
                      "a1e7cc2358baeca134c825a7",
    [DIGEST_SHA512] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a"
                      "274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    [DIGEST_SHA512_224] = "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa",
    [DIGEST_SHA512_256] = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
    [DIGEST_SHA3_224] = "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
    [DIGEST_SHA3_256] = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    [DIGEST_SHA3_384] = "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea"
                        "927ac7f539f1edf228376d25",
    [DIGEST_SHA3_512] = "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9"
                        "192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
};

/* `iv` is IV, counter block, nonce, salt or fixed field, by the parameter's kind. */
static const struct self_test_secret {
    const char *what;
    enum mech_family family;
    enum param_kind param;
    enum digest_id digest; /* of the row */
    CK_KEY_TYPE key_type;
    const char *key, *iv, *extra, *input, *output;
} self_test_secrets[] = {
    {.what = "HMAC-SHA-1",
     .family = FAMILY_HMAC,
     .param = PARAM_NONE,
     .digest = DIGEST_SHA1,
     .key_type = CKK_GENERIC_SECRET,
     .key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .iv = "",
     .extra = "",
     .input = "4869205468657265",
     .output = "b617318655057264e28bc0b6fb378c8ef146be00"},
    {.what = "HMAC-SHA-256",
     .family = FAMILY_HMAC,
     .param = PARAM_NONE,
     .digest = DIGEST_SHA256,
     .key_type = CKK_GENERIC_SECRET,
     .key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .iv = "",
     .extra = "",
     .input = "4869205468657265",
     .output = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {.what = "HMAC-SHA-512",
     .family = FAMILY_HMAC,
     .param = PARAM_NONE,
     .digest = DIGEST_SHA512,
     .key_type = CKK_GENERIC_SECRET,
     .key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .iv = "",
     .extra = "",
     .input = "4869205468657265",
     .output = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7"
               "d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {.what = "HMAC-SHA3-256",
     .family = FAMILY_HMAC,
     .param = PARAM_NONE,
     .digest = DIGEST_SHA3_256,
     .key_type = CKK_GENERIC_SECRET,
     .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     .iv = "",
     .extra = "",
     .input = "53616d706c65206d65737361676520666f72206b65796c656e3c626c6f636b6c656e",
     .output = "4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205"},
    {.what = "AES-ECB",
     .family = FAMILY_AES_ECB,
     .param = PARAM_NONE,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     .iv = "",
     .extra = "",
     .input = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     .output = "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"},
    {.what = "AES-CBC",
     .family = FAMILY_AES_CBC,
     .param = PARAM_IV,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     .iv = "000102030405060708090a0b0c0d0e0f",
     .extra = "",
     .input = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     .output = "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"},
    {.what = "AES-CBC-PAD",
     .family = FAMILY_AES_CBC_PAD,
     .param = PARAM_IV,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "e34f15c7bd819930fe9d66e0c166e61c",
     .iv = "da9520f7d3520277035173299388bee2",
     .extra = "",
     .input = "",
     .output = "b10ab60153276941361000414aed0a9d"},
    {.what = "AES-CTR",
     .family = FAMILY_AES_CTR,
     .param = PARAM_CTR,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     .iv = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     .extra = "",
     .input = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     .output = "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"},
    {.what = "AES-GCM",
     .family = FAMILY_AES_GCM,
     .param = PARAM_GCM,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "feffe9928665731c6d6a8f9467308308",
     .iv = "cafebabefacedbaddecaf888",
     .extra = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     .input = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95"
              "956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     .output = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b2"
               "5466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95a"
               "e7121a47"},
    {.what = "AES-CCM",
     .family = FAMILY_AES_CCM,
     .param = PARAM_CCM,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "404142434445464748494a4b4c4d4e4f",
     .iv = "1011121314151617",
     .extra = "000102030405060708090a0b0c0d0e0f",
     .input = "202122232425262728292a2b2c2d2e2f",
     .output = "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"},
    {.what = "AES-CMAC",
     .family = FAMILY_AES_CMAC,
     .param = PARAM_NONE,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "2b7e151628aed2a6abf7158809cf4f3c",
     .iv = "",
     .extra = "",
     .input = "6bc1bee22e409f96e93d7e117393172a",
     .output = "070a16b46b4d4144f79bdd9dd04a287c"},
    {.what = "AES-KW",
     .family = FAMILY_AES_KW,
     .param = PARAM_IV_OPTIONAL,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "000102030405060708090a0b0c0d0e0f",
     .iv = "",
     .extra = "",
     .input = "00112233445566778899aabbccddeeff",
     .output = "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
    {.what = "AES-KWP",
     .family = FAMILY_AES_KWP,
     .param = PARAM_IV_OPTIONAL,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
     .iv = "",
     .extra = "",
     .input = "466f7250617369",
     .output = "afbeb0f07dfbf5419200f2ccb50bb24f"},
    {.what = "HKDF",
     .family = FAMILY_HKDF,
     .param = PARAM_HKDF,
     .digest = DIGEST_NONE,
     .key_type = CKK_GENERIC_SECRET,
     .key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .iv = "000102030405060708090a0b0c",
     .extra = "f0f1f2f3f4f5f6f7f8f9",
     .input = "",
     .output = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208"
               "d5b887185865"},
    {.what = "SP 800-108",
     .family = FAMILY_SP800_108,
     .param = PARAM_SP800_108,
     .digest = DIGEST_NONE,
     .key_type = CKK_GENERIC_SECRET,
     .key = "dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0",
     .iv = "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fa"
           "b25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac",
     .extra = "",
     .input = "",
     .output = "10621342bfb0fd40046c0e29f2cfdbf0"},
    {.what = "PBKDF2",
     .family = FAMILY_PBKDF2,
     .param = PARAM_PBKDF2,
     .digest = DIGEST_NONE,
     .key_type = CKK_GENERIC_SECRET,
     .key = "70617373776f7264",
     .iv = "73616c74",
     .extra = "",
     .input = "",
     .output = "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
    {.what = "AES derivation",
     .family = FAMILY_AES_DERIVE,
     .param = PARAM_STRING,
     .digest = DIGEST_NONE,
     .key_type = CKK_AES,
     .key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     .iv = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     .extra = "",
     .input = "",
     .output = "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"},
};

struct self_test_part {
    CK_ATTRIBUTE_TYPE type;
    const char *value;
};
#define SELF_TEST_PARTS 8U

static const struct self_test_key {
    CK_KEY_TYPE key_type;
    struct self_test_part public_parts[SELF_TEST_PARTS];
    struct self_test_part private_parts[SELF_TEST_PARTS];
} self_test_keys[] = {
    /* RSA */
    {.key_type = CKK_RSA,
     .public_parts = {{CKA_MODULUS,
                       "9ab708524d189dc536127007bbe0e609758df55f635f174463573505dc5660288f82ad96"
                       "aed0851d5c0f61bdcb3d87664ec626f698d724174f53d3e1bd8fc1f86f35497accf20418"
                       "96ac21c96623dba34f26b0e923bbbdcd8c94570c3626f8b51b48ceee95d11fc66cda5fbd"
                       "acdaeb372d24e74d77f1b2002c8974c2616563d24a71e60522e713d6d436890101dc23c0"
                       "b7d2ecdf29eda0a711e0264b9ee14a7186ff4132fed42396b9b8f149c2a21262affaeef3"
                       "f63770d935accb8655e85d0e0a20d4b04f6598d15cea60e573f0a54afe49ac4290a66391"
                       "40254b6f3c55cd118b8ae9e8d93a86cc5c57f5f6748e367ba28e76031e011fd9f2e5e30b"
                       "33d281c3"},
                      {CKA_PUBLIC_EXPONENT, "010001"}},
     .private_parts =
         {{CKA_MODULUS, "9ab708524d189dc536127007bbe0e609758df55f635f174463573505dc5660288f82ad96"
                        "aed0851d5c0f61bdcb3d87664ec626f698d724174f53d3e1bd8fc1f86f35497accf20418"
                        "96ac21c96623dba34f26b0e923bbbdcd8c94570c3626f8b51b48ceee95d11fc66cda5fbd"
                        "acdaeb372d24e74d77f1b2002c8974c2616563d24a71e60522e713d6d436890101dc23c0"
                        "b7d2ecdf29eda0a711e0264b9ee14a7186ff4132fed42396b9b8f149c2a21262affaeef3"
                        "f63770d935accb8655e85d0e0a20d4b04f6598d15cea60e573f0a54afe49ac4290a66391"
                        "40254b6f3c55cd118b8ae9e8d93a86cc5c57f5f6748e367ba28e76031e011fd9f2e5e30b"
                        "33d281c3"},
          {CKA_PUBLIC_EXPONENT, "010001"},
          {CKA_PRIVATE_EXPONENT,
           "2cc17f0443ee3791b9bb2ab26a0cbcaf06d52aa2cdfdcf9ec6780f4c2339cf765c518ac2"
           "d8ce547bb24a76d56f2a5cf5611b5c6120c4b7d99066a91817fcb2b999fe19c40eee81f5"
           "d4fc7587abe6fa9e2b02ffd169b76148497f0e1167c6ed5282d2949e1b33d453d3e0762a"
           "ca0ac8597d533c20426ee635bbac85dcc74d0bcb71f9fe96e3196e1ad4db9ea9ea8bd8b8"
           "015095b2e3ca9afaf67f69bcd487d60842fdb6cb953afac21de555fb0cd52e8563997f25"
           "cd42643b0a3aef8b606b580979c9cc7be84ed40474c31e80ded9a57781954ff8186c91e2"
           "07ef076a9328de13a793fadc6da46c51fd63f290cb7296c97afd33273ca2379a3960fb7e"
           "5444b9d1"},
          {CKA_PRIME_1, "ca48cd7ae46054a5f2d7dac8d402d40fcf40f31288d7f3f56135f2ac53989278f6d62e3b"
                        "7125e25d1e792c10001d328b40946ab759a683348337a002ca3141f3d0bd01bb64306634"
                        "678d54ee9505ee3fedef4912e53fdbbb4886604f153dd23995ad318e2823efabca7bd82c"
                        "ef3f780294e2767a4d6d54cdbeebd677e6bbcb91"},
          {CKA_PRIME_2, "c3cc7bc1975a4c6225aede6e9b89d3f85de95ffa6ce6d5cbfe9d163e27c4b966a5c09a56"
                        "cfaef18fcd492823503625653cb6088e9fd844062b9a0e943e30c6df3ea1d8e379b95268"
                        "c58a7b3952670e03df6d402c78813a9f8f063bb983975a2612ff5492e29b3d43c6c5db61"
                        "cd7a1608855c9210a566ca667a918e770acd0613"},
          {CKA_EXPONENT_1,
           "7196ba13d52426c45cfe4af3d4e195b51efb68c332a6996e63dd085d2e401197ed7bcdd0"
           "413435cd766c328af5956fa97465231bbc32dda062429d0e93fd5efc8b6d67089434fd5f"
           "55faae039f190a7549a5c191e3bb9d26a88e148cb3efd819cfebc654fe4357b54ee98635"
           "8d4f4593a58919608a13e7b7f50ab78ef2b8e791"},
          {CKA_EXPONENT_2,
           "1237eaa3fec3462c33b96bb4fafffe1b3411ccfe6e37a45910dde8fdeb916076eea1573b"
           "10a404920ed5e9c82f647a624b1ddcf9f8619522c5d7d5d77159f4873d3aae05ac83d3e9"
           "2fc84ce2ee89ec41ebfe2c6476e9ff5c6d60751a33e6575b07957e771462c17696fe3e05"
           "81ab0475d282e48c6bf77e89be89e0a9aef598c5"},
          {CKA_COEFFICIENT,
           "74a2b219c54198247db57e325575ae430f54ded52814f1a19ebec971dc7a83cd37dfd498"
           "335b0d8240b59395f0ac3c270aaefd5e3d10c0f2142419a98e07f418a963604fe3755c18"
           "bc2a7e1fbafd151b3410c1cdbed340a908d3704bcd382aeee38ac41103e507899d507740"
           "c41046a9d6383fc5bc9020b1b703f074f96fdc70"}}},
    /* P-256, RFC 6979 */
    {.key_type = CKK_EC,
     .public_parts = {{CKA_EC_PARAMS, "06082a8648ce3d030107"},
                      {CKA_EC_POINT,
                       "04410460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb679"
                       "03fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"}},
     .private_parts = {{CKA_EC_PARAMS, "06082a8648ce3d030107"},
                       {CKA_VALUE,
                        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"}}},
    /* P-256, RFC 5903 */
    {.key_type = CKK_EC,
     .public_parts = {{CKA_EC_PARAMS, "06082a8648ce3d030107"},
                      {CKA_EC_POINT,
                       "044104dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c377258118052"
                       "71a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"}},
     .private_parts = {{CKA_EC_PARAMS, "06082a8648ce3d030107"},
                       {CKA_VALUE,
                        "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"}}},
    /* Ed25519, RFC 8032 */
    {.key_type = CKK_EC_EDWARDS,
     .public_parts = {{CKA_EC_PARAMS, "06032b6570"},
                      {CKA_EC_POINT,
                       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"}},
     .private_parts = {{CKA_EC_PARAMS, "06032b6570"},
                       {CKA_VALUE,
                        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"}}},
};
enum self_test_key_number { SELF_TEST_RSA, SELF_TEST_P256, SELF_TEST_P256_ECDH, SELF_TEST_ED25519 };

/* Deterministic: the signature that comes out. Not: one that must verify. */
static const struct self_test_signature {
    const char *what;
    enum mech_family family;
    enum digest_id digest;
    enum self_test_key_number key;
    bool deterministic;
    const char *input, *signature;
} self_test_signatures[] = {
    {.what = "RSA PKCS#1 v1.5",
     .family = FAMILY_RSA_PKCS,
     .digest = DIGEST_SHA256,
     .key = SELF_TEST_RSA,
     .deterministic = true,
     .input = "616263",
     .signature = "3c9d080b7cb35c086e2e71daa42b20b7b02fc2d09d7250c98ef6d8047ea3f952a5857abe"
                  "e964e8414e96419490d1502d6c9328a0e8ab50d57bb227f80aa3c730973690f06fc1636a"
                  "d0d7af77de8a9582f472ea282774099e4a22d142046950badfe575ece2b9ebdd27035d7c"
                  "d2ee8c9bd86369b96bcd5bb83f2ef6cdfbc441629dcd23ce9944ec639031716f22004dea"
                  "89357f7f1056e47dada5afd66374812c3b4559c94bebc9b9f5157d339d1e482f31a25d42"
                  "d477260b4443c7b59d67ed1ecd5b7f6a679a964723ca5706c707d2183022847da888e6c1"
                  "5c99d8fed3a294d580c940b71fa360d1ca9b9e49ea0b11ba619fd42862efad71f071e109"
                  "ffe33608"},
    {.what = "RSA-PSS",
     .family = FAMILY_RSA_PSS,
     .digest = DIGEST_SHA256,
     .key = SELF_TEST_RSA,
     .deterministic = false,
     .input = "616263",
     .signature = ""},
    {.what = "ECDSA P-256",
     .family = FAMILY_ECDSA,
     .digest = DIGEST_SHA256,
     .key = SELF_TEST_P256,
     .deterministic = false,
     .input = "73616d706c65",
     .signature = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c94"
                  "2d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {.what = "Ed25519",
     .family = FAMILY_EDDSA,
     .digest = DIGEST_NONE,
     .key = SELF_TEST_ED25519,
     .deterministic = true,
     .input = "72",
     .signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e4"
                  "3e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
};

/* Of a seed of 32 bytes 0x2a: the digest of the deterministic signature of "Hello world". */
static const struct self_test_ml_dsa {
    const char *what;
    CK_ULONG set;
    const char *sha256;
} self_test_ml_dsa[] = {
    {.what = "ML-DSA-44",
     .set = CKP_ML_DSA_44,
     .sha256 = "8cd6fc03daa72e87210a4e721523e84c14f27733789075e65736744d4787fdd5"},
    {.what = "ML-DSA-65",
     .set = CKP_ML_DSA_65,
     .sha256 = "39fbbb0d97a52c79844213b325af823a7f16a174e00a5b3daeb3e6e6d1c89681"},
    {.what = "ML-DSA-87",
     .set = CKP_ML_DSA_87,
     .sha256 = "1ad45bd0419e694375bd38ec11d8e0c228ab9ffac2fce4adbe6218d9c949e293"},
};

static const char self_test_peer[] =
    "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
    "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab";
static const char self_test_shared[] =
    "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de";

#endif
