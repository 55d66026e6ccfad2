/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP request out of a fuzzer's input, which is lines: method and target, headers, an empty
 * line, the body. */
#ifndef QHSM_TESTS_FUZZ_HTTP_INPUT_H
#define QHSM_TESTS_FUZZ_HTTP_INPUT_H

#include "kms/http.h"

#define HTTP_INPUT_MAX 65536U

/* False: no first line like that, or too long. What *out points at lasts until the next call. */
bool http_input_read(const uint8_t *data, size_t size, struct http_request *out);

#endif
