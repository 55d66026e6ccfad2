/* SPDX-License-Identifier: Apache-2.0 */
/* SplitMix64 (Steele, Lea, Flood 2014). */
#include "tests/simulation/sim.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
    state = seed;
}

static uint64_t next(void)
{
    state += 0x9e3779b97f4a7c15U;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t random_below(uint64_t limit)
{
    return limit == 0 ? 0 : next() % limit;
}

uint64_t random_between(uint64_t least, uint64_t most)
{
    return least + random_below(most - least + 1);
}

bool random_chance(unsigned per_mille)
{
    return random_below(1000) < per_mille;
}
