/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcards and policy variables. Source: IAM User Guide, "IAM policy elements: Variables and
 * tags"; "IAM JSON policy elements: Resource". */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kms/policy_tree.h"

/* ---- compiling */

struct compiler {
    struct policy_arena *arena;
    struct policy_pattern *out;
    unsigned uses;
};

/* More literal text; `text` stays where it is, so that pieces that follow each other join. */
static void add_literal(struct policy_pattern *out, const char *text, size_t len)
{
    struct policy_piece *last = out->count == 0 ? NULL : &out->pieces[out->count - 1];
    if (last != NULL && last->kind == PIECE_LITERAL &&
        (const char *)last->text.ptr + last->text.len == text) {
        last->text.len += len;
        return;
    }
    out->pieces[out->count++] =
        (struct policy_piece){.kind = PIECE_LITERAL, .text = bytes_of(text, len)};
}

static enum kms_error variable_is_wrong(const char *text, const char *why)
{
    return kms_fail(KMS_MALFORMED_POLICY,
                    "Syntax errors in policy: policy variable in \"%.200s\" %s.", text, why);
}

static bool is_variable_name(const char *name, size_t len)
{
    const char *colon = memchr(name, ':', len);
    return colon != NULL && colon != name && colon != name + len - 1 &&
           memchr(name, '$', len) == NULL && memchr(name, '{', len) == NULL &&
           memchr(name, '\'', len) == NULL;
}

/* ", 'default'" after the name, up to the brace. `whole`: the pattern. */
static enum kms_error take_fallback(struct policy_arena *arena, const char *whole, const char *text,
                                    size_t len, const char **out)
{
    size_t at = 0;
    while (at < len && text[at] == ' ')
        at++;
    if (len - at < 2 || text[at] != '\'' || text[len - 1] != '\'')
        return variable_is_wrong(whole, "has a default that is not in single quotes");
    *out = policy_arena_text(arena, text + at + 1, len - at - 2);
    return *out == NULL ? kms_fail_plain(KMS_INTERNAL) : KMS_OK;
}

