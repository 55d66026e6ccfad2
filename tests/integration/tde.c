/* SPDX-License-Identifier: Apache-2.0 */
/* Oracle's Transparent Data Encryption as far as public sources show its calls: a master key by
 * label, data objects beside it, table keys under CBC, rotation. Every out-pointer and every
 * structure that it passes is misaligned.
 *
 *   tde create|open|rotate NUMBER FILE   the NUMBER-th master key; the wrapped table key is in FILE
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/module.h"

#define TABLE_KEY_LEN 32
#define IV_LEN        16
#define ID_LEN        34
#define KEY_PREFIX    "ORACLE.TDE.HSM.MK."
#define NOTE_PREFIX   "ORACLE.SECURITY.KM.ENCRYPTION."

/* A variable at an odd address; ODD_GET copies it out. */
#define ODD(type, name, count)                                   \
    alignas(16) CK_BYTE name##_room[sizeof(type) * (count) + 1]; \
    memset(name##_room, 0, sizeof name##_room);                  \
    type *const name = (type *)(void *)(name##_room + 1)
#define ODD_PUT(name, value) memcpy((void *)(name), &(value), sizeof(value))
#define ODD_GET(value, name) memcpy(&(value), (const void *)(name), sizeof(value))

static CK_FUNCTION_LIST_PTR p11;
static CK_SESSION_HANDLE session;

struct names {
    char id[ID_LEN + 1];
    char key[sizeof KEY_PREFIX + ID_LEN];
    char note[sizeof NOTE_PREFIX + 2 * ID_LEN];
};

static struct names names_of(unsigned number)
{
    struct names names;
    (void)snprintf(names.id, sizeof names.id, "06%032X", number);
    (void)snprintf(names.key, sizeof names.key, KEY_PREFIX "%s", names.id);
    int at = snprintf(names.note, sizeof names.note, NOTE_PREFIX);
    for (size_t i = 0; i < ID_LEN; i++)
        at += snprintf(names.note + at, sizeof names.note - (size_t)at, "%02X",
                       (unsigned)(unsigned char)names.id[i]);
    CHECK(strlen(names.note) == 98);
    return names;
}

static CK_SLOT_ID find_slot(void)
{
    char label[33];
    (void)snprintf(label, sizeof label, "%-32s", module_setting("QHSM_TOKEN"));
    ODD(CK_ULONG, count, 1);
    ODD(CK_SLOT_ID, slots, 64);
    CK_ULONG room = 64;
    EXPECT(CKR_OK, p11->C_GetSlotList(CK_TRUE, NULL, count));
    ODD_PUT(count, room);
    EXPECT(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, count));
    ODD_GET(room, count);
    for (CK_ULONG i = 0; i < room; i++) {
        CK_SLOT_ID slot;
        CK_TOKEN_INFO info;
        ODD(CK_TOKEN_INFO, out, 1);
        memcpy(&slot, slots_room + 1 + i * sizeof slot, sizeof slot);
        EXPECT(CKR_OK, p11->C_GetTokenInfo(slot, out));
        ODD_GET(info, out);
        if (memcmp(info.label, label, sizeof info.label) != 0)
            continue;
        CHECK((info.flags & CKF_WRITE_PROTECTED) == 0);
        CHECK((info.flags & CKF_TOKEN_INITIALIZED) != 0);
        return slot;
    }
    CHECK(false);
    return 0;
}

static void check_mechanism(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_FLAGS flags)
{
    CK_MECHANISM_INFO info;
    ODD(CK_MECHANISM_INFO, out, 1);
    EXPECT(CKR_OK, p11->C_GetMechanismInfo(slot, type, out));
    ODD_GET(info, out);
    CHECK((info.flags & flags) == flags);
    CHECK(info.ulMaxKeySize >= 32);
}

static void open_wallet(void)
{
    ODD(CK_C_INITIALIZE_ARGS, args, 1);
    CK_C_INITIALIZE_ARGS plain = {.flags = CKF_OS_LOCKING_OK};
    ODD_PUT(args, plain);
    EXPECT(CKR_OK, p11->C_Initialize((void *)args));
    CK_SLOT_ID slot = find_slot();
    check_mechanism(slot, CKM_AES_KEY_GEN, CKF_GENERATE);
    check_mechanism(slot, CKM_AES_CBC, CKF_ENCRYPT | CKF_DECRYPT);
    check_mechanism(slot, CKM_AES_CBC_PAD, CKF_ENCRYPT | CKF_DECRYPT);
    ODD(CK_SESSION_HANDLE, out, 1);
    EXPECT(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, out));
    ODD_GET(session, out);
    CK_UTF8CHAR pin[256];
    CK_ULONG len = strlen(module_setting("TDE_PIN"));
    CHECK(len < sizeof pin);
    memcpy(pin, module_setting("TDE_PIN"), len);
    EXPECT(CKR_OK, p11->C_Login(session, CKU_USER, pin, len));
    CK_SESSION_INFO info;
    ODD(CK_SESSION_INFO, state, 1);
    EXPECT(CKR_OK, p11->C_GetSessionInfo(session, state));
    ODD_GET(info, state);
    CHECK(info.state == CKS_RW_USER_FUNCTIONS);
}

