/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a protobuf message by its descriptor and refuses what must not reach the unpacker. */
#include "rpc/frame_scan.h"

#include "common/attribute.h"
#include "rpc/qhsm.pb-c.h"
#include "rpc/wire.h"

#define FIELDS_MAX  64U /* of one message type, bodies aside; asserted by a test */
#define UNKNOWN_MAX 64U /* in one answer */
#define DEPTH_MAX   6U  /* the schema is not recursive and needs 4 */

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LEN = 2, WIRE_32 = 5 };

struct scan {
    enum frame_unknown unknown;
    unsigned unknown_count;
    unsigned depth;
};

/* State of one message on the way. */
struct level {
    const ProtobufCMessageDescriptor *descriptor;
    struct bytes rest;
    uint64_t seen; /* a bit a field */
    bool oneof_seen;
    uint32_t counts[FIELDS_MAX];
};

static enum rc scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor,
                            struct bytes message);

static bool read_varint(struct bytes *rest, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < rest->len; i++) {
        uint8_t byte = rest->ptr[i];
        if (i == 9 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *rest = bytes_of(rest->ptr + i + 1, rest->len - i - 1);
            *out = value;
            return true;
        }
    }
    return false;
}

/* Takes the value of one field off the front. For WIRE_LEN `out` is its content, else empty. */
static bool read_value(struct bytes *rest, unsigned wire_type, struct bytes *out)
{
    uint64_t len = 0;
    *out = BYTES_NONE;
    if (wire_type == WIRE_VARINT)
        return read_varint(rest, &len);
    if (wire_type == WIRE_LEN) {
        if (!read_varint(rest, &len) || len > rest->len)
            return false;
        *out = bytes_of(rest->ptr, len);
    } else if (wire_type == WIRE_64 || wire_type == WIRE_32) {
        len = wire_type == WIRE_64 ? 8 : 4;
        if (len > rest->len)
            return false;
    } else {
        return false;
    }
    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return true;
}

static unsigned utf8_len(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead < 0xE0)
        return 2;
    if (lead >= 0xE0 && lead < 0xF0)
        return 3;
    if (lead >= 0xF0 && lead < 0xF5)
        return 4;
    return 0;
}

/* RFC 3629 section 4. */
static bool is_text(struct bytes text)
{
    for (size_t i = 0; i < text.len;) {
        uint8_t lead = text.ptr[i];
        unsigned len = utf8_len(lead);
        if (lead == 0 || len == 0 || len > text.len - i)
            return false;
        for (unsigned k = 1; k < len; k++)
            if ((text.ptr[i + k] & 0xC0) != 0x80)
                return false;
        uint8_t second = len > 1 ? text.ptr[i + 1] : 0;
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
            (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
            return false;
        i += len;
    }
    return true;
}

static uint32_t count_limit(const struct level *level, const ProtobufCFieldDescriptor *field)
{
    if (field->descriptor == &qhsm__attribute__descriptor ||
        field->descriptor == &qhsm__attribute_result__descriptor ||
        level->descriptor == &qhsm__get_attributes_request__descriptor)
        return ATTRS_MAX;
    return WIRE_FIND_LIMIT;
}

static bool is_length_delimited(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES ||
           field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static enum rc scan_broken(const struct level *level, const char *what)
{
    return rc_fail(RC_PROTOCOL, "%s: %s", level->descriptor->name, what);
}

static enum rc scan_repeated(struct level *level, const ProtobufCFieldDescriptor *field,
                             unsigned index, unsigned wire_type, struct bytes value)
{
    uint32_t more = 1;
    if (wire_type == WIRE_LEN && !is_length_delimited(field)) {
        uint64_t ignored;
        for (more = 0; value.len > 0; more++)
            if (!read_varint(&value, &ignored))
                return scan_broken(level, "malformed packed list");
    }
    uint32_t limit = count_limit(level, field);
    if (more > limit || level->counts[index] > limit - more)
        return rc_fail(RC_TOO_LARGE, "%s: more than %u %s", level->descriptor->name, limit,
                       field->name);
    level->counts[index] += more;
    return RC_OK;
}

static enum rc scan_singular(struct level *level, const ProtobufCFieldDescriptor *field,
                             unsigned index)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        if (level->oneof_seen)
            return scan_broken(level, "more than one body");
        level->oneof_seen = true;
        return RC_OK;
    }
    uint64_t bit = (uint64_t)1 << index;
    if ((level->seen & bit) != 0)
        return scan_broken(level, "a field is given twice");
    level->seen |= bit;
    return RC_OK;
}

static enum rc scan_field(struct scan *scan, struct level *level,
                          const ProtobufCFieldDescriptor *field, unsigned wire_type,
                          struct bytes value)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    bool is_len = is_length_delimited(field);
    unsigned index = (unsigned)(field - level->descriptor->fields);
    if (index >= FIELDS_MAX && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return rc_fail(RC_INTERNAL, "%s has over %u fields", level->descriptor->name, FIELDS_MAX);
    if (wire_type != (is_len ? WIRE_LEN : WIRE_VARINT) && !(repeated && wire_type == WIRE_LEN))
        return scan_broken(level, "wrong wire type");
    TRY(repeated ? scan_repeated(level, field, index, wire_type, value)
                 : scan_singular(level, field, index));
    if (field->type == PROTOBUF_C_TYPE_STRING && !is_text(value))
        return scan_broken(level, "a string is not UTF-8 text");
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_message(scan, field->descriptor, value);
    return RC_OK;
}

static enum rc scan_unknown(struct scan *scan, const struct level *level, uint64_t tag)
{
    if (scan->unknown == FRAME_UNKNOWN_REFUSED)
        return rc_fail(RC_PROTOCOL, "%s: unknown field %llu", level->descriptor->name,
                       (unsigned long long)tag);
    if (++scan->unknown_count > UNKNOWN_MAX)
        return rc_fail(RC_TOO_LARGE, "%s: more than %u unknown fields", level->descriptor->name,
                       UNKNOWN_MAX);
    return RC_OK;
}

static enum rc scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor,
                            struct bytes message)
{
    if (scan->depth >= DEPTH_MAX)
        return rc_fail(RC_PROTOCOL, "%s: nested too deeply", descriptor->name);
    scan->depth++;
    struct level level = {.descriptor = descriptor, .rest = message};
    while (level.rest.len > 0) {
        uint64_t key;
        struct bytes value;
        if (!read_varint(&level.rest, &key) || key > UINT32_MAX || key >> 3 == 0)
            return scan_broken(&level, "malformed field number");
        unsigned wire_type = (unsigned)(key & 7);
        if (!read_value(&level.rest, wire_type, &value))
            return scan_broken(&level, "malformed or truncated field");
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3));
        TRY(field != NULL ? scan_field(scan, &level, field, wire_type, value)
                          : scan_unknown(scan, &level, key >> 3));
    }
    scan->depth--;
    return RC_OK;
}

enum rc frame_scan(const ProtobufCMessageDescriptor *descriptor, struct bytes message,
                   enum frame_unknown unknown)
{
    struct scan scan = {.unknown = unknown};
    return scan_message(&scan, descriptor, message);
}
