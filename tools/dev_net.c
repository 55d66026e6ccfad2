/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/dev_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES "/run/netns" /* where ip-netns(8) has them */
/* Packets to this address are flooded by the bridge, and nobody takes them. */
#define NOWHERE      "02:00:00:00:00:ff"
#define HERE         DEV_ZONES_MAX /* this machine's own namespace, as a place */
#define HOST_FIRST   11U           /* last byte of zone a's address; the bridge's is 1 */
#define SUBNET_TRIES 100U

/* Names are of at most 15 characters: if_nametoindex(3). */
struct net {
    char tag[9];
    char subnet[12]; /* three bytes of four */
};

static enum rc net_path(const struct dev *dev, struct buf *out)
{
    return buf_printf(out, "%s/%s", dev->dir, DEV_NET_FILE);
}

bool dev_net_exists(const struct dev *dev)
{
    AUTO_BUF path = BUF_INIT;
    return net_path(dev, &path) == RC_OK && access(buf_str(&path), F_OK) == 0;
}

static enum rc net_load(const struct dev *dev, struct net *out)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(net_path(dev, &path));
    TRY(dev_file_read(buf_str(&path), &text));
    return sscanf(buf_str(&text), "%8s %11s", out->tag, out->subnet) == 2
               ? RC_OK
               : rc_fail(RC_CONFIG, "%s is not of dev up", buf_str(&path));
}

/* ---- names */

#define NAME_LEN 32U

static const char *bridge_name(const struct net *net, char out[NAME_LEN])
{
    (void)snprintf(out, NAME_LEN, "qh%s", net->tag);
    return out;
}

/* This machine's end of the zone's pair. */
static const char *port_name(const struct net *net, unsigned zone, char out[NAME_LEN])
{
    (void)snprintf(out, NAME_LEN, "qh%s-%c", net->tag, dev_letter(zone));
    return out;
}

static const char *space_name(const struct net *net, unsigned zone, char out[NAME_LEN])
{
    (void)snprintf(out, NAME_LEN, "qhsm-%s-%c", net->tag, dev_letter(zone));
    return out;
}

static const char *address(const struct net *net, unsigned place, char out[NAME_LEN])
{
    (void)snprintf(out, NAME_LEN, "%s.%u", net->subnet, place == HERE ? 1U : HOST_FIRST + place);
    return out;
}

/* ---- ip(8) */

static enum rc read_all(int fd, struct buf *out)
{
    uint8_t chunk[512];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return RC_OK;
        TRY(buf_append(out, bytes_of(chunk, (size_t)got)));
    }
}

