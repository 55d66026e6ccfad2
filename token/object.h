/* SPDX-License-Identifier: Apache-2.0 */
/* An object version: immutable, reference-counted, one allocation that is also its record on disk.
 */
#ifndef QHSM_TOKEN_OBJECT_H
#define QHSM_TOKEN_OBJECT_H

#include <stdatomic.h>

#include "common/attribute.h"
#include "common/crypt.h"
#include "token/seal.h"

#define UNIQUE_ID_LEN 16U
/* Handles at and above this are session objects: bit 62, then 14 bits of node, then a counter. */
#define SESSION_HANDLE_BIT ((uint64_t)1 << 62)

enum object_flag {
    OBJECT_PRIVATE = 1 << 0,
    OBJECT_TOKEN = 1 << 1,
    OBJECT_MODIFIABLE = 1 << 2,
    OBJECT_COPYABLE = 1 << 3,
    OBJECT_DESTROYABLE = 1 << 4,
    OBJECT_SENSITIVE = 1 << 5,
    OBJECT_EXTRACTABLE = 1 << 6,
    OBJECT_WRAP_WITH_TRUSTED = 1 << 7,
    OBJECT_TRUSTED = 1 << 8,
    OBJECT_ALWAYS_AUTHENTICATE = 1 << 9,
};

/* A record beyond this is refused at object_build(), so that two fit into one effect. */
#define OBJECT_RECORD_MAX ((size_t)120 * 1024)

struct key; /* parsed key, token/key.h */

struct object {
    atomic_uint refs;
    uint64_t handle;
    uint64_t version; /* of this object: 1, 2, ... */
    uint64_t token;   /* number = slot id */
    uint64_t owner;   /* user id that made it; 0: public session or SO */
    uint8_t unique_id[UNIQUE_ID_LEN];
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type; /* CK_UNAVAILABLE_INFORMATION when no key */
    uint32_t size_bits;   /* 0 when no key */
    uint32_t usage;       /* enum key_usage */
    uint32_t flags;       /* enum object_flag */
    struct bytes attrs;   /* public part as it is encoded, sorted by type: object_attr() */
    struct bytes sealed;  /* attrs_encode() of the secret part, sealed; empty when there is none */
    struct bytes record;  /* what is stored and hashed */
    _Atomic(struct key *) key; /* parsed lazily by key_get(); freed with the object */
};

/* What an object is made of before it has a handle: made by the template engine, sealed by
 * object_build(). */
struct object_parts {
    uint64_t version;
    uint64_t token;
    uint64_t owner;
    uint8_t unique_id[UNIQUE_ID_LEN];
    struct attr_list public_attrs; /* any order; sorted by object_build */
    struct attr_list secret_attrs; /* values: views into secrets */
};

/* Encodes and seals; the record is appended to out. AAD of the seal: unique id, version, token.
 * CKA_CLASS must be there. */
enum rc object_build(const struct seal_keys *keys, const struct object_parts *parts,
                     struct buf *out);
/* The same object with its secrets under other keys; the record is appended to out. RC_TAMPERED. */
enum rc object_reseal(const struct seal_keys *from, const struct seal_keys *to,
                      const struct object *object, struct buf *out);
/* Parses a record and takes a copy of it. RC_TAMPERED when malformed. refs = 1. */
enum rc object_from_record(uint64_t handle, struct bytes record, struct object **out);
struct object *object_ref(struct object *object);
void object_unref(struct object *object); /* NULL is fine; the last one wipes key and record */
static inline void object_auto_unref(struct object **object)
{
    object_unref(*object);
}
#define AUTO_OBJECT __attribute__((cleanup(object_auto_unref))) struct object

/* Every wanted attribute is public and equal; a private object needs see_private. What a search
 * returns, of token and session objects alike. */
bool object_matches(const struct object *object, struct attrs wanted, bool see_private);
/* The handle in an object that nobody else sees yet. */
void object_set_handle(struct object *object, uint64_t handle);
/* {u64 handle, u32 len, record}: one piece of memory, the object's row in a snapshot; and back. */
struct bytes object_frame(const struct object *object);
struct object *object_of_frame(const void *frame);
#define OBJECT_FRAME_LEN 12U

/* Value of the public attribute, a view into the record; false when the object has none. */
bool object_attr(const struct object *object, CK_ATTRIBUTE_TYPE type, struct bytes *out);
bool object_has(const struct object *object, CK_ATTRIBUTE_TYPE type);
/* All public attributes, sorted by type; the values are views into the record. */
void object_attrs(const struct object *object, struct attr_list *out);
bool object_bool(const struct object *object, CK_ATTRIBUTE_TYPE type, bool otherwise);
/* Opens the seal; `list` views into `store`. RC_TAMPERED. */
enum rc object_secrets(const struct seal_keys *keys, const struct object *object,
                       struct secret *store, struct attr_list *list);
/* Is the attribute of this type part of the sealed half for that class (and, for data objects,
 * privacy)? */
bool object_attr_is_secret(CK_OBJECT_CLASS object_class, bool is_private, CK_ATTRIBUTE_TYPE type);

#endif
