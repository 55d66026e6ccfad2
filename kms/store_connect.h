/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting custom key stores, in a thread of its own: ConnectCustomKeyStore answers at once. */
#ifndef QHSM_KMS_STORE_CONNECT_H
#define QHSM_KMS_STORE_CONNECT_H

#include "kms/store.h"

/* The thread looks for stores that are CONNECTING: those that this front end holds, and those
 * whose holder has not been heard of for a while. */
enum rc store_connect_start(struct stores *stores);
void store_connect_stop(struct stores *stores);
/* There is one now. */
void store_connect_wake(struct stores *stores);
/* `fresh` becomes CONNECTING, by this front end. */
void store_connect_begin(const struct stores *stores, struct store *fresh, uint64_t now_ms);

#endif
