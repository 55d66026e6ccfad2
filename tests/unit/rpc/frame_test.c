/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, the scan before unpacking, and the arena's bounds. */
#include "rpc/frame.h"

#include <stdlib.h>

#include "common/attribute.h"
#include "rpc/wire.h"
#include "tests/unit/unit.h"

static struct arena *arena;

static void open_arena(void)
{
    UNIT_OK(arena_new(&arena));
}

static void close_arena(void)
{
    arena_free(arena);
    arena = NULL;
}

static enum rc read_request(struct bytes message)
{
    Qhsm__Request *request = NULL;
    arena_reset(arena);
    return frame_request(arena, message, &request);
}

static enum rc read_literal(const char *bytes, size_t len)
{
    return read_request(bytes_of(bytes, len));
}
/* Of a string literal, which may hold NULs. */
#define READ(literal) read_literal(literal, sizeof(literal) - 1)

static void request_survives_the_way_there(void)
{
    open_arena();
    uint8_t digest[32] = {1, 2, 3};
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = 0x1041;
    Qhsm__CryptRequest crypt = QHSM__CRYPT_REQUEST__INIT;
    crypt.operation = CRYPT_SIGN;
    crypt.key = 7;
    crypt.mechanism = &mechanism;
    crypt.data = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.id = 300;
    request.body_case = QHSM__REQUEST__BODY_CRYPT;
    request.crypt = &crypt;

    AUTO_BUF out = BUF_INIT;
    UNIT_OK(frame_put(&out, &request.base, WIRE_FRAME_MAX));
    size_t len = 0;
    UNIT_OK(frame_peek(buf_bytes(&out), WIRE_FRAME_MAX, &len));
    CU_ASSERT_EQUAL(len, out.len);
    struct bytes message = bytes_slice(buf_bytes(&out), WIRE_FRAME_HEADER_LEN, len);
    CU_ASSERT_EQUAL(frame_request_id(message), 300);
    Qhsm__Request *got = NULL;
    UNIT_OK(frame_request(arena, message, &got));
    CU_ASSERT_EQUAL(got->id, 300);
    CU_ASSERT_EQUAL(got->crypt->mechanism->type, 0x1041);
    CU_ASSERT(bytes_equal(bytes_of(got->crypt->data.data, got->crypt->data.len),
                          bytes_of(digest, sizeof digest)));
    close_arena();
}

static void peek_waits_for_header_and_body(void)
{
    size_t len = 1;
    for (size_t i = 0; i < 7; i++) {
        UNIT_OK(frame_peek(bytes_of("\0\0\0\3abc", i), 100, &len));
        CU_ASSERT_EQUAL(len, 0);
    }
    UNIT_OK(frame_peek(bytes_of("\0\0\0\3abcd", 8), 100, &len));
    CU_ASSERT_EQUAL(len, 7);
}

static void peek_refuses_empty_and_oversize_frames_by_the_header_alone(void)
{
    size_t len;
    UNIT_RC(frame_peek(bytes_of("\0\0\0\0", 4), 100, &len), RC_PROTOCOL);
    UNIT_RC(frame_peek(bytes_of("\0\0\0\145", 4), 100, &len), RC_TOO_LARGE);
    UNIT_RC(frame_peek(bytes_of("\377\377\377\377", 4), WIRE_FRAME_MAX, &len), RC_TOO_LARGE);
}

static void put_refuses_what_the_peer_would_refuse(void)
{
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    char detail[] = "0123456789";
    response.detail = detail;
    AUTO_BUF out = BUF_INIT;
    UNIT_RC(frame_put(&out, &response.base, 11), RC_TOO_LARGE);
    CU_ASSERT_EQUAL(out.len, 0);
    UNIT_OK(frame_put(&out, &response.base, 12));
}

static void unknown_field_is_refused_in_a_request_and_its_body(void)
{
    open_arena();
    UNIT_OK(READ("\x8a\x01\x00"));                          /* slots {} */
    UNIT_RC(READ("\x8a\x01\x00\xf8\x07\x01"), RC_PROTOCOL); /* field 127 of Request */
    UNIT_RC(READ("\x8a\x01\x02\x08\x01"), RC_PROTOCOL);     /* field 1 of Empty */
    close_arena();
}

static void unknown_field_is_skipped_in_an_answer(void)
{
    open_arena();
    Qhsm__Response *response = NULL;
    UNIT_OK(frame_response(arena, bytes_of("\x08\x05\xf8\x07\x01", 5), &response));
    CU_ASSERT_EQUAL(response->id, 5);
    close_arena();
}

static void body_or_field_given_twice_is_refused(void)
{
    open_arena();
    UNIT_RC(READ("\x8a\x01\x00\x8a\x01\x00"), RC_PROTOCOL); /* slots twice */
    UNIT_RC(READ("\x8a\x01\x00\xb2\x01\x00"), RC_PROTOCOL); /* slots and logout */
    UNIT_RC(READ("\x08\x01\x08\x01\x8a\x01\x00"), RC_PROTOCOL);
    UNIT_RC(READ("\x08\x01"), RC_PROTOCOL); /* no body */
    close_arena();
}

