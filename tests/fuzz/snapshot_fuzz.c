/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as a damaged disk or a hostile hand may leave them: refused, and the state stays. Each
 * input is tried as it is, and with the trailer's MAC made right, so that rows and objects are
 * reached. */
#include <stdlib.h>

#include "token/crypto_lib.h"
#include "token/snapshot_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct state *state(void)
{
    static struct state *once;
    struct seal_keys *keys = NULL;
    const uint8_t cluster[16] = {1};
    if (once != NULL)
        return once;
    AUTO_SECRET master = SECRET_INIT;
    must(crypto_lib_init() == RC_OK && secret_alloc(&master, MASTER_KEY_LEN) == RC_OK);
    must(seal_keys_new(&master, cluster, &keys) == RC_OK && state_new(keys, &once) == RC_OK);
    return once;
}

/* A refusal changes nothing. */
static void restore(struct bytes snapshot)
{
    uint8_t before[32];
    uint8_t after[32];
    state_hash(state(), before);
    if (state_restore(state(), snapshot) == RC_OK)
        return;
    state_hash(state(), after);
    must(bytes_equal(bytes_of(before, 32), bytes_of(after, 32)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF copy = BUF_INIT;
    struct bytes input = bytes_of(data, size);
    AUTO_OBJECT *object = NULL;
    if (object_from_record(1, input, &object) == RC_OK)
        must(bytes_equal(object->record, input));
    restore(input);
    struct snapshot_head head;
    if (snapshot_head_decode(input, &head) != RC_OK ||
        size < snapshot_head_len(&head) + SNAPSHOT_TRAILER_LEN)
        return 0;
    must(buf_append(&copy, input) == RC_OK);
    uint8_t *hash = copy.ptr + size - SNAPSHOT_TRAILER_LEN;
    must(snapshot_mac(state()->keys, bytes_slice(input, 0, snapshot_head_len(&head)), hash,
                      hash + 32) == RC_OK);
    restore(buf_bytes(&copy));
    return 0;
}
