/* SPDX-License-Identifier: Apache-2.0 */
/* An application of the ledger test: makes, changes, reads and destroys keys through the module of
 * QHSM_MODULE while the cluster is in trouble, and prints what it asked and was answered as a
 * history (tests/linearizability/lin.h). `list` prints every key's label and ID instead. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/module.h"

#define LABELS_EACH 8U
#define FOUND_MAX   64U
#define TEXT_MAX    64U
#define RETRY_US    50000U

static const char usage[] =
    "Usage: client work ROUND NUMBER CLIENTS SEED SECONDS   a history, on standard output\n"
    "       client list                                     each key: LABEL ID\n";

static struct {
    CK_FUNCTION_LIST_PTR p11;
    CK_SESSION_HANDLE session;
    unsigned round, number, clients;
    uint64_t random, values;
    bool created[LABELS_EACH];
} self;

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t draw(uint64_t below)
{
    self.random += 0x9e3779b97f4a7c15U;
    uint64_t z = self.random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % below;
}

/* ---- the session */

/* Until an HSM lets us in. False: stopped meanwhile. */
static bool log_in(void)
{
    CK_UTF8CHAR pin[TEXT_MAX];
    CK_ULONG len = strlen(module_setting("QHSM_USER_PIN"));
    CHECK(len < sizeof pin);
    memcpy(pin, module_setting("QHSM_USER_PIN"), len);
    while (!stopping) {
        CK_RV rv = self.p11->C_Login(self.session, CKU_USER, pin, len);
        if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
            return true;
        CHECK(rv != CKR_PIN_INCORRECT && rv != CKR_PIN_LOCKED);
        (void)usleep(RETRY_US);
    }
    return false;
}

static bool open_session(void)
{
    while (!stopping) {
        CK_SLOT_ID slots[8];
        CK_ULONG count = 8;
        CK_RV rv = self.p11->C_GetSlotList(CK_TRUE, slots, &count);
        if (rv == CKR_OK && count > 0)
            rv = self.p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                         &self.session);
        if (rv == CKR_OK && count > 0)
            return log_in();
        (void)usleep(RETRY_US);
    }
    return false;
}

static CK_ATTRIBUTE text_attribute(CK_ATTRIBUTE_TYPE type, char *text)
{
    return (CK_ATTRIBUTE){type, text, strlen(text)};
}

/* How many have the label; the first one's handle. */
static CK_RV find(char *label, CK_OBJECT_HANDLE *out, CK_ULONG *out_count)
{
    CK_ATTRIBUTE wanted = text_attribute(CKA_LABEL, label);
    CK_OBJECT_HANDLE found[FOUND_MAX];
    *out_count = 0;
    CK_RV rv = self.p11->C_FindObjectsInit(self.session, &wanted, 1);
    if (rv != CKR_OK)
        return rv;
    rv = self.p11->C_FindObjects(self.session, found, FOUND_MAX, out_count);
    (void)self.p11->C_FindObjectsFinal(self.session);
    if (rv == CKR_OK && *out_count > 1)
        printf("# DOUBLE %s: %lu keys of one request\n", label, *out_count);
    if (rv == CKR_OK && *out_count > 0)
        *out = found[0];
    return rv;
}

/* ---- operations; the answer's word, or NULL: its outcome is unknown */

static CK_RV get_id(CK_OBJECT_HANDLE key, char id[TEXT_MAX])
{
    CK_ATTRIBUTE attribute = {CKA_ID, id, TEXT_MAX - 1};
    CK_RV rv = self.p11->C_GetAttributeValue(self.session, key, &attribute, 1);
    id[rv == CKR_OK ? attribute.ulValueLen : 0] = 0;
    return rv;
}

static const char *do_create(char *label, char *id)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG len = 32;
    CK_ATTRIBUTE key[] = {{CKA_TOKEN, &yes, sizeof yes},
                          {CKA_VALUE_LEN, &len, sizeof len},
                          text_attribute(CKA_LABEL, label),
                          text_attribute(CKA_ID, id)};
    CK_OBJECT_HANDLE handle = 0;
    CK_RV rv = self.p11->C_GenerateKey(self.session, &mechanism, key, 4, &handle);
    return rv == CKR_OK ? "done" : NULL;
}

static const char *word_of(CK_RV rv)
{
    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return "absent";
    return rv == CKR_OK ? "done" : NULL;
}

static const char *do_read(char *label, char id[TEXT_MAX])
{
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    CK_RV rv = find(label, &key, &count);
    if (rv != CKR_OK)
        return NULL;
    rv = count > 0 ? get_id(key, id) : CKR_OBJECT_HANDLE_INVALID;
    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return "absent";
    return rv == CKR_OK ? id : NULL;
}

