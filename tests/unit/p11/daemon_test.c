/* SPDX-License-Identifier: Apache-2.0 */
/* The module against a real daemon: long data, session objects and logins across a killed daemon,
 * operations that are lost, logins of each kind. Run by tests/integration/killed_daemon.sh, which
 * names module, PINs and the command that kills the daemon and starts it again. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "tests/unit/unit.h"

#define LARGE ((CK_ULONG)3 * 1024 * 1024 + 7)

static CK_FUNCTION_LIST_3_0_PTR p11;
static CK_SESSION_HANDLE session;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static char *user_pin;
static char *so_pin;

#define OK(call) CU_ASSERT_EQUAL((call), CKR_OK)

/* PKCS#11 wants pointers to what it only reads. */
static void *text(const char *string)
{
    union {
        const char *in;
        void *out;
    } pointer = {.in = string};
    return pointer.out;
}

static void load(void)
{
    union {
        void *symbol;
        CK_C_GetInterface function;
    } get;
    void *module = dlopen(getenv("QHSM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    get.symbol = dlsym(module, "C_GetInterface");
    CK_INTERFACE_PTR interface = NULL;
    CK_VERSION version = {.major = 3, .minor = 0};
    CU_ASSERT_EQUAL_FATAL(get.function(NULL, &version, &interface, 0), CKR_OK);
    p11 = interface->pFunctionList;
    user_pin = getenv("QHSM_USER_PIN");
    so_pin = getenv("QHSM_SO_PIN");
}

static void begin(void)
{
    if (p11 == NULL)
        load();
    CU_ASSERT_EQUAL_FATAL(p11->C_Initialize(NULL), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(
        p11->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(p11->C_Login(session, CKU_USER, text(user_pin), strlen(user_pin)),
                          CKR_OK);
}

static void end(void)
{
    OK(p11->C_Finalize(NULL));
}

/* The command of the script, e.g. kill -9 of the daemon. */
static void run(const char *variable)
{
    const char *command = getenv(variable);
    CU_ASSERT_PTR_NOT_NULL_FATAL(command);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static CK_OBJECT_HANDLE make_secret(CK_MECHANISM_TYPE generator, CK_BBOOL *token, const char *label)
{
    CK_ULONG len = 32;
    CK_OBJECT_HANDLE key = 0;
    CK_MECHANISM mechanism = {.mechanism = generator};
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, token, 1},
                            {CKA_VALUE_LEN, &len, sizeof len},
                            {CKA_ENCRYPT, &yes, 1},
                            {CKA_DECRYPT, &yes, 1},
                            {CKA_SIGN, &yes, 1},
                            {CKA_VERIFY, &yes, 1},
                            {CKA_LABEL, text(label), strlen(label)}};
    OK(p11->C_GenerateKey(session, &mechanism, items, 7, &key));
    return key;
}

static CK_OBJECT_HANDLE make_ec(CK_BBOOL *token, CK_BBOOL *always, CK_OBJECT_HANDLE *out_public)
{
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_OBJECT_HANDLE private = 0;
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    CK_ATTRIBUTE public_items[] = {
        {CKA_EC_PARAMS, p256, sizeof p256}, {CKA_TOKEN, token, 1}, {CKA_VERIFY, &yes, 1}};
    CK_ATTRIBUTE private_items[] = {
        {CKA_TOKEN, token, 1}, {CKA_SIGN, &yes, 1}, {CKA_ALWAYS_AUTHENTICATE, always, 1}};
    OK(p11->C_GenerateKeyPair(session, &mechanism, public_items, 3, private_items, 3, out_public,
                              &private));
    return private;
}

static CK_RV sign(CK_SESSION_HANDLE in, CK_OBJECT_HANDLE key)
{
    CK_BYTE digest[32] = {1};
    CK_BYTE signature[64];
    CK_ULONG len = sizeof signature;
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};
    CK_RV rv = p11->C_SignInit(in, &mechanism, key);
    return rv != CKR_OK ? rv : p11->C_Sign(in, digest, sizeof digest, signature, &len);
}

static void check_cipher(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, CK_BYTE_PTR plain,
                         CK_ULONG plain_len)
{
    CK_BYTE_PTR once = malloc(plain_len + 64);
    CK_BYTE_PTR parts = malloc(plain_len + 64);
    CK_ULONG once_len = plain_len + 64;
    CU_ASSERT_FATAL(once != NULL && parts != NULL);
    OK(p11->C_EncryptInit(session, mechanism, key));
    OK(p11->C_Encrypt(session, plain, plain_len, once, &once_len));
    OK(p11->C_EncryptInit(session, mechanism, key));
    CK_ULONG done = 0;
    for (CK_ULONG at = 0; at < plain_len; at += 100000) {
        CK_ULONG part = plain_len - at < 100000 ? plain_len - at : 100000;
        CK_ULONG got = plain_len + 64 - done;
        OK(p11->C_EncryptUpdate(session, plain + at, part, parts + done, &got));
        done += got;
    }
    CK_ULONG last = plain_len + 64 - done;
    OK(p11->C_EncryptFinal(session, parts + done, &last));
    CU_ASSERT_EQUAL(done + last, once_len);
    CU_ASSERT_EQUAL(memcmp(once, parts, once_len), 0);
    OK(p11->C_DecryptInit(session, mechanism, key));
    CK_ULONG back = plain_len + 64;
    OK(p11->C_Decrypt(session, once, once_len, parts, &back));
    CU_ASSERT_EQUAL(back, plain_len);
    CU_ASSERT_EQUAL(memcmp(parts, plain, plain_len), 0);
    free(once);
    free(parts);
}

static void long_data_goes_through_every_cipher_in_one_call_and_in_parts(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &no, "long");
    CK_BYTE iv[16] = {7};
    CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
    CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
    CK_MECHANISM mechanisms[] = {{CKM_AES_CBC_PAD, iv, 16},
                                 {CKM_AES_CTR, &ctr, sizeof ctr},
                                 {CKM_AES_GCM, &gcm, sizeof gcm}};
    CK_BYTE_PTR plain = calloc(1, LARGE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plain);
    for (CK_ULONG i = 0; i < LARGE; i++)
        plain[i] = (CK_BYTE)(i * 31 >> 3);
    for (size_t m = 0; m < 3; m++) {
        check_cipher(&mechanisms[m], key, plain, LARGE);
        check_cipher(&mechanisms[m], key, plain, 1000);
    }
    free(plain);
    end();
}

static void long_message_has_one_mac_however_it_comes(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_GENERIC_SECRET_KEY_GEN, &no, "mac");
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_HMAC};
    CK_BYTE_PTR data = calloc(1, LARGE);
    CK_BYTE once[32];
    CK_BYTE parts[32];
    CK_ULONG len = 32;
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    OK(p11->C_SignInit(session, &mechanism, key));
    OK(p11->C_Sign(session, data, LARGE, once, &len));
    OK(p11->C_SignInit(session, &mechanism, key));
    for (CK_ULONG at = 0; at < LARGE; at += 50000)
        OK(p11->C_SignUpdate(session, data + at, LARGE - at < 50000 ? LARGE - at : 50000));
    OK(p11->C_SignFinal(session, parts, &len));
    CU_ASSERT_EQUAL(memcmp(once, parts, 32), 0);
    OK(p11->C_VerifyInit(session, &mechanism, key));
    OK(p11->C_Verify(session, data, LARGE, once, 32));
    once[5] ^= 1;
    OK(p11->C_VerifyInit(session, &mechanism, key));
    CU_ASSERT_EQUAL(p11->C_Verify(session, data, LARGE, once, 32), CKR_SIGNATURE_INVALID);
    free(data);
    end();
}