/* The one object of the label, with or without its class in the template; none is
 * CK_INVALID_HANDLE. */
static CK_OBJECT_HANDLE find_labelled(const char *label, const CK_OBJECT_CLASS *class)
{
    char text[128];
    CK_OBJECT_CLASS wanted_class = class == NULL ? 0 : *class;
    (void)snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE plain[] = {{CKA_LABEL, text, strlen(label)},
                            {CKA_CLASS, &wanted_class, sizeof wanted_class}};
    ODD(CK_ATTRIBUTE, wanted, 2);
    ODD(CK_OBJECT_HANDLE, found, 2);
    ODD(CK_ULONG, count, 1);
    CK_ULONG number = 0;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    ODD_PUT(wanted, plain);
    EXPECT(CKR_OK, p11->C_FindObjectsInit(session, wanted, class == NULL ? 1 : 2));
    EXPECT(CKR_OK, p11->C_FindObjects(session, found, 2, count));
    EXPECT(CKR_OK, p11->C_FindObjectsFinal(session));
    ODD_GET(number, count);
    CHECK(number <= 1);
    if (number == 1)
        ODD_GET(handle, found);
    return handle;
}

static CK_OBJECT_HANDLE find_key(const struct names *names)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_OBJECT_HANDLE key = find_labelled(names->key, &class);
    CHECK(key != CK_INVALID_HANDLE);
    CHECK(find_labelled(names->key, NULL) == key);
    return key;
}

static void check_bool(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL expected)
{
    CK_BBOOL value = 2;
    CK_ATTRIBUTE plain = {type, &value, sizeof value};
    ODD(CK_ATTRIBUTE, wanted, 1);
    ODD_PUT(wanted, plain);
    EXPECT(CKR_OK, p11->C_GetAttributeValue(session, object, wanted, 1));
    CHECK(value == expected);
}

/* A number read into an odd place, with its length. */
static CK_ULONG get_number(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_ULONG value = 0;
    ODD(CK_ULONG, out, 1);
    CK_ATTRIBUTE plain = {type, (void *)out, sizeof *out};
    ODD(CK_ATTRIBUTE, wanted, 1);
    ODD_PUT(wanted, plain);
    EXPECT(CKR_OK, p11->C_GetAttributeValue(session, object, wanted, 1));
    ODD_GET(plain, wanted);
    CHECK(plain.ulValueLen == sizeof value);
    ODD_GET(value, out);
    return value;
}

static void check_key(CK_OBJECT_HANDLE key)
{
    CHECK(get_number(key, CKA_CLASS) == CKO_SECRET_KEY);
    CHECK(get_number(key, CKA_KEY_TYPE) == CKK_AES);
    CHECK(get_number(key, CKA_VALUE_LEN) == 32);
    check_bool(key, CKA_TOKEN, CK_TRUE);
    check_bool(key, CKA_PRIVATE, CK_TRUE);
    check_bool(key, CKA_SENSITIVE, CK_TRUE);
    check_bool(key, CKA_EXTRACTABLE, CK_FALSE);
    check_bool(key, CKA_NEVER_EXTRACTABLE, CK_TRUE);
    check_bool(key, CKA_ENCRYPT, CK_TRUE);
    check_bool(key, CKA_DECRYPT, CK_TRUE);
    CK_BYTE value[32];
    CK_ATTRIBUTE secret = {CKA_VALUE, value, sizeof value};
    EXPECT(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(session, key, &secret, 1));
    ODD(CK_ULONG, size, 1);
    EXPECT(CKR_OK, p11->C_GetObjectSize(session, key, size));
}

