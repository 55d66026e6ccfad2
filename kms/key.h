/* SPDX-License-Identifier: Apache-2.0 */
/* A KMS key as its document has it ("key/REGION/ID"), its states, and changes of it. */
#ifndef QHSM_KMS_KEY_H
#define QHSM_KMS_KEY_H

#include "common/buf.h"
#include "common/keystore.h"
#include "kms/view.h"

#define KMS_ACCOUNT_LEN     12U
#define KMS_REGION_MAX      32U
#define KMS_KEY_ID_MAX      64U /* UUID, or mrk- and 32 hex digits */
#define KMS_ARN_MAX         2048U
#define KMS_KEY_ARN_MAX     160U
#define KMS_TAGS_MAX        50U
#define KMS_MATERIALS_MAX   512U
#define KMS_MATERIAL_ID_LEN 64U /* hex */
#define KMS_STORE_ID_MAX    64U

enum key_state { /* as callers see it; in the order of kms/key_states.def's columns */
                 KEY_CREATING,
                 KEY_ENABLED,
                 KEY_DISABLED,
                 KEY_PENDING_DELETION,
                 KEY_PENDING_IMPORT,
                 KEY_PENDING_REPLICA_DELETION,
                 KEY_UNAVAILABLE, /* its custom key store is not connected, or its material is
                                     missing */
                 KEY_UPDATING,
                 KEY_STATE_END,
};
/* "PendingDeletion". */
const char *key_state_name(enum key_state state);

enum key_origin { ORIGIN_AWS_KMS, ORIGIN_EXTERNAL, ORIGIN_AWS_CLOUDHSM, ORIGIN_XKS, ORIGIN_END };
const char *key_origin_name(enum key_origin origin); /* "EXTERNAL_KEY_STORE" */
/* ORIGIN_END for none of them. */
enum key_origin key_origin_by_name(const char *name);
/* "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"; 0 for none of them. */
const char *key_usage_name(enum keystore_use use);
enum keystore_use key_usage_by_name(const char *name);

/* One value of the key. The first of the list is current; the others decrypt only. */
struct key_material {
    char id[KMS_MATERIAL_ID_LEN + 1]; /* KeyMaterialId */
    uint8_t hsm_id[16];               /* CKA_ID of the backing key; its label is the key's id */
    uint64_t handle;                  /* of the backing key */
    uint64_t created_ms;
    bool imported;
    bool is_present;         /* false: import pending, deleted or expired */
    bool is_pending;         /* imported as new: the last of the list, not used for anything before
                                RotateKeyOnDemand puts it first */
    uint64_t valid_to_ms;    /* imported: 0 does not expire */
    uint8_t fingerprint[32]; /* re-import of the same only */
    bool on_demand;          /* how it came, for ListKeyRotations */
    char description[257];   /* KeyMaterialDescription */
};

struct key_tag {
    char *key;
    char *value;
};

struct key_rotation {
    bool enabled;
    unsigned period_days; /* 90 to 2,560 */
    uint64_t next_ms;
    unsigned on_demand_count;
    uint64_t on_demand_started_ms;
};

struct policy; /* kms/policy.h */

/* Owns all it points to. A copy that is being changed is encoded by key_encode(). */
struct key {
    char id[KMS_KEY_ID_MAX + 1];
    char region[KMS_REGION_MAX + 1];
    char account[KMS_ACCOUNT_LEN + 1];
    char arn[KMS_KEY_ARN_MAX + 1]; /* made from the above */
    enum keystore_spec spec;
    enum keystore_use use;
    enum key_origin origin;
    uint64_t created_ms;
    bool enabled;
    bool aws_managed;     /* by a service's alias: policy and state are fixed */
    uint64_t deletion_ms; /* 0: not scheduled */
    unsigned deletion_window_days;
    bool waits_for_replicas; /* PendingReplicaDeletion */
    bool updating;           /* UpdatePrimaryRegion under way */
    char *description;
    char *policy_text;
    struct policy *policy; /* compiled */
    json_t *policy_ids;    /* of the principals that it names, {"ARN": "ID"}; NULL */
    struct key_tag tags[KMS_TAGS_MAX];
    size_t tag_count;
    struct key_rotation rotation;
    /* multi-Region */
    bool multi_region;
    char primary_region[KMS_REGION_MAX + 1];
    /* custom key stores */
    char store_id[KMS_STORE_ID_MAX + 1]; /* "" */
    char xks_key_id[129];
    struct key_material *materials;
    size_t material_count;
    struct buf public_der;
    uint64_t last_used_ms; /* GetKeyLastUsage: to the day or so */
};

