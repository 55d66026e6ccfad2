/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: a login that any HSM of the cluster accepts, sealed, bound to one application. */
#include "token/rows.h"
#include "token/user.h"

#define TICKET_FORMAT 2U

enum rc ticket_seal(const struct seal_keys *keys, const struct ticket *ticket, struct buf *out)
{
    AUTO_BUF plain = BUF_INIT;
    TRY(buf_put_u8(&plain, TICKET_FORMAT));
    TRY(buf_put_u64(&plain, ticket->token));
    TRY(buf_put_u64(&plain, ticket->user_id));
    TRY(buf_put_u8(&plain, (uint8_t)ticket->role));
    TRY(buf_put_u64(&plain, ticket->user_version));
    TRY(buf_put_u64(&plain, ticket->token_epoch));
    TRY(buf_put_u64(&plain, ticket->expires_ms));
    TRY(buf_put_u8(&plain, ticket->is_context ? 1 : 0));
    TRY(buf_append(&plain, bytes_of(ticket->application, sizeof ticket->application)));
    TRY(buf_put_str(&plain, ticket->user));
    return seal(keys, SEAL_TICKET, BYTES_NONE, buf_bytes(&plain), out);
}

enum rc ticket_open(const struct seal_keys *keys, struct bytes sealed, struct ticket *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    enum rc rc = unseal(keys, SEAL_TICKET, BYTES_NONE, sealed, &plain);
    if (rc == RC_NO_MEMORY)
        return rc; /* the login is not to be given up for it */
    if (rc != RC_OK) {
        rc_detail_clear();
        return rc_fail(RC_TICKET_VOID, "the ticket is not one of this cluster's");
    }
    struct ticket ticket = {.token = 0};
    struct reader in = reader_of(secret_expose(&plain));
    uint8_t format = reader_u8(&in);
    ticket.token = reader_u64(&in);
    ticket.user_id = reader_u64(&in);
    ticket.role = (enum user_role)reader_u8(&in);
    ticket.user_version = reader_u64(&in);
    ticket.token_epoch = reader_u64(&in);
    ticket.expires_ms = reader_u64(&in);
    ticket.is_context = reader_u8(&in) != 0;
    reader_copy(&in, ticket.application, sizeof ticket.application);
    reader_text(&in, ticket.user, sizeof ticket.user);
    if (!reader_done(&in) || format != TICKET_FORMAT)
        return rc_fail(RC_TICKET_VOID, "ticket of another format: log in again");
    *out = ticket;
    return RC_OK;
}

static enum rc check(const struct state *state, const struct ticket *ticket,
                     const uint8_t application[16], uint64_t now_ms)
{
    if (!bytes_equal(bytes_of(ticket->application, 16), bytes_of(application, 16)))
        return rc_fail(RC_TICKET_VOID, "the ticket was given to another application");
    if (ticket->expires_ms != 0 && now_ms >= ticket->expires_ms)
        return rc_fail(RC_TICKET_VOID, "the login has expired");
    if (!state_login_holds(state, ticket->token, ticket->token_epoch, ticket->user_id,
                           ticket->user_version))
        return rc_fail(RC_TICKET_VOID, "user or token have changed since the login");
    return RC_OK;
}

enum rc ticket_check(const struct state *state, const struct ticket *ticket,
                     const uint8_t application[16], uint64_t now_ms)
{
    if (ticket->is_context)
        return rc_fail(RC_TICKET_VOID, "the proof of a context-specific login is no login");
    return check(state, ticket, application, now_ms);
}

enum rc ticket_check_context(const struct state *state, const struct ticket *proof,
                             const struct ticket *login, uint64_t now_ms)
{
    if (!proof->is_context || proof->token != login->token || proof->user_id != login->user_id)
        return rc_fail(RC_NOT_LOGGED_IN, "that is no context-specific login of %s", login->user);
    return check(state, proof, login->application, now_ms) == RC_OK ? RC_OK : RC_NOT_LOGGED_IN;
}