static CK_OBJECT_HANDLE generate_key(const struct names *names)
{
    struct names copy = *names;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 32;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE plain[] = {
        {CKA_CLASS, &class, sizeof class},  {CKA_KEY_TYPE, &type, sizeof type},
        {CKA_VALUE_LEN, &len, sizeof len},  {CKA_TOKEN, &yes, sizeof yes},
        {CKA_PRIVATE, &yes, sizeof yes},    {CKA_SENSITIVE, &yes, sizeof yes},
        {CKA_EXTRACTABLE, &no, sizeof no},  {CKA_ENCRYPT, &yes, sizeof yes},
        {CKA_DECRYPT, &yes, sizeof yes},    {CKA_WRAP, &yes, sizeof yes},
        {CKA_UNWRAP, &yes, sizeof yes},     {CKA_LABEL, copy.key, strlen(copy.key)},
        {CKA_ID, copy.id, strlen(copy.id)},
    };
    CK_MECHANISM generate = {.mechanism = CKM_AES_KEY_GEN};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    ODD(CK_ATTRIBUTE, attributes, sizeof plain / sizeof plain[0]);
    ODD(CK_MECHANISM, mechanism, 1);
    ODD(CK_OBJECT_HANDLE, out, 1);
    ODD_PUT(attributes, plain);
    ODD_PUT(mechanism, generate);
    EXPECT(CKR_OK,
           p11->C_GenerateKey(session, mechanism, attributes, sizeof plain / sizeof plain[0], out));
    ODD_GET(key, out);
    check_key(key);
    return key;
}

static void write_note(const char *label, const char *content)
{
    char text[128];
    char value[128];
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE;
    (void)snprintf(text, sizeof text, "%s", label);
    (void)snprintf(value, sizeof value, "%s", content);
    CK_ATTRIBUTE plain[] = {{CKA_CLASS, &class, sizeof class},
                            {CKA_TOKEN, &yes, sizeof yes},
                            {CKA_PRIVATE, &yes, sizeof yes},
                            {CKA_LABEL, text, strlen(text)},
                            {CKA_VALUE, value, strlen(value)}};
    ODD(CK_ATTRIBUTE, attributes, 5);
    ODD(CK_OBJECT_HANDLE, out, 1);
    ODD_PUT(attributes, plain);
    EXPECT(CKR_OK, p11->C_CreateObject(session, attributes, 5, out));
}

/* The length first, then the content, as clients do. */
static void check_note(const char *label, const char *content)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE note = find_labelled(label, &class);
    CHECK(note != CK_INVALID_HANDLE);
    char value[128];
    CK_ATTRIBUTE plain = {CKA_VALUE, NULL, 0};
    ODD(CK_ATTRIBUTE, wanted, 1);
    ODD_PUT(wanted, plain);
    EXPECT(CKR_OK, p11->C_GetAttributeValue(session, note, wanted, 1));
    ODD_GET(plain, wanted);
    CHECK(plain.ulValueLen == strlen(content));
    plain.pValue = value;
    ODD_PUT(wanted, plain);
    EXPECT(CKR_OK, p11->C_GetAttributeValue(session, note, wanted, 1));
    CHECK(memcmp(value, content, strlen(content)) == 0);
}

static void crypt_table_key(CK_OBJECT_HANDLE key, bool encrypt, CK_BYTE *in, CK_BYTE *out)
{
    CK_BYTE iv[IV_LEN] = {0};
    CK_MECHANISM cbc = {.mechanism = CKM_AES_CBC, .pParameter = iv, .ulParameterLen = sizeof iv};
    ODD(CK_MECHANISM, mechanism, 1);
    ODD(CK_ULONG, len, 1);
    CK_ULONG got = 0;
    ODD_PUT(mechanism, cbc);
    EXPECT(CKR_OK, encrypt ? p11->C_EncryptInit(session, mechanism, key)
                           : p11->C_DecryptInit(session, mechanism, key));
    EXPECT(CKR_OK, encrypt ? p11->C_Encrypt(session, in, TABLE_KEY_LEN, NULL, len)
                           : p11->C_Decrypt(session, in, TABLE_KEY_LEN, NULL, len));
    ODD_GET(got, len);
    CHECK(got == TABLE_KEY_LEN);
    EXPECT(CKR_OK, encrypt ? p11->C_Encrypt(session, in, TABLE_KEY_LEN, out, len)
                           : p11->C_Decrypt(session, in, TABLE_KEY_LEN, out, len));
    ODD_GET(got, len);
    CHECK(got == TABLE_KEY_LEN);
}