static void malformed_fields_are_refused(void)
{
    open_arena();
    UNIT_RC(READ("\x0d\x01\x02\x03\x04\x8a\x01\x00"), RC_PROTOCOL); /* id as 32 bits */
    UNIT_RC(READ("\x8a\x01\x05"), RC_PROTOCOL);                     /* longer than the rest */
    UNIT_RC(READ("\x8a\x01"), RC_PROTOCOL);
    UNIT_RC(READ("\x08"), RC_PROTOCOL);
    UNIT_RC(READ("\x00\x01"), RC_PROTOCOL); /* field 0 */
    UNIT_RC(READ("\x0b\x0c"), RC_PROTOCOL); /* a group */
    UNIT_RC(READ("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), RC_PROTOCOL);
    UNIT_RC(READ("\x8a\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), RC_PROTOCOL);
    close_arena();
}

static void text_that_is_not_utf8_is_refused(void)
{
    open_arena();
    UNIT_OK(READ("\x92\x01\x05\x12\x03\xe2\x82\xac"));              /* label "€" */
    UNIT_RC(READ("\x92\x01\x04\x12\x02\xc0\x80"), RC_PROTOCOL);     /* overlong NUL */
    UNIT_RC(READ("\x92\x01\x05\x12\x03\xed\xa0\x80"), RC_PROTOCOL); /* surrogate */
    UNIT_RC(READ("\x92\x01\x04\x12\x02\x61\x00"), RC_PROTOCOL);     /* NUL */
    UNIT_RC(READ("\x92\x01\x03\x12\x01\xe2"), RC_PROTOCOL);
    close_arena();
}

/* A FindRequest with `count` empty attributes. */
static void find_with(struct buf *out, size_t count)
{
    Qhsm__Attribute one = QHSM__ATTRIBUTE__INIT;
    Qhsm__Attribute **all = calloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = &one;
    Qhsm__FindRequest find = QHSM__FIND_REQUEST__INIT;
    find.n_attributes = count;
    find.attributes = all;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FIND;
    request.find = &find;
    UNIT_OK(frame_put(out, &request.base, WIRE_FRAME_MAX));
    free(all);
}

static void counts_over_their_limit_are_refused_before_memory_is_spent(void)
{
    open_arena();
    AUTO_BUF good = BUF_INIT;
    find_with(&good, ATTRS_MAX);
    UNIT_OK(read_request(bytes_slice(buf_bytes(&good), 4, good.len)));
    AUTO_BUF bad = BUF_INIT;
    find_with(&bad, ATTRS_MAX + 1);
    UNIT_RC(read_request(bytes_slice(buf_bytes(&bad), 4, bad.len)), RC_TOO_LARGE);
    AUTO_BUF worst = BUF_INIT;
    find_with(&worst, 1000000);
    UNIT_RC(read_request(bytes_slice(buf_bytes(&worst), 4, worst.len)), RC_TOO_LARGE);
    close_arena();
}

static void packed_lists_are_counted_by_element(void)
{
    open_arena();
    uint64_t types[ATTRS_MAX + 1] = {0};
    Qhsm__GetAttributesRequest get = QHSM__GET_ATTRIBUTES_REQUEST__INIT;
    get.types = types;
    get.n_types = ATTRS_MAX + 1;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_GET_ATTRIBUTES;
    request.get_attributes = &get;
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(frame_put(&out, &request.base, WIRE_FRAME_MAX));
    UNIT_RC(read_request(bytes_slice(buf_bytes(&out), 4, out.len)), RC_TOO_LARGE);
    close_arena();
}

static void largest_lists_fit_the_arena(void)
{
    open_arena();
    Qhsm__KeyFacts one = QHSM__KEY_FACTS__INIT;
    Qhsm__KeyFacts **facts = calloc(WIRE_FIND_LIMIT, sizeof *facts);
    uint64_t *handles = calloc(WIRE_FIND_LIMIT, sizeof *handles);
    for (size_t i = 0; i < WIRE_FIND_LIMIT; i++)
        facts[i] = &one;
    Qhsm__FindReply find = QHSM__FIND_REPLY__INIT;
    find.n_facts = find.n_handles = WIRE_FIND_LIMIT;
    find.facts = facts;
    find.handles = handles;
    Qhsm__Response response = QHSM__RESPONSE__INIT;
    response.body_case = QHSM__RESPONSE__BODY_FIND;
    response.find = &find;
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(frame_put(&out, &response.base, WIRE_FRAME_MAX));
    Qhsm__Response *got = NULL;
    UNIT_OK(frame_response(arena, bytes_slice(buf_bytes(&out), 4, out.len), &got));
    CU_ASSERT_EQUAL(got->find->n_facts, WIRE_FIND_LIMIT);
    free(facts);
    free(handles);
    close_arena();
}

static void every_message_has_few_enough_fields_to_be_tracked(void)
{
    static const ProtobufCMessageDescriptor *const all[] = {
        &qhsm__request__descriptor, &qhsm__response__descriptor, &qhsm__status_reply__descriptor};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (unsigned k = 64; k < all[i]->n_fields; k++)
            CU_ASSERT((all[i]->fields[k].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0);
}

UNIT_SUITE("frame", UNIT_CASE(request_survives_the_way_there),
           UNIT_CASE(peek_waits_for_header_and_body),
           UNIT_CASE(peek_refuses_empty_and_oversize_frames_by_the_header_alone),
           UNIT_CASE(put_refuses_what_the_peer_would_refuse),
           UNIT_CASE(unknown_field_is_refused_in_a_request_and_its_body),
           UNIT_CASE(unknown_field_is_skipped_in_an_answer),
           UNIT_CASE(body_or_field_given_twice_is_refused), UNIT_CASE(malformed_fields_are_refused),
           UNIT_CASE(text_that_is_not_utf8_is_refused),
           UNIT_CASE(counts_over_their_limit_are_refused_before_memory_is_spent),
           UNIT_CASE(packed_lists_are_counted_by_element), UNIT_CASE(largest_lists_fit_the_arena),
           UNIT_CASE(every_message_has_few_enough_fields_to_be_tracked));
