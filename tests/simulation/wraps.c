/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the linker puts in the place of the real ones (-Wl,--wrap): virtual time, the end
 * of one node's process instead of ours, checks after each effect, and faults built in. */
#include "tests/simulation/sim.h"
#include "token/request_table.h"

uint64_t __wrap_uv_hrtime(void);
int __wrap_uv_async_send(uv_async_t *wake);
_Noreturn void __wrap_abort(void);
bool __wrap_disk_has_room_for(struct consensus *consensus, uint64_t len);
void __real_state_apply(struct state *state, uint64_t index, struct bytes effect,
                        struct effect_result *out);
void __wrap_state_apply(struct state *state, uint64_t index, struct bytes effect,
                        struct effect_result *out);
enum rc __real_entry_open(const struct seal_keys *keys, struct entry_place *place,
                          struct bytes entry, struct secret *plain,
                          struct bytes effects[ENTRY_EFFECTS_MAX], size_t *out_count);
enum rc __wrap_entry_open(const struct seal_keys *keys, struct entry_place *place,
                          struct bytes entry, struct secret *plain,
                          struct bytes effects[ENTRY_EFFECTS_MAX], size_t *out_count);
enum request_seen __real_request_table_find(const struct request_table *table,
                                            const uint8_t application[16], uint64_t sequence,
                                            const struct request_row **out_row);
enum request_seen __wrap_request_table_find(const struct request_table *table,
                                            const uint8_t application[16], uint64_t sequence,
                                            const struct request_row **out_row);

uint64_t __wrap_uv_hrtime(void)
{
    return sim.now * 1000;
}

int __wrap_uv_async_send(uv_async_t *wake)
{
    (void)wake;
    sim.current->woken = true;
    return 0;
}

void __wrap_abort(void)
{
    node_stop("abort");
}

bool __wrap_disk_has_room_for(struct consensus *consensus, uint64_t len)
{
    (void)consensus;
    (void)len;
    return !sim.current->disk.full;
}

void __wrap_state_apply(struct state *state, uint64_t index, struct bytes effect,
                        struct effect_result *out)
{
    __real_state_apply(state, index, effect, out);
    checks_applied(sim.current, index, state, out);
}

/* The fault: the entry is believed wherever it stands. */
enum rc __wrap_entry_open(const struct seal_keys *keys, struct entry_place *place,
                          struct bytes entry, struct secret *plain,
                          struct bytes effects[ENTRY_EFFECTS_MAX], size_t *out_count)
{
    if (sim.mutation == MUTATION_INDEX) {
        struct reader in = reader_of(entry);
        (void)reader_u32(&in);
        (void)reader_raw(&in, sizeof place->cluster);
        place->index = reader_u64(&in);
    }
    return __real_entry_open(keys, place, entry, plain, effects, out_count);
}

/* The fault: who started from a snapshot knows no request. */
enum request_seen __wrap_request_table_find(const struct request_table *table,
                                            const uint8_t application[16], uint64_t sequence,
                                            const struct request_row **out_row)
{
    if (sim.mutation == MUTATION_REQUESTS && sim.current->restored)
        return REQUEST_NEW;
    return __real_request_table_find(table, application, sequence, out_row);
}
