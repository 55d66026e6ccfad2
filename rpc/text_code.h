/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that people copy from one terminal to another: a prefix that says what they are, and
 * base64url (RFC 4648 5, no padding). */
#ifndef QHSM_RPC_TEXT_CODE_H
#define QHSM_RPC_TEXT_CODE_H

#include "common/buf.h"
#include "common/rc.h"

#define TEXT_CODE_KEY  "qhsm-key-1."  /* a public key, SubjectPublicKeyInfo */
#define TEXT_CODE_JOIN "qhsm-join-1." /* a JoinTicket, packed */

/* Appends. */
enum rc text_code_write(const char *prefix, struct bytes data, struct buf *out);
/* White space anywhere does not matter. RC_BAD_ARGUMENT says what is wrong. Appends. */
enum rc text_code_read(const char *prefix, const char *text, struct buf *out);

#endif
