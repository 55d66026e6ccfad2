/* SPDX-License-Identifier: Apache-2.0 */
/* An application under load that must not notice what happens to zones. Threads sign, search, use a
 * session object, encrypt in parts, make and destroy objects, until the input ends; each line of
 * the input begins a phase, at whose end each kind of work tells how often it was done, how often
 * it failed, and the longest time that one took. The exit status says nothing of that: the script
 * reads it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/integration/module.h"

struct work {
    const char *name;
    CK_RV (*once)(struct work *work);
    long pause_ms;
    CK_SESSION_HANDLE session;
    pthread_t thread;
    atomic_ulong done, failed, longest_ms, last_error;
    atomic_ulong lost; /* operations in parts that ended with their HSM */
};

static CK_FUNCTION_LIST_PTR p11;
static CK_OBJECT_HANDLE ec_key;
static CK_OBJECT_HANDLE rsa_key;
static CK_OBJECT_HANDLE session_key;
static CK_OBJECT_HANDLE token_key;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static atomic_bool stopping;

static unsigned long now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

static void rest_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&rest, NULL);
}

#define GIVE(result)                \
    do {                            \
        CK_RV given_rv_ = (result); \
        if (given_rv_ != CKR_OK)    \
            return given_rv_;       \
    } while (0)

static CK_RV sign(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {.mechanism = type};
    CK_BYTE digest[32] = {1};
    CK_BYTE signature[512];
    CK_ULONG len = sizeof signature;
    GIVE(p11->C_SignInit(session, &mechanism, key));
    return p11->C_Sign(session, digest, sizeof digest, signature, &len);
}

static CK_RV sign_ec(struct work *work)
{
    return sign(work->session, CKM_ECDSA, ec_key);
}

static CK_RV sign_rsa(struct work *work)
{
    return sign(work->session, CKM_RSA_PKCS, rsa_key);
}

static CK_RV find_key(struct work *work)
{
    CK_BYTE label[] = "failover-ec";
    CK_ATTRIBUTE wanted[] = {{CKA_LABEL, label, sizeof label - 1}};
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count = 0;
    GIVE(p11->C_FindObjectsInit(work->session, wanted, 1));
    CK_RV rv = p11->C_FindObjects(work->session, found, 8, &count);
    (void)p11->C_FindObjectsFinal(work->session);
    GIVE(rv);
    bool there = false;
    for (CK_ULONG i = 0; i < count; i++)
        there = there || found[i] == ec_key;
    return there ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const CK_BYTE *in,
                     CK_BYTE *out)
{
    CK_BYTE iv[16] = {7};
    CK_BYTE data[32];
    CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof iv};
    CK_ULONG len = sizeof data;
    memcpy(data, in, sizeof data);
    GIVE(p11->C_EncryptInit(session, &mechanism, key));
    return p11->C_Encrypt(session, data, sizeof data, out, &len);
}

/* A session object changes its label and keeps its key, whatever HSM is its home. */
static CK_RV use_session_key(struct work *work)
{
    static CK_BYTE expected[32];
    static bool known;
    static unsigned long round;
    const CK_BYTE data[32] = {3};
    CK_BYTE out[32];
    char label[32];
    char read[32] = "";
    GIVE(encrypt(work->session, session_key, data, out));
    if (known && memcmp(out, expected, sizeof out) != 0)
        return CKR_GENERAL_ERROR;
    memcpy(expected, out, sizeof out);
    known = true;
    int len = snprintf(label, sizeof label, "label-%lu", ++round);
    CK_ATTRIBUTE change = {CKA_LABEL, label, (CK_ULONG)len};
    GIVE(p11->C_SetAttributeValue(work->session, session_key, &change, 1));
    CK_ATTRIBUTE back = {CKA_LABEL, read, sizeof read};
    GIVE(p11->C_GetAttributeValue(work->session, session_key, &back, 1));
    return strcmp(label, read) == 0 ? CKR_OK : CKR_KEY_CHANGED;
}

/* Parts keep their state at one HSM. When that is lost it is said, and the next operation works. */
static CK_RV encrypt_in_parts(struct work *work)
{
    CK_BYTE iv[16] = {9};
    CK_BYTE data[64] = {5};
    CK_BYTE out[128];
    CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof iv};
    GIVE(p11->C_EncryptInit(work->session, &mechanism, token_key));
    CK_RV rv = CKR_OK;
    for (unsigned part = 0; part < 4 && rv == CKR_OK; part++) {
        CK_ULONG len = sizeof out;
        rv = p11->C_EncryptUpdate(work->session, data, sizeof data, out, &len);
        rest_ms(10);
    }
    CK_ULONG rest = sizeof out;
    if (rv == CKR_OK)
        rv = p11->C_EncryptFinal(work->session, out, &rest);
    if (rv == CKR_DEVICE_ERROR) {
        work->lost++;
        return CKR_OK;
    }
    return rv;
}

