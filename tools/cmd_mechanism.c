/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm mechanism list: the table that module and daemon share. Needs no HSM. */
#include <strings.h>

#include "common/mechanism.h"
#include "tools/cli.h"

static const struct column columns[] = {
    {"MECHANISM", "mechanism", CELL_TEXT}, {"TYPE", "type", CELL_TEXT},
    {"MIN", "min_size", CELL_NUMBER},      {"MAX", "max_size", CELL_NUMBER},
    {"APPROVED", "approved", CELL_TEXT},   {"USES", "uses", CELL_TEXT}};

static const struct {
    CK_FLAGS flag;
    const char *name;
} uses[] = {{CKF_ENCRYPT, "encrypt"},
            {CKF_DECRYPT, "decrypt"},
            {CKF_DIGEST, "digest"},
            {CKF_SIGN, "sign"},
            {CKF_SIGN_RECOVER, "sign-recover"},
            {CKF_VERIFY, "verify"},
            {CKF_VERIFY_RECOVER, "verify-recover"},
            {CKF_GENERATE, "generate"},
            {CKF_GENERATE_KEY_PAIR, "generate-pair"},
            {CKF_WRAP, "wrap"},
            {CKF_UNWRAP, "unwrap"},
            {CKF_DERIVE, "derive"}};

static const char *approval_name(enum approval approval)
{
    switch (approval) {
    case APPROVED:
        return "yes";
    case APPROVED_VERIFY:
        return "to-verify";
    case NOT_APPROVED:
        break;
    }
    return "no";
}

static enum rc add_row(struct table *table, const struct mechanism *mech)
{
    TRY(table_cell(table, "%s", mech->name));
    TRY(table_cell(table, "0x%08lx", mech->type));
    TRY(table_cell(table, "%lu", mech->min_size));
    TRY(table_cell(table, "%lu", mech->max_size));
    TRY(table_cell(table, "%s", approval_name(mech->approval)));
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if ((mech->flags & uses[i].flag) != 0)
            TRY(buf_printf(&text, "%s%s", text.len == 0 ? "" : ",", uses[i].name));
    return table_cell(table, "%s", buf_str(&text));
}

static enum rc mechanism_list(struct cli *cli)
{
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        bool is_wanted =
            cli->argument_count == 0 || strcasestr(mech->name, cli->arguments[0]) != NULL;
        if (is_wanted)
            TRY(add_row(table, mech));
    }
    return table_print(table, cli->json);
}

const struct command commands_mechanism[] = {
    {.noun = "mechanism",
     .verb = "list",
     .arguments = "[PART]",
     .summary = "List the mechanisms, or those whose name has PART in it",
     .text =
         "Sizes are in bits for RSA and elliptic curves and in bytes for the others, as "
         "C_GetMechanismInfo gives them (ML-DSA: of the public key). ML-DSA is offered where the "
         "HSM's libcrypto has it: see C_GetMechanismList.",
     .common = CLI_OUTPUT,
     .arguments_max = 1,
     .run = mechanism_list},
    {0}};