static CK_ULONG count_found(const char *label)
{
    CK_ATTRIBUTE wanted[] = {{CKA_LABEL, text(label), strlen(label)}};
    CK_OBJECT_HANDLE found[64];
    CK_ULONG total = 0;
    CK_ULONG count = 0;
    OK(p11->C_FindObjectsInit(session, wanted, 1));
    do {
        OK(p11->C_FindObjects(session, found, 64, &count));
        total += count;
    } while (count > 0);
    OK(p11->C_FindObjectsFinal(session));
    return total;
}

static void session_objects_and_login_survive_a_killed_daemon(void)
{
    begin();
    CK_OBJECT_HANDLE public = 0;
    CK_OBJECT_HANDLE private = make_ec(&no, &no, &public);
    for (unsigned i = 0; i < 70; i++)
        (void)make_secret(CKM_AES_KEY_GEN, &no, "survivor");
    OK(sign(session, private));
    run("QHSM_KILL_AND_START");
    OK(sign(session, private));
    CU_ASSERT_EQUAL(count_found("survivor"), 70);
    run("QHSM_KILL_AND_START");
    CU_ASSERT_EQUAL(count_found("survivor"), 70);
    OK(sign(session, private));
    end();
}

static void operation_in_parts_is_lost_with_its_daemon_and_says_so(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &no, "parts");
    CK_BYTE block[32] = {0};
    CK_ULONG len = sizeof block;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    OK(p11->C_EncryptInit(session, &mechanism, key));
    OK(p11->C_EncryptUpdate(session, block, 16, block, &len));
    run("QHSM_KILL_AND_START");
    len = sizeof block;
    CU_ASSERT_EQUAL(p11->C_EncryptUpdate(session, block, 16, block, &len), CKR_DEVICE_ERROR);
    CU_ASSERT_EQUAL(p11->C_EncryptFinal(session, block, &len), CKR_OPERATION_NOT_INITIALIZED);
    OK(p11->C_EncryptInit(session, &mechanism, key));
    len = sizeof block;
    OK(p11->C_Encrypt(session, block, 16, block, &len));
    end();
}

