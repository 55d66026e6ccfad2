/* SPDX-License-Identifier: Apache-2.0 */
/* XML of the query protocol's answers, appended to a buf; the first failure sticks. */
#ifndef QHSM_KMS_IAM_XML_H
#define QHSM_KMS_IAM_XML_H

#include "common/buf.h"

struct iam_xml {
    struct buf *out;
    bool has_failed;
};
void iam_xml_open(struct iam_xml *xml, const char *name);
void iam_xml_close(struct iam_xml *xml, const char *name);
/* <name>value</name>, escaped. */
void iam_xml_text(struct iam_xml *xml, const char *name, const char *value);
/* Nothing for NULL and "". */
void iam_xml_text_if(struct iam_xml *xml, const char *name, const char *value);
void iam_xml_number(struct iam_xml *xml, const char *name, uint64_t value);
void iam_xml_bool(struct iam_xml *xml, const char *name, bool value);
void iam_xml_time(struct iam_xml *xml, const char *name, uint64_t time_ms);
/* Policy documents travel percent-encoded (RFC 3986 2.1). */
void iam_xml_policy(struct iam_xml *xml, const char *name, const char *text);

#endif
