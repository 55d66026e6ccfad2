/* SPDX-License-Identifier: Apache-2.0 */
/* What stands round the pipeline: caller, HSM, quotas, trail. */
#include "tests/unit/kms/fake_world.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "kms/audit.h"
#include "kms/backing.h"
#include "kms/throttle.h"
#include "kms/vault.h"

struct world world;

/* ---- who calls */

void identity_clear(struct identity *identity)
{
    (void)identity;
}

/* Unique ids are names here. */
static void id_of(const char *arn, char out[POLICY_ID_LEN + 1])
{
    const char *name = strchr(arn, '/');
    (void)snprintf(out, POLICY_ID_LEN + 1, "%s%.16s", world.is_made_again ? "AIDA2" : "AIDA",
                   name == NULL ? "" : name + 1);
}

enum kms_error identity_of_request(const struct kms *kms, const struct http_request *request,
                                   const char *service, struct identity *out,
                                   char out_region[KMS_REGION_MAX + 1])
{
    (void)kms;
    (void)request;
    (void)service;
    out->type = world.is_user ? IDENTITY_USER : IDENTITY_ROOT;
    (void)snprintf(out->account, sizeof out->account, "%s", world.account);
    (void)snprintf(out->arn, sizeof out->arn, "arn:aws:iam::%s:%s", world.account,
                   world.is_user ? "user/ann" : "root");
    if (world.is_user)
        id_of(out->arn, out->principal_id);
    if (world.is_user && world.policy != NULL) {
        out->policies[0] = world.policy;
        out->policy_names[0] = "of-the-world";
        out->policy_count = 1;
    }
    (void)snprintf(out_region, KMS_REGION_MAX + 1, "%s", world.region);
    return KMS_OK;
}

bool identity_find_id(const struct kms *kms, const char *arn, char out_id[POLICY_ID_LEN + 1])
{
    (void)kms;
    out_id[0] = '\0';
    if (strstr(arn, ":root") == NULL)
        id_of(arn, out_id);
    return strstr(arn, "nobody") == NULL;
}

/* ---- HSM: a backing key is a number, nothing can be done with it */

enum kms_error backing_create(struct kms_request *request, struct key *key)
{
    struct key_material material = {.created_ms = request->now_ms, .is_present = true};
    if (key->origin == ORIGIN_EXTERNAL)
        return KMS_OK;
    world.backing_made++;
    (void)snprintf(material.id, sizeof material.id, "%064u", world.backing_made);
    material.hsm_id[0] = (uint8_t)world.backing_made;
    return kms_from_rc(key_put_material(key, &material, true));
}

void backing_delete(struct kms *kms, const struct key *key, const struct key_material *material)
{
    (void)kms;
    (void)key;
    (void)material;
    world.backing_deleted++;
}

void backing_begin(void)
{
    world.is_stale = false;
}

bool backing_is_stale(void)
{
    return world.is_stale;
}

static enum kms_error no_hsm(void)
{
    return kms_fail(KMS_DEPENDENCY_TIMEOUT, "there is no HSM here");
}

enum kms_error backing_encrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_encrypt *in,
                               struct buf *out, struct secret *out_plain,
                               struct buf *out_public_der)
{
    (void)request;
    (void)key;
    (void)material;
    (void)in;
    (void)out_plain;
    (void)out_public_der;
    return kms_from_rc(buf_put_str(out, "closed"));
}

enum kms_error backing_decrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_decrypt *in,
                               struct secret *out)
{
    (void)request;
    (void)key;
    (void)material;
    (void)in;
    (void)out;
    return no_hsm();
}

enum kms_error backing_reencrypt(struct kms_request *request, const struct record *from,
                                 const struct key_material *from_material,
                                 const struct hsm_decrypt *in, const struct record *to,
                                 const struct key_material *to_material,
                                 const struct hsm_encrypt *out_in, struct buf *out)
{
    (void)request;
    (void)from;
    (void)from_material;
    (void)in;
    (void)to;
    (void)to_material;
    (void)out_in;
    (void)out;
    return no_hsm();
}

enum kms_error backing_sign(struct kms_request *request, const struct record *key,
                            const struct hsm_sign *in, struct buf *out)
{
    (void)request;
    (void)key;
    (void)in;
    (void)out;
    return no_hsm();
}

enum kms_error backing_verify(struct kms_request *request, const struct record *key,
                              const struct hsm_sign *in, struct bytes signature, bool *out_valid)
{
    (void)request;
    (void)key;
    (void)in;
    (void)signature;
    (void)out_valid;
    return no_hsm();
}

enum kms_error backing_agree(struct kms_request *request, const struct record *key,
                             struct bytes peer_der, struct secret *out)
{
    (void)request;
    (void)key;
    (void)peer_der;
    (void)out;
    return no_hsm();
}