static atomic_bool stop;
static atomic_ulong signed_count;
static CK_OBJECT_HANDLE shared_key;

static void *keep_signing(void *unused)
{
    (void)unused;
    CK_SESSION_HANDLE own = 0;
    if (p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK)
        return &session;
    while (!stop) {
        if (sign(own, shared_key) != CKR_OK)
            return &session;
        signed_count++;
    }
    return p11->C_CloseSession(own) == CKR_OK ? NULL : &session;
}

static bool signing_goes_on(void)
{
    const struct timespec rest = {.tv_nsec = 10000000L};
    unsigned long enough = signed_count + 100;
    for (unsigned i = 0; i < 6000 && signed_count < enough; i++)
        (void)nanosleep(&rest, NULL);
    return signed_count >= enough;
}

static void signatures_of_eight_threads_outlive_a_killed_daemon(void)
{
    begin();
    CK_OBJECT_HANDLE public = 0;
    shared_key = make_ec(&yes, &no, &public);
    pthread_t threads[8];
    stop = false;
    for (size_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, keep_signing, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT(signing_goes_on());
        run("QHSM_KILL_AND_START");
    }
    CU_ASSERT(signing_goes_on());
    stop = true;
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;
        CU_ASSERT_EQUAL(pthread_join(threads[i], &failed), 0);
        CU_ASSERT_PTR_NULL(failed);
    }
    OK(p11->C_DestroyObject(session, shared_key));
    OK(p11->C_DestroyObject(session, public));
    end();
}

