/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of requests: who may ask, with which login, what it changes, where it runs. A
 * handler never checks any of that itself. */
#ifndef QHSM_CLUSTER_REQUESTS_H
#define QHSM_CLUSTER_REQUESTS_H

#include "cluster/call.h"

/* Roles of connections: bits of enum tls_role. */
#define MAY(role)  (1U << TLS_ROLE_##role)
#define MAY_ADMIN  MAY(ADMIN)
#define MAY_CLIENT (MAY(CLIENT) | MAY(ADMIN))
#define MAY_ANY    (MAY(CLIENT) | MAY(ADMIN) | MAY(NODE) | MAY(KEYSTORE) | MAY(JOINER))

enum request_login {
    LOGIN_IGNORED,  /* a ticket is not looked at */
    LOGIN_OPTIONAL, /* a public session may; a void ticket is refused */
    LOGIN_NEEDED,
    LOGIN_SO,       /* of the security officer */
    LOGIN_OR_ADMIN, /* or an administrator's connection */
};

enum request_change {
    CHANGES_NOTHING,
    CHANGES_HERE,  /* memory of this HSM: operations, login, session objects */
    CHANGES_STATE, /* proposes (or, for session objects, changes memory) */
};

enum request_place {
    RUNS_ON_WORKER,
    RUNS_SHORT,   /* pool: PIN hashing */
    RUNS_BY_COST, /* pool for RSA key generation, imported private keys, PBKDF2 */
};

struct request_row {
    Qhsm__Request__BodyCase body;
    const char *name;
    unsigned may; /* connection roles */
    enum request_login login;
    enum request_change changes;
    enum request_place runs;
    bool serial; /* presents a PIN: through the login gate */
    enum rc (*handle)(struct call *call);
    enum rc (*reply)(struct call *call); /* after the effect was applied; NULL: an empty answer */
};

/* NULL when there is none. */
const struct request_row *request_find(Qhsm__Request__BodyCase body);
size_t request_count(void);
const struct request_row *request_at(size_t index);
/* One line of tests/golden/request_rights.txt. */
enum rc request_describe(const struct request_row *row, struct buf *out);
/* May a client ask it of another HSM as well as of this one? */
bool request_may_move(const struct request_row *row);
/* Does it use keys or objects without a change of the replicated state: cryptography, attributes,
 * session objects? */
bool request_uses_keys(const Qhsm__Request *request);
/* Does it change the replicated state, or log in? Asked of those who do not just use keys. */
bool request_needs_majority(const struct request_row *row);
/* Does RUNS_BY_COST mean the pool for this request? */
bool request_is_costly(const Qhsm__Request *request);

#endif
