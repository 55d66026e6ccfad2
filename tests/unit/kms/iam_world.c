/* SPDX-License-Identifier: Apache-2.0 */
/* Signing as AWS's documentation has it, beside kms/sigv4*.c. */
#include "tests/unit/kms/iam_world.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/audit.h"
#include "kms/hash.h"
#include "kms/iam.h"
#include "kms/identity_secrets.h"
#include "kms/sigv4.h"
#include "kms/utc.h"
#include "kms/vault.h"
#include "kms/view.h"
#include "tests/unit/unit.h"

struct iam_world iam_world;

static void make_root(const char *account, const char *key, struct iam_caller *out)
{
    AUTO_SECRET secret = SECRET_INIT;
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    (void)snprintf(out->secret, sizeof out->secret, "wJalrXUtnFEMI/K7MDENG/%.18s", key);
    out->token[0] = '\0';
    UNIT_OK(secret_from_bytes(&secret, bytes_of_str(out->secret)));
    UNIT_OK(identity_bootstrap(&iam_world.kms, account, key, &secret));
}

void iam_world_begin(const char *trail_dir)
{
    struct iam_world *w = &iam_world;
    memset(w, 0, sizeof *w);
    fake_cluster_init(&w->cluster);
    w->client.cluster = &w->cluster;
    w->now_ms = IAM_WORLD_TIME_MS;
    w->accounts[0] = strdup(IAM_WORLD_ACCOUNT);
    w->accounts[1] = strdup(IAM_WORLD_OTHER);
    w->regions[0] = strdup(IAM_WORLD_REGION);
    w->regions[1] = strdup("eu-west-1");
    w->config.accounts = (struct config_list){.items = w->accounts, .count = 2};
    w->config.regions = (struct config_list){.items = w->regions, .count = 2};
    w->config.trail_dir = trail_dir == NULL ? NULL : strdup(trail_dir);
    w->config.trail_roll_s = 300;
    w->kms.config = &w->config;
    w->kms.hsm = &w->client;
    UNIT_OK(view_new(&w->client, &w->kms.view));
    UNIT_OK(vault_new(&w->client, &w->kms.vault));
    UNIT_OK(audit_new(&w->kms, &w->kms.audit));
    make_root(IAM_WORLD_ACCOUNT, "AKIAROOTROOTROOTROOT", &w->root);
    make_root(IAM_WORLD_OTHER, "AKIAOTHEROTHEROTHER2", &w->other_root);
}

void iam_world_end(void)
{
    struct iam_world *w = &iam_world;
    audit_free(w->kms.audit);
    vault_free(w->kms.vault);
    view_free(w->kms.view);
    fake_cluster_clear(&w->cluster);
    identity_secrets_clear();
    sigv4_forget();
    for (size_t i = 0; i < 2; i++) {
        free(w->accounts[i]);
        free(w->regions[i]);
    }
    free(w->config.trail_dir);
    free(w->body);
    w->body = NULL;
}

/* ---- Signature Version 4 */

static struct {
    struct http_request request;
    char body[65536], date[24], authorization[1024], host[64];
} last;

static void hmac(struct bytes key, const char *text, uint8_t out[HASH_LEN])
{
    UNIT_OK(hash_hmac(key, bytes_of_str(text), out));
}

static void hash_text(const char *text, char out[HASH_HEX_LEN])
{
    uint8_t hash[HASH_LEN];
    UNIT_OK(hash_sha256(bytes_of_str(text), hash));
    hash_hex(bytes_of(hash, sizeof hash), out);
}

static void sign(const struct iam_caller *caller, const char *service, const char *region,
                 const char *headers, const char *canonical)
{
    uint8_t key[HASH_LEN];
    char text[512], first[80], hash[HASH_HEX_LEN], signature[HASH_HEX_LEN];
    (void)snprintf(first, sizeof first, "AWS4%s", caller->secret);
    hash_text(canonical, hash);
    (void)snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s",
                   last.date, last.date, region, service, hash);
    char date[9];
    (void)snprintf(date, sizeof date, "%.8s", last.date);
    hmac(bytes_of_str(first), date, key);
    hmac(bytes_of(key, sizeof key), region, key);
    hmac(bytes_of(key, sizeof key), service, key);
    hmac(bytes_of(key, sizeof key), "aws4_request", key);
    hmac(bytes_of(key, sizeof key), text, key);
    hash_hex(bytes_of(key, sizeof key), signature);
    (void)snprintf(last.authorization, sizeof last.authorization,
                   "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, "
                   "Signature=%s",
                   caller->key, date, region, service, headers, signature);
}

static void add_header(const char *name, const char *value)
{
    last.request.headers[last.request.header_count++] =
        (struct http_header){.name = name, .value = value};
}