/* What was made is there for the next call, wherever it goes. */
static CK_RV make_object(struct work *work)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BYTE value[] = "value";
    CK_BYTE read[8];
    CK_ATTRIBUTE object[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_TOKEN, &yes, sizeof yes},
                             {CKA_VALUE, value, sizeof value}};
    CK_ATTRIBUTE back = {CKA_VALUE, read, sizeof read};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    GIVE(p11->C_CreateObject(work->session, object, 3, &handle));
    GIVE(p11->C_GetAttributeValue(work->session, handle, &back, 1));
    return p11->C_DestroyObject(work->session, handle);
}

static struct work works[] = {
    {.name = "sign-ec", .once = sign_ec, .pause_ms = 1},
    {.name = "sign-ec", .once = sign_ec, .pause_ms = 1},
    {.name = "sign-rsa", .once = sign_rsa, .pause_ms = 2},
    {.name = "find", .once = find_key, .pause_ms = 3},
    {.name = "session-object", .once = use_session_key, .pause_ms = 3},
    {.name = "in-parts", .once = encrypt_in_parts, .pause_ms = 3},
    {.name = "write", .once = make_object, .pause_ms = 5},
};
#define WORK_COUNT (sizeof works / sizeof works[0])

static void *work_main(void *data)
{
    struct work *work = data;
    while (!stopping) {
        unsigned long start = now_ms();
        CK_RV rv = work->once(work);
        unsigned long took = now_ms() - start;
        work->done++;
        if (took > work->longest_ms)
            work->longest_ms = took;
        if (rv != CKR_OK) {
            work->failed++;
            work->last_error = rv;
        }
        rest_ms(work->pause_ms);
    }
    return NULL;
}

static void tell(const char *phase)
{
    for (size_t i = 0; i < WORK_COUNT; i++) {
        struct work *w = &works[i];
        unsigned long failed = atomic_exchange(&w->failed, 0);
        printf("phase=%s work=%s done=%lu failed=%lu lost=%lu longest_ms=%lu", phase, w->name,
               atomic_exchange(&w->done, 0), failed, atomic_exchange(&w->lost, 0),
               atomic_exchange(&w->longest_ms, 0));
        if (failed > 0)
            printf(" error=0x%lx", (unsigned long)w->last_error);
        printf("\n");
    }
    (void)fflush(stdout);
}

static void make_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE parameter,
                      const char *label, CK_OBJECT_HANDLE *out)
{
    CK_MECHANISM mechanism = {.mechanism = type};
    CK_ATTRIBUTE public_half[] = {{CKA_TOKEN, &yes, sizeof yes}, parameter};
    CK_ATTRIBUTE private_half[] = {{CKA_TOKEN, &yes, sizeof yes},
                                   {CKA_SIGN, &yes, sizeof yes},
                                   {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
    EXPECT(CKR_OK, p11->C_GenerateKeyPair(session, &mechanism, public_half, 2, private_half, 3,
                                          &public, out));
}

static void make_aes(CK_SESSION_HANDLE session, CK_BBOOL *token, CK_OBJECT_HANDLE *out)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    CK_ULONG len = 32;
    CK_ATTRIBUTE wanted[] = {{CKA_TOKEN, token, sizeof *token},
                             {CKA_VALUE_LEN, &len, sizeof len},
                             {CKA_ENCRYPT, &yes, sizeof yes}};
    EXPECT(CKR_OK, p11->C_GenerateKey(session, &mechanism, wanted, 3, out));
}

static void make_keys(CK_SESSION_HANDLE session)
{
    CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_ULONG bits = 2048;
    make_pair(session, CKM_EC_KEY_PAIR_GEN, (CK_ATTRIBUTE){CKA_EC_PARAMS, p256, sizeof p256},
              "failover-ec", &ec_key);
    make_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN,
              (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits}, "failover-rsa", &rsa_key);
    make_aes(session, &no, &session_key);
    make_aes(session, &yes, &token_key);
}

int main(void)
{
    char line[128];
    char phase[128] = "start";
    p11 = module_load();
    EXPECT(CKR_OK, p11->C_Initialize(NULL));
    CK_SESSION_HANDLE first = module_login(p11);
    make_keys(first);
    for (size_t i = 0; i < WORK_COUNT; i++) {
        works[i].session = module_session(p11);
        CHECK(pthread_create(&works[i].thread, NULL, work_main, &works[i]) == 0);
    }
    printf("ready\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        tell(phase);
        memcpy(phase, line, sizeof phase);
    }
    stopping = true;
    for (size_t i = 0; i < WORK_COUNT; i++)
        (void)pthread_join(works[i].thread, NULL);
    tell(phase);
    EXPECT(CKR_OK, p11->C_Finalize(NULL));
    module_unload();
    return 0;
}
