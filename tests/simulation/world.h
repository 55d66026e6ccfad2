/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients of the simulation play with. */
#ifndef QHSM_TESTS_SIM_WORLD_H
#define QHSM_TESTS_SIM_WORLD_H

#define WORLD_SET_USERS 6U /* s0, s1, ...: come and go */
#define WORLD_PIN_USERS 3U /* p0, p1, ...: PINs are tried */
#define WORLD_PIN_LIMIT 4U
#define WORLD_DOCUMENTS 3U /* d0, d1, ... */

#endif
