/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm doctor: looks for what commonly is wrong, and says what to do about each. */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "tools/connection.h"
#include "tools/dev.h"
#include "tools/members.h"

#define EXPIRES_SOON_S (30 * 24 * 3600)
#define CLOCK_LIMIT_MS 5000
#define NOFILE_LEAST   1024U

/* What the checks share; each adds rows. */
struct doctor {
    struct table *table;
    struct client_config *config; /* NULL when it could not be read */
    struct cli *cli;
    unsigned warnings, bad;
    enum rc worst; /* of the first that is BAD: how the command ends */
};

/* A warning: applications are served, but what they rely on is not all there. */
enum verdict { GOOD, NOTE, WARNING, BAD };

static enum rc say(struct doctor *doctor, const char *check, enum verdict verdict,
                   const char *finding, const char *next)
{
    static const char *const words[] = {"ok", "note", "warn", "BAD"};
    doctor->warnings += verdict == WARNING ? 1 : 0;
    doctor->bad += verdict == BAD ? 1 : 0;
    if (verdict == BAD && doctor->worst == RC_OK)
        doctor->worst = RC_CONFIG;
    TRY(table_cell(doctor->table, "%s", words[verdict]));
    TRY(table_cell(doctor->table, "%s", check));
    TRY(table_cell(doctor->table, "%s", finding));
    return table_cell(doctor->table, "%s", next);
}

/* Nothing that a configuration could mend. */
static enum rc say_failed(struct doctor *doctor, const char *check, enum rc why,
                          const char *finding, const char *next)
{
    if (doctor->worst == RC_OK)
        doctor->worst = why;
    return say(doctor, check, BAD, finding, next);
}

static enum rc check_config(struct doctor *doctor)
{
    enum rc rc = client_config_load(doctor->cli->config, &doctor->config);
    if (rc == RC_OK)
        return say(doctor, "client.conf", GOOD, doctor->config->path, "");
    return say(doctor, "client.conf", BAD, rc_detail(),
               "qhsm dev up makes one; man qhsm-client.conf");
}

static enum rc check_key_rights(struct doctor *doctor)
{
    struct stat info;
    if (doctor->config == NULL || doctor->config->key == NULL ||
        stat(doctor->config->key, &info) != 0)
        return RC_OK;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text, "%s has mode %04o", doctor->config->key,
                   (unsigned)info.st_mode & 07777U));
    bool is_open = (info.st_mode & 077) != 0;
    return say(doctor, "client key", is_open ? BAD : GOOD, buf_str(&text),
               is_open ? "chmod 0600 it" : "");
}

static enum rc say_certificate(struct doctor *doctor, const char *check, const char *whose,
                               int64_t expires_s, const char *next)
{
    if (expires_s == 0)
        return RC_OK;
    int64_t left_s = expires_s - (int64_t)time(NULL);
    AUTO_BUF text = BUF_INIT;
    TRY(left_s < 0 ? buf_printf(&text, "%s ended %" PRId64 " days ago", whose, -left_s / 86400)
                   : buf_printf(&text, "%s expires in %" PRId64 " days", whose, left_s / 86400));
    enum verdict verdict = left_s < 0 ? BAD : left_s < EXPIRES_SOON_S ? WARNING : GOOD;
    return say(doctor, check, verdict, buf_str(&text), verdict == GOOD ? "" : next);
}

static enum rc check_own_certificate(struct doctor *doctor)
{
    static const char next[] =
        "have an administrator make a new one: qhsm cluster certificate create";
    if (doctor->config == NULL || doctor->config->cert == NULL)
        return RC_OK;
    int64_t expires_s = 0;
    if (rpc_own_certificate(doctor->config, &expires_s) != RC_OK)
        return say(doctor, "client certificate", BAD, rc_detail(), next);
    return say_certificate(doctor, "client certificate", doctor->config->cert, expires_s, next);
}

static bool is_down(const struct rpc_probe *probe)
{
    return rc_info(probe->rc)->exit_code == rc_info(RC_UNAVAILABLE)->exit_code;
}

static enum rc say_endpoint(struct doctor *doctor, const char *endpoint,
                            const struct rpc_probe *probe, bool is_served)
{
    AUTO_BUF text = BUF_INIT;
    if (probe->rc != RC_OK) {
        TRY(buf_printf(&text, "%s: %s: %s", endpoint, rc_info(probe->rc)->text, probe->detail));
        if (!is_down(probe))
            return say(doctor, "endpoint", BAD, buf_str(&text), rc_info(probe->rc)->next);
        const char *next = probe->rc == RC_UNAVAILABLE
                               ? "start its daemon, or correct `endpoint` in client.conf"
                               : rc_info(probe->rc)->next;
        return is_served ? say(doctor, "endpoint", WARNING, buf_str(&text), next)
                         : say_failed(doctor, "endpoint", probe->rc, buf_str(&text), next);
    }
    TRY(buf_printf(
        &text, "%s: HSM %" PRIu64 ", release %s, connect %" PRIu64 " us, round trip %" PRIu64 " us",
        endpoint, probe->node, probe->release, probe->connect_us, probe->round_trip_us));
    bool is_same = strcmp(probe->release, QHSM_VERSION) == 0;
    TRY(say(doctor, "endpoint", is_same ? GOOD : NOTE, buf_str(&text),
            is_same ? "" : "this command is of release " QHSM_VERSION ": upgrade the older side"));
    return say_certificate(doctor, "certificate", endpoint, probe->certificate_expires_s,
                           "issue a new one and reload (SIGHUP)");
}

