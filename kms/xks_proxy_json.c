/* SPDX-License-Identifier: Apache-2.0 */
/* Reads requests to the proxy, and writes its answers. */
#include "kms/xks_proxy_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/base64.h"

/* jansson frees without wiping. */
static void wipe_text(const json_t *json, const char *member)
{
    const json_t *found = json_object_get(json, member);
    union {
        const char *in;
        char *out;
    } text = {.in = json_string_value(found)};
    if (text.in != NULL)
        secret_wipe(text.out, json_string_length(found));
}

void xks_request_clear(struct xks_request *request)
{
    wipe_text(request->json, "plaintext");
    json_decref(request->json);
    buf_clear(&request->aad);
    buf_clear(&request->text);
    buf_clear(&request->iv);
    buf_clear(&request->tag);
    buf_clear(&request->metadata);
}

/* ---- reading */

static enum xks_error invalid(const char *what, const char **out_problem)
{
    *out_problem = what;
    return XKS_E_VALIDATION;
}

static bool read_text(const json_t *json, const char *member, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(json, member));
    if (text == NULL || text[0] == 0)
        return false;
    xks_print(text, out, size);
    return true;
}

static enum xks_error read_metadata(struct xks_request *request, const char **out_problem)
{
    char arn[8];
    const json_t *metadata = json_object_get(request->json, "requestMetadata");
    bool has_key = request->operation == XKS_ENCRYPT || request->operation == XKS_DECRYPT;
    if (!json_is_object(metadata))
        return invalid("requestMetadata is missing", out_problem);
    if (!read_text(metadata, "kmsRequestId", request->request_id, sizeof request->request_id))
        return invalid("requestMetadata.kmsRequestId is missing", out_problem);
    if (!read_text(metadata, "kmsOperation", request->kms_operation, sizeof request->kms_operation))
        return invalid("requestMetadata.kmsOperation is missing", out_problem);
    bool has_principal =
        read_text(metadata, "awsPrincipalArn", request->principal, sizeof request->principal);
    if (!has_principal && request->operation != XKS_HEALTH)
        return invalid("requestMetadata.awsPrincipalArn is missing", out_problem);
    if (has_key && !read_text(metadata, "kmsKeyArn", arn, sizeof arn))
        return invalid("requestMetadata.kmsKeyArn is missing", out_problem);
    return XKS_OK;
}

/* What a blob of the request must be. `longest` is what the API asks a proxy for. */
struct blob_rule {
    const char *name;
    bool is_required;
    size_t longest;
    const char *problem;
};

static enum xks_error read_blob(const json_t *json, const struct blob_rule *rule, struct buf *out,
                                const char **out_problem)
{
    const json_t *found = json_object_get(json, rule->name);
    if (found == NULL || json_is_null(found))
        return rule->is_required ? invalid(rule->problem, out_problem) : XKS_OK;
    if (!json_is_string(found) ||
        base64_decode(bytes_of(json_string_value(found), json_string_length(found)), out) != RC_OK)
        return invalid(rule->problem, out_problem);
    if (out->len <= rule->longest)
        return XKS_OK;
    *out_problem = rule->problem;
    return XKS_E_UNSUPPORTED;
}

static enum xks_error read_algorithm(const json_t *json, const char **out_problem)
{
    const char *text = json_string_value(json_object_get(json, "encryptionAlgorithm"));
    return text != NULL && strcmp(text, "AES_GCM") == 0
               ? XKS_OK
               : invalid("encryptionAlgorithm must be AES_GCM", out_problem);
}

static enum xks_error read_cdiv(struct xks_request *request, const char **out_problem)
{
    const json_t *found = json_object_get(request->json, "ciphertextDataIntegrityValueAlgorithm");
    if (found == NULL || json_is_null(found))
        return XKS_OK;
    request->wants_cdiv = json_is_string(found) && strcmp(json_string_value(found), "SHA_256") == 0;
    return request->wants_cdiv
               ? XKS_OK
               : invalid("ciphertextDataIntegrityValueAlgorithm must be SHA_256", out_problem);
}

