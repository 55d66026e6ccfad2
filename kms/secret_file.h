/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords and access keys in files. */
#ifndef QHSM_KMS_SECRET_FILE_H
#define QHSM_KMS_SECRET_FILE_H

#include "common/secret.h"

#define SECRET_FILE_MAX ((size_t)64 * 1024)

/* All of a file. RC_CONFIG, naming it. */
enum rc secret_file_read(const char *path, struct secret *out);
/* Its first line, without the newline. RC_CONFIG when that is empty. */
enum rc secret_file_line(const char *path, struct secret *out);
/* Takes the next word off *rest, up to a blank or the line's end; empty at the line's end. */
struct bytes secret_file_word(struct bytes *rest);
/* Takes the next line off *rest, without its newline; false: there is none. */
bool secret_file_next(struct bytes *rest, struct bytes *out_line);

#endif