static void key_with_always_authenticate_wants_the_pin_for_each_use(void)
{
    begin();
    CK_OBJECT_HANDLE public = 0;
    CK_OBJECT_HANDLE key = make_ec(&no, &yes, &public);
    CK_BYTE digest[32] = {1};
    CK_BYTE signature[64];
    CK_ULONG len = sizeof signature;
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};
    CU_ASSERT_EQUAL(sign(session, key), CKR_USER_NOT_LOGGED_IN);
    OK(p11->C_SignInit(session, &mechanism, key));
    CU_ASSERT_EQUAL(p11->C_Login(session, CKU_CONTEXT_SPECIFIC, text("wrong-pin"), 9),
                    CKR_PIN_INCORRECT);
    OK(p11->C_Login(session, CKU_CONTEXT_SPECIFIC, text(user_pin), strlen(user_pin)));
    OK(p11->C_Sign(session, digest, sizeof digest, signature, &len));
    CU_ASSERT_EQUAL(sign(session, key), CKR_USER_NOT_LOGGED_IN);
    end();
}

/* In a process of its own: another application. */
static int change_pin_there_and_back(void)
{
    CK_SESSION_HANDLE own = 0;
    CK_UTF8CHAR_PTR old = text(user_pin);
    CK_UTF8CHAR_PTR other = text("another-pin-123");
    if (p11->C_Initialize(NULL) != CKR_OK ||
        p11->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &own) != CKR_OK ||
        p11->C_Login(own, CKU_USER, old, strlen(user_pin)) != CKR_OK)
        return 1;
    if (p11->C_SetPIN(own, old, strlen(user_pin), other, 15) != CKR_OK)
        return 2;
    CK_SESSION_INFO info;
    if (p11->C_GetSessionInfo(own, &info) != CKR_OK || info.state != CKS_RW_USER_FUNCTIONS)
        return 3;
    if (p11->C_FindObjectsInit(own, NULL, 0) != CKR_OK || p11->C_FindObjectsFinal(own) != CKR_OK)
        return 4;
    return p11->C_SetPIN(own, other, 15, old, strlen(user_pin)) == CKR_OK ? 0 : 5;
}

