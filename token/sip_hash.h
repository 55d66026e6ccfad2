/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-1-3 for tables whose keys a peer may choose. */
#ifndef QHSM_TOKEN_SIP_HASH_H
#define QHSM_TOKEN_SIP_HASH_H

#include "common/bytes.h"

struct sip_key {
    uint64_t k0, k1;
};

/* Of the two words, then the bytes. */
uint64_t sip_hash(const struct sip_key *key, uint64_t first, uint64_t second, struct bytes data);

#endif
