/* SPDX-License-Identifier: Apache-2.0 */
/* Key files as attributes, for import. */
#ifndef QHSM_TOOLS_KEY_FILE_H
#define QHSM_TOOLS_KEY_FILE_H

#include "common/attribute.h"

#define KEY_FILE_PARTS 24

struct key_file {
    struct attr_list private_attrs; /* or the secret key's; views into the parts */
    struct attr_list public_attrs;  /* empty for a secret key */
    struct secret parts[KEY_FILE_PARTS];
    size_t part_count;
};

/* PEM private key, or with `type` ("aes", "generic") raw bytes. "-" is standard input. Cleared on
 * failure. */
enum rc key_file_read(const char *path, const char *type, struct key_file *out);
void key_file_clear(struct key_file *file);

#endif