static int spawn(const char *const words[], int fd, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
    if (failed == 0)
        failed = posix_spawnp(out_pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                              environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* With all that it says in `out`. */
static enum rc run(const char *const words[], struct buf *out)
{
    int ends[2], status = 0;
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rc_fail(RC_IO, "pipe: %s", strerror(errno));
    int failed = spawn(words, ends[1], &pid);
    (void)close(ends[1]);
    enum rc rc = failed == 0 ? read_all(ends[0], out) : RC_OK;
    (void)close(ends[0]);
    if (failed != 0)
        return failed == ENOENT
                   ? rc_fail(RC_NOT_FOUND, "%s is not installed: apt install iproute2", words[0])
                   : rc_fail(RC_IO, "%s: %s", words[0], strerror(failed));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    TRY(rc);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return RC_OK;
    AUTO_BUF asked = BUF_INIT;
    for (size_t i = 0; words[i] != NULL; i++)
        TRY(buf_printf(&asked, "%s%s", i == 0 ? "" : " ", words[i]));
    return rc_fail(RC_IO, "`%s` failed: %s", buf_str(&asked), buf_str(out));
}

#define IP(...) ip((const char *const[]){"ip", __VA_ARGS__, NULL})
static enum rc ip(const char *const words[])
{
    AUTO_BUF said = BUF_INIT;
    return run(words, &said);
}

static enum rc need_root(void)
{
    if (geteuid() == 0)
        return RC_OK;
    return rc_fail(RC_NOT_PERMITTED,
                   "network namespaces are for root alone: sudo qhsm ..., or dev up without "
                   "--netns");
}

/* ---- making and removing */

/* Of 198.18.0.0/15, which no network uses: RFC 2544 C.2.2. */
static bool is_used(const char *subnet)
{
    struct ifaddrs *list = NULL;
    bool found = false;
    if (getifaddrs(&list) != 0)
        return false;
    for (const struct ifaddrs *at = list; at != NULL && !found; at = at->ifa_next) {
        char text[INET_ADDRSTRLEN] = "";
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
            continue;
        const struct sockaddr_in *in = (const void *)at->ifa_addr;
        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        size_t len = strlen(subnet);
        found = strncmp(text, subnet, len) == 0 && text[len] == '.';
    }
    freeifaddrs(list);
    return found;
}

static enum rc choose(const struct dev *dev, struct net *out)
{
    (void)snprintf(out->tag, sizeof out->tag, "%.8s", dev->cluster);
    for (unsigned i = 0; i < SUBNET_TRIES; i++) {
        uint8_t raw[2];
        if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
            return rc_fail(RC_RANDOM, "getrandom failed");
        (void)snprintf(out->subnet, sizeof out->subnet, "198.%u.%u", 18U + (raw[0] & 1U),
                       (unsigned)raw[1]);
        if (!is_used(out->subnet))
            return RC_OK;
    }
    return rc_fail(RC_LIMIT, "no subnet of 198.18.0.0/15 is free");
}

enum rc dev_net_choose(const struct dev *dev)
{
    struct net net = {.tag = ""};
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(need_root());
    TRY(choose(dev, &net));
    TRY(net_path(dev, &path));
    TRY(buf_printf(&text, "%s %s\n", net.tag, net.subnet));
    return dev_file_write(buf_str(&path), 0644, buf_bytes(&text));
}

static bool has_space(const char *space)
{
    AUTO_BUF path = BUF_INIT;
    return buf_printf(&path, NAMESPACES "/%s", space) == RC_OK && access(buf_str(&path), F_OK) == 0;
}

static enum rc zone_down(const struct net *net, unsigned zone)
{
    char port[NAME_LEN], space[NAME_LEN];
    if (if_nametoindex(port_name(net, zone, port)) != 0)
        TRY(IP("link", "del", port));
    return has_space(space_name(net, zone, space)) ? IP("netns", "del", space) : RC_OK;
}

static enum rc zone_up(const struct net *net, unsigned zone)
{
    char port[NAME_LEN], space[NAME_LEN], host[NAME_LEN], bridge[NAME_LEN];
    AUTO_BUF prefix = BUF_INIT;
    if (if_nametoindex(port_name(net, zone, port)) != 0 && has_space(space_name(net, zone, space)))
        return RC_OK;
    TRY(zone_down(net, zone));
    TRY(buf_printf(&prefix, "%s/24", address(net, zone, host)));
    TRY(IP("netns", "add", space_name(net, zone, space)));
    TRY(IP("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space));
    TRY(IP("link", "set", port, "master", bridge_name(net, bridge), "up"));
    TRY(IP("-n", space, "addr", "add", buf_str(&prefix), "dev", "eth0"));
    TRY(IP("-n", space, "link", "set", "lo", "up"));
    return IP("-n", space, "link", "set", "eth0", "up");
}

static enum rc bridge_up(const struct net *net)
{
    char bridge[NAME_LEN], host[NAME_LEN];
    AUTO_BUF prefix = BUF_INIT;
    if (if_nametoindex(bridge_name(net, bridge)) != 0)
        return RC_OK;
    TRY(buf_printf(&prefix, "%s/24", address(net, HERE, host)));
    TRY(IP("link", "add", bridge, "type", "bridge"));
    TRY(IP("addr", "add", buf_str(&prefix), "dev", bridge));
    return IP("link", "set", bridge, "up");
}

/* For what changes or shows a network. False: the cluster has none of its own. */
static enum rc net_enter(const struct dev *dev, struct net *out, bool *out_exists)
{
    *out_exists = dev_net_exists(dev);
    if (!*out_exists)
        return RC_OK;
    TRY(need_root());
    return net_load(dev, out);
}

enum rc dev_net_up(const struct dev *dev)
{
    struct net net;
    bool exists = false;
    TRY(net_enter(dev, &net, &exists));
    if (!exists)
        return RC_OK;
    TRY(bridge_up(&net));
    for (unsigned zone = 0; zone < dev->zones; zone++)
        TRY(zone_up(&net, zone));
    return RC_OK;
}

enum rc dev_net_down(const struct dev *dev)
{
    struct net net;
    char bridge[NAME_LEN];
    bool exists = false;
    TRY(net_enter(dev, &net, &exists));
    if (!exists)
        return RC_OK;
    for (unsigned zone = 0; zone < DEV_ZONES_MAX; zone++)
        TRY(zone_down(&net, zone));
    return if_nametoindex(bridge_name(&net, bridge)) != 0 ? IP("link", "del", bridge) : RC_OK;
}

/* ---- where a daemon is */

enum rc dev_net_host(const struct dev *dev, unsigned zone, struct buf *out)
{
    struct net net;
    char host[NAME_LEN];
    if (!dev_net_exists(dev))
        return buf_printf(out, "127.0.0.1");
    TRY(net_load(dev, &net));
    return buf_printf(out, "%s", address(&net, zone, host));
}

enum rc dev_net_namespace(const struct dev *dev, unsigned zone, struct buf *out)
{
    struct net net;
    char space[NAME_LEN];
    if (!dev_net_exists(dev))
        return RC_OK;
    TRY(net_load(dev, &net));
    return buf_printf(out, NAMESPACES "/%s", space_name(&net, zone, space));
}

/* ---- cutting: a place believes that another is at an address that nobody has */

static enum rc neighbour(const struct net *net, const char *verb, unsigned at, unsigned to,
                         struct buf *out)
{
    char space[NAME_LEN], host[NAME_LEN], bridge[NAME_LEN];
    const char *words[16] = {"ip"};
    size_t count = 1;
    if (at != HERE) {
        words[count++] = "-n";
        words[count++] = space_name(net, at, space);
    }
    words[count++] = "neigh";
    words[count++] = verb;
    words[count++] = address(net, to, host);
    if (strcmp(verb, "replace") == 0) {
        words[count++] = "lladdr";
        words[count++] = NOWHERE;
    }
    words[count++] = "dev";
    words[count++] = at == HERE ? bridge_name(net, bridge) : "eth0";
    words[count++] = "nud";
    words[count] = "permanent";
    return run(words, out);
}

/* Between a zone and a place, in the directions that are wanted. */
static enum rc change(const struct net *net, const char *verb, const struct dev_cut *cut,
                      unsigned place)
{
    AUTO_BUF said = BUF_INIT;
    if (cut->out)
        TRY(neighbour(net, verb, cut->zone, place, &said));
    return cut->in ? neighbour(net, verb, place, cut->zone, &said) : RC_OK;
}

enum rc dev_net_cut(const struct dev *dev, const struct dev_cut *cut)
{
    struct net net;
    TRY(need_root());
    TRY(net_load(dev, &net));
    for (unsigned zone = 0; zone < dev->zones; zone++)
        if (zone != cut->zone && (cut->peer == NULL || *cut->peer == zone))
            TRY(change(&net, "replace", cut, zone));
    return cut->clients ? change(&net, "replace", cut, HERE) : RC_OK;
}

enum rc dev_net_heal(const struct dev *dev, unsigned zone)
{
    struct net net;
    const struct dev_cut all = {.zone = zone, .in = true, .out = true};
    bool exists = false;
    TRY(net_enter(dev, &net, &exists));
    if (!exists)
        return RC_OK;
    for (unsigned other = 0; other < dev->zones; other++)
        if (other != zone)
            TRY(change(&net, "flush", &all, other));
    return change(&net, "flush", &all, HERE);
}

static enum rc describe(const struct net *net, unsigned zone, unsigned place, struct buf *out)
{
    const char name[] = {dev_letter(place), 0};
    for (unsigned way = 0; way < 2; way++) {
        AUTO_BUF said = BUF_INIT;
        TRY(neighbour(net, "show", way == 0 ? zone : place, way == 0 ? place : zone, &said));
        if (said.len > 0)
            TRY(buf_printf(out, "%spackets %s %s%s vanish", out->len == 0 ? "" : ", ",
                           way == 0 ? "to" : "from", place == HERE ? "clients" : "zone ",
                           place == HERE ? "" : name));
    }
    return RC_OK;
}

enum rc dev_net_describe(const struct dev *dev, unsigned zone, struct buf *out)
{
    struct net net;
    bool exists = false;
    TRY(net_enter(dev, &net, &exists));
    if (!exists)
        return RC_OK;
    for (unsigned other = 0; other < dev->zones; other++)
        if (other != zone)
            TRY(describe(&net, zone, other, out));
    return describe(&net, zone, HERE, out);
}