static int in_child(int (*steps)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(steps());
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void changed_pin_voids_the_logins_of_other_applications(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &yes, "voided");
    CK_BYTE block[16] = {0};
    CK_ULONG len = sizeof block;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CU_ASSERT_EQUAL(in_child(change_pin_there_and_back), 0);
    OK(p11->C_EncryptInit(session, &mechanism, key));
    CU_ASSERT_EQUAL(p11->C_Encrypt(session, block, 16, block, &len), CKR_USER_NOT_LOGGED_IN);
    CK_SESSION_INFO info;
    OK(p11->C_GetSessionInfo(session, &info));
    CU_ASSERT_EQUAL(info.state, CKS_RW_PUBLIC_SESSION);
    CU_ASSERT_EQUAL(p11->C_EncryptInit(session, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    OK(p11->C_Login(session, CKU_USER, text(user_pin), strlen(user_pin)));
    OK(p11->C_EncryptInit(session, &mechanism, key));
    OK(p11->C_Encrypt(session, block, 16, block, &len));
    OK(p11->C_DestroyObject(session, key));
    end();
}

static CK_SLOT_ID last_slot(void)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    OK(p11->C_GetSlotList(CK_TRUE, slots, &count));
    return slots[count - 1];
}

static void new_token_is_made_in_the_last_slot_and_used(void)
{
    begin();
    CK_UTF8CHAR label[33] = "second                          ";
    CK_SLOT_ID slot = last_slot();
    CK_SESSION_HANDLE own = 0;
    CU_ASSERT_EQUAL(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &own),
                    CKR_TOKEN_NOT_RECOGNIZED);
    OK(p11->C_InitToken(slot, text("so-pin-1"), 8, label));
    CU_ASSERT_EQUAL(last_slot(), slot + 1);
    CK_TOKEN_INFO info;
    OK(p11->C_GetTokenInfo(slot, &info));
    CU_ASSERT((info.flags & CKF_TOKEN_INITIALIZED) != 0);
    CU_ASSERT((info.flags & CKF_USER_PIN_INITIALIZED) == 0);
    CU_ASSERT((info.flags & CKF_WRITE_PROTECTED) == 0);
    CU_ASSERT_EQUAL(memcmp(info.label, label, 32), 0);
    OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &own));
    CU_ASSERT_EQUAL(p11->C_Login(own, CKU_USER, text("user-1"), 6), CKR_USER_PIN_NOT_INITIALIZED);
    OK(p11->C_Login(own, CKU_SO, text("so-pin-1"), 8));
    OK(p11->C_InitPIN(own, text("user-1"), 6));
    OK(p11->C_Logout(own));
    OK(p11->C_Login(own, CKU_USER, text("user-1"), 6));
    CK_SESSION_HANDLE first = session;
    session = own;
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &yes, "of-second");
    CU_ASSERT_EQUAL(count_found("of-second"), 1);
    session = first;
    CU_ASSERT_EQUAL(count_found("of-second"), 0);
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CU_ASSERT_EQUAL(p11->C_EncryptInit(first, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    end();
}

static void named_user_logs_in_by_both_ways(void)
{
    begin();
    CK_SESSION_HANDLE own = session;
    OK(p11->C_Logout(own));
    OK(p11->C_Login(own, CKU_USER, text("carol:carols-pin"), 16));
    OK(p11->C_Logout(own));
    OK(p11->C_LoginUser(own, CKU_USER, text("carols-pin"), 10, text("carol"), 5));
    OK(p11->C_SetPIN(own, text("carols-pin"), 10, text("carol:another"), 13));
    OK(p11->C_SetPIN(own, text("another"), 7, text("carols-pin"), 10));
    OK(p11->C_FindObjectsInit(own, NULL, 0));
    OK(p11->C_FindObjectsFinal(own));
    OK(p11->C_Logout(own));
    CU_ASSERT_EQUAL(p11->C_LoginUser(own, CKU_USER, text("carols-pin"), 10, text("dave"), 4),
                    CKR_PIN_INCORRECT);
    OK(p11->C_Login(own, CKU_SO, text(so_pin), strlen(so_pin)));
    end();
}

static void changed_object_is_seen_by_the_next_use(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &no, "changing");
    CK_BYTE block[16] = {0};
    CK_ULONG len = sizeof block;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CK_ATTRIBUTE off[] = {{CKA_ENCRYPT, &no, 1}};
    CK_ATTRIBUTE renamed[] = {{CKA_LABEL, text("renamed"), 7}};
    OK(p11->C_EncryptInit(session, &mechanism, key));
    OK(p11->C_SetAttributeValue(session, key, renamed, 1));
    OK(p11->C_Encrypt(session, block, 16, block, &len));
    OK(p11->C_SetAttributeValue(session, key, off, 1));
    CU_ASSERT_EQUAL(p11->C_EncryptInit(session, &mechanism, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    CK_OBJECT_HANDLE copy = 0;
    OK(p11->C_CopyObject(session, key, renamed, 1, &copy));
    CU_ASSERT_NOT_EQUAL(copy, key);
    CU_ASSERT_EQUAL(count_found("renamed"), 2);
    OK(p11->C_DestroyObject(session, copy));
    CU_ASSERT_EQUAL(p11->C_DestroyObject(session, copy), CKR_OBJECT_HANDLE_INVALID);
    CU_ASSERT_EQUAL(count_found("renamed"), 1);
    CK_ULONG size = 0;
    OK(p11->C_GetObjectSize(session, key, &size));
    CU_ASSERT(size > 32);
    end();
}

static void iv_made_by_the_hsm_is_written_back(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &no, "iv");
    CK_BYTE iv[12] = {0};
    CK_BYTE zero[12] = {0};
    CK_BYTE data[40] = {9};
    CK_BYTE sealed[56];
    CK_ULONG len = sizeof sealed;
    CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
    CK_MECHANISM mechanism = {CKM_CLOUDHSM_AES_GCM, &gcm, sizeof gcm};
    OK(p11->C_EncryptInit(session, &mechanism, key));
    OK(p11->C_Encrypt(session, data, sizeof data, sealed, &len));
    CU_ASSERT_EQUAL(len, 56);
    CU_ASSERT_NOT_EQUAL(memcmp(iv, zero, 12), 0);
    OK(p11->C_DecryptInit(session, &mechanism, key));
    CK_BYTE back[56];
    len = sizeof back;
    OK(p11->C_Decrypt(session, sealed, 56, back, &len));
    CU_ASSERT_EQUAL(memcmp(back, data, sizeof data), 0);
    sealed[3] ^= 1;
    OK(p11->C_DecryptInit(session, &mechanism, key));
    len = sizeof back;
    CU_ASSERT_EQUAL(p11->C_Decrypt(session, sealed, 56, back, &len), CKR_ENCRYPTED_DATA_INVALID);
    end();
}

static void attributes_are_filled_as_far_as_they_can_be(void)
{
    begin();
    CK_OBJECT_HANDLE key = make_secret(CKM_AES_KEY_GEN, &no, "attributes");
    CK_ULONG key_type = 0;
    CK_BYTE value[32];
    CK_BYTE label[4];
    CK_ATTRIBUTE items[] = {{CKA_VALUE, value, sizeof value},
                            {CKA_KEY_TYPE, &key_type, sizeof key_type},
                            {CKA_MODULUS, NULL, 0},
                            {CKA_LABEL, label, sizeof label}};
    CU_ASSERT_EQUAL(p11->C_GetAttributeValue(session, key, items, 4), CKR_ATTRIBUTE_SENSITIVE);
    CU_ASSERT_EQUAL(items[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    CU_ASSERT_EQUAL(key_type, CKK_AES);
    CU_ASSERT_EQUAL(items[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    CU_ASSERT_EQUAL(items[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    items[3].pValue = NULL;
    CU_ASSERT_EQUAL(p11->C_GetAttributeValue(session, key, &items[3], 1), CKR_OK);
    CU_ASSERT_EQUAL(items[3].ulValueLen, 10);
    end();
}

static CK_RV encrypt_and_decrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, bool encrypts,
                                 CK_ULONG len)
{
    CK_BYTE in[256] = {0};
    CK_BYTE out[512];
    CK_ULONG out_len = sizeof out;
    CK_RV rv = encrypts ? p11->C_EncryptInit(session, mechanism, key)
                        : p11->C_DecryptInit(session, mechanism, key);
    if (rv != CKR_OK)
        return rv;
    return encrypts ? p11->C_Encrypt(session, in, len, out, &out_len)
                    : p11->C_Decrypt(session, in, len, out, &out_len);
}

static void each_bad_input_has_its_own_code(void)
{
    begin();
    CK_OBJECT_HANDLE aes = make_secret(CKM_AES_KEY_GEN, &no, "codes");
    CK_OBJECT_HANDLE public = 0;
    CK_OBJECT_HANDLE ec = make_ec(&no, &no, &public);
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BYTE value[16] = {1};
    CK_ATTRIBUTE items[] = {{CKA_CLASS, &class, sizeof class},
                            {CKA_KEY_TYPE, &type, sizeof type},
                            {CKA_VALUE, value, 15},
                            {CKA_DECRYPT, &yes, 1}};
    CK_OBJECT_HANDLE made = 0;
    CU_ASSERT_EQUAL(p11->C_CreateObject(session, items, 3, &made), CKR_ATTRIBUTE_VALUE_INVALID);
    CK_MECHANISM rsa = {.mechanism = CKM_RSA_PKCS};
    CU_ASSERT_EQUAL(p11->C_SignInit(session, &rsa, ec), CKR_KEY_TYPE_INCONSISTENT);
    CU_ASSERT_EQUAL(p11->C_SignInit(session, &rsa, 0x7FFFFFFF), CKR_KEY_HANDLE_INVALID);
    CU_ASSERT_EQUAL(p11->C_DestroyObject(session, 0x7FFFFFFF), CKR_OBJECT_HANDLE_INVALID);
    CK_MECHANISM cbc = {CKM_AES_CBC, value, 15};
    CU_ASSERT_EQUAL(encrypt_and_decrypt(&cbc, aes, true, 16), CKR_MECHANISM_PARAM_INVALID);
    cbc.ulParameterLen = 16;
    CU_ASSERT_EQUAL(encrypt_and_decrypt(&cbc, aes, true, 15), CKR_DATA_LEN_RANGE);
    CU_ASSERT_EQUAL(encrypt_and_decrypt(&cbc, aes, false, 15), CKR_ENCRYPTED_DATA_LEN_RANGE);
    /* By a known key: what a random one makes of zeros is well padded once in 255 times. */
    items[2].ulValueLen = 16;
    OK(p11->C_CreateObject(session, items, 4, &aes));
    cbc.mechanism = CKM_AES_CBC_PAD;
    CU_ASSERT_EQUAL(encrypt_and_decrypt(&cbc, aes, false, 16), CKR_ENCRYPTED_DATA_INVALID);
    CK_ULONG bits = 2048;
    CK_ATTRIBUTE size[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_ENCRYPT, &yes, 1}};
    CK_MECHANISM generate = {.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN};
    OK(p11->C_GenerateKeyPair(session, &generate, size, 2, NULL, 0, &public, &made));
    CU_ASSERT_EQUAL(encrypt_and_decrypt(&rsa, public, true, 246), CKR_DATA_LEN_RANGE);
    end();
}

static void what_clients_ask_of_a_private_key_is_there(void)
{
    begin();
    CK_OBJECT_HANDLE public = 0;
    CK_OBJECT_HANDLE private = make_ec(&no, &no, &public);
    CK_BYTE info[200];
    CK_BYTE unique[64];
    CK_BBOOL always = CK_TRUE;
    CK_ATTRIBUTE items[] = {{CKA_PUBLIC_KEY_INFO, info, sizeof info},
                            {CKA_UNIQUE_ID, unique, sizeof unique},
                            {CKA_ALWAYS_AUTHENTICATE, &always, sizeof always}};
    OK(p11->C_GetAttributeValue(session, private, items, 3));
    CU_ASSERT_EQUAL(items[0].ulValueLen, 91); /* RFC 5480: a P-256 key's SubjectPublicKeyInfo */
    CU_ASSERT(items[1].ulValueLen > 0);
    CU_ASSERT_EQUAL(always, CK_FALSE);
    CK_OBJECT_CLASS class = CKO_PROFILE;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof class};
    CK_OBJECT_HANDLE profile = 0;
    CK_ULONG count = 0;
    OK(p11->C_FindObjectsInit(session, &wanted, 1));
    OK(p11->C_FindObjects(session, &profile, 1, &count));
    OK(p11->C_FindObjectsFinal(session));
    CU_ASSERT_EQUAL(count, 1);
    end();
}

UNIT_SUITE("p11/daemon", UNIT_CASE(long_data_goes_through_every_cipher_in_one_call_and_in_parts),
           UNIT_CASE(long_message_has_one_mac_however_it_comes),
           UNIT_CASE(session_objects_and_login_survive_a_killed_daemon),
           UNIT_CASE(operation_in_parts_is_lost_with_its_daemon_and_says_so),
           UNIT_CASE(signatures_of_eight_threads_outlive_a_killed_daemon),
           UNIT_CASE(key_with_always_authenticate_wants_the_pin_for_each_use),
           UNIT_CASE(changed_pin_voids_the_logins_of_other_applications),
           UNIT_CASE(new_token_is_made_in_the_last_slot_and_used),
           UNIT_CASE(named_user_logs_in_by_both_ways),
           UNIT_CASE(changed_object_is_seen_by_the_next_use),
           UNIT_CASE(iv_made_by_the_hsm_is_written_back),
           UNIT_CASE(attributes_are_filled_as_far_as_they_can_be),
           UNIT_CASE(each_bad_input_has_its_own_code),
           UNIT_CASE(what_clients_ask_of_a_private_key_is_there));