#define XKS_TRY(expr)                     \
    do {                                  \
        enum xks_error try_xks_ = (expr); \
        if (try_xks_ != XKS_OK)           \
            return try_xks_;              \
    } while (0)

static const struct blob_rule aad_rule = {"additionalAuthenticatedData", false, XKS_AAD_MAX,
                                          "additionalAuthenticatedData must be base64 of at most "
                                          "8192 bytes"};

static enum xks_error read_encrypt(struct xks_request *request, const char **out_problem)
{
    static const struct blob_rule plain = {"plaintext", true, XKS_TEXT_MAX,
                                           "plaintext must be base64 of at most 4300 bytes"};
    XKS_TRY(read_algorithm(request->json, out_problem));
    XKS_TRY(read_cdiv(request, out_problem));
    XKS_TRY(read_blob(request->json, &plain, &request->text, out_problem));
    return read_blob(request->json, &aad_rule, &request->aad, out_problem);
}

static enum xks_error read_decrypt(struct xks_request *request, const char **out_problem)
{
    static const struct blob_rule text = {"ciphertext", true, XKS_TEXT_MAX,
                                          "ciphertext must be base64 of at most 4300 bytes"};
    static const struct blob_rule iv = {"initializationVector", true, XKS_IV_LONG_LEN,
                                        "initializationVector must be base64 of 12 or 16 bytes"};
    static const struct blob_rule tag = {"authenticationTag", true, XKS_TAG_LEN,
                                         "authenticationTag must be base64 of 16 bytes"};
    static const struct blob_rule metadata = {"ciphertextMetadata", false, XKS_METADATA_MAX,
                                              "ciphertextMetadata must be base64 of at most 20 "
                                              "bytes"};
    XKS_TRY(read_algorithm(request->json, out_problem));
    XKS_TRY(read_blob(request->json, &text, &request->text, out_problem));
    XKS_TRY(read_blob(request->json, &iv, &request->iv, out_problem));
    XKS_TRY(read_blob(request->json, &tag, &request->tag, out_problem));
    XKS_TRY(read_blob(request->json, &metadata, &request->metadata, out_problem));
    if (request->iv.len != XKS_IV_LEN && request->iv.len != XKS_IV_LONG_LEN)
        return invalid(iv.problem, out_problem);
    if (request->tag.len != XKS_TAG_LEN)
        return invalid(tag.problem, out_problem);
    return read_blob(request->json, &aad_rule, &request->aad, out_problem);
}

enum xks_error xks_request_read(enum xks_operation operation, struct bytes body,
                                struct xks_request *out, const char **out_problem)
{
    *out = (struct xks_request){.operation = operation,
                                .aad = BUF_INIT,
                                .text = BUF_INIT,
                                .iv = BUF_INIT,
                                .tag = BUF_INIT,
                                .metadata = BUF_INIT};
    *out_problem = "";
    out->json = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(out->json))
        return invalid("the body is not a JSON object", out_problem);
    XKS_TRY(read_metadata(out, out_problem));
    if (operation == XKS_ENCRYPT)
        return read_encrypt(out, out_problem);
    return operation == XKS_DECRYPT ? read_decrypt(out, out_problem) : XKS_OK;
}

/* ---- paths */

static bool read_key_path(const char *rest, enum xks_operation *out_operation,
                          char out_key[XKS_KEY_ID_MAX + 1])
{
    static const char *const verbs[] = {
        [XKS_METADATA] = "metadata", [XKS_ENCRYPT] = "encrypt", [XKS_DECRYPT] = "decrypt"};
    const char *slash = strchr(rest, '/');
    if (slash == NULL || !xks_is_key_id(rest, (size_t)(slash - rest)))
        return false;
    for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(slash + 1, verbs[i]) != 0)
            continue;
        *out_operation = (enum xks_operation)i;
        (void)snprintf(out_key, XKS_KEY_ID_MAX + 1, "%.*s", (int)(slash - rest), rest);
        return true;
    }
    return false;
}

