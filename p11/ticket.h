/* SPDX-License-Identifier: Apache-2.0 */
/* A login's ticket, shared by the calls that are using it while another thread logs out. */
#ifndef QHSM_P11_TICKET_H
#define QHSM_P11_TICKET_H

#include <stdatomic.h>

#include "common/secret.h"

struct ticket {
    atomic_uint references;
    struct secret content;
};

/* One reference. RC_NO_MEMORY. */
enum rc ticket_new(struct bytes content, struct ticket **out);
struct ticket *ticket_ref(struct ticket *ticket);
/* NULL is allowed. Wiped with the last reference. */
void ticket_unref(struct ticket *ticket);

#endif
