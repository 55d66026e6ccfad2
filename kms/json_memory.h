/* SPDX-License-Identifier: Apache-2.0 */
/* What JSON values leave behind. */
#ifndef QHSM_KMS_JSON_MEMORY_H
#define QHSM_KMS_JSON_MEMORY_H

/* From now on the memory of JSON values is wiped before it is freed: plaintexts, passwords and keys
 * of callers go through them. Once, before the first value is made. */
void json_memory_protect(void);

#endif
