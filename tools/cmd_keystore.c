/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm keystore release: the KMS's documents get another owner, or end. (The rest of `keystore` is
 * the front end's own: cmd_kms.c.) */
#include "tools/connection.h"

static struct {
    bool erase;
    bool yes;
} options;

enum { OPTION_ERASE = CLI_OPTION, OPTION_YES };

static const struct argp_option release_argp[] = {
    {"erase", OPTION_ERASE, NULL, 0, "Erase the documents as well", 0},
    {"yes", OPTION_YES, NULL, 0, "Do not ask", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    (void)state;
    if (key == OPTION_ERASE)
        options.erase = true;
    else if (key == OPTION_YES)
        options.yes = true;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static enum rc release(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(cli_confirm(options.yes,
                    options.erase
                        ? "All keys, aliases, grants and principals of the KMS will be gone; the "
                          "HSM's keys stay, and what they encrypted can only be read with a backup."
                        : "Whichever front end comes first will own the KMS's keys, aliases, "
                          "grants and principals."));
    Qhsm__KeystoreReleaseRequest body = QHSM__KEYSTORE_RELEASE_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    body.erase = options.erase;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_RELEASE;
    request.keystore_release = &body;
    TRY(connection_do(&connection, &request, true));
    printf("%s; the next front end that starts binds the KMS to its hsm_token and hsm_user\n",
           options.erase ? "erased" : "released");
    return RC_OK;
}

const struct command commands_keystore[] = {
    {.noun = "keystore",
     .verb = "release",
     .arguments = "",
     .summary = "Take the KMS's documents from their owner, as administrator",
     .text =
         "The first front end that starts binds the documents of the KMS to its token and user; "
         "others are refused. Stop the front ends before.",
     .common = CLI_CONNECTS,
     .options = release_argp,
     .parse = parse,
     .run = release},
    {0}};
