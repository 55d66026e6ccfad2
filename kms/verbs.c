/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of qhsm-kms. */
#include "kms/verbs.h"

#include <stddef.h>

#include "kms/audit_digest.h"
#include "kms/explain.h"
#include "kms/orphans.h"
#include "kms/unreadable.h"

static const struct verb verbs[] = {
    {.name = "explain",
     .arguments = "PRINCIPAL ACTION KEY [NAME=VALUE...]",
     .help = "may this principal do this to the key (-: none)? The statement that decides, and how "
             "each policy stands to it",
     .least = 3,
     .most = 64,
     .needs_hsm = true,
     .run = explain_run},
    {"orphans-list", "[STORE]",
     "lists backing keys that no KMS key names, in a key store's cluster or in KMS's own token", 0,
     1, true, orphans_run_list},
    {"orphans-delete", "[STORE]", "deletes them", 0, 1, true, orphans_run_delete},
    {"documents-list", "", "lists documents that this release cannot read", 0, 0, true,
     unreadable_run_list},
    {"documents-delete", "NAME", "deletes one of them", 1, 1, true, unreadable_run_delete},
    {.name = "trail-verify",
     .arguments = "[DIR]",
     .help = "checks the signed digests of the records in DIR, or in trail_dir",
     .most = 1,
     .needs_hsm = true,
     .run = audit_verify_run},
    {.name = NULL},
};

const struct verb *verb_at(size_t index)
{
    size_t count = sizeof verbs / sizeof verbs[0] - 1;
    return index < count ? &verbs[index] : NULL;
}
