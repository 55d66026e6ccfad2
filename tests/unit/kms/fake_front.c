/* SPDX-License-Identifier: Apache-2.0 */
/* The front end over clusters in memory, and what of stores and trail it needs. */
#include "tests/unit/kms/fake_front.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/audit.h"
#include "kms/backing_handles.h"
#include "kms/store.h"
#include "tests/unit/unit.h"

struct front front;

/* ---- stores: the one client of the one store */

enum kms_error stores_hsm(struct stores *stores, const struct record *store,
                          struct hsm_client **out)
{
    (void)stores;
    (void)store;
    if (!front.is_connected)
        return kms_fail(KMS_INVALID_STATE, "the store is not connected");
    (void)atomic_fetch_add(&front.handed_out, 1);
    *out = &front.foreign_client;
    return KMS_OK;
}

void stores_hsm_done(struct stores *stores, struct hsm_client *client)
{
    (void)stores;
    CU_ASSERT_PTR_EQUAL(client, &front.foreign_client);
    (void)atomic_fetch_sub(&front.handed_out, 1);
}

enum kms_error stores_from_rc(const struct record *store, enum rc rc)
{
    (void)store;
    return rc == RC_OK ? KMS_OK : kms_fail_plain(KMS_DEPENDENCY_TIMEOUT);
}

bool stores_is_connected(const struct kms *kms, const struct key *key)
{
    (void)kms;
    (void)key;
    return front.is_connected;
}

/* The proxy puts a letter before it. */
enum kms_error stores_xks_encrypt(struct kms_request *request, const struct record *store,
                                  const struct key *key, struct bytes aad, struct bytes plain,
                                  struct buf *out)
{
    (void)request;
    (void)store;
    (void)key;
    (void)aad;
    front.at_proxy++;
    KMS_TRY(kms_from_rc(buf_put_u8(out, 'x')));
    return kms_from_rc(buf_append(out, plain));
}

enum kms_error stores_xks_decrypt(struct kms_request *request, const struct record *store,
                                  const struct key *key, struct bytes aad, struct bytes ciphertext,
                                  struct secret *out)
{
    (void)request;
    (void)store;
    (void)key;
    (void)aad;
    front.at_proxy++;
    if (ciphertext.len == 0 || ciphertext.ptr[0] != 'x')
        return kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    return kms_from_rc(secret_append(out, bytes_slice(ciphertext, 1, ciphertext.len)));
}

/* ---- the trail */

enum kms_error audit_admit(struct audit *audit)
{
    (void)audit;
    return KMS_OK;
}

void audit_record(struct audit *audit, const struct audit_event *event)
{
    (void)audit;
    CU_ASSERT(event->is_service_event && event->resource_count == 1);
    (void)snprintf(front.event, sizeof front.event, "%s", event->name);
    (void)atomic_fetch_add(&front.events, 1);
}

/* ---- */

void front_begin(void)
{
    memset(&front, 0, sizeof front);
    fake_cluster_init(&front.own);
    fake_cluster_init(&front.foreign);
    front.foreign.id[0] = 77;
    front.foreign.next_handle = 5000;
    front.own_client.cluster = &front.own;
    front.foreign_client.cluster = &front.foreign;
    front.is_connected = true;
    front.config.fast_time = true;
    front.kms.config = &front.config;
    front.kms.hsm = &front.own_client;
    UNIT_OK(view_new(front.kms.hsm, &front.kms.view));
    UNIT_OK(backing_handles_new(&front.kms.handles));
    front_look();
}

void front_end(void)
{
    CU_ASSERT_EQUAL(atomic_load(&front.handed_out), 0);
    backing_handles_free(front.kms.handles);
    view_free(front.kms.view);
    fake_cluster_clear(&front.own);
    fake_cluster_clear(&front.foreign);
}

void front_look(void)
{
    UNIT_OK(view_refresh(front.kms.view));
    front.request = (struct kms_request){.kms = &front.kms,
                                         .region = FRONT_REGION,
                                         .now_ms = FRONT_TIME_MS,
                                         .view = view_index(front.kms.view)};
}

static void put_store(void)
{
    struct store *store = NULL;
    json_t *value = NULL;
    if (front_has("store/" FRONT_REGION "/" FRONT_ACCOUNT "/cks-1"))
        return;
    UNIT_OK(store_new(&store));
    (void)snprintf(store->id, sizeof store->id, "cks-1");
    (void)snprintf(store->region, sizeof store->region, FRONT_REGION);
    (void)snprintf(store->account, sizeof store->account, FRONT_ACCOUNT);
    (void)snprintf(store->name, sizeof store->name, "store");
    store->trust_anchor = strdup("certificate");
    UNIT_OK(store_encode(store, &value));
    char *text = json_dumps(value, 0);
    front_document("store/" FRONT_REGION "/" FRONT_ACCOUNT "/cks-1", text);
    free(text);
    json_decref(value);
    store_free(store);
}

struct key *front_key(const char *id, enum key_origin origin, enum keystore_spec spec,
                      enum keystore_use use)
{
    struct key *key = calloc(1, sizeof *key);
    key->public_der = (struct buf)BUF_INIT;
    (void)snprintf(key->id, sizeof key->id, "%s", id);
    (void)snprintf(key->region, sizeof key->region, FRONT_REGION);
    (void)snprintf(key->account, sizeof key->account, FRONT_ACCOUNT);
    key_name_itself(key);
    key->spec = spec;
    key->use = use;
    key->origin = origin;
    key->created_ms = FRONT_TIME_MS;
    key->enabled = true;
    UNIT_OK(key_set_description(key, ""));
    CU_ASSERT_EQUAL(key_set_policy(key, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":"
                                        "\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\","
                                        "\"Resource\":\"*\"}]}"),
                    KMS_OK);
    if (origin == ORIGIN_AWS_CLOUDHSM || origin == ORIGIN_XKS) {
        put_store();
        (void)snprintf(key->store_id, sizeof key->store_id, "cks-1");
    }
    CU_ASSERT_EQUAL(backing_create(&front.request, key), KMS_OK);
    return key;
}

void front_put(struct key *key)
{
    AUTO_RECORD *old = front_get_in(key->region, key->id);
    UNIT_OK(key_commit(front.kms.view, old, key));
    key_free(key);
    front_look();
}

struct record *front_get_in(const char *region, const char *id)
{
    char path[129];
    key_path(region, id, path);
    return view_get(front.kms.view, path);
}

struct record *front_get(const char *id)
{
    return front_get_in(FRONT_REGION, id);
}

struct key *front_copy(const char *id)
{
    struct key *copy = NULL;
    AUTO_RECORD *record = front_get(id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    UNIT_OK(key_copy(key_of(record), &copy));
    return copy;
}

void front_document(const char *path, const char *json)
{
    fake_cluster_put(&front.own, path, json);
    front_look();
}

bool front_has(const char *path)
{
    AUTO_RECORD *record = view_get(front.kms.view, path);
    return record != NULL;
}