enum rc hsm_create(struct hsm_client *client, enum keystore_spec spec, enum keystore_use use,
                   const char *label, const uint8_t id[HSM_ID_LEN], struct hsm_key *out)
{
    (void)client;
    (void)spec;
    (void)use;
    (void)label;
    (void)id;
    (void)out;
    return rc_fail(RC_DEADLINE, "there is no HSM here");
}

enum rc hsm_random(struct hsm_client *client, uint64_t view, size_t len, struct secret *out)
{
    (void)client;
    (void)view;
    return secret_alloc(out, len);
}

/* ---- vault: a seal that a caller cannot make, for want of the purpose */

enum rc vault_seal(const struct vault *vault, const char *purpose, struct bytes plain,
                   struct buf *out)
{
    (void)vault;
    TRY(buf_put_str(out, purpose));
    return buf_put_bytes(out, plain);
}

enum rc vault_unseal(const struct vault *vault, const char *purpose, struct bytes sealed,
                     struct secret *out)
{
    (void)vault;
    struct reader reader = reader_of(sealed);
    struct bytes said = reader_bytes(&reader);
    struct bytes plain = reader_bytes(&reader);
    if (!reader_done(&reader) || !bytes_equal(said, bytes_of_str(purpose)))
        return rc_fail(RC_TAMPERED, "not sealed here");
    return secret_from_bytes(out, plain);
}

enum rc vault_close(struct vault *vault, const char *purpose, struct bytes plain, struct buf *out)
{
    return vault_seal(vault, purpose, plain, out);
}

enum rc vault_open(struct vault *vault, const char *purpose, struct bytes closed,
                   struct secret *out)
{
    return vault_unseal(vault, purpose, closed, out);
}

/* ---- stores, quotas, trail */

bool stores_is_connected(const struct kms *kms, const struct key *key)
{
    (void)kms;
    (void)key;
    return world.is_store_connected;
}

enum kms_error stores_find(const struct kms_request *request, const char *id, struct record **out)
{
    char path[129];
    (void)snprintf(path, sizeof path, "store/%s/%s/%s", request->region, request->identity.account,
                   id);
    *out = view_get(request->kms->view, path);
    return *out != NULL ? KMS_OK : kms_fail(KMS_CUSTOM_STORE_NOT_FOUND, "%s", id);
}

enum kms_error stores_admit_key(struct kms_request *request, const struct record *store,
                                struct key *key)
{
    (void)request;
    (void)store;
    (void)key;
    void (*on_admit)(void) = world.on_admit;
    world.on_admit = NULL;
    if (on_admit != NULL)
        on_admit();
    return KMS_OK;
}

enum kms_error throttle_take(struct throttle *throttle, const struct kms_request *request)
{
    (void)throttle;
    (void)request;
    if (world.is_throttled)
        return kms_fail_plain(KMS_THROTTLING);
    world.permits++;
    return KMS_OK;
}

enum kms_error audit_admit(struct audit *audit)
{
    (void)audit;
    return world.is_trail_full ? kms_fail_plain(KMS_UNAVAILABLE) : KMS_OK;
}

static void note_resources(const struct audit_event *event)
{
    size_t len = 0;
    world.resources[0] = 0;
    for (size_t i = 0; i < event->resource_count && len < sizeof world.resources; i++) {
        const struct key *key = event->resources[i]->data;
        len +=
            (size_t)snprintf(world.resources + len, sizeof world.resources - len, "%s ", key->arn);
    }
}

void audit_record(struct audit *audit, const struct audit_event *event)
{
    if (strcmp(event->account, world.account) == 0)
        note_resources(event);
    (void)audit;
    world.records++;
    json_decref(world.parameters);
    world.parameters = event->parameters == NULL ? NULL : json_deep_copy(event->parameters);
    json_decref(world.additional);
    world.additional = event->additional == NULL ? NULL : json_deep_copy(event->additional);
    (void)snprintf(world.error_code, sizeof world.error_code, "%s",
                   event->error_code == NULL ? "" : event->error_code);
}

/* ---- the world */

void world_begin(void)
{
    world = (struct world){.now_ms = WORLD_TIME_MS, .is_store_connected = true};
    static char here[] = WORLD_REGION;
    static char there[] = "eu-west-1";
    world.regions[0] = here;
    world.regions[1] = there;
    world.config.regions = (struct config_list){.items = world.regions, .count = 2};
    world.kms.config = &world.config;
    (void)snprintf(world.account, sizeof world.account, "%s", WORLD_ACCOUNT);
    (void)snprintf(world.region, sizeof world.region, "%s", WORLD_REGION);
    CU_ASSERT_EQUAL(view_new(NULL, &world.kms.view), RC_OK);
}

void world_end(void)
{
    policy_free(world.policy);
    world.policy = NULL;
    view_free(world.kms.view);
    json_decref(world.parameters);
    world.parameters = NULL;
    json_decref(world.additional);
    world.additional = NULL;
}

