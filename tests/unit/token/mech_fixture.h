/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, calls and repeatable bytes for the suites of the symmetric mechanisms. */
#ifndef QHSM_TESTS_MECH_FIXTURE_H
#define QHSM_TESTS_MECH_FIXTURE_H

#include "tests/unit/unit.h"
#include "token/mech.h"

#define FIXTURE_DATA 4096U

/* The library is ready from here on; bytes without meaning, the same at each run. */
const uint8_t *fixture_data(void);
/* Repeatable numbers below `limit`. */
size_t fixture_random(size_t limit);
struct key *fixture_key(CK_KEY_TYPE type, size_t len);
/* A call of that row ("CKM_AES_CBC") with a parameter that is right for `data_len` bytes. */
struct mech_call fixture_call(const char *name, size_t data_len);

enum rc fixture_crypt(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out);
/* The same in parts of random lengths, empty ones among them. */
enum rc fixture_parts(const struct mech_call *call, enum crypt_op op, struct key *key,
                      struct bytes data, struct bytes signature, struct buf *out);

#endif