static const char *do_modify(char *label, char *id)
{
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    CK_ATTRIBUTE change = text_attribute(CKA_ID, id);
    CK_RV rv = find(label, &key, &count);
    if (rv != CKR_OK)
        return "fail"; /* nothing was asked for yet */
    if (count == 0)
        return "absent";
    rv = self.p11->C_SetAttributeValue(self.session, key, &change, 1);
    return rv == CKR_FUNCTION_FAILED ? "fail" : word_of(rv); /* somebody else was quicker */
}

static const char *do_destroy(char *label)
{
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    CK_RV rv = find(label, &key, &count);
    if (rv != CKR_OK)
        return "fail";
    return count == 0 ? "absent" : word_of(self.p11->C_DestroyObject(self.session, key));
}

/* ---- the history */

enum operation { CREATE, READ, MODIFY, DESTROY };
static const char *const names[] = {"create", "read", "modify", "destroy"};

static void say(const char *what, enum operation operation, const char *label, const char *value)
{
    printf("%u %s object %s %s %s%s%llu\n", self.round * 100 + self.number, what, label,
           names[operation], value, value[0] != 0 ? " " : "", (unsigned long long)now_us());
    (void)fflush(stdout);
}

static const char *ask(enum operation operation, char *label, char id[TEXT_MAX])
{
    if (operation == CREATE)
        return do_create(label, id);
    if (operation == MODIFY)
        return do_modify(label, id);
    return operation == READ ? do_read(label, id) : do_destroy(label);
}

static void perform(enum operation operation, char *label)
{
    char id[TEXT_MAX] = "";
    bool writes = operation == CREATE || operation == MODIFY;
    if (writes)
        (void)snprintf(id, sizeof id, "%llu",
                       (unsigned long long)(self.number + 1) * 1000000 + ++self.values);
    say("invoke", operation, label, id);
    const char *word = ask(operation, label, id);
    if (word == NULL)
        say(operation == READ ? "fail" : "unknown", operation, label, "");
    else if (strcmp(word, "fail") == 0)
        say("fail", operation, label, "");
    else
        say("ok", operation, label, word);
    if (word == NULL) /* a login may have ended with the trouble */
        (void)log_in();
}

static void step(void)
{
    char label[TEXT_MAX];
    unsigned owner = (unsigned)draw(self.clients);
    unsigned which = (unsigned)draw(LABELS_EACH);
    uint64_t dice = draw(100);
    (void)snprintf(label, sizeof label, "r%u-c%u-%u", self.round, owner, which);
    enum operation operation = dice < 45 ? READ : dice < 94 ? MODIFY : DESTROY;
    if (owner == self.number && !self.created[which]) {
        self.created[which] = true;
        operation = CREATE;
    }
    perform(operation, label);
}

static int work(uint64_t seconds)
{
    uint64_t until = now_us() + seconds * 1000000;
    if (!open_session())
        return 0;
    while (!stopping && now_us() < until) {
        step();
        (void)usleep((useconds_t)draw(20000));
    }
    return 0;
}

/* ---- all keys, for the ledger */

static CK_RV list_keys(void)
{
    CK_OBJECT_HANDLE found[FOUND_MAX];
    CK_ULONG count = FOUND_MAX;
    CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &secret_key, sizeof secret_key};
    CK_RV rv = self.p11->C_FindObjectsInit(self.session, &wanted, 1);
    while (rv == CKR_OK && count > 0) {
        rv = self.p11->C_FindObjects(self.session, found, FOUND_MAX, &count);
        for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
            char label[TEXT_MAX] = "";
            char id[TEXT_MAX] = "";
            CK_ATTRIBUTE attributes[] = {{CKA_LABEL, label, TEXT_MAX - 1},
                                         {CKA_ID, id, TEXT_MAX - 1}};
            rv = self.p11->C_GetAttributeValue(self.session, found[i], attributes, 2);
            if (rv == CKR_OK)
                printf("%.*s %.*s\n", (int)attributes[0].ulValueLen, label,
                       (int)attributes[1].ulValueLen, id);
        }
    }
    (void)self.p11->C_FindObjectsFinal(self.session);
    return rv;
}

int main(int argc, char **argv)
{
    bool lists = argc == 2 && strcmp(argv[1], "list") == 0;
    if (!lists && (argc != 7 || strcmp(argv[1], "work") != 0)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGTERM, stop);
    self.p11 = module_load();
    EXPECT(CKR_OK, self.p11->C_Initialize(NULL));
    int code = 0;
    if (lists) {
        code = open_session() && list_keys() == CKR_OK ? 0 : 1;
    } else {
        self.round = (unsigned)strtoul(argv[2], NULL, 10);
        self.number = (unsigned)strtoul(argv[3], NULL, 10);
        self.clients = (unsigned)strtoul(argv[4], NULL, 10);
        self.random = strtoull(argv[5], NULL, 10);
        code = work(strtoull(argv[6], NULL, 10));
    }
    (void)self.p11->C_Finalize(NULL);
    return code;
}