const struct http_request *iam_world_sign(const struct iam_caller *caller, const char *service,
                                          const char *region, const char *target, const char *body)
{
    static char canonical[16384];
    char hash[HASH_HEX_LEN];
    bool has_token = caller->token[0] != '\0';
    const char *headers = has_token ? "host;x-amz-date;x-amz-security-token" : "host;x-amz-date";
    (void)snprintf(last.body, sizeof last.body, "%s", body);
    (void)snprintf(last.host, sizeof last.host, "%s.localhost", service);
    utc_print_compact(iam_world.now_ms, last.date);
    last.request = (struct http_request){.method = "POST",
                                         .path = "/",
                                         .query = "",
                                         .body = bytes_of_str(last.body),
                                         .peer = "192.0.2.7",
                                         .tls_version = "",
                                         .tls_cipher = "",
                                         .id = "11111111-2222-4333-8444-555555555555",
                                         .time_ms = iam_world.now_ms};
    hash_text(last.body, hash);
    (void)snprintf(canonical, sizeof canonical, "POST\n/\n\nhost:%s\nx-amz-date:%s\n%s%s%s\n%s\n%s",
                   last.host, last.date, has_token ? "x-amz-security-token:" : "", caller->token,
                   has_token ? "\n" : "", headers, hash);
    char signed_headers[128];
    (void)snprintf(signed_headers, sizeof signed_headers, "%s%s", headers,
                   target == NULL ? "" : ";x-amz-target");
    if (target != NULL)
        (void)snprintf(canonical, sizeof canonical,
                       "POST\n/\n\nhost:%s\nx-amz-date:%s\n%s%s%sx-amz-target:%s\n\n%s\n%s",
                       last.host, last.date, has_token ? "x-amz-security-token:" : "",
                       caller->token, has_token ? "\n" : "", target, signed_headers, hash);
    sign(caller, service, region, signed_headers, canonical);
    add_header("Host", last.host);
    add_header("X-Amz-Date", last.date);
    add_header("User-Agent", "unit/1.0");
    add_header("Authorization", last.authorization);
    if (has_token)
        add_header("X-Amz-Security-Token", caller->token);
    if (target != NULL)
        add_header("X-Amz-Target", target);
    return &last.request;
}

/* ---- calls */

unsigned iam_world_call(const struct iam_caller *caller, const char *service, const char *form)
{
    static char body[65536];
    struct http_answer answer = {.body = BUF_INIT};
    (void)snprintf(body, sizeof body, "%s&Version=%s", form,
                   strcmp(service, "sts") == 0 ? "2011-06-15" : "2010-05-08");
    iam_answer(&iam_world.kms, iam_world_sign(caller, service, "us-east-1", NULL, body), service,
               &answer);
    free(iam_world.body);
    iam_world.body = strdup(buf_str(&answer.body));
    iam_world.status = answer.status;
    buf_clear(&answer.body);
    return answer.status;
}

void iam_world_do(const struct iam_caller *caller, const char *service, const char *form)
{
    CU_ASSERT_EQUAL(iam_world_call(caller, service, form), 200);
    if (iam_world.status != 200)
        (void)fprintf(stderr, "%s\n  -> %s\n", form, iam_world.body);
}

void iam_world_expect(unsigned status, const char *code)
{
    char found[128];
    iam_world_get("Code", found, sizeof found);
    CU_ASSERT_EQUAL(iam_world.status, status);
    CU_ASSERT_STRING_EQUAL(found, code);
    if (iam_world.status != status || strcmp(found, code) != 0)
        (void)fprintf(stderr, "wanted %u %s\n  -> %s\n", status, code, iam_world.body);
}

bool iam_world_has(const char *text)
{
    bool has = strstr(iam_world.body, text) != NULL;
    if (!has)
        (void)fprintf(stderr, "no %s\n  in %s\n", text, iam_world.body);
    return has;
}

void iam_world_get(const char *element, char *out, size_t size)
{
    char tag[64];
    (void)snprintf(tag, sizeof tag, "<%s>", element);
    const char *at = strstr(iam_world.body, tag);
    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(tag);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at, "<"), at);
}

void iam_world_take(struct iam_caller *out)
{
    iam_world_get("AccessKeyId", out->key, sizeof out->key);
    iam_world_get("SecretAccessKey", out->secret, sizeof out->secret);
    iam_world_get("SessionToken", out->token, sizeof out->token);
}

void iam_world_user(const char *name, struct iam_caller *out)
{
    char form[256];
    (void)snprintf(form, sizeof form, "Action=CreateUser&UserName=%s", name);
    iam_world_do(&iam_world.root, "iam", form);
    (void)snprintf(form, sizeof form, "Action=CreateAccessKey&UserName=%s", name);
    iam_world_do(&iam_world.root, "iam", form);
    iam_world_take(out);
}

const char *iam_world_encode(const char *text)
{
    static char out[16384];
    size_t len = 0;
    for (; *text != '\0' && len < sizeof out - 4; text++) {
        unsigned char c = (unsigned char)*text;
        len += isalnum(c) ? (size_t)snprintf(out + len, sizeof out - len, "%c", c)
                          : (size_t)snprintf(out + len, sizeof out - len, "%%%02X", c);
    }
    return out;
}
