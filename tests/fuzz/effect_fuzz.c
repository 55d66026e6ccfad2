/* SPDX-License-Identifier: Apache-2.0 */
/* Effects as a broken peer may send them: what effect_check() passes, two HSMs apply alike. The
 * input is a row of effects, each behind two bytes of length. */
#include <stdlib.h>

#include "token/crypto_lib.h"
#include "token/effect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const struct seal_keys *keys(void)
{
    static struct seal_keys *once;
    const uint8_t cluster[16] = {1};
    if (once != NULL)
        return once;
    AUTO_SECRET master = SECRET_INIT;
    must(crypto_lib_init() == RC_OK && secret_alloc(&master, MASTER_KEY_LEN) == RC_OK);
    must(seal_keys_new(&master, cluster, &once) == RC_OK);
    return once;
}

struct pair {
    struct state *left, *right;
    uint64_t index;
};

static void apply_both(struct pair *pair, struct bytes effect)
{
    struct effect_result a = {.rc = RC_INTERNAL};
    struct effect_result b = {.rc = RC_INTERNAL};
    pair->index++;
    state_apply(pair->left, pair->index, effect, &a);
    state_apply(pair->right, pair->index, effect, &b);
    must(a.rc == b.rc && a.handle_count == b.handle_count && a.handle_count <= EFFECT_HANDLES_MAX);
    for (size_t i = 0; i < a.handle_count; i++)
        must(a.handles[i] == b.handles[i]);
}

/* A restore begins with an empty state: an input whose first effect is of one has that. */
static bool is_restore(struct bytes input)
{
    return input.len > 3 && input.ptr[3] == EFFECT_RESTORE_ROWS;
}

static void begin(struct pair *pair, struct bytes input)
{
    const struct effect_head head = {.time_ms = 1};
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME};
    const struct user_row user = {.role = ROLE_USER, .token = 1, .name = "anna"};
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    must(state_new(keys(), &pair->left) == RC_OK && state_new(keys(), &pair->right) == RC_OK);
    if (is_restore(input))
        return;
    must(effect_token_init(&first, &head, 1, "token", "0123456789abcdef", &so) == RC_OK);
    must(effect_user_put(&second, &head, &user, 0) == RC_OK);
    apply_both(pair, buf_bytes(&first));
    apply_both(pair, buf_bytes(&second));
}

static bool keep_on(struct object *object, void *context)
{
    (void)context;
    return object->handle != 0;
}

/* Same hash; and what one gives as a snapshot the other takes. */
static void end(struct pair *pair)
{
    uint8_t a[32];
    uint8_t b[32];
    AUTO_BUF whole = BUF_INIT;
    struct state_snapshot *snapshot = NULL;
    size_t count = 0;
    const struct attrs all = {.count = 0};
    must(state_snapshot_take(pair->left, &snapshot) == RC_OK);
    const struct iovec *parts = state_snapshot_parts(snapshot, &count);
    for (size_t i = 0; i < count; i++)
        must(buf_append(&whole, bytes_of(parts[i].iov_base, parts[i].iov_len)) == RC_OK);
    must(state_find(pair->left, 1, all, true, 0, keep_on, NULL) == RC_OK);
    must(state_restore(pair->left, buf_bytes(&whole)) == RC_OK);
    state_hash(pair->left, a);
    state_hash(pair->right, b);
    must(bytes_equal(bytes_of(a, 32), bytes_of(b, 32)));
    state_snapshot_free(snapshot);
    state_free(pair->left);
    state_free(pair->right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair pair = {.index = 0};
    struct reader in = reader_of(bytes_of(data, size));
    begin(&pair, in.rest);
    while (in.rest.len > 0 && reader_ok(&in)) {
        size_t len = reader_u8(&in);
        len |= (size_t)reader_u8(&in) << 8;
        struct bytes effect = reader_raw(&in, len < in.rest.len ? len : in.rest.len);
        if (effect_check(effect) == RC_OK)
            apply_both(&pair, effect);
    }
    end(&pair);
    return 0;
}