bool xks_request_path(const char *prefix, const char *path, enum xks_operation *out_operation,
                      char out_key[XKS_KEY_ID_MAX + 1])
{
    static const char keys[] = "/keys/";
    size_t prefix_len = strlen(prefix);
    size_t api_len = sizeof XKS_API_PATH - 1;
    out_key[0] = 0;
    if (strlen(path) > XKS_URI_MAX || strncmp(path, prefix, prefix_len) != 0 ||
        strncmp(path + prefix_len, XKS_API_PATH, api_len) != 0)
        return false;
    const char *rest = path + prefix_len + api_len;
    if (strcmp(rest, "/health") == 0) {
        *out_operation = XKS_HEALTH;
        return true;
    }
    return strncmp(rest, keys, sizeof keys - 1) == 0 &&
           read_key_path(rest + sizeof keys - 1, out_operation, out_key);
}

/* ---- answers */

void xks_answer_put(json_t *json, unsigned status, struct http_answer *answer)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    bool good = text != NULL && buf_append(&answer->body, bytes_of_str(text)) == RC_OK;
    answer->status = good ? status : 500;
    answer->content_type = "application/json";
    if (text != NULL)
        secret_wipe(text, strlen(text));
    free(text);
    json_decref(json);
}

void xks_answer_put_error(enum xks_error error, const char *message, struct http_answer *answer)
{
    const struct xks_error_row *row = xks_error_row(error);
    xks_answer_put(json_pack("{s:s,s:s}", "errorName", row->name, "errorMessage", message),
                   row->status, answer);
}

void xks_answer_put_metadata(bool can_encrypt, bool can_decrypt, bool is_enabled,
                             struct http_answer *answer)
{
    json_t *usages = json_array();
    if (can_encrypt)
        (void)json_array_append_new(usages, json_string("ENCRYPT"));
    if (can_decrypt)
        (void)json_array_append_new(usages, json_string("DECRYPT"));
    xks_answer_put(json_pack("{s:s,s:o,s:s}", "keySpec", "AES_256", "keyUsage", usages, "keyStatus",
                             is_enabled ? "ENABLED" : "DISABLED"),
                   200, answer);
}

static bool put_blob(json_t *json, const char *member, struct bytes value)
{
    AUTO_BUF text = BUF_INIT;
    return base64_encode(value, &text) == RC_OK &&
           json_object_set_new(json, member, json_stringn(buf_str(&text), text.len)) == 0;
}

void xks_answer_put_sealed(const struct xks_sealed *sealed, const uint8_t *cdiv,
                           struct http_answer *answer)
{
    json_t *json = json_object();
    bool good =
        put_blob(json, "authenticationTag", sealed->tag) &&
        put_blob(json, "ciphertext", sealed->text) &&
        put_blob(json, "initializationVector", sealed->iv) &&
        (sealed->metadata.len == 0 || put_blob(json, "ciphertextMetadata", sealed->metadata)) &&
        (cdiv == NULL || put_blob(json, "ciphertextDataIntegrityValue", bytes_of(cdiv, HASH_LEN)));
    if (good) {
        xks_answer_put(json, 200, answer);
        return;
    }
    json_decref(json);
    xks_answer_put_error(XKS_E_INTERNAL, "out of memory", answer);
}

/* By hand: jansson would keep copies of the plaintext that nobody wipes. */
void xks_answer_put_plain(const struct secret *plain, struct http_answer *answer)
{
    AUTO_BUF text = BUF_INIT;
    bool good = buf_append(&text, bytes_of_str("{\"plaintext\":\"")) == RC_OK &&
                base64_encode(secret_expose(plain), &text) == RC_OK &&
                buf_append(&text, bytes_of_str("\"}")) == RC_OK &&
                buf_append(&answer->body, buf_bytes(&text)) == RC_OK;
    answer->content_type = "application/json";
    answer->status = good ? 200 : 500;
}