/* One that does not answer is bad only when none does. */
static enum rc check_endpoints(struct doctor *doctor)
{
    if (doctor->config == NULL)
        return RC_OK;
    size_t count = doctor->config->endpoints.count;
    const char *const *endpoints = (const char *const *)doctor->config->endpoints.items;
    struct rpc_probe *probes = calloc(count + 1, sizeof *probes);
    if (probes == NULL)
        return RC_NO_MEMORY;
    bool is_served = false;
    for (size_t i = 0; i < count; i++) {
        rpc_probe(doctor->config, endpoints[i], &probes[i]);
        is_served = is_served || probes[i].rc == RC_OK;
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++)
        rc = say_endpoint(doctor, endpoints[i], &probes[i], is_served);
    free(probes);
    return rc;
}

static enum rc check_clock(struct doctor *doctor, const Qhsm__StatusReply *status)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t ours_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t differs_ms = ours_ms - (int64_t)status->time_ms;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text, "differs from the HSM's by %" PRId64 " ms", differs_ms));
    bool is_off = differs_ms > CLOCK_LIMIT_MS || differs_ms < -CLOCK_LIMIT_MS;
    return say(doctor, "clock", is_off ? BAD : GOOD, buf_str(&text),
               is_off ? "run an NTP client on both machines" : "");
}

static enum rc check_status(struct doctor *doctor)
{
    if (doctor->config == NULL)
        return RC_OK;
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(doctor->cli, &connection));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__StatusRequest body = QHSM__STATUS_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_STATUS;
    request.status = &body;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case == QHSM__RESPONSE__BODY_STATUS) {
        const Qhsm__StatusReply *status = reply.msg->status;
        rc = check_clock(doctor, status);
        if (rc == RC_OK)
            rc = say(doctor, "memory of the HSM", status->memory_locked ? GOOD : NOTE,
                     status->memory_locked ? "locked" : "not locked: secrets may reach the swap",
                     status->memory_locked
                         ? ""
                         : "raise LimitMEMLOCK= of the unit, or memory_lock = yes to insist");
        for (size_t i = 0; rc == RC_OK && i < status->n_warnings; i++)
            rc = say(doctor, "warning of the HSM", NOTE, status->warnings[i], "");
    } else {
        rc = say_failed(doctor, "status", rc, rc_info(rc)->text, rc_info(rc)->next);
    }
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

static enum rc say_member(struct doctor *doctor, const Qhsm__NodeView *view)
{
    const char *health = members_health(view);
    bool is_good = strcmp(health, "ok") == 0;
    bool is_passing = strcmp(health, "joining") == 0 || strcmp(health, "pending") == 0 ||
                      strcmp(health, "draining") == 0;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text, "HSM %" PRIu64 " of zone %s: %s%s%s", view->node->id, view->node->zone,
                   health, view->trouble[0] == 0 ? "" : ", ", view->trouble));
    return say(doctor, "member",
               is_good      ? GOOD
               : is_passing ? NOTE
                            : WARNING,
               buf_str(&text), is_good ? "" : "qhsm cluster status, and the log of that HSM");
}

static enum rc say_members(struct doctor *doctor, const Qhsm__ClusterStatusReply *status)
{
    if (!status->has_quorum)
        TRY(say_failed(
            doctor, "cluster", RC_NO_QUORUM, "no majority of its HSMs: nothing can be changed",
            "start those that are down; qhsm cluster recover when they are lost for good"));
    for (size_t i = 0; i < status->n_nodes; i++)
        if (status->nodes[i]->node->status != NODE_REMOVED)
            TRY(say_member(doctor, status->nodes[i]));
    return RC_OK;
}

static enum rc check_members(struct doctor *doctor)
{
    if (doctor->config == NULL)
        return RC_OK;
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(doctor->cli, &connection));
    struct rpc_reply reply = {0};
    enum rc rc = members_status(&connection, &reply);
    rc = rc == RC_OK ? say_members(doctor, reply.msg->cluster_status)
                     : say_failed(doctor, "cluster", rc, rc_info(rc)->text, rc_info(rc)->next);
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

static enum rc check_limits(struct doctor *doctor)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return RC_OK;
    AUTO_BUF text = BUF_INIT;
    TRY(buf_printf(&text, "%" PRIu64 " open files", (uint64_t)files.rlim_cur));
    bool is_low = files.rlim_cur < NOFILE_LEAST;
    return say(doctor, "limits", is_low ? NOTE : GOOD, buf_str(&text),
               is_low ? "raise ulimit -n for many connections" : "");
}

