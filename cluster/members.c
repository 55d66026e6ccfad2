/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/survey.h"
#include "token/crypto_lib.h"

#define SURVEY_MS    500U
#define HOST_LEN     (CLUSTER_ADDRESS_MAX + 1)
#define NAME_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_"

/* ---- addresses */

/* The host of HOST:PORT or [ADDRESS]:PORT; false when it is neither. */
static bool split(const char *text, char out_host[HOST_LEN], unsigned long *out_port)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    if (colon == NULL || colon == text || strlen(text) > CLUSTER_ADDRESS_MAX)
        return false;
    bool has_brackets = text[0] == '[' && colon[-1] == ']';
    size_t len = (size_t)(colon - text) - (has_brackets ? 2 : 0);
    (void)snprintf(out_host, HOST_LEN, "%.*s", (int)len, text + (has_brackets ? 1 : 0));
    *out_port = strtoul(colon + 1, &end, 10);
    return len > 0 && colon[1] >= '0' && colon[1] <= '9' && *end == 0 && *out_port > 0 &&
           *out_port < 65536 && (has_brackets || strchr(out_host, ':') == NULL);
}

enum rc members_check_address(const char *what, const char *text)
{
    static const char allowed[] = NAME_LETTERS ":";
    char host[HOST_LEN];
    unsigned long port = 0;
    if (text == NULL || !split(text, host, &port) || strspn(host, allowed) != strlen(host))
        return rc_fail(RC_BAD_ARGUMENT, "%s is `%s`, not host:port", what,
                       text == NULL ? "" : text);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        return rc_fail(RC_BAD_ARGUMENT,
                       "%s is %s, which nobody can connect to: set `%s` in qhsmd.conf", what, text,
                       what);
    return RC_OK;
}

enum rc members_check_place(const struct roll_node *nodes, size_t count,
                            const struct roll_node *node)
{
    for (size_t i = 0; i < count; i++)
        if (nodes[i].status != NODE_REMOVED && nodes[i].id != node->id &&
            strcmp(nodes[i].address, node->address) == 0)
            return rc_fail(RC_EXISTS, "HSM %" PRIu64 " has the address %s", nodes[i].id,
                           node->address);
    return RC_OK;
}

enum rc members_check_zone(const char *zone)
{
    size_t len = zone == NULL ? 0 : strlen(zone);
    if (len == 0 || len > CLUSTER_ZONE_MAX || strspn(zone, NAME_LETTERS) != len)
        return rc_fail(RC_BAD_ARGUMENT,
                       "the zone's name is to have 1 to %u letters, digits, dots or dashes",
                       CLUSTER_ZONE_MAX);
    return RC_OK;
}

/* ---- certificates */

enum rc members_certify(struct service *service, const struct pki_subject *subject,
                        struct bytes spki, struct buf *out_cert, struct buf *out_ca)
{
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    TRY(roll_authority(service->hsm->state, service->hsm->keys, &authority));
    enum rc rc = pki_certify(crypto_lib(), buf_bytes(&authority.ca_pem), &authority.ca_key_pem,
                             subject, spki, out_cert);
    if (rc == RC_OK)
        rc = buf_append(out_ca, buf_bytes(&authority.ca_pem));
    roll_authority_clear(&authority);
    return rc;
}

enum rc members_certify_node(struct service *service, const struct roll_node *node,
                             struct buf *out_cert, struct buf *out_ca)
{
    char name[24];
    char hosts[2][HOST_LEN];
    const char *list[3] = {"localhost", hosts[0], hosts[1]};
    unsigned long port = 0;
    AUTO_BUF spki = BUF_INIT;
    if (!split(node->address, hosts[0], &port) || !split(node->endpoint, hosts[1], &port))
        return rc_fail(RC_TAMPERED, "HSM %" PRIu64 " has no addresses on the roll", node->id);
    (void)snprintf(name, sizeof name, "%" PRIu64, node->id);
    struct pki_subject subject = {.role = TLS_ROLE_NODE,
                                  .cluster = service->config->cluster,
                                  .name = name,
                                  .hosts = list,
                                  .host_count = 3,
                                  .days = MEMBERS_CERTIFICATE_DAYS};
    TRY(pki_key_of_point(node->point, &spki));
    return members_certify(service, &subject, buf_bytes(&spki), out_cert, out_ca);
}

/* ---- voters */

static size_t list_voters(struct service *service, struct survey_answer *out)
{
    struct consensus_member members[CLUSTER_NODES_MAX];
    size_t found = consensus_members(service->consensus, members, CLUSTER_NODES_MAX);
    size_t count = 0;
    for (size_t i = 0; i < found && i < CLUSTER_NODES_MAX; i++)
        if (members[i].role == CONSENSUS_VOTER)
            out[count++].id = members[i].id;
    return count;
}

size_t members_voters(struct service *service)
{
    struct survey_answer voters[CLUSTER_NODES_MAX];
    return list_voters(service, voters);
}

/* It still votes, but was told to go; the majority is to be one without it. */
static bool is_leaving(const struct service *service, uint64_t id)
{
    struct roll_node node;
    return roll_node(service->hsm->state, id, &node) == RC_OK &&
           (node.status >= NODE_REMOVED || node.wanted == NODE_STANDBY);
}

static size_t list_staying(struct service *service, struct survey_answer *out)
{
    size_t count = list_voters(service, out);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_leaving(service, out[i].id))
            out[kept++].id = out[i].id;
    return kept;
}

enum rc members_check_leave(struct service *service, uint64_t id)
{
    struct survey_answer voters[CLUSTER_NODES_MAX];
    size_t count = list_staying(service, voters);
    size_t rest = 0;
    size_t living = 0;
    bool votes = false;
    survey_ask(service, voters, count, 0, SURVEY_MS);
    for (size_t i = 0; i < count; i++) {
        bool lives = voters[i].id == service->config->node || voters[i].status != NULL;
        votes = votes || voters[i].id == id;
        rest += voters[i].id != id ? 1 : 0;
        living += voters[i].id != id && lives ? 1 : 0;
    }
    survey_clear(service, voters, count);
    if (!votes || living > rest / 2)
        return RC_OK;
    if (rest == 0)
        return rc_fail(RC_CONFLICT,
                       "HSM %" PRIu64 " is the only voter: let another one join, or "
                       "promote one, first",
                       id);
    return rc_fail(RC_CONFLICT,
                   "without HSM %" PRIu64
                   " there would be %zu voters, of which only %zu answer: no "
                   "majority. Start those that are missing, or remove them first",
                   id, rest, living);
}