json_t *world_call(const char *operation, const char *body)
{
    const struct http_request http = {
        .method = "POST",
        .path = "/",
        .query = "",
        .body = bytes_of_str(body),
        .peer = "127.0.0.1",
        .id = "11111111-2222-4333-8444-555555555555",
        .time_ms = world.now_ms,
    };
    struct http_answer answer = {.body = BUF_INIT};
    pipeline_run(&world.kms, &http, operation, &answer);
    json_t *out = answer.body.len == 0
                      ? json_object()
                      : json_loadb((const char *)answer.body.ptr, answer.body.len, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL(out);
    const char *type = json_string_value(json_object_get(out, "__type"));
    const char *text = json_string_value(json_object_get(out, "message"));
    world.status = answer.status;
    (void)snprintf(world.type, sizeof world.type, "%s", type == NULL ? "" : type);
    (void)snprintf(world.text, sizeof world.text, "%s", text == NULL ? "" : text);
    buf_clear(&answer.body);
    return out;
}

json_t *world_call_json(const char *operation, json_t *body)
{
    char *text = json_dumps(body, 0);
    json_t *out = world_call(operation, text);
    free(text);
    json_decref(body);
    return out;
}

bool world_ends(const char *operation, const char *error, const char *body)
{
    json_decref(world_call(operation, body));
    if (strcmp(world.type, error == NULL ? "" : error) == 0)
        return true;
    printf("%s %s: %s \"%s\"\n", operation, body, world.type, world.text);
    return false;
}

void world_make_key(const char *body, char out_id[KMS_KEY_ID_MAX + 1])
{
    json_t *out = world_call("CreateKey", body);
    const char *id = "";
    if (json_unpack(out, "{s:{s:s}}", "KeyMetadata", "KeyId", &id) != 0)
        printf("CreateKey %s: %s \"%s\"\n", body, world.type, world.text);
    CU_ASSERT_STRING_NOT_EQUAL(id, "");
    (void)snprintf(out_id, KMS_KEY_ID_MAX + 1, "%s", id);
    json_decref(out);
}

void world_put_condition(const char *id, const char *condition)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":"
                   "{\"AWS\":\"arn:aws:iam::" WORLD_ACCOUNT ":root\"},\"Action\":\"kms:*\","
                   "\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
                   "\"arn:aws:iam::" WORLD_ACCOUNT ":user/ann\"},\"Action\":\"kms:*\","
                   "\"Resource\":\"*\",\"Condition\":{%s}}]}",
                   condition);
    world.is_user = false;
    json_decref(
        world_call_json("PutKeyPolicy", json_pack("{s:s, s:s}", "KeyId", id, "Policy", text)));
    CU_ASSERT_STRING_EQUAL_FATAL(world.type, "");
    world.is_user = true;
}

void world_set_policy(const char *statements)
{
    AUTO_BUF text = BUF_INIT;
    CU_ASSERT_EQUAL_FATAL(
        buf_printf(&text, "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}", statements), RC_OK);
    policy_free(world.policy);
    world.policy = NULL;
    CU_ASSERT_EQUAL_FATAL(policy_parse(POLICY_IDENTITY, buf_str(&text), text.len, &world.policy),
                          KMS_OK);
    world.is_user = true;
}

struct key *world_key(const char *id)
{
    char path[129];
    struct key *key = NULL;
    key_path(world.region, id, path);
    AUTO_RECORD *record = view_get(world.kms.view, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    if (record != NULL) /* an analyzer does not know that the assertion ends the test */
        CU_ASSERT_EQUAL_FATAL(key_copy(key_of(record), &key), RC_OK);
    return key;
}

void world_put_key(struct key *key)
{
    char path[129];
    key_path(world.region, key->id, path);
    AUTO_RECORD *record = view_get(world.kms.view, path);
    CU_ASSERT_EQUAL(key_commit(world.kms.view, record, key), RC_OK);
    key_free(key);
}

static void doomed_path(const char *region, const char *id, char out[129])
{
    (void)snprintf(out, 129, "doomed/%s/%s", region, id);
}

void world_doom_key(const char *region, const char *id)
{
    char path[129], doomed[129];
    struct view_changes changes = {.count = 0};
    key_path(region, id, path);
    doomed_path(region, id, doomed);
    AUTO_RECORD *key = view_get(world.kms.view, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    if (key == NULL)
        return;
    CU_ASSERT_EQUAL(view_changes_add(&changes, path, key->version, NULL), RC_OK);
    CU_ASSERT_EQUAL(view_changes_add(&changes, doomed, 0, json_incref(key->json)), RC_OK);
    CU_ASSERT_EQUAL(view_commit(world.kms.view, &changes), RC_OK);
    view_changes_clear(&changes);
}

void world_forget_key(const char *region, const char *id)
{
    char doomed[129];
    doomed_path(region, id, doomed);
    AUTO_RECORD *end = view_get(world.kms.view, doomed);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    if (end != NULL)
        CU_ASSERT_EQUAL(view_commit_one(world.kms.view, doomed, end->version, NULL), RC_OK);
}
