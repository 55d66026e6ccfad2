/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of backing keys that are not those of the documents: a custom key store's cluster may
 * have been restored since, and a key of it is never used by a number alone. In memory, any thread.
 */
#ifndef QHSM_KMS_BACKING_HANDLES_H
#define QHSM_KMS_BACKING_HANDLES_H

#include "kms/hsm_client.h"

struct backing_handles;
enum rc backing_handles_new(struct backing_handles **out);
void backing_handles_free(struct backing_handles *handles);

/* What is known of the backing key with that id in the client's cluster; 0: nothing. */
uint64_t backing_handles_get(struct backing_handles *handles, const struct hsm_client *hsm,
                             const uint8_t id[HSM_ID_LEN]);
/* Asks the cluster for label and id, and remembers. RC_OBJECT_HANDLE: there is no such key. */
enum rc backing_handles_find(struct backing_handles *handles, struct hsm_client *hsm,
                             const char *label, const uint8_t id[HSM_ID_LEN], uint64_t *out);

#endif