/* With padding, in parts, and a buffer that is too small on the way. */
static void crypt_padded(CK_OBJECT_HANDLE key)
{
    CK_BYTE iv[IV_LEN] = {1};
    CK_BYTE data[45] = {7};
    CK_BYTE secret[48];
    CK_BYTE again[48];
    CK_MECHANISM cbc = {
        .mechanism = CKM_AES_CBC_PAD, .pParameter = iv, .ulParameterLen = sizeof iv};
    CK_ULONG room = sizeof secret;
    CK_ULONG done = 0;
    CK_ULONG last = 0;
    ODD(CK_ULONG, len, 1);
    ODD_PUT(len, room);
    EXPECT(CKR_OK, p11->C_EncryptInit(session, &cbc, key));
    EXPECT(CKR_OK, p11->C_EncryptUpdate(session, data, 33, secret, len));
    ODD_GET(done, len);
    room = sizeof secret - done;
    ODD_PUT(len, room);
    EXPECT(CKR_OK, p11->C_EncryptUpdate(session, data + 33, 12, secret + done, len));
    ODD_GET(last, len);
    done += last;
    room = 1;
    ODD_PUT(len, room);
    EXPECT(CKR_BUFFER_TOO_SMALL, p11->C_EncryptFinal(session, secret + done, len));
    room = sizeof secret - done;
    ODD_PUT(len, room);
    EXPECT(CKR_OK, p11->C_EncryptFinal(session, secret + done, len));
    ODD_GET(last, len);
    CHECK(done + last == sizeof secret);
    room = sizeof again;
    ODD_PUT(len, room);
    EXPECT(CKR_OK, p11->C_DecryptInit(session, &cbc, key));
    EXPECT(CKR_OK, p11->C_Decrypt(session, secret, sizeof secret, again, len));
    ODD_GET(last, len);
    CHECK(last == sizeof data && memcmp(again, data, sizeof data) == 0);
}

/* FILE holds the table key in the clear (the database would not) and under the master key. */
static void write_table_key(const char *path, CK_BYTE *clear, CK_BYTE *wrapped)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(fwrite(clear, 1, TABLE_KEY_LEN, file) == TABLE_KEY_LEN);
    CHECK(fwrite(wrapped, 1, TABLE_KEY_LEN, file) == TABLE_KEY_LEN);
    CHECK(fclose(file) == 0);
}

static void read_table_key(const char *path, CK_BYTE *clear, CK_BYTE *wrapped)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK(fread(clear, 1, TABLE_KEY_LEN, file) == TABLE_KEY_LEN);
    CHECK(fread(wrapped, 1, TABLE_KEY_LEN, file) == TABLE_KEY_LEN);
    CHECK(fclose(file) == 0);
}

static CK_OBJECT_HANDLE make_master_key(const struct names *names)
{
    CK_OBJECT_HANDLE key = generate_key(names);
    write_note(names->note, names->id);
    crypt_padded(key);
    return key;
}

static void create(unsigned number, const char *path)
{
    struct names names = names_of(number);
    CK_BYTE clear[TABLE_KEY_LEN];
    CK_BYTE wrapped[TABLE_KEY_LEN];
    CHECK(find_labelled(names.key, NULL) == CK_INVALID_HANDLE);
    write_note("DATA_OBJECT_SUPPORTED_IDEN", names.id);
    CK_OBJECT_HANDLE key = make_master_key(&names);
    EXPECT(CKR_OK, p11->C_GenerateRandom(session, clear, sizeof clear));
    crypt_table_key(key, true, clear, wrapped);
    CHECK(memcmp(clear, wrapped, sizeof clear) != 0);
    write_table_key(path, clear, wrapped);
}

static void open_table(unsigned number, const char *path)
{
    struct names names = names_of(number);
    CK_BYTE clear[TABLE_KEY_LEN];
    CK_BYTE wrapped[TABLE_KEY_LEN];
    CK_BYTE again[TABLE_KEY_LEN];
    CK_OBJECT_HANDLE key = find_key(&names);
    check_key(key);
    check_note(names.note, names.id);
    check_note("DATA_OBJECT_SUPPORTED_IDEN", names_of(1).id);
    read_table_key(path, clear, wrapped);
    crypt_table_key(key, false, wrapped, again);
    CHECK(memcmp(clear, again, sizeof clear) == 0);
}

/* A new master key; the old one opens the table key, the new one closes it. */
static void rotate(unsigned number, const char *path)
{
    struct names names = names_of(number);
    CK_BYTE clear[TABLE_KEY_LEN];
    CK_BYTE wrapped[TABLE_KEY_LEN];
    open_table(number - 1, path);
    read_table_key(path, clear, wrapped);
    crypt_table_key(make_master_key(&names), true, clear, wrapped);
    write_table_key(path, clear, wrapped);
    open_table(number, path);
    struct names old = names_of(number - 1);
    CHECK(find_key(&old) != find_key(&names));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(unsigned number, const char *path);
    } steps[] = {{"create", create}, {"open", open_table}, {"rotate", rotate}};
    for (size_t i = 0; argc == 4 && i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(argv[1], steps[i].name) == 0) {
            p11 = module_load();
            open_wallet();
            steps[i].run((unsigned)strtoul(argv[2], NULL, 10), argv[3]);
            EXPECT(CKR_OK, p11->C_Finalize(NULL));
            return 0;
        }
    (void)fprintf(stderr, "tde create|open|rotate NUMBER FILE\n");
    return 2;
}
