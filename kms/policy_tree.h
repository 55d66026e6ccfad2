/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as it is compiled: private to kms/policy_*.c. All of it lives in the policy's arena and
 * is never changed after policy_parse(). */
#ifndef QHSM_KMS_POLICY_TREE_H
#define QHSM_KMS_POLICY_TREE_H

#include <jansson.h>
#include <netinet/in.h>

#include "common/buf.h"
#include "kms/policy.h"

/* ---- memory */

struct policy_arena {
    struct policy_chunk *chunks;
};
/* Zeroed, aligned for anything; NULL: no memory. */
void *policy_arena_take(struct policy_arena *arena, size_t count, size_t size);
/* A copy with a NUL. */
const char *policy_arena_text(struct policy_arena *arena, const char *text, size_t len);
void policy_arena_clear(struct policy_arena *arena);

/* ---- patterns */

enum policy_piece_kind { PIECE_LITERAL, PIECE_MANY, PIECE_ONE, PIECE_VARIABLE };
struct policy_piece {
    enum policy_piece_kind kind;
    struct bytes text;    /* literal */
    const char *variable; /* name of the condition key */
    const char *fallback; /* ${name, 'fallback'}; NULL */
};
struct policy_pattern {
    const char *text; /* as written */
    struct policy_piece *pieces;
    size_t count;
    size_t variables; /* how many of the pieces */
};
struct policy_patterns {
    struct policy_pattern *list;
    size_t count;
};

#define POLICY_VARIABLES_MAX 16U /* in one pattern */

enum policy_pattern_use {
    PATTERN_WILD = 1,     /* * and ? */
    PATTERN_VARIABLE = 2, /* ${…} */
};
/* KMS_MALFORMED_POLICY for variables that are not right. `uses`: bits of policy_pattern_use. */
enum kms_error policy_pattern_compile(struct policy_arena *arena, const char *text, unsigned uses,
                                      struct policy_pattern *out);

/* Unresolved: a variable without a value and without a default. It matches nothing; what is
 * negated then holds for Deny and not for Allow, so that it opens nothing. */
enum policy_hit { HIT_NO, HIT_YES, HIT_UNRESOLVED };
enum policy_hit policy_pattern_match(const struct policy_pattern *pattern, struct bytes value,
                                     bool fold_case, const struct policy_request *request);
/* Any of them. */
enum policy_hit policy_patterns_match(const struct policy_patterns *patterns, const char *value,
                                      bool fold_case, const struct policy_request *request);

/* The six parts of an ARN each by themselves: a wildcard does not reach over a colon but in the
 * last. One part: "*", or a variable for the whole. Two to five match nothing. */
#define POLICY_ARN_PARTS 6U
struct policy_arn {
    struct policy_pattern parts[POLICY_ARN_PARTS];
    size_t count;
};
enum kms_error policy_arn_compile(struct policy_arena *arena, const char *text, unsigned uses,
                                  struct policy_arn *out);
enum policy_hit policy_arn_match(const struct policy_arn *arn, struct bytes value,
                                 const struct policy_request *request);

/* ---- principals */

enum policy_principal_kind {
    PRINCIPAL_ANY,     /* "*" */
    PRINCIPAL_ACCOUNT, /* twelve digits, or arn:aws:iam::…:root */
    PRINCIPAL_ARN,     /* user, role, session */
    PRINCIPAL_SERVICE,
    PRINCIPAL_FEDERATED, /* no caller is one here */
};
struct policy_who {
    enum policy_principal_kind kind;
    const char *type;  /* "AWS" */
    const char *value; /* as written */
    const char *id;    /* PRINCIPAL_ARN: the unique id, by policy_bind(); NULL */
    char account[13];  /* PRINCIPAL_ACCOUNT */
};
struct policy_whos {
    struct policy_who *list;
    size_t count;
};
/* The value of Principal or NotPrincipal. */
enum kms_error policy_principal_compile(struct policy_arena *arena, const json_t *value,
                                        struct policy_whos *out);
/* How a list names a caller, the closest of all. */
enum policy_naming policy_principal_names(const struct policy_whos *whos,
                                          const struct policy_principal *principal);
/* NotPrincipal: is the caller one of the excepted, with its role and account? IAM User Guide,
 * "NotPrincipal": account, role and session must all be named. */
bool policy_principal_excepts(const struct policy_whos *whos,
                              const struct policy_principal *principal);

/* ---- conditions */

enum policy_condition_set { SET_NONE, SET_ALL, SET_ANY };
enum policy_condition_type {
    CONDITION_STRING,
    CONDITION_STRING_FOLD, /* EqualsIgnoreCase */
    CONDITION_ARN,
    CONDITION_NUMERIC,
    CONDITION_DATE,
    CONDITION_BOOL,
    CONDITION_BINARY,
    CONDITION_IP,
    CONDITION_NULL,
};
enum policy_condition_order {
    ORDER_EQUAL,
    ORDER_LESS,
    ORDER_LESS_EQUAL,
    ORDER_MORE,
    ORDER_MORE_EQUAL
};

struct policy_operator {
    const char *name;
    enum policy_condition_type type;
    enum policy_condition_order order;
    bool is_negated;
    bool has_wildcards; /* StringLike; the ARN operators have them of themselves */
};
struct policy_address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned prefix;   /* bits of 128 */
};
struct policy_operand {
    const char *text;              /* as written */
    struct policy_pattern pattern; /* strings */
    struct policy_arn *arn;        /* ARNs */
    double number;                 /* NUMERIC; seconds for DATE */
    bool truth;                    /* BOOL, NULL */
    struct policy_address address;
};
struct policy_condition {
    const struct policy_operator *operator;
    enum policy_condition_set set;
    bool if_exists;
    const char *operator_text; /* as written */
    const char *key;
    struct policy_operand *operands;
    size_t count;
};
/* The value of Condition: *out_list in the arena. */
enum kms_error policy_condition_compile(struct policy_arena *arena, const json_t *value,
                                        bool has_variables, struct policy_condition **out_list,
                                        size_t *out_count);
bool policy_condition_holds(const struct policy_condition *condition, enum policy_effect effect,
                            const struct policy_request *request);

/* False: not such a value. */
bool policy_value_number(const char *text, double *out);
bool policy_value_bool(const char *text, bool *out);
/* A date of ISO 8601, or seconds since 1970. */
bool policy_value_time(const char *text, double *out);
bool policy_value_network(const char *text, struct policy_address *out);
bool policy_value_in_network(const struct policy_address *network, const char *text);
bool policy_value_is_base64(const char *text);

/* ---- the whole */

struct policy_statement {
    const char *sid; /* "" */
    enum policy_effect effect;
    bool is_not_action, is_not_resource, is_not_principal;
    struct policy_patterns actions;
    struct policy_patterns resources; /* none: of any */
    struct policy_whos principals;    /* none: of whoever the policy is attached to */
    struct policy_condition *conditions;
    size_t condition_count;
};
struct policy {
    struct policy_arena arena;
    enum policy_kind kind;
    bool has_variables; /* 2012-10-17 */
    struct policy_statement *statements;
    size_t count;
};

/* How far a statement applies; the parts for policy_explain(). */
struct policy_fit {
    enum policy_naming naming;
    bool action, resource;
    size_t failed_condition; /* index; == condition_count: all hold */
    bool applies;
};
/* Stops at the first part that does not fit, unless `whole`. */
void policy_statement_fit(const struct policy_statement *statement,
                          const struct policy_request *request, bool whole, struct policy_fit *out);

#endif