/* The record's key, borrowed from it. */
static inline const struct key *key_of(const struct record *record)
{
    return record->data;
}
/* "key/REGION/ID" into out[129]. */
void key_path(const char *region, const char *id, char out[129]);
/* Sets key->arn by region, account and id. */
void key_name_itself(struct key *key);
/* RC_TAMPERED. */
enum rc key_decode(const char *path, const json_t *value, void **out);
void key_free(void *key);
/* Deep. RC_NO_MEMORY. */
enum rc key_copy(const struct key *key, struct key **out);
/* A new reference. */
enum rc key_encode(const struct key *key, json_t **out);
/* Changes of a copy. RC_NO_MEMORY. */
enum rc key_set_description(struct key *key, const char *text);
/* Compiles it as well: KMS_MALFORMED_POLICY. */
enum kms_error key_set_policy(struct key *key, const char *text);
/* The ids of its principals (kms/principal.h); takes the reference. */
enum kms_error key_bind_policy(struct key *key, json_t *ids);
/* RC_LIMIT beyond fifty. */
enum rc key_set_tag(struct key *key, const char *name, const char *value);
void key_unset_tag(struct key *key, const char *name);
/* First of the list (current), or last. RC_LIMIT. */
enum rc key_put_material(struct key *key, const struct key_material *material, bool is_first);
/* Adds the change that puts `fresh` in the place of `old`; `old` NULL: it is new. */
enum rc key_add_change(struct view_changes *changes, const struct record *old,
                       const struct key *fresh);
/* Compares and swaps one key; `old` NULL: it is new. RC_CONFLICT: decide again. */
enum rc key_commit(struct view *view, const struct record *old, const struct key *fresh);

struct kms;
/* As callers see it now: with the state of its custom key store and the expiry of its material. */
enum key_state key_state(const struct kms *kms, const struct key *key, uint64_t now_ms);
/* The current material; NULL when there is none that is present and not expired. */
const struct key_material *key_current(const struct key *key, uint64_t now_ms);
/* By KeyMaterialId or, 16 bytes, by the backing key's CKA_ID. */
const struct key_material *key_material_by_id(const struct key *key, const char *id);
const struct key_material *key_material_by_hsm_id(const struct key *key, const uint8_t id[16]);

/* Names of the algorithms that go with its spec and use, a new reference. */
json_t *key_algorithms(const struct key *key);
/* KeyMetadata of DescribeKey, a new reference. */
enum rc key_metadata(const struct kms *kms, const struct key *key, uint64_t now_ms, json_t **out);

/* ---- naming a key */

/* What a caller may give for a key: key id, key ARN, alias name, alias ARN. */
enum key_naming { KEY_BY_ANY, KEY_BY_ID_ONLY };
struct key_name {
    bool is_alias;   /* named by alias */
    char alias[257]; /* "alias/x", when it is */
    char region[KMS_REGION_MAX + 1];
    char account[KMS_ACCOUNT_LEN + 1]; /* whose it is said to be, or the caller's */
    char id[KMS_KEY_ID_MAX + 1];
};
/* A UUID, or mrk- and 32 hex digits, in small letters. */
bool key_is_id(const char *text);
/* Reads a name alone, as key_find() does before it looks. */
enum kms_error key_name_read(const char *text, enum key_naming naming, const char *region,
                             const char *account, struct key_name *out);
/* Finds the key of `text` for a caller of `account` in `region`. KMS_NOT_FOUND with AWS's texts,
 * KMS_INVALID_ARN, KMS_VALIDATION. Keys of other accounts by ARN only. */
enum kms_error key_find(const struct kms *kms, const char *text, enum key_naming naming,
                        const char *region, const char *account, struct key_name *out_name,
                        struct record **out);

/* ---- aliases: "alias/REGION/ACCOUNT/NAME" with NAME as in "alias/NAME" */

struct alias {
    char name[257]; /* with "alias/" */
    char target[KMS_KEY_ID_MAX + 1];
    char account[KMS_ACCOUNT_LEN + 1];
    char region[KMS_REGION_MAX + 1];
    uint64_t created_ms, updated_ms;
};
enum rc alias_decode(const char *path, const json_t *value, void **out);
void alias_free(void *alias);

#endif
