/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners: HTTP and HTTPS by libmicrohttpd, a thread a connection. */
#ifndef QHSM_KMS_SERVER_H
#define QHSM_KMS_SERVER_H

#include "kms/kms.h"

struct kms_server;
/* Listens as kms->config says. RC_CONFIG. */
enum rc kms_server_start(struct kms *kms, struct kms_server **out);
/* Accepts no more, lets what is in work be answered (at most five seconds), closes. */
void kms_server_stop(struct kms_server *server);
/* New connections see the certificates of `config` from now on; on failure the old ones stay. */
enum rc kms_server_reload(struct kms_server *server, const struct kms_config *config);
/* Port that HTTP, or HTTPS, is listened on; 0: none. */
unsigned kms_server_port(const struct kms_server *server, bool https);

#endif
