/* SPDX-License-Identifier: Apache-2.0 */
/* AES-CMAC, SP 800-38B, whole and shortened. */
#include "token/mech_mac.h"

const struct mech_methods mech_aes_cmac = {.check = mech_mac_check,
                                           .crypt = mech_mac_crypt,
                                           .begin = mech_mac_begin,
                                           .update = mech_mac_update,
                                           .final = mech_mac_final};