/* `text` is at "${": the length of the whole variable in *out_len. */
static enum kms_error add_variable(struct compiler *c, const char *text, size_t *out_len)
{
    const char *name = text + 2, *end = strchr(name, '}');
    if (end == NULL)
        return variable_is_wrong(c->out->text, "has no closing brace");
    *out_len = (size_t)(end - text) + 1;
    size_t len = (size_t)(end - name);
    if (len == 1 && strchr("*?$", *name) != NULL) {
        add_literal(c->out, name, 1);
        return KMS_OK;
    }
    if (++c->out->variables > POLICY_VARIABLES_MAX)
        return variable_is_wrong(c->out->text, "is one too many");
    const char *comma = memchr(name, ',', len);
    size_t name_len = comma == NULL ? len : (size_t)(comma - name);
    if (!is_variable_name(name, name_len))
        return variable_is_wrong(c->out->text, "does not name a condition key");
    struct policy_piece piece = {.kind = PIECE_VARIABLE};
    if (comma != NULL)
        KMS_TRY(take_fallback(c->arena, c->out->text, comma + 1, (size_t)(end - comma) - 1,
                              &piece.fallback));
    piece.variable = policy_arena_text(c->arena, name, name_len);
    if (piece.variable == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    c->out->pieces[c->out->count++] = piece;
    return KMS_OK;
}

static enum kms_error compile(struct compiler *c)
{
    struct policy_pattern *out = c->out;
    for (const char *at = out->text; *at != 0;) {
        size_t len = 1;
        bool is_wild = (c->uses & PATTERN_WILD) != 0 && (*at == '*' || *at == '?');
        bool is_many = is_wild && *at == '*';
        if ((c->uses & PATTERN_VARIABLE) != 0 && at[0] == '$' && at[1] == '{')
            KMS_TRY(add_variable(c, at, &len));
        else if (is_many && out->count > 0 && out->pieces[out->count - 1].kind == PIECE_MANY)
            len = 1; /* "**" is "*" */
        else if (is_wild)
            out->pieces[out->count++] =
                (struct policy_piece){.kind = is_many ? PIECE_MANY : PIECE_ONE};
        else
            add_literal(out, at, 1);
        at += len;
    }
    return KMS_OK;
}

enum kms_error policy_pattern_compile(struct policy_arena *arena, const char *text, unsigned uses,
                                      struct policy_pattern *out)
{
    size_t special = 0;
    for (const char *at = text; *at != 0; at++)
        special += *at == '*' || *at == '?' || *at == '$';
    struct policy_pattern made = {
        .text = policy_arena_text(arena, text, strlen(text)),
        .pieces = policy_arena_take(arena, 2 * special + 1, sizeof *made.pieces),
    };
    if (made.text == NULL || made.pieces == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    struct compiler c = {.arena = arena, .out = &made, .uses = uses};
    KMS_TRY(compile(&c));
    *out = made;
    return KMS_OK;
}

/* ---- matching */

/* The pattern with the request's values in it: a piece's text, by its number. */
struct matcher {
    const struct policy_pattern *pattern;
    struct bytes values[POLICY_VARIABLES_MAX]; /* of variables, in their order */
    bool fold_case;
};

static bool resolve(struct matcher *m, const struct policy_request *request)
{
    size_t next = 0;
    for (size_t i = 0; i < m->pattern->count && m->pattern->variables > 0; i++) {
        const struct policy_piece *piece = &m->pattern->pieces[i];
        struct policy_values found;
        if (piece->kind != PIECE_VARIABLE)
            continue;
        if (request->lookup != NULL && request->lookup(request->context, piece->variable, &found) &&
            found.count == 1 && !found.is_multi)
            m->values[next++] = bytes_of_str(found.values[0]);
        else if (piece->fallback != NULL)
            m->values[next++] = bytes_of_str(piece->fallback);
        else
            return false;
    }
    return true;
}

static bool is_same(const struct matcher *m, struct bytes a, struct bytes b)
{
    if (a.len != b.len || !m->fold_case)
        return bytes_equal(a, b);
    return strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0;
}

/* Bytes of the character at the front: `?` is a character, not a byte. */
static size_t character_len(struct bytes rest)
{
    size_t len = rest.len > 0;
    while (len > 0 && len < rest.len && (rest.ptr[len] & 0xc0U) == 0x80U)
        len++;
    return len;
}

/* Does piece `at` fit the front of rest? How many bytes it takes in *out_len. */
static bool piece_fits(const struct matcher *m, size_t at, size_t variable, struct bytes rest,
                       size_t *out_len)
{
    const struct policy_piece *piece = &m->pattern->pieces[at];
    if (piece->kind == PIECE_ONE) {
        *out_len = character_len(rest);
        return *out_len > 0;
    }
    struct bytes text = piece->kind == PIECE_VARIABLE ? m->values[variable] : piece->text;
    *out_len = text.len;
    return text.len <= rest.len && is_same(m, text, bytes_slice(rest, 0, text.len));
}

struct place {
    size_t piece, variable, value;
};

/* The last * takes one character more whenever what follows it does not fit. */
static bool walk(const struct matcher *m, struct bytes value)
{
    const struct policy_pattern *p = m->pattern;
    struct place now = {0, 0, 0}, star = {SIZE_MAX, 0, 0};
    for (;;) {
        size_t len;
        if (now.piece < p->count && p->pieces[now.piece].kind == PIECE_MANY) {
            now.piece++;
            star = now;
            if (now.piece == p->count)
                return true;
            continue;
        }
        if (now.piece == p->count && now.value == value.len)
            return true;
        if (now.piece < p->count && piece_fits(m, now.piece, now.variable,
                                               bytes_slice(value, now.value, value.len), &len)) {
            now.variable += p->pieces[now.piece++].kind == PIECE_VARIABLE;
            now.value += len;
            continue;
        }
        if (star.piece == SIZE_MAX || star.value >= value.len)
            return false;
        star.value++;
        now = star;
    }
}

enum policy_hit policy_pattern_match(const struct policy_pattern *pattern, struct bytes value,
                                     bool fold_case, const struct policy_request *request)
{
    struct matcher m = {.pattern = pattern, .fold_case = fold_case};
    if (!resolve(&m, request))
        return HIT_UNRESOLVED;
    return walk(&m, value) ? HIT_YES : HIT_NO;
}

enum policy_hit policy_patterns_match(const struct policy_patterns *patterns, const char *value,
                                      bool fold_case, const struct policy_request *request)
{
    enum policy_hit out = HIT_NO;
    struct bytes text = bytes_of_str(value);
    for (size_t i = 0; i < patterns->count && out != HIT_YES; i++) {
        enum policy_hit hit = policy_pattern_match(&patterns->list[i], text, fold_case, request);
        out = hit == HIT_NO ? out : hit;
    }
    return out;
}

/* ---- ARNs */

/* How long the next part of an ARN is: to the colon outside of variables, the last to the end. */
static size_t part_len(const char *text, bool is_last)
{
    bool in_variable = false;
    size_t len = 0;
    for (; text[len] != 0 && (is_last || in_variable || text[len] != ':'); len++)
        in_variable = in_variable ? text[len] != '}' : text[len] == '$' && text[len + 1] == '{';
    return len;
}

enum kms_error policy_arn_compile(struct policy_arena *arena, const char *text, unsigned uses,
                                  struct policy_arn *out)
{
    const char *at = text;
    for (out->count = 0; out->count < POLICY_ARN_PARTS; out->count++) {
        size_t len = part_len(at, out->count + 1 == POLICY_ARN_PARTS);
        const char *part = policy_arena_text(arena, at, len);
        if (part == NULL)
            return kms_fail_plain(KMS_INTERNAL);
        KMS_TRY(policy_pattern_compile(arena, part, uses, &out->parts[out->count]));
        at += len;
        if (*at != ':')
            break;
        at++;
    }
    out->count += out->count < POLICY_ARN_PARTS;
    return KMS_OK;
}

/* The next part of a value, which has no variables. */
static struct bytes next_part(struct bytes *rest, bool is_last)
{
    const uint8_t *colon = is_last || rest->len == 0 ? NULL : memchr(rest->ptr, ':', rest->len);
    size_t len = colon == NULL ? rest->len : (size_t)(colon - rest->ptr);
    struct bytes part = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, colon == NULL ? len : len + 1, rest->len);
    return part;
}

static bool is_arn(struct bytes value)
{
    size_t colons = 0;
    for (size_t i = 0; i < value.len; i++)
        colons += value.ptr[i] == ':';
    return colons + 1 >= POLICY_ARN_PARTS &&
           bytes_equal(bytes_slice(value, 0, 4), bytes_of_str("arn:"));
}

enum policy_hit policy_arn_match(const struct policy_arn *arn, struct bytes value,
                                 const struct policy_request *request)
{
    if (!is_arn(value))
        return HIT_NO;
    if (arn->count == 1)
        return policy_pattern_match(&arn->parts[0], value, false, request);
    if (arn->count != POLICY_ARN_PARTS)
        return HIT_NO;
    for (size_t i = 0; i < POLICY_ARN_PARTS; i++) {
        struct bytes part = next_part(&value, i + 1 == POLICY_ARN_PARTS);
        enum policy_hit hit = policy_pattern_match(&arn->parts[i], part, false, request);
        if (hit != HIT_YES)
            return hit;
    }
    return HIT_YES;
}
