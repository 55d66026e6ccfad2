/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/library.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "p11/library_fork.h"
#include "p11/trace.h"

#define CLIENT_NAME "libqhsm-pkcs11 " QHSM_VERSION

static _Atomic(struct library *) current;
static struct library first; /* most processes need no other */
static struct library *all;  /* guarded by the gate */

/* What the last state of this process had seen: the next one, in a child of fork too, finds every
 * HSM at least as far. Guarded by the gate. */
static struct rpc_seen last_seen;

/* The gate: one C_Initialize or C_Finalize at a time. It holds the process id of who is inside, so
 * that a child does not wait for a thread that only its parent has. */
static _Atomic pid_t gate;

static void pause_ms(long ms)
{
    struct timespec rest = {.tv_sec = 0, .tv_nsec = ms * 1000000L};
    (void)nanosleep(&rest, NULL);
}

static void gate_take(void)
{
    pid_t self = getpid();
    for (;;) {
        pid_t holder = 0;
        if (atomic_compare_exchange_strong(&gate, &holder, self))
            return;
        if (holder != self && atomic_compare_exchange_strong(&gate, &holder, self))
            return;
        pause_ms(1);
    }
}

static void gate_leave(void)
{
    atomic_store(&gate, 0);
}

static bool is_ours(const struct library *library)
{
    return library != NULL && atomic_load(&library->pid) == getpid();
}

/* A state to fill: one that an earlier C_Finalize of this process emptied, or a new one. */
static struct library *state_take(void)
{
    for (struct library *l = all; l != NULL; l = l->older) {
        if (l->spare && is_ours(l) && atomic_load(&l->users) == 0) {
            l->spare = false;
            return l;
        }
    }
    struct library *fresh = all == NULL ? &first : calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    atomic_init(&fresh->users, 0);
    token_cache_init(&fresh->tokens);
    slot_table_init(&fresh->slots);
    session_table_init(&fresh->sessions);
    facts_cache_init(&fresh->facts);
    owned_init(&fresh->owned);
    fresh->trace_fd = -1;
    atomic_store(&fresh->pid, getpid());
    fresh->older = all;
    all = fresh;
    return fresh;
}

static void state_empty(struct library *library)
{
    if (library->rpc != NULL)
        rpc_client_free(library->rpc);
    library->rpc = NULL;
    session_table_clear(&library->sessions);
    owned_clear(&library->owned);
    facts_cache_clear(&library->facts);
    token_cache_clear(&library->tokens);
    slot_table_clear(&library->slots);
    digest_library_clear(&library->digests);
    client_config_free(library->config);
    library->config = NULL;
    trace_close(library->trace_fd);
    library->trace_fd = -1;
}

static enum rc random_application(uint8_t out[16])
{
    ssize_t got;
    do
        got = getrandom(out, 16, 0);
    while (got < 0 && errno == EINTR);
    return got == 16 ? RC_OK : rc_fail(RC_RANDOM, "getrandom failed");
}

static enum rc open_trace(struct library *library)
{
    const char *from_environment = secure_getenv("QHSM_TRACE");
    const char *path = from_environment != NULL ? from_environment : library->config->trace;
    return trace_open(path, &library->trace_fd);
}

int library_trace_open(void)
{
    int fd = -1;
    return trace_open(secure_getenv("QHSM_TRACE"), &fd) == RC_OK ? fd : -1;
}

/* `parent`: the state of the process that forked us, or NULL. Its configuration is taken over: the
 * files may not be readable for this user any more. */
static enum rc state_fill(struct library *library, struct library *parent)
{
    if (parent != NULL && parent->config != NULL) {
        library->config = parent->config;
        parent->config = NULL;
    } else {
        TRY(client_config_load(NULL, &library->config));
    }
    TRY(open_trace(library));
    TRY(random_application(library->application));
    library->shares_application = false;
    if (parent != NULL && library_fork_inherits(library->config))
        library_fork_carry_login(library, parent);
    TRY(rpc_client_new(library->config, CLIENT_NAME, library->application, &library->rpc));
    if (parent != NULL && parent->rpc != NULL) {
        rpc_client_learn(library->rpc, parent->rpc);
        token_cache_carry(&library->tokens, &parent->tokens);
    } else {
        rpc_client_see(library->rpc, &last_seen);
    }
    return RC_OK;
}

/* With the gate taken and no state of this process in place. */
static enum rc start(bool carry_sessions)
{
    struct library *parent = atomic_load(&current);
    struct library *fresh = state_take();
    if (fresh == NULL)
        return RC_NO_MEMORY;
    enum rc rc = state_fill(fresh, parent);
    if (rc == RC_OK && carry_sessions)
        rc = library_fork_carry_sessions(fresh, parent);
    if (rc != RC_OK) {
        if (parent != NULL && parent->config == NULL) {
            parent->config = fresh->config;
            fresh->config = NULL;
        }
        state_empty(fresh);
        fresh->spare = true;
        return rc;
    }
    if (parent != NULL)
        library_fork_abandon(parent);
    atomic_store(&current, fresh);
    return RC_OK;
}

enum rc library_start(void)
{
    gate_take();
    enum rc rc = is_ours(atomic_load(&current)) ? RC_ALREADY_INITIALIZED : start(false);
    gate_leave();
    return rc;
}

/* Calls that wait for a daemon end by their deadlines. */
static bool wait_for_users(struct library *library)
{
    unsigned long patience_ms =
        library->config->call_timeout_ms + library->config->connect_timeout_ms + 1000;
    while (atomic_load(&library->users) > 0 && patience_ms > 0) {
        pause_ms(1);
        patience_ms--;
    }
    return atomic_load(&library->users) == 0;
}

enum rc library_stop(void)
{
    gate_take();
    struct library *library = atomic_load(&current);
    bool ours = is_ours(library);
    if (ours)
        atomic_store(&current, NULL);
    gate_leave();
    if (!ours)
        return RC_NOT_INITIALIZED;
    if (!wait_for_users(library))
        return rc_fail(RC_INTERNAL, "a call of another thread does not end: its state is kept");
    struct rpc_seen seen;
    rpc_client_seen(library->rpc, &seen);
    state_empty(library);
    gate_take();
    last_seen = seen;
    library->spare = true;
    gate_leave();
    return RC_OK;
}

static struct library *enter_once(void)
{
    struct library *library = atomic_load(&current);
    if (library == NULL)
        return NULL;
    (void)atomic_fetch_add(&library->users, 1);
    if (atomic_load(&current) == library && is_ours(library))
        return library;
    (void)atomic_fetch_sub(&library->users, 1);
    return NULL;
}

/* The first call of a child under `fork = inherit`. */
static void carry_on(void)
{
    gate_take();
    struct library *parent = atomic_load(&current);
    bool inherits = parent != NULL && !is_ours(parent) && parent->config != NULL &&
                    library_fork_inherits(parent->config);
    if (inherits && start(true) != RC_OK)
        rc_detail_clear();
    gate_leave();
}

struct library *library_enter(void)
{
    struct library *library = enter_once();
    if (library != NULL || atomic_load(&current) == NULL)
        return library;
    carry_on();
    return enter_once();
}

void library_leave(struct library *library)
{
    (void)atomic_fetch_sub(&library->users, 1);
}
