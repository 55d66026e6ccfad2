/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster for development on this machine: its directory, its daemons, its token. */
#ifndef QHSM_TOOLS_DEV_H
#define QHSM_TOOLS_DEV_H

#include <sys/types.h>

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"
#include "rpc/tls.h"

#define DEV_TOKEN_LABEL  "dev"
#define DEV_ZONES_MAX    5U
#define DEV_PATIENCE_MAX 60U

struct connection;

/* Zones are a, b, c ...; 0 is a. Files of a zone lie in DIR/zone-LETTER. */
struct dev {
    char *dir; /* absolute */
    unsigned zones;
    unsigned patience; /* elections and clients wait so many times as long as usual */
    char cluster[37];
};

/* dev_files.c: files and directories. */
enum rc dev_dir_make(const char *path, mode_t mode); /* with its parents */
enum rc dev_file_write(const char *path, mode_t mode,
                       struct bytes content);             /* whole or not at all */
enum rc dev_file_read(const char *path, struct buf *out); /* RC_NOT_FOUND */
/* A file or a directory with all in it; RC_OK when there is none. */
enum rc dev_remove(const char *path);
enum rc dev_program(const char *name, const char *in_build,
                    struct buf *out); /* absolute path of a part of ours */

/* dev_dir.c: which directory, whose cluster, which zone. */
/* Where this user's clusters are kept, appended; may not be there yet. RC_USAGE without HOME. */
enum rc dev_state_dir(struct buf *out);
/* Absolute; NULL: the default one. */
enum rc dev_locate(const char *dir, struct buf *out);
/* One command at a time in a directory; held until the process ends. */
enum rc dev_lock(const char *dir);
/* Of a directory that holds a cluster; else *out_is_new and a fresh one, with `zones` and
 * `patience` as they are. */
enum rc dev_identity(struct dev *dev, bool *out_is_new);
/* Written last: a directory without it is set up anew. */
enum rc dev_identity_write(const struct dev *dev);
static inline char dev_letter(unsigned zone)
{
    return (char)('a' + zone);
}
enum rc dev_zone_path(const struct dev *dev, unsigned zone, const char *file, struct buf *out);
/* RC_NOT_FOUND names the zones that there are. */
enum rc dev_zone_find(const struct dev *dev, const char *name, unsigned *out);
/* The number of the zone's HSM in the cluster. */
enum rc dev_zone_node(const struct dev *dev, unsigned zone, uint64_t *out);
/* It was tampered with: its daemon does not start any more. */
bool dev_zone_is_zeroized(const struct dev *dev, unsigned zone);
/* To this zone's HSM alone, over its Unix socket: as administrator. */
enum rc dev_zone_open(const struct dev *dev, unsigned zone, struct connection *out);

/* dev_port.c: of 127.0.0.1; free now. */
enum rc dev_port_take(unsigned *out_port);

/* dev_setup.c: CA, certificates, configuration of daemons and clients. */
enum rc dev_setup(const struct dev *dev);
/* An HSM that is to join: its configuration, with ports of its own. */
enum rc dev_setup_joiner(const struct dev *dev, unsigned zone);
/* The lines of a client.conf that say how long is waited; `call_ms`: for a call, with patience 1;
 * 0: as long as usual. */
enum rc dev_client_times(const struct dev *dev, unsigned call_ms, struct buf *out);
/* Of the cluster's CA, for this machine: DIR/NAME.pem and NAME.key. */
enum rc dev_certificate(const struct dev *dev, enum tls_role role, const char *subject,
                        const char *name);

/* dev_join.c: from daemons to a cluster. */
/* cluster init on the first zone; DIR/shares. */
enum rc dev_form(const struct dev *dev);
/* The zone's HSM, if there was one, has been removed or tampered with. RC_EXISTS; asks the HSM of
 * zone `by`. */
enum rc dev_check_left(const struct dev *dev, unsigned zone, unsigned by);
/* Key, token, ticket, and the daemon that joins with it. By the HSM of zone `by`. */
enum rc dev_join(const struct dev *dev, unsigned zone, unsigned by);
/* Until all that run are members that count, with a leader. RC_DEADLINE says who is not. */
enum rc dev_wait_members(const struct dev *dev, unsigned timeout_ms);

/* dev_daemon.c: one zone's daemon. */
enum rc dev_daemon_start(const struct dev *dev, unsigned zone);
/* Waits until it answers; RC_UNAVAILABLE with the last line of its log. */
enum rc dev_daemon_wait(const struct dev *dev, unsigned zone, unsigned timeout_ms);
/* SIGTERM, then SIGKILL when it does not go within the time. RC_NOT_FOUND when none runs. */
enum rc dev_daemon_stop(const struct dev *dev, unsigned zone, unsigned timeout_ms);
/* RC_NOT_FOUND when none runs. */
enum rc dev_daemon_signal(const struct dev *dev, unsigned zone, int number);
pid_t dev_daemon_pid(const struct dev *dev, unsigned zone); /* 0: none */
/* Stopped by SIGSTOP. */
bool dev_daemon_is_paused(const struct dev *dev, unsigned zone);
void dev_rest_ms(unsigned ms);

/* A new PIN or password: letters and digits that nobody confuses. */
#define DEV_PIN_LEN 12U
enum rc dev_random_pin(char *out, size_t len); /* len, and a NUL */
/* export NAME='VALUE' for every shell, appended. */
enum rc dev_put_export(struct buf *text, const char *name, const char *value);

/* The token of connection->slot, as administrator. */
enum rc dev_token_init(struct connection *connection, const char *label, const char *so_pin);
/* How long its keys are used without a leader. Ends the security officer's login of the connection.
 */
enum rc dev_token_patience(const struct dev *dev, struct connection *connection);

/* dev_token.c: initialises the token with random PINs, and writes DIR/env and DIR/env.ZONE. */
enum rc dev_token(const struct dev *dev);
enum rc dev_zone_env(const struct dev *dev, unsigned zone);
/* The module beside these programs, in DIR/env and DIR/env.ZONE: others may have made the cluster.
 */
enum rc dev_renew_env(const struct dev *dev);

#endif
