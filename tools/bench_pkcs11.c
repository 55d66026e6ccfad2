/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module as a contender: loaded like any application does. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/secret.h"
#include "tools/bench.h"
#include "tools/dev.h"

#define OBJECT_LABEL "bench-%08u"
#define LABEL_MAX    32
#define OUTPUT_MAX   (32 * 1024)

static struct {
    CK_FUNCTION_LIST *calls;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session; /* logged in; owns the keys of the current case */
    struct secret pin;
    unsigned objects;
    CK_OBJECT_HANDLE key;
    unsigned made; /* token objects that the current case made */
} state;

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static enum rc failed(CK_RV rv, const char *call)
{
    return rv == CKR_OK ? RC_OK : rc_fail(RC_UNSUPPORTED, "%s: 0x%lx", call, rv);
}
#define CALL(name, ...) failed(state.calls->name(__VA_ARGS__), #name)

static enum rc find_slot(const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof slots / sizeof slots[0];
    TRY(CALL(C_GetSlotList, CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        TRY(CALL(C_GetTokenInfo, slots[i], &info));
        char padded[33];
        (void)snprintf(padded, sizeof padded, "%-32s", label);
        bool is_it = (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
                     (label[0] == 0 || strncmp((const char *)info.label, padded, 32) == 0);
        if (is_it) {
            state.slot = slots[i];
            return RC_OK;
        }
    }
    return rc_fail(RC_SLOT_INVALID, "no token %s", label);
}

static enum rc read_pin(const struct bench_contender *contender)
{
    if (contender->pin_file[0] == 0) {
        const char *pin = getenv(contender->pin_env);
        if (pin == NULL)
            return rc_fail(RC_USAGE, "the variable %s is not set", contender->pin_env);
        return secret_from_bytes(&state.pin, bytes_of_str(pin));
    }
    AUTO_BUF text = BUF_INIT;
    TRY(dev_file_read(contender->pin_file, &text));
    return secret_from_bytes(&state.pin, bytes_of(text.ptr, strcspn(buf_str(&text), "\r\n")));
}

static enum rc login(void)
{
    return failed(state.calls->C_Login(state.session, CKU_USER, state.pin.ptr, state.pin.len),
                  "C_Login");
}

static enum rc pkcs11_open(const struct bench_contender *contender)
{
    void *library = dlopen(contender->module, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return rc_fail(RC_CONFIG, "%s", dlerror());
    CK_C_GetFunctionList get;
    void *symbol = dlsym(library, "C_GetFunctionList");
    if (symbol == NULL)
        return rc_fail(RC_CONFIG, "%s is no PKCS#11 module", contender->module);
    memcpy(&get, &symbol, sizeof get);
    TRY(failed(get(&state.calls), "C_GetFunctionList"));
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    TRY(CALL(C_Initialize, &args));
    state.objects = contender->objects;
    TRY(find_slot(contender->token));
    TRY(read_pin(contender));
    TRY(CALL(C_OpenSession, state.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
             &state.session));
    return login();
}

/* ---- keys and objects
 * --------------------------------------------------------------------------------------------- */

static enum rc generate(const struct bench_case *one, CK_SESSION_HANDLE session,
                        CK_OBJECT_HANDLE *out)
{
    CK_MECHANISM mechanism = {.mechanism = bench_key_mechanism(one->key)};
    CK_ULONG bytes = one->size / 8, bits = one->size;
    if (one->key == BENCH_KEY_AES || one->key == BENCH_KEY_HMAC) {
        CK_ATTRIBUTE secret[] = {{CKA_TOKEN, &no, 1},    {CKA_VALUE_LEN, &bytes, sizeof bytes},
                                 {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1},
                                 {CKA_SIGN, &yes, 1},    {CKA_VERIFY, &yes, 1}};
        /* AES keys encrypt, generic secrets sign. */
        CK_ULONG count = 4;
        if (one->key == BENCH_KEY_HMAC) {
            secret[2] = secret[4];
            secret[3] = secret[5];
        }
        return CALL(C_GenerateKey, session, &mechanism, secret, count, out);
    }
    CK_ULONG curve_len = 0;
    const uint8_t *curve = bench_curve(one->key, one->size, &curve_len);
    CK_BYTE exponent[] = {1, 0, 1};
    CK_ATTRIBUTE public_rsa[] = {{CKA_TOKEN, &no, 1},
                                 {CKA_MODULUS_BITS, &bits, sizeof bits},
                                 {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
    CK_ATTRIBUTE public_ec[] = {{CKA_TOKEN, &no, 1},
                                {CKA_EC_PARAMS, (void *)(uintptr_t)curve, curve_len}};
    CK_ATTRIBUTE private_key[] = {{CKA_TOKEN, &no, 1}, {CKA_SIGN, &yes, 1}, {CKA_PRIVATE, &yes, 1}};
    CK_OBJECT_HANDLE public_handle = CK_INVALID_HANDLE;
    enum rc rc = curve == NULL ? CALL(C_GenerateKeyPair, session, &mechanism, public_rsa, 3,
                                      private_key, 3, &public_handle, out)
                               : CALL(C_GenerateKeyPair, session, &mechanism, public_ec, 2,
                                      private_key, 3, &public_handle, out);
    if (rc == RC_OK && one->kind == BENCH_GENERATE_PAIR)
        rc = CALL(C_DestroyObject, session, public_handle);
    return rc;
}

static enum rc create(CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS data = CKO_DATA;
    CK_BYTE value[32] = {1, 2, 3};
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &data, sizeof data},
                                 {CKA_TOKEN, &yes, 1},
                                 {CKA_PRIVATE, &no, 1},
                                 {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
                                 {CKA_VALUE, value, sizeof value}};
    return CALL(C_CreateObject, session, attributes, sizeof attributes / sizeof attributes[0], out);
}

/* Secret keys: the cheapest objects that carry CKA_ID. */
static enum rc create_key(CK_SESSION_HANDLE session, const char *label)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BYTE value[32] = {1, 2, 3};
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_KEY_TYPE, &type, sizeof type},
                                 {CKA_TOKEN, &yes, 1},
                                 {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
                                 {CKA_ID, (void *)(uintptr_t)label, strlen(label)},
                                 {CKA_VALUE, value, sizeof value}};
    return CALL(C_CreateObject, session, attributes, sizeof attributes / sizeof attributes[0],
                &handle);
}

static enum rc make_objects(void)
{
    for (unsigned i = 0; i < state.objects; i++) {
        char label[LABEL_MAX];
        (void)snprintf(label, sizeof label, OBJECT_LABEL, i);
        TRY(create_key(state.session, label));
        state.made++;
    }
    return RC_OK;
}

static enum rc find(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE type, const char *text,
                    CK_OBJECT_HANDLE *out)
{
    CK_ATTRIBUTE wanted = {type, (void *)(uintptr_t)text, strlen(text)};
    CK_ULONG count = 0;
    TRY(CALL(C_FindObjectsInit, session, &wanted, 1));
    enum rc rc = CALL(C_FindObjects, session, out, 1, &count);
    TRY(CALL(C_FindObjectsFinal, session));
    TRY(rc);
    return count == 1 ? RC_OK : rc_fail(RC_NOT_FOUND, "%s is not there", text);
}

static void destroy_objects(void)
{
    for (unsigned i = 0; i < state.made; i++) {
        char label[LABEL_MAX];
        CK_OBJECT_HANDLE handle;
        (void)snprintf(label, sizeof label, OBJECT_LABEL, i);
        if (find(state.session, CKA_LABEL, label, &handle) == RC_OK)
            (void)state.calls->C_DestroyObject(state.session, handle);
    }
    state.made = 0;
}

static bool is_search(const struct bench_case *one)
{
    return one->kind == BENCH_FIND_LABEL || one->kind == BENCH_FIND_ID;
}

static enum rc pkcs11_prepare(const struct bench_case *one)
{
    state.key = CK_INVALID_HANDLE;
    bool needs_key =
        one->kind == BENCH_SIGN || one->kind == BENCH_ENCRYPT || one->kind == BENCH_GET_ATTRIBUTES;
    if (needs_key)
        return generate(one, state.session, &state.key);
    /* The searches that follow one another share their objects: making them is slow with some
     * modules. */
    return is_search(one) && state.made == 0 ? make_objects() : RC_OK;
}

static void pkcs11_finish(const struct bench_case *one)
{
    if (state.key != CK_INVALID_HANDLE)
        (void)state.calls->C_DestroyObject(state.session, state.key);
    state.key = CK_INVALID_HANDLE;
    (void)one;
}

static void pkcs11_close(void)
{
    if (state.calls == NULL)
        return;
    destroy_objects();
    (void)state.calls->C_Finalize(NULL);
    secret_clear(&state.pin);
}

/* ---- threads
 * ------------------------------------------------------------------------------------------------------
 */

struct pkcs11_thread {
    CK_SESSION_HANDLE session;
    unsigned number;
    unsigned seed;
    uint64_t counter;
    CK_BYTE *data;
    CK_BYTE output[OUTPUT_MAX];
};

static enum rc pkcs11_thread_new(const struct bench_case *one, unsigned number, void **out)
{
    struct pkcs11_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return RC_NO_MEMORY;
    *out = thread;
    thread->number = number;
    thread->seed = number + 1;
    thread->data = calloc(1, one->data_len + 1);
    if (thread->data == NULL)
        return RC_NO_MEMORY;
    return CALL(C_OpenSession, state.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                &thread->session);
}

static void pkcs11_thread_free(void *argument)
{
    struct pkcs11_thread *thread = argument;
    (void)state.calls->C_CloseSession(thread->session);
    free(thread->data);
    free(thread);
}

static enum rc step_sign(const struct bench_case *one, struct pkcs11_thread *thread)
{
    CK_MECHANISM mechanism = {.mechanism = one->mechanism};
    CK_ULONG len = OUTPUT_MAX;
    TRY(CALL(C_SignInit, thread->session, &mechanism, state.key));
    return CALL(C_Sign, thread->session, thread->data, one->data_len, thread->output, &len);
}

static enum rc step_encrypt(const struct bench_case *one, struct pkcs11_thread *thread)
{
    CK_BYTE iv[16] = {0};
    uint64_t count = ++thread->counter;
    memcpy(iv, &count, sizeof count);
    iv[8] = (CK_BYTE)thread->number;
    CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
    CK_MECHANISM mechanism = {
        .mechanism = one->mechanism, .pParameter = iv, .ulParameterLen = one->iv_len};
    if (one->is_gcm) {
        mechanism.pParameter = &gcm;
        mechanism.ulParameterLen = sizeof gcm;
    }
    CK_ULONG len = OUTPUT_MAX;
    TRY(CALL(C_EncryptInit, thread->session, &mechanism, state.key));
    return CALL(C_Encrypt, thread->session, thread->data, one->data_len, thread->output, &len);
}

static enum rc step_generate(const struct bench_case *one, struct pkcs11_thread *thread)
{
    CK_OBJECT_HANDLE handle;
    TRY(generate(one, thread->session, &handle));
    return CALL(C_DestroyObject, thread->session, handle);
}

/* Both halves are durable changes: an operation is a creation and a destruction. */
static enum rc step_create(struct pkcs11_thread *thread)
{
    char label[LABEL_MAX];
    CK_OBJECT_HANDLE handle;
    (void)snprintf(label, sizeof label, "bench-create-%u", thread->number);
    TRY(create(thread->session, label, &handle));
    return CALL(C_DestroyObject, thread->session, handle);
}

static enum rc step_find(const struct bench_case *one, struct pkcs11_thread *thread)
{
    char label[LABEL_MAX];
    CK_OBJECT_HANDLE handle;
    (void)snprintf(label, sizeof label, OBJECT_LABEL,
                   (unsigned)rand_r(&thread->seed) % state.objects);
    return find(thread->session, one->kind == BENCH_FIND_ID ? CKA_ID : CKA_LABEL, label, &handle);
}

static enum rc step_get(struct pkcs11_thread *thread)
{
    CK_BYTE id[64], modulus[512], class[8];
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, class, sizeof class},
                             {CKA_ID, id, sizeof id},
                             {CKA_MODULUS, modulus, sizeof modulus}};
    return CALL(C_GetAttributeValue, thread->session, state.key, wanted, 3);
}

