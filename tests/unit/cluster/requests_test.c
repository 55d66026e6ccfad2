/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests is the access-control page: its picture is kept in tests/golden. */
#include "cluster/requests.h"

#include "cluster/keyfile.h"
#include "tests/unit/unit.h"

#define GOLDEN UNIT_DATA_DIR "/golden/request_rights.txt"

static void the_table_is_as_the_golden_file_says(void)
{
    AUTO_BUF golden = BUF_INIT;
    AUTO_BUF now = BUF_INIT;
    UNIT_OK(keyfile_read(GOLDEN, &golden));
    for (size_t i = 0; i < request_count(); i++)
        UNIT_OK(request_describe(request_at(i), &now));
    bool same = bytes_equal(buf_bytes(&golden), buf_bytes(&now));
    if (!same)
        (void)fprintf(stderr, "%s should be:\n%s", GOLDEN, buf_str(&now));
    CU_ASSERT(same);
}

static void every_request_of_the_wire_has_its_row(void)
{
    const ProtobufCMessageDescriptor *wire = &qhsm__request__descriptor;
    size_t bodies = 0;
    for (unsigned i = 0; i < wire->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &wire->fields[i];
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            continue;
        bodies++;
        const struct request_row *row = request_find((Qhsm__Request__BodyCase)field->id);
        CU_ASSERT_FATAL(row != NULL);
        CU_ASSERT_EQUAL(row->body, field->id);
        CU_ASSERT_STRING_EQUAL(row->name, field->name);
        CU_ASSERT(row->handle != NULL);
    }
    CU_ASSERT_EQUAL(bodies, request_count());
    CU_ASSERT(request_find(QHSM__REQUEST__BODY__NOT_SET) == NULL);
}

/* A proposal by a request that says it changes nothing would be lost. What HSMs ask each other is
 * answered by other threads, and its reply is built afterwards too. */
static void only_what_proposes_builds_a_reply_afterwards(void)
{
    for (size_t i = 0; i < request_count(); i++) {
        const struct request_row *row = request_at(i);
        if (row->reply != NULL && row->may != MAY(NODE))
            CU_ASSERT_EQUAL(row->changes, CHANGES_STATE);
        if (row->serial)
            CU_ASSERT_EQUAL(row->runs, RUNS_SHORT);
    }
}

UNIT_SUITE("requests", UNIT_CASE(the_table_is_as_the_golden_file_says),
           UNIT_CASE(every_request_of_the_wire_has_its_row),
           UNIT_CASE(only_what_proposes_builds_a_reply_afterwards));
