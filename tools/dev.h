/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster for development on this machine: its directory, its daemons, its token. */
#ifndef QHSM_TOOLS_DEV_H
#define QHSM_TOOLS_DEV_H

#include <sys/types.h>

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"

#define DEV_TOKEN_LABEL "dev"

/* Paths under `dir`; all are made by dev_paths(). */
struct dev {
    char *dir; /* absolute */
    unsigned zones;
    char cluster[37];
};

/* dev_files.c: the directory. */
enum rc dev_dir_make(const char *path, mode_t mode); /* with its parents */
enum rc dev_file_write(const char *path, mode_t mode,
                       struct bytes content);             /* whole or not at all */
enum rc dev_file_read(const char *path, struct buf *out); /* RC_NOT_FOUND */
enum rc dev_program(const char *name, const char *in_build,
                    struct buf *out); /* absolute path of a part of ours */

/* dev_setup.c: CA, certificates, configuration of daemons and clients. */
enum rc dev_setup(const struct dev *dev);

/* dev_daemon.c: one zone's daemon. */
enum rc dev_daemon_start(const struct dev *dev, unsigned zone);
/* Waits until it answers; RC_UNAVAILABLE with the last line of its log. */
enum rc dev_daemon_wait(const struct dev *dev, unsigned zone, unsigned timeout_ms);
/* SIGTERM, then SIGKILL when it does not go within the time. RC_NOT_FOUND when none runs. */
enum rc dev_daemon_stop(const struct dev *dev, unsigned zone, unsigned timeout_ms);
pid_t dev_daemon_pid(const struct dev *dev, unsigned zone); /* 0: none */

/* dev_token.c: initialises the token with random PINs and writes DIR/env. */
enum rc dev_token(const struct dev *dev);

#endif
