/* SPDX-License-Identifier: Apache-2.0 */
/* The bench: contenders (PKCS#11 modules, raw libcrypto), each in a process of its own, measured in
 * turn case by case. */
#ifndef QHSM_TOOLS_BENCH_H
#define QHSM_TOOLS_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cryptoki.h"
#include "common/rc.h"

enum bench_kind {
    BENCH_SIGN,
    BENCH_ENCRYPT,
    BENCH_GENERATE,
    BENCH_GENERATE_PAIR,
    BENCH_CREATE,     /* a token object, durable */
    BENCH_FIND_LABEL, /* among --objects token objects */
    BENCH_FIND_ID,
    BENCH_GET_ATTRIBUTES,
    BENCH_SESSION, /* open and close */
    BENCH_LOGIN,   /* log out and in */
};

/* What kind of key a case needs. */
enum bench_key {
    BENCH_KEY_NONE,
    BENCH_KEY_RSA,
    BENCH_KEY_EC,
    BENCH_KEY_ED25519,
    BENCH_KEY_AES,
    BENCH_KEY_HMAC
};

struct bench_case {
    const char *name;
    enum bench_kind kind;
    enum bench_key key;
    unsigned size; /* bits of the key, or its curve's */
    CK_MECHANISM_TYPE mechanism;
    unsigned iv_len; /* of CBC */
    bool is_gcm;
    unsigned data_len;
    bool is_single; /* one thread only: the operation belongs to the whole application */
};

extern const struct bench_case bench_cases[];
extern const unsigned bench_case_count;
/* How each kind of key is generated. */
CK_MECHANISM_TYPE bench_key_mechanism(enum bench_key key);
/* CKA_EC_PARAMS of the curve, NULL for no curve. */
const uint8_t *bench_curve(enum bench_key key, unsigned size, CK_ULONG *out_len);

#define BENCH_TEXT_MAX    512
#define BENCH_CONTENDERS  8
#define BENCH_THREADS_MAX 64

/* As the command line describes it. */
struct bench_contender {
    char name[64];
    char module[BENCH_TEXT_MAX];   /* empty: raw libcrypto */
    char token[64];                /* label; empty: the first initialised */
    char pin_file[BENCH_TEXT_MAX]; /* or */
    char pin_env[64];              /* the variable that holds the PIN */
    char env[4][BENCH_TEXT_MAX];   /* NAME=VALUE for the process */
    unsigned env_count;
    unsigned objects; /* token objects to search among */
    /* the parent's side of its process */
    int pid;
    int fd;
};

struct bench_job {
    unsigned case_index;
    unsigned threads;
    double seconds;
};
struct bench_result {
    enum rc rc;
    char detail[128];
    uint64_t operations;
    double seconds;
    double p50_us, p99_us;
};

/* The child's main: takes jobs from fd, answers each; never returns. */
_Noreturn void bench_child(const struct bench_contender *contender, int fd);

/* A contender's implementation. prepare() once a job on the main thread; thread_new() on each
 * thread; step() once an operation. */
struct bench_engine {
    enum rc (*open)(const struct bench_contender *contender);
    enum rc (*prepare)(const struct bench_case *one);
    enum rc (*thread_new)(const struct bench_case *one, unsigned number, void **out);
    enum rc (*step)(const struct bench_case *one, void *thread);
    void (*thread_free)(void *thread);
    void (*finish)(const struct bench_case *one);
    void (*close)(void);
};
extern const struct bench_engine bench_pkcs11;
extern const struct bench_engine bench_raw;

#endif