/* Loads the module like an application would, and only asks who it is. */
static enum rc check_module(struct doctor *doctor)
{
    AUTO_BUF path = BUF_INIT;
    const char *named = getenv("QHSM_MODULE");
    if (named != NULL)
        TRY(buf_printf(&path, "%s", named));
    else if (dev_program(QHSM_INSTALL_MODULE, "p11/libqhsm-pkcs11.so", &path) != RC_OK)
        return say(doctor, "module", BAD, rc_detail(), "install it, or set QHSM_MODULE");
    void *library = dlopen(buf_str(&path), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return say(doctor, "module", BAD, dlerror(), "install the libraries that it needs");
    void *symbol = dlsym(library, "C_GetFunctionList");
    CK_C_GetFunctionList get;
    CK_FUNCTION_LIST *calls = NULL;
    CK_INFO info;
    memcpy(&get, &symbol, sizeof get);
    bool is_ours = symbol != NULL && get(&calls) == CKR_OK && calls->C_Initialize(NULL) == CKR_OK &&
                   calls->C_GetInfo(&info) == CKR_OK && calls->C_Finalize(NULL) == CKR_OK;
    (void)dlclose(library);
    return is_ours ? say(doctor, "module", GOOD, buf_str(&path), "")
                   : say(doctor, "module", BAD, buf_str(&path),
                         "C_Initialize fails: see QHSM_TRACE=/tmp/trace");
}

static enum rc check_p11_kit(struct doctor *doctor)
{
    static const char *const places[] = {"/etc/pkcs11/modules/quorumhsm.module",
                                         "/usr/share/p11-kit/modules/quorumhsm.module",
                                         "/usr/local/share/p11-kit/modules/quorumhsm.module"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], R_OK) == 0)
            return say(doctor, "p11-kit", GOOD, places[i], "");
    return say(doctor, "p11-kit", NOTE,
               "no quorumhsm.module: p11-kit's clients do not find the module by themselves",
               "cmake --install, or copy quorumhsm.module to /etc/pkcs11/modules");
}

static enum rc check_openssl(struct doctor *doctor)
{
    const char *named = getenv("OPENSSL_CONF");
    const char *path = named != NULL ? named : "/etc/ssl/openssl.cnf";
    AUTO_BUF text = BUF_INIT;
    enum rc rc = dev_file_read(path, &text);
    AUTO_BUF finding = BUF_INIT;
    if (rc != RC_OK) {
        TRY(buf_printf(&finding, "%s cannot be read", path));
        return say(doctor, "openssl.cnf", named != NULL ? BAD : NOTE, buf_str(&finding),
                   "correct OPENSSL_CONF");
    }
    const char *content = buf_str(&text);
    bool has_pkcs11 =
        strstr(content, "pkcs11-module-path") != NULL || strstr(content, "MODULE_PATH") != NULL;
    bool has_ours = strstr(content, "libqhsm-pkcs11") != NULL;
    TRY(buf_printf(&finding, "%s %s", path,
                   has_ours     ? "names the module"
                   : has_pkcs11 ? "names another PKCS#11 module"
                                : "names no PKCS#11 module"));
    return say(doctor, "openssl.cnf", has_ours ? GOOD : NOTE, buf_str(&finding),
               has_ours ? "" : "qhsm dev up --help shows how");
}

static const struct column columns[] = {{"", "verdict", CELL_TEXT},
                                        {"CHECK", "check", CELL_TEXT},
                                        {"FINDING", "finding", CELL_TEXT},
                                        {"NEXT", "next", CELL_TEXT}};

static enum rc doctor(struct cli *cli)
{
    static enum rc (*const checks[])(struct doctor *) = {
        check_config,  check_key_rights, check_own_certificate, check_endpoints, check_status,
        check_members, check_limits,     check_module,          check_p11_kit,   check_openssl};
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    struct doctor doctor = {.table = table, .cli = cli};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof checks / sizeof checks[0]; i++) {
        rc_detail_clear();
        rc = checks[i](&doctor);
    }
    client_config_free(doctor.config);
    TRY(rc);
    TRY(table_print(table, cli->json));
    if (doctor.bad > 0)
        return rc_fail(doctor.worst, "%u of the checks are BAD", doctor.bad);
    return doctor.warnings == 0 ? RC_OK
                                : rc_fail(RC_DEGRADED, "%u of the checks warn", doctor.warnings);
}

const struct command commands_doctor[] = {
    {.noun = "doctor",
     .verb = "",
     .arguments = "",
     .summary = "Look for what commonly is wrong on this machine",
     .text =
         "Checks configuration, rights, endpoints, certificates, clock, members, limits, memory "
         "locking, the module, p11-kit and "
         "OpenSSL's configuration, and says what to do.\n\nExit codes: 0 nothing is wrong, 9 "
         "usable but with warnings (a zone is down, a certificate ends soon), 6 no HSM answers or "
         "the cluster has no majority, 2 something is set up wrong.",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .run = doctor},
    {0}};