static enum rc step_session(void)
{
    CK_SESSION_HANDLE session;
    TRY(CALL(C_OpenSession, state.slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    return CALL(C_CloseSession, session);
}

static enum rc pkcs11_step(const struct bench_case *one, void *argument)
{
    struct pkcs11_thread *thread = argument;
    switch (one->kind) {
    case BENCH_SIGN:
        return step_sign(one, thread);
    case BENCH_ENCRYPT:
        return step_encrypt(one, thread);
    case BENCH_GENERATE:
    case BENCH_GENERATE_PAIR:
        return step_generate(one, thread);
    case BENCH_CREATE:
        return step_create(thread);
    case BENCH_FIND_LABEL:
    case BENCH_FIND_ID:
        return step_find(one, thread);
    case BENCH_GET_ATTRIBUTES:
        return step_get(thread);
    case BENCH_SESSION:
        return step_session();
    case BENCH_LOGIN:
        TRY(CALL(C_Logout, state.session));
        return login();
    }
    return RC_UNSUPPORTED;
}

const struct bench_engine bench_pkcs11 = {.open = pkcs11_open,
                                          .prepare = pkcs11_prepare,
                                          .thread_new = pkcs11_thread_new,
                                          .step = pkcs11_step,
                                          .thread_free = pkcs11_thread_free,
                                          .finish = pkcs11_finish,
                                          .close = pkcs11_close};
