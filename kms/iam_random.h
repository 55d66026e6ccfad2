/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes, names and UUIDs for principals and the trail. */
#ifndef QHSM_KMS_IAM_RANDOM_H
#define QHSM_KMS_IAM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* From the system's generator; ends the program when that fails. */
void iam_random(void *out, size_t len);
/* `len` characters of `alphabet` (at most 256) and NUL, each as likely. */
void iam_random_text(const char *alphabet, size_t len, char *out);
/* Version 4, and NUL. */
void iam_random_uuid(const uint8_t random[16], char out[37]);

#endif
